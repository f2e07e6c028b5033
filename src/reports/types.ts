/** The interfaces between the parts of report tasks: data of an app, documents made of it, runs. */
import type { WarningCode } from './codes.ts'
import type { ColumnDefinition, Source, Stored } from './entities/fields.ts'
import type { Format, Report } from './entities/report.ts'
import type { ReportUse } from './entities/task.ts'
import type { RunEvent } from './runs/contract.ts'

// --- Data of an app, under the selections of a document ---

/** A value as the engine gives it. Null cells have the text '' and no number. */
export interface Cell {
  /** Qlik's own formatted text. */
  readonly text: string
  /** Finite, or null for texts. Dates are serial numbers: days since 1899-12-30. */
  readonly number: number | null
  /** The expression of the value formats it, so that its text is the look that the app means: `Num(Max(Year), '0')`. */
  readonly isFormatted?: true
}

/** The meaning of the numbers in a column; decides the cell type of workbooks. */
export type NumberKind = 'text' | 'number' | 'integer' | 'money' | 'date' | 'timestamp' | 'time' | 'interval'

/** Decimal and thousands separators; '' where there is none to see. */
export interface Marks {
  readonly decimal: string
  readonly group: string
}

export interface Column {
  readonly label: string
  readonly kind: 'dimension' | 'measure'
  readonly type: NumberKind
  /** Qlik's format pattern (`# ##0,00`, `YYYY-MM-DD`); null when there is none. */
  readonly format: string | null
  /** Separators for numbers that have no text of Qlik; absent = those of the locale. */
  readonly marks?: Marks
  /** Lines of a text in a PDF; absent = as many as it has, in tables with few columns. */
  readonly maxLines?: number
}

export type Row = readonly Cell[]

export interface Table {
  readonly columns: readonly Column[]
  /** Rows that `pages` yields. */
  readonly rows: number
  /** Rows of the cube before it was cut to `maxRows`; a larger number than `rows` has already been reported as `ROWS_TRUNCATED`. */
  readonly totalRows: number
  /** One cell for each column, empty ones for dimensions; null unless totals were asked for. */
  readonly totals: Row | null
  /** May be called more than once; each call reads the pages from the engine again. */
  pages(): AsyncIterable<readonly Row[]>
}

/** A cube to be made for us. Columns keep their order. */
export interface TableRequest {
  /** Key of the block or binding, for warnings. */
  readonly name?: string
  readonly columns: readonly (ColumnDefinition & Pick<Column, 'maxLines'>)[]
  readonly sort?: readonly { readonly column: number | string; readonly dir: 'asc' | 'desc' }[]
  readonly maxRows?: number
  readonly totals?: boolean
}

/** A chart or table that exists in the app. */
export interface AppObject {
  readonly objectId: string
  /** `barchart`, `linechart`, `table`, `kpi`, ... as the app says. */
  readonly visualization: string
  readonly title: string
  /** Effective properties, for the drawing of charts. */
  readonly properties: Readonly<Record<string, unknown>>
  /** Its cube as a flat table; null when the object has none. */
  readonly table: Table | null
}

/** A selection that is added to the selections of the document, with the rules for filters. */
export interface Selection {
  readonly field: string
  readonly values: readonly Cell[]
}

/**
 * The app of a document, under its filters. Methods reject with a `ReportError`: `OBJECT_NOT_FOUND`, `ENGINE_UNREACHABLE`,
 * `FILTER_*`; with an `EvaluationError` when the engine cannot calculate one expression or cube.
 */
export interface ReportData {
  readonly app: { readonly id: string; readonly name: string; readonly lastReload: Date | null }
  /** The applied selections as text: `Region: Nord; Year: 2024, 2025`; '' without any. */
  readonly filterText: string
  /** With or without the leading `=`. */
  evaluate(expression: string): Promise<Cell>
  table(request: TableRequest): Promise<Table>
  object(objectId: string, options?: Pick<TableRequest, 'name' | 'maxRows' | 'totals'>): Promise<AppObject>
  /** Label of a field or master item, for charts without labels. */
  labelOf(source: Source): Promise<string>
  /** The possible values of a field, in its own sort order. */
  fieldValues(field: string): Promise<readonly Cell[]>
  /** Runs `work` with more selections; the ones of before are in force again afterwards. */
  within<T>(selections: readonly Selection[], work: (data: ReportData) => Promise<T>): Promise<T>
}

/** The engine cannot calculate one expression, table or object; the rest of the app is fine. */
export class EvaluationError extends Error {
  override readonly name = 'EvaluationError'
}

// --- Documents ---

/** Something that went less well; `details` in the words of the run log: `100000 of 134211 rows`. */
export type Warn = (code: WarningCode, details: string, block?: string) => void

/** A value of a cycle field, for names and selections. */
export interface CycleValue {
  readonly field: string
  readonly value: Cell
}

/** The names that patterns and templates can use. */
export interface DocumentNames {
  readonly task: string
  readonly project: string
  readonly report: string
  /** Key of the report in the task. */
  readonly key: string
  readonly cycle: readonly CycleValue[]
  /** Start of the run. */
  readonly date: Date
  readonly runId: string
  /** Number of the document in the run, from 1. */
  readonly seq: number
}

export interface RenderRequest {
  readonly report: Stored<Report>
  readonly use: Pick<ReportUse, 'format' | 'block' | 'options' | 'protect'> & { readonly embed: boolean }
  readonly data: ReportData
  readonly names: DocumentNames
  readonly locale: string
  readonly timezone: string
  /** Path of the file to write; its folder exists. */
  readonly file: string
  /** Value of a secret. Throws `DOCUMENT_FAILED` when it is not set. */
  secret(name: string): string
  readonly warn: Warn
  readonly signal: AbortSignal
}

export interface RenderedDocument {
  readonly format: Format
  readonly mediaType: string
  /** `pdf`. */
  readonly extension: string
  readonly bytes: number
  /** Pictures of an HTML document for the body of a mail, which names them as `cid:`. */
  readonly images?: readonly { readonly cid: string; readonly png: Uint8Array }[]
  /** The hash of the filled Office file, where the PDF of a converter differs from run to run; else absent. */
  readonly sourceSha256?: string
}

/** Settings of a node that rendering needs; from `reportTask` of the configuration. Plain data, copied to the worker. */
export interface RenderSettings {
  /** Absolute. */
  readonly templateDirectory: string
  /** Absolute; for folders of converters and files under way. */
  readonly temporaryDirectory: string
  /** Absolute paths of additional fonts. */
  readonly fonts: readonly string[]
  readonly officeConverter: {
    readonly enable: 'auto' | 'off'
    readonly path: string
    readonly timeoutSeconds: number
    readonly parallel: number
  }
  readonly limits: { readonly maxRowsPerTable: number; readonly maxTemplateMb: number }
}

// --- Runs ---

/** An event as a part of a run gives it. */
export type NewEvent = Omit<RunEvent, 'at' | 'level'>

/** A made document of a run, as its row says. */
export interface RunDocument {
  /** UUID. */
  readonly id: string
  readonly runId: string
  /** Key of the report in the task. */
  readonly report: string
  /** Hex; the blob in `dataDirectory`. */
  readonly sha256: string
  readonly fileName: string
  readonly format: Format
  readonly mediaType: string
  readonly bytes: number
  readonly cycle: readonly CycleValue[]
  /** Names the set of filters and the identity that the document was made with; '' for the plain one. */
  readonly variant: string
}
