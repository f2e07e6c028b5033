/** One task with its triggers and expected end, durations, strips of the last outcomes, and the list of executions. */
import { DEFAULT_LIMIT, keyCursorOf, numbersInCursor } from '../../http/endpoint/list-query.ts'
import { type ApiRoute, route } from '../../http/endpoint/route.ts'
import { refusal } from '../../http/errors.ts'
import { isGuid } from '../../platform/uuid.ts'
import { QrsError } from '../../qlik/qrs/errors.ts'
import { reasonOf } from '../../qlik/qrs/failure.ts'
import type { QrsClient } from '../../qlik/qrs/types.ts'
import { EXECUTIONS, type ListedExecution } from '../executions/contract.ts'
import { isoOf, statusTextOf } from '../executions/status.ts'
import type { TaskDescriber } from '../executions/tasks.ts'
import { DURATIONS, STRIPS, TASK, type TaskPoint } from './contract.ts'
import { describeTask, stateNow } from './describe-task.ts'
import type { TimelineRouteDeps } from './http-timeline.ts'
import type { Point, RunningTask } from './queries.ts'
import type { PlanSettings } from './timeline.ts'

interface TaskRoutesDeps extends TimelineRouteDeps {
  readonly qrs: Pick<QrsClient, 'taskById'>
  readonly describeTasks: TaskDescriber
}

const DAY_MS = 86_400_000
export function taskRoutes(deps: TaskRoutesDeps, settings: PlanSettings): ApiRoute[] {
  return [readOne(deps, settings), durations(deps, settings), strips(deps, settings), listExecutions(deps)]
}

function readOne(deps: TaskRoutesDeps, settings: PlanSettings): ApiRoute {
  return route({
    ...TASK,
    scope: 'task:read',
    summary: 'One task: state, expected end, triggers, and tasks that follow',
    examples: [{ name: 'task', params: { taskId: 'a8b4c123-def4-5678-9abc-def012345678' }, status: 200 }],
    async handle({ params }, answer) {
      const taskId = taskIdOf(params.taskId)
      const { site } = deps
      const [found] = await Promise.all([readTask(deps, taskId), site.tasks(), site.triggers(), site.running()])
      if (!found) throw refusal('TASK_NOT_FOUND', `Qlik Sense knows no task with the id ${taskId}.`)
      return answer(200, { ...found.info, ...(await describeTask(deps, settings, taskId)), stale: found.stale })
    },
  })
}

function durations({ reader, clock }: TaskRoutesDeps, { timezone }: PlanSettings): ApiRoute {
  return route({
    ...DURATIONS,
    scope: 'task:read',
    summary: 'Run times of a task, and their usual band',
    description:
      'At most 5,000 runs, the newest first. The band has the percentiles of the 30 successful runs before each day.',
    examples: [{ name: 'task', params: { taskId: 'a8b4c123-def4-5678-9abc-def012345678' }, status: 200 }],
    async handle({ params, query }, answer) {
      const now = clock.now()
      const from = query.from?.(now) ?? now - 90 * DAY_MS
      const found = await reader.ask({ kind: 'durations', taskId: taskIdOf(params.taskId), from, timezone })
      return answer(200, {
        ...found,
        points: found.points.map((one) => ({ ...pointOf(one), queueMs: one.queueMs })),
      })
    },
  })
}

function strips(deps: TaskRoutesDeps, { timezone }: PlanSettings): ApiRoute {
  const { reader, clock } = deps
  return route({
    ...STRIPS,
    scope: 'task:read',
    summary: 'The last outcomes of tasks',
    description: 'Oldest first, with the usual run time. A task that never ran has none.',
    examples: [{ name: 'one', query: { taskId: 'a8b4c123-def4-5678-9abc-def012345678' }, status: 200 }],
    async handle({ query: { taskId, n = 14 } }, answer) {
      const taskIds = [...new Set(taskId.map((id) => id.toLowerCase()))]
      const tasks = taskIds.map((id) => ({ taskId: id, taskType: null, plannedAt: null }))
      const [{ strips }, { usual }] = await Promise.all([
        reader.ask({ kind: 'strips', taskIds, n }),
        reader.ask({ kind: 'usual', tasks, now: clock.now(), timezone }),
      ])
      const entries = Object.entries(strips).map(([id, points]) => [id, points.map(pointOf)] as const)
      const known = usual.flatMap(({ usualMs, samples }, at) =>
        usualMs === null ? [] : [[taskIds[at]!, { p50Ms: usualMs, samples }] as const],
      )
      const states = taskIds.flatMap((id) => {
        const state = stateNow(deps, id)
        return state === null ? [] : [[id, state] as const]
      })
      return answer(200, {
        strips: Object.fromEntries(entries),
        usual: Object.fromEntries(known),
        states: Object.fromEntries(states),
      })
    },
  })
}

function listExecutions({ reader, clock, site }: TaskRoutesDeps): ApiRoute {
  return route({
    ...EXECUTIONS,
    scope: 'task:read',
    summary: 'List executions: those that wait and run, then the history',
    examples: [
      {
        name: 'running',
        query: { state: 'running' },
        status: 200,
        answer: { executions: [], nextCursor: null, partial: false, stale: false },
      },
    ],
    async handle({ query }, answer) {
      const { cursor, limit = DEFAULT_LIMIT, state } = query
      const now = clock.now()
      const ids = lowerCase(query.id)
      const taskIds = lowerCase(query.taskId)
      const isFirst = cursor === undefined
      const wantsLive = isFirst && (state === undefined || state.some((one) => one !== 'finished'))
      const live = wantsLive ? await site.running() : null
      const running = (live?.value ?? []).filter(
        (one) =>
          (state?.includes(one.state) ?? true) &&
          (taskIds?.includes(one.taskId) ?? true) &&
          (ids?.includes(one.executionId ?? '') ?? true) &&
          one.since >= (query.from?.(now) ?? 0) &&
          one.since < (query.to?.(now) ?? Number.MAX_SAFE_INTEGER),
      )
      const items = running.slice(0, limit).map(runningItem)
      if (state !== undefined && !state.includes('finished')) {
        return answer(200, { executions: items, nextCursor: null, partial: false, stale: live?.stale ?? false })
      }
      const [stoppedAt, seq = 0] = numbersInCursor(cursor, 2) ?? []
      const { executions, next, partial } = await reader.ask({
        kind: 'list',
        filter: {
          id: ids,
          taskId: taskIds,
          taskName: null,
          appId: null,
          type: null,
          outcome: null,
          node: null,
          actor: null,
          from: query.from?.(now) ?? null,
          to: query.to?.(now) ?? null,
        },
        after: stoppedAt === undefined ? null : [stoppedAt, seq],
        limit: Math.max(1, limit - items.length),
      })
      const nextCursor = next && keyCursorOf(next.map(String))
      return answer(200, {
        executions: [...items, ...executions],
        nextCursor,
        partial,
        stale: live?.stale ?? false,
      })
    },
  })
}

const lowerCase = (ids: readonly string[] | undefined) => ids?.map((id) => id.toLowerCase()) ?? null

function taskIdOf(taskId: string): string {
  if (isGuid(taskId)) return taskId.toLowerCase()
  throw refusal('INVALID_ID', 'A task ID is a GUID.')
}

const pointOf = ({ executionId, outcome, stoppedAt, runMs }: Point): TaskPoint => ({
  executionId,
  outcome,
  stoppedAt: isoOf(stoppedAt),
  runMs,
})

/** The task as QRS has it, or else as it was last known; null when it does not exist. Throws 502 when nothing is known. */
async function readTask({ qrs, describeTasks, site, reader }: TaskRoutesDeps, taskId: string) {
  try {
    const task = await qrs.taskById(taskId, AbortSignal.timeout(10_000))
    if (!task) return null
    const [info] = await describeTasks([task])
    return { info: info!, stale: false }
  } catch (error) {
    const known = site.last.tasks.get(taskId)
    if (!known) throw refusal('REPOSITORY_UNREACHABLE', `QRS request failed: ${reasonOf(error)}`)
    if (!(error instanceof QrsError) && !(error instanceof DOMException)) throw error
    const { strips } = await reader.ask({ kind: 'strips', taskIds: [taskId], n: 1 })
    const [point] = strips[taskId] ?? []
    const { id, name, type, enabled, tags, customProperties, appId, appName, stream } = known
    const last = point ? { ...pointOf(point), state: 'finished' as const } : null
    const info = { taskId: id, taskName: name, taskType: type, enabled, tags, customProperties, appId, appName, stream }
    return { info: { ...info, nextExecution: null, last }, stale: true }
  }
}

function runningItem({ executionId, taskId, taskName, taskType, state, since }: RunningTask): ListedExecution {
  return {
    executionId,
    kind: 'task',
    taskId,
    taskName,
    taskType,
    appId: null,
    appName: null,
    state,
    outcome: null,
    statusNum: null,
    statusText: statusTextOf(state === 'queued' ? 3 : 2),
    node: null,
    triggeredAt: state === 'queued' ? isoOf(since) : null,
    startedAt: state === 'running' ? isoOf(since) : null,
    stoppedAt: null,
    queueMs: null,
    runMs: null,
    attempts: 1,
    error: null,
  }
}
