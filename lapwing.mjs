#!/usr/bin/env node
// The command `lapwing`: makes sure the installation is whole, then runs main.ts in Node 24.
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { prepare, runNode } from './setup.mjs'

prepare()
process.exit(await runNode([join(dirname(fileURLToPath(import.meta.url)), 'main.ts'), ...process.argv.slice(2)]))
