/** Whether we would notice: who still sends, how much, and what could not be taken. */
import { defineDashboard } from '../schemas/dashboard.ts'

export default defineDashboard({
  id: 'pipeline-health',
  title: 'Pipeline health',
  about: 'Whether we would notice: who sends, how much of it we can read, and what could not be taken.',
  panels: [
    {
      ...{ id: 'dead', title: 'Dead letters', kind: 'stat', query: 'dead-letters', value: 'letters', unit: 'records' },
      about: 'Records no stage could take; kept whole and sealed.',
      ranged: false,
      warns: { from: 1, as: 'medium' },
      link: { to: 'health' },
    },
    {
      ...{ id: 'sources', title: 'Sources', kind: 'stat', query: 'sources', unit: 'sources' },
      about: 'Different senders, dialects and vantages. One that falls silent is a blind spot.',
      ranged: false,
      link: { to: 'health' },
    },
    {
      ...{ id: 'events-over-time', title: 'Events over time', kind: 'series', query: 'events-over-time', at: 'at' },
      about: 'A gap is a sender that stopped, or a pipeline that did.',
      values: ['events'],
      unit: 'events',
      ranged: true,
    },
    {
      ...{ id: 'by-source', title: 'Events by source', kind: 'table', query: 'events-by-source', unit: 'sources' },
      about: 'How much each source sent in this time.',
      ranged: true,
      columns: [
        { column: 'source', title: 'Source' },
        { column: 'dialect', title: 'Dialect' },
        { column: 'events', title: 'Events', form: 'number' },
        { column: 'newest', title: 'Newest', form: 'time' },
      ],
    },
    {
      ...{ id: 'outcomes', title: 'How calls end', kind: 'bars', query: 'events-by-outcome', label: 'outcome', value: 'events' },
      about: 'Outcomes of calls and messages.',
      unit: 'events',
      ranged: true,
    },
    {
      ...{ id: 'dead-reasons', title: 'Dead letters by reason', kind: 'table', query: 'dead-letters', unit: 'records' },
      about: 'Why records could not be taken.',
      ranged: false,
      columns: [
        { column: 'topic', title: 'Topic' },
        { column: 'reason', title: 'Reason' },
        { column: 'letters', title: 'Records', form: 'number' },
        { column: 'newest', title: 'Newest', form: 'time' },
      ],
    },
  ],
})
