/** JSON of all blocks. */
import { createDisplayText, plainValue } from '../display.ts'
import type { Cell, Column, DocumentNames, ReportData, Row } from '../types.ts'
import type { BlockContent, ContentOf, KpiItem } from './blocks.ts'
import { type TextFile, writeTextFile } from './text-file.ts'
import { cutChartText, cutText } from './values.ts'

interface JsonRequest {
  readonly blocks: readonly BlockContent[]
  readonly names: Pick<DocumentNames, 'report' | 'task' | 'cycle'>
  readonly data: Pick<ReportData, 'app' | 'filterText'>
  /** The language of numbers in notes. */
  readonly locale: string
  readonly file: string
  readonly signal?: AbortSignal
}

/** Writes `{ "meta", "blocks" }` with a line for each row, and resolves with the size in bytes. Page breaks are left out. */
export function writeJson({ blocks, names, data, locale, file, signal }: JsonRequest): Promise<number> {
  const { app, filterText } = data
  const meta = {
    report: names.report,
    task: names.task,
    app: app.name,
    appId: app.id,
    lastReload: app.lastReload?.toISOString() ?? null,
    filter: filterText,
    cycle: Object.fromEntries(names.cycle.map(({ field, value }) => [field, value.text])),
  }
  return writeTextFile(file, async (out) => {
    await out.write(`{ "meta": ${JSON.stringify(meta)},\n"blocks": [`)
    let first = true
    for (const block of blocks) {
      signal?.throwIfAborted()
      if (block.type === 'pageBreak') continue
      await out.write(first ? '\n' : ',\n')
      first = false
      await writeBlock(out, block, locale, signal)
    }
    await out.write('\n] }\n')
  })
}

async function writeBlock(
  out: TextFile,
  block: Exclude<BlockContent, ContentOf<'pageBreak'>>,
  locale: string,
  signal?: AbortSignal,
) {
  const { key, type, title } = block
  const head = { key, type, title }
  switch (block.type) {
    case 'text':
      return out.write(JSON.stringify({ ...head, markdown: block.markdown }))
    case 'note':
      return out.write(JSON.stringify({ ...head, text: block.text }))
    case 'kpi':
      return out.write(JSON.stringify({ ...head, items: block.items.map((item) => figure(item, locale)) }))
    case 'chart': {
      const { kind, dimensions, measures, rows } = block.chart
      const cut = cutChartText(block.chart, locale)
      const more = { ...head, chart: kind, ...(cut !== null && { note: cut }) }
      return writeRows(out, more, [...dimensions, ...measures], [rows])
    }
    case 'table': {
      const { columns, totals, totalRows } = block.table
      const cut = cutText(block.table, locale)
      const more = {
        ...head,
        totalRows,
        ...(cut !== null && { note: cut }),
        totals: totals && values(totals, columns),
      }
      return writeRows(out, more, columns, block.table.pages(), signal)
    }
  }
}

async function writeRows(
  out: TextFile,
  head: object,
  columns: readonly Column[],
  pages: AsyncIterable<readonly Row[]> | Iterable<readonly Row[]>,
  signal?: AbortSignal,
): Promise<void> {
  const described = columns.map(({ label, kind, type, format }) => ({ label, kind, type, format }))
  await out.write(`${JSON.stringify({ ...head, columns: described }).slice(0, -1)},"rows":[`)
  let first = true
  for await (const page of pages) {
    signal?.throwIfAborted()
    for (const row of page) {
      await out.write(`${first ? '\n' : ',\n'}${JSON.stringify(values(row, columns))}`)
      first = false
    }
  }
  await out.write('] }')
}

const values = (row: Row, columns: readonly Column[]) =>
  row.map((cell, index) => plainValue(cell, columns[index] ?? null))

function figure({ label, value, column, compare }: KpiItem, locale: string) {
  const display = createDisplayText(locale)
  const shown = (cell: Cell) => ({ value: plainValue(cell, column), text: display(cell, column) })
  return {
    label,
    ...shown(value),
    ...(compare && { compare: { ...shown(compare.value), change: compare.change } }),
  }
}
