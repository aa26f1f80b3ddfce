/** Recorded stories, judged: what must be found is found, what is forbidden stays silent. The stories lie beside the project. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe } from 'node:test'
import { judgeStories } from './judging.ts'

const folder = join(import.meta.dirname, '..', '..', 'shared', 'scenarios')

describe('stories', { skip: existsSync(folder) ? false : 'no folder shared/scenarios beside the project' }, () => {
  if (existsSync(folder)) judgeStories(folder)
})
