/** Words that give orders: in definitions, in results, in arguments. */
import { defineDashboard } from '../schemas/dashboard.ts'

const families = ['D1', 'D2', 'D3', 'D4', 'D11']

export default defineDashboard({
  id: 'injection-and-poisoning',
  title: 'Injection and poisoning',
  about: 'Texts that try to steer the model: poisoned definitions, orders in results, code in arguments.',
  panels: [
    {
      ...{ id: 'alerts', title: 'Alerts', kind: 'stat', query: 'alerts-by-family', value: 'alerts', unit: 'alerts' },
      about: 'Definitions, cross-server references, injected orders and code in arguments. An alert of two families counts in both.',
      ranged: true,
      only: { column: 'family', values: families },
      warns: { from: 1, as: 'high' },
      link: { to: 'alerts' },
    },
    {
      ...{ id: 'signals', title: 'Signals', kind: 'stat', query: 'signals-by-family', value: 'signals', unit: 'signals' },
      about: 'What was noticed and is no alert by itself; two different families in one thread are.',
      ranged: true,
    },
    {
      ...{ id: 'families', title: 'By family', kind: 'bars', query: 'alerts-by-family', label: 'family', value: 'alerts' },
      about: 'Which kind of text: D1 to D3 stand in definitions, D4 in content, D11 in arguments.',
      unit: 'alerts',
      ranged: true,
      only: { column: 'family', values: families },
    },
    {
      ...{ id: 'changes', title: 'Definitions that changed', kind: 'table', query: 'tool-changes', unit: 'tools' },
      about: 'Tools whose newest definition came in this time and is not the first. Read the difference before anybody uses it again.',
      ranged: true,
      columns: [
        { column: 'alias', title: 'Server' },
        { column: 'tool', title: 'Tool' },
        { column: 'versions', title: 'Versions', form: 'number' },
        { column: 'first_seen', title: 'First seen', form: 'time' },
        { column: 'changed', title: 'Changed', form: 'time' },
      ],
      link: { to: 'servers', from: { key: 'server_id', tool: 'tool' } },
    },
    {
      ...{ id: 'signal-names', title: 'Signals by name', kind: 'table', query: 'signals-by-family', unit: 'signals' },
      about: 'Weak evidence: worth a look where one thread has several.',
      ranged: true,
      columns: [
        { column: 'family', title: 'Family' },
        { column: 'signal', title: 'Signal' },
        { column: 'signals', title: 'Signals', form: 'number' },
        { column: 'threads', title: 'Threads', form: 'number' },
        { column: 'newest', title: 'Newest', form: 'time' },
      ],
      link: { to: 'detectors', from: { id: 'detector' } },
    },
  ],
})
