/** The contracts of the endpoints about tasks, executions and their history. Times are ISO 8601 in UTC, lengths in milliseconds. */
import { z } from 'zod'
import { type AnswerOf, contract, type Shape, shape } from '../../http/endpoint/contract.ts'
import { LIST_PARAMETERS, queryField } from '../../http/endpoint/list-query.ts'
import { GROUPINGS, OUTCOMES, SORTINGS, STATES, TASK_TYPES } from './kinds.ts'

const MAX_WAIT_SECONDS = 3600
const MAX_LINES = 1_000_000
const MOST_IDS = 100

const UNREACHABLE = 'Qlik Sense is unreachable or refuses.'

const text = () => z.string().nullable()
const ms = () => z.number().nullable()
const { from, to, limit, cursor } = LIST_PARAMETERS

const params = () => z.object({ executionId: z.string().describe('Execution id, or `queueId` of a queued start.') })

export const taskRef = shape('TaskReference', () => z.strictObject({ taskId: z.string(), taskName: z.string() }))
export type TaskRef = Shape<typeof taskRef>

const ids = () =>
  queryField
    .texts()
    .refine((ids) => ids.length <= MOST_IDS, { error: `must be given ${MOST_IDS} times at most` })
    .describe('Execution id; may be repeated up to 100 times.')
    .optional()

/** The state of an execution, as answers to start requests contain it. */
export const summary = shape('ExecutionSummary', () =>
  z.strictObject({
    state: z.enum(STATES),
    outcome: z.enum(OUTCOMES).nullable().describe('Null until it is finished.'),
    statusText: z.string().describe('The word of Qlik Sense: `FinishedFail`.'),
    queueMs: ms().describe('From the start request to the start; null until then.'),
    runMs: ms().describe('From the start to the end, retries included; null until then.'),
  }),
)
export type ExecutionSummary = Shape<typeof summary>

/** An execution without its details. */
const listed = shape('Execution', () =>
  z.strictObject({
    executionId: text(),
    kind: z.enum(['task', 'appReload']),
    taskId: text(),
    taskName: text(),
    taskType: text(),
    appId: text(),
    appName: text(),
    ...summary().shape,
    statusNum: z.int().nullable().describe('Number of the status in Qlik Sense; null where there is none.'),
    node: text(),
    actor: z.string().describe('Caller that had Footman start it; absent when Footman did not start it.').optional(),
    triggeredAt: text(),
    startedAt: text(),
    stoppedAt: text(),
    attempts: z.int(),
    error: text(),
  }),
)
export type ListedExecution = Shape<typeof listed>

const detail = () => z.strictObject({ at: z.string(), level: z.enum(['error', 'warn', 'info']), message: z.string() })
export type ExecutionDetail = Shape<typeof detail>

export const EXECUTION = contract({
  method: 'GET',
  path: '/v4/execution/{executionId}',
  params,
  query: () =>
    z.object({
      wait: queryField
        .integer(0, MAX_WAIT_SECONDS)
        .describe('Seconds that the answer may wait until it is final.')
        .optional(),
    }),
  answers: () => ({
    200: listed()
      .extend({ executionId: z.string(), details: z.array(detail()) })
      .describe('The execution.'),
    502: UNREACHABLE,
  }),
})
export type Execution = AnswerOf<typeof EXECUTION>

export const EXECUTION_LOG = contract({
  method: 'GET',
  path: '/v4/execution/{executionId}/log',
  params,
  query: () =>
    z.object({
      head: queryField.integer(1, MAX_LINES).describe('Only the first lines.').optional(),
      tail: queryField.integer(1, MAX_LINES).describe('Only the last lines.').optional(),
      fromLine: queryField
        .integer(1, MAX_LINES)
        .describe('Only from this line on (1 = the first), before `head` and `tail`.')
        .optional(),
    }),
  answers: () => ({ 200: z.string().describe('The log.'), 502: UNREACHABLE }),
})

export const EXECUTIONS = contract({
  method: 'GET',
  path: '/v4/executions',
  query: () =>
    z.object({
      id: ids(),
      state: queryField.words(STATES).describe('May be repeated: any of them.').optional(),
      taskId: queryField.texts().describe('May be repeated: any of them.').optional(),
      ...LIST_PARAMETERS,
    }),
  answers: () => ({
    200: z
      .strictObject({
        executions: z.array(listed()),
        nextCursor: text(),
        partial: z.boolean(),
        stale: z.boolean().describe('Qlik Sense did not answer in time about what runs.'),
      })
      .describe('The executions.'),
  }),
})
export type Executions = AnswerOf<typeof EXECUTIONS>

/** A task of the list. */
export const task = shape('Task', () =>
  z.strictObject({
    taskId: z.string(),
    taskName: z.string(),
    taskType: z.string(),
    enabled: z.boolean(),
    tags: z.array(z.string()),
    customProperties: z.array(z.strictObject({ name: z.string(), value: z.string() })),
    appId: text(),
    appName: text(),
    stream: text(),
    nextExecution: text(),
    last: z
      .strictObject({
        executionId: text().describe('Null while Qlik Sense does not return it.'),
        state: z.enum(STATES),
        outcome: z.enum(OUTCOMES).nullable(),
        stoppedAt: text(),
        runMs: ms(),
      })
      .nullable()
      .describe('Null when it never ran.'),
  }),
)
export type TaskInfo = Shape<typeof task>
export type LastRun = NonNullable<TaskInfo['last']>

export const tasksQuery = () =>
  z.object({
    name: queryField
      .texts()
      .describe('Glob over the name. Every filter may be given several times: any of the values.')
      .optional(),
    tag: queryField.texts().optional(),
    customProperty: queryField.texts().describe('`name:value`').optional(),
    type: queryField.words(TASK_TYPES).optional(),
    outcome: queryField.words(OUTCOMES).describe('Of the last run.').optional(),
    state: queryField.words(STATES).describe('Of the last run.').optional(),
    app: queryField.texts().describe('Glob over the name of the app.').optional(),
    stream: queryField.texts().describe('Glob over the name of the stream.').optional(),
    enabled: queryField.words(['true', 'false']).optional(),
    taskId: queryField.texts().optional(),
    appId: queryField.texts().optional(),
    slower: queryField
      .text()
      .refine((factor) => /^\d{1,3}(\.\d{1,3})?$/.test(factor) && Number(factor) > 0, {
        error: 'must be a number greater than 0, like 1.5',
      })
      .describe('The last run took longer than so many times the usual, like `1.5`.')
      .optional(),
    limit,
    cursor,
  })
/** The query as handlers get it. */
export type TasksQuery = z.output<ReturnType<typeof tasksQuery>>

export const TASKS = contract({
  method: 'GET',
  path: '/v4/tasks',
  query: tasksQuery,
  answers: () => ({
    200: z.strictObject({ tasks: z.array(task()), nextCursor: text() }).describe('The tasks.'),
    502: UNREACHABLE,
  }),
})
export type Tasks = AnswerOf<typeof TASKS>

const filters = () =>
  z.object({
    taskId: queryField.texts().describe('Every filter may be given several times: any of the values.').optional(),
    taskName: queryField.texts().describe('Glob.').optional(),
    appId: queryField.texts().optional(),
    type: queryField.words(TASK_TYPES).optional(),
    outcome: queryField.words(OUTCOMES).optional(),
    node: queryField.texts().describe('Name of the node that ran it.').optional(),
    actor: queryField.texts().describe('The caller that started it through Footman, like `key:erp`.').optional(),
    from,
    to,
  })
export type HistoryFilters = z.output<ReturnType<typeof filters>>

/** An execution of a task that has ended. */
const ended = shape('EndedExecution', () =>
  listed().extend({
    kind: z.literal('task'),
    taskId: z.string(),
    taskName: z.string(),
    taskType: z.string(),
    state: z.literal('finished'),
    outcome: z.enum(OUTCOMES),
    stoppedAt: z.string(),
  }),
)
export type HistoryItem = Shape<typeof ended>

export const HISTORY = contract({
  method: 'GET',
  path: '/v4/history',
  query: () => filters().extend({ id: ids(), limit, cursor }),
  answers: () => ({
    200: z
      .strictObject({
        executions: z.array(ended()),
        nextCursor: text(),
        partial: z.boolean().describe('The search took too long and was ended: `nextCursor` goes on with older ones.'),
      })
      .describe('The executions.'),
  }),
})

const group = () =>
  z.strictObject({
    key: text().describe('Id of the task or app; null where there is none.'),
    name: text(),
    runs: z.int(),
    success: z.int(),
    failed: z.int(),
    aborted: z.int(),
    successRate: z.number().describe('0 to 1.'),
    runMs: z
      .strictObject({ min: z.number(), p50: z.number(), p95: z.number(), max: z.number(), total: z.number() })
      .nullable()
      .describe('Exact percentiles (nearest rank); null when no run time is known.'),
    queueMs: z.strictObject({ p50: z.number(), p95: z.number(), max: z.number() }).nullable(),
    lastOutcome: z.enum(OUTCOMES),
    lastStoppedAt: z.string(),
  })
export type SummaryGroup = Shape<typeof group>

export const HISTORY_SUMMARY = contract({
  method: 'GET',
  path: '/v4/history/summary',
  query: () =>
    filters().extend({
      groupBy: queryField
        .word(GROUPINGS)
        .describe('Default `task`. Days and hours are those of `Butler.footman.timezone`.')
        .optional(),
      sort: queryField
        .word(SORTINGS)
        .describe('Largest first. Default `runs`; days and hours by time, newest first.')
        .optional(),
      limit,
      cursor,
    }),
  answers: () => ({
    200: z
      .strictObject({
        groupBy: z.enum(GROUPINGS),
        from: z.string(),
        to: z.string(),
        summary: z.array(group()),
        nextCursor: text(),
      })
      .describe('The groups.'),
  }),
})
export type HistorySummary = AnswerOf<typeof HISTORY_SUMMARY>
