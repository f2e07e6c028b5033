/** Each delivery as soon as its own data are there. */
import { afterEach, describe, expect, test } from 'bun:test'
import type { Rule } from '../../../src/alerts/types.ts'
import { loadTaskEvent } from '../../../src/events/store.ts'
import type { EventOutcome, Need, TaskEvent } from '../../../src/events/types.ts'
import type { Database } from '../../../src/platform/sqlite.ts'
import { QrsError } from '../../../src/qlik/qrs/errors.ts'
import { executionResult, type FakeQrs, fakeQrs, qrsTask } from '../../support/fake-qrs.ts'
import { closePipelines, EXECUTION, message, startPipeline as start } from '../../support/pipeline.ts'
import { tempDirectory } from '../../support/temp.ts'
import { until } from '../../support/wait.ts'

afterEach(closePipelines)

const RESULT = '0c000000-0000-4000-8000-000000000001'
const LOG = 'first line\r\nlast line'

function route(name: string, needs: readonly Need[], outcomes: readonly EventOutcome[] = ['failed', 'success']): Rule {
  return {
    name,
    destination: name,
    destinationType: 'webhook',
    phase: 'enriched',
    needs,
    when: { types: ['reload', 'distribute'], outcomes },
    plan: () => [{ target: name, lane: name, limit: { key: name, windowMs: 60_000 } }],
  }
}

const pager = route('pager', [])
const chat = route('chat', ['app', 'owner', 'execution'])
const mail = route('mail', ['app', 'owner', 'execution', 'scriptLog'])
const sent = (db: Database) =>
  db.all<{ route: string }>('SELECT route FROM delivery ORDER BY seq').map((row) => row.route)
const stored = (db: Database, [event]: readonly TaskEvent[]) => loadTaskEvent(db, event!.id)!

function hangs(_task: string, _result: unknown, signal?: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('aborted'))))
}

describe('the script log hangs', () => {
  test('the pager and the chat do not wait for it, the mail goes out at the deadline and says what is missing', async () => {
    const qrs = fakeQrs()
    qrs.scriptLog = hangs
    const delivery = { enrichmentTimeout: 2500 }
    const { send, db, early, routed } = await start({ qrs, routes: [mail, chat, pager], delivery })
    await send(message())
    await until(() => sent(db).length === 2)
    expect(sent(db)).toEqual(['chat', 'pager'])
    expect(routed).toHaveLength(0)
    expect(stored(db, early)).toMatchObject({ app: {}, owner: {}, execution: { status: 8 }, missingParts: [] })
    await until(() => routed.length === 1)
    expect(sent(db)).toEqual(['chat', 'pager', 'mail'])
    expect(stored(db, routed)).toMatchObject({ execution: { status: 8 }, missingParts: ['scriptLog'] })
    expect(db.get('SELECT suppressed FROM rate_limit WHERE key = ?', 'pager')).toEqual({ suppressed: 0 })
  })

  test('nothing is written twice where all routes wait for the same', async () => {
    const qrs = fakeQrs()
    qrs.scriptLog = hangs
    const { send, early, routed } = await start({ qrs, routes: [mail], delivery: { enrichmentTimeout: 1000 } })
    await send(message())
    await until(() => routed.length === 1)
    expect(early).toHaveLength(0)
  })

  test('nothing leaves while it is not known what the event decides', async () => {
    const qrs = fakeQrs()
    qrs.scriptLog = hangs
    const completer = {
      complete: (_db: Database, event: TaskEvent) => event,
      completePartly: () => null,
    }
    const delivery = { enrichmentTimeout: 1000 }
    const { send, early, routed, db } = await start({ qrs, completer, routes: [mail, pager], delivery })
    await send(message())
    await until(() => routed.length === 1)
    expect(early).toHaveLength(0)
    expect(sent(db)).toEqual(['mail', 'pager'])
  })
})

describe('the app hangs', () => {
  test('who needs none is told, then who needs the execution', async () => {
    const qrs = fakeQrs()
    const { appById } = qrs
    const asked = Promise.withResolvers<void>()
    qrs.appById = async (id, signal) => {
      await asked.promise
      return appById(id, signal)
    }
    qrs.logs.clear()
    const { send, db, routed } = await start({ qrs, routes: [mail, chat, pager] })
    await send(message())
    await until(() => sent(db).length === 1)
    expect(sent(db)).toEqual(['pager'])
    asked.resolve()
    await until(() => sent(db).length === 2)
    expect(sent(db)).toEqual(['pager', 'chat'])
    qrs.logs.set(RESULT, LOG)
    await until(() => routed.length === 1)
    expect(sent(db)).toEqual(['pager', 'chat', 'mail'])
    expect(stored(db, routed)).toMatchObject({ scriptLog: { lines: ['first line', 'last line'] }, missingParts: [] })
  })
})

describe('in quick succession', () => {
  test('answers that come at once are one step', async () => {
    const { send, early, routed, db } = await start({ routes: [mail, chat, pager] })
    await send(message())
    await until(() => routed.length === 1)
    expect(early).toHaveLength(0)
    expect(sent(db)).toEqual(['mail', 'chat', 'pager'])
  })
})

/** An error answer of QRS. */
const answered = (status: number) =>
  new QrsError('status', { endpoint: 'x', host: 'qs', port: 4242, method: 'GET', expectedStatus: [200] }, { status })

const FORBIDDEN =
  '403 Forbidden: the user in Butler.configQRS.headers.static (X-Qlik-User) needs a security rule of the QMC to read it'

describe('an answer that is final', () => {
  const REFUSED: readonly {
    readonly what: string
    readonly change: (qrs: FakeQrs) => void
    readonly missing: readonly string[]
    readonly absent: readonly string[]
    readonly reasons: Readonly<Record<string, string>>
  }[] = [
    {
      what: 'about the script log: nothing more is waited for',
      change: (qrs) => {
        qrs.scriptLog = () => Promise.reject(answered(403))
      },
      missing: ['scriptLog'],
      absent: [],
      reasons: { scriptLog: FORBIDDEN },
    },
    {
      what: 'about a script log that is gone',
      change: (qrs) => {
        qrs.scriptLog = () => Promise.reject(answered(410))
      },
      missing: ['scriptLog'],
      absent: ['scriptLog'],
      reasons: { scriptLog: '410 Gone' },
    },
    {
      what: 'about the app: its owner cannot be known either',
      change: (qrs) => {
        qrs.appById = () => Promise.reject(answered(403))
      },
      missing: ['app', 'owner'],
      absent: [],
      reasons: { app: FORBIDDEN, owner: FORBIDDEN },
    },
    {
      what: 'about the owner',
      change: (qrs) => {
        qrs.owner = () => Promise.reject(answered(404))
      },
      missing: ['owner'],
      absent: ['owner'],
      reasons: { owner: '404 Not Found' },
    },
    {
      what: 'is a reference that is none',
      change: (qrs) => {
        qrs.results.set(EXECUTION, [executionResult({ id: 'none', fileReferenceID: 'nowhere' })])
      },
      missing: ['scriptLog'],
      absent: [],
      reasons: { scriptLog: 'a malformed reference "nowhere"' },
    },
  ]
  for (const { what, change, missing, absent, reasons } of REFUSED) {
    test(what, async () => {
      const qrs = fakeQrs()
      change(qrs)
      const { send, db, routed, log } = await start({ qrs, routes: [mail] })
      await send(message())
      await until(() => routed.length === 1)
      const known = { missingParts: missing, absentParts: absent, missingReasons: reasons }
      expect(routed[0]).toMatchObject({ ...known, execution: { executingNodeName: 'qs-central' } })
      expect(stored(db, routed).missingReasons).toEqual(reasons)
      expect(log.of('warn').join()).toContain(`QRS answered ${Object.values(reasons)[0]}`)
    })
  }

  test('is remembered across a restart', async () => {
    const directory = tempDirectory()
    const qrs = fakeQrs()
    qrs.logs.clear()
    qrs.owner = () => Promise.reject(answered(403))
    const first = await start({ directory, qrs, routes: [mail, chat] })
    await first.send(message())
    await until(() => sent(first.db).length === 1)
    await first.close()
    qrs.logs.set(RESULT, LOG)
    const second = await start({ directory, qrs, routes: [mail, chat] })
    await until(() => second.routed.length === 1)
    expect(stored(second.db, second.routed)).toMatchObject({
      missingParts: ['owner'],
      missingReasons: { owner: FORBIDDEN },
    })
    await second.close()
    directory.remove()
  })
})

describe('the executing node', () => {
  const RUNS = { status: 2, stopTime: '1753-01-01T00:00:00.000Z', executingNodeName: 'qs-reload7' }

  test('is kept although QRS never tells how the execution ended', async () => {
    const qrs = fakeQrs()
    qrs.results.set(EXECUTION, [executionResult(RUNS)])
    const { send, db, routed } = await start({ qrs, routes: [mail], delivery: { enrichmentTimeout: 1000 } })
    await send(message())
    await until(() => routed.length === 1)
    expect(stored(db, routed)).toMatchObject({ execution: null, node: 'qs-reload7' })
  })

  test('is kept while the event waits on disk and QRS goes away', async () => {
    const qrs = fakeQrs()
    qrs.logs.clear()
    const delivery = { enrichmentTimeout: 2500 }
    const messageQueue = { maxConcurrent: 1, maxSize: 0 }
    const { send, db, routed } = await start({ qrs, routes: [mail], delivery, messageQueue })
    await send(message())
    await until(() => qrs.calls.some((call) => call.startsWith('log')))
    qrs.down = true
    await until(() => routed.length === 1)
    expect(stored(db, routed)).toMatchObject({
      execution: { executingNodeName: 'qs-central' },
      app: {},
      missingParts: ['scriptLog'],
    })
  })
})

describe('between the steps', () => {
  test('a restart goes on where it was: nothing is sent twice, nothing that is known is asked again', async () => {
    const directory = tempDirectory()
    const qrs = fakeQrs()
    qrs.logs.clear()
    const routes = [mail, chat, pager]
    const first = await start({ directory, qrs, routes })
    await first.send(message())
    await until(() => sent(first.db).length === 2)
    await first.close()
    qrs.calls.length = 0
    const second = await start({ directory, qrs, routes })
    await until(() => qrs.calls.some((call) => call.startsWith('log')))
    expect(second.early).toHaveLength(0)
    qrs.logs.set(RESULT, LOG)
    await until(() => second.routed.length === 1)
    expect(sent(second.db)).toEqual(['chat', 'pager', 'mail'])
    expect(new Set(qrs.calls)).toEqual(new Set([`log ${RESULT}`]))
    await second.close()
    directory.remove()
  })

  test('a restart with other routes tells those who have not been told, those who are new included', async () => {
    const directory = tempDirectory()
    const qrs = fakeQrs()
    qrs.logs.clear()
    const first = await start({ directory, qrs, routes: [mail, pager] })
    await first.send(message())
    await until(() => sent(first.db).length === 1)
    await first.close()
    qrs.logs.set(RESULT, LOG)
    const second = await start({ directory, qrs, routes: [mail, chat, pager, route('new', [])] })
    await until(() => second.routed.length === 1)
    expect(sent(second.db)).toEqual(['pager', 'mail', 'chat', 'new'])
    await second.close()
    directory.remove()
  })

  test('a task that is deleted meanwhile does not cost the rest', async () => {
    const directory = tempDirectory()
    const qrs = fakeQrs()
    qrs.logs.clear()
    const first = await start({ directory, qrs, routes: [mail, pager] })
    await first.send(message())
    await until(() => sent(first.db).length === 1)
    await first.close()
    qrs.tasks_.clear()
    qrs.logs.set(RESULT, LOG)
    const second = await start({ directory, qrs, routes: [mail, pager] })
    await until(() => second.routed.length === 1)
    expect(sent(second.db)).toEqual(['pager', 'mail'])
    await second.close()
    directory.remove()
  })

  test('an event that waits on disk has told what it can, once', async () => {
    const qrs = fakeQrs()
    qrs.results.set(EXECUTION, [executionResult({ status: 2, stopTime: '1753-01-01T00:00:00.000Z' })])
    const { send, db, early, routed } = await start({
      qrs,
      routes: [mail, pager],
      messageQueue: { maxConcurrent: 1, maxSize: 0 },
    })
    await send(message({ type: '/scheduler-task-success/' }))
    const asked = () => qrs.calls.filter((call) => call.startsWith('result')).length
    await until(() => asked() >= 3)
    expect(sent(db)).toEqual(['pager'])
    expect(early).toHaveLength(1)
    qrs.results.set(EXECUTION, [executionResult({ status: 7 })])
    await until(() => routed.length === 1)
    expect(sent(db)).toEqual(['pager', 'mail'])
  })
})

test('an early step that fails is left to the last one', async () => {
  const qrs = fakeQrs()
  qrs.logs.clear()
  const completer = {
    complete: (_db: Database, event: TaskEvent) => event,
    completePartly(db: Database, event: TaskEvent) {
      db.run('DROP TABLE IF EXISTS rate_limit_slot')
      return event
    },
  }
  const { send, db, early, routed, log } = await start({ qrs, completer, routes: [mail, pager] })
  await send(message())
  await until(() => log.of('error').some((line) => line.includes('rate_limit_slot')))
  expect(early).toHaveLength(1)
  expect(sent(db)).toEqual([])
  qrs.logs.set(RESULT, LOG)
  await until(() => routed.length === 1)
  expect(sent(db)).toEqual(['mail', 'pager'])
})

test('nobody is told of a distribution before its end is known', async () => {
  const qrs = fakeQrs()
  qrs.tasks_.set('a8b4c123-def4-5678-9abc-def012345678', qrsTask({ taskType: 3 }))
  qrs.results.set(EXECUTION, [executionResult({ status: 2, stopTime: '1753-01-01T00:00:00.000Z' })])
  const distribute = { pollInterval: 100 }
  const { send, db, early, routed } = await start({ qrs, routes: [pager], distribute })
  await send(message({ type: '/scheduler-distribute/' }))
  await until(() => qrs.calls.filter((call) => call.startsWith('result')).length >= 5)
  expect(early).toHaveLength(0)
  qrs.results.set(EXECUTION, [executionResult()])
  await until(() => routed.length === 1)
  expect(sent(db)).toEqual(['pager'])
})
