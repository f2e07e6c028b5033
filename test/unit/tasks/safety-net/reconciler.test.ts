/** The reconciler with a moved clock and a site made of a list of ends. */
import { describe, expect, test } from 'bun:test'
import { createEndedFeed } from '../../../../src/tasks/executions/ended-feed.ts'
import type { EndedExecution, EndedReader } from '../../../../src/tasks/executions/types.ts'
import { createLostMessages, createReconciler } from '../../../../src/tasks/safety-net/reconciler.ts'
import { readMark } from '../../../../src/tasks/safety-net/store.ts'
import { TASK_ID } from '../../../support/events.ts'
import { qrsTask } from '../../../support/fake-qrs.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import {
  endedExecution,
  eventList,
  executionId,
  HOUR,
  MINUTE,
  movedClock,
  NOW,
  SECOND,
  safetyNetDatabase,
  storeEvent,
} from '../../../support/safety-net.ts'
import { until } from '../../../support/wait.ts'

function scene() {
  const db = safetyNetDatabase()
  const clock = movedClock()
  const { emitted, events } = eventList(db, clock)
  const site: EndedExecution[] = []
  const recorded: EndedExecution[] = []
  const asked: (readonly [from: number, to: number])[] = []
  const missed: string[] = []
  const confirmed: string[] = []
  const log = recordingLog()
  let reads = 0
  let wanted: readonly string[] = ['failed', 'aborted']
  let listensSince = Number.NEGATIVE_INFINITY

  const between: EndedReader['between'] = async (from, to, isHandled) => {
    asked.push([from - NOW, to - NOW])
    return site
      .filter(({ stoppedAt, resultId }) => stoppedAt >= from && stoppedAt < to && !isHandled(resultId ?? ''))
      .map((execution) => ({ execution, task: qrsTask(), resultIds: [execution.resultId ?? ''] }))
  }

  async function look(): Promise<void> {
    const reconciler = createReconciler(
      {
        db,
        log,
        events,
        clock: {
          now() {
            reads += 1
            return clock.now()
          },
        },
        site: { feed: (checkpoint, settings) => createEndedFeed({ between }, checkpoint, settings) },
        history: { add: async (executions) => void recorded.push(...executions) },
        confirmSuccess: async (eventId) => void confirmed.push(eventId),
        wants: (_type, outcome) => wanted.includes(outcome),
        lost: { missed: ({ type, outcome }, host) => void missed.push(`${host} ${type} ${outcome}`) },
        listenedSince: (at) => at >= listensSince,
        logTime: (at) => new Date(at).toISOString(),
      },
      { intervalMs: MINUTE, maxAlertAgeMs: HOUR, firstMs: 0 },
    )
    const before = reads
    await reconciler.start()
    const end = clock.now() - 2 * MINUTE
    const reached = (name: string) => (readMark(db, `reconciler.${name}`) ?? 0) >= end
    await until(() => reads > before && (reached('since') || reached('looked')))
    await reconciler.stop(0)
  }

  return {
    db,
    clock,
    log,
    emitted,
    site,
    recorded,
    asked,
    missed,
    confirmed,
    look,
    want(...outcomes: string[]) {
      wanted = outcomes
    },
    listenFrom(at: number) {
      listensSince = at
    },
  }
}

const outcomes = (events: readonly { outcome: string; message: { executionId?: string } }[]) =>
  events.map(({ outcome, message }) => `${outcome} ${message.executionId?.slice(-1)}`)

/** A first start an hour ago that has looked since. */
async function running() {
  const all = scene()
  await all.look()
  all.clock.advance(HOUR)
  await all.look()
  return { ...all, now: all.clock.now() }
}

describe('an execution that no message announced', () => {
  test('becomes an event two minutes after its end, with the time of its end', async () => {
    const { site, look, clock, emitted, now } = await running()
    site.push(endedExecution({ stoppedAt: now - SECOND }))
    clock.advance(MINUTE)
    await look()
    expect(emitted).toEqual([])
    clock.advance(MINUTE)
    await look()
    await look()
    expect(emitted).toEqual([
      {
        source: 'reconciler',
        type: 'reload',
        outcome: 'failed',
        receivedAt: now - SECOND,
        enrich: true,
        message: {
          host: 'qs-central',
          taskId: site[0]!.taskId,
          taskName: 'Financial Dashboard Reload',
          appId: site[0]!.appId!,
          appName: 'Sales Dashboard',
          executionId: executionId(1),
          logLevel: 'INFO',
          logTimeStamp: new Date(now - SECOND).toISOString(),
          logMessage: 'Error: no such file',
        },
      },
    ])
  })

  test('is recorded, not alerted, when it is older than maxAlertAge', async () => {
    const { site, look, clock, emitted, now } = await running()
    clock.advance(3 * HOUR)
    site.push(endedExecution({ stoppedAt: now + MINUTE }))
    site.push(endedExecution({ executionId: executionId(2), resultId: 'r2', stoppedAt: now + 2.5 * HOUR }))
    await look()
    expect(emitted.map(({ message, ignored }) => [message.executionId, ignored])).toEqual([
      [executionId(1), 'TOO_OLD'],
      [executionId(2), undefined],
    ])
  })

  test('before the first start is none of its business', async () => {
    const { site, look, clock, emitted } = scene()
    site.push(endedExecution({ stoppedAt: NOW - MINUTE }))
    await look()
    clock.advance(10 * MINUTE)
    await look()
    expect(emitted).toEqual([])
  })

  test('that a message has announced as a success confirms that message', async () => {
    const { db, site, look, clock, emitted, confirmed, want, now } = await running()
    want('success')
    const ended = { stoppedAt: now - SECOND, outcome: 'success', statusNum: 7 } as const
    site.push(endedExecution(ended))
    const claim = (taskId: string, state: string) => {
      const message = { taskId, executionId: executionId(1) }
      const id = storeEvent(db, { source: 'udp', type: 'reload', outcome: 'success', message }, now)
      db.run('UPDATE event SET state = ? WHERE id = ?', state, id)
      return id
    }
    claim('a8b4c123-def4-5678-9abc-def012345679', 'routed')
    const ofTask = claim(TASK_ID, 'routed')
    clock.advance(2 * MINUTE)
    await look()
    await look()
    expect([emitted, [...new Set(confirmed)]]).toEqual([[], [ofTask]])
  })

  test('is recorded although nobody wants to know of its outcome', async () => {
    const { site, look, clock, emitted, recorded, now } = await running()
    site.push(endedExecution({ stoppedAt: now, outcome: 'success', statusNum: 7 }))
    clock.advance(5 * MINUTE)
    await look()
    expect([emitted, recorded]).toEqual([[], [site[0]!]])
  })

  test('that was skipped is recorded only', async () => {
    const { site, look, clock, emitted, recorded, want, now } = await running()
    want('success', 'failed', 'aborted', 'skipped')
    site.push(endedExecution({ stoppedAt: now, outcome: 'skipped', statusNum: 9 }))
    clock.advance(5 * MINUTE)
    await look()
    expect([emitted, recorded.length]).toEqual([[], 1])
  })
})

describe('an execution that was announced', () => {
  const message = { taskId: endedExecution().taskId, executionId: executionId(1) }

  test.each([
    ['by its id', { outcome: 'failed', message }],
    ['as a distribution whose end is not known yet', { outcome: 'success', announced: 'distribute', message }],
    ['without an id, at the time of its end', { outcome: 'failed', message: { ...message, executionId: '' } }],
  ] as const)('%s is left alone', async (_how, event) => {
    const { db, site, look, clock, emitted, now } = await running()
    storeEvent(db, { source: 'udp', type: 'reload', ...event }, now + MINUTE)
    site.push(endedExecution({ stoppedAt: now }))
    clock.advance(5 * MINUTE)
    await look()
    expect(emitted).toEqual([])
  })

  test.each([
    ['with another outcome', { outcome: 'aborted', message }],
    ['in a test', { outcome: 'failed', message, test: true }],
    ['hours ago and without an id', { outcome: 'failed', message: { ...message, executionId: '' }, before: HOUR }],
  ] as const)(
    '%s only is found',
    async (_how, { before = 0, ...event }: { before?: number } & Record<string, unknown>) => {
      const { db, site, look, clock, emitted, now } = await running()
      storeEvent(db, { source: 'udp', type: 'reload', ...event } as never, now - before)
      site.push(endedExecution({ stoppedAt: now }))
      clock.advance(5 * MINUTE)
      await look()
      expect(outcomes(emitted)).toEqual(['failed 1'])
    },
  )

  test('after it was found makes no second event', async () => {
    const { db, site, look, clock, emitted, now } = await running()
    site.push(endedExecution({ stoppedAt: now }))
    clock.advance(5 * MINUTE)
    await look()
    expect(emitted).toHaveLength(1)
    expect(db.get('SELECT 1 FROM dedup WHERE key = ?', `${executionId(1)}|failed`)).toBeDefined()
  })
})

describe('the span that is looked at', () => {
  test('begins two minutes before the last look, also after an outage', async () => {
    const { look, clock, asked, now } = await running()
    asked.length = 0
    clock.advance(MINUTE)
    await look()
    clock.advance(30 * MINUTE)
    await look()
    const base = now - NOW
    expect(asked).toEqual([
      [base - 4 * MINUTE, base - MINUTE],
      [base - 3 * MINUTE, base + 29 * MINUTE],
    ])
  })
})

describe('a clock that jumps', () => {
  const DAY = 24 * HOUR

  test('by 90 days: a question a day, one line about all that is too old, no alerts', async () => {
    const { site, look, clock, emitted, asked, log, missed, now } = await running()
    asked.length = 0
    clock.advance(90 * DAY)
    for (let n = 1; n <= 80; n += 1) {
      site.push(endedExecution({ executionId: executionId(n), resultId: `r${n}`, stoppedAt: now + n * DAY }))
    }
    await look()
    expect(asked.length).toBeLessThan(90 + 25)
    expect(new Set(emitted.map(({ ignored }) => ignored))).toEqual(new Set(['TOO_OLD']))
    expect(emitted).toHaveLength(80)
    expect(missed).toEqual([])
    const lines = log.of('info').filter((line) => line.includes('without a message'))
    expect(lines).toEqual([
      expect.stringMatching(/80 executions ended .*too old for an alert; the first .* 128160 min ago/),
    ])
  })

  test('back by 90 days is noticed once, and executions are found again', async () => {
    const { site, look, clock, emitted, asked, log, now } = await running()
    clock.advance(-90 * DAY)
    asked.length = 0
    await look()
    site.push(endedExecution({ stoppedAt: now - 90 * DAY }))
    clock.advance(5 * MINUTE)
    await look()
    expect(outcomes(emitted)).toEqual(['failed 1'])
    expect(asked.length).toBeLessThan(4)
    expect(log.of('warn')).toEqual([expect.stringContaining('The clock of this computer was set back')])
  })

  test('an execution that began months ago and is ended by a server that was restored is recorded only', async () => {
    const { site, look, clock, emitted, now } = await running()
    site.push(endedExecution({ stoppedAt: now, startedAt: now - 60 * DAY, triggeredAt: now - 60 * DAY }))
    clock.advance(5 * MINUTE)
    await look()
    expect(emitted.map(({ ignored }) => ignored)).toEqual(['TOO_OLD'])
  })
})

describe('messages that were lost', () => {
  test('are counted only while Footman listened', async () => {
    const { site, look, clock, missed, listenFrom, now } = await running()
    listenFrom(now + MINUTE)
    site.push(endedExecution({ stoppedAt: now }))
    site.push(endedExecution({ executionId: executionId(2), resultId: 'r2', stoppedAt: now + 2 * MINUTE }))
    clock.advance(10 * MINUTE)
    await look()
    expect(missed).toEqual(['qs-central reload failed'])
  })

  test('of one host are told from the third within an hour, and only when such messages ever came', () => {
    const db = safetyNetDatabase()
    const told: string[] = []
    const lost = createLostMessages({ db, onLost: (host, count) => void told.push(`${host} ${count}`) })
    const failed = { type: 'reload', outcome: 'failed' } as const
    for (let n = 0; n < 5; n += 1) lost.missed(failed, 'qs-central', NOW + n)
    expect(told).toEqual([])
    lost.heard(db, { source: 'reconciler', ...failed })
    lost.missed(failed, 'qs-central', NOW)
    expect(told).toEqual([])
    lost.heard(db, { source: 'udp', ...failed })
    const again = createLostMessages({ db, onLost: (host, count) => void told.push(`${host} ${count}`) })
    for (const at of [0, 40, 70, 80, 90]) again.missed(failed, 'qs-central', NOW + at * MINUTE)
    again.missed(failed, 'qs-reload1', NOW + 90 * MINUTE)
    expect(told).toEqual(['qs-central 3', 'qs-central 4'])
  })
})
