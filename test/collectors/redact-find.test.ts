/** What counts as a secret and what does not: a table of general forms, and limits for hostile text. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createSecretFinder, secretKinds } from '../../collectors/redact/find-secrets.ts'

const find = createSecretFinder()
/** Put together here, so that this file holds nothing that looks like a live credential. */
const random = 'q7RtZ2mK9xLw4VbN8cYd3HfJ6sPg1TaE5uQoWiXk'
const hex = '3f9a1c7e5b2d8064af13ce79b5d2086e'

const secrets: readonly (readonly [string, string, string])[] = [
  ['aws-access-key', 'aws_access_key_id = AKIATESTTESTTESTTEST', 'AKIATESTTESTTESTTEST'],
  ['aws-secret-key', 'aws_secret_access_key = TESTTESTTESTTESTTEST', 'TESTTESTTESTTESTTEST'],
  ['aws-access-key', '{"AccessKeyId":"ASIATESTTESTTESTTEST","Token":"TEST"}', 'ASIATESTTESTTESTTEST'],
  ['aws-secret-key', '{"SecretAccessKey":"TESTTEST/TESTTEST"}', 'TESTTEST/TESTTEST'],
  ['api-key', '{"mail":{"env":{"API_KEY":"TESTKEY-000111222333444"}}}', 'TESTKEY-000111222333444'],
  ['api-key', '{\\"API_KEY\\":\\"TESTKEY-000111222333444\\"}', 'TESTKEY-000111222333444'],
  ['api-key', '?api_key%3DTESTKEY-000111222333444', 'TESTKEY-000111222333444'],
  ['github-token', `export GITHUB_TOKEN="ghp_${random.slice(0, 36)}"`, `ghp_${random.slice(0, 36)}`],
  ['github-token', `(ghp_${random.slice(0, 36)}...`, `ghp_${random.slice(0, 36)}`],
  ['gitlab-token', `glpat-${random.slice(0, 20)}`, `glpat-${random.slice(0, 20)}`],
  ['slack-token', `xoxb-263594206564-${random.slice(0, 24)}`, `xoxb-263594206564-${random.slice(0, 24)}`],
  [
    'slack-webhook',
    `https://hooks.slack.com/services/T0DCUJB1Q/B0DD08H5G/${random.slice(0, 24)}`,
    `T0DCUJB1Q/B0DD08H5G/${random.slice(0, 24)}`,
  ],
  ['stripe-key', `sk_live_${random.slice(0, 24)}`, `sk_live_${random.slice(0, 24)}`],
  ['npm-token', `//registry.test/:_authToken=npm_${random.slice(0, 36)}`, `npm_${random.slice(0, 36)}`],
  ['mailchimp-key', `${hex}-us18`, `${hex}-us18`],
  ['telegram-token', `1234598760:AA${random.slice(0, 33)}`, `1234598760:AA${random.slice(0, 33)}`],
  ['url-password', 'postgres://admin:s3cretpass@db.test:5432/x', 's3cretpass'],
  ['password', "password = 'supersecret123'", 'supersecret123'],
  ['password', '--password=MyS3cretP@ssw0rd123', 'MyS3cretP@ssw0rd123'],
  ['password', 'mysql --password hunter22x', 'hunter22x'],
  ['password', '<password>hunter22x</password>', 'hunter22x'],
  ['password', 'curl -u robot:pQ9wTxu4Fg https://api.test/', 'pQ9wTxu4Fg'],
  ['basic-auth', `Authorization: Basic ${Buffer.from('ada:l0vel4ce').toString('base64')}`, Buffer.from('ada:l0vel4ce').toString('base64')],
  ['bearer-token', `Authorization: Bearer ${random}`, random],
  ['private-key', `x\n-----BEGIN RSA PRIVATE KEY-----\n${random}\n${random}\n-----END RSA PRIVATE KEY-----\ny`, ''],
  ['private-key', `-----BEGIN OPENSSH PRIVATE KEY-----\n${random}`, ''],
  ['one-time-code', 'Your verification code is 771204', '771204'],
  ['pii-card', 'card 4111 1111 1111 1111 please', '4111 1111 1111 1111'],
  ['pii-iban', 'to CH93 0076 2011 6238 5295 7 today', 'CH93 0076 2011 6238 5295 7'],
]

for (const [kind, text, value] of secrets) {
  test(`finds ${kind} in ${JSON.stringify(text).slice(0, 60)}`, () => {
    const found = find(text)
    assert.ok(
      found.some((secret) => secret.kind === kind && (value === '' || secret.value === value)),
      JSON.stringify(found),
    )
    for (const secret of found) assert.equal(text.slice(secret.start, secret.end), secret.value)
  })
}

const harmless: readonly string[] = [
  'Bank: code 771204',
  'ssh-rsa AAAATESTTESTTESTTEST user@host',
  'api_key=<YOUR_API_KEY>',
  'TOKEN=\u0024{TOKEN}',
  'password: changeme',
  'password: xxxxxxxxxxxx',
  'ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
  'key = AKIAIOSFODNN7EXAMPLE',
  'Authorization: Bearer $API_KEY',
  'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ0ZXN0In0.',
  'commit 9a038989604e8da62ecddbe2094b16ce1b778be1',
  'id: e8e4df51-2054-49b0-ab1c-516ac95c691d',
  'sha256:eaaa7b11777babe28e6133a8b19ff71cea687e0d7f05158dee95a71f76ce3d00',
  '"progressToken": "b7c1e2f3-aaaa-4bcd-8123-0123456789ab"',
  '"nextPageToken": "CiAKGjBpNDd2Nmp2Zml2cXRwYjBpOXA1"',
  'max_tokens: 4096, token_count: 1234567890',
  'const token = getToken()',
  'const apiKey = process.env.API_KEY',
  'password = config.database.password',
  'The password is required.',
  'curl -u "$USER:$PASS" https://api.test/',
  'https://user:password@host.test/',
  'order 4111111111111112 shipped',
  'IBAN GB82 WEST 1234 5698 7654 33',
  '{"primary_key": "id", "sort_key": "created_at_2024_01_01_x"}',
  '--- PASS: TestE2E/Initialize',
  'The file must start with ``-----BEGIN PRIVATE KEY-----`` and be yours',
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk',
  '⟦secret:github-token:0123456789abcdef⟧ token=⟦secret:token:0123456789abcdef⟧',
]
for (const text of harmless) test(`leaves alone ${text.slice(0, 60)}`, () => assert.deepEqual(find(text), []))

test('every kind fits into a token', () => {
  for (const kind of secretKinds) assert.match(kind, /^[a-z0-9-]{1,40}$/)
})

test('findings are ordered, apart from each other, and true to the text, for any text', () => {
  const pieces = fc.constantFrom(
    'password=',
    'token: ',
    'ghp_',
    random,
    hex,
    'AKIA',
    ' ',
    '"',
    '\n',
    '⟦',
    '://a:',
    '@b',
    '-----BEGIN PRIVATE KEY-----',
    '\\n',
    'é',
    '😀',
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(pieces, fc.string({ maxLength: 12 })), { maxLength: 30 }), (parts) => {
      const text = parts.join('')
      let last = 0
      for (const secret of find(text)) {
        assert.ok(secret.start >= last && secret.end > secret.start)
        assert.equal(text.slice(secret.start, secret.end), secret.value)
        last = secret.end
      }
    }),
    { numRuns: 2_000 },
  )
})

test('hostile repetition costs steps in proportion to its length', () => {
  // Counted in calls of the clock would flake; instead the text is large enough that anything quadratic would not end.
  for (const seed of [
    'key',
    'key=',
    'key"',
    'password ',
    'token:"',
    '://',
    '://a:',
    'eyJ',
    'eyJa.',
    '0',
    '4 ',
    'AA11',
    '-----BEGIN',
    '--user ',
    'a|',
    'sk-',
    'authorization:',
    '-us1',
    '0a1b',
    '\\"key\\":',
  ]) {
    const text = seed.repeat(Math.ceil(400_000 / seed.length))
    assert.ok(Array.isArray(find(text)))
  }
})

test('cards and accounts are found wherever they stand, and whatever is long around them', () => {
  const numbers = [
    '4111 1111 1111 1111',
    '4111-1111-1111-1111',
    '4111111111111111',
    'GB29NWBK60161331926819',
    'DE89 3704 0044 0532 0130 00',
  ]
  for (const number of numbers) {
    for (let before = 0; before < 40; before += 1) {
      const text = `${'ab c-'.repeat(8).slice(0, before)} ${number}, of course; é`
      assert.deepEqual(
        find(text).map(({ value }) => value),
        [number],
        text,
      )
    }
  }
  const long = `${'all is well here. '.repeat(2_000)}password = 'supersecret123' ${'and so on. '.repeat(2_000)}`
  for (const text of [long, `é${long}`])
    assert.deepEqual(
      find(text).map(({ value }) => value),
      ['supersecret123'],
    )
})
