/** Who is asking, and the tenant every query is bound to. The only place: a route can neither choose nor forget it. */
import { type ClickHouseClient, ClickHouseError } from '@clickhouse/client'
import type { FastifyRequest } from 'fastify'
import type { ZodRawShape, z } from 'zod'
import { Fault } from '../schemas/errors.ts'
import type { Query } from '../schemas/query.ts'

export type Store = Readonly<{ client: ClickHouseClient }>
type Params<P extends ZodRawShape> = z.output<Query<P, ZodRawShape>['params']>
type Row<R extends ZodRawShape> = z.output<Query<ZodRawShape, R>['row']>
export type Ask = <P extends ZodRawShape, R extends ZodRawShape>(query: Query<P, R>, params: Params<P>) => Promise<Row<R>[]>
export type Tenancy = Readonly<{
  ask(request: FastifyRequest): Ask
  /** Writes what this person did, under their tenant. */
  record(request: FastifyRequest, triage: Triage): Promise<void>
}>
export type Triage = Readonly<{ alert_id: string; id: string; time: string; who: string; what: string; detail: string }>

/** A query that runs longer is stopped by the store (159) or killed by its keeper (394), so that a hunter cannot starve the rest. */
const stopped = new Set(['159', '394'])
/** Too many queries at once, no memory for now: it passes. */
const busy = new Set(['202', '241', '242'])
const tooLarge = new Set(['158', '307', '396'])
const timesAsText = { date_time_input_format: 'best_effort' as const }
const answerBytesMax = 64 * 1024 * 1024

function tenantOf(request: FastifyRequest): string {
  if (request.identity === undefined) throw new Error('query without identity') // the guard was not passed: a bug, not a caller
  return request.identity.tenant
}

function faultOf(query: string, error: unknown): Error {
  if (!(error instanceof ClickHouseError)) return new Fault('STORE_UNREACHABLE', query, error)
  const refuse = (statusCode: number, message: string) => Object.assign(new Error(message, { cause: error }), { statusCode })
  if (busy.has(error.code)) return new Fault('STORE_UNREACHABLE', query, error)
  if (stopped.has(error.code)) return refuse(408, 'the question took too long; ask for a shorter time')
  if (tooLarge.has(error.code)) return refuse(413, 'the answer is too large; ask for less')
  return new Fault('STORE_REFUSED', query, error)
}

export function createTenancy({ client }: Store, secondsMax: number): Tenancy {
  const settings = {
    max_execution_time: secondsMax,
    max_result_bytes: String(answerBytesMax),
    date_time_output_format: 'iso' as const,
    output_format_json_quote_64bit_integers: 0 as const,
  }
  return {
    async record(request, triage) {
      const values = [{ ...triage, tenant: tenantOf(request) }]
      const inserted = client.insert({ table: 'alert_events', values, format: 'JSONEachRow', clickhouse_settings: timesAsText })
      await inserted.catch((error: unknown) => Promise.reject(faultOf('alert_events', error)))
    },
    ask: (request) => {
      const tenant = tenantOf(request)
      return async (query, params) => {
        const rows = await client
          .query({ query: query.sql, query_params: { ...params, tenant }, format: 'JSONEachRow', clickhouse_settings: settings })
          .then((answer) => answer.json<unknown>())
          .catch((error: unknown) => Promise.reject(faultOf(query.name, error)))
        return rows.map((row) => query.row.parse(row)) as never // the row schema made them
      }
    },
  }
}
