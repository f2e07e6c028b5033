/** Reports: blocks, or an Office template with its data. */
import { z } from 'zod'
import { once } from '../../platform/once.ts'
import {
  bindingKey,
  column,
  description,
  expression,
  fieldName,
  id,
  ids,
  key,
  line,
  name,
  pattern,
  project,
  source,
  tags,
  zone,
} from './fields.ts'

export const FORMATS = ['csv', 'xlsx', 'html', 'pdf', 'json', 'svg', 'png', 'docx', 'pptx'] as const
export type Format = (typeof FORMATS)[number]

export const CHART_KINDS = [
  'bar',
  'barHorizontal',
  'barStacked',
  'barGrouped',
  'barPercent',
  'line',
  'area',
  'areaStacked',
  'combo',
  'pie',
  'donut',
  'scatter',
  'bubble',
  'gauge',
  'treemap',
  'heatmap',
  'waterfall',
  'boxplot',
  'funnel',
  'radar',
  'sankey',
] as const
export type ChartKind = (typeof CHART_KINDS)[number]

const sort = once(() =>
  z.array(z.strictObject({ column: z.union([z.int().min(0), line(200)]), dir: z.enum(['asc', 'desc']) })).max(20),
)
const maxRows = once(() => z.int().min(1).max(10_000_000))

/** Lines of a text in a PDF. */
const maxLines = once(() => z.int().min(1).max(100))

const tableMembers = {
  columns: z
    .array(column().extend({ maxLines: maxLines().optional() }))
    .min(1)
    .max(100),
  sort: sort().default([]),
  maxRows: maxRows().optional(),
  totals: z.boolean().default(false),
}

const measure = once(() =>
  z.union([
    expression(),
    z.strictObject({
      expr: source(),
      label: line(200).optional(),
      format: line(100).optional(),
      as: z.enum(['bar', 'line']).optional(),
      axis: z.enum(['left', 'right']).optional(),
    }),
  ]),
)

const chartMembers = {
  chart: z.enum(CHART_KINDS),
  dimension: source().optional(),
  dimension2: source().optional(),
  measures: z.array(measure()).min(1).max(8),
  maxPoints: z.int().min(1).max(10_000).default(200),
  legend: z.enum(['top', 'right', 'none']).default('top'),
  labels: z.boolean().default(false),
}

const block = { key: key(), title: line(500).optional() }

const blocks = once(() =>
  z.discriminatedUnion('type', [
    z.strictObject({
      ...block,
      type: z.literal('object'),
      objectId: line(200),
      as: z.enum(['auto', 'table', 'chart']).default('auto'),
      maxRows: maxRows().optional(),
      maxLines: maxLines().optional(),
    }),
    z.strictObject({ ...block, type: z.literal('table'), ...tableMembers }),
    z.strictObject({
      ...block,
      type: z.literal('kpi'),
      items: z
        .array(
          z.strictObject({
            label: line(200),
            expr: expression(),
            compareExpr: expression().optional(),
            format: line(100).optional(),
          }),
        )
        .min(1)
        .max(24),
    }),
    z.strictObject({
      ...block,
      type: z.literal('chart'),
      ...chartMembers,
      heightMm: z.number().min(20).max(1000).default(90),
    }),
    z.strictObject({ ...block, type: z.literal('text'), markdown: z.string().max(20_000) }),
    z.strictObject({ ...block, type: z.literal('pageBreak') }),
  ]),
)
export type Block = z.output<ReturnType<typeof blocks>>
export type BlockOf<Type extends Block['type']> = Extract<Block, { readonly type: Type }>

const binding = { key: bindingKey() }

const bindings = once(() =>
  z.union([
    z.strictObject({ ...binding, type: z.literal('value'), expr: expression() }),
    z.strictObject({
      ...binding,
      type: z.literal('table'),
      columns: z
        .array(column().extend({ key: bindingKey(), label: line(200, 0).optional() }))
        .min(1)
        .max(100),
      sort: sort().default([]),
      maxRows: maxRows().default(10_000),
      totals: z.boolean().default(false),
    }),
    z.strictObject({ ...binding, type: z.literal('object'), objectId: line(200), maxRows: maxRows().default(10_000) }),
    z.strictObject({ ...binding, type: z.literal('chart'), ...chartMembers }),
    z.strictObject({ ...binding, type: z.literal('chart'), objectId: line(200) }),
    z.strictObject({ ...binding, type: z.literal('image'), file: line(255) }),
  ]),
)
export type Binding = z.output<ReturnType<typeof bindings>>

const level = once(() =>
  z.strictObject({
    key: bindingKey(),
    field: fieldName(),
    within: bindingKey().nullable().default(null),
    max: z.int().min(1).max(200).default(50),
    sort: z.enum(['field', 'text', 'number']).default('field'),
  }),
)
export type Level = z.output<ReturnType<typeof level>>

const template = once(() =>
  z.union([
    z.strictObject({ source: z.literal('file'), file: line(255) }),
    z.strictObject({ source: z.literal('upload'), fileName: line(255), sha256: z.string() }),
  ]),
)

const reportMembers = {
  project,
  name,
  description: description(),
  tags: tags(),
  appId: id(),
  filterIds: ids(50),
  page: z
    .strictObject({
      size: z.enum(['A4', 'A3', 'Letter']).default('A4'),
      orientation: z.enum(['portrait', 'landscape']).default('portrait'),
      marginMm: z.number().min(5).max(50).default(15),
      title: pattern.nullable().default(null),
      footer: pattern.nullable().default(null),
    })
    .prefault({}),
  locale: line(35).optional(),
  timezone: zone().optional(),
}

export const blockReport = once(() =>
  z.strictObject({
    ...reportMembers,
    type: z.literal('blocks').default('blocks'),
    blocks: z.array(blocks()).min(1).max(50),
  }),
)
export const templateReport = once(() =>
  z.strictObject({
    ...reportMembers,
    type: z.literal('template'),
    template: template().nullable().default(null),
    data: z.array(bindings()).min(1).max(100),
    levels: z.array(level()).max(4).default([]),
  }),
)
export const report = once(() => z.union([templateReport(), blockReport()]))
export type Report = z.output<ReturnType<typeof report>>
export type BlockReport = z.output<ReturnType<typeof blockReport>>
export type TemplateReport = z.output<ReturnType<typeof templateReport>>
