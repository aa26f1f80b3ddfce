/** What the routes are built from, handed in by api/server.ts. */
import type { FastifyBaseLogger, FastifyInstance, RawReplyDefaultExpression, RawRequestDefaultExpression, RawServerDefault } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { AnyDetector } from '../../schemas/detector.ts'
import type { AnyQuery } from '../../schemas/query.ts'
import type { Auth } from '../auth.ts'
import type { Outbox } from '../outputs/outbox.ts'
import type { Store, Tenancy } from '../tenant.ts'

/** A screen as data: what a panel shows is a named query. */
export type DashboardData = Readonly<{
  id: string
  title: string
  panels: readonly Readonly<{ id: string; title: string; query: string }>[]
}>
/** Puts a sealed record back on its topic; throws a Fault that says why it cannot. */
export type Desk = Readonly<{
  replay: (letter: Readonly<{ id: string; topic: string; sealed: string }>, dryRun: boolean) => Promise<Readonly<{ bytes: number }>>
}>
export type Context = Readonly<{
  store: Store
  tenancy: Tenancy
  auth: Auth
  detectors: readonly AnyDetector[]
  queries: ReadonlyMap<string, AnyQuery>
  dashboards: readonly DashboardData[]
  outbox?: Pick<Outbox, 'status' | 'dead' | 'replay'> | undefined
  /** The way back for dead letters, where the process holds the bus and the key. */
  desk?: Desk | undefined
  health: () => unknown
  metrics: () => string
}>
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>

/** Every list answers like this; without `next_cursor` it is the end. */
export const page = <T extends z.ZodType>(item: T) => z.object({ items: z.array(item), next_cursor: z.string().optional() })
