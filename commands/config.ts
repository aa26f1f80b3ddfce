/** Reads the configuration: flags > LAPWING_* > lapwing.yaml > defaults. The only reader of the environment. */
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { Command, Option } from 'commander'
import { parse } from 'yaml'
import { z } from 'zod'
import { Config } from '../schemas/config.ts'
import { Fault } from '../schemas/errors.ts'
import { print } from './print.ts'

type Schema = { type?: string; properties?: Record<string, Schema>; default?: unknown; description?: string; secret?: boolean }
type Leaf = Readonly<{ path: readonly string[]; schema: Schema }>
export type Origin = 'flag' | 'environment' | 'file' | 'default'
export type Configured = Readonly<{ config: Config; origins: ReadonlyMap<string, Origin>; file: string | undefined }>

const fileBytesMax = 1024 * 1024

/** Every setting that has one value; `detectors` is a map and is set in the file only. */
function leavesOf(schema: Schema, path: readonly string[] = []): Leaf[] {
  if (!schema.properties) return schema.type === 'object' ? [] : [{ path, schema }]
  return Object.entries(schema.properties).flatMap(([name, inner]) => leavesOf(inner, [...path, name]))
}
const leaves = (): Leaf[] => leavesOf(z.toJSONSchema(Config, { io: 'input' }) as Schema)

const words = (path: readonly string[]): string[] =>
  path.flatMap((part) =>
    part
      .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
      .toLowerCase()
      .split(' '),
  )
const flagOf = (path: readonly string[]): string => `--${words(path).join('-')}`
const variableOf = (path: readonly string[]): string => `LAPWING_${words(path).join('_').toUpperCase()}`
const optionOf = (path: readonly string[]): string =>
  words(path)
    .map((word, index) => (index === 0 ? word : word[0]?.toUpperCase() + word.slice(1)))
    .join('')

/** Adds one flag per setting and `--config FILE`. */
export function withConfigFlags(command: Command): Command {
  command.addOption(new Option('--config <file>', 'settings as YAML; default: ./lapwing.yaml'))
  for (const { path, schema } of leaves()) {
    const hint = schema.type === 'array' ? '<a,b>' : '<value>'
    const fallback = schema.default === undefined || schema.default === '' ? '' : ` (default: ${JSON.stringify(schema.default)})`
    command.addOption(new Option(`${flagOf(path)} ${hint}`, `${schema.description ?? path.join('.')}${fallback}`))
  }
  return command
}

/** Text of a flag or variable as the type that the setting has. */
function typed(text: string, { schema, path }: Leaf): unknown {
  if (schema.type === 'integer' || schema.type === 'number') {
    if (!/^-?\d+(\.\d+)?$/.test(text)) throw new Fault('CONFIG_INVALID', `${path.join('.')}: not a number: ${text.slice(0, 60)}`)
    return Number(text)
  }
  if (schema.type === 'boolean') {
    if (!/^(true|false|1|0|yes|no)$/i.test(text))
      throw new Fault('CONFIG_INVALID', `${path.join('.')}: not true or false: ${text.slice(0, 60)}`)
    return /^(true|1|yes)$/i.test(text)
  }
  return schema.type === 'array' ? text.split(',').filter((part) => part !== '') : text
}

function put(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [name, ...rest] = path as [string, ...string[]]
  if (rest.length === 0) target[name] = value
  else {
    target[name] ??= {}
    put(target[name] as Record<string, unknown>, rest, value)
  }
}
const take = (from: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>(
    (value, name) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined,
    from,
  )

function fromFile(file: string | undefined): Record<string, unknown> {
  if (!file) return {}
  try {
    const text = readFileSync(file, 'utf8')
    if (text.length > fileBytesMax) throw new Error('larger than 1 MiB')
    const value: unknown = parse(text, { maxAliasCount: 10 })
    if (value === null || value === undefined) return {}
    if (typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>
    throw new Error('not a mapping')
  } catch (error) {
    throw new Fault('CONFIG_INVALID', `${file}: ${error instanceof Error ? error.message : String(error)}`, error)
  }
}

/** A secret may lie in a file, as orchestrators hand them over: LAPWING_…_FILE names it. */
function secretFile({ path, schema }: Leaf, environment: NodeJS.ProcessEnv): string | undefined {
  const variable = `${variableOf(path)}_FILE`
  const file = schema.secret ? environment[variable] : undefined
  if (!file) return undefined
  try {
    const text = readFileSync(file, 'utf8').trim()
    if (text === '' || text.length > fileBytesMax) throw new Error('empty, or larger than 1 MiB')
    return text
  } catch (error) {
    throw new Fault('CONFIG_INVALID', `${variable}: ${error instanceof Error ? error.message : String(error)}`, error)
  }
}

/** `flags` are commander's options by their camel-case names. */
export function readConfig(flags: Readonly<Record<string, unknown>>, environment: NodeJS.ProcessEnv = process.env): Configured {
  const named = (flags.config as string | undefined) ?? environment.LAPWING_CONFIG
  const file = named ?? (existsSync('lapwing.yaml') ? 'lapwing.yaml' : undefined)
  const merged = fromFile(file)
  const origins = new Map<string, Origin>()
  for (const leaf of leaves()) {
    const { path } = leaf
    const flag = flags[optionOf(path)]
    const variable = environment[variableOf(path)] ?? secretFile(leaf, environment)
    const origin: Origin =
      flag !== undefined ? 'flag' : variable !== undefined ? 'environment' : take(merged, path) !== undefined ? 'file' : 'default'
    origins.set(path.join('.'), origin)
    if (flag !== undefined) put(merged, path, typed(String(flag), leaf))
    else if (variable !== undefined) put(merged, path, typed(variable, leaf))
  }
  const parsed = Config.safeParse(merged)
  if (!parsed.success)
    throw new Fault(
      'CONFIG_INVALID',
      parsed.error.issues.map(({ path, message }) => `${path.join('.') || file || 'configuration'}: ${message}`).join('; '),
    )
  const dataDir = resolve(parsed.data.dataDir || join(environment.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'lapwing'))
  return { config: { ...parsed.data, dataDir }, origins, file }
}

/** The environment for those that hand it on to a child process. */
export const environmentOf = (): NodeJS.ProcessEnv => process.env

export function configCommand(): Command {
  return withConfigFlags(new Command('config'))
    .description('Print the effective configuration with the source of each value; secrets are masked')
    .option('--json', 'one JSON object')
    .action(async (flags: Record<string, unknown>) => {
      const { config, origins, file } = readConfig(flags)
      const rows = leaves().map(({ path, schema }) => {
        const value = take(config, path)
        return {
          name: path.join('.'),
          value: schema.secret && value !== undefined ? '********' : value,
          source: origins.get(path.join('.')),
        }
      })
      if (flags.json) return print(JSON.stringify({ file, settings: rows, detectors: config.detectors }, null, 2))
      for (const { name, value, source } of rows) await print(`${name.padEnd(30)} ${JSON.stringify(value) ?? 'unset'}  (${source})`)
      for (const [id, settings] of Object.entries(config.detectors))
        await print(`${`detectors.${id}`.padEnd(30)} ${JSON.stringify(settings)}  (file)`)
      return undefined
    })
}
