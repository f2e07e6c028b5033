/** Whether an app has what the tags of a template need: fields, objects, master items, and expressions without mistakes. */
import { ReportError } from '../codes.ts'
import type { ColumnDefinition, Source } from '../entities/fields.ts'
import type { Binding, TemplateReport } from '../entities/report.ts'
import { EvaluationError } from '../types.ts'
import type { OpenApp } from './app.ts'
import { createExpressions } from './expressions.ts'
import { createFields } from './fields.ts'
import { checkedSource } from './tables.ts'

/**
 * Problems of the data bindings, levels and `{{=expression}}` tags, each with its name: `detail: unknown field Regoin`.
 * Nothing is calculated. Rejects with `ENGINE_UNREACHABLE`.
 */
export async function unresolved(
  app: OpenApp,
  { data, levels }: Pick<TemplateReport, 'data' | 'levels'>,
  expressions: readonly string[],
): Promise<readonly string[]> {
  const known = { fields: createFields(app), expressions: createExpressions(app) }
  const problems: string[] = []

  async function look(name: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (error instanceof EvaluationError) problems.push(`${name}: ${error.message}`)
      else if (error instanceof ReportError && FINDINGS.has(error.code)) problems.push(`${name}: ${error.details}`)
      else throw error
    }
  }
  async function lookAtColumns(name: string, columns: readonly ColumnDefinition[]): Promise<void> {
    for (const column of columns) {
      await look(name, () => checkedSource(column, columns, known))
      if (typeof column.expr !== 'string') await look(name, () => needMasterItem(app, column))
    }
  }

  for (const { key, field } of levels) await look(key, () => known.fields.need(field))
  for (const expression of expressions) await look('expression', () => known.expressions.check(expression))
  for (const binding of data) {
    if (binding.type === 'value') await look(binding.key, () => known.expressions.check(binding.expr))
    else if ('objectId' in binding) await look(binding.key, () => needObject(app, binding.objectId))
    else await lookAtColumns(binding.key, columnsOf(binding))
  }
  return problems
}

const FINDINGS: ReadonlySet<string> = new Set(['FILTER_FIELD_UNKNOWN', 'OBJECT_NOT_FOUND'])

function columnsOf(binding: Binding): readonly ColumnDefinition[] {
  if (binding.type === 'table') return binding.columns.map(({ label = '', ...column }) => ({ ...column, label }))
  if (binding.type !== 'chart' || 'objectId' in binding) return []
  const { dimension, dimension2, measures } = binding
  const column = (kind: ColumnDefinition['kind'], expr: Source): ColumnDefinition => ({ label: '', expr, kind })
  return [
    ...[dimension, dimension2].flatMap((expr) => (expr === undefined ? [] : [column('dimension', expr)])),
    ...measures.map((measure) => column('measure', typeof measure === 'string' ? measure : measure.expr)),
  ]
}

async function needObject({ doc, name }: OpenApp, objectId: string): Promise<void> {
  const object = await doc.child('GetObject', [objectId])
  if (!object) throw new ReportError('OBJECT_NOT_FOUND', `the app "${name}" has no object "${objectId}"`)
}

async function needMasterItem({ doc, name }: OpenApp, { expr, kind }: ColumnDefinition): Promise<void> {
  if (typeof expr === 'string') return
  const found = await doc.child(kind === 'dimension' ? 'GetDimension' : 'GetMeasure', [expr.libraryId])
  if (!found) throw new EvaluationError(`the app "${name}" has no master item "${expr.libraryId}"`)
}
