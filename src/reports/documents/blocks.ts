/** The blocks of a report with their data, as every format writes them. */
import type { BlockReport } from '../entities/report.ts'
import type { Cell, ReportData, Table, Warn } from '../types.ts'
import type { ChartContent } from './charts/content.ts'

export interface KpiItem {
  readonly label: string
  readonly value: Cell
  readonly compare: {
    readonly value: Cell
    /** (value - compared) / |compared|: 0.12 is 12 % more; null without numbers or against 0. */
    readonly change: number | null
  } | null
}

interface Content<Type extends string> {
  readonly type: Type
  readonly key: string
  /** '' when the block has none. Of objects: the title in the app. */
  readonly title: string
}

export type BlockContent =
  /** Markdown whose `{{=expression}}` are replaced; see `markdown.ts`. */
  | (Content<'text'> & { readonly markdown: string })
  | (Content<'kpi'> & { readonly items: readonly KpiItem[] })
  /** Its pages are read from the engine while the document is written. */
  | (Content<'table'> & { readonly table: Table })
  | (Content<'chart'> & { readonly chart: ChartContent; readonly heightMm: number })
  /** Stands for a block that cannot be shown; the warning has been given. */
  | (Content<'note'> & { readonly text: string })
  | Content<'pageBreak'>

export type ContentOf<Type extends BlockContent['type']> = Extract<BlockContent, { readonly type: Type }>

/** The request of a document, as far as blocks need it. */
export interface BlocksRequest {
  readonly report: BlockReport
  /** Only this block; all when absent. */
  readonly block?: string
  readonly data: ReportData
  readonly warn: Warn
  readonly maxRowsPerTable: number
}
