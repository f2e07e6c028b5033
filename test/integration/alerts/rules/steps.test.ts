/** Deliveries that leave as soon as their own data are there: the same ones, decided in the same way, as all at once. */
import { afterEach, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { insertSnooze } from '../../../../src/alerts/snoozes.ts'
import { NOTHING_AWAITED } from '../../../../src/events/event-router.ts'
import type { Need, TaskEvent } from '../../../../src/events/types.ts'
import { closeRoutes, type RoutesSetup, startRoutes, successAt } from '../../../support/alert-routes.ts'
import { fullEvent } from '../../../support/alerts.ts'

afterEach(closeRoutes)

const HOUR = 3_600_000
const START = '2026-03-02T06:00:00Z'
const destinations = { pager: 'pagerduty', push: 'ntfy', mail: 'email', data: 'otlp' } as const
const needs: NonNullable<RoutesSetup['needs']> = {
  pager: [],
  push: ['app', 'owner'],
  mail: ['app', 'owner', 'execution', 'scriptLog'],
  data: ['execution'],
}
const OWNER: readonly Need[] = ['owner']
const LOG_OPEN: readonly Need[] = ['scriptLog']
const EXECUTION_OPEN: readonly Need[] = ['execution', 'scriptLog']
const ALL_OPEN: readonly Need[] = ['app', 'owner', 'execution', 'scriptLog']
type Box = ReturnType<typeof startRoutes>

const made = (box: Box) =>
  box.rows().map(({ destination, kind, state, reason }) => [destination, kind, reason ?? state].join(' '))

/** A full event now. */
const now = (box: Box, changes: Partial<TaskEvent> = {}): Partial<TaskEvent> => {
  const { id: _, ...event } = fullEvent(changes)
  return { ...event, receivedAt: box.clock.now() }
}

/** Fires the event in one step before the last one and tells what was made in it. */
async function early(box: Box, changes: Partial<TaskEvent>, open: readonly Need[]): Promise<string[]> {
  const before = box.rows().length
  const event = { ...fullEvent(changes), receivedAt: box.clock.now() }
  await box.writer.write((tx) => {
    box.storeEvent(tx, event)
    const known = { ...event, ...Object.fromEntries(open.map((part) => [part, null])) }
    box.router.handle(tx, known, new Set(open))
  })
  return made(box).slice(before)
}

describe('in a step before the last one', () => {
  const to = ['pager', 'push', 'mail', 'data']
  const one = { name: 'one', to, limit: 'none' }

  test.each([
    [ALL_OPEN, ['pager']],
    [EXECUTION_OPEN, ['pager', 'push']],
    [LOG_OPEN, ['pager', 'push', 'data']],
  ])('without %j: %j', async (open, expected) => {
    const box = startRoutes({ destinations, needs, routes: [one], start: START })
    expect(await early(box, {}, open)).toEqual(expected.map((name) => `${name} alert pending`))
    expect(box.router.countReady('reload', 'failed', new Set(open))).toBe(expected.length)
  })

  test('conditions about what is not known are not asked, and a route that ends the evaluation holds up those behind it', async () => {
    const slow = { name: 'slow', match: { message: '*Amount*' }, to: ['data'], stop: true }
    const box = startRoutes({ destinations, needs, routes: [one, slow, { ...one, name: 'two' }], start: START })
    expect(await early(box, {}, LOG_OPEN)).toHaveLength(3)
    const asked = startRoutes({ destinations, needs, routes: [{ ...slow, stop: false }, one], start: START })
    expect(await early(asked, {}, LOG_OPEN)).toHaveLength(3)
  })

  test('a chain waits for the start of the execution', async () => {
    const box = startRoutes({ destinations, needs, routes: [{ ...one, group: 'chain' }], start: START })
    expect(await early(box, {}, EXECUTION_OPEN)).toEqual([])
  })

  test('a snooze that asks about the script log is waited for, by what it could hold back', async () => {
    const box = startRoutes({ destinations, needs, routes: [one], start: START })
    const at = box.clock.now()
    const snooze = { from: at - HOUR, until: at + HOUR, successOf: null, reason: '', createdBy: 'me', createdAt: at }
    insertSnooze(box.db, { ...snooze, id: 's1', match: JSON.stringify({ message: '*Amount*' }) })
    expect(await early(box, {}, LOG_OPEN)).toEqual(['data alert pending'])
  })

  test('a recovery leaves as soon as the execution confirms the success, whatever else is open', async () => {
    const box = startRoutes({ destinations, needs, routes: [{ ...one, recovery: true }], start: START })
    await box.fire(now(box))
    expect(await early(box, { outcome: 'success' }, EXECUTION_OPEN)).toEqual([])
    const success = { outcome: 'success', execution: successAt(box.clock.now()) } as const
    expect(await early(box, success, LOG_OPEN)).toEqual(to.map((name) => `${name} recovery pending`))
  })

  test('what was called off meanwhile is not made again', async () => {
    const box = startRoutes({ destinations, needs, routes: [one], start: START })
    const event = { ...fullEvent(), receivedAt: box.clock.now() }
    await box.writer.write((tx) => {
      box.storeEvent(tx, event)
      box.router.handle(tx, { ...event, execution: null, scriptLog: null }, new Set(EXECUTION_OPEN))
      tx.run(`UPDATE delivery SET state = 'dead', reason = 'CANCELLED' WHERE destination = 'pager'`)
      box.router.handle(tx, event, NOTHING_AWAITED)
    })
    expect(made(box)).toEqual([
      'pager alert CANCELLED',
      'push alert pending',
      'mail alert pending',
      'data alert pending',
    ])
  })
})

describe('however many steps', () => {
  const condition = fc.oneof(
    fc.constant({}),
    fc.constant({ outcome: '*' }),
    fc.constantFrom({ host: 'qs-sched-*' }, { host: 'qs-prod-1' }, { host: 'nowhere' }),
    fc.constantFrom({ stream: 'Finance' }, { stream: 'HR' }, { owner: 'ACME\\anna' }, { appTag: 'sales' }),
    fc.constantFrom({ duration: '>1m' }, { duration: '>1h' }, { message: '*Amount*' }, { message: '*disk*' }),
    fc.constantFrom({ consecutiveFailures: '>=2' }, { consecutiveFailures: '<2' }, { task: '*hourly' }),
  )
  const route = fc.record({
    match: condition,
    except: fc.option(condition, { nil: undefined }),
    to: fc.uniqueArray(fc.constantFrom('pager', 'push', 'mail', 'data'), { minLength: 1, maxLength: 3 }),
    limit: fc.constantFrom('none', '1/5m', '2/5m'),
    limitPer: fc.constantFrom('subject', 'app', 'route'),
    recovery: fc.constantFrom(true, false, 'auto' as const),
    fallback: fc.constantFrom([], ['mail']),
    group: fc.constantFrom('none', 'chain'),
    stop: fc.boolean(),
  })
  const part = fc.constantFrom<Need>('app', 'owner', 'execution', 'scriptLog')
  /** Without the app nobody can ask for its owner, without the execution nobody for its script log. */
  const parts = (shape: { minLength?: number }) =>
    fc.uniqueArray(part, { ...shape, maxLength: 4 }).map((chosen): readonly Need[] => {
      const also: Need[] = [...(chosen.includes('app') ? OWNER : []), ...(chosen.includes('execution') ? LOG_OPEN : [])]
      return [...new Set([...chosen, ...also])]
    })
  const event = fc.record({
    task: fc.integer({ min: 1, max: 3 }),
    outcome: fc.constantFrom('failed', 'failed', 'aborted', 'success'),
    failures: fc.integer({ min: 1, max: 3 }),
    missing: fc.oneof({ weight: 3, arbitrary: fc.constant<readonly Need[]>([]) }, parts({})),
    open: fc.array(parts({ minLength: 1 }), { maxLength: 4 }),
    minutes: fc.integer({ min: 0, max: 4 }),
  })
  const held = fc.record({
    maintenance: fc.option(condition, { nil: undefined }),
    snooze: fc.option(condition, { nil: undefined }),
  })
  const chains: RoutesSetup['chains'] = {
    downstream: (id) => [1, 2, 3].filter((n) => n > Number(id.at(-1))).map((n) => ({ id: idOf(n), name: `Task ${n}` })),
    usualStart: () => null,
  }
  const idOf = (n: number) => `70000000-0000-4000-8000-00000000000${n}`

  function boxOf(routes: readonly object[], { maintenance, snooze }: { maintenance?: object; snooze?: object }): Box {
    const box = startRoutes({
      destinations,
      needs,
      chains,
      start: START,
      routes: routes.map((one, n) => ({ ...one, name: `route-${n}` })),
      maintenance: maintenance
        ? [{ name: 'patching', during: { days: 'mon-sun', from: '06:00', to: '06:05' }, match: maintenance }]
        : [],
    })
    const at = box.clock.now()
    const times = { from: at, until: at + 240_000, successOf: null, createdAt: at }
    if (snooze) insertSnooze(box.db, { ...times, id: 's', reason: '', createdBy: 'me', match: JSON.stringify(snooze) })
    return box
  }

  /** What has come of it all; the order in which deliveries were made aside. */
  function result(box: Box): unknown {
    const all = (sql: string) => box.db.all<Record<string, unknown>>(sql).map((row) => JSON.stringify(row))
    return {
      deliveries: all(
        `SELECT event.seq AS event, route, destination, target, kind, delivery.state, delivery.reason, detail, order_key,
           limit_key, delivery.severity, note FROM delivery JOIN event ON event.id = event_id`,
      ).toSorted(),
      limits: all('SELECT key, ends_at, suppressed, told FROM rate_limit ORDER BY key'),
      groups: all('SELECT route, root_task_id, downstream, ends_at, closed_at FROM alert_group').toSorted(),
      fallbacks: all('SELECT route, due_at FROM fallback_watch').toSorted(),
      snoozes: all('SELECT suppressed FROM snooze'),
    }
  }

  test('the deliveries are those of one step', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(route, { minLength: 1, maxLength: 4 }),
        held,
        fc.array(event, { minLength: 1, maxLength: 6 }),
        async (routes, holds, events) => {
          const results = await Promise.all(
            [false, true].map(async (inSteps) => {
              const box = boxOf(routes, holds)
              for (const { task, outcome, failures, missing, open, minutes } of events) {
                box.move(minutes * 60_000)
                const lost = Object.fromEntries(missing.map((one) => [one, null]))
                const steps = open.toSorted((a, b) => b.length - a.length)
                await box.fire(
                  now(box, {
                    taskId: idOf(task),
                    executionId: '',
                    outcome: outcome as 'failed',
                    ...lost,
                    missingParts: missing,
                    history: { consecutiveFailures: outcome === 'success' ? 0 : failures, lastSuccessAt: null },
                  }),
                  inSteps ? steps : [],
                )
              }
              const found = result(box)
              await box.close()
              return found
            }),
          )
          expect(results[1]).toEqual(results[0])
        },
      ),
      { numRuns: 200 },
    )
  }, 120_000)
})
