/** What a shift begins with: how bad, how many, where, who. */
import { defineDashboard } from '../schemas/dashboard.ts'

export default defineDashboard({
  id: 'overview',
  title: 'Overview',
  about: 'How bad it is now, where it happens and who is involved.',
  panels: [
    {
      ...{
        id: 'critical-open',
        title: 'Critical and high, open',
        kind: 'stat',
        query: 'alerts-by-severity',
        value: 'open',
        unit: 'alerts',
      },
      about: 'Alerts nobody has acknowledged yet: begin here.',
      ranged: true,
      only: { column: 'severity', values: ['critical', 'high'] },
      warns: { from: 1, as: 'high' },
      link: { to: 'alerts', fixed: { severity: 'critical,high', status: 'new' } },
    },
    {
      ...{ id: 'alerts', title: 'Alerts', kind: 'stat', query: 'alerts-by-severity', value: 'alerts', unit: 'alerts' },
      about: 'All alerts of this time; repeats of one finding are one alert.',
      ranged: true,
      link: { to: 'alerts' },
    },
    {
      ...{ id: 'calls', title: 'Tool calls', kind: 'stat', query: 'calls-by-tool', value: 'calls', unit: 'calls' },
      about: 'What agents did through MCP in this time.',
      params: { limit: '1000' },
      ranged: true,
      link: { to: 'servers' },
    },
    {
      ...{ id: 'servers', title: 'Servers', kind: 'stat', query: 'servers', unit: 'servers' },
      about: 'Every server that was ever seen.',
      params: { limit: '1000' },
      ranged: false,
      link: { to: 'servers' },
    },
    {
      ...{ id: 'alerts-over-time', title: 'Alerts over time', kind: 'series', query: 'alerts-over-time', at: 'at', by: 'severity' },
      about: 'When alerts came, by severity.',
      values: ['alerts'],
      unit: 'alerts',
      ranged: true,
      link: { to: 'alerts', from: { severity: 'severity' } },
    },
    {
      ...{ id: 'events-over-time', title: 'Traffic over time', kind: 'series', query: 'events-over-time', at: 'at' },
      about: 'All events, the tool calls among them, and the calls that failed.',
      values: ['events', 'calls', 'failures'],
      unit: 'events',
      ranged: true,
    },
    {
      ...{ id: 'by-detector', title: 'By detector', kind: 'bars', query: 'alerts-by-detector', label: 'detector', value: 'alerts' },
      about: 'Which rules speak most.',
      severity: 'worst',
      unit: 'alerts',
      ranged: true,
      link: { to: 'alerts', from: { detector: 'detector' } },
    },
    {
      ...{ id: 'by-server', title: 'By server', kind: 'bars', query: 'alerts-by-server', label: 'alias', value: 'alerts' },
      about: 'Where alerts come from.',
      severity: 'worst',
      unit: 'alerts',
      ranged: true,
      link: { to: 'alerts', from: { server: 'server_id' } },
    },
    {
      ...{ id: 'by-actor', title: 'By actor', kind: 'table', query: 'alerts-by-actor', unit: 'actors' },
      about: 'Whose agents raise alerts, the worst of them and the newest.',
      ranged: true,
      columns: [
        { column: 'actor', title: 'Actor' },
        { column: 'worst', title: 'Worst', form: 'severity' },
        { column: 'alerts', title: 'Alerts', form: 'number' },
        { column: 'newest', title: 'Newest', form: 'time' },
      ],
      link: { to: 'alerts', from: { actor: 'actor' } },
    },
  ],
})
