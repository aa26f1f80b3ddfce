/** Names of settings in everything an operator copies from: each is one that the product reads. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { read, under, variables } from './files.ts'

/** Read by docker-compose.yml itself, from .env. */
const compose = new Set(['LAPWING_UID', 'LAPWING_GID', 'LAPWING_BIND'])

test('every LAPWING_ name in deployment files and their documentation is a setting', () => {
  const files = ['docker-compose.yml', 'Dockerfile', 'docs/cluster.md', ...under('deploy', /\.(yaml|env|mjs|sql|xml)$/)]
  for (const file of files)
    for (const [name] of read(file).matchAll(/\bLAPWING_[A-Z0-9_]+/g))
      assert.ok(variables.has(name) || compose.has(name), `${file}: ${name}`)
})

test('what the documentation names exists', () => {
  const text = read('docs/cluster.md')
  for (const [, file] of text.matchAll(/`((?:deploy|docs)\/[\w./-]+)`/g)) assert.doesNotThrow(() => read(file ?? ''), `${file}`)
  for (const [, folder] of text.matchAll(/-k (deploy\/[\w./-]+)/g))
    assert.doesNotThrow(() => read(`${folder}/kustomization.yaml`), `${folder}`)
})

test('no file names a registry or holds a token', () => {
  for (const file of ['docker-compose.yml', 'Dockerfile', ...under('deploy', /\.(yaml|env|mjs|sql|xml|json)$/)]) {
    assert.doesNotMatch(read(file), /\b(docker\.io|ghcr\.io|quay\.io|gcr\.io|registry\.\w+)\b/, file)
    assert.doesNotMatch(read(file), /\b[0-9a-f]{32,}\b/, file)
  }
})
