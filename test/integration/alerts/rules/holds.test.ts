/** What holds messages back: maintenance with its summary, snoozes, pending retries; and what it never holds back. */
import { afterEach, describe, expect, test } from 'bun:test'
import { insertSnooze } from '../../../../src/alerts/snoozes.ts'
import { closeRoutes, startRoutes } from '../../../support/alert-routes.ts'
import { tempDirectory } from '../../../support/temp.ts'

afterEach(closeRoutes)

const HOUR = 3_600_000
const OTHER = '22222222-2222-4333-8444-555555555555'
const states = (box: ReturnType<typeof startRoutes>) =>
  box.rows().map(({ destination, kind, state, reason }) => [destination, kind, reason ?? state].join(' '))

describe('maintenance', () => {
  const sunday = {
    name: 'sunday-patching',
    during: { days: 'sun', from: '02:00', to: '06:00' },
    match: { host: 'qs-*' },
  }
  const destinations = { mail: 'email', data: 'otlp' } as const
  const routes = [{ name: 'mine', match: { outcome: '*' }, to: ['mail', 'data'], limit: 'none' }]

  test('people hear nothing, recording destinations get everything, other hosts are not concerned', async () => {
    const box = startRoutes({ destinations, routes, maintenance: [sunday], start: '2026-03-01T02:00:00Z' })
    await box.fire()
    await box.fire({ host: 'other' })
    await box.fire({ outcome: 'success' })
    expect(states(box)).toEqual([
      'mail alert MAINTENANCE',
      'data alert pending',
      'mail alert pending',
      'data alert pending',
      'mail alert MAINTENANCE',
      'data alert pending',
    ])
  })

  test('what is not known is not held back', async () => {
    const maintenance = [{ ...sunday, match: { stream: 'Finance' } }]
    const box = startRoutes({ destinations, routes, maintenance, start: '2026-03-01T02:00:00Z' })
    await box.fire({ missingParts: ['app'] })
    expect(states(box)[0]).toBe('mail alert pending')
  })

  test('the window of the event counts, however late it is routed', async () => {
    const box = startRoutes({ destinations, routes, maintenance: [sunday], start: '2026-03-01T06:00:30Z' })
    await box.fire({ receivedAt: Date.parse('2026-03-01T05:59:50Z') })
    await box.fire()
    expect(states(box).filter((state) => state.startsWith('mail'))).toEqual([
      'mail alert MAINTENANCE',
      'mail alert pending',
    ])
  })

  // Clocks go forward at 02:00 on 29 March 2026 and back at 03:00 on 25 October 2026 in Stockholm.
  const local = { name: 'night', during: { days: 'sun', from: '01:30', to: '03:30', timezone: 'Europe/Stockholm' } }
  test.each([
    ['spring, before', '2026-03-29T00:29:59Z', false],
    ['spring, begin at 01:30 CET', '2026-03-29T00:30:00Z', true],
    ['spring, last second before 03:30 CEST', '2026-03-29T01:29:59Z', true],
    ['spring, end at 03:30 CEST', '2026-03-29T01:30:00Z', false],
    ['autumn, before', '2026-10-24T23:29:59Z', false],
    ['autumn, begin at 01:30 CEST', '2026-10-24T23:30:00Z', true],
    ['autumn, first 02:30', '2026-10-25T00:30:00Z', true],
    ['autumn, second 02:30', '2026-10-25T01:30:00Z', true],
    ['autumn, end at 03:30 CET', '2026-10-25T02:30:00Z', false],
  ])('%s', async (_name, start, held) => {
    const box = startRoutes({ destinations, routes, maintenance: [local], start })
    await box.fire()
    expect(states(box)[0]).toBe(held ? 'mail alert MAINTENANCE' : 'mail alert pending')
    expect(box.maintenance.isOn('night', box.clock.now())).toBe(held)
  })

  test('at its end there is one summary with the counts per task, to each of its destinations', async () => {
    const box = startRoutes({
      destinations: { ...destinations, hook: 'webhook' },
      routes: [{ name: 'mine', match: { outcome: '*' }, to: ['mail', 'hook'], limit: 'none' }],
      maintenance: [{ ...sunday, summaryTo: ['mail', 'hook'] }],
      start: '2026-03-01T02:00:00Z',
    })
    box.outbox.start()
    await box.fire({ taskName: 'Sales ETL' })
    await box.fire({ taskName: 'Sales ETL' })
    await box.fire({ taskName: 'HR', taskId: OTHER, outcome: 'aborted' })
    await box.fire({ taskName: 'HR', taskId: OTHER, outcome: 'success' })
    await box.summaries.look()
    expect(box.sent).toEqual([])
    box.at('2026-03-01T06:00:00Z')
    await box.summaries.look()
    await box.summaries.look()
    await box.settled()
    const summary = {
      title: 'Maintenance sunday-patching is over: 4 events were held back',
      lines: ['HR: 1 aborted, 1 success', 'Sales ETL: 2 failed'],
    }
    expect(box.sent.map(({ destination, kind, note }) => ({ destination, kind, note }))).toEqual([
      { destination: 'mail', kind: 'summary', note: { summary } },
      { destination: 'hook', kind: 'summary', note: { summary } },
    ])
    box.move(7 * 24 * HOUR)
    await box.summaries.look()
    expect(box.rows().filter(({ kind }) => kind === 'summary')).toHaveLength(2)
  })

  test('no summary when nothing was held back, and one after the start when it ended in between', async () => {
    const directory = tempDirectory()
    const setup = {
      destinations,
      routes,
      maintenance: [{ ...sunday, summaryTo: ['mail'] }],
      file: directory.join('footman.db'),
    }
    const first = startRoutes({ ...setup, start: '2026-03-01T05:00:00Z' })
    await first.summaries.look()
    await first.fire()
    await first.close()
    const second = startRoutes({ ...setup, start: '2026-03-01T09:00:00Z' })
    await second.summaries.look()
    expect(second.rows().filter(({ kind }) => kind === 'summary')).toHaveLength(1)
    second.move(24 * HOUR)
    await second.summaries.look()
    expect(second.rows().filter(({ kind }) => kind === 'summary')).toHaveLength(1)
    await second.close()
    directory.remove()
  })

  test('a recovery during a maintenance closes incidents, and other messages come with the next success after it', async () => {
    const box = startRoutes({
      destinations: { hook: 'webhook', incident: 'opsgenie' },
      routes: [{ name: 'mine', to: ['hook', 'incident'], recovery: true }],
      maintenance: [sunday],
      start: '2026-03-01T01:00:00Z',
    })
    await box.fire()
    box.at('2026-03-01T03:00:00Z')
    await box.fire({ outcome: 'success' })
    box.at('2026-03-01T07:00:00Z')
    await box.fire({ outcome: 'success' })
    expect(states(box)).toEqual([
      'hook alert pending',
      'incident alert pending',
      'hook recovery MAINTENANCE',
      'incident recovery pending',
      'hook recovery pending',
    ])
  })

  test('schedules ask whether one stops them', () => {
    const box = startRoutes({
      maintenance: [
        { ...sunday, stopSchedules: true },
        { name: 'all', during: { days: 'mon-sun' } },
      ],
    })
    expect(box.maintenance.stopsSchedules(Date.parse('2026-03-01T03:00:00Z'))).toBe('sunday-patching')
    expect(box.maintenance.stopsSchedules(Date.parse('2026-03-02T03:00:00Z'))).toBeNull()
  })
})

describe('snoozes', () => {
  const snooze = (box: ReturnType<typeof startRoutes>, match: object, hours = 2) =>
    insertSnooze(box.db, {
      id: '019cad2c-cb80-759b-a5ed-7e5323ddd7b3',
      match: JSON.stringify(match),
      reason: 'database is being moved',
      from: box.clock.now(),
      until: box.clock.now() + hours * HOUR,
      successOf: null,
      createdBy: 'key:erp',
      createdAt: box.clock.now(),
    })
  const setup = {
    destinations: { mail: 'email', data: 'mqtt' },
    routes: [{ name: 'mine', to: ['mail', 'data'], limit: 'none' }],
  } as const

  test('hold back what they are about, count it, and end by themselves', async () => {
    const box = startRoutes(setup)
    snooze(box, { task: ['Financial*'] })
    await box.fire()
    await box.fire({ taskName: 'another', taskId: OTHER })
    expect(states(box)).toEqual([
      'mail alert SNOOZED',
      'data alert pending',
      'mail alert pending',
      'data alert pending',
    ])
    expect(box.db.get('SELECT suppressed FROM snooze')).toEqual({ suppressed: 1 })
    expect(box.db.get(`SELECT detail FROM delivery WHERE state = 'suppressed'`)).toEqual({
      detail: 'until 2026-03-02T08:00:00.000Z: database is being moved',
    })
    box.move(2 * HOUR)
    await box.fire()
    expect(states(box).at(-2)).toBe('mail alert pending')
  })

  test('that wait for a success say so', async () => {
    const box = startRoutes(setup)
    const at = box.clock.now()
    const times = { from: at, until: at + HOUR, createdAt: at }
    insertSnooze(box.db, {
      ...times,
      id: 's',
      match: '{"type":"reload"}',
      successOf: OTHER,
      reason: '',
      createdBy: 'me',
    })
    await box.fire()
    expect(box.db.get(`SELECT detail FROM delivery WHERE state = 'suppressed'`)).toEqual({
      detail: 'until it succeeds, at the latest 2026-03-02T07:00:00.000Z',
    })
  })

  test('survive a restart', async () => {
    const directory = tempDirectory()
    const file = directory.join('footman.db')
    const first = startRoutes({ ...setup, file })
    snooze(first, { type: 'reload' })
    await first.close()
    const second = startRoutes({ ...setup, file, start: '2026-03-02T07:59:59Z' })
    await second.fire()
    expect(states(second)[0]).toBe('mail alert SNOOZED')
    await second.close()
    directory.remove()
  })

  test('explaining does not count', async () => {
    const box = startRoutes(setup)
    snooze(box, { type: 'reload' })
    const event = await box.fire()
    expect(box.explain(event).routes[0]?.deliveries[0]).toMatchObject({ wouldBe: 'suppressed', reason: 'SNOOZED' })
    expect(box.db.get('SELECT suppressed FROM snooze')).toEqual({ suppressed: 1 })
  })

  test('take no slot: after the snooze the first alert leaves', async () => {
    const box = startRoutes({ ...setup, routes: [{ name: 'mine', to: ['mail'], limit: '1/1d' }] })
    snooze(box, { type: 'reload' })
    await box.fire()
    box.move(3 * HOUR)
    await box.fire()
    expect(states(box)).toEqual(['mail alert SNOOZED', 'mail alert pending'])
  })
})

test('other features hold back with reasons of their own, after maintenance and snoozes', async () => {
  const box = startRoutes({
    destinations: { mail: 'email', data: 'otlp' },
    routes: [{ name: 'mine', to: ['mail', 'data'] }],
    holds: [
      {
        suppression: (_db, { event }) =>
          event.retry?.nextAt ? { reason: 'RETRY_PENDING', detail: 'try 2 of 3 follows' } : null,
      },
    ],
  })
  await box.fire({ retry: { attempt: 1, max: 3, nextAt: box.clock.now() + 60_000, refused: null } })
  await box.fire({ retry: { attempt: 3, max: 3, nextAt: null, refused: null } })
  expect(states(box)).toEqual([
    'mail alert RETRY_PENDING',
    'data alert pending',
    'mail alert pending',
    'data alert RATE_LIMITED',
  ])
})
