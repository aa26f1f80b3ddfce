/**
 * `npm run bench [-- [--quick] [part …]]`: every figure as a ratio taken in one run, with its aim, met or not. Exits 0 unless it could not run.
 * The parts `kafka` and `cluster` need a broker, and run only where they are named, as `npm run bench:kafka` does.
 */
import { clusterPart } from './cluster.ts'
import { contentPart } from './content.ts'
import { kafkaPart } from './kafka.ts'
import { type Aim, type Figure, met, type Part, type Run } from './measure.ts'
import { pipelinePart } from './pipeline.ts'
import { stagesPart } from './stages.ts'
import { storePart } from './store.ts'
import { tapsPart } from './taps.ts'

const parts: readonly Part[] = [stagesPart, contentPart, storePart, tapsPart, pipelinePart]
const namedOnly: readonly Part[] = [kafkaPart, clusterPart]
const known = [...parts, ...namedOnly]

const digits = (value: number): string => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2))
const aimOf = (aim: Aim): string => ('atMost' in aim ? `≤ ${aim.atMost}` : `≥ ${aim.atLeast}`)

function line({ name, value, unit, aim, note }: Figure): string {
  const shown = value === undefined ? 'not measured' : `${digits(value)} ${unit}`
  const judged = aim === undefined ? '' : `${aimOf(aim)} ${value === undefined ? '' : met(value, aim) ? 'met' : 'MISSED'}`
  return `| ${name.padEnd(40)} | ${shown.padEnd(40)} | ${judged.padEnd(14)} | ${value === undefined || !note?.startsWith('needs') ? (note ?? '') : ''} |`
}

const asked = process.argv.slice(2)
const quick = asked.includes('--quick')
const names = asked.filter((name) => name !== '--quick')
const unknown = names.filter((name) => !known.some((part) => part.name === name))
if (unknown.length > 0) {
  process.stderr.write(`no such part: ${unknown.join(', ')}; parts are ${known.map(({ name }) => name).join(', ')}\n`)
  process.exit(2)
}
const run: Run = { quick, say: (text) => void process.stderr.write(`  ${text}\n`) }
process.stdout.write(`| figure | measured | aim | |\n| --- | --- | --- | --- |\n`)
for (const part of names.length > 0 ? known.filter(({ name }) => names.includes(name)) : parts) {
  process.stderr.write(`${part.name}: ${part.about}\n`)
  for (const figure of await part.run(run)) process.stdout.write(`${line(figure)}\n`)
}
