/** Starts the thread that owns the log’s file and turns its messages into promises; its death is a failure of every call. */
import { Worker } from 'node:worker_threads'
import { Fault } from '../../schemas/errors.ts'
import type { Answer, CallName, Calls, Failure, Opened } from './log-messages.ts'

export type LogThread = {
  readonly opened: Opened
  call<K extends CallName>(name: K, ask: Calls[K]['ask'], transfer?: readonly ArrayBuffer[]): Promise<Calls[K]['answer']>
  /** Checkpoints, closes the file and ends the thread. */
  end(): Promise<void>
}

const busy = 5
const damaged = [11, 26]

function refusal(dir: string, { code, message }: Failure): Fault {
  const primary = code & 0xff
  if (primary === busy) return new Fault('START_REFUSED', `another process has the log open: ${dir}`)
  if (damaged.includes(primary)) return new Fault('BUS_IO', `the log is damaged: ${dir}: ${message}`)
  return new Fault('START_REFUSED', `cannot open the log in ${dir}: ${message}`)
}

export async function startThread(options: { dir: string; partitions: number }, onFailure: (error: Fault) => void): Promise<LogThread> {
  const worker = new Worker(new URL('./log-worker.ts', import.meta.url), { workerData: options, name: 'log' })
  const waiting = new Map<number, { resolve: (answer: unknown) => void; reject: (error: Fault) => void }>()
  const opening = new Promise<unknown>((resolve, reject) => {
    waiting.set(0, { resolve, reject: (error) => reject(error) })
  })
  let ended = false
  let gone = false
  let calls = 0
  const die = (error: Fault): void => {
    gone = true
    for (const { reject } of waiting.values()) reject(error)
    waiting.clear()
    if (!ended) onFailure(error)
  }
  worker.on('message', (message: Answer) => {
    const call = waiting.get(message.id)
    waiting.delete(message.id)
    if ('answer' in message) call?.resolve(message.answer)
    else if (message.id === 0) call?.reject(refusal(options.dir, message.failure))
    else {
      const { code, message: text } = message.failure
      const fault = new Fault('BUS_IO', `the log cannot go on: ${text} (SQLite ${code})`)
      if (call) call.reject(fault)
      else onFailure(fault)
    }
  })
  worker.on('error', (error) => die(new Fault('BUS_IO', 'the thread of the log failed', error)))
  worker.on('exit', () => die(new Fault(ended ? 'BUS_CLOSED' : 'BUS_IO', 'the thread of the log has ended')))
  const call: LogThread['call'] = (name, ask, transfer = []) =>
    new Promise<never>((resolve, reject) => {
      calls += 1
      waiting.set(calls, { resolve: resolve as (answer: unknown) => void, reject })
      worker.postMessage({ id: calls, name, ask }, [...transfer])
    })
  try {
    const opened = (await opening) as Opened
    const end = async (): Promise<void> => {
      ended = true
      try {
        if (!gone) await call('close', null)
      } finally {
        await worker.terminate()
      }
    }
    return { opened, call, end }
  } catch (error) {
    ended = true
    await worker.terminate()
    throw error
  }
}
