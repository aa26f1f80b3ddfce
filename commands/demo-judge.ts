/** Judges the demo through the API, as a user would see it: every expected alert, no alarm on benign work, nothing lost. */
import type { DemoStory } from '../demo/stories.ts'
import { type Severity, severityRank } from '../schemas/alert.ts'
import type { Pipeline } from './pipeline.ts'
import type { Serve } from './roles/serve.ts'

export type SeenAlert = Readonly<{ severity: Severity; detector: string; summary: string; actor: string; maps: { family: string[] } }>
export type Judgement = Readonly<{
  expected: readonly Readonly<{ story: string; families: readonly string[]; min: Severity; found: SeenAlert | undefined }>[]
  benign: readonly SeenAlert[]
  problems: readonly string[]
}>
type SeenEvent = Readonly<Record<string, unknown>>

/** All pages of a list. */
async function all<T>({ url: api, token }: Serve, path: string): Promise<T[]> {
  const items: T[] = []
  let cursor: string | undefined
  do {
    const url = new URL(path, api)
    url.searchParams.set('limit', '200')
    if (cursor) url.searchParams.set('cursor', cursor)
    const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } })
    if (!response.ok) throw new Error(`GET ${path}: ${response.status}`)
    const page = (await response.json()) as { items: T[]; next_cursor?: string }
    items.push(...page.items)
    cursor = page.next_cursor
  } while (cursor)
  return items
}

export async function judge(
  serve: Serve,
  failedDetectors: Pipeline['failedDetectors'],
  made: ReadonlyMap<DemoStory, ReadonlyMap<string, number>>,
  actorOf: (story: DemoStory) => string,
): Promise<Judgement> {
  const alerts = await all<SeenAlert>(serve, '/v1/alerts')
  const problems = failedDetectors.map(({ id, reason }) => `detector ${id} did not load: ${reason}`)
  const expected: Judgement['expected'][number][] = []
  const benign: SeenAlert[] = []
  for (const [story, calls] of made) {
    const mine = alerts.filter(({ actor }) => actor === actorOf(story))
    for (const { families, min } of story.expects) {
      const found = mine.find(
        ({ severity, maps }) => severityRank(severity) >= severityRank(min) && maps.family.some((family) => families.includes(family)),
      )
      expected.push({ story: story.id, families, min, found })
      if (!found) problems.push(`${story.id}: no alert of ${families.join('/')} at ${min} or above`)
    }
    if (story.expects.length === 0) benign.push(...mine)
    problems.push(
      ...missing(story, calls, await all<SeenEvent>(serve, `/v1/events?actor=${encodeURIComponent(actorOf(story))}&method=tools/call`)),
    )
  }
  for (const { severity, actor, detector } of benign) {
    if (severity !== 'informational') problems.push(`benign ${actor} has an alert: ${severity} ${detector}`)
  }
  return { expected, benign, problems }
}

/** Every call that was made is stored with its answer, once. */
function missing(story: DemoStory, calls: ReadonlyMap<string, number>, events: readonly SeenEvent[]): string[] {
  return [...calls].flatMap(([tool, count]) =>
    ['request', 'response'].flatMap((kind) => {
      const stored = events.filter((event) => event['gen_ai.tool.name'] === tool && event['lapwing.event.kind'] === kind).length
      return stored === count ? [] : [`${story.id}: ${count} ${kind}s of ${tool} were made, ${stored} are stored`]
    }),
  )
}
