/** `footman cluster leave`: what it waits for, and its words where there is nothing to wait for. */
import { expect, test } from 'bun:test'
import { runLeave } from '../../../src/cli/cluster/running.ts'
import { freeTcpPort } from '../../support/ports.ts'
import { heard, restStub } from '../../support/rest-stub.ts'

const optionsFor = (url: string) => ({ url, key: 'fm_test', timeout: 10_000 })
const state = (changes: object = {}) => ({
  mode: 'follower',
  node: 'qs-a',
  database: { host: 'pg1:5432', up: true, reason: '' },
  leader: null,
  headRev: 9,
  appliedRev: 9,
  waiting: 0,
  nodes: [],
  configDiffers: {},
  ...changes,
})

test('a process that does not run: exit code 2 at once, and the way on without it', async () => {
  const io = heard()
  expect(await runLeave(optionsFor(`http://127.0.0.1:${await freeTcpPort()}`), io)).toBe(2)
  expect(io.stderr()).toMatch(/cluster leave: .*nothing to wait for.*cluster\.enable: false.*cluster remove NAME/s)
})

test('a node that lacks something is asked until it has everything', async () => {
  const answers = [state({ appliedRev: 3 }), state({ waiting: 2 }), state({ waiting: 2 }), state()]
  let asked = 0
  await using stub = await restStub(() => [200, answers[Math.min(asked++, answers.length - 1)]!])
  const io = heard()
  expect(await runLeave(optionsFor(stub.url), io)).toBe(0)
  expect(asked).toBeGreaterThanOrEqual(4)
  expect(io.stdout()).toContain('qs-a has everything')
})

test('a node of its own has nothing to leave', async () => {
  await using stub = await restStub(() => [200, { mode: 'single' }])
  const io = heard()
  expect(await runLeave(optionsFor(stub.url), io)).toBe(1)
  expect(io.stderr()).toContain('works on its own')
})
