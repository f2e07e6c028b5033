/** The contracts of the endpoints of schedules and their runs. Times are ISO 8601 in UTC. */
import { z } from 'zod'
import { type AnswerOf, contract, type Shape, shape } from '../../http/endpoint/contract.ts'
import { LIST_PARAMETERS, queryField } from '../../http/endpoint/list-query.ts'
import { field } from '../../http/endpoint/validation.ts'
import { OUTCOMES } from '../executions/kinds.ts'

/** Members beyond those of Butler; their forms are checked with their places when a plan is made of them. */
export const EXTRA_MEMBERS = [
  'target',
  'action',
  'window',
  'onlyOn',
  'notOn',
  'shift',
  'overlapPolicy',
  'misfirePolicy',
  'jitter',
] as const

/** Why a firing does not happen. */
export const EXCLUSIONS = ['WINDOW', 'CALENDAR'] as const
export const SKIP_REASONS = [...EXCLUSIONS, 'OVERLAP', 'MAINTENANCE', 'MISFIRE', 'SHADOW_MODE'] as const
export const RUN_TRIGGERS = ['cron', 'manual', 'misfire'] as const
export const RUN_STATES = ['running', 'finished', 'skipped'] as const

export const DEFAULT_COUNT = 10
export const MAX_COUNT = 100

const CHANGE_FAILURES = {
  409: 'This Footman is a satellite, or runs in shadow mode.',
  500: 'The schedule file could not be read or written; nothing has changed.',
} as const
const WRITE_FAILURES = { ...CHANGE_FAILURES, 502: 'QRS could not be asked whether the tasks may be started.' } as const
const REVISION_FAILURE = { 412: 'The schedule is not at the revision of `If-Match`.' } as const

const text = () => z.string().nullable()
const scheduleParams = () => z.object({ id: z.string().describe('Id of the schedule.') })

/** A schedule of the file. Written by hand, it may lack members, and have some that only people read. */
const stored = shape('StoredSchedule', () =>
  z.looseObject({
    id: z.string(),
    created: z.string().optional(),
    name: z.string().optional(),
    cronSchedule: z.string().optional(),
    timezone: z.string().optional(),
    qlikSenseTaskId: z.string().optional(),
    startupState: z.string().optional(),
    tags: z.array(z.string()).optional(),
    lastKnownState: z.string().optional(),
  }),
)
export type StoredSchedule = Shape<typeof stored>

const shown = shape('Schedule', () =>
  stored().extend({
    target: z.unknown().describe('Further tasks, as in a start request.').optional(),
    action: z.unknown().describe('The action instead of starting tasks.').optional(),
    revision: z.string().describe('For `If-Match`; also in the header `ETag` of an answer about one schedule.'),
    state: z.enum(['running', 'stopped', 'invalid']),
    text: z.string().describe('When it fires, in words; absent when it is not valid.').optional(),
    nextRun: z.string().describe('When it fires next; skipped firings do not count.').optional(),
    lastRun: z.string().describe('When it fired last.').optional(),
    lastResult: z.string().describe('`ok`, or `error: ` and why.').optional(),
  }),
)
export type ShownSchedule = Shape<typeof shown>

/** In the order in which missing members are reported. */
export const newSchedule = () =>
  field.object({
    name: field.string().meta({ needed: true }),
    cronSchedule: field.string().meta({ control: 'none' }),
    timezone: field.string().meta({ label: 'Zone', needed: true, lookup: 'timezone', control: 'line' }),
    qlikSenseTaskId: field.string().meta({ control: 'none' }),
    startupState: z
      .enum(['start', 'started', 'stop', 'stopped'], { error: 'must be equal to one of the allowed values' })
      .meta({ control: 'none' }),
    tags: field.array(field.string()).meta({ control: 'none' }).optional(),
  })
export const scheduleChanges = () => newSchedule().partial()

const names = () => z.union([z.string(), z.array(z.string())]).optional()

/** They are checked when a plan is made of them. */
const extraMembers = () => ({
  notOn: names().meta({
    label: 'Calendars of these days',
    hint: 'Calendars, by comma.',
    control: 'names',
    group: 'days',
  }),
  onlyOn: names().meta({
    label: 'Calendars of the only days',
    hint: 'Calendars, by comma.',
    control: 'names',
    group: 'days',
  }),
  window: z.unknown().optional().meta({ hint: 'Windows, by comma.', control: 'names', group: 'days' }),
  shift: z
    .enum(['none', 'previous', 'next'])
    .default('none')
    .meta({
      label: 'On such a day',
      group: 'days',
      texts: { none: 'skip', previous: 'move to the day before', next: 'move to the day after' },
    }),
  target: z.unknown().describe('Further tasks, as in a start request.').meta({ control: 'none' }).optional(),
  action: z.unknown().describe('The action instead of starting tasks.').meta({ control: 'none' }).optional(),
  overlapPolicy: z
    .enum(['allow', 'skip', 'queue'])
    .default('allow')
    .meta({ label: 'If still running', texts: { allow: 'start again', skip: 'skip', queue: 'wait' }, group: 'then' }),
  misfirePolicy: z
    .enum(['skip', 'runOnce'])
    .default('skip')
    .meta({ label: 'Missed while Footman was down', texts: { skip: 'skip', runOnce: 'run once' }, group: 'then' }),
  jitter: z.string().meta({ label: 'Spread over', hint: 'A time like 5m; empty = none.', group: 'then' }).optional(),
})
export const selectedSchedules = () => field.object({ id: field.array(field.string()).optional() })

export const scheduleQuery = () =>
  z.object({ id: z.string().describe('Only this schedule, with all its members.').optional() })

export const SCHEDULES = contract({
  method: 'GET',
  path: '/v4/schedules',
  query: scheduleQuery,
  answers: () => ({ 200: z.array(shown()) }),
})

export const CREATE_SCHEDULE = contract({
  method: 'POST',
  path: '/v4/schedules',
  body: () => newSchedule().extend(extraMembers()),
  answers: () => ({ 201: stored(), ...WRITE_FAILURES }),
})

export const CHANGE_SCHEDULE = contract({
  method: 'PUT',
  path: '/v4/schedules/{id}',
  params: scheduleParams,
  body: scheduleChanges,
  answers: () => ({ 200: z.array(stored()), ...WRITE_FAILURES, ...REVISION_FAILURE }),
})

export const DELETE_SCHEDULE = contract({
  method: 'DELETE',
  path: '/v4/schedules/{id}',
  params: scheduleParams,
  answers: () => ({ 204: z.void().describe('Deleted.'), ...CHANGE_FAILURES, ...REVISION_FAILURE }),
})

const oneState = <const Verb extends string>(verb: Verb) =>
  contract({
    method: 'PUT',
    path: `/v4/schedules/{id}/${verb}`,
    params: scheduleParams,
    body: 'ignored',
    answers: () => ({ 200: z.array(stored()), ...CHANGE_FAILURES }),
  })

const manyStates = <const Verb extends string>(verb: Verb) =>
  contract({
    method: 'PUT',
    path: `/v4/schedules/${verb}all`,
    body: () => selectedSchedules().optional(),
    answers: () => ({ 200: z.array(stored()), ...CHANGE_FAILURES }),
  })

export const START_SCHEDULE = oneState('start')
export const STOP_SCHEDULE = oneState('stop')
export const START_SCHEDULES = manyStates('start')
export const STOP_SCHEDULES = manyStates('stop')

export const SCHEDULE_STATES = contract({
  method: 'GET',
  path: '/v4/schedules/status',
  answers: () => ({ 200: z.string().describe('A line per schedule.') }),
})

const coming = () =>
  z.strictObject({
    next: z.array(z.string()).describe('Times that calendars and windows let through.'),
    text: z.string().describe('The cron expression in words.'),
  })

export const NEXT_FIRINGS = contract({
  method: 'GET',
  path: '/v4/schedules/{id}/next',
  params: scheduleParams,
  query: () => z.object({ count: queryField.integer(1, MAX_COUNT).describe('How many times. Default 10.').optional() }),
  answers: () => ({ 200: coming() }),
})

const extras = () =>
  Object.fromEntries(EXTRA_MEMBERS.map((name) => [name, z.unknown().optional()])) as Record<
    (typeof EXTRA_MEMBERS)[number],
    z.ZodOptional<z.ZodUnknown>
  >

export const PREVIEW_SCHEDULE = contract({
  method: 'POST',
  path: '/v4/schedules/preview',
  body: () =>
    z.object({
      cronSchedule: field.string().describe('5 or 6 fields, months 0-11 or jan-dec.'),
      timezone: field.string().describe('IANA time zone.'),
      count: field.integer().describe(`How many times, at most ${MAX_COUNT}. Default ${DEFAULT_COUNT}.`).optional(),
      ...extras(),
      window: z.unknown().describe('Window or list of windows.').optional(),
      onlyOn: z.unknown().describe('Calendars.').optional(),
      notOn: z.unknown().describe('Calendars.').optional(),
      shift: z.unknown().describe('`none`, `previous` or `next`.').optional(),
    }),
  answers: () => ({
    200: coming().extend({
      skipped: z
        .array(
          z.strictObject({
            at: z.string(),
            reason: z.enum(EXCLUSIONS),
            by: text().describe('Names of calendars or windows; null for a window without a name.'),
          }),
        )
        .describe('Times up to the last of `next` that do not happen; at most 100.'),
      warnings: z
        .array(z.string())
        .describe('Files of calendars that cannot be read now: without their days the times are not right.'),
    }),
  }),
})
export type SchedulePreview = AnswerOf<typeof PREVIEW_SCHEDULE>

const run = () =>
  z.strictObject({
    runId: z.string(),
    scheduleId: z.string(),
    dueAt: z.string(),
    firedAt: text(),
    trigger: z.enum(RUN_TRIGGERS),
    state: z.enum(RUN_STATES),
    outcome: z.enum(OUTCOMES).nullable(),
    reason: z.enum(SKIP_REASONS).nullable(),
    tasks: z.array(z.strictObject({ taskId: z.string(), executionId: text(), outcome: z.enum(OUTCOMES).nullable() })),
    detail: text(),
  })
export type ShownRun = Shape<typeof run>

export const SCHEDULE_RUNS = contract({
  method: 'GET',
  path: '/v4/schedules/{id}/runs',
  params: scheduleParams,
  query: () => z.object({ limit: LIST_PARAMETERS.limit, cursor: LIST_PARAMETERS.cursor }),
  answers: () => ({ 200: z.strictObject({ runs: z.array(run()), nextCursor: text() }) }),
})

export const SCHEDULE_RUN = contract({
  method: 'GET',
  path: '/v4/schedules/{id}/runs/{runId}',
  params: () => scheduleParams().extend({ runId: z.string().describe('Id of the run.') }),
  answers: () => ({ 200: run() }),
})

const stripRun = () => run().pick({ runId: true, dueAt: true, state: true, outcome: true, reason: true })
export type StripRun = Shape<typeof stripRun>

export const SCHEDULE_STRIPS = contract({
  method: 'GET',
  path: '/v4/schedules/-/strips',
  query: () =>
    z.object({
      id: queryField.texts().describe('Only these schedules. Default all of them, at most 500.').optional(),
      n: queryField.integer(1, 50).describe('Runs of each. Default 14.').optional(),
    }),
  answers: () => ({ 200: z.strictObject({ strips: z.record(z.string(), z.array(stripRun())) }) }),
})

export const RUN_SCHEDULE = contract({
  method: 'POST',
  path: '/v4/schedules/{id}/run',
  params: scheduleParams,
  body: 'ignored',
  answers: () => ({ 202: z.strictObject({ runId: z.string() }), ...CHANGE_FAILURES }),
})
