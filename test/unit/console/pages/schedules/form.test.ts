import { describe, expect, test } from 'bun:test'
import { cronOf, fieldsOfSchedule, membersOf, simpleOf } from '../../../../../src/console/pages/schedules/form.ts'
import type { ShownSchedule } from '../../../../../src/tasks/schedule/contract.ts'

describe('the simple form', () => {
  test.each([
    ['working', '06:00', '0 6 * * 1-5'],
    ['day', '23:59', '59 23 * * *'],
    ['sunday', '00:05', '5 0 * * 0'],
    ['weekend', '12:00', '0 12 * * 0,6'],
    ['month', '02:30', '30 2 1 * *'],
    ['hour', '00:20', '20 * * * *'],
  ])('every %s at %s is %s, and the reverse', (every, at, cron) => {
    expect(cronOf(every, at)).toBe(cron)
    expect(simpleOf(cron)).toEqual({ every, at })
  })

  test.each(['*/5 * * * *', '0 6 1 1 *', '0 0 6 * * 1', '0 6 * jan *', '0 6 2 * *', '0 6 1 * 1', ''])(
    '%p has none',
    (cron) => {
      expect(simpleOf(cron)).toBeNull()
    },
  )
})

const SCHEDULE: ShownSchedule = {
  id: 's',
  name: 'Nightly',
  cronSchedule: '0 6 * * 1-5',
  timezone: 'UTC',
  qlikSenseTaskId: 'T',
  revision: 'r',
  startupState: 'started',
  state: 'running',
}
const sent = (schedule: ShownSchedule, changes: Record<string, string> = {}) => {
  const texts: Record<string, string> = { ...fieldsOfSchedule(schedule), ...changes }
  return membersOf({ get: (name) => texts[name] ?? '' })
}

describe('saving', () => {
  test('what is shown changes nothing', () => {
    const window = { from: '06:00', to: '08:00' }
    const target = { tag: ['a'], taskName: ['Sales*'] }
    const action = { type: 'appDump', folder: 'all', keep: 3 }
    const all = { ...SCHEDULE, target, action, notOn: ['x', 'y'], overlapPolicy: 'queue', jitter: '5s' }
    const kept = { target, action, notOn: ['x', 'y'], overlapPolicy: 'queue', jitter: '5s', misfirePolicy: null }
    expect(sent(all)).toMatchObject(kept)
    expect(sent({ ...SCHEDULE, window })).not.toHaveProperty('window')
    expect(sent({ ...SCHEDULE, target: [{ type: 'starttasktag' }] })).not.toHaveProperty('target')
  })

  test('members that are emptied are taken away, further ones of a target stay', () => {
    const before = { ...SCHEDULE, target: { tag: ['a'], match: 'all' }, notOn: 'x' }
    expect(sent(before, { notOn: '', startTags: '' })).toMatchObject({ notOn: null, target: { match: 'all' } })
    expect(sent({ ...SCHEDULE, target: { tag: ['a'] } }, { startTags: '' }).target).toBeNull()
    expect(sent(before, { startTags: 'b, c' }).target).toEqual({ match: 'all', tag: ['b', 'c'] })
    expect(sent(before, { action: 'webhook', actionName: 'tickets' }).action).toEqual({
      type: 'webhook',
      destination: 'tickets',
    })
  })
})
