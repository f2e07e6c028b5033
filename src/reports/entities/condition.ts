/** Conditions for runs, reports and values of a cycle. */
import { z } from 'zod'
import { shape } from '../../http/endpoint/contract.ts'
import { column, description, expression, id, line, name, project } from './fields.ts'

const operand = shape('ReportOperand', () =>
  z
    .union([
      z.strictObject({ const: z.union([z.string().max(4000), z.number()]) }),
      z.strictObject({ expr: expression() }),
      z.strictObject({ variable: line(256) }),
      z.strictObject({ kpi: line(200) }),
      z.strictObject({ previous: z.literal(true) }),
    ])
    .meta({ control: 'operand', hint: '=expression, variable:NAME, kpi:LABEL, previous, or a constant' }),
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
const operator = () => z.enum(OPERATORS).meta({ label: 'Comparison' })
export type Operator = (typeof OPERATORS)[number]

const rowsOf = () =>
  z.union([z.strictObject({ objectId: line(200) }), z.strictObject({ table: z.array(column()).min(1).max(100) })])

const time = () => z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be HH:mm')

export const rules = shape('ReportRule', () =>
  z.discriminatedUnion('type', [
    z
      .strictObject({
        type: z.literal('value'),
        left: operand(),
        op: operator(),
        right: operand().optional(),
        right2: operand().optional().meta({ label: 'Second, for between' }),
      })
      .meta({ start: { left: { expr: '' }, op: 'gt', right: { const: 0 } } }),
    z
      .strictObject({
        type: z.literal('rowCount'),
        of: rowsOf().meta({ hint: 'JSON: {"objectId": "..."}' }),
        op: operator(),
        count: z.int().min(0).meta({ label: 'Rows' }),
      })
      .meta({ title: 'Number of rows', start: { of: { objectId: '' }, op: 'gt', count: 0 } }),
    z
      .strictObject({
        type: z.literal('dataChanged'),
        of: z
          .union([...rowsOf().options, z.strictObject({ expressions: z.array(expression()).min(1).max(100) })])
          .meta({ hint: 'JSON: {"expressions": ["=Sum(Sales)"]}' }),
        ignoreOrder: z.boolean().default(true).meta({ label: 'Without the order' }),
      })
      .meta({ start: { of: { expressions: [] } } }),
    z
      .strictObject({
        type: z.literal('changedBy'),
        expr: expression().meta({ label: 'Expression' }),
        atLeast: z.number().min(0),
        unit: z.enum(['absolute', 'percent']),
        direction: z.enum(['any', 'up', 'down']),
      })
      .meta({ title: 'Figure changed', start: { atLeast: 10, unit: 'percent' } }),
    z
      .strictObject({
        type: z.literal('lastReload'),
        is: z.enum(['today', 'withinMinutes', 'sinceLastRun']).meta({ label: 'It was' }),
        minutes: z.int().min(1).max(5_256_000).optional(),
      })
      .meta({ title: 'Reload of the app' }),
    z
      .strictObject({
        type: z.literal('taskState'),
        taskId: id().meta({ label: 'Id of the task' }),
        is: z.enum(['succeeded', 'failed', 'notRunning']).meta({ label: 'It has' }),
        since: z
          .enum(['today', 'lastRun'])
          .nullable()
          .default(null)
          .meta({ texts: { '': 'ever' } }),
      })
      .meta({ title: 'State of a Qlik task' }),
    z
      .strictObject({
        type: z.literal('calendar'),
        allow: z.strictObject({
          weekdays: z
            .array(z.enum(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']))
            .min(1)
            .max(7)
            .optional(),
          from: time().optional().meta({ hint: '08:00' }),
          to: time().optional(),
          dates: z
            .array(z.iso.date())
            .max(1000)
            .optional()
            .meta({ label: 'Only these days', hint: '2026-12-24, one a line' }),
          notDates: z.array(z.iso.date()).max(1000).optional().meta({ label: 'Not these days' }),
          monthDay: z
            .union([z.enum(['first', 'last']), z.int().min(1).max(31)])
            .optional()
            .meta({ control: 'none' }),
          workday: z.enum(['first', 'last']).optional().meta({ label: 'Workday of the month' }),
        }),
      })
      .meta({ start: { allow: { weekdays: ['mon', 'tue', 'wed', 'thu', 'fri'] } } }),
    z
      .strictObject({
        type: z.literal('keyValue'),
        namespace: line(256),
        key: line(256),
        op: operator(),
        value: z.union([z.string(), z.number()]).optional(),
      })
      .meta({ title: 'Key-value pair' }),
    z.strictObject({
      type: z.literal('file'),
      spaceId: line(63).meta({ label: 'Storage space', lookup: 'space' }),
      path: line(1000),
      is: z.enum(['exists', 'newerThanLastRun']).meta({ label: 'It' }),
    }),
  ]),
)
export type Rule = z.output<ReturnType<typeof rules>>
export type RuleOf<Type extends Rule['type']> = Extract<Rule, { readonly type: Type }>

export const reportCondition = shape('ReportConditionInput', () =>
  z.strictObject({
    project,
    name,
    description: description(),
    appId: id().nullable().default(null).meta({ label: 'App', hint: 'Id of the app' }),
    match: z.enum(['all', 'any']).default('all').meta({ label: 'Must hold', group: 'rules' }),
    rules: z.array(rules()).min(1).max(20).meta({ group: 'rules', order: 1 }),
    fire: z.enum(['always', 'onBecomingTrue']).default('always').meta({ label: 'It holds', group: 'rules' }),
    onError: z
      .enum(['error', 'skip', 'proceed'])
      .default('error')
      .meta({ label: 'A rule that fails is', group: 'rules' }),
  }),
)
export type ReportCondition = z.output<ReturnType<typeof reportCondition>>
