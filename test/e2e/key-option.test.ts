/** The key of a command: in the list of processes it is visible to others. */
import { expect, test } from 'bun:test'
import { runToEnd } from '../support/binary.ts'

const NOWHERE = ['tasks', '--url', 'http://127.0.0.1:1']
const KEY = 'fm_visible'

test('--key works and warns, FOOTMAN_KEY does not', async () => {
  const given = await runToEnd([...NOWHERE, '--key', KEY])
  expect([given.code, given.stdout]).toEqual([2, ''])
  expect(given.stderr).toMatch(/^warning: --key is deprecated: .* FOOTMAN_KEY .*\nerror: tasks: /)
  const fromEnvironment = await runToEnd(NOWHERE, { env: { FOOTMAN_KEY: KEY } })
  expect([fromEnvironment.code, fromEnvironment.stdout]).toEqual([2, ''])
  expect(fromEnvironment.stderr).toMatch(/^error: tasks: /)
  expect(given.stderr + fromEnvironment.stderr).not.toContain(KEY)
  const help = await runToEnd(['tasks', '--help'])
  expect(help.stdout).toMatch(/--key <key>\s+deprecated/)
})
