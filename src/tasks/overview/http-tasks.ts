/** One task with its triggers and expected end, durations, strips of the last outcomes, and the list of executions. */
import { z } from 'zod'
import {
  DEFAULT_LIMIT,
  keyCursorOf,
  LIST_PARAMETERS,
  NO_QUERY,
  numbersInCursor,
  queryField,
} from '../../http/endpoint/list-query.ts'
import { type ApiRoute, jsonAnswer, looseRoute as route } from '../../http/endpoint/route.ts'
import { refusal } from '../../http/errors.ts'
import { once } from '../../platform/once.ts'
import { isGuid } from '../../platform/uuid.ts'
import { QrsError } from '../../qlik/qrs/errors.ts'
import { reasonOf } from '../../qlik/qrs/failure.ts'
import type { QrsClient } from '../../qlik/qrs/types.ts'
import { EXECUTION_FIELDS, TASK } from '../executions/http.ts'
import { isoOf, OUTCOMES, STATES, statusTextOf } from '../executions/status.ts'
import type { TaskDescriber } from '../executions/tasks.ts'
import { describeTask, stateNow } from './describe-task.ts'
import type { TimelineRouteDeps } from './http-timeline.ts'
import type { Point, RunningTask } from './queries.ts'
import type { PlanSettings } from './timeline.ts'

interface TaskRoutesDeps extends TimelineRouteDeps {
  readonly qrs: Pick<QrsClient, 'taskById'>
  readonly describeTasks: TaskDescriber
}

export interface TaskSettings extends PlanSettings {
  /** Custom property with the retry policy. */
  readonly retryPolicy: string
}

const DAY_MS = 86_400_000
const MOST_STRIPS = 200
const MOST_IDS = 100

const text = once(() => z.string().nullable())
const ms = once(() => z.number().nullable())
const ref = once(() => z.object({ taskId: z.string(), taskName: z.string() }))
const on = once(() => z.enum(['success', 'failure']))

const DETAIL = once(() =>
  TASK().extend({
    state: z
      .enum([...STATES, ...OUTCOMES])
      .nullable()
      .describe('Waits, runs, or the outcome of the last run.'),
    runningExecution: z
      .object({
        executionId: text(),
        state: z.enum(['queued', 'running']),
        startedAt: z.string(),
        expectedEnd: z.string(),
        pessimisticEnd: z.string(),
        over: z.boolean(),
        overByMs: z.number(),
      })
      .nullable(),
    usual: z
      .object({
        usualMs: ms().describe('The median, as all pages and messages say it.'),
        p50Ms: ms().describe('As `usualMs`.'),
        p90Ms: ms(),
        p95Ms: ms(),
        waitP50Ms: ms(),
        samples: z.int().describe('Runs that they are made of, 30 at most.'),
        basis: z
          .enum(['history', 'guess', 'none'])
          .describe('Of expected ends. `guess`: too few runs of its own, others of its type were added.'),
      })
      .describe('Of its last successful runs; all of them are null without one.'),
    triggers: z.array(
      z.object({
        id: z.string(),
        kind: z.enum(['time', 'gate']),
        source: z.enum(['qlik', 'footman']),
        name: z.string(),
        enabled: z.boolean(),
        text: z.string(),
        timezone: text(),
        next: z.array(z.string()),
        rules: z.array(ref().extend({ on: on() })).describe('All of them must come true, of a gate.'),
        withinMs: ms(),
        broken: z.boolean().describe('A rule is about a task that is gone: it never fires.'),
      }),
    ),
    followedBy: z.array(ref().extend({ on: on(), alsoNeeds: z.array(ref()) })),
    retryPolicy: text(),
    watchPolicy: text(),
    due: z
      .object({ at: z.string(), kind: z.enum(['property', 'usual']), plannedAt: z.string() })
      .nullable()
      .describe('Of the last planned start within a day: by the custom property `dueBy`, or the usual end.'),
    dueBy: z.array(z.string()).describe('Values of the custom property.'),
    consecutiveFailures: z.int(),
    lastSuccessAt: text(),
    failingSince: text(),
    stale: z.boolean().describe('Qlik Sense did not answer in time; the task is as it was last known.'),
  }),
)

const PARAMS = once(() => z.object({ taskId: z.string().describe('Id of the task.') }))
const point = { executionId: text(), outcome: z.enum(OUTCOMES), stoppedAt: z.string(), runMs: ms() }

const EXECUTIONS_QUERY = once(() =>
  z.object({
    id: queryField
      .texts()
      .refine((ids) => ids.length <= MOST_IDS, { error: `must be given ${MOST_IDS} times at most` })
      .describe('Execution id; may be repeated up to 100 times.')
      .optional(),
    state: queryField.words(STATES).describe('May be repeated: any of them.').optional(),
    taskId: queryField.texts().describe('May be repeated: any of them.').optional(),
    ...LIST_PARAMETERS,
  }),
)

export function taskRoutes(deps: TaskRoutesDeps, settings: TaskSettings): ApiRoute[] {
  return [readOne(deps, settings), durations(deps, settings), strips(deps, settings), listExecutions(deps)]
}

function readOne(deps: TaskRoutesDeps, settings: TaskSettings): ApiRoute {
  return route({
    method: 'GET',
    path: '/v4/tasks/{taskId}',
    scope: 'task:read',
    summary: 'One task: state, expected end, triggers, and tasks that follow',
    params: PARAMS,
    query: NO_QUERY,
    answers: () => ({
      200: DETAIL().describe('The task.'),
      502: 'Qlik Sense is unreachable, and the task is not known.',
    }),
    examples: [{ name: 'task', params: { taskId: 'a8b4c123-def4-5678-9abc-def012345678' }, status: 200 }],
    async handle({ params }) {
      const taskId = taskIdOf(params)
      const { site } = deps
      const [found] = await Promise.all([readTask(deps, taskId), site.tasks(), site.triggers(), site.running()])
      if (!found) throw refusal('TASK_NOT_FOUND', `Qlik Sense knows no task with the id ${taskId}.`)
      return jsonAnswer(200, { ...found.info, ...(await describeTask(deps, settings, taskId)), stale: found.stale })
    },
  })
}

function durations({ reader, clock }: TaskRoutesDeps, { timezone }: TaskSettings): ApiRoute {
  return route({
    method: 'GET',
    path: '/v4/tasks/{taskId}/durations',
    scope: 'task:read',
    summary: 'Run times of a task, and their usual band',
    description:
      'At most 5,000 runs, the newest first. The band has the percentiles of the 30 successful runs before each day.',
    params: PARAMS,
    query: () => z.object({ from: LIST_PARAMETERS.from.describe('Default 90 days ago.') }),
    answers: () => ({
      200: z
        .object({
          points: z.array(z.object({ ...point, queueMs: ms() })),
          band: z.array(z.object({ day: z.string(), p50Ms: z.number(), p95Ms: z.number() })),
          truncated: z.boolean(),
        })
        .describe('The durations.'),
    }),
    examples: [{ name: 'task', params: { taskId: 'a8b4c123-def4-5678-9abc-def012345678' }, status: 200 }],
    async handle({ params, query }) {
      const now = clock.now()
      const from = query.from?.(now) ?? now - 90 * DAY_MS
      const answer = await reader.ask({ kind: 'durations', taskId: taskIdOf(params), from, timezone })
      return jsonAnswer(200, {
        ...answer,
        points: answer.points.map((one) => ({ ...pointOf(one), queueMs: one.queueMs })),
      })
    },
  })
}

function strips(deps: TaskRoutesDeps, { timezone }: TaskSettings): ApiRoute {
  const { reader, clock } = deps
  return route({
    method: 'GET',
    path: '/v4/tasks/-/strips',
    scope: 'task:read',
    summary: 'The last outcomes of tasks',
    description: 'Oldest first, with the usual run time. A task that never ran has none.',
    query: () =>
      z.object({
        taskId: queryField
          .texts()
          .refine((ids) => ids.length <= MOST_STRIPS, { error: `must be given ${MOST_STRIPS} times at most` })
          .describe('May be repeated up to 200 times.'),
        n: queryField.integer(1, 50).describe('How many of each at most. Default 14.').optional(),
      }),
    answers: () => ({
      200: z
        .object({
          strips: z.record(z.string(), z.array(z.object(point))),
          usual: z
            .record(z.string(), z.object({ p50Ms: z.number(), samples: z.int() }))
            .describe('Median of the last successful runs, 30 at most; absent without one.'),
          states: z
            .record(z.string(), z.string())
            .describe('`queued`, `running`, or the last outcome; absent where the history has none.'),
        })
        .describe('By task id.'),
    }),
    examples: [{ name: 'one', query: { taskId: 'a8b4c123-def4-5678-9abc-def012345678' }, status: 200 }],
    async handle({ query: { taskId, n = 14 } }) {
      const taskIds = [...new Set(taskId.map((id) => id.toLowerCase()))]
      const tasks = taskIds.map((id) => ({ taskId: id, taskType: null, plannedAt: null }))
      const [{ strips }, { usual }] = await Promise.all([
        reader.ask({ kind: 'strips', taskIds, n }),
        reader.ask({ kind: 'usual', tasks, now: clock.now(), timezone }),
      ])
      const entries = Object.entries(strips).map(([id, points]) => [id, points.map(pointOf)])
      const known = usual.flatMap(({ usualMs, samples }, at) =>
        usualMs === null ? [] : [[taskIds[at]!, { p50Ms: usualMs, samples }]],
      )
      const states = taskIds.flatMap((id) => {
        const state = stateNow(deps, id)
        return state === null ? [] : [[id, state]]
      })
      return jsonAnswer(200, {
        strips: Object.fromEntries(entries),
        usual: Object.fromEntries(known),
        states: Object.fromEntries(states),
      })
    },
  })
}

function listExecutions({ reader, clock, site }: TaskRoutesDeps): ApiRoute {
  return route({
    method: 'GET',
    path: '/v4/executions',
    scope: 'task:read',
    summary: 'List executions: those that wait and run, then the history',
    query: EXECUTIONS_QUERY,
    answers: () => ({
      200: z
        .object({
          executions: z.array(z.object(EXECUTION_FIELDS).extend({ executionId: text() })),
          nextCursor: text(),
          partial: z.boolean(),
          stale: z.boolean().describe('Qlik Sense did not answer in time about what runs.'),
        })
        .describe('The executions.'),
    }),
    examples: [
      {
        name: 'running',
        query: { state: 'running' },
        status: 200,
        answer: { executions: [], nextCursor: null, partial: false, stale: false },
      },
    ],
    async handle({ query }) {
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
        return jsonAnswer(200, { executions: items, nextCursor: null, partial: false, stale: live?.stale ?? false })
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
      return jsonAnswer(200, {
        executions: [...items, ...executions],
        nextCursor,
        partial,
        stale: live?.stale ?? false,
      })
    },
  })
}

const lowerCase = (ids: readonly string[] | undefined) => ids?.map((id) => id.toLowerCase()) ?? null

function taskIdOf({ taskId }: z.output<ReturnType<typeof PARAMS>>): string {
  if (isGuid(taskId)) return taskId.toLowerCase()
  throw refusal('INVALID_ID', 'A task ID is a GUID.')
}

const pointOf = ({ executionId, outcome, stoppedAt, runMs }: Point) => ({
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

function runningItem({ executionId, taskId, taskName, taskType, state, since }: RunningTask) {
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
