/** A second opinion: what secretlint’s recommended rules find, our own find too. It is too slow to run on every event. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lintSource } from '@secretlint/core'
import { creator } from '@secretlint/secretlint-rule-preset-recommend'
import { createSecretFinder } from '../../collectors/redact/find-secrets.ts'

const random = 'q7RtZ2mK9xLw4VbN8cYd3HfJ6sPg1TaE5uQoWiXkDz0MhBvSyAjFrCnGpUeKlOtI'
const cut = (length: number): string => random.slice(0, length)
const samples: readonly string[] = [
  `ghp_${cut(36)}`,
  `github_pat_${cut(22)}_${cut(59)}`,
  `xoxb-263594206564-2343594206574-${cut(24)}`,
  `https://hooks.slack.com/services/T0DCUJB1Q/B0DD08H5G/${cut(24)}`,
  `npm_${cut(36)}`,
  `SG.${cut(22)}.${cut(43)}`,
  `sk_live_${cut(24)}`,
  `shpat_${'3f9a1c7e5b2d8064af13ce79b5d2086e'}`,
  `sk-ant-api03-${random}${cut(29)}AA`,
  `sk-proj-${cut(58)}T3BlbkFJ${cut(58)}`,
  `lin_api_${cut(40)}`,
  `glpat-${cut(20)}`,
  `aws_secret_access_key = ${cut(40)}`,
  `AWS_ACCESS_KEY_ID=AKIA${cut(16).toUpperCase()}`,
  `postgres://ada:${cut(12)}@db.test:5432/app`,
  `https://ada:${cut(12)}@host.test/`,
  `-----BEGIN RSA PRIVATE KEY-----\n${random}\n${random}\n-----END RSA PRIVATE KEY-----`,
]

test('our rules miss nothing that secretlint finds', async () => {
  const find = createSecretFinder()
  const rules = [{ id: '@secretlint/secretlint-rule-preset-recommend', rule: creator, options: {} }]
  let seen = 0
  for (const content of samples) {
    const { messages } = await lintSource({
      source: { filePath: 'a.txt', content, ext: '.txt', contentType: 'text' },
      options: { config: { rules } },
    })
    seen += messages.length > 0 ? 1 : 0
    const ours = find(content)
    for (const { range } of messages) {
      assert.ok(
        ours.some((secret) => secret.start < range[1] && range[0] < secret.end),
        content,
      )
    }
  }
  assert.ok(seen >= 8, `the second opinion itself found only ${seen}`)
})
