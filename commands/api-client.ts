/** Asks the API of a running Lapwing: found by the configuration, or named; with the token of its data directory, or a given one. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../schemas/config.ts'
import { Fault } from '../schemas/errors.ts'
import { safeText } from './terminal-text.ts'

export type ApiFlags = Readonly<{ api?: string; token?: string }>
export type Api = Readonly<{ url: string; token: string }>

const answerMsMax = 120_000
/** A letter of the largest record, in base64. */
const answerBytesMax = 96 * 1024 * 1024

/** Where to listen is not always where to ask: every address means this machine. */
function urlOf({ api: { host, port } }: Config): string {
  if (port === 0) throw new Fault('CONFIG_INVALID', 'api.port is 0, so nobody knows the port: name the API with --api URL')
  const name = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}

function givenUrl(text: string): string {
  const url = URL.parse(text)
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') throw new Fault('CONFIG_INVALID', `--api: not an http(s) URL: ${text}`)
  return url.origin
}

function tokenIn(dataDir: string): string {
  const path = join(dataDir, 'api-token')
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    throw new Fault('CONFIG_INVALID', `no API token at ${path}: name the product’s --data-dir, or give --token`, error)
  }
}

export function apiOf(config: Config, { api, token }: ApiFlags): Api {
  const url = api === undefined ? urlOf(config) : givenUrl(api)
  return { url, token: token ?? config.api.token ?? tokenIn(config.dataDir) }
}

/** The answer as JSON. Every failure says what to do. */
export async function askApi({ url, token }: Api, path: string, body?: unknown): Promise<unknown> {
  let response: Response
  try {
    response = await fetch(`${url}${path}`, {
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      redirect: 'error',
      signal: AbortSignal.timeout(answerMsMax),
    })
  } catch (error) {
    throw new Fault('OUTPUT_UNREACHABLE', `no Lapwing answers at ${url}: start it (lapwing start), or name another with --api URL`, error)
  }
  const text = await textOf(response, url)
  if (response.ok) return parsed(text, url)
  if (response.status === 401)
    throw new Fault('OUTPUT_REFUSED', `${url} refuses the token: give --token, or the --data-dir it was started on`)
  throw new Fault('OUTPUT_REFUSED', `${url} answers ${response.status}: ${safeText(problemIn(text))}`)
}

async function textOf(response: Response, url: string): Promise<string> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of response.body ?? []) {
    bytes += part.length
    if (bytes > answerBytesMax) throw new Fault('INPUT_TOO_LARGE', `${url} answers more than ${answerBytesMax} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function parsed(text: string, url: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Fault('OUTPUT_REFUSED', `what answers at ${url} is no Lapwing`, error)
  }
}

function problemIn(text: string): string {
  try {
    const { detail, title, errors } = JSON.parse(text) as {
      detail?: unknown
      title?: unknown
      errors?: { pointer: string; detail: string }[]
    }
    const where = (errors ?? []).map((error) => `${error.pointer} ${error.detail}`).join('; ')
    return [String(detail ?? title), where].filter(Boolean).join(': ').slice(0, 500)
  } catch {
    return text.slice(0, 200)
  }
}
