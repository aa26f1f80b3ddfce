/** Style and architecture as tests: what ARCHITECTURE.md says of imports, sizes and folders holds. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { it } from 'node:test'

const root = join(import.meta.dirname, '..')
const sources = globSync('{main.ts,{schemas,collectors,detectors,api,dashboards,commands,demo}/**/*.{ts,tsx}}', { cwd: root }).filter(
  (file) => !file.startsWith('dashboards/dist'),
)
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const statement = /^(?:(?:import|export)\b[^'\n]*\bfrom|\} from|import) '([^']+)'/gm
const importsOf = (file: string) => [...read(file).matchAll(statement)].map((match) => match[1] as string)
const stages = new Set(['collectors', 'detectors', 'api', 'dashboards'])
const stageOf = (file: string) => file.split('/')[0] as string

it('reads sources', () => assert.ok(sources.length > 20))

it('a stage imports itself and schemas/ only; main.ts and commands/ put stages together', () => {
  for (const file of sources) {
    const stage = stageOf(file)
    for (const target of importsOf(file)) {
      if (!target.startsWith('.')) continue
      const other = stageOf(relative(root, join(root, dirname(file), target)))
      if (stages.has(stage)) assert.ok(other === stage || other === 'schemas', `${file} imports ${target}`)
      if (stage === 'schemas') assert.equal(other, 'schemas', `${file} imports ${target}`)
    }
  }
})

it('schemas/ does no I/O', () => {
  const allowed = new Set(['zod', 'node:crypto', 'node:zlib'])
  for (const file of sources.filter((name) => stageOf(name) === 'schemas')) {
    for (const target of importsOf(file)) assert.ok(target.startsWith('.') || allowed.has(target), `${file} imports ${target}`)
  }
})

it('one file imports what only one may know', () => {
  const owners: [string, RegExp][] = [
    ['chdb', /^api\/store\//],
    ['kafkajs', /^collectors\/bus\//],
    ['@clickhouse/client', /^(api\/store|api)\//],
    ['node:sqlite', /^(collectors\/bus|api\/outputs)\//],
  ]
  for (const file of sources) {
    for (const target of importsOf(file)) {
      for (const [name, owner] of owners) if (target === name) assert.match(file, owner, `${file} imports ${target}`)
    }
  }
})

it('process.env is read in one place', () => {
  for (const file of sources) if (file !== 'commands/config.ts') assert.ok(!read(file).includes('process.env'), file)
})

it('files stay under 300 lines and begin with what they are for', () => {
  for (const file of sources) {
    const text = read(file)
    assert.ok(text.split('\n').length <= 301, `${file} has ${text.split('\n').length} lines`)
    assert.match(text, /^(#!.*\n)?\/\*\*/, `${file} does not begin with /** … */`)
  }
})

it('has no junk drawers', () => {
  for (const file of sources) assert.doesNotMatch(file, /(^|\/)(lib|utils?|helpers?|common|misc|services?|managers?)(\/|\.|-)/, file)
})

it('rules know neither bus nor store nor time of day', () => {
  for (const file of sources.filter((name) => name.startsWith('detectors/rules/'))) {
    assert.doesNotMatch(read(file), /Date\.now|Math\.random|new Date\(\)|performance\.now|node:fs|node:net/, file)
  }
})
