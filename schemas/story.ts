/** A story: MCP messages as JSON lines (file input kind `messages`), and small builders to write one readably. */
import type { Json } from './event.ts'

/** `t` seconds after 2026-01-01T00:00:00Z; `srv` server alias, `alias@host` names the host; `ev` a host event. */
export type StoryLine = Readonly<
  { t?: number; srv?: string; dir?: 'c2s' | 's2c'; msg?: Json; raw?: string; ev?: string } & Record<string, unknown>
>

/** Stands where `story` writes the number of the exchange. */
const AUTO = 'auto'

/** One request and its answer: two lines. */
export function exchange(srv: string, method: string, params: Json, result: Json, extra: object = {}): StoryLine[] {
  return [
    { srv, dir: 'c2s', msg: { jsonrpc: '2.0', id: AUTO, method, params }, ...extra },
    { srv, dir: 's2c', msg: { jsonrpc: '2.0', id: AUTO, result }, ...extra },
  ]
}
export type ToolSketch = Readonly<{ name: string; description?: string } & Record<string, Json | undefined>>

/** tools/list and its answer: two lines. A tool without a schema gets an empty one. */
export const offers = (srv: string, tools: readonly ToolSketch[], extra: object = {}): StoryLine[] =>
  exchange(
    srv,
    'tools/list',
    {},
    { tools: tools.map((tool) => JSON.parse(JSON.stringify({ inputSchema: { type: 'object', properties: {} }, ...tool })) as Json) },
    extra,
  )

/** tools/call and its answer: two lines. A string answer becomes one text block. */
export const calls = (srv: string, tool: string, args: Json, answer: Json = 'ok', extra: object = {}): StoryLine[] =>
  exchange(
    srv,
    'tools/call',
    { name: tool, arguments: args },
    typeof answer === 'string' ? { content: [{ type: 'text', text: answer }] } : answer,
    extra,
  )

/** A line with `ev`: something the host saw that is not an MCP message. */
export const host = (ev: string, fields: object = {}): StoryLine => ({ ev, ...fields })

/** Puts lines in order, one second apart where they carry no time, and numbers the exchanges. */
export function story(...parts: readonly (StoryLine | readonly StoryLine[])[]): StoryLine[] {
  let clock = 0
  let exchanges = 0
  return (parts.flat() as StoryLine[]).map((line) => {
    const t = line.t ?? clock
    clock = t + 1
    const msg = line.msg as { id?: Json } | undefined
    if (msg?.id !== AUTO) return { ...line, t }
    if (line.dir === 'c2s') exchanges += 1
    return { ...line, t, msg: { ...msg, id: exchanges } }
  })
}
