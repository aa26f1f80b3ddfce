/** A bounded queue in front of the engine's sessions. */
import { Refusal } from './engine-request.ts'

/** Lets `max` in at once and `waitingMax` wait; more are refused. */
export function createSlots(max: number, waitingMax: number) {
  let free = max
  const waiting: (() => void)[] = []
  return {
    async take(signal: AbortSignal): Promise<() => void> {
      if (free > 0) free -= 1
      else {
        if (waiting.length >= waitingMax) throw new Refusal(503, 202, 'TOO_MANY_SIMULTANEOUS_QUERIES', 'Too many queries are waiting')
        await new Promise<void>((admit, refuse) => {
          const enter = () => {
            signal.removeEventListener('abort', leave)
            admit()
          }
          const leave = () => {
            waiting.splice(waiting.indexOf(enter), 1)
            refuse(new Refusal(499, 394, 'QUERY_WAS_CANCELLED', 'The client left'))
          }
          waiting.push(enter)
          signal.addEventListener('abort', leave, { once: true })
        })
      }
      return () => {
        const next = waiting.shift()
        if (next === undefined) free += 1
        else next()
      }
    },
  }
}
