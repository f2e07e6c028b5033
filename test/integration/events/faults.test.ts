/** The event pipeline when something goes wrong: full memory, a journal that lost its end, distributions without one. */
import { afterEach, describe, expect, test } from 'bun:test'
import { rmSync } from 'node:fs'
import type { Inbox } from '../../../src/cluster/types.ts'
import { createCounters } from '../../../src/events/counters.ts'
import { openJournal, openJournalReader } from '../../../src/events/ingest/journal.ts'
import { createIntake } from '../../../src/events/intake.ts'
import { takeDedupKey } from '../../../src/events/store.ts'
import { createGroupWriter } from '../../../src/platform/group-commit.ts'
import { openDatabase } from '../../../src/platform/sqlite.ts'
import { pipelineDatabase, TASK_ID } from '../../support/events.ts'
import { executionResult, fakeQrs, qrsTask } from '../../support/fake-qrs.ts'
import { closePipelines, message, startPipeline as start } from '../../support/pipeline.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { tempDirectory } from '../../support/temp.ts'
import { until } from '../../support/wait.ts'

afterEach(closePipelines)

const execution = (n: number) => `e5000000-0000-4000-8000-${String(n).padStart(12, '0')}`
const SUCCESS = '/scheduler-task-success/'
const DISTRIBUTE = '/scheduler-distribute/'

describe('deadlines', () => {
  const small = { maxConcurrent: 1, maxSize: 2 }

  test('of failures hold although successes, which may wait longer, fill the memory', async () => {
    const qrs = fakeQrs()
    qrs.down = true
    const { send, routed, db } = await start({ qrs, messageQueue: small, delivery: { enrichmentTimeout: 800 } })
    for (let n = 0; n < 10; n += 1) await send(message({ type: SUCCESS, execution: execution(n) }))
    await until(() => db.get<{ n: number }>('SELECT count(*) AS n FROM event')!.n === 10)
    await send(message({ execution: execution(99) }))
    await until(() => routed.length === 1, { timeout: 2500 })
    expect(routed[0]).toMatchObject({ outcome: 'failed', executionId: execution(99) })
  })

  test('hold for everything that waits on disk while QRS hangs', async () => {
    const qrs = fakeQrs()
    qrs.hanging = true
    const { send, routed } = await start({ qrs, messageQueue: small, delivery: { enrichmentTimeout: 1000 } })
    for (let n = 0; n < 60; n += 1) await send(message({ execution: execution(n) }))
    await until(() => routed.length === 60, { timeout: 3500 })
  })

  test('are not extended for an event that is read again shortly before its end', async () => {
    const qrs = fakeQrs()
    qrs.results.clear()
    const { send, routed } = await start({
      qrs,
      messageQueue: small,
      needs: ['execution'],
      delivery: { enrichmentTimeout: 1500 },
    })
    const sentAt = Date.now()
    for (let n = 0; n < 8; n += 1) await send(message({ execution: execution(n), taskId: TASK_ID }))
    await until(() => routed.length === 8, { timeout: 5000 })
    expect(Date.now() - sentAt).toBeLessThan(2300)
  })
})

test('an event goes out although what is added to it fails over it, and others with all', async () => {
  const { send, routed, log } = await start({
    needs: [],
    completer: {
      complete(_db, event) {
        if (event.executionId === execution(1)) throw new TypeError('odd event')
        return { ...event, history: { consecutiveFailures: 7, lastSuccessAt: null } }
      },
      needs(_task, outcome) {
        throw new TypeError(`odd ${outcome}`)
      },
    },
  })
  await send(message({ execution: execution(1) }))
  await send(message({ execution: execution(2) }))
  await until(() => routed.length === 2)
  expect(routed.map(({ history }) => history?.consecutiveFailures ?? null).sort()).toEqual([7, null])
  expect(log.of('error').join()).toContain('odd event')
})

test('without de-duplication repeats are events, but not of what was found in Qlik Sense before', async () => {
  const { send, routed, dropped, db } = await start({ needs: [], udp: { deduplication: { enable: false } } })
  takeDedupKey(db, `${execution(1)}|failed`, Date.now(), 86_400_000)
  for (const n of [1, 2, 2]) await send(message({ execution: execution(n) }))
  await until(() => routed.length === 2 && dropped().length === 1)
  expect(routed.map(({ executionId }) => executionId)).toEqual([execution(2), execution(2)])
})

describe('a distribution', () => {
  const distribution = () => {
    const qrs = fakeQrs()
    qrs.tasks_.set(TASK_ID, qrsTask({ taskType: 3 }))
    qrs.results.clear()
    return qrs
  }

  test('without an end in time has failed', async () => {
    const { send, routed } = await start({ qrs: distribution(), needs: [], distribute: { maxAge: 300 } })
    await send(message({ type: DISTRIBUTE }))
    await until(() => routed.length === 1)
    expect(routed[0]).toMatchObject({ type: 'distribute', outcome: 'failed', severity: 'error' })
  })

  test('that is decided and then announced makes one event, in either order', async () => {
    const qrs = distribution()
    const { send, routed, dropped } = await start({ qrs, needs: [], distribute: { pollInterval: 300 } })
    qrs.results.set(execution(1), [executionResult({ status: 7 })])
    await send(message({ type: DISTRIBUTE, execution: execution(1) }))
    await until(() => routed.length === 1)
    await send(message({ type: SUCCESS, execution: execution(1) }))
    await until(() => dropped().length === 1)

    await send(message({ type: DISTRIBUTE, execution: execution(2) }))
    await send(message({ type: SUCCESS, execution: execution(2) }))
    await until(() => routed.length === 2)
    const polls = () => qrs.calls.filter((call) => call === `result ${execution(2)}`).length
    const before = polls()
    qrs.results.set(execution(2), [executionResult({ status: 7 })])
    await until(() => polls() > before)
    await send(message({ execution: execution(3) }))
    await until(() => routed.length === 3)
    expect(routed.map((event) => event.executionId)).toEqual([execution(1), execution(2), execution(3)])
  })

  test('that runs is followed on after a restart', async () => {
    const directory = tempDirectory()
    const qrs = distribution()
    const options = { directory, qrs, needs: [], distribute: { pollInterval: 100 } }
    const first = await start(options)
    await first.send(message({ type: DISTRIBUTE, execution: execution(1) }))
    await until(() => qrs.calls.includes(`result ${execution(1)}`))
    await first.close()
    expect(first.routed).toHaveLength(0)
    qrs.results.set(execution(1), [executionResult({ status: 7 })])
    const second = await start(options)
    await until(() => second.routed.length === 1)
    expect(second.routed[0]).toMatchObject({ type: 'distribute', outcome: 'success', executionId: execution(1) })
    await second.close()
    directory.remove()
  })

  test('of a task that is no distribution is recorded and not alerted', async () => {
    const { send, routed, db, log } = await start()
    await send(message({ type: DISTRIBUTE }))
    await until(() => db.get(`SELECT 1 FROM event WHERE state = 'ignored'`))
    expect(routed).toHaveLength(0)
    expect(log.of('warn').join('\n')).toContain('is no distribution')
  })
})

describe('without a connection to Qlik Sense', () => {
  test('alerts leave at once and nobody is told that something was late', async () => {
    const { send, routed, log } = await start({ qrsConnection: false })
    await send(message())
    await until(() => routed.length === 1)
    expect(routed[0]!.missingParts).toContain('task')
    expect(log.of('warn').join('\n')).not.toContain('not available in time')
  })
})

describe('a journal', () => {
  /** One start of Footman on this directory: `texts` arrive, everything is taken over. */
  async function session(
    directory: ReturnType<typeof tempDirectory>,
    texts: readonly string[],
    shared: { readonly inbox: Inbox; readonly offeredSince: number | null } | null = null,
  ) {
    const db = pipelineDatabase(directory.join('footman.db'))
    const writer = openJournal(directory.join('journal.db'))
    const reader = openJournalReader(directory.join('journal.db'))
    const arrived: string[] = []
    const router = {
      handle: (_db: unknown, event: { executionId: string }) => void arrived.push(event.executionId),
      countReady: () => 0,
      needs: () => new Set<never>(),
      wake: () => undefined,
    }
    const deps = { journal: reader, router, clock: { now: () => Date.now() }, log: recordingLog() }
    const intake = createIntake(
      {
        ...deps,
        writer: createGroupWriter(db),
        counters: createCounters(),
        unverified: null,
        inbox: shared?.inbox ?? null,
        acceptEvent: () => null,
        onTaken: () => undefined,
      },
      {
        isShared: shared !== null,
        offeredSince: shared?.offeredSince ?? null,
        dedupTtlMs: 600_000,
        waitMs: { failed: 1, aborted: 1, success: 1, distribute: 1 },
        journalEnd: writer.lastId(),
      },
      db,
    )
    if (texts.length > 0) {
      writer.append(texts.map((text) => ({ receivedAt: Date.now(), sender: '127.0.0.1', raw: Buffer.from(text) })))
    }
    await intake.catchUp().catch(() => undefined)
    await intake.stop()
    for (const open of [reader, writer, db]) open.close()
    return arrived
  }

  const texts = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, n) => message({ execution: execution(from + n) }))

  test('that lost its last entries in a power cut costs no event that comes after it', async () => {
    const directory = tempDirectory()
    await session(directory, texts(0, 10))
    const damaged = openDatabase(directory.join('journal.db'))
    damaged.run('DELETE FROM datagram WHERE id > 4')
    damaged.run(`UPDATE sqlite_sequence SET seq = 4 WHERE name = 'datagram'`)
    damaged.close()
    expect(await session(directory, texts(20, 23))).toEqual([execution(20), execution(21), execution(22)])
    expect(await session(directory, [])).toEqual([])
    directory.remove()
  })

  test('that is older than its database: what came within an hour is worked off once more, the rest is not', async () => {
    const directory = tempDirectory()
    await session(directory, texts(0, 10))
    const journal = openDatabase(directory.join('journal.db'))
    journal.run('UPDATE datagram SET received_at = received_at - 7200000 WHERE id <= 6')
    journal.close()
    for (const suffix of ['', '-wal', '-shm']) rmSync(directory.join(`footman.db${suffix}`), { force: true })
    expect(await session(directory, texts(20, 21))).toEqual([6, 7, 8, 9, 20].map(execution))
    expect(await session(directory, [])).toEqual([])
    directory.remove()
  })

  test('whose messages the shared inbox has forgotten offers them again, also in a part of the node that comes after', async () => {
    const directory = tempDirectory()
    const offered: string[] = []
    let isAway = false
    const inbox: Inbox = {
      offerAgainSince: null,
      async offer(messages) {
        if (isAway) throw new Error('the server is starting up')
        offered.push(...messages.map(({ key }) => key))
        return { taken: messages.length, known: 0 }
      },
      next: async () => [],
      settle: () => undefined,
      noteWaiting: () => undefined,
      onNew: () => () => undefined,
    }
    const restart = (offeredSince: number | null) => session(directory, [], { inbox, offeredSince })
    await session(directory, texts(0, 10), { inbox, offeredSince: null })
    const first = offered.splice(0)
    expect(first).toHaveLength(10)
    isAway = true
    await restart(0)
    isAway = false
    // The node has another part before anything could be offered; nothing was forgotten since that part began.
    await restart(null)
    expect(offered).toEqual(first)
    await restart(null)
    expect(offered).toHaveLength(10)
    directory.remove()
  })

  test('that was replaced by a new one costs no event', async () => {
    const directory = tempDirectory()
    await session(directory, texts(0, 10))
    for (const suffix of ['', '-wal', '-shm']) rmSync(directory.join(`journal.db${suffix}`), { force: true })
    expect(await session(directory, texts(20, 22))).toEqual([execution(20), execution(21)])
    directory.remove()
  })
})
