/** Recorded stories, judged: what must be found is found, what is forbidden stays silent. The stories lie beside the project. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { readEvents } from '../collectors/file.ts'
import { fileHash } from '../commands/detect.ts'
import { fileRedactor } from '../commands/redact-file.ts'
import { loadCatalog } from '../detectors/catalog.ts'
import { prepareDetectors } from '../detectors/engine.ts'
import { createInline } from '../detectors/inline.ts'
import { type Alert, type Severity, severityRank } from '../schemas/alert.ts'

type Expected = Readonly<{
  fires?: readonly Readonly<{ from: number; to: number; min: Severity; why: string; issue: number }>[]
  quiet?: Severity
  atMost?: Readonly<{ severity: Severity; except: readonly string[]; why: string }>
}>

const folder = join(import.meta.dirname, '..', '..', 'shared', 'scenarios')
const delivered = 1

async function alertsOf(file: string): Promise<{ message: number; alert: Alert }[]> {
  const { detectors } = await loadCatalog()
  const inline = createInline({ prepared: prepareDetectors(detectors), onError: (id, error) => assert.fail(`${id}: ${String(error)}`) })
  const redact = fileRedactor(fileHash)
  const found: { message: number; alert: Alert }[] = []
  for await (const { message, event } of readEvents(file, { keyedHash: fileHash })) {
    for (const alert of inline.event(redact(event)).alerts) found.push({ message, alert })
  }
  return found
}

describe('stories', { skip: existsSync(folder) ? false : 'no folder shared/scenarios beside the project' }, () => {
  const expectations = existsSync(folder) ? (JSON.parse(readFileSync(join(folder, 'expect.json'), 'utf8')) as Record<string, Expected>) : {}
  for (const [story, expected] of Object.entries(expectations)) {
    if (!existsSync(join(folder, `${story}.jsonl`))) continue
    it(story, async () => {
      const found = await alertsOf(join(folder, `${story}.jsonl`))
      const told = found.map(({ message, alert }) => `${message} ${alert.severity} ${alert.detector}: ${alert.summary}`).join('\n')
      for (const { from, to, min, why, issue } of expected.fires ?? []) {
        const families = why.split(':')[0]?.split('/') ?? []
        const hit = found.some(
          ({ message, alert }) =>
            message >= from && message <= to && severityRank(alert.severity) >= severityRank(min) && alert.maps.family.some((family) => families.includes(family)),
        )
        if (issue === delivered) assert.ok(hit, `${why} between ${from} and ${to}\n${told}`)
      }
      for (const { alert } of found) {
        if (expected.quiet) assert.ok(severityRank(alert.severity) <= severityRank(expected.quiet), told)
        if (expected.atMost && !alert.maps.family.some((family) => expected.atMost?.except.includes(family))) {
          assert.ok(severityRank(alert.severity) <= severityRank(expected.atMost.severity), `${expected.atMost.why}\n${told}`)
        }
      }
    })
  }
})
