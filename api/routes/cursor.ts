/** An opaque place in a list: the sort key of the last item shown. Pages neither repeat nor skip, whatever is added meanwhile. */
import { z } from 'zod'
import { endOfTime } from '../../schemas/query.ts'

const Place = z.tuple([z.string().regex(/^\d{1,19}$/), z.string().max(300)])
export type Place = Readonly<{ time: string; id: string }>

export const writeCursor = ({ time, id }: Place): string => Buffer.from(JSON.stringify([time, id])).toString('base64url')

function readPlace(text: string): Place | undefined {
  try {
    const [time, id] = Place.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')))
    return BigInt(time) < 2n ** 63n ? { time, id } : undefined
  } catch {
    return undefined // not ours: refused below, as any other bad parameter
  }
}

export const Cursor = z
  .string()
  .max(600)
  .transform((text, context) => {
    const place = readPlace(text)
    if (place === undefined) context.addIssue({ code: 'custom', message: 'not a cursor of this list' })
    return place ?? z.NEVER
  })
  .describe('next_cursor of the page before')

/** As parameters of a query: `before` of schemas/query.ts. */
export const beforeOf = (cursor: Place | undefined) => ({ before_time: cursor?.time ?? endOfTime, before_id: cursor?.id ?? '' })

/** One row more than asked for was read: it tells whether there is a next page. */
export function pageOf<T, I>(rows: readonly T[], limit: number, item: (row: T) => I, place: (row: T) => Place) {
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  return { items: items.map(item), ...(rows.length > limit && last !== undefined ? { next_cursor: writeCursor(place(last)) } : {}) }
}
