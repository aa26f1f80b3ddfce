/** Examples of detectors/rules/destructive-operation.ts: what cannot be undone, and the deleting of every day. */
import type { Example } from '../../schemas/detector.ts'
import { calls, host, story } from '../../schemas/story.ts'

const sql = (statement: string, extra: object = {}) => calls('db', 'execute_sql', { sql: statement }, 'ok', extra)
const shell = (command: string, extra: object = {}) => calls('sh', 'run_command', { command }, 'ok', extra)
const one = (name: string, lines: Example['story']): Example => ({ name, story: lines, fires: [0] })
const none = (name: string, lines: Example['story']): Example => ({ name, story: lines, fires: [] })
const tenDeletes = (tool: string, path: (n: number) => string, step: number) =>
  story(...Array.from({ length: 10 }, (_, n) => calls('fs', tool, { path: path(n) }, 'ok', { t: n * step })))

export const destructionExamples: readonly Example[] = [
  one('a table dropped', story(sql('DROP TABLE IF EXISTS customers CASCADE'))),
  one('all rows deleted', story(sql('begin; delete from orders; commit'))),
  one('a condition that is always true', story(sql("DELETE FROM public.orders WHERE 1=1 -- 'all'"))),
  one('a table emptied', story(calls('pg', 'query', { query: 'TRUNCATE TABLE invoices RESTART IDENTITY' }))),
  one('the home directory removed', story(shell('cd /srv && sudo rm -rf ~/'))),
  one('history of the main branch overwritten', story(shell('git push --force origin main'))),
  one('a snapshot deleted', story(calls('cloud', 'delete_snapshot', { snapshot_id: 'snap-1' }))),
  one('a volume deleted by an action argument', story(calls('infra', 'manage_volume', { action: 'delete', volume_id: 'v-1' }))),
  one(
    'a volume deleted through an API from the shell',
    story(shell(`curl -s https://api.host.example/graphql -d '{"query":"mutation { volumeDelete(volumeId: \\"v-1\\") }"}'`)),
  ),
  one('machines terminated', story(shell('aws ec2 terminate-instances --instance-ids i-1 i-2'))),
  one(
    'a production file deleted',
    story(calls('fs', 'delete_file', { path: 'config.yaml' }, 'ok', { labels: { environment: 'production' } })),
  ),
  {
    name: 'data, then its backup',
    story: story(calls('db', 'drop_database', { name: 'shop' }), calls('db', 'delete_backup', { backup_id: 'b1' })),
    fires: [0, 2, 2],
  },
  { name: 'ten files within a minute', story: tenDeletes('delete_file', (n) => `docs/page-${n}.md`, 5), fires: [18] },
  one('many at once', story(calls('crm', 'delete_contacts', { ids: Array.from({ length: 25 }, (_, n) => `c-${n}`) }))),
  {
    name: 'a person agreed: told, but lower',
    story: story(
      host('approval', { decision: 'allow', mode: 'manual', tool: 'delete_volume' }),
      calls('infra', 'delete_volume', { id: 'v-1' }),
    ),
    fires: [1],
  },

  none('one file', story(calls('fs', 'delete_file', { path: 'notes/old.md' }))),
  none('a draft', story(calls('mail', 'delete_draft', { id: 'd-1' }))),
  none('rows with a condition', story(sql("DELETE FROM sessions WHERE expires_at < now() - interval '7 days'"))),
  none('a transaction that is rolled back', story(sql('BEGIN; DELETE FROM orders; ROLLBACK;'))),
  none('a table of a test', story(sql('DROP TABLE IF EXISTS tmp_import_7; DROP TABLE test_users'))),
  none('what a build leaves', story(shell('rm -rf node_modules dist ./build && npm ci'))),
  none('a place for temporary files', story(shell('cd /tmp/work-1 && rm -rf *; rm -rf /tmp/work-1'))),
  none('a feature branch after a rebase', story(shell('git push --force-with-lease origin feature/login'))),
  none('a cache emptied', story(calls('cdn', 'purge_cache', { zone: 'www' }), shell('redis-cli FLUSHALL'))),
  none(
    'prose about dropping tables',
    story(calls('gh', 'create_issue', { title: 'DROP TABLE in migration', body: 'rm -rf / and DELETE FROM users must never run' })),
  ),
  none('a search for statements', story(calls('web', 'search', { query: 'delete from table without where clause' }))),
  none('a migration that is written', story(calls('fs', 'write_file', { path: 'migrations/7.sql', content: 'DROP TABLE customers;' }))),
  none('a text inside a command', story(shell('echo "rm -rf /" ; grep -rn "DROP TABLE" migrations'))),
  none(
    'ten temporary files',
    tenDeletes('delete_file', (n) => `/tmp/run/${n}.json`, 5),
  ),
  none(
    'ten files over the day',
    tenDeletes('delete_file', (n) => `docs/page-${n}.md`, 600),
  ),
  none('a dry run', story(calls('infra', 'delete_volume', { id: 'v-1', dry_run: true }))),
  none('a user taken out of a project', story(calls('gh', 'remove_user_from_project', { user: 'bob', project: 'x' }))),
]
