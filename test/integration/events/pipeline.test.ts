import { afterEach, describe, expect, test } from 'bun:test'
import { ZERO_GUID } from '../../../src/qlik/qrs/types.ts'
import { APP_ID, TASK_ID } from '../../support/events.ts'
import { executionResult, fakeQrs, qrsTask } from '../../support/fake-qrs.ts'
import { closePipelines, EXECUTION, message, startPipeline as start } from '../../support/pipeline.ts'
import { tempDirectory } from '../../support/temp.ts'
import { until } from '../../support/wait.ts'

afterEach(closePipelines)

describe('a failed reload', () => {
  test('is enriched with task, app, owner, result and script log, one look-up each', async () => {
    const { send, routed, arrived, qrs, statuses } = await start()
    await send(message())
    await until(() => routed.length === 1)
    expect(routed[0]).toMatchObject({
      type: 'reload',
      outcome: 'failed',
      severity: 'error',
      taskName: 'Financial Dashboard Reload',
      task: { id: TASK_ID },
      app: { id: APP_ID },
      owner: { emails: ['anna@acme.example'] },
      execution: { status: 8 },
      scriptLog: { lines: ['first line', 'last line'], characters: 21 },
      missingParts: [],
    })
    expect(arrived).toHaveLength(1)
    expect(qrs.calls.toSorted()).toEqual(
      [
        `app ${APP_ID}`,
        'log 0c000000-0000-4000-8000-000000000001',
        'owner u1',
        `result ${EXECUTION}`,
        `task ${TASK_ID}`,
      ].toSorted(),
    )
    expect(statuses).toEqual(['start'])
  })

  test('asks QRS only for what its routes need', async () => {
    const { send, routed, qrs } = await start({ needs: [] })
    await send(message())
    await until(() => routed.length === 1)
    expect(qrs.calls).toEqual([`task ${TASK_ID}`])
    expect(routed[0]!.missingParts).toEqual([])
  })

  test('waits for the script log and goes out as soon as it is there', async () => {
    const qrs = fakeQrs()
    const text = qrs.logs.get('0c000000-0000-4000-8000-000000000001')!
    qrs.logs.clear()
    const { send, routed } = await start({ qrs })
    await send(message())
    await until(() => qrs.calls.some((call) => call.startsWith('log')))
    expect(routed).toHaveLength(0)
    qrs.logs.set('0c000000-0000-4000-8000-000000000001', text)
    await until(() => routed.length === 1)
    expect(routed[0]!.scriptLog?.lines).toEqual(['first line', 'last line'])
  })

  test('waits for the final state of exactly its execution', async () => {
    const qrs = fakeQrs()
    qrs.results.set(EXECUTION, [executionResult({ status: 2, stopTime: '1753-01-01T00:00:00.000Z' })])
    const { send, routed } = await start({ qrs })
    await send(message())
    await until(() => qrs.calls.includes(`result ${EXECUTION}`))
    expect(routed).toHaveLength(0)
    qrs.results.set(EXECUTION, [executionResult()])
    await until(() => routed.length === 1)
  })

  test('takes the last of several retries, with those before', async () => {
    const qrs = fakeQrs()
    qrs.results.set(EXECUTION, [
      executionResult({ id: 'second', startTime: '2026-03-02T06:10:00.000Z' }),
      executionResult({ id: 'first', startTime: '2026-03-02T06:00:00.000Z' }),
    ])
    const { send, routed } = await start({ qrs, needs: ['execution'] })
    await send(message())
    await until(() => routed.length === 1)
    expect(routed[0]!.execution?.id).toBe('second')
    expect(routed[0]!.execution?.earlierAttempts?.map(({ id }) => id)).toEqual(['first'])
  })

  test('without an execution id the result that ended when the message came counts', async () => {
    const qrs = fakeQrs()
    const last = executionResult({ stopTime: new Date().toISOString() })
    qrs.tasks_.set(TASK_ID, qrsTask({ operational: { lastExecutionResult: last } }))
    const { send, routed } = await start({ qrs, needs: ['execution'] })
    await send(message({ execution: '(null)' }))
    await until(() => routed.length === 1)
    expect(routed[0]!.execution?.id).toBe(last.id)
  })

  test('an old result of the same task is never taken for this execution', async () => {
    const qrs = fakeQrs()
    qrs.results.clear()
    qrs.tasks_.set(TASK_ID, qrsTask({ operational: { lastExecutionResult: executionResult() } }))
    const { send, routed } = await start({ qrs, needs: ['execution'], delivery: { enrichmentTimeout: 700 } })
    await send(message())
    await until(() => routed.length === 1)
    expect(routed[0]).toMatchObject({ execution: null, missingParts: ['execution'] })
  })
})

describe('when QRS cannot help', () => {
  test('a look-up that hangs does not hold up the others', async () => {
    const qrs = fakeQrs()
    qrs.appById = (_id, signal) =>
      new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('aborted'))))
    const { send, routed } = await start({ qrs, delivery: { enrichmentTimeout: 2000 } })
    await send(message())
    await until(() => routed.length === 1)
    expect(routed[0]).toMatchObject({
      execution: { status: 8 },
      scriptLog: { lines: ['first line', 'last line'] },
      missingParts: ['app', 'owner'],
    })
  })

  test('a deleted app does not suppress the alert', async () => {
    const qrs = fakeQrs()
    qrs.apps.clear()
    const { send, routed } = await start({ qrs })
    await send(message())
    await until(() => routed.length === 1)
    expect(routed[0]).toMatchObject({
      app: null,
      owner: null,
      missingParts: ['app', 'owner'],
      absentParts: ['app', 'owner'],
    })
  })

  test('down until after the deadline: the alert goes out with what is known, not before time', async () => {
    const qrs = fakeQrs()
    qrs.down = true
    const { send, routed, log } = await start({ qrs, delivery: { enrichmentTimeout: 400 } })
    const sentAt = Date.now()
    await send(message())
    await until(() => routed.length === 1)
    expect(Date.now() - sentAt).toBeGreaterThanOrEqual(395)
    expect(routed[0]).toMatchObject({
      type: 'reload',
      taskName: 'Financial Dashboard Reload',
      task: null,
      missingParts: ['task', 'app', 'owner', 'execution', 'scriptLog'],
    })
    expect(log.of('warn').join('\n')).toContain('without task, app, owner, execution, scriptLog')
  })

  test('hanging until the deadline: many events all go out on time', async () => {
    const qrs = fakeQrs()
    qrs.hanging = true
    const { send, routed } = await start({ qrs, delivery: { enrichmentTimeout: 500 } })
    for (let n = 0; n < 50; n += 1) await send(message({ execution: `e5000000-0000-4000-8000-0000000001${10 + n}` }))
    await until(() => routed.length === 50)
  })

  test('back before the deadline: all events are complete and none is sent twice', async () => {
    const qrs = fakeQrs()
    qrs.down = true
    const { send, routed, log } = await start({ qrs, needs: ['app'] })
    for (let n = 0; n < 50; n += 1) await send(message({ execution: `e5000000-0000-4000-8000-0000000001${10 + n}` }))
    await until(() => log.of('error').some((line) => line.includes('not reachable')))
    expect(routed).toHaveLength(0)
    qrs.down = false
    await until(() => routed.length === 50)
    expect(new Set(routed.map((event) => event.id)).size).toBe(50)
    expect(routed.every((event) => event.missingParts.length === 0)).toBeTrue()
  })

  test('a task that QRS does not know is recorded and not alerted', async () => {
    const qrs = fakeQrs()
    qrs.tasks_.clear()
    const { send, routed, db } = await start({ qrs })
    await send(message())
    const row = await until(() =>
      db.get<{ state: string; reason: string }>(`SELECT state, reason FROM event WHERE state = 'ignored'`),
    )
    expect(row.reason).toBe('TASK_NOT_FOUND')
    expect(routed).toHaveLength(0)
  })

  test('an unknown task type is never taken for a reload', async () => {
    const qrs = fakeQrs()
    qrs.tasks_.set(TASK_ID, qrsTask({ taskType: 9 }))
    const { send, db } = await start({ qrs })
    await send(message())
    await until(() => db.get(`SELECT 1 FROM event WHERE state = 'ignored' AND reason = 'TASK_TYPE_UNKNOWN'`))
  })

  test('a result that will never have a script log does not hold the alert for the whole deadline', async () => {
    const qrs = fakeQrs()
    qrs.results.set(EXECUTION, [executionResult({ fileReferenceID: ZERO_GUID })])
    const { send, routed } = await start({ qrs, delivery: { enrichmentTimeout: 60_000 } })
    await send(message())
    await until(() => routed.length === 1, { timeout: 18_500 })
    expect(routed[0]!.missingParts).toEqual(['scriptLog'])
  }, 90_000)
})

describe('success', () => {
  test('the double-slash message of the shipped appender is a success of the task', async () => {
    const qrs = fakeQrs()
    qrs.results.set(EXECUTION, [executionResult({ status: 7 })])
    const { send, routed } = await start({ qrs })
    await send(message({ type: '/scheduler-task-success//', text: 'Execution State Change to FinishedSuccess' }))
    await until(() => routed.length === 1)
    expect(routed[0]).toMatchObject({ outcome: 'success', severity: 'info', execution: { status: 7 } })
  })

  const SUCCESS = '/scheduler-task-success/'

  test('waits for its final status longer than a failure would, also when QRS fails in between', async () => {
    const qrs = fakeQrs()
    const { executionResults } = qrs
    let asked = 0
    qrs.executionResults = (id, signal) => {
      asked += 1
      return asked === 2 ? Promise.reject(new Error('QRS answered 500')) : executionResults(id, signal)
    }
    qrs.results.set(EXECUTION, [executionResult({ status: 2, stopTime: '1753-01-01T00:00:00.000Z' })])
    const { send, routed } = await start({ qrs, delivery: { enrichmentTimeout: 100 } })
    await send(message({ type: SUCCESS }))
    await until(() => asked >= 3)
    expect(routed).toHaveLength(0)
    qrs.results.set(EXECUTION, [executionResult({ status: 7 })])
    await until(() => routed.length === 1)
    expect(routed[0]).toMatchObject({ outcome: 'success', execution: { status: 7 }, missingParts: [] })
  })

  test('without a final status in time goes out all the same, and says what is missing', async () => {
    const qrs = fakeQrs()
    qrs.results.set(EXECUTION, [executionResult({ status: 2, stopTime: '1753-01-01T00:00:00.000Z' })])
    const { send, routed } = await start({ qrs, delivery: { finalStatusTimeout: 300 } })
    await send(message({ type: SUCCESS }))
    await until(() => routed.length === 1)
    expect(routed[0]).toMatchObject({ outcome: 'success', missingParts: ['execution', 'scriptLog'] })
  })
})

describe('intake', () => {
  test('a repeated message is a duplicate, another outcome of the same execution is not', async () => {
    const { send, routed, dropped } = await start()
    await send(message({ type: '/scheduler-task-aborted/' }))
    await send(message())
    await send(message())
    await until(() => routed.length === 2 && dropped().length === 1)
    expect(routed.map((event) => event.outcome).toSorted()).toEqual(['aborted', 'failed'])
    expect(dropped()).toEqual(['DUPLICATE'])
  })

  test('a duplicate is recognised after a restart', async () => {
    const directory = tempDirectory()
    const first = await start({ directory })
    await first.send(message())
    await until(() => first.routed.length === 1)
    await first.close()
    const second = await start({ directory })
    await second.send(message())
    await until(() => second.dropped().length === 1)
    expect(second.routed).toHaveLength(0)
    await second.close()
    directory.remove()
  })

  test('a malformed message takes no dedup key', async () => {
    const { send, routed, dropped } = await start()
    await send(message({ taskId: 'not-a-guid' }))
    await send(message())
    await until(() => routed.length === 1)
    expect(dropped()).toEqual(['INVALID'])
  })

  test('messages without an execution id never suppress each other', async () => {
    const { send, routed, dropped } = await start({ needs: [] })
    for (const text of ['first', 'second']) await send(message({ execution: '(null)', text }))
    await until(() => routed.length === 2)
    expect(dropped()).toEqual([])
  })

  test('semicolons in names are settled with the names that QRS knows', async () => {
    const qrs = fakeQrs()
    qrs.tasks_.set(TASK_ID, qrsTask({ name: 'Reload A; then B', app: { id: APP_ID, name: 'Finance; 2024' } }))
    const { send, routed } = await start({ qrs, needs: [] })
    await send(message({ name: 'Reload A; then B', app: 'Finance; 2024' }))
    await until(() => routed.length === 1)
    expect(routed[0]).toMatchObject({ taskName: 'Reload A; then B', appName: 'Finance; 2024' })
  })

  test('windows-1252 names arrive right and the sender is named once', async () => {
    const { send, routed, log } = await start({ needs: [] })
    for (const n of [1, 2]) {
      const [before, after] = message({ text: '@', execution: `e5000000-0000-4000-8000-00000000000${n}` }).split('@')
      await send(Buffer.concat([Buffer.from(before!), Buffer.from([0xe5, 0xe4, 0xf6]), Buffer.from(after!)]))
    }
    await until(() => routed.length === 2)
    expect(routed[0]!.logMessage).toBe('åäö')
    expect(log.of('warn').filter((line) => line.includes('not UTF-8'))).toHaveLength(1)
  })

  test('a burst beyond memory limits loses nothing', async () => {
    const { send, routed } = await start({ needs: [], messageQueue: { maxConcurrent: 1, maxSize: 2 } })
    for (let n = 0; n < 60; n += 1) await send(message({ execution: `e5000000-0000-4000-8000-0000000001${10 + n}` }))
    await until(() => routed.length === 60)
  })
})

describe('receiver', () => {
  test('senders outside allowedSources are dropped and counted', async () => {
    const { send, pipeline, arrived, dropped } = await start({
      udp: { enableSourceValidation: true, allowedSources: ['10.0.0.0/24', 'nobody.invalid'] },
    })
    await send(message())
    await until(() => pipeline.counters.dropped.SOURCE_NOT_ALLOWED === 1 && dropped().length === 1)
    expect(arrived).toHaveLength(0)
  })

  test('networks and host names may be allowed', async () => {
    const { send, routed } = await start({ udp: { enableSourceValidation: true, allowedSources: ['localhost'] } })
    await send(message())
    await until(() => routed.length === 1)
  })

  test('with a shared secret only messages that begin with it count, and it is written nowhere', async () => {
    const secrets = ['the-secret-of-today', 'the-secret-of-tomorrow']
    const { send, pipeline, routed, db, log } = await start({ needs: [], sharedSecrets: secrets })
    const dropped = () => db.all<{ raw: Uint8Array }>('SELECT raw FROM dropped_datagram')
    for (const [n, claim] of [...secrets, 'a-forged-secret-xyz'].entries()) {
      await send(`${claim};${message({ execution: `e5000000-0000-4000-8000-00000000000${n}` })}`)
    }
    await send(message())
    await until(() => routed.length === 2 && dropped().length === 2)
    expect(pipeline.counters.dropped.SOURCE_NOT_ALLOWED).toBe(2)
    const kept = JSON.stringify([routed, dropped().map(({ raw }) => new TextDecoder().decode(raw)), log.lines])
    expect(kept).toContain('/scheduler-task-failed/')
    expect(kept).not.toMatch(/secret-of|forged/)
    expect(new TextDecoder().decode(pipeline.rawOf(1)!)).toStartWith('/scheduler-task-failed/')
  })

  test('an empty list with validation on starts no UDP server', async () => {
    const { pipeline, log } = await start({ udp: { enableSourceValidation: true, allowedSources: [] } })
    expect(pipeline.status.udpListening).toBeFalse()
    expect(log.of('error').join('\n')).toContain('allowedSources is empty')
  })

  test('too large a message is dropped and counted', async () => {
    const { send, pipeline } = await start({ udp: { maxMessageSize: 100 } })
    await send(message())
    await until(() => pipeline.counters.dropped.TOO_LARGE === 1)
  })

  test('the rate limit drops what is beyond it', async () => {
    const { send, pipeline, routed } = await start({
      needs: [],
      udp: { rateLimit: { enable: true, maxMessagesPerMinute: 2 } },
    })
    for (const n of [1, 2, 3]) await send(message({ execution: `e5000000-0000-4000-8000-00000000000${n}` }))
    await until(() => pipeline.counters.dropped.RATE_LIMITED === 1)
    await until(() => routed.length === 2)
  })

  test('a full backlog refuses new messages and says so', async () => {
    const qrs = fakeQrs()
    qrs.down = true
    const { send, pipeline, log } = await start({ qrs, delivery: { maxBacklog: 3 } })
    for (const n of [1, 2, 3, 4, 5]) await send(message({ execution: `e5000000-0000-4000-8000-00000000000${n}` }))
    await until(() => (pipeline.counters.dropped.BACKLOG_FULL ?? 0) > 0)
    expect(log.of('error').join('\n')).toContain('maxBacklog')
  })
})

describe('restart', () => {
  test('events that were pending are completed after the start', async () => {
    const directory = tempDirectory()
    const qrs = fakeQrs()
    qrs.down = true
    const first = await start({ directory, qrs })
    await first.send(message())
    await until(() => first.arrived.length === 1)
    await first.close()
    qrs.down = false
    const second = await start({ directory, qrs })
    await until(() => second.routed.length === 1)
    expect(second.arrived).toHaveLength(0)
    expect(second.routed[0]!.missingParts).toEqual([])
    await second.close()
    directory.remove()
  })
})
