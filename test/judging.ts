/** Runs a story of a file through every detector and judges its alerts: what must be found is found, what is forbidden stays silent. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { readEvents } from '../collectors/file.ts'
import { fileHash } from '../commands/detect.ts'
import { fileRedactor } from '../commands/redact-file.ts'
import { loadCatalog } from '../detectors/catalog.ts'
import { prepareDetectors } from '../detectors/engine.ts'
import { createInline } from '../detectors/inline.ts'
import { type Alert, type Severity, severityRank } from '../schemas/alert.ts'

/** `why` begins with the families of which one must speak. `quiet`: nothing above this severity, of any family. */
export type Expected = Readonly<{
  fires?: readonly Readonly<{ from: number; to: number; min: Severity; why: string; issue?: number }>[]
  quiet?: Severity
  atMost?: Readonly<{ severity: Severity; except: readonly string[]; why: string }>
}>
type Told = Readonly<{ message: number; alert: Alert }>

type Prepared = ReturnType<typeof prepareDetectors>

/** Compiling every pattern takes seconds: once for all stories. Each story begins with empty memories. */
const prepareAll = async (): Promise<Prepared> => prepareDetectors((await loadCatalog()).detectors)

async function alertsOf(file: string, prepared: Prepared): Promise<Told[]> {
  const inline = createInline({ prepared, onError: (id, error) => assert.fail(`${id}: ${String(error)}`) })
  const redact = fileRedactor(fileHash)
  const found: Told[] = []
  for await (const { message, event } of readEvents(file, { keyedHash: fileHash })) {
    for (const alert of inline.event(redact(event)).alerts) found.push({ message, alert })
  }
  return found
}

export function judge(found: readonly Told[], expected: Expected, delivered: number): void {
  const told = found.map(({ message, alert }) => `${message} ${alert.severity} ${alert.detector}: ${alert.summary}`).join('\n')
  for (const { from, to, min, why, issue } of expected.fires ?? []) {
    const families = why.split(':')[0]?.split('/') ?? []
    const hit = found.some(
      ({ message, alert }) =>
        message >= from &&
        message <= to &&
        severityRank(alert.severity) >= severityRank(min) &&
        alert.maps.family.some((family) => families.includes(family)),
    )
    if ((issue ?? delivered) === delivered) assert.ok(hit, `${why} between ${from} and ${to}\n${told}`)
  }
  for (const { alert } of found) {
    if (expected.quiet) assert.ok(severityRank(alert.severity) <= severityRank(expected.quiet), told)
    if (expected.atMost && !alert.maps.family.some((family) => expected.atMost?.except.includes(family))) {
      assert.ok(severityRank(alert.severity) <= severityRank(expected.atMost.severity), `${expected.atMost.why}\n${told}`)
    }
  }
}

/** One test per story of the folder that `expect.json` speaks of. */
export function judgeStories(folder: string, delivered = 1): void {
  const expectations = JSON.parse(readFileSync(join(folder, 'expect.json'), 'utf8')) as Record<string, Expected>
  const prepared = prepareAll()
  for (const [story, expected] of Object.entries(expectations)) {
    const file = join(folder, `${story}.jsonl`)
    if (!existsSync(file)) continue
    it(story, async () => judge(await alertsOf(file, await prepared), expected, delivered))
  }
}
