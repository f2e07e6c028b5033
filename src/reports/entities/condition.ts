/** Conditions for runs, reports and values of a cycle. */
import { z } from 'zod'
import { once } from '../../platform/once.ts'
import { column, description, expression, id, line, name, project } from './fields.ts'

const operand = once(() =>
  z.union([
    z.strictObject({ const: z.union([z.string().max(4000), z.number()]) }),
    z.strictObject({ expr: expression() }),
    z.strictObject({ variable: line(256) }),
    z.strictObject({ kpi: line(200) }),
    z.strictObject({ previous: z.literal(true) }),
  ]),
)
export type Operand = z.output<ReturnType<typeof operand>>

export const OPERATORS = [
  'eq',
  'ne',
  'gt',
  'ge',
  'lt',
  'le',
  'between',
  'notBetween',
  'contains',
  'startsWith',
  'matches',
  'empty',
  'notEmpty',
] as const
const operator = once(() => z.enum(OPERATORS))
export type Operator = (typeof OPERATORS)[number]

const rowsOf = once(() =>
  z.union([z.strictObject({ objectId: line(200) }), z.strictObject({ table: z.array(column()).min(1).max(100) })]),
)
const time = once(() => z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be HH:mm'))

export const rules = once(() =>
  z.discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('value'),
      left: operand(),
      op: operator(),
      right: operand().optional(),
      right2: operand().optional(),
    }),
    z.strictObject({ type: z.literal('rowCount'), of: rowsOf(), op: operator(), count: z.int().min(0) }),
    z.strictObject({
      type: z.literal('dataChanged'),
      of: z.union([...rowsOf().options, z.strictObject({ expressions: z.array(expression()).min(1).max(100) })]),
      ignoreOrder: z.boolean().default(true),
    }),
    z.strictObject({
      type: z.literal('changedBy'),
      expr: expression(),
      atLeast: z.number().min(0),
      unit: z.enum(['absolute', 'percent']),
      direction: z.enum(['any', 'up', 'down']),
    }),
    z.strictObject({
      type: z.literal('lastReload'),
      is: z.enum(['today', 'withinMinutes', 'sinceLastRun']),
      minutes: z.int().min(1).max(5_256_000).optional(),
    }),
    z.strictObject({
      type: z.literal('taskState'),
      taskId: id(),
      is: z.enum(['succeeded', 'failed', 'notRunning']),
      since: z.enum(['today', 'lastRun']).nullable().default(null),
    }),
    z.strictObject({
      type: z.literal('calendar'),
      allow: z.strictObject({
        weekdays: z
          .array(z.enum(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']))
          .min(1)
          .max(7)
          .optional(),
        from: time().optional(),
        to: time().optional(),
        dates: z.array(z.iso.date()).max(1000).optional(),
        notDates: z.array(z.iso.date()).max(1000).optional(),
        monthDay: z.union([z.enum(['first', 'last']), z.int().min(1).max(31)]).optional(),
        workday: z.enum(['first', 'last']).optional(),
      }),
    }),
    z.strictObject({
      type: z.literal('keyValue'),
      namespace: line(256),
      key: line(256),
      op: operator(),
      value: z.union([z.string(), z.number()]).optional(),
    }),
    z.strictObject({
      type: z.literal('file'),
      spaceId: line(63),
      path: line(1000),
      is: z.enum(['exists', 'newerThanLastRun']),
    }),
  ]),
)
export type Rule = z.output<ReturnType<typeof rules>>
export type RuleOf<Type extends Rule['type']> = Extract<Rule, { readonly type: Type }>

export const reportCondition = once(() =>
  z.strictObject({
    project,
    name,
    description: description(),
    appId: id().nullable().default(null),
    match: z.enum(['all', 'any']).default('all'),
    rules: z.array(rules()).min(1).max(20),
    fire: z.enum(['always', 'onBecomingTrue']).default('always'),
    onError: z.enum(['error', 'skip', 'proceed']).default('error'),
  }),
)
export type ReportCondition = z.output<ReturnType<typeof reportCondition>>
