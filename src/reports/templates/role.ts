/** The thread that reads an Office file from outside: its name, which every start of a thread reads, and its messages. */
import type { TableRow } from '../../platform/table.ts'
import type { TemplateReport } from '../entities/report.ts'
import type { TemplateCheck } from './contract.ts'

export const TEMPLATE_ROLE = 'template'

/** Data of the thread. */
export type TemplateJob = CheckJob | TableJob

export interface CheckJob {
  readonly type: 'check'
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly fileName: string
  readonly report: Pick<TemplateReport, 'data' | 'levels'>
  readonly limits: { readonly maxTemplateMb: number }
}

/** A workbook whose first sheet is wanted. */
interface TableJob {
  readonly type: 'table'
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly maxMb: number
}

export type FromTemplateThread =
  | { readonly type: 'checked'; readonly check: TemplateCheck }
  | { readonly type: 'table'; readonly rows: readonly TableRow[] }
  /** The workbook is no table. */
  | { readonly type: 'refused'; readonly reason: string; readonly line: number; readonly column: number }
  | { readonly type: 'failed'; readonly details: string }
