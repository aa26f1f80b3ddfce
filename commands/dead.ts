/** `lapwing dead list|show|replay`: what no stage could take, why, what it was, and the way back once the cause is gone. */
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { z } from 'zod'
import { originalOf } from '../collectors/bus/dead-letters.ts'
import { openKeys } from '../collectors/keys.ts'
import type { Rec } from '../schemas/bus.ts'
import type { Config } from '../schemas/config.ts'
import { Fault } from '../schemas/errors.ts'
import { type Api, type ApiFlags, apiOf, askApi } from './api-client.ts'
import { readConfig } from './config.ts'
import { print } from './print.ts'
import { hexLines, safeJson, safeText } from './terminal-text.ts'

type Where = ApiFlags & Readonly<{ config?: string; dataDir?: string; json?: boolean }>
type Filters = Readonly<{ topic?: string; reason?: string; since?: string; limit: number }>

const pageMax = 1_000
const replayMax = 50
const shownBytesMax = 4_096
/** Waits for room on a full bus, a few times, before the rest is left. */
const roomTriesMax = 5
const roomMs = 2_000

const Letter = z.object({
  id: z.string(),
  topic: z.string(),
  partition: z.number(),
  offset: z.string(),
  reason: z.string(),
  detail: z.string(),
  at: z.string(),
})
const Listed = Letter.extend({ size: z.number() })
const Page = z.object({ items: z.array(Listed), next_cursor: z.string().optional() })
const Sealed = Letter.extend({ sealed: z.string() })
const Replayed = z.object({ id: z.string(), outcome: z.string(), detail: z.string().optional(), bytes: z.number().optional() })
type Replayed = z.infer<typeof Replayed>
const Answer = z.object({ items: z.array(Replayed) })

export function deadCommand(): Command {
  const list = filtered(where(new Command('list').description('List dead letters, newest first')), 100).action(showList)
  const show = where(new Command('show').description('Open one dead letter with the key of the data directory, and print the original'))
    .argument('<id>', 'as list prints it')
    .option('--raw', 'write the bytes of the record to stdout, and nothing else')
    .action(showLetter)
  const replay = filtered(where(new Command('replay').description('Put original records back on their topics')), 10_000)
    .argument('[id...]', 'as list prints them; without ids, those that the filters name')
    .option('--dry-run', 'open the letters, publish nothing')
    .action(replayLetters)
  return new Command('dead')
    .description('What no stage could take: list it, look at it, put it back')
    .addCommand(list)
    .addCommand(show)
    .addCommand(replay)
}

const where = (command: Command): Command =>
  command
    .option('--api <url>', 'the API of the running product; default: api.host and api.port of the configuration')
    .option('--token <token>', 'its token; default: LAPWING_API_TOKEN, or the one in the data directory')
    .option('--config <file>', 'settings as YAML; default: ./lapwing.yaml')
    .option('--data-dir <dir>', 'where token and keys are')
    .option('--json', 'one JSON object a line')

const filtered = (command: Command, usual: number): Command =>
  command
    .option('--topic <topic>', 'of this topic')
    .option('--reason <reason>', 'refused for this reason')
    .option('--since <time>', 'since this time, RFC 3339')
    .option('--limit <n>', 'at most so many', countOf, usual)

function countOf(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('A number from 1 to 999999.')
  return Number(text)
}

function open({ config: file, dataDir, ...flags }: Where): { api: Api; config: Config } {
  const { config } = readConfig({ ...(file === undefined ? {} : { config: file }), ...(dataDir === undefined ? {} : { dataDir }) })
  return { api: apiOf(config, flags), config }
}

/** What the API says is checked like anything from outside. */
async function ask<T>(api: Api, answer: z.ZodType<T>, path: string, body?: unknown): Promise<T> {
  const parsed = answer.safeParse(await askApi(api, path, body))
  if (!parsed.success) throw new Fault('OUTPUT_REFUSED', `what answers at ${api.url} is no Lapwing of this version`, parsed.error)
  return parsed.data
}

async function* letters(api: Api, { topic, reason, since, limit }: Filters): AsyncGenerator<z.infer<typeof Listed>> {
  let left = limit
  let cursor: string | undefined
  do {
    const query = new URLSearchParams({ limit: String(Math.min(left, pageMax)) })
    for (const [name, value] of Object.entries({ topic, reason, since, cursor })) if (value !== undefined) query.set(name, value)
    const page = await ask(api, Page, `/v1/dead-letters?${query}`)
    yield* page.items
    left -= page.items.length
    cursor = page.items.length > 0 ? page.next_cursor : undefined
  } while (cursor !== undefined && left > 0)
}

async function showList({ json, topic, reason, since, limit, ...flags }: Where & Filters): Promise<void> {
  const { api } = open(flags)
  const filters = { limit, ...(topic ? { topic } : {}), ...(reason ? { reason } : {}), ...(since ? { since } : {}) }
  let count = 0
  for await (const letter of letters(api, filters)) {
    count += 1
    if (json) {
      await print(safeJson(letter))
      continue
    }
    const { id, at, size, reason: why, detail } = letter
    await print(safeText(`${id.padEnd(24)}  ${at.slice(0, 19)}Z  ${String(size).padStart(9)} bytes  ${why.padEnd(16)}  ${detail}`))
  }
  if (count === 0 && !json) process.stderr.write('lapwing: no dead letters\n')
}

/** Only where the key is: one that is made now opens nothing. */
function openSealed({ dataDir, keysDir }: Config, sealed: string): Uint8Array {
  const key = join(keysDir || join(dataDir, 'keys'), 'sealing.key')
  if (!existsSync(key)) throw new Fault('CONFIG_INVALID', `no key at ${key}: a letter opens only where the product’s keys are (--data-dir)`)
  return openKeys(dataDir, keysDir).open(sealed)
}

async function showLetter(id: string, { raw, json, ...flags }: Where & Readonly<{ raw?: boolean }>): Promise<void> {
  const { api, config } = open(flags)
  const { sealed, ...letter } = await ask(api, Sealed, `/v1/dead-letters/${encodeURIComponent(id)}`)
  const opened = openSealed(config, sealed)
  const original = originalOf(opened)
  const bytes = original?.bytes ?? opened
  if (raw) {
    if (!process.stdout.write(bytes)) await once(process.stdout, 'drain')
    return
  }
  const value = jsonOf(bytes)
  if (json) {
    const content = value === undefined ? { base64: Buffer.from(bytes).toString('base64') } : { record: value }
    return print(safeJson({ ...letter, damaged: original === undefined, key: original?.key, headers: original?.headers ?? {}, ...content }))
  }
  for (const line of described(letter, original, bytes)) await print(line)
  await print(value === undefined ? hexLines(bytes, shownBytesMax).join('\n') : safeJson(value, 2))
}

function described(letter: z.infer<typeof Letter>, original: Rec | undefined, bytes: Uint8Array): string[] {
  const { topic, partition, offset, reason, detail, at } = letter
  const rows: [string, string][] = [
    ['from', `${topic}, partition ${partition}, offset ${offset}`],
    ['buried', at],
    ['reason', reason],
    ['detail', detail],
    ...(original ? ([['key', original.key]] as [string, string][]) : []),
    ...Object.entries(original?.headers ?? {}).map(([name, value]): [string, string] => ['header', `${name}: ${value}`]),
    [original ? 'record' : 'damaged', `${bytes.byteLength} bytes`],
  ]
  return rows.map(([name, value]) => safeText(`${name.padEnd(8)} ${value}`))
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    JSON.stringify(value) // what nests so deep that it cannot be written is shown as bytes, like what is no JSON
    return value
  } catch {
    return undefined
  }
}

async function replayLetters(ids: string[], options: Where & Filters & Readonly<{ dryRun?: boolean }>): Promise<void> {
  const { json, dryRun = false, topic, reason, since, limit, ...flags } = options
  const { api } = open(flags)
  const filters = { limit, ...(topic ? { topic } : {}), ...(reason ? { reason } : {}), ...(since ? { since } : {}) }
  const filtering = topic !== undefined || reason !== undefined || since !== undefined
  if (ids.length > 0 === filtering) throw new Fault('CONFIG_INVALID', 'name letters by their ids, or by --reason, --topic or --since')
  const wanted = [...new Set(ids)]
  if (filtering) for await (const { id } of letters(api, filters)) wanted.unshift(id) // the oldest first
  const counts = new Map<string, number>()
  for (let from = 0; from < wanted.length; from += replayMax) {
    for (const item of await put(api, wanted.slice(from, from + replayMax), dryRun)) {
      counts.set(item.outcome, (counts.get(item.outcome) ?? 0) + 1)
      const note = item.detail ?? (item.bytes === undefined ? '' : `${item.bytes} bytes`)
      await print(json ? safeJson(item) : safeText(`${item.id.padEnd(24)}  ${item.outcome.replaceAll('_', ' ').padEnd(12)}  ${note}`))
    }
  }
  const done = counts.get(dryRun ? 'would_replay' : 'replayed') ?? 0
  const sum = [...counts].map(([outcome, count]) => `${count} ${outcome.replaceAll('_', ' ')}`).join(', ')
  if (!json) await print(sum || 'no dead letters')
  if (done < wanted.length) process.exitCode = 1
}

/** A full bus takes more in a while; what it does not take then is said. */
async function put(api: Api, ids: readonly string[], dryRun: boolean): Promise<Replayed[]> {
  const done: Replayed[] = []
  let waiting: readonly string[] = ids
  for (let tries = 1; ; tries += 1) {
    const { items } = await ask(api, Answer, '/v1/dead-letters/replay', { ids: waiting, dry_run: dryRun })
    const later = items.filter(({ outcome }) => outcome === 'later')
    done.push(...items.filter(({ outcome }) => outcome !== 'later'))
    if (later.length === 0 || tries === roomTriesMax) return [...done, ...later]
    waiting = later.map(({ id }) => id)
    await new Promise((resolve) => setTimeout(resolve, roomMs))
  }
}
