/** Script logs are fetched for messages that are going to show them, and for no others. */
import { afterEach, expect, test } from 'bun:test'
import { createLateLogs } from '../../../src/alerts/late-log.ts'
import type { PlannedDelivery, Rule, RuleFilter } from '../../../src/alerts/types.ts'
import { type Facts, type FactsDeps, gatherFacts } from '../../../src/events/enrich/facts.ts'
import { loadTaskEvent, type StoredEvent } from '../../../src/events/store.ts'
import type { Need } from '../../../src/events/types.ts'
import { type QrsCall, QrsError } from '../../../src/qlik/qrs/errors.ts'
import { TASK_ID, taskEvent } from '../../support/events.ts'
import { executionResult, fakeQrs } from '../../support/fake-qrs.ts'
import { closePipelines, message, type PipelineOptions, startPipeline } from '../../support/pipeline.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { until } from '../../support/wait.ts'

afterEach(closePipelines)

const LOG = 'first line\r\nlast line'
const guid = (kind: string, n: number) => `${kind}000000-0000-4000-8000-${String(n).padStart(12, '0')}`
const limit = { key: 'mail', windowMs: 60_000 }

function rule(name: string, planned: Partial<PlannedDelivery>, more: Partial<Rule> = {}): Rule {
  return {
    name,
    destination: name,
    destinationType: 'email',
    phase: 'enriched',
    needs: ['execution', 'scriptLog'],
    when: { types: ['reload'], outcomes: ['failed'] },
    plan: () => [{ target: name, lane: name, ...planned }],
    ...more,
  }
}

/** A repository with `count` failed executions and their logs. */
async function scene(count: number, options: PipelineOptions) {
  const qrs = fakeQrs()
  const executions = Array.from({ length: count }, (_, n) => guid('e5', n))
  for (const [n, id] of executions.entries()) {
    qrs.results.set(id, [executionResult({ id: guid('0d', n), executionID: id })])
    qrs.logs.set(guid('0d', n), LOG)
  }
  const pipeline = await startPipeline({ qrs, ...options })
  return {
    ...pipeline,
    fail: async () => {
      for (const execution of executions) await pipeline.send(message({ execution }))
      await until(() => pipeline.routed.length === count, { timeout: 20_000 })
    },
    asked: () => qrs.calls.filter((call) => call.startsWith('log')).length,
    states: () =>
      pipeline.db
        .all<{ state: string; reason: string | null }>('SELECT state, reason FROM delivery ORDER BY seq')
        .map(({ state, reason }) => reason ?? state),
  }
}

const NEVER: RuleFilter = {
  needs: [],
  matches: () => false,
  explain: () => ({ matched: false, because: 'never', fields: [] }),
}

test('failures of a task within a second: the one that is reported has its log, the others are not asked about', async () => {
  const { fail, asked, states, routed, db } = await scene(40, { routes: [rule('mail', { limit })] })
  await fail()
  expect(asked()).toBe(1)
  expect(states()).toEqual(['pending', ...Array.from({ length: 39 }, () => 'RATE_LIMITED')])
  expect(db.get('SELECT suppressed FROM rate_limit')).toEqual({ suppressed: 39 })
  const [first, second] = routed.map(({ id }) => loadTaskEvent(db, id))
  expect(first).toMatchObject({ scriptLog: { lines: ['first line', 'last line'] }, missingParts: [] })
  expect(second).toMatchObject({ scriptLog: null, logSkipped: true, missingParts: [], execution: { status: 8 } })
})

test.each([
  ['held back by a gate', [rule('mail', { suppress: { reason: 'TAG', detail: 'no tag' } })], 0],
  ['of a rule whose conditions do not hold', [rule('mail', {}, { filter: NEVER })], 0],
  ['without a limit', [rule('mail', {})], 3],
  ['one limited, one not', [rule('mail', { limit }), rule('chat', {})], 3],
  ['whose rule asks for the log itself', [rule('mail', { limit }, { filter: { ...NEVER, needs: ['scriptLog'] } })], 3],
  ['that only the log makes', [rule('disk', {}, { plan: () => [] })], 3],
] as const)('messages %s', async (_what, routes, expected) => {
  const { fail, asked } = await scene(3, { routes })
  await fail()
  expect(asked()).toBe(expected)
})

test('where the log of the first failure is not there yet, the next one is reported with its own', async () => {
  const routes = [rule('pager', {}, { needs: [] }), rule('mail', { limit })]
  const { fail, asked, states, qrs, db } = await scene(2, { routes })
  qrs.logs.delete(guid('0d', 0))
  await fail()
  expect(asked()).toBe(2)
  expect(states().sort()).toEqual(['RATE_LIMITED', 'pending', 'pending', 'pending'])
  expect(db.get('SELECT count(*) AS n FROM script_log')).toEqual({ n: 1 })
})

const FAILED = new QrsError(
  'status',
  { host: 'qs', port: 4242, method: 'GET', endpoint: 'download/reloadtask', expectedStatus: [200, 404] } as QrsCall,
  { status: 500 },
)

test('a repository that fails to read a log: the alert that leaves at its deadline names the answer', async () => {
  const qrs = fakeQrs()
  qrs.scriptLog = async () => {
    throw FAILED
  }
  const delivery = { enrichmentTimeout: 1500 }
  const { send, routed } = await startPipeline({ qrs, needs: ['execution', 'scriptLog'], delivery })
  await send(message())
  await until(() => routed.length === 1)
  expect(routed[0]).toMatchObject({
    scriptLog: null,
    missingParts: ['scriptLog'],
    absentParts: [],
    missingReasons: { scriptLog: '500 Internal Server Error' },
  })
})

/** Asks for parts of one event, as often as it is called; resolves with the error of a question that may be asked again. */
function asking(qrs: ReturnType<typeof fakeQrs>, needs: readonly Need[], now: () => number) {
  const deps: FactsDeps = { cached: qrs, fresh: qrs, now, needs: () => new Set(needs), wantsLog: async () => true }
  const event = {
    ...taskEvent({ taskId: TASK_ID, executionId: guid('e5', 1) }),
    announced: 'failed',
    receivedAt: 0,
  } as unknown as StoredEvent
  return async (facts: Facts) =>
    gatherFacts(deps, event, facts, new AbortController().signal, () => undefined).catch((error: unknown) => error)
}

test('an owner that the repository fails to read first, and then does not have, is one that is not there', async () => {
  const qrs = fakeQrs()
  const { appById } = qrs
  qrs.appById = async (...asked) => {
    const app = await appById(...asked)
    return app && { ...app, owner: { ...app.owner!, id: guid('0e', 1) } }
  }
  qrs.owner = () => Promise.reject(FAILED)
  const ask = asking(qrs, ['app', 'owner'], () => 0)
  const facts: Facts = {}
  expect(await ask(facts)).toBe(FAILED)
  expect(facts.reasons).toEqual({ owner: '500 Internal Server Error' })
  qrs.owner = async () => null
  expect(await ask(facts)).toBe('complete')
  expect(facts.reasons).toEqual({ owner: '404 Not Found' })
})

test('a log that the repository fails to read is asked for during 15 seconds', async () => {
  const qrs = fakeQrs()
  let now = 0
  let fails = true
  const { scriptLog } = qrs
  qrs.scriptLog = (...asked) => (fails ? Promise.reject(FAILED) : scriptLog(...asked))
  const ask = asking(qrs, ['scriptLog'], () => now)
  const facts: Facts = {}
  expect(await ask(facts)).toBe(FAILED)
  expect([facts.scriptLog, facts.reasons]).toEqual([undefined, { scriptLog: '500 Internal Server Error' }])
  now = 15_001
  expect(await ask(facts)).toBe('complete')
  expect([facts.scriptLog, facts.reasons]).toEqual([null, { scriptLog: '500 Internal Server Error' }])
  now = 14_000
  fails = false
  const later: Facts = {}
  expect(await ask(later)).toBe('complete')
  expect(later.scriptLog).toMatchObject({ lines: ['first line', 'last line'] })
})

test('a message that is sent after all gets its log, which is kept; without an answer it is named as missing', async () => {
  const held = { suppress: { reason: 'TAG', detail: 'no tag' } } as const
  const { fail, routed, db, writer, qrs, asked } = await scene(1, { routes: [rule('mail', held)] })
  await fail()
  const forgotten: string[] = []
  const log = recordingLog()
  const withLog = createLateLogs({ writer, qrs, log, forget: (id) => void forgotten.push(id) })
  const event = loadTaskEvent(db, routed[0]!.id)!
  qrs.down = true
  const { signal } = new AbortController()
  expect(await withLog(event, signal)).toMatchObject({ scriptLog: null, missingParts: ['scriptLog'] })
  expect(log.of('warn').join()).toContain('could not be read')
  qrs.down = false
  const { scriptLog } = qrs
  qrs.scriptLog = () => Promise.reject(FAILED)
  expect(await withLog(event, signal)).toMatchObject({ missingReasons: { scriptLog: '500 Internal Server Error' } })
  qrs.scriptLog = scriptLog
  expect(await withLog(event, signal)).toMatchObject({ scriptLog: { lines: ['first line', 'last line'] } })
  expect(loadTaskEvent(db, event.id)?.scriptLog?.lines).toEqual(['first line', 'last line'])
  expect(forgotten).toEqual([event.id])
  expect(asked()).toBe(2)
})
