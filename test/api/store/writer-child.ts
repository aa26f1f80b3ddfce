/** A process that stores what is in a log and says how far it is: the fault tests kill it. Arguments: its directory. */
import { openStore } from '../../../api/store/connect.ts'
import { migrate } from '../../../api/store/migrate.ts'
import { createWriter } from '../../../api/store/writer.ts'
import { drained, openTestLog } from './store-tools.ts'

const dir = process.argv[2] ?? ''
await using store = await openStore({ kind: 'embedded', dir })
await migrate(store, { retentionDays: 30 })
await using log = await openTestLog(dir)
const writer = await createWriter({ bus: log, store, batchRowsMin: 100, batchRowsMax: 300, tickMs: 5 })
const say = setInterval(() => process.send?.(writer.counts().events), 1)
await drained(writer)
clearInterval(say)
await writer.stop()
process.send?.('drained')
process.disconnect()
