/** What a named query is: one question to the store, one file in api/queries/. Every SQL names its tenant: api/tenant.ts fills it. */
import { type ZodObject, type ZodRawShape, type ZodType, z } from 'zod'

/**
 * 1. `sql` is fixed text: what comes from outside reaches it only as a `{name:Type}` parameter.
 * 2. `sql` reads `{tenant:String}`; `params` never has a `tenant`.
 * 3. An absent filter is a neutral value ('' or an empty list), so that one text serves all.
 */
export type Query<P extends ZodRawShape, R extends ZodRawShape> = Readonly<{
  name: string
  about: string
  params: ZodObject<P>
  row: ZodObject<R>
  sql: string
}>
export type AnyQuery = Query<ZodRawShape, ZodRawShape>
type Untenanted = { tenant?: never }

/** Checks the shape at compile time and infers parameters and rows. */
export const defineQuery = <P extends ZodRawShape & Untenanted, R extends ZodRawShape>(query: Query<P, R>): Query<P, R> => query

/** RFC 3339 → ns since the epoch; digits past the ninth are dropped. */
export function nanosecondsOf(text: string): bigint {
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? ''
  const seconds = Math.floor(Date.parse(text.replace(/\.\d+/, '')) / 1_000)
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'))
}

/** RFC 3339 with a zone, as `{…:Int64}` ns for the SQL. */
const instant = z.iso
  .datetime({ offset: true })
  .max(40)
  .refine((text) => text >= '1970-01-02' && text < '2200', 'between 1970 and 2200')
const asNanoseconds = (text: string): string => String(nanosecondsOf(text))

/** From this time on. */
export const since = instant.default('1970-01-02T00:00:00Z').transform(asNanoseconds)
/** Before this time. */
export const until = instant.default('2199-12-31T00:00:00Z').transform(asNanoseconds)

/** Rows asked for: never unbounded. */
export const limit = (usual: number, most: number) => z.coerce.number().int().min(1).max(most).default(usual)

/** Seconds of one interval of a series. */
export const step = z.coerce.number().int().min(1).max(31_536_000).default(3_600)

/** A filter from a URL: short, and only ever a query parameter. Absent, it is ''. */
export const filter = z.string().max(300).default('')

/** ns, later than any event. */
export const endOfTime = '7000000000000000000'

/** The place in a list, newest first, after which a page begins: time in ns and id of the last row shown. Absent, it is the start. */
export const before = {
  before_time: z
    .string()
    .regex(/^\d{1,19}$/)
    .default(endOfTime),
  before_id: filter,
}

/** `a,b,c` in a URL; absent, it is empty. */
export const filters = z
  .string()
  .max(2_000)
  .default('')
  .transform((text) => text.split(',').filter((part) => part !== ''))

/** JSON text of a column that we wrote. */
export const json = <T>(of: ZodType<T>) => z.string().transform((text): T => of.parse(JSON.parse(text === '' ? '{}' : text)))
