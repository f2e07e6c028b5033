/** Which runs of a schedule begin, wait or go on. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  afterRestart,
  type Decision,
  decide,
  type Firing,
  FREE,
  type Lane,
  leave,
} from '../../../../src/tasks/schedule/runner.ts'
import type { Exclusion, Plan, Run } from '../../../../src/tasks/schedule/types.ts'

const NOW = Date.parse('2026-03-02T06:00:00Z')
const AWAKE = { shadow: false, pausedBy: null }

const firingOf = (
  overlap: Plan['overlap'],
  changes: Partial<Firing> = {},
  excluded: Exclusion | null = null,
): Firing => ({
  scheduleId: 's',
  name: 'Nightly',
  plan: { overlap, jitterMs: 0, excluded: () => excluded } as unknown as Plan,
  dueAt: NOW,
  trigger: 'cron',
  ...changes,
})
const run = (id: string, firedAt: number | null = NOW, scheduleId = 's'): Run => ({
  id,
  scheduleId,
  dueAt: NOW,
  firedAt,
  trigger: 'cron',
  state: 'running',
  outcome: null,
  reason: null,
  tasks: [],
  detail: null,
})
const waiting = { run: run('w', null), firing: firingOf('queue') }

const BUSY: Lane = { open: ['a'], waiting: null }
const FULL: Lane = { open: ['a'], waiting }
const LANES = { FREE, BUSY, FULL }

const words = (decision: Decision) =>
  decision.do === 'skip' ? decision.reason : decision.do === 'begin' && decision.unlessBusy ? 'begin?' : decision.do

describe('a firing', () => {
  test.each([
    ['allow', { FREE: 'begin', BUSY: 'begin', FULL: 'begin' }],
    ['skip', { FREE: 'begin?', BUSY: 'OVERLAP', FULL: 'OVERLAP' }],
    ['queue', { FREE: 'begin', BUSY: 'wait', FULL: 'OVERLAP' }],
  ] as const)('with overlap %s', (overlap, expected) => {
    for (const trigger of ['cron', 'manual', 'misfire'] as const) {
      const found = Object.entries(LANES).map(([name, lane]) => [
        name,
        words(decide(firingOf(overlap, { trigger }), lane, AWAKE)),
      ])
      expect(Object.fromEntries(found)).toEqual(expected)
    }
  })

  test.each([
    ['in shadow mode', 'cron', { shadow: true }, null, 'SHADOW_MODE'],
    ['by hand in shadow mode', 'manual', { shadow: true }, null, 'SHADOW_MODE'],
    ['during maintenance', 'cron', { pausedBy: 'patches' }, null, 'MAINTENANCE'],
    ['of the past during maintenance', 'misfire', { pausedBy: 'patches' }, null, 'MAINTENANCE'],
    ['by hand during maintenance', 'manual', { pausedBy: 'patches' }, null, 'begin'],
    ['outside its window', 'cron', {}, 'WINDOW', 'WINDOW'],
    ['on a holiday', 'misfire', {}, 'CALENDAR', 'CALENDAR'],
    ['by hand on a holiday', 'manual', {}, 'CALENDAR', 'begin'],
    ['on a holiday during maintenance', 'cron', { pausedBy: 'patches' }, 'CALENDAR', 'MAINTENANCE'],
    ['in shadow mode during maintenance', 'cron', { shadow: true, pausedBy: 'patches' }, null, 'SHADOW_MODE'],
  ] as const)('%s', (_what, trigger, facts, excluded, expected) => {
    expect(words(decide(firingOf('allow', { trigger }, excluded), FREE, { ...AWAKE, ...facts }))).toBe(expected)
  })

  test('says which maintenance, or which run, is in its way', () => {
    expect(decide(firingOf('allow'), FREE, { ...AWAKE, pausedBy: 'patches' })).toMatchObject({ detail: 'patches' })
    expect(decide(firingOf('skip'), BUSY, AWAKE)).toMatchObject({ detail: 'the run before has not ended' })
  })
})

describe('when a run is final', () => {
  test.each<[string, Lane, Lane, string | null]>([
    ['the one that waits goes on', FULL, FREE, 'w'],
    ['nothing goes on when none waits', BUSY, FREE, null],
    ['the one that waits stays behind other runs', { ...FULL, open: ['a', 'b'] }, { ...FULL, open: ['b'] }, null],
    ['others are not touched', { open: ['a', 'b'], waiting: null }, { open: ['b'], waiting: null }, null],
    ['one that was never open frees nothing', { open: ['b'], waiting }, { open: ['b'], waiting }, null],
  ])('%s', (_what, lane, after, next) => {
    const left = leave(lane, 'a')
    expect([left.lane, left.next?.run.id ?? null]).toEqual([after, next])
  })
})

describe('after a restart', () => {
  const known = { plan: firingOf('queue').plan, name: 'Nightly' }
  const begun = run('a')
  const queued = run('w', null)
  test.each<[string, readonly Run[], boolean, readonly string[]]>([
    ['a run that had begun is continued', [begun], true, ['continue a']],
    ['one that waited waits again', [begun, queued], true, ['continue a', 'wait w']],
    ['one that waited waits, in whatever order they are stored', [queued, begun], true, ['continue a', 'wait w']],
    ['one that waited for a run that has ended begins', [queued], true, ['begin w']],
    ['two of different schedules begin', [queued, run('x', null, 't')], true, ['begin w', 'begin x']],
    ['two that waited for one that has ended', [queued, run('x', null)], true, ['begin w', 'wait x']],
    ['three that waited', [queued, run('x', null), run('y', null)], true, ['begin w', 'wait x', 'skip y']],
    ['two that waited for one that goes on', [begun, queued, run('x', null)], true, ['continue a', 'wait w', 'skip x']],
    ['all of a schedule that is gone are given up', [begun, queued], false, ['abandon a', 'abandon w']],
  ])('%s', (_what, runs, exists, expected) => {
    const resumed = afterRestart(runs, () => (exists ? known : null))
    expect(resumed.map((one) => `${one.do} ${one.run.id}`)).toEqual([...expected])
  })
})

test('property: a schedule that queues never has two runs at a time, and at most one that waits', () => {
  const steps = fc.array(fc.boolean(), { maxLength: 40 })
  fc.assert(
    fc.property(steps, (fires) => {
      let lane: Lane = FREE
      for (const [n, isFiring] of fires.entries()) {
        if (isFiring) {
          const decision = decide(firingOf('queue'), lane, AWAKE)
          if (decision.do === 'begin') lane = { ...lane, open: [...lane.open, `${n}`] }
          if (decision.do === 'wait') lane = { ...lane, waiting: { run: run(`${n}`, null), firing: firingOf('queue') } }
        } else {
          const left = leave(lane, lane.open[0] ?? '')
          lane = left.next ? { ...left.lane, open: [left.next.run.id] } : left.lane
        }
        expect(lane.open.length).toBeLessThan(2)
        if (lane.open.length === 0) expect(lane.waiting).toBeNull()
      }
    }),
  )
})
