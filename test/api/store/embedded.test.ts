/** The embedded engine, and a ClickHouse server when STORE_URL names one, keep the promises of every store. */
import { openStore } from '../../../api/store/connect.ts'
import { storeConformance } from '../../conformance/store.ts'

storeConformance('embedded', (dir) => openStore({ kind: 'embedded', dir }))

const url = process.env['STORE_URL']
if (url !== undefined) storeConformance('server', () => openStore({ kind: 'server', url }))
