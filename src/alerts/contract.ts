/** The contracts of what holds alerts back for a while: snoozes and maintenance. Times are ISO 8601. */
import { z } from 'zod'
import { type AnswerOf, contract, type Shape, shape } from '../http/endpoint/contract.ts'
import { LIST_PARAMETERS, queryField } from '../http/endpoint/list-query.ts'
import type { FormMeta } from '../platform/form-meta.ts'

const matched = (label: string, words: FormMeta = {}) =>
  z
    .unknown()
    .optional()
    .meta({ label, control: 'line', ...words })

/** Fields as in a match of `alertRoutes`, in any of the forms that the configuration accepts; those named here have a form. */
export const match = shape('EventMatch', () =>
  z.looseObject({
    taskId: matched('Task id', { lookup: 'taskId' }),
    task: matched('Task', { lookup: 'task' }),
    app: matched('App', { lookup: 'app' }),
    stream: matched('Stream', { lookup: 'stream' }),
    host: matched('Node', { lookup: 'node' }),
    message: matched('Message', { suggest: 'message' }),
  }),
)
export type Match = Shape<typeof match>

const snooze = shape('Snooze', () =>
  z.strictObject({
    id: z.string(),
    match: match(),
    from: z.string(),
    until: z.string(),
    untilSuccess: z.boolean().describe('It ends with the next success of its task, at the latest at `until`.'),
    reason: z.string(),
    createdBy: z.string(),
    suppressed: z.int().describe('Deliveries held back so far.'),
  }),
)
export type ListedSnooze = Shape<typeof snooze>

export const SNOOZES = contract({
  method: 'GET',
  path: '/v4/snoozes',
  query: () => z.object({ limit: LIST_PARAMETERS.limit, cursor: LIST_PARAMETERS.cursor }),
  answers: () => ({ 200: z.strictObject({ snoozes: z.array(snooze()), nextCursor: z.string().nullable() }) }),
})

const snoozeBody = () =>
  z.object({
    match: match().describe(
      'Fields as in a match of `alertRoutes`, without regular expressions; `outcome` defaults to "*".',
    ),
    for: z.string().describe('How long, like `2h`; 1m to 30d. Or give `until`.').meta({ control: 'none' }).optional(),
    until: z
      .string()
      .describe('ISO 8601 time of the end; in the zone of the site unless it names one.')
      .meta({ control: 'none' })
      .optional(),
    untilSuccess: z
      .boolean()
      .describe(
        'It ends with the next success of the task that `match.taskId` names; `for` or `until` bound it, else 30 days do.',
      )
      .meta({ control: 'none' })
      .optional(),
    from: z
      .string()
      .describe('ISO 8601 time of the begin, likewise; default now.')
      .meta({ control: 'none' })
      .optional(),
    reason: z.string().max(500).optional(),
  })
export type SnoozeBody = Shape<typeof snoozeBody>

export const SET_SNOOZE = contract({
  method: ['POST', 'PUT'],
  path: '/v4/snoozes',
  query: () =>
    z.object({
      dryRun: queryField.boolean().describe('Set nothing; answer which alerts it would have held back.').optional(),
      over: queryField
        .time()
        .describe('For `dryRun`: since when alerts are looked at, like `24h`, which is the default.')
        .optional(),
    }),
  body: snoozeBody,
  answers: () => ({
    200: z
      .strictObject({
        wouldHaveHeld: z.int().describe('Alerts that were made and not suppressed.'),
        tasks: z
          .array(z.strictObject({ taskId: z.string(), taskName: z.string(), count: z.int() }))
          .describe('Most alerts first.'),
        partial: z.boolean().describe('There were too many alerts to look at: older ones are not counted.'),
      })
      .describe('With `dryRun`.'),
    201: snooze(),
  }),
})
/** The alerts that a snooze would have held back. */
export type SnoozeRehearsal = AnswerOf<typeof SET_SNOOZE, 200>
export type NewSnooze = AnswerOf<typeof SET_SNOOZE, 201>

export const LIFT_SNOOZE = contract({
  method: 'DELETE',
  path: '/v4/snoozes/{id}',
  params: () => z.object({ id: z.string().describe('Id of the snooze.') }),
  answers: () => ({ 204: z.void() }),
})

const maintenance = shape('Maintenance', () =>
  z.strictObject({
    id: z.string().describe('The name, where it stands in the configuration.'),
    name: z.string(),
    origin: z.enum(['file', 'once']),
    match: z
      .union([match(), z.array(match())])
      .nullable()
      .describe('Fields as in a match of `alertRoutes`, or several matches; null = all events.'),
    stopSchedules: z.boolean(),
    from: z.string().nullable(),
    until: z.string().nullable(),
    on: z.boolean(),
    next: z
      .array(z.strictObject({ from: z.string(), to: z.string() }))
      .describe('The next three times within 14 days; one of less than five minutes may be left out.'),
    heldBack: z.int().describe('Events held back, as far as they are kept.'),
    reason: z.string().nullable(),
    createdBy: z.string().nullable(),
    summaryTo: z.array(z.string()).describe('Destinations of the message at the end.'),
  }),
)
export type ListedMaintenance = Shape<typeof maintenance>

export const MAINTENANCE = contract({
  method: 'GET',
  path: '/v4/maintenance',
  query: () => z.object({ on: queryField.boolean().describe('Only what is under way.').optional() }),
  answers: () => ({ 200: z.strictObject({ maintenance: z.array(maintenance()) }) }),
})

const maintenanceBody = () =>
  z.object({
    name: z.string().min(1).max(100),
    from: z
      .string()
      .describe('ISO 8601 time of the begin, in the zone of the site unless it names one; default now.')
      .meta({ control: 'none' })
      .optional(),
    until: z
      .string()
      .describe('ISO 8601 time of the end, likewise; at most 7 days after the begin.')
      .meta({ control: 'none' }),
    match: match().describe('Fields as in a match of `alertRoutes`; absent = all events.').optional(),
    stopSchedules: z
      .boolean()
      .describe("Footman's own schedules do not fire. Needs the scope `schedule:run`.")
      .meta({ label: "Footman's own schedules do not fire", hint: '', order: 1 })
      .optional(),
    reason: z.string().max(500).optional(),
    summaryTo: z
      .array(z.string())
      .max(20)
      .describe('Destinations (of `footman.destinations`) of a message at the end, with what was held back.')
      .meta({ label: 'Destinations of the summary at the end', hint: '', lookup: 'destination' })
      .optional(),
  })
export type MaintenanceBody = Shape<typeof maintenanceBody>

export const CREATE_MAINTENANCE = contract({
  method: 'POST',
  path: '/v4/maintenance',
  body: maintenanceBody,
  answers: () => ({ 201: maintenance(), 409: 'The name is taken, or there are 100 already.' }),
})

const params = () => z.object({ id: z.string() })

export const CHANGE_MAINTENANCE = contract({
  method: 'PUT',
  path: '/v4/maintenance/{id}',
  params,
  body: () =>
    z.object({
      until: z.string().describe('ISO 8601 time of the new end; in the zone of the site unless it names one.'),
    }),
  answers: () => ({ 200: maintenance(), 409: 'It stands in the configuration.' }),
})

export const END_MAINTENANCE = contract({
  method: 'DELETE',
  path: '/v4/maintenance/{id}',
  params,
  answers: () => ({ 204: z.void(), 409: 'It stands in the configuration.' }),
})
