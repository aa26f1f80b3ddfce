/** The inventory in motion: which servers, which tools, what changed, what fails. */
import { defineDashboard } from '../schemas/dashboard.ts'

export default defineDashboard({
  id: 'servers-and-drift',
  title: 'Servers and drift',
  about: 'Which servers and tools are in use, and what changed about them.',
  panels: [
    {
      ...{ id: 'servers', title: 'Servers', kind: 'stat', query: 'servers', unit: 'servers' },
      about: 'Every server that was ever seen.',
      params: { limit: '1000' },
      ranged: false,
      link: { to: 'servers' },
    },
    {
      ...{ id: 'tools', title: 'Tools offered', kind: 'stat', query: 'servers', value: 'tools', unit: 'tools' },
      about: 'Tools that servers ever listed: each is text in a model’s context.',
      params: { limit: '1000' },
      ranged: false,
      link: { to: 'servers' },
    },
    {
      ...{ id: 'changed', title: 'Tools that changed', kind: 'stat', query: 'tool-changes', unit: 'tools' },
      about: 'A new definition came in this time for a tool that was known.',
      params: { limit: '1000' },
      ranged: true,
      warns: { from: 1, as: 'medium' },
    },
    {
      ...{ id: 'changes', title: 'What changed', kind: 'table', query: 'tool-changes', unit: 'tools' },
      about: 'Newest first. The tool’s page shows each version against the one before.',
      ranged: true,
      columns: [
        { column: 'alias', title: 'Server' },
        { column: 'tool', title: 'Tool' },
        { column: 'versions', title: 'Versions', form: 'number' },
        { column: 'changed', title: 'Changed', form: 'time' },
      ],
      link: { to: 'servers', from: { key: 'server_id', tool: 'tool' } },
    },
    {
      ...{ id: 'use', title: 'Tools in use', kind: 'table', query: 'calls-by-tool', unit: 'tools' },
      about: 'Calls, callers and failures per tool. A tool that begins to fail may be under a changed definition.',
      ranged: true,
      columns: [
        { column: 'alias', title: 'Server' },
        { column: 'tool', title: 'Tool' },
        { column: 'calls', title: 'Calls', form: 'number' },
        { column: 'actors', title: 'Actors', form: 'number' },
        { column: 'failures', title: 'Failures', form: 'number' },
        { column: 'newest', title: 'Newest', form: 'time' },
      ],
      link: { to: 'servers', from: { key: 'server_id', tool: 'tool' } },
    },
    {
      ...{ id: 'protocols', title: 'Protocol revisions', kind: 'table', query: 'protocols', unit: 'revisions' },
      about: 'Eras, revisions and transports in use.',
      ranged: true,
      columns: [
        { column: 'era', title: 'Era' },
        { column: 'version', title: 'Revision' },
        { column: 'transport', title: 'Transport' },
        { column: 'servers', title: 'Servers', form: 'number' },
        { column: 'events', title: 'Events', form: 'number' },
      ],
    },
  ],
})
