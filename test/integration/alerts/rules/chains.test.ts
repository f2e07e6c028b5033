/** One message per broken chain, and fallbacks for what does not arrive. */
import { afterEach, describe, expect, test } from 'bun:test'
import { releaseHeld } from '../../../../src/alerts/outbox/release.ts'
import { type Chains, usualStart } from '../../../../src/alerts/rules/chains.ts'
import type { DeliveryResult } from '../../../../src/alerts/types.ts'
import { closeRoutes, startRoutes } from '../../../support/alert-routes.ts'
import { tempDirectory } from '../../../support/temp.ts'
import { until } from '../../../support/wait.ts'

afterEach(closeRoutes)

const HOUR = 3_600_000
const MINUTE = 60_000
const task = (n: number) => ({ taskId: `70000000-0000-4000-8000-00000000000${n}`, taskName: `Step ${n}` })
const named = (n: number) => ({ id: task(n).taskId, name: task(n).taskName })

/** 1 -> 2 -> 3 -> 4 */
const chains: Chains = {
  downstream: (id) => {
    const from = Number(id.at(-1))
    return [2, 3, 4].filter((n) => n > from && from > 0 && from < 5).map(named)
  },
  usualStart,
}

describe('group: chain', () => {
  const setup = {
    destinations: { teams: 'teams', data: 'otlp' },
    routes: [{ name: 'etl', to: ['teams', 'data'], group: 'chain', recovery: true, limit: 'none' }],
    chains,
  } as const
  const told = (box: ReturnType<typeof startRoutes>) =>
    box.sent.filter(({ destination }) => destination === 'teams').map(({ kind, event }) => `${kind} ${event}`)

  test('the root fails: one message that names three tasks; it succeeds: one recovery; nothing else', async () => {
    const box = startRoutes(setup)
    box.outbox.start()
    await box.fire(task(1))
    await box.fire(task(1))
    for (const n of [2, 3, 4]) await box.fire({ ...task(n), outcome: 'neverStarted' })
    await box.fire(task(2))
    await box.settled()
    expect(told(box)).toEqual(['alert Step 1'])
    expect(box.sent[0]?.note).toEqual({
      chain: {
        root: named(1),
        downstream: [2, 3, 4].map((n) => ({ ...named(n), usualStart: null })),
      },
    })
    expect(box.rows().filter(({ reason }) => reason === 'GROUPED')).toHaveLength(5)

    await box.fire({ ...task(1), outcome: 'success' })
    for (const n of [2, 3, 4]) await box.fire({ ...task(n), outcome: 'success' })
    await box.settled()
    expect(told(box)).toEqual(['alert Step 1', 'recovery Step 1'])

    // The success of the root has ended the group.
    await box.fire(task(2))
    await box.settled()
    expect(told(box).slice(2)).toEqual(['alert Step 2'])
  })

  test('recording destinations are told everything', async () => {
    const box = startRoutes(setup)
    await box.fire(task(1))
    await box.fire(task(2))
    expect(box.rows().filter(({ destination, state }) => destination === 'data' && state === 'pending')).toHaveLength(2)
  })

  test('after the window, after the end, and for tasks outside of the chain everything is told', async () => {
    const box = startRoutes(setup)
    box.outbox.start()
    await box.fire(task(2))
    await box.fire(task(1))
    await box.fire(task(3))
    await box.settled()
    expect(told(box)).toEqual(['alert Step 2', 'alert Step 1'])
    box.move(HOUR)
    await box.fire(task(3))
    await box.settled()
    expect(told(box)).toHaveLength(3)
  })

  test('a group survives a restart', async () => {
    const directory = tempDirectory()
    const file = directory.join('footman.db')
    const first = startRoutes({ ...setup, file })
    await first.fire(task(1))
    await first.close()
    // The graph is not read yet: what was known when the group was opened counts.
    const second = startRoutes({
      ...setup,
      file,
      chains: { downstream: () => [], usualStart },
      start: '2026-03-02T06:30:00Z',
    })
    await second.fire(task(4))
    expect(second.rows().at(-2)).toMatchObject({ destination: 'teams', reason: 'GROUPED' })
    await second.close()
    directory.remove()
  })

  test('what is held back for another reason opens no group', async () => {
    const box = startRoutes({
      ...setup,
      maintenance: [{ name: 'night', during: { from: '05:00', to: '06:10' } }],
    })
    await box.fire(task(1))
    box.move(15 * MINUTE)
    await box.fire(task(2))
    const states = box.rows().filter(({ destination }) => destination === 'teams')
    expect(states.map(({ state, reason }) => reason ?? state)).toEqual(['MAINTENANCE', 'pending'])
  })

  test('explaining opens no group', async () => {
    const box = startRoutes(setup)
    const event = await box.fire(task(1))
    expect(box.explain(event).routes[0]?.deliveries[0]).toMatchObject({ wouldBe: 'pending' })
    box.db.run('DELETE FROM alert_group')
    box.explain(event)
    expect(box.db.all('SELECT * FROM alert_group')).toEqual([])
  })

  test('the usual start follows the root as it mostly did', async () => {
    const box = startRoutes({ ...setup, start: '2026-03-02T06:00:00Z' })
    const add = (n: number, startedAt: string) =>
      box.db.run(
        `INSERT INTO execution (execution_id, task_id, task_name, task_type, outcome, started_at, stopped_at, attempts)
         VALUES (?, ?, 'x', 'reload', 'success', ?, ?, 1)`,
        `${n} ${startedAt}`,
        task(n).taskId,
        Date.parse(startedAt),
        Date.parse(startedAt) + MINUTE,
      )
    for (const day of ['25', '26', '27']) {
      add(1, `2026-02-${day}T06:00:00Z`)
      add(1, `2026-02-${day}T18:00:00Z`)
      add(2, `2026-02-${day}T18:${day}:00Z`)
    }
    await box.fire({ ...task(1) })
    box.outbox.start()
    await box.settled()
    expect(
      box.sent
        .find(({ destination }) => destination === 'teams')
        ?.note?.chain?.downstream.map(({ usualStart }) => usualStart),
    ).toEqual(['2026-03-02T06:26:00.000Z', null, null])
  })
})

test('chains that cannot be followed cost no message', async () => {
  const broken: Chains = {
    downstream() {
      throw new Error('odd chain')
    },
    usualStart,
  }
  const box = startRoutes({
    destinations: { teams: 'teams' },
    routes: [{ name: 'etl', to: ['teams'], group: 'chain' }],
    chains: broken,
  })
  box.outbox.start()
  await box.fire(task(1))
  await box.settled()
  expect(box.sent).toMatchObject([{ event: 'Step 1', note: null }])
})

describe('fallback', () => {
  const DOWN: DeliveryResult = { outcome: 'retry', detail: 'refused', peerDown: true }
  const OK: DeliveryResult = { outcome: 'delivered', detail: 'ok' }
  const setup = {
    destinations: { primary: 'pagerduty', phone: 'ntfy', mail: 'email' },
    routes: [{ name: 'night', to: ['primary'], fallback: ['phone', 'mail'], severity: 'critical' }],
  } as const

  test('the primary refuses for five minutes: the fallback arrives once, the original later', async () => {
    let up = false
    const box = startRoutes({ ...setup, deliver: (name) => (name === 'primary' && !up ? DOWN : OK) })
    box.outbox.start()
    await box.fallbacks.start()
    await box.fire()
    box.move(4 * MINUTE)
    // Longer than the interval at which overdue deliveries are looked for.
    await Bun.sleep(1200)
    expect(box.sent).toEqual([])
    box.move(MINUTE)
    await until(() => box.sent.length === 2)
    box.move(10 * MINUTE)
    up = true
    box.outbox.wake(new Set(['primary']))
    await box.settled()
    expect(box.sent.map(({ destination, kind, severity, note }) => ({ destination, kind, severity, note }))).toEqual([
      { destination: 'phone', kind: 'fallback', severity: 'critical', note: { failedDestination: 'primary' } },
      { destination: 'mail', kind: 'fallback', severity: 'critical', note: { failedDestination: 'primary' } },
      { destination: 'primary', kind: 'alert', severity: 'critical', note: null },
    ])
    expect(box.db.all('SELECT * FROM fallback_watch')).toEqual([])
  }, 90_000)

  test('a dead letter is told at once, one that somebody called off is not', async () => {
    const box = startRoutes({
      ...setup,
      deliver: (name) => (name === 'primary' ? { outcome: 'rejected', detail: 'HTTP 400' } : OK),
    })
    box.outbox.start()
    await box.fallbacks.start()
    await box.fire()
    await until(() => box.sent.length === 2)

    const other = startRoutes({ ...setup, deliver: () => DOWN })
    await other.fire()
    other.db.run(`UPDATE delivery SET state = 'dead', reason = 'CANCELLED'`)
    other.move(10 * MINUTE)
    await other.fallbacks.start()
    await until(() => other.db.get('SELECT 1 FROM fallback_watch') === undefined)
    expect(other.rows()).toHaveLength(1)
  }, 90_000)

  test('what was delivered or held back in time needs none', async () => {
    const box = startRoutes(setup)
    box.outbox.start()
    await box.fallbacks.start()
    await box.fire()
    await box.fire()
    await box.settled()
    box.move(HOUR)
    await until(() => box.db.get('SELECT 1 FROM fallback_watch') === undefined)
    expect(box.sent.map(({ destination }) => destination)).toEqual(['primary'])
  }, 90_000)

  test('a destination that fails over one event costs neither its other fallback nor those of other events', async () => {
    const box = startRoutes({
      ...setup,
      deliver: (name) => (name === 'primary' ? DOWN : OK),
      targets(name, { taskName }) {
        if (name === 'phone' && taskName === 'odd') throw new Error('odd event')
        return [name]
      },
    })
    box.outbox.start()
    await box.fire({ taskId: 'odd', taskName: 'odd' })
    await box.fire({ taskId: 'usual', taskName: 'usual' })
    box.move(10 * MINUTE)
    await box.fallbacks.start()
    await until(() => box.sent.length === 3, { timeout: 10_000, state: box.rows })
    expect(box.sent.map(({ event, destination }) => `${event} ${destination}`).sort()).toEqual([
      'odd mail',
      'usual mail',
      'usual phone',
    ])
    expect(box.db.all('SELECT * FROM fallback_watch')).toEqual([])
  }, 90_000)

  test('what was held back and is released has its fallback, too', async () => {
    const box = startRoutes({
      ...setup,
      deliver: (name) => (name === 'primary' ? DOWN : OK),
      holds: [{ suppression: () => ({ reason: 'RETRY_PENDING', detail: 'try 1 of 3' }) }],
    })
    box.outbox.start()
    const { id: eventId } = await box.fire()
    const { rule } = box.router
    const lanes = releaseHeld(box.db, { eventId, reason: 'RETRY_PENDING', now: box.clock.now(), rule })
    box.outbox.wake(lanes)
    box.move(10 * MINUTE)
    await box.fallbacks.start()
    await until(() => box.sent.length === 2, { timeout: 10_000, state: box.rows })
    expect(box.sent.map(({ destination, kind }) => `${destination} ${kind}`)).toEqual([
      'phone fallback',
      'mail fallback',
    ])
  }, 90_000)

  test('the time runs on over a restart, and what died meanwhile is found', async () => {
    const directory = tempDirectory()
    const file = directory.join('footman.db')
    const first = startRoutes({ ...setup, file, deliver: () => DOWN })
    await first.fire()
    await first.fire({ taskId: 'other' })
    await first.close()
    const second = startRoutes({
      ...setup,
      file,
      start: '2026-03-02T06:01:00Z',
      deliver: (name) => (name === 'primary' ? DOWN : OK),
    })
    second.db.run(`UPDATE delivery SET state = 'dead', reason = 'EXPIRED' WHERE seq = 1`)
    second.outbox.start()
    await second.fallbacks.start()
    await until(() => second.sent.length === 2)
    second.at('2026-03-02T06:05:00Z')
    await until(() => second.sent.length === 4)
    await second.close()
    directory.remove()
  }, 90_000)

  test('who was told by a fallback hears of the recovery too', async () => {
    const box = startRoutes({
      destinations: setup.destinations,
      routes: [{ name: 'night', to: ['primary'], fallback: ['phone'], recovery: true }],
      deliver: (name) => (name === 'primary' ? { outcome: 'rejected', detail: 'HTTP 400' } : OK),
    })
    box.outbox.start()
    await box.fallbacks.start()
    await box.fire()
    await until(() => box.sent.length === 1)
    await box.fire({ outcome: 'success' })
    await box.settled()
    expect(box.sent.map(({ destination, kind }) => `${kind} ${destination}`)).toEqual([
      'fallback phone',
      'recovery phone',
    ])
  }, 90_000)
})
