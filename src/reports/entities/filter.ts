/** Filters of reports. */
import { z } from 'zod'
import { shape } from '../../http/endpoint/contract.ts'
import { description, expression, fieldName, id, line, name, project } from './fields.ts'

export const DATE_PRESETS = [
  'today',
  'yesterday',
  'lastNDays',
  'thisWeek',
  'lastWeek',
  'thisMonth',
  'lastMonth',
  'thisQuarter',
  'lastQuarter',
  'thisYear',
  'lastYear',
  'monthToDate',
  'yearToDate',
] as const

const required = z.boolean().default(true).meta({ label: 'A value that does not exist is an error', order: 1 })
const clause = { field: fieldName().meta({ hint: 'Upper and lower case count' }), required }
const exclude = z.boolean().default(false).meta({ label: 'All others' })

const clauses = shape('FilterClause', () =>
  z.discriminatedUnion('type', [
    z.strictObject({
      ...clause,
      type: z.literal('values'),
      values: z
        .array(z.union([z.string().max(4000), z.number()]))
        .min(1)
        .max(1000)
        .meta({ hint: 'One a line' }),
      exclude,
    }),
    z.strictObject({
      ...clause,
      type: z.literal('search'),
      search: expression().meta({ hint: '*Nord*, >=100<200' }),
      exclude,
    }),
    z
      .strictObject({
        ...clause,
        type: z.literal('date'),
        preset: z.enum(DATE_PRESETS).meta({ label: 'Period' }),
        n: z.int().min(1).max(10_000).optional().meta({ label: 'Days, for lastNDays' }),
      })
      .refine(({ preset, n }) => preset !== 'lastNDays' || n !== undefined, {
        error: 'lastNDays needs n',
        path: ['n'],
      })
      .meta({ start: { preset: 'lastMonth' } }),
    z.strictObject({
      ...clause,
      type: z.literal('expression'),
      expr: expression().meta({ label: 'Expression', hint: 'Values, separated by ;' }),
    }),
    z.strictObject({
      type: z.literal('bookmark'),
      bookmarkId: line(200).meta({ label: 'Id of the bookmark' }),
      required,
    }),
  ]),
)
export type Clause = z.output<ReturnType<typeof clauses>>

export const reportFilter = shape('ReportFilterInput', () =>
  z.strictObject({
    project,
    name,
    description: description(),
    appId: id().nullable().default(null).meta({ label: 'App', hint: 'Id of the app' }),
    clauses: z.array(clauses()).min(1).max(20).meta({ group: 'clauses' }),
    variables: z
      .array(
        z
          .strictObject({ name: line(256), value: z.union([z.string().max(8000), z.number()]) })
          .meta({ title: 'Variable' }),
      )
      .max(20)
      .default([])
      .meta({ group: 'clauses' }),
  }),
)
export type ReportFilter = z.output<ReturnType<typeof reportFilter>>
