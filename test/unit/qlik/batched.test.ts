/** Questions asked at the same time share requests; a server that refuses them gets the single ones. */
import { describe, expect, test } from 'bun:test'
import { createBatchedQrs } from '../../../src/qlik/qrs/batched.ts'
import { QrsError } from '../../../src/qlik/qrs/errors.ts'
import type { QrsExecutionResult, QrsTask } from '../../../src/qlik/qrs/types.ts'
import { executionResult, qrsTask } from '../../support/fake-qrs.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { until } from '../../support/wait.ts'

const guid = (n: number) => `e5000000-0000-4000-8000-${String(n).padStart(12, '0')}`
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)
const CALL = { endpoint: 'x', host: 'qs', port: 4242, method: 'GET', expectedStatus: [200] }

function world() {
  const requests: string[] = []
  const state = {
    now: 0,
    /** Answers `many` instead of the rows. */
    refuse: null as Error | null,
    results: (id: string): QrsExecutionResult[] => [executionResult({ executionID: id })],
    gate: Promise.resolve(),
    underWay: 0,
    most: 0,
    aborted: 0,
  }
  async function request<T>(name: string, answer: () => T, signal?: AbortSignal): Promise<T> {
    requests.push(name)
    state.underWay += 1
    state.most = Math.max(state.most, state.underWay)
    signal?.addEventListener('abort', () => {
      state.aborted += 1
    })
    await state.gate
    await Bun.sleep(2)
    state.underWay -= 1
    return answer()
  }
  const refused = <T>(rows: T): T => {
    if (state.refuse) throw state.refuse
    return rows
  }
  const client = {
    taskById: (id: string, signal?: AbortSignal) => request(`task ${id}`, () => qrsTask({ id }), signal),
    tasksById: (ids: readonly string[], signal?: AbortSignal) =>
      request(`${ids.length} tasks`, () => refused(ids.map((id) => qrsTask({ id: id.toUpperCase() }))), signal),
    appById: (id: string) => request(`app ${id}`, () => null),
    appsById: (ids: readonly string[]) => request(`${ids.length} apps`, () => []),
    executionResults: (id: string, signal?: AbortSignal) => request(`result ${id}`, () => state.results(id), signal),
    resultsOfExecutions: (ids: readonly string[], signal?: AbortSignal) =>
      request(`${ids.length} results`, () => refused(ids.flatMap((id) => state.results(id))), signal),
    scriptLog: () => request('log', () => 'text'),
  } as unknown as Parameters<typeof createBatchedQrs>[0]
  const batched = createBatchedQrs(client, { log: recordingLog(), clock: { now: () => state.now } })
  return { batched, requests, state }
}

describe('questions to QRS', () => {
  test('one alone is the request for one', async () => {
    const { batched, requests } = world()
    expect(await batched.executionResults(guid(1))).toMatchObject([{ executionID: guid(1) }])
    expect((await batched.taskById(guid(2)))?.id).toBe(guid(2))
    expect(requests).toEqual([`result ${guid(1)}`, `task ${guid(2)}`])
  })

  test('many at once share requests of 50 ids, four under way; each caller gets its own answer', async () => {
    const { batched, requests, state } = world()
    const answers = await Promise.all(numbers(420).map((n) => batched.executionResults(guid(n).toUpperCase())))
    expect(answers.map(([one]) => one?.executionID?.toLowerCase())).toEqual(numbers(420).map(guid))
    expect(requests).toEqual([...Array(8).fill('50 results'), '20 results'])
    expect(state.most).toBe(4)
  })

  test('one id asked about twice at the same time is one question; tasks, apps and results share the four places', async () => {
    const { batched, requests, state } = world()
    const tasks: Promise<QrsTask | null>[] = numbers(120).map((n) => batched.taskById(guid(n % 60)))
    const apps = numbers(60).map((n) => batched.appById(guid(n)))
    const results = numbers(60).map((n) => batched.executionResults(guid(n)))
    expect((await Promise.all(tasks)).map((task) => task?.id.toLowerCase())).toEqual(
      numbers(120).map((n) => guid(n % 60)),
    )
    expect(new Set(await Promise.all(apps))).toEqual(new Set([null]))
    await Promise.all(results)
    expect(requests.toSorted()).toEqual(
      ['10 apps', '10 results', '10 tasks', '50 apps', '50 results', '50 tasks'].toSorted(),
    )
    expect(state.most).toBeLessThanOrEqual(4)
  })

  test('an execution without a result has none; in a list that the server may have cut it is looked for alone', async () => {
    const { batched, requests, state } = world()
    state.results = (id) => (id === guid(3) ? [] : [executionResult({ executionID: id })])
    const few = await Promise.all(numbers(10).map((n) => batched.executionResults(guid(n))))
    expect(few[3]).toEqual([])
    expect(requests).toEqual(['10 results'])
    state.results = (id) => (id === guid(3) ? [] : Array(2).fill(executionResult({ executionID: id })))
    const many = await Promise.all(numbers(50).map((n) => batched.executionResults(guid(n))))
    expect(many.map(({ length }) => length)).toEqual(numbers(50).map((n) => (n === 3 ? 0 : 2)))
    expect(requests).toEqual(['10 results', '50 results', `result ${guid(3)}`])
  })

  test('a server that refuses the filter is asked for each id, and not asked together for ten minutes', async () => {
    const { batched, requests, state } = world()
    state.refuse = new QrsError('status', CALL, { status: 400 })
    const ask = () => Promise.all(numbers(5).map((n) => batched.executionResults(guid(n))))
    const single = numbers(5).map((n) => `result ${guid(n)}`)
    expect((await ask()).map(([one]) => one?.executionID)).toEqual(numbers(5).map(guid))
    expect(requests).toEqual(['5 results', ...single])
    state.now = 599_999
    requests.length = 0
    await ask()
    expect(requests.toSorted()).toEqual(single)
    expect(state.most).toBeLessThanOrEqual(4)
    state.now = 600_000
    state.refuse = null
    requests.length = 0
    await ask()
    expect(requests).toEqual(['5 results'])
    // Tasks were never refused.
    await Promise.all(numbers(5).map((n) => batched.taskById(guid(n))))
    expect(requests).toEqual(['5 results', '5 tasks'])
  })

  test('an answer that cannot be used costs no other event its own; it is asked for together again', async () => {
    for (const error of [new QrsError('status', CALL, { status: 500 }), new QrsError('notJson', CALL, {})]) {
      const { batched, requests, state } = world()
      state.refuse = error
      const [found] = await Promise.all(numbers(2).map((n) => batched.executionResults(guid(n))))
      expect(found).toHaveLength(1)
      expect(requests).toEqual(['2 results', `result ${guid(0)}`, `result ${guid(1)}`])
      await Promise.all(numbers(2).map((n) => batched.executionResults(guid(n))))
      expect(requests[3]).toBe('2 results')
    }
  })

  test('with QRS down every caller gets the error, and no further request is made', async () => {
    for (const error of [new QrsError('unreachable', CALL, {}), new QrsError('status', CALL, { status: 503 })]) {
      const { batched, requests, state } = world()
      state.refuse = error
      const ends = await Promise.allSettled(numbers(30).map((n) => batched.executionResults(guid(n))))
      expect(ends.every((end) => end.status === 'rejected' && end.reason === error)).toBeTrue()
      expect(requests).toEqual(['30 results'])
    }
  })

  test('a caller that cancels stops waiting; a request that no caller wants any more is ended', async () => {
    const { batched, requests, state } = world()
    const { promise, resolve } = Promise.withResolvers<void>()
    state.gate = promise
    const [first, second] = [new AbortController(), new AbortController()]
    const asking = [batched.executionResults(guid(1), first.signal), batched.executionResults(guid(2), second.signal)]
    const ends = Promise.allSettled(asking)
    await until(() => requests.length === 1)
    first.abort(new Error('late'))
    await expect(asking[0]!).rejects.toThrow('late')
    expect(state.aborted).toBe(0)
    second.abort(new Error('late'))
    expect(state.aborted).toBe(1)
    await ends
    resolve()
    // What is cancelled before its turn is never asked.
    const third = new AbortController()
    const gone = batched.executionResults(guid(3), third.signal)
    third.abort(new Error('late'))
    await expect(gone).rejects.toThrow('late')
    await batched.executionResults(guid(4))
    expect(requests).toEqual(['2 results', `result ${guid(4)}`])
  })

  test('six script logs are fetched at a time', async () => {
    const { batched, requests, state } = world()
    const [result] = state.results(guid(1))
    const texts = await Promise.all(numbers(20).map(() => batched.scriptLog(guid(1), result!)))
    expect(new Set(texts)).toEqual(new Set(['text']))
    expect(requests).toHaveLength(20)
    expect(state.most).toBe(6)
  })
})
