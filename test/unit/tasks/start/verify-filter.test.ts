import { expect, test } from 'bun:test'
import { verifyStartFilter } from '../../../../src/tasks/start/select.ts'
import { fakeQrs } from '../../../support/fake-qrs.ts'
import { recordingLog } from '../../../support/recording-log.ts'

const KNOWN = [...fakeQrs().tasks_.keys()][0]!
const UNKNOWN = '11111111-2222-3333-4444-555555555555'

async function verified(taskId: string[], changes: { enable?: boolean; down?: boolean } = {}) {
  const log = recordingLog()
  const qrs = Object.assign(fakeQrs(), { down: changes.down ?? false })
  const allowTask = { taskId, tag: [], customProperty: [] }
  await verifyStartFilter({ qrs, log }, { startTaskFilter: { enable: changes.enable ?? true, allowTask } })
  return log.lines.map(({ level, message }) => `${level} ${message}`)
}

test('names the ids that no task has', async () => {
  expect(await verified([KNOWN.toUpperCase(), UNKNOWN, 'abc'])).toEqual([
    'info CONFIG VERIFY: Verifying that task IDs are valid...',
    `warn CONFIG VERIFY: Allowed task ID not valid: ${UNKNOWN}`,
    'warn CONFIG VERIFY: Allowed task ID not valid: abc',
  ])
})

test('QRS away: nothing is called invalid that only QRS can tell', async () => {
  expect(await verified([UNKNOWN, 'abc'], { down: true })).toEqual([
    'info CONFIG VERIFY: Verifying that task IDs are valid...',
    'warn CONFIG VERIFY: The allowed task IDs could not be looked up: connect ECONNREFUSED',
    'warn CONFIG VERIFY: Allowed task ID not valid: abc',
  ])
})

test('quiet when the filter is off', async () => {
  expect(await verified([UNKNOWN], { enable: false })).toEqual([])
})
