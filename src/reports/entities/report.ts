/** Reports: blocks, or an Office template with its data. */
import { z } from 'zod'
import { shape } from '../../http/endpoint/contract.ts'
import {
  bindingKey,
  column,
  description,
  expression,
  FILTERS,
  FORMAT,
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

const sort = shape('RowOrder', () =>
  z
    .array(
      z
        .strictObject({
          column: z.union([z.int().min(0), line(200)]),
          dir: z.enum(['asc', 'desc']).meta({ label: 'Direction', texts: { asc: 'ascending', desc: 'descending' } }),
        })
        .meta({ title: 'Sorted column' }),
    )
    .max(20),
)
const maxRows = () => z.int().min(1).max(10_000_000).meta({ label: 'Most rows' })

/** Lines of a text in a PDF. */
const maxLines = () => z.int().min(1).max(100).meta({ label: 'Most lines in PDF' })

const COLUMN = { title: 'Column' }
const ORDERED = { ordered: true }

const tableMembers = {
  columns: z
    .array(column().extend({ maxLines: maxLines().optional() }).meta(COLUMN))
    .min(1)
    .max(100)
    .meta(ORDERED),
  sort: sort().default([]).meta({ label: 'Order', ordered: true }),
  maxRows: maxRows().optional(),
  totals: z.boolean().default(false),
}

const measure = shape('ChartMeasure', () =>
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
  dimension2: source().optional().meta({ label: 'Second dimension' }),
  measures: z.array(measure()).min(1).max(8).meta({ control: 'lines', hint: 'One expression a line' }),
  maxPoints: z.int().min(1).max(10_000).default(200).meta({ label: 'Most points' }),
  legend: z.enum(['top', 'right', 'none']).default('top'),
  labels: z.boolean().default(false).meta({ label: 'Values in the chart' }),
}

const objectId = line(200).meta({ label: 'Object', hint: 'Id of the chart or table in the app' })
const NEW_COLUMNS = { columns: [{ label: '', expr: '', kind: 'dimension' }] }

const block = { key: key(), title: line(500).optional() }

const blocks = shape('ReportBlock', () =>
  z.discriminatedUnion('type', [
    z
      .strictObject({
        ...block,
        type: z.literal('text'),
        markdown: z
          .string()
          .max(20_000)
          .meta({ label: 'Text', control: 'area', hint: 'Markdown, with {{=expressions}}' }),
      })
      .meta({ start: { key: 'text' } }),
    z
      .strictObject({
        ...block,
        type: z.literal('kpi'),
        items: z
          .array(
            z
              .strictObject({
                label: line(200),
                expr: expression().meta({ label: 'Expression' }),
                compareExpr: expression().optional().meta({ label: 'Compared with' }),
                format: line(100).optional().meta(FORMAT),
              })
              .meta({ title: 'Figure' }),
          )
          .min(1)
          .max(24)
          .meta({ label: 'Figures', ordered: true }),
      })
      .meta({ title: 'Figures', start: { key: 'kpis', items: [{ label: '', expr: '' }] } }),
    z
      .strictObject({ ...block, type: z.literal('table'), ...tableMembers })
      .meta({ start: { key: 'table', ...NEW_COLUMNS } }),
    z
      .strictObject({
        ...block,
        type: z.literal('chart'),
        ...chartMembers,
        heightMm: z.number().min(20).max(1000).default(90).meta({ label: 'Height in mm' }),
      })
      .meta({ start: { key: 'chart' } }),
    z
      .strictObject({
        ...block,
        type: z.literal('object'),
        objectId,
        as: z.enum(['auto', 'table', 'chart']).default('auto').meta({ label: 'Drawn as' }),
        maxRows: maxRows().optional(),
        maxLines: maxLines().optional(),
      })
      .meta({ title: 'Object of the app', start: { key: 'object' } }),
    z.strictObject({ ...block, type: z.literal('pageBreak') }).meta({ start: { key: 'page' } }),
  ]),
)
export type Block = z.output<ReturnType<typeof blocks>>
export type BlockOf<Type extends Block['type']> = Extract<Block, { readonly type: Type }>

const binding = { key: bindingKey() }

const bindings = shape('ReportBinding', () =>
  z.union([
    z.strictObject({ ...binding, type: z.literal('value'), expr: expression().meta({ label: 'Expression' }) }),
    z
      .strictObject({
        ...binding,
        type: z.literal('table'),
        columns: z
          .array(
            column()
              .extend({ key: bindingKey().meta({ order: -1 }), label: line(200, 0).optional() })
              .meta(COLUMN),
          )
          .min(1)
          .max(100)
          .meta(ORDERED),
        sort: sort().default([]).meta({ label: 'Order', ordered: true }),
        maxRows: maxRows().default(10_000),
        totals: z.boolean().default(false),
      })
      .meta({ start: { columns: [{ key: '', ...NEW_COLUMNS.columns[0] }] } }),
    z
      .strictObject({ ...binding, type: z.literal('object'), objectId, maxRows: maxRows().default(10_000) })
      .meta({ title: 'Table of the app' }),
    z.strictObject({ ...binding, type: z.literal('chart'), ...chartMembers }),
    z.strictObject({ ...binding, type: z.literal('chart'), objectId }).meta({ title: 'Chart of the app' }),
    z
      .strictObject({
        ...binding,
        type: z.literal('image'),
        file: line(255).meta({ hint: 'Of the template directory' }),
      })
      .meta({ title: 'Picture' }),
  ]),
)
export type Binding = z.output<ReturnType<typeof bindings>>

const level = shape('ReportLevel', () =>
  z
    .strictObject({
      key: bindingKey(),
      field: fieldName(),
      within: bindingKey().nullable().default(null).meta({ label: 'Within the level' }),
      max: z.int().min(1).max(200).default(50).meta({ label: 'Most values' }),
      sort: z.enum(['field', 'text', 'number']).default('field').meta({ label: 'Order' }),
    })
    .meta({ title: 'Level' }),
)
export type Level = z.output<ReturnType<typeof level>>

const template = shape('ReportTemplateFile', () =>
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
  appId: id().meta({ label: 'App', hint: 'Id of the app' }),
  filterIds: ids(50).meta(FILTERS),
  page: z
    .strictObject({
      size: z.enum(['A4', 'A3', 'Letter']).default('A4').meta({ label: 'Paper' }),
      orientation: z.enum(['portrait', 'landscape']).default('portrait'),
      marginMm: z.number().min(5).max(50).default(15).meta({ label: 'Margin in mm' }),
      title: pattern.nullable().default(null),
      footer: pattern.nullable().default(null).meta({ hint: '{page} of {pages}' }),
    })
    .prefault({})
    .meta({ group: 'page' }),
  locale: line(35).optional().meta({ label: 'Language', hint: 'de-DE', group: 'page' }),
  timezone: zone().optional().meta({ label: 'Time zone', lookup: 'timezone', group: 'page' }),
}

export const blockReport = shape('BlockReportInput', () =>
  z.strictObject({
    ...reportMembers,
    type: z.literal('blocks').default('blocks'),
    blocks: z.array(blocks()).min(1).max(50).meta({ group: 'blocks', ordered: true }),
  }),
)
export const templateReport = shape('TemplateReportInput', () =>
  z.strictObject({
    ...reportMembers,
    type: z.literal('template'),
    template: template().nullable().default(null).meta({
      label: 'File of the template folder',
      hint: 'sales.xlsx; empty for an uploaded file',
      group: 'template',
      control: 'template',
    }),
    data: z.array(bindings()).min(1).max(100).meta({ group: 'template', ordered: true }),
    levels: z.array(level()).max(4).default([]).meta({ group: 'template' }),
  }),
)
export const report = shape('ReportInput', () => z.union([templateReport(), blockReport()]))
export type Report = z.output<ReturnType<typeof report>>
export type BlockReport = z.output<ReturnType<typeof blockReport>>
export type TemplateReport = z.output<ReturnType<typeof templateReport>>
