/** Filters of reports. */
import { z } from 'zod'
import { once } from '../../platform/once.ts'
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

const clause = { field: fieldName(), required: z.boolean().default(true) }

const clauses = once(() =>
  z.discriminatedUnion('type', [
    z.strictObject({
      ...clause,
      type: z.literal('values'),
      values: z
        .array(z.union([z.string().max(4000), z.number()]))
        .min(1)
        .max(1000),
      exclude: z.boolean().default(false),
    }),
    z.strictObject({ ...clause, type: z.literal('search'), search: expression(), exclude: z.boolean().default(false) }),
    z
      .strictObject({
        ...clause,
        type: z.literal('date'),
        preset: z.enum(DATE_PRESETS),
        n: z.int().min(1).max(10_000).optional(),
      })
      .refine(({ preset, n }) => preset !== 'lastNDays' || n !== undefined, {
        error: 'lastNDays needs n',
        path: ['n'],
      }),
    z.strictObject({ type: z.literal('bookmark'), bookmarkId: line(200), required: z.boolean().default(true) }),
    z.strictObject({ ...clause, type: z.literal('expression'), expr: expression() }),
  ]),
)
export type Clause = z.output<ReturnType<typeof clauses>>

export const reportFilter = once(() =>
  z.strictObject({
    project,
    name,
    description: description(),
    appId: id().nullable().default(null),
    clauses: z.array(clauses()).min(1).max(20),
    variables: z
      .array(z.strictObject({ name: line(256), value: z.union([z.string().max(8000), z.number()]) }))
      .max(20)
      .default([]),
  }),
)
export type ReportFilter = z.output<ReturnType<typeof reportFilter>>
