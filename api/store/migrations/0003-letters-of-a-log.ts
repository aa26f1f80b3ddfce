/** A dead letter is of one log: after a log was deleted, offsets begin again, and a new letter is no repeat of an old one. */
import type { Migration } from '../migrate.ts'

export const migration: Migration = {
  number: 3,
  name: 'letters of a log',
  // A column may enter the order of a table only in the statement that adds it.
  statements: () => ['ALTER TABLE dead_letters ADD COLUMN IF NOT EXISTS log String, MODIFY ORDER BY (topic, partition, offset, log)'],
}
