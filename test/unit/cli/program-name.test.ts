/** The executable in commands that are printed to be copied. */

import { expect, test } from 'bun:test'
import { chmodSync, symlinkSync, writeFileSync } from 'node:fs'
import { programName } from '../../../src/cli/program-name.ts'
import { tempDirectory } from '../../support/temp.ts'

const linux = { cwd: '/opt/footman', env: { PATH: '/usr/bin' }, platform: 'linux' } as const

test.each([
  ['/opt/footman/footman', './footman'],
  ['/opt/footman/dist/footman', './dist/footman'],
  ['/opt/footman/my copy/footman', "'./my copy/footman'"],
  ['/opt/other/footman', '/opt/other/footman'],
  ['/usr/bin/bun', 'footman'],
])('%s is called %s', (execPath, name) => {
  expect(programName({ ...linux, execPath })).toBe(name)
})

test('the name alone where PATH finds the executable, also by a link', async () => {
  await using directory = tempDirectory()
  const execPath = directory.join('footman')
  writeFileSync(execPath, '')
  chmodSync(execPath, 0o755)
  expect(programName({ ...linux, execPath, env: { PATH: `/usr/bin:${directory.path}` } })).toBe('footman')
  await using links = tempDirectory()
  symlinkSync(execPath, links.join('footman'))
  expect(programName({ ...linux, execPath, env: { PATH: links.path } })).toBe('footman')
})
