/** The contracts of the endpoints about the tasks of the site. Times are ISO 8601, lengths in milliseconds. */
import { z } from 'zod'
import { type AnswerOf, contract, type Shape, shape } from '../../http/endpoint/contract.ts'
import { LIST_PARAMETERS, NO_QUERY, queryField } from '../../http/endpoint/list-query.ts'
import { task as listedTask, taskRef } from '../executions/contract.ts'
import { OUTCOMES, STATES } from '../executions/kinds.ts'

export const ATTENTION_KINDS = [
  'taskFailed',
  'neverStarted',
  'stuck',
  'late',
  'overdue',
  'overUsual',
  'deadDeliveries',
  'destinationDown',
  'self',
  'service',
  'licence',
  'reportFailed',
  'reportHeld',
  'scheduleInvalid',
  'dropped',
] as const
export type AttentionKind = (typeof ATTENTION_KINDS)[number]

export const ATTENTION_SEVERITIES = ['error', 'warning', 'info'] as const

const NOTE_LENGTH = 200

const MAX_SHAPES = 2000
const MOST_STRIPS = 200

const text = () => z.string().nullable()
const ms = () => z.number().nullable()
/** Waits, runs, or the outcome of the last run. */
const state = () => z.enum([...STATES, ...OUTCOMES])

/** An execution under way. */
const underWay = shape('RunningExecution', () =>
  z.strictObject({
    executionId: text(),
    state: z.enum(['queued', 'running']),
    startedAt: z.string(),
    expectedEnd: z.string(),
    pessimisticEnd: z.string(),
    over: z.boolean().describe('It takes longer than usual.'),
    overByMs: z.number(),
  }),
)
export type Running = Shape<typeof underWay>

const item = shape('AttentionItem', () =>
  z.strictObject({
    key: z.string().describe('The same as long as the item is open: `taskFailed:<task id>`.'),
    kind: z.enum(ATTENTION_KINDS),
    severity: z.enum(ATTENTION_SEVERITIES),
    since: z.string(),
    title: z.string(),
    cause: text(),
    task: taskRef().nullable(),
    eventId: text(),
    executionId: text(),
    count: z.int(),
    dueAt: text(),
    alerted: z
      .array(z.strictObject({ destination: z.string(), target: z.string(), at: z.string() }))
      .describe('Destinations that got an alert since the item began.'),
    heldBack: z.array(z.strictObject({ reason: z.string(), count: z.int(), snoozeId: text() })),
    quiet: z
      .strictObject({
        reason: z.enum(['SNOOZED', 'MAINTENANCE']),
        detail: z.string().describe('The reason of the snooze, or the name of the maintenance.'),
        until: text().describe('End of the snooze.'),
        untilSuccess: z.boolean().describe('It ends before, when the task succeeds.'),
      })
      .nullable()
      .describe('Alerts about the task are held back now.'),
    outcome: z
      .enum(['failed', 'aborted'])
      .nullable()
      .describe('How the last run ended, of `taskFailed`; null = another kind, or the task is well again.'),
    behind: z.array(taskRef()).describe('Tasks that run after this one and have not started since it failed.'),
    parent: text().describe('Key of the item whose failure explains this one.'),
    runningAgain: underWay().omit({ pessimisticEnd: true }).nullable(),
    usualMs: z
      .number()
      .nullable()
      .describe('Usual run time of a task that runs: the median of its last successful runs; null without one.'),
    retry: z
      .strictObject({ attempt: z.int(), max: z.int(), at: z.string() })
      .nullable()
      .describe('Start that the retry policy has planned.'),
    taken: z.strictObject({ by: z.string(), at: z.string(), note: z.string() }).nullable(),
    recovered: z
      .strictObject({ at: z.string(), how: z.enum(['itself', 'retry', 'start']), by: text() })
      .nullable()
      .describe('`start`: a caller of Footman has started it.'),
  }),
)

/** Something that is wrong now, or was and is well again. */
export type AttentionItem = Shape<typeof item>
export type AttentionSeverity = AttentionItem['severity']

export const ATTENTION = contract({
  method: 'GET',
  path: '/v4/attention',
  query: () =>
    z.object({
      state: queryField
        .word(['open', 'recovered'])
        .describe('Default `open`; `recovered`: tasks that failed and succeeded since.')
        .optional(),
      from: LIST_PARAMETERS.from.describe(
        'Begin of the time in which tasks have failed, for `recovered`. Default 24h.',
      ),
      kind: queryField.words(ATTENTION_KINDS).describe('May be repeated: any of them.').optional(),
    }),

  answers: () => ({
    200: z
      .strictObject({
        asOf: z.string(),
        items: z.array(item()),
        hidden: z.array(z.enum(ATTENTION_KINDS)).describe('Kinds that the caller may not see.'),
        count: z.int().describe('Open items that the caller may see and that belong to no other item, of any kind.'),
      })
      .describe('The items.'),
  }),
})
export type Attention = AnswerOf<typeof ATTENTION>

export const ATTENTION_COUNT = contract({
  method: 'GET',
  path: '/v4/attention/count',
  query: NO_QUERY,
  answers: () => ({
    200: z
      .strictObject({ count: z.int() })
      .describe('Open items that the caller may see and that belong to no other item.'),
  }),
})

const itemParams = () => z.object({ key: z.string().describe('Key of the item.') })

export const TAKE_ATTENTION = contract({
  method: 'PUT',
  path: '/v4/attention/{key}/taken',
  params: itemParams,
  body: () => z.object({ note: z.string().max(NOTE_LENGTH).default('') }),
  answers: () => ({ 200: item().describe('The item.') }),
})

export const GIVE_ATTENTION_BACK = contract({
  method: 'DELETE',
  path: '/v4/attention/{key}/taken',
  params: itemParams,
  answers: () => ({ 204: z.void() }),
})

const maintenance = () => z.strictObject({ name: z.string(), from: z.string(), to: z.string() })

const bar = () =>
  z.discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('execution'),
      executionId: text(),
      outcome: z.enum(OUTCOMES),
      triggeredAt: text(),
      startedAt: text(),
      stoppedAt: z.string(),
      usualMs: ms(),
    }),
    z.strictObject({
      kind: z.literal('batch').describe('Executions that lie close together.'),
      from: z.string(),
      to: z.string(),
      count: z.int(),
      worst: z.enum(OUTCOMES),
    }),
    z.strictObject({
      kind: z.literal('missing').describe('A planned start to which no execution belongs.'),
      dueAt: z.string(),
      trigger: z.string(),
    }),
    z.strictObject({ kind: z.literal('running'), ...underWay().shape }),
    z.strictObject({
      kind: z.literal('forecast').describe('A planned start after now.'),
      plannedAt: z.string(),
      expectedEnd: z.string(),
      trigger: z.string(),
    }),
  ])
export type TimelineBar = Shape<typeof bar>

export const TIMELINE = contract({
  method: 'GET',
  path: '/v4/timeline',
  query: () =>
    z.object({
      from: LIST_PARAMETERS.from.describe('Default 12 hours before `to`; at most 31 days.'),
      to: LIST_PARAMETERS.to.describe('Default now.'),
      future: queryField
        .text()
        .describe(
          'How far planned starts after now are shown, like `3h`; default a quarter of the range, at most 48 hours.',
        )
        .optional(),
      group: queryField
        .text()
        .describe('`stream` (default), `task`, `app`, `node`, `type`, `tag:<prefix>`, `property:<name>`.')
        .optional(),
      only: queryField.word(['all', 'problems']).describe('Default `all` up to 60 rows, else `problems`.').optional(),
      name: queryField.texts().describe('Glob over the name of the task; may be repeated.').optional(),
      maxShapes: queryField
        .integer(1, MAX_SHAPES)
        .describe('Bars of all rows; what lies close together becomes batches. Default 2000.')
        .default(MAX_SHAPES),
    }),
  answers: () => ({
    200: z
      .strictObject({
        from: z.string(),
        to: z.string(),
        now: z.string(),
        future: z.string().describe('End of the time after now.'),
        summary: z
          .strictObject({
            runs: z.int(),
            success: z.int(),
            failed: z.int(),
            aborted: z.int(),
            recovered: z.int().describe('Failed or aborted executions whose task has succeeded since.'),
            stillFailing: z.int().describe('Tasks that have not.'),
            neverStarted: z.int(),
          })
          .describe('Executions by the time of their end.'),
        groups: z.array(
          z.strictObject({
            key: text().describe('Null for tasks that have none.'),
            problems: z.int().describe('Rows with a problem.'),
            rows: z.array(
              z.strictObject({
                taskId: z.string(),
                taskName: z.string(),
                taskType: text(),
                state: state().nullable().describe('Of now: waits, runs, or the outcome of the last run.'),
                failingSince: text(),
                runs: z.int(),
                problem: z.boolean(),
                usualMs: ms().describe('Median of the last successful runs.'),
                bars: z.array(bar()),
              }),
            ),
          }),
        ),
        properties: z
          .array(z.string())
          .describe('Custom properties of the tasks of the site, by which `group` can be chosen.'),
        maintenance: z.array(maintenance()),
        rowsLeftOut: z.int(),
        stale: z
          .boolean()
          .describe('Qlik Sense did not answer in time: tasks, triggers and what runs are as they were last known.'),
        partial: z.boolean().describe('There are more executions than are looked at; the newest are shown.'),
      })
      .describe('The timeline.'),
  }),
})
export type Timeline = AnswerOf<typeof TIMELINE>
export type TimelineGroup = Timeline['groups'][number]
export type TimelineRow = TimelineGroup['rows'][number]

const taskParams = () => z.object({ taskId: z.string().describe('Id of the task.') })
const on = () => z.enum(['success', 'failure'])

const usual = () =>
  z
    .strictObject({
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
    .describe('Of its last successful runs; all of them are null without one.')
export type UsualTimes = Shape<typeof usual>

const trigger = () =>
  z.strictObject({
    id: z.string(),
    kind: z.enum(['time', 'gate']),
    source: z.enum(['qlik', 'footman']),
    name: z.string(),
    enabled: z.boolean(),
    text: z.string(),
    timezone: text(),
    next: z.array(z.string()),
    rules: z.array(taskRef().extend({ on: on() })).describe('All of them must come true, of a gate.'),
    withinMs: ms(),
    broken: z.boolean().describe('A rule is about a task that is gone: it never fires.'),
  })
export type Trigger = Shape<typeof trigger>

const policySource = () => z.strictObject({ kind: z.enum(['customProperty', 'policy']), name: z.string() })
export type PolicySource = Shape<typeof policySource>

export const TASK = contract({
  method: 'GET',
  path: '/v4/tasks/{taskId}',
  params: taskParams,
  query: NO_QUERY,
  answers: () => ({
    200: listedTask()
      .extend({
        state: state().nullable().describe('Waits, runs, or the outcome of the last run.'),
        runningExecution: underWay().nullable(),
        usual: usual(),
        triggers: z.array(trigger()),
        followedBy: z.array(taskRef().extend({ on: on(), alsoNeeds: z.array(taskRef()) })),
        retryPolicy: text().describe('By the custom property of the task, or the policy that covers it.'),
        watchPolicy: text().describe('Fixed limits, likewise.'),
        due: z
          .strictObject({ at: z.string(), kind: z.enum(['property', 'policy', 'usual']), plannedAt: z.string() })
          .nullable()
          .describe(
            'Of the last planned start within a day: by the custom property `dueBy`, a policy, or the usual end.',
          ),
        dueBy: z.array(z.string()).describe('Due times of the custom property, or of the policy.'),
        policySources: z
          .strictObject({
            retry: policySource().nullable(),
            watch: policySource().nullable(),
            dueBy: policySource().nullable(),
          })
          .describe('Where they come from; null = the default.'),
        consecutiveFailures: z.int(),
        lastSuccessAt: text(),
        failingSince: text(),
        stale: z.boolean().describe('Qlik Sense did not answer in time; the task is as it was last known.'),
      })
      .describe('The task.'),
    502: 'Qlik Sense is unreachable, and the task is not known.',
  }),
})
export type TaskDetail = AnswerOf<typeof TASK>

const point = shape('TaskPoint', () =>
  z.strictObject({ executionId: text(), outcome: z.enum(OUTCOMES), stoppedAt: z.string(), runMs: ms() }),
)
export type TaskPoint = Shape<typeof point>

export const DURATIONS = contract({
  method: 'GET',
  path: '/v4/tasks/{taskId}/durations',
  params: taskParams,
  query: () => z.object({ from: LIST_PARAMETERS.from.describe('Default 90 days ago.') }),
  answers: () => ({
    200: z
      .strictObject({
        points: z.array(point().extend({ queueMs: ms() })),
        band: z.array(z.strictObject({ day: z.string(), p50Ms: z.number(), p95Ms: z.number() })),
        truncated: z.boolean(),
      })
      .describe('The durations.'),
  }),
})
export type Durations = AnswerOf<typeof DURATIONS>

export const STRIPS = contract({
  method: 'GET',
  path: '/v4/tasks/-/strips',
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
      .strictObject({
        strips: z.record(z.string(), z.array(point())),
        usual: z
          .record(z.string(), z.strictObject({ p50Ms: z.number(), samples: z.int() }))
          .describe('Median of the last successful runs, 30 at most; absent without one.'),
        states: z
          .record(z.string(), state())
          .describe('`queued`, `running`, or the last outcome; absent where the history has none.'),
      })
      .describe('By task id.'),
  }),
})

export const CALENDAR = contract({
  method: 'GET',
  path: '/v4/schedules/calendar',
  query: () =>
    z.object({
      from: LIST_PARAMETERS.from.describe('Default now.'),
      to: LIST_PARAMETERS.to.describe('Default seven days after `from`; at most fourteen.'),
    }),
  answers: () => ({
    200: z
      .strictObject({
        entries: z.array(
          z.strictObject({
            at: z.string(),
            durationMs: ms().describe(
              'Usual run time of the longest task: the median of its last successful runs; null without one.',
            ),
            source: z.enum(['footman', 'qlik', 'report']),
            id: z.string().describe('Of the schedule, the trigger of Qlik Sense, or the report task.'),
            name: z.string().describe('Of a trigger of Qlik Sense, that of its task.'),
            taskIds: z.array(z.string()),
            skipped: z.enum(['CALENDAR', 'WINDOW']).nullable().describe('Why it does not happen.'),
            by: text().describe('The calendars or windows behind it.'),
          }),
        ),
        load: z
          .array(z.strictObject({ at: z.string(), running: z.int() }))
          .describe('The most tasks that are expected to run at once, by hour.'),
        maintenance: z.array(maintenance()).describe('Maintenance in these days, with `event:read`.'),
        highest: z.int().describe('The most tasks that ran at once in the last 14 days.'),
        stale: z.boolean().describe('Qlik Sense did not answer in time: its triggers are as they were last known.'),
        partial: z.boolean().describe('There are more firings than are answered.'),
      })
      .describe('The calendar.'),
  }),
})
export type Calendar = AnswerOf<typeof CALENDAR>
