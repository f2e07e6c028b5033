/** The PostgreSQL of the demo of several nodes. */
import { expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { delimiter } from 'node:path'
import { runNodesDemo } from '../../../src/cli/demo/nodes.ts'
import { findPostgres } from '../../../src/cli/demo/postgres.ts'
import { tempDirectory } from '../../support/temp.ts'

const SUFFIX = process.platform === 'win32' ? '.exe' : ''

test('programs on the PATH come first, and only when all that are needed are there', async () => {
  await using temp = tempDirectory()
  for (const [directory, names] of [
    ['client', ['psql', 'postgres']],
    ['server', ['initdb', 'postgres']],
  ] as const) {
    mkdirSync(temp.join(directory))
    for (const name of names) writeFileSync(temp.join(directory, name + SUFFIX), '')
  }
  const path = ['', temp.join('client'), temp.join('server')].join(delimiter)
  expect(findPostgres({ PATH: path })).toBe(temp.join('server'))
})

test('where none is installed the demo says so, and ends with exit code 3', async () => {
  const lines: string[] = []
  const code = await runNodesDemo(
    { nodes: 3 },
    { out: (text) => void lines.push(`out: ${text}`), err: (text) => void lines.push(text) },
    () => null,
  )
  expect([code, lines]).toEqual([
    3,
    [expect.stringContaining('needs PostgreSQL, and none is installed on this machine')],
  ])
})
