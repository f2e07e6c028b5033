/** What alert routes do with events: limits, overlaps, recoveries, tests, and that nothing odd costs others their messages. */

import { afterEach, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Rule } from '../../../../src/alerts/types.ts'
import { NOTHING_AWAITED } from '../../../../src/events/event-router.ts'
import type { QrsTask } from '../../../../src/qlik/qrs/types.ts'
import { closeRoutes, startRoutes } from '../../../support/alert-routes.ts'
import { fullEvent } from '../../../support/alerts.ts'
import { TASK_ID, taskEvent } from '../../../support/events.ts'
import { executionResult, qrsTask } from '../../../support/fake-qrs.ts'
import { tempDirectory } from '../../../support/temp.ts'

afterEach(closeRoutes)

const MINUTE = 60_000
const OTHER = '22222222-2222-4333-8444-555555555555'
const butlerRoute = (changes: Partial<Rule> = {}): Rule => ({
  name: 'butler.slackNotification.reloadTaskFailure',
  destination: 'slack',
  when: { types: ['reload'], outcomes: ['failed'] },
  phase: 'enriched',
  needs: [],
  plan: () => [{ target: 'hooks.slack.com', lane: 'slack' }],
  ...changes,
})

const planTo = (target: string) => () => [{ target, lane: target }]

describe('evaluation', () => {
  test('Butler routes come first and are never stopped; then every matching route sends, in order, until one stops', async () => {
    const box = startRoutes({
      destinations: { a: 'webhook', b: 'ntfy', c: 'otlp' },
      butler: { routes: [butlerRoute()] },
      routes: [
        { name: 'off', enable: false, to: ['a'] },
        { name: 'first', to: ['a', 'b'] },
        { name: 'others', match: { type: 'preload' }, to: ['c'], stop: true },
        { name: 'second', to: ['b'], stop: true },
        { name: 'third', to: ['c'] },
      ],
    })
    const event = await box.fire()
    expect(box.rows().map(({ route, destination }) => `${route} ${destination}`)).toEqual([
      'butler.slackNotification.reloadTaskFailure slack',
      'first a',
      'first b',
      'second b',
    ])
    const explained = box.explain(event)
    expect(explained.stoppedBy).toBe('second')
    expect(explained.routes.map(({ name, matched, because }) => [name, matched, because])).toEqual([
      ['butler.slackNotification.reloadTaskFailure', true, null],
      ['off', false, 'enable is false'],
      ['first', true, null],
      ['others', false, 'type is "reload", wanted preload'],
      ['second', true, null],
      ['third', false, 'rule second stops the evaluation'],
    ])
  })

  test('a message that is planned twice is made and reported once', async () => {
    const box = startRoutes({
      destinations: { a: 'webhook' },
      routes: [{ name: 'mine', to: ['a'] }],
      targets: () => ['b', 'b'],
      holds: [{ suppression: () => ({ reason: 'SNOOZED', detail: 'later' }) }],
    })
    await box.fire()
    expect(box.rows()).toMatchObject([{ destination: 'a', target: 'b', state: 'suppressed' }])
    expect(box.log.of('verbose').filter((line) => line.includes('NOTIFY suppressed'))).toHaveLength(1)
  })

  test('a route that fails over an event costs no other its message, and a match that fails counts as holding', async () => {
    const broken = (): never => {
      throw new Error('odd event')
    }
    const box = startRoutes({
      destinations: { a: 'webhook', b: 'ntfy' },
      butler: { routes: [butlerRoute({ plan: broken })] },
      routes: [{ name: 'mine', to: ['a', 'b'] }],
      targets: (name) => (name === 'a' ? broken() : ['b']),
      holds: [{ suppression: broken }],
    })
    await box.fire()
    expect(box.rows()).toMatchObject([{ route: 'mine', destination: 'b', state: 'pending' }])
    expect(box.log.of('error').join('\n')).toContain('odd event')
  })

  test('routing an event twice makes nothing twice', async () => {
    const box = startRoutes({ destinations: { a: 'pagerduty' }, routes: [{ name: 'mine', to: ['a'], limit: 'none' }] })
    const event = await box.fire()
    box.router.handle(box.db, event, NOTHING_AWAITED)
    expect(box.rows()).toHaveLength(1)
  })

  test('an event of a test passes gates that hold back, takes no slot and ends nothing', async () => {
    const box = startRoutes({
      destinations: { a: 'pagerduty' },
      routes: [{ name: 'mine', to: ['a'] }],
      maintenance: [{ name: 'always', during: { days: 'mon-sun' } }],
    })
    await box.fire({ test: true })
    await box.fire({ test: true })
    await box.fire({ test: true, outcome: 'success' })
    expect(box.rows().map(({ state, kind }) => `${kind} ${state}`)).toEqual(['alert pending', 'alert pending'])
    expect(box.db.all('SELECT * FROM rate_limit')).toEqual([])
  })

  test('severity and texts of the route are those of its messages', async () => {
    const box = startRoutes({
      destinations: { a: 'webhook' },
      routes: [{ name: 'mine', to: ['a'], severity: 'critical', title: '{{taskName}}!' }],
    })
    box.outbox.start()
    await box.fire()
    await box.settled()
    expect(box.sent[0]).toMatchObject({ severity: 'critical' })
    expect(box.db.get<{ subject: string }>('SELECT subject FROM delivery')).toEqual({ subject: '{{taskName}}!' })
  })
})

describe('replays', () => {
  test('one that is refused gives its slot back', async () => {
    let isRefused = false
    const box = startRoutes({
      destinations: { a: 'webhook' },
      routes: [{ name: 'mine', to: ['a'], limit: '1/5m' }],
      deliver: () => (isRefused ? { outcome: 'rejected', detail: 'HTTP 400' } : { outcome: 'delivered', detail: 'ok' }),
    })
    box.outbox.start()
    await box.fire({ taskName: 'told' })
    const limited = await box.fire({ taskName: 'limited' })
    await box.settled()
    box.move(6 * MINUTE)
    isRefused = true
    const selection = { routes: ['mine'], to: [], ignoreGates: false, kind: 'alert' } as const
    await box.writer.write((tx) => box.router.addReplays(tx, limited, selection))
    box.router.wake()
    await box.settled()
    isRefused = false
    await box.fire({ taskName: 'next' })
    await box.settled()
    expect(box.rows().map(({ state }) => state)).toEqual(['delivered', 'suppressed', 'dead', 'delivered'])
  })

  test('a destination that is named twice gets one message', async () => {
    const aside: Rule = { ...butlerRoute({ name: '', destination: 'a', role: 'aside' }), plan: planTo('a') }
    const box = startRoutes({ destinations: { a: 'webhook' }, butler: { routes: [aside] } })
    const event = await box.fire()
    const selection = { routes: [], to: ['a', 'a'], ignoreGates: true, kind: 'alert' } as const
    await box.writer.write((tx) => box.router.addReplays(tx, event, selection))
    expect(box.rows()).toHaveLength(1)
  })
})

describe('limits', () => {
  test('ten failures in five minutes are one message; the next one says that nine were held back', async () => {
    const box = startRoutes({ destinations: { a: 'webhook' }, routes: [{ name: 'mine', to: ['a'], limit: '1/5m' }] })
    box.outbox.start()
    for (let i = 0; i < 10; i += 1) {
      await box.fire({ executionId: `e${i}` })
      box.move(29_000)
    }
    await box.settled()
    expect(box.sent).toHaveLength(1)
    expect(box.rows().filter(({ reason }) => reason === 'RATE_LIMITED')).toHaveLength(9)
    box.move(5 * MINUTE)
    await box.fire()
    await box.settled()
    expect(box.sent.map(({ suppressed }) => suppressed)).toEqual([0, 9])
  })

  test('across a restart the same', async () => {
    const directory = tempDirectory()
    const setup = {
      destinations: { a: 'webhook' } as const,
      routes: [{ name: 'mine', to: ['a'] }],
      file: directory.join('footman.db'),
    }
    const first = startRoutes(setup)
    first.outbox.start()
    await first.fire()
    await first.settled()
    for (let i = 0; i < 4; i += 1) await first.fire()
    await first.close()

    const second = startRoutes({ ...setup, start: '2026-03-02T06:04:00Z' })
    second.outbox.start()
    for (let i = 0; i < 5; i += 1) await second.fire()
    expect(second.sent).toEqual([])
    second.at('2026-03-02T06:05:00Z')
    await second.fire()
    await second.settled()
    expect(second.sent).toMatchObject([{ suppressed: 9 }])
    await second.close()
    directory.remove()
  })

  const failures = [
    { taskId: TASK_ID, appId: 'a1' },
    { taskId: OTHER, appId: 'a1' },
    { taskId: OTHER, appId: 'a2' },
    { taskId: TASK_ID, appId: 'a1' },
  ]
  test.each([
    ['subject', '1/1h', 2],
    ['app', '1/1h', 2],
    ['route', '1/1h', 1],
    ['route', '3/1h', 3],
    ['subject', 'none', 4],
  ])('limitPer %s with %s lets %d of four through', async (limitPer, limit, expected) => {
    const box = startRoutes({ destinations: { a: 'webhook' }, routes: [{ name: 'mine', to: ['a'], limit, limitPer }] })
    for (const failure of failures) await box.fire(failure)
    expect(box.rows().filter(({ state }) => state === 'pending')).toHaveLength(expected)
  })

  test('destinations have limits of their own, mails one per recipient', async () => {
    const box = startRoutes({
      destinations: { mail: 'email', hook: 'webhook' },
      targets: (name, { taskName }) => (name === 'mail' ? ['ops@acme.example', taskName] : [name]),
      routes: [{ name: 'mine', to: ['mail', 'hook'], limitPer: 'route' }],
    })
    await box.fire({ taskName: 'anna@acme.example' })
    await box.fire({ taskName: 'bo@acme.example', taskId: OTHER })
    const pending = box.rows().filter(({ state }) => state === 'pending')
    expect(pending.map(({ target }) => target)).toEqual([
      'ops@acme.example',
      'anna@acme.example',
      'hook',
      'bo@acme.example',
    ])
  })

  test('of an own alert the message about what has joined is let through beside it, and both recover', async () => {
    const routes = [{ name: 'own', match: { type: 'self' as const }, to: ['a'], recovery: true }]
    const box = startRoutes({ destinations: { a: 'webhook' }, routes })
    const own = { type: 'self', code: 'CALENDAR_UNREADABLE' } as const
    const details = { kind: 'self', text: 'Also: plant', joined: true } as const
    await box.fire({ ...own, outcome: 'raised' })
    await box.fire({ ...own, outcome: 'raised', details })
    await box.fire({ ...own, outcome: 'raised', details })
    await box.fire({ ...own, outcome: 'raised' })
    await box.fire({ ...own, outcome: 'cleared' })
    expect(box.rows().map(({ kind, reason }) => [kind, reason])).toEqual([
      ['alert', null],
      ['alert', null],
      ['alert', 'RATE_LIMITED'],
      ['alert', 'RATE_LIMITED'],
      ['recovery', null],
    ])
  })

  test('a clock that goes back neither blocks nor repeats for long', async () => {
    const box = startRoutes({ destinations: { a: 'webhook' }, routes: [{ name: 'mine', to: ['a'] }] })
    box.outbox.start()
    await box.fire()
    await box.settled()
    box.move(-3_600_000)
    await box.fire()
    await box.fire()
    expect(box.rows().map(({ reason }) => reason)).toEqual([null, null, 'RATE_LIMITED'])
  })
})

describe('recovery', () => {
  const kinds = (box: ReturnType<typeof startRoutes>) =>
    box.rows().map(({ kind, destination }) => `${kind} ${destination}`)

  test('auto closes incidents, true tells everybody who was told, false nobody', async () => {
    const box = startRoutes({
      destinations: { hook: 'webhook', incident: 'pagerduty' },
      routes: [
        { name: 'auto', to: ['hook', 'incident'] },
        { name: 'all', match: { outcome: 'failed' }, to: ['hook', 'incident'], recovery: true },
        { name: 'none', to: ['incident'], recovery: false },
      ],
    })
    box.outbox.start()
    await box.fire()
    await box.fire({ outcome: 'success' })
    await box.settled()
    const recoveries = box.rows().filter(({ kind }) => kind === 'recovery')
    expect(recoveries.map(({ route, destination }) => `${route} ${destination}`)).toEqual([
      'auto incident',
      'all hook',
      'all incident',
    ])
    await box.fire({ outcome: 'success' })
    expect(box.rows().filter(({ kind }) => kind === 'recovery')).toHaveLength(3)
  })

  test('one per target and series, only about the subject, and only to who was reached', async () => {
    const box = startRoutes({
      destinations: { a: 'webhook', dead: 'webhook' },
      deliver: (name) =>
        name === 'dead' ? { outcome: 'rejected', detail: 'HTTP 400' } : { outcome: 'delivered', detail: 'ok' },
      routes: [{ name: 'mine', to: ['a', 'dead'], recovery: true, limit: 'none' }],
    })
    box.outbox.start()
    await box.fire()
    await box.fire()
    await box.settled()
    await box.fire({ outcome: 'success', taskId: OTHER })
    await box.fire({ outcome: 'success' })
    await box.settled()
    expect(box.sent.map(({ kind }) => kind)).toEqual(['alert', 'alert', 'recovery'])
    await box.fire()
    await box.settled()
    await box.fire({ outcome: 'success' })
    await box.settled()
    expect(box.sent.map(({ kind }) => kind)).toEqual(['alert', 'alert', 'recovery', 'alert', 'recovery'])
  })

  test('a claimed success that Qlik Sense confirms only later has its recoveries then, once', async () => {
    const box = startRoutes({ destinations: { a: 'pagerduty' }, routes: [{ name: 'mine', to: ['a'] }] })
    await box.fire()
    const claimed = await box.fire({ outcome: 'success', execution: null })
    expect(kinds(box)).toEqual(['alert a'])
    const failedSince = qrsTask({
      operational: {
        lastExecutionResult: executionResult({ stopTime: new Date(box.clock.now() + 1000).toISOString() }),
      },
    })
    const confirm = (task: QrsTask) =>
      box.writer.write((tx) => box.router.addRecoveries(tx, { ...claimed, source: 'reconciler', task }))
    await confirm(failedSince)
    expect(kinds(box)).toEqual(['alert a'])
    await confirm(qrsTask())
    await confirm(qrsTask())
    expect(kinds(box)).toEqual(['alert a', 'recovery a'])
  })

  test('it never overtakes its alert', async () => {
    let down = true
    const box = startRoutes({
      destinations: { a: 'pagerduty' },
      deliver: () => (down ? { outcome: 'retry', detail: 'HTTP 503' } : { outcome: 'delivered', detail: 'ok' }),
      routes: [{ name: 'mine', to: ['a'] }],
    })
    box.outbox.start()
    await box.fire()
    await box.fire({ outcome: 'success' })
    down = false
    box.move(1000)
    box.outbox.wake(new Set(['a']))
    await box.settled()
    expect(box.sent.map(({ kind }) => kind)).toEqual(['alert', 'recovery'])
  })

  const license = (expired: boolean, expiryDate: string) => ({
    ...({ type: 'license', taskId: '', taskName: '' } as const),
    details: { kind: 'license', expired, expiryDate, daysRemaining: 20 } as const,
  })
  const service = { ...({ type: 'service', taskId: '', taskName: '' } as const), host: 'qs-1' }
  test.each([
    [
      'a service starts',
      { ...service, outcome: 'stopped' as const },
      { ...service, outcome: 'started' as const },
      true,
    ],
    [
      'a service answers',
      { ...service, outcome: 'unreachable' as const },
      { ...service, outcome: 'started' as const },
      true,
    ],
    [
      'another host',
      { ...service, outcome: 'stopped' as const },
      { ...service, host: 'qs-2', outcome: 'started' as const },
      false,
    ],
    [
      'an own alert ends',
      { type: 'self', outcome: 'raised', code: 'QRS_DOWN' } as const,
      { type: 'self', outcome: 'cleared', code: 'QRS_DOWN' } as const,
      true,
    ],
    [
      'another own alert ends',
      { type: 'self', outcome: 'raised', code: 'QRS_DOWN' } as const,
      { type: 'self', outcome: 'cleared', code: 'DISK_LOW' } as const,
      false,
    ],
    ['a late task starts', { outcome: 'late' } as const, { outcome: 'started' } as const, true],
    ['a stuck task starts', { outcome: 'stuck' } as const, { outcome: 'started' } as const, false],
    ['a stuck task succeeds', { outcome: 'stuck' } as const, { outcome: 'success' } as const, true],
    ['a failed task starts', { outcome: 'failed' } as const, { outcome: 'started' } as const, false],
    [
      'a licence is valid',
      { ...license(true, '2026-03-01'), outcome: 'expired' as const },
      { ...license(false, '2027-03-01'), outcome: 'status' as const },
      true,
    ],
    [
      'a licence still expires',
      { ...license(false, '2026-03-20'), outcome: 'expiring' as const },
      { ...license(false, '2026-03-20'), outcome: 'status' as const },
      false,
    ],
    [
      'a licence is prolonged',
      { ...license(false, '2026-03-20'), outcome: 'expiring' as const },
      { ...license(false, '2027-03-20'), outcome: 'status' as const },
      true,
    ],
    [
      'a cloud app reloads',
      { type: 'cloudReload', outcome: 'failed', appId: 'c1' } as const,
      { type: 'cloudReload', outcome: 'success', appId: 'c1' } as const,
      true,
    ],
  ])('%s', async (_name, bad, good, recovers) => {
    const box = startRoutes({ destinations: { a: 'webhook' }, routes: [{ name: 'mine', to: ['a'], recovery: true }] })
    await box.fire(bad)
    await box.fire(good)
    expect(kinds(box)).toEqual(recovers ? ['alert a', 'recovery a'] : ['alert a'])
  })

  test('Butler routes tell recoveries when asked to, but not to those who only record', async () => {
    const mqtt = butlerRoute({ name: 'butler.mqttConfig.taskFailureFullTopic', destination: 'mqtt' })
    const box = startRoutes({
      butler: { routes: [butlerRoute(), mqtt], settings: { recovery: true } },
    })
    await box.fire()
    await box.fire({ outcome: 'success' })
    expect(kinds(box)).toEqual(['alert slack', 'alert mqtt', 'recovery slack'])
  })

  test('success is enriched where somebody wants to hear of it, without execution and script log', () => {
    const box = startRoutes({
      destinations: { a: 'webhook', b: 'webhook' },
      routes: [
        { name: 'plain', match: { type: 'reload', message: '/x/' }, to: ['a'] },
        { name: 'back', match: { type: 'preload', message: '/x/' }, to: ['b'], recovery: true },
      ],
    })
    expect([...box.router.needs('reload', 'failed')].sort()).toEqual(['app', 'scriptLog'])
    expect([...box.router.needs('preload', 'success')]).toEqual(['app'])
    expect([...box.router.needs('reload', 'success')]).toEqual([])
    expect([...box.router.needs('service', 'stopped')]).toEqual([])
  })
})

describe('butlerRoutes', () => {
  test('disable switches routes off, and explain says so', async () => {
    const box = startRoutes({
      butler: { routes: [butlerRoute()], settings: { disable: ['butler.slackNotification.reloadTaskFailure'] } },
    })
    await box.fire()
    expect(box.rows()).toEqual([])
  })
})

test('what has to be found when datagrams get lost: events of alerts, and those that end them', () => {
  const box = startRoutes({
    destinations: { a: 'webhook' },
    routes: [
      { name: 'plain', match: { type: 'preload', outcome: 'failed' }, to: ['a'] },
      { name: 'back', match: { type: 'reload', outcome: 'aborted' }, to: ['a'], recovery: true },
    ],
  })
  expect(box.router.wants('preload', 'failed')).toBe(true)
  expect(box.router.wants('preload', 'aborted')).toBe(false)
  expect(box.router.wants('reload', 'aborted')).toBe(true)
  expect(box.router.wants('reload', 'success')).toBe(true)
  expect(box.router.wants('preload', 'success')).toBe(false)
  expect(box.router.wants('service', 'stopped')).toBe(false)
})

test('explaining predicts what routing does, whatever has happened before', async () => {
  const step = fc.record({
    outcome: fc.constantFrom('failed', 'aborted', 'success', 'late', 'neverStarted', 'started' as const),
    task: fc.integer({ min: 1, max: 3 }),
    failures: fc.integer({ min: 0, max: 4 }),
    minutes: fc.integer({ min: 0, max: 90 }),
    known: fc.boolean(),
  })
  const named = (n: number) => ({ id: `task-${n}`, name: `Step ${n}` })
  const run = async (steps: readonly FcValue<typeof step>[]) => {
    const box = startRoutes({
      destinations: { mail: 'email', incident: 'pagerduty', teams: 'teams', data: 'otlp' },
      windows: { noon: { from: '11:00', to: '13:00' } },
      routes: [
        { name: 'owners', match: { consecutiveFailures: '>=2' }, to: ['mail'], recovery: true, limit: '2/1h' },
        {
          name: 'night',
          match: { stream: 'Finance' },
          except: { during: 'noon' },
          to: ['incident'],
          fallback: ['mail'],
        },
        {
          name: 'chain',
          match: { taskId: ['task-1', 'task-2'] },
          to: ['teams'],
          group: 'chain',
          recovery: true,
          stop: true,
        },
        { name: 'data', match: { outcome: '*' }, to: ['data'], limit: '1/30m', limitPer: 'route' },
      ],
      maintenance: [{ name: 'morning', during: { from: '07:00', to: '08:00' }, match: { stream: 'Finance' } }],
      chains: { downstream: (id) => (id === 'task-1' ? [named(2), named(3)] : []), usualStart: () => null },
    })
    for (const { outcome, task, failures, minutes, known } of steps) {
      box.move(minutes * 60_000)
      const event = taskEvent({
        outcome,
        taskId: `task-${task}`,
        receivedAt: box.clock.now(),
        history: { consecutiveFailures: failures, lastSuccessAt: null },
        app: known ? fullEvent().app : null,
      })
      const explained = box
        .explain(event)
        .routes.flatMap(({ name, deliveries }) =>
          deliveries.map(
            ({ kind = 'alert', ...one }) => `${name} ${one.destination} ${kind} ${one.wouldBe} ${one.reason}`,
          ),
        )
      await box.fire(event)
      const done = box
        .rows()
        .filter(({ event_id }) => event_id === event.id)
        .map(({ route, destination, kind, state, reason }) => `${route} ${destination} ${kind} ${state} ${reason}`)
      expect(explained.sort()).toEqual(done.sort())
    }
    await box.close()
  }
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), run), { numRuns: 40 })
}, 60_000)

type FcValue<T> = T extends fc.Arbitrary<infer V> ? V : never
