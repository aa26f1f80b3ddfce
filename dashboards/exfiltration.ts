/** What left, or was about to: data and secrets on their way from one server to another. */
import { defineDashboard } from '../schemas/dashboard.ts'

/** Families that end in data leaving: content flow, addresses, paths and secrets. */
const families = ['D5', 'D6', 'D12', 'D13', 'D14']

export default defineDashboard({
  id: 'exfiltration',
  title: 'Exfiltration',
  about: 'Data and secrets on their way out: what was taken, from where, to where.',
  panels: [
    {
      ...{ id: 'alerts', title: 'Alerts about data leaving', kind: 'stat', query: 'alerts-by-family', value: 'alerts', unit: 'alerts' },
      about: 'Content followed from source to sink, inside addresses, guarded paths and secrets. An alert of two families counts in both.',
      ranged: true,
      only: { column: 'family', values: families },
      warns: { from: 1, as: 'high' },
      link: { to: 'alerts' },
    },
    {
      ...{ id: 'secrets', title: 'Secrets seen', kind: 'stat', query: 'secrets-seen', value: 'different', unit: 'secrets' },
      about: 'Different secrets that stood in traffic. Each was replaced before it was kept.',
      ranged: true,
      warns: { from: 1, as: 'medium' },
    },
    {
      ...{ id: 'paths', title: 'From source to sink', kind: 'table', query: 'taint-paths', unit: 'paths' },
      about: 'What was read at one place and given to another: the alerts that name both ends.',
      ranged: true,
      columns: [
        { column: 'severity', title: 'Severity', form: 'severity' },
        { column: 'source', title: 'Source' },
        { column: 'sink', title: 'Sink' },
        { column: 'actor', title: 'Actor' },
        { column: 'time', title: 'When', form: 'time' },
        { column: 'summary', title: 'What' },
      ],
      link: { to: 'alerts', from: { id: 'alert_id' } },
    },
    {
      ...{ id: 'families', title: 'Kinds of attack', kind: 'bars', query: 'alerts-by-family', label: 'family', value: 'alerts' },
      about: 'Alerts of the families that end in data leaving.',
      unit: 'alerts',
      ranged: true,
      only: { column: 'family', values: families },
    },
    {
      ...{ id: 'secret-kinds', title: 'Secrets by kind and place', kind: 'table', query: 'secrets-seen', unit: 'secrets' },
      about: 'Which kinds of secret travelled, and through which tool. A secret in an argument is on its way out.',
      ranged: true,
      columns: [
        { column: 'kind', title: 'Kind' },
        { column: 'server_id', title: 'Server' },
        { column: 'tool', title: 'Tool' },
        { column: 'different', title: 'Different', form: 'number' },
        { column: 'events', title: 'Events', form: 'number' },
        { column: 'newest', title: 'Newest', form: 'time' },
      ],
      link: { to: 'servers', from: { key: 'server_id' } },
    },
  ],
})
