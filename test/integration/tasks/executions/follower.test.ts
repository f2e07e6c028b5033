/** Following executions with a repository made of tables. */
import { describe, expect, test } from 'bun:test'
import { systemClock } from '../../../../src/platform/types.ts'
import { QrsError } from '../../../../src/qlik/qrs/errors.ts'
import type { ExecutionReader, QrsExecutionResult } from '../../../../src/qlik/qrs/types.ts'
import { createFollower } from '../../../../src/tasks/executions/follower.ts'
import { createStatusCache } from '../../../../src/tasks/executions/status.ts'
import { executionResult } from '../../../support/fake-qrs.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { until } from '../../../support/wait.ts'

const A = 'e5000000-0000-4000-8000-00000000000a'
const B = 'e5000000-0000-4000-8000-00000000000b'

function scene(pollMs: readonly number[]) {
  const results = new Map<string, QrsExecutionResult[]>()
  const asked: string[][] = []
  /** `performance.now()` of each question. */
  const askedAt: number[] = []
  let down = false
  const reader: ExecutionReader = {
    allTasks: async () => [],
    taskBatches: async function* () {},
    taskCount: async () => 0,
    taskKeys: async () => [],
    resultsById: async () => [],
    executionSession: async () => null,
    async resultsOfExecutions(ids) {
      asked.push([...ids])
      askedAt.push(performance.now())
      if (down) {
        const call = { endpoint: 'executionresult', host: 'qs', port: 4242, method: 'GET', expectedStatus: [200] }
        throw new QrsError('unreachable', call, { reason: 'connect ECONNREFUSED' })
      }
      return ids.flatMap((id) => results.get(id) ?? [])
    },
  }
  const statuses = createStatusCache({ qrs: reader, clock: systemClock })
  const follower = createFollower({ statuses, clock: systemClock, log: recordingLog() }, { pollMs })
  const set = (id: string, status: number) => {
    results.set(id, [
      executionResult({ status, executionID: id, taskID: `task-${id}`, startTime: '2026-03-02T06:00:00Z' }),
    ])
  }
  return {
    statuses,
    follower,
    asked,
    askedAt,
    set,
    setDown: (value: boolean) => {
      down = value
    },
    [Symbol.dispose]: () => follower.stop(),
  }
}

const never = new AbortController().signal

describe('waiting for the end of an execution', () => {
  test('many are asked with one request, at growing distances', async () => {
    using all = scene([20, 40, 80])
    all.set(A, 2)
    all.set(B, 2)
    const ends = [A, B, A].map((id) => all.follower.untilFinal(id, never))
    await until(() => all.asked.length >= 4)
    for (const ids of all.asked) expect(ids.toSorted()).toEqual([A, B])
    const gaps = all.askedAt.slice(1).map((time, index) => time - all.askedAt[index]!)
    expect(gaps[0]).toBeGreaterThanOrEqual(35)
    expect(gaps[1]).toBeGreaterThanOrEqual(75)
    all.set(A, 7)
    all.set(B, 8)
    expect((await Promise.all(ends)).map(({ outcome }) => outcome)).toEqual(['success', 'failed', 'success'])
    const count = all.asked.length
    await until(() => performance.now() - all.askedAt.at(-1)! > 120)
    expect(all.asked).toHaveLength(count)
  })

  test('an event shortens it, by execution or by task', async () => {
    using all = scene([60_000])
    all.set(A, 2)
    const end = all.follower.untilFinal(A, never)
    expect(all.asked).toEqual([])
    all.follower.nudge(A.toUpperCase(), 'x')
    await until(() => all.asked.length === 1)
    all.set(A, 6)
    all.follower.nudge('', `task-${A}`)
    expect(await end).toMatchObject({ state: 'finished', outcome: 'aborted' })
    expect(all.asked).toHaveLength(2)
  })

  test('goes on while QRS is down', async () => {
    using all = scene([20])
    all.set(A, 7)
    all.setDown(true)
    const end = all.follower.untilFinal(A, never)
    await until(() => all.asked.length > 2)
    all.setDown(false)
    expect(await end).toMatchObject({ outcome: 'success' })
  })

  test('ends with the known state when the caller gives up, and QRS is asked no more', async () => {
    using all = scene([20])
    all.set(A, 2)
    const patience = new AbortController()
    const end = all.follower.untilFinal(A, patience.signal)
    await until(() => all.asked.length > 0 && all.statuses.last(A))
    patience.abort()
    expect(await end).toMatchObject({ state: 'running', outcome: null, statusText: 'Started' })
    const count = all.asked.length
    all.set(B, 2)
    const other = new AbortController()
    const otherEnd = all.follower.untilFinal(B, other.signal)
    await until(() => all.asked.filter((ids) => ids.includes(B)).length > 2)
    expect(all.asked.slice(count).filter((ids) => ids.includes(A)).length).toBeLessThanOrEqual(1)
    other.abort()
    await otherEnd
  })

  test('a state that was asked a moment ago is not asked again, a final one never', async () => {
    using all = scene([20])
    all.set(A, 2)
    await all.statuses.recent(A, 10_000)
    await all.statuses.recent(A, 10_000)
    expect(all.asked).toHaveLength(1)
    all.follower.nudge(A, '')
    all.set(A, 7)
    await Promise.all([all.statuses.recent(A, 10_000), all.statuses.recent(A, 10_000)])
    expect(all.asked).toHaveLength(2)
    await all.statuses.recent(A, 0)
    expect(all.asked).toHaveLength(2)
  })
})
