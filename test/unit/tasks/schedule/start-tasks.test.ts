import { describe, expect, test } from 'bun:test'
import { QrsError } from '../../../../src/qlik/qrs/errors.ts'
import type { ExecutionFollower } from '../../../../src/tasks/executions/types.ts'
import { createStartTasks } from '../../../../src/tasks/schedule/actions.ts'
import type { ActionContext } from '../../../../src/tasks/schedule/runner.ts'
import type { ActionResult, Run, RunTask } from '../../../../src/tasks/schedule/types.ts'
import type { StartOutcome, StartRequest } from '../../../../src/tasks/start/types.ts'
import { recordingLog } from '../../../support/recording-log.ts'

const TASK = 'a8b4c123-def4-5678-9abc-def012345678'
const NOTHING: StartOutcome = {
  started: [],
  failed: [],
  notFound: [],
  heldBack: [],
  selected: [],
  denied: { taskIds: [], tags: [], customProperties: [] },
}
const started = (executionId: string | null): StartOutcome => ({
  ...NOTHING,
  started: [{ taskId: TASK, taskName: 'Sales', executionId }],
})
const failed = (error: string, passing: boolean): StartOutcome => ({
  ...NOTHING,
  failed: [{ taskId: TASK, taskName: 'Sales', error, ...(passing && { passing }) }],
})

const call = { endpoint: 'task', host: 'qs', port: 4242, method: 'GET', expectedStatus: [200] }
const lookup = (kind: 'unreachable' | 'status', status?: number): Error =>
  Object.assign(new Error('QRS', { cause: new QrsError(kind, call, { ...(status && { status }) }) }), {
    name: 'LookupError',
  })

interface Ran {
  readonly result: ActionResult | null
  readonly requests: readonly StartRequest[]
  readonly kept: readonly (readonly RunTask[])[]
  /** Tasks that count as started before. */
  readonly done: readonly (readonly [string, string | null])[]
}

/** One run whose starts come out like this, one after the other. */
async function run(
  outcomes: readonly (StartOutcome | Error)[],
  options: { outcome?: string; run?: Partial<Run>; resumed?: boolean; now?: number } = {},
): Promise<Ran> {
  const requests: StartRequest[] = []
  const kept: (readonly RunTask[])[] = []
  let done: Ran['done'] = []
  const follower: ExecutionFollower = {
    untilFinal: async () => ({
      state: 'finished',
      outcome: (options.outcome ?? 'success') as 'success',
      statusText: '',
      queueMs: 0,
      runMs: 0,
    }),
  }
  const perform = createStartTasks(
    {
      follower,
      log: recordingLog(),
      clock: { now: () => options.now ?? 0 },
      async start(request, progress) {
        const outcome = outcomes[requests.length]
        requests.push(request)
        done = [...(progress?.done ?? [])]
        if (done.length === 0) await progress?.starting?.(TASK, 'Sales', '')
        if (outcome instanceof Error || !outcome) throw outcome ?? new Error('started too often')
        return outcome
      },
    },
    { retryMs: [1, 1] },
  )
  const context = {
    run: { id: 'r1', scheduleId: 's1', tasks: [], firedAt: 0, ...options.run },
    plan: { selection: { taskIds: [TASK], tags: [], customProperties: [], match: 'any' } },
    scheduleName: 'S',
    resumed: options.resumed ?? false,
    signal: new AbortController().signal,
    progress: async (tasks: readonly RunTask[]) => void kept.push(tasks),
  } as unknown as ActionContext
  return { result: await perform(context), requests, kept, done }
}

describe('starting the tasks of a schedule', () => {
  test('one request, with the id of the run and as the schedule', async () => {
    const { requests, result } = await run([started('e1')])
    expect(requests).toMatchObject([{ id: 'r1', origin: 'schedule', actor: 'schedule:s1', taskIds: [TASK] }])
    expect(result).toEqual({
      outcome: 'success',
      tasks: [{ taskId: TASK, taskName: 'Sales', executionId: 'e1', outcome: 'success' }],
    })
  })

  test('QRS away for a moment: tried again twice, with the same id', async () => {
    const { requests, result } = await run([lookup('unreachable'), failed('QRS answered 503', true), started('e1')])
    expect(requests.map(({ id }) => id)).toEqual(['r1', 'r1', 'r1'])
    expect(result?.outcome).toBe('success')
  })

  test('QRS away for longer: the run has failed, and says why', async () => {
    const { requests, result } = await run([lookup('unreachable'), lookup('status', 500), lookup('unreachable')])
    expect(requests).toHaveLength(3)
    expect(result).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('QRS') })
  })

  test('what QRS refuses is not tried again', async () => {
    const refused = await run([failed('The task is disabled', false)])
    expect(refused.requests).toHaveLength(1)
    expect(refused.result).toMatchObject({ outcome: 'failed', detail: 'Sales: The task is disabled' })
    const forbidden = await run([lookup('status', 403)])
    expect([forbidden.requests.length, forbidden.result?.outcome]).toEqual([1, 'failed'])
  })

  test('tasks that are gone or denied make a failed run', async () => {
    const { result } = await run([{ ...NOTHING, notFound: [TASK] }])
    expect(result).toEqual({ outcome: 'failed', detail: `task ${TASK} does not exist` })
  })

  test('the worst outcome of the tasks is that of the run', async () => {
    expect((await run([started('e1')], { outcome: 'aborted' })).result?.outcome).toBe('aborted')
    expect((await run([started(null)])).result?.outcome).toBe('unknown')
  })

  test('after a restart what was started is followed, and not started again', async () => {
    const tasks = [{ taskId: TASK, taskName: 'Sales', executionId: 'e1', outcome: null }]
    const { requests, result } = await run([], { run: { tasks }, resumed: true })
    expect([requests.length, result?.outcome]).toEqual([0, 'success'])
  })

  test('a task that was perhaps started before the restart is not started again, and the others are', async () => {
    const other = '22222222-2222-4222-8222-222222222222'
    const tasks = [{ taskId: TASK, taskName: 'Sales', executionId: null, outcome: null, starting: true as const }]
    const outcome = {
      ...started(null),
      started: [...started(null).started, { taskId: other, taskName: 'B', executionId: 'e2' }],
    }
    const { result, done } = await run([outcome], { run: { tasks }, resumed: true, now: 60_000 })
    expect(done).toEqual([[TASK, null]])
    expect(result).toMatchObject({
      outcome: 'unknown',
      tasks: [
        { taskId: TASK, outcome: 'unknown' },
        { taskId: other, outcome: 'success' },
      ],
    })
  })

  test('each task is noted before Qlik Sense is asked', async () => {
    const { kept } = await run([started('e1')])
    expect(kept[0]).toEqual([{ taskId: TASK, taskName: 'Sales', executionId: null, outcome: null, starting: true }])
    expect(kept.at(-1)).toEqual([{ taskId: TASK, taskName: 'Sales', executionId: 'e1', outcome: null }])
  })

  test('cut short while starting: taken up with the same id, but not after ten minutes', async () => {
    const soon = await run([started('e1')], { resumed: true, now: 60_000 })
    expect(soon.requests).toMatchObject([{ id: 'r1' }])
    const late = await run([started('e1')], { resumed: true, now: 11 * 60_000 })
    expect([late.requests.length, late.result?.outcome]).toEqual([0, 'unknown'])
  })
})
