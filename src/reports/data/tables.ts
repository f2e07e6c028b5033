/** Cubes of an app as flat tables, read page by page. */

import { QIX } from '../../qlik/engine/errors.ts'
import type { EngineObject } from '../../qlik/engine/types.ts'
import { ReportError } from '../codes.ts'
import type { ColumnDefinition } from '../entities/fields.ts'
import {
  type AppObject,
  type Cell,
  type Column,
  EvaluationError,
  type Row,
  type Table,
  type TableRequest,
  type Warn,
} from '../types.ts'
import { asList, asObject, asText, cellOf, type Json, MAX_CELLS, type OpenApp, rejectionCode } from './app.ts'
import { declaredColumn, dimensionItem, measureItem, typedColumns } from './columns.ts'
import { type Expressions, formatsItself } from './expressions.ts'
import { type Fields, quotedField } from './fields.ts'

export interface TableDeps {
  readonly app: OpenApp
  readonly fields: Fields
  readonly expressions: Expressions
  /** Infinity for none. */
  readonly maxRows: number
  readonly warn: Warn
  /** Runs one read under the selections of the table; rejects when others are in force. */
  guard<T>(read: () => Promise<T>): Promise<T>
  /** Notes an object of the session that ends with these selections. */
  own(objectId: string): void
}

interface TableOptions {
  /** Key of the block or binding, for warnings. */
  readonly name: string | undefined
  readonly maxRows: number | undefined
  readonly totals: boolean
  /** For messages: `table`, `object "chSales"`. */
  readonly what: string
  /** Labels of the columns, dimensions first; '' = the label of the engine. */
  readonly labels: readonly string[]
  /** One for each column, in the same order. */
  readonly maxLines: readonly Column['maxLines'][]
  /** Order of the columns as indices into dimensions, then measures. */
  readonly order: readonly number[]
}

/** A cube of its own for a request. Rejects with an `EvaluationError` that names the column with the mistake. */
export async function requestedTable(request: TableRequest, deps: TableDeps): Promise<Table> {
  const { columns } = request
  const definitions: string[] = []
  for (const column of columns) definitions.push(await checkedSource(column, columns, deps))
  const sorts = sortsOf(request)
  const direction = (index: number) => sorts.find(({ column }) => column === index)?.direction ?? 0
  const indices = columns.map((_, index) => index)
  const dimensions = indices.filter((index) => columns[index]?.kind === 'dimension')
  const measures = indices.filter((index) => columns[index]?.kind === 'measure')
  const natural = [...dimensions, ...measures]
  const sorted = sorts.map(({ column }) => natural.indexOf(column))
  const cube = {
    qDimensions: dimensions.map((index) => {
      const way = direction(index) || 1
      return dimensionItem(columns[index]!, definitions[index]!, { qSortByNumeric: way, qSortByAscii: way })
    }),
    qMeasures: measures.map((index) => measureItem(columns[index]!, { qSortByNumeric: direction(index) })),
    qInterColumnSortOrder: [...sorted, ...natural.keys().filter((position) => !sorted.includes(position))],
    qSuppressZero: false,
    qSuppressMissing: true,
    qMode: 'S',
    qStateName: '$',
    qInitialDataFetch: [],
  }
  return openTable(cube, deps, {
    name: request.name,
    maxRows: request.maxRows,
    totals: request.totals ?? false,
    what: 'table',
    labels: natural.map((index) => columns[index]?.label ?? ''),
    maxLines: natural.map((index) => columns[index]?.maxLines),
    order: indices.map((index) => natural.indexOf(index)),
  })
}

/** The definition of a column, after a check of its expression; '' for master items. Rejects with an `EvaluationError`. */
export async function checkedSource(
  { expr, kind }: ColumnDefinition,
  columns: readonly ColumnDefinition[],
  { fields, expressions }: Pick<TableDeps, 'fields' | 'expressions'>,
): Promise<string> {
  if (typeof expr !== 'string') return ''
  if (kind === 'dimension' && !expr.trim().startsWith('=')) {
    const name = /^\[.*\]$/s.test(expr) && !(await fields.find(expr)) ? expr.slice(1, -1) : expr
    if (await fields.find(name)) return quotedField(name)
    throw new EvaluationError(`unknown field ${name}`)
  }
  const labels = columns.map(({ label }) => label).filter((label) => label !== '')
  await expressions.check(expr, labels)
  return expr
}

function sortsOf({ columns, sort = [] }: TableRequest) {
  return sort.map(({ column, dir }) => {
    const index = typeof column === 'number' ? column : columns.findIndex(({ label }) => label === column)
    if (!columns[index]) throw new EvaluationError(`the table has no column ${JSON.stringify(column)} to sort by`)
    return { column: index, direction: dir === 'asc' ? 1 : -1 }
  })
}

/** An object of the app with its cube as a flat table. Rejects with `OBJECT_NOT_FOUND`. */
export async function appObject(
  objectId: string,
  { name, maxRows, totals = false }: Pick<TableRequest, 'name' | 'maxRows' | 'totals'>,
  deps: TableDeps,
): Promise<AppObject> {
  const { app } = deps
  const object = await app.doc.child('GetObject', [objectId])
  if (!object) throw new ReportError('OBJECT_NOT_FOUND', `the app "${app.name}" has no object "${objectId}"`)
  const properties = asObject(await object.value('qProp', 'GetEffectiveProperties'))
  const layout = asObject(await object.value('qLayout', 'GetLayout'))
  const info = asObject(properties.qInfo)
  const title = asText(layout.title) || asText(asObject(layout.qMeta).title)
  const definition = properties.qHyperCubeDef
  return {
    objectId,
    visualization: asText(properties.visualization) || asText(info.qType),
    title,
    properties,
    table: definition
      ? await openTable(flatCube(asObject(definition)), deps, {
          name,
          maxRows,
          totals,
          what: `object "${objectId}"`,
          labels: [],
          maxLines: [],
          order: asList(asObject(definition).qColumnOrder).map(Number),
        })
      : null,
  }
}

/** The cube of an object as a straight table in the state of the filters; an alternate state would not know them. */
function flatCube(definition: Json): Json {
  const order = asList(definition.qInterColumnSortOrder).filter((column) => Number(column) >= 0)
  return {
    ...definition,
    qMode: 'S',
    qStateName: '$',
    qInitialDataFetch: [],
    qColumnOrder: [],
    qInterColumnSortOrder: order,
  }
}

/** A condition that is not met hides a column. */
const CONDITION_NOT_MET = 7005
const SAMPLE_ROWS = 100

async function openTable(definition: Json, deps: TableDeps, options: TableOptions): Promise<Table> {
  const { id, object } = await deps.app.create('report-table', { qHyperCubeDef: definition })
  deps.own(id)
  const cube = asObject(asObject(await object.value('qLayout', 'GetLayout')).qHyperCube)
  if (cube.qError) throw cubeError(options.what, cube.qError, cube.qCalcCondMsg)
  const formatted = asList(definition.qMeasures).map((measure) =>
    formatsItself(asText(asObject(asObject(measure).qDef).qDef)),
  )
  const columns = visibleColumns(cube, options, formatted)
  const totalRows = Number(asObject(cube.qSize).qcy ?? 0)
  const rows = Math.min(totalRows, options.maxRows ?? Number.POSITIVE_INFINITY, deps.maxRows)
  if (rows < totalRows) deps.warn('ROWS_TRUNCATED', `${rows} of ${totalRows} rows`, options.name)

  const read = (count: number) => readPages(object, { rows: count, columns, what: options.what, guard: deps.guard })
  const needsSample = columns.some(({ kind, label, info }) => declaredColumn(kind, label, info) === null)
  return {
    columns: typedColumns(columns, needsSample ? await firstPage(read(Math.min(rows, SAMPLE_ROWS))) : []),
    rows,
    totalRows,
    totals: options.totals ? totalsOf(cube, columns) : null,
    pages: () => read(rows),
  }
}

function cubeError(what: string, error: unknown, message: unknown): EvaluationError {
  const { qErrorCode, qExtendedMessage } = asObject(error)
  const text = asText(message) || asText(qExtendedMessage) || 'the engine cannot calculate it'
  return new EvaluationError(`${what}: ${text} (engine error ${qErrorCode})`)
}

interface ShownColumn {
  readonly kind: 'dimension' | 'measure'
  readonly label: string
  readonly maxLines: Column['maxLines']
  readonly info: Json
  /** The expression formats its values. */
  readonly isFormatted: boolean
  /** Column of the engine's matrix. */
  readonly position: number
  /** Position in the row of totals; -1 for dimensions. */
  readonly total: number
}

/** The columns in the wanted order, without those that a condition hides. */
function visibleColumns(
  cube: Json,
  { what, labels, maxLines, order }: TableOptions,
  formatted: readonly boolean[],
): readonly ShownColumn[] {
  const infos = [
    ...asList(cube.qDimensionInfo).map((info) => ({
      kind: 'dimension' as const,
      info: asObject(info),
      isFormatted: false,
    })),
    ...asList(cube.qMeasureInfo).map((info, index) => ({
      kind: 'measure' as const,
      info: asObject(info),
      isFormatted: formatted[index] ?? false,
    })),
  ]
  const width = Number(asObject(cube.qSize).qcx ?? 0)
  const hidden = infos.map(({ info }) => Number(asObject(info.qError).qErrorCode) === CONDITION_NOT_MET)
  const shown = infos.flatMap(({ kind, info, isFormatted }, index) => {
    const label = labels[index] || asText(info.qFallbackTitle)
    if (info.qError && !hidden[index]) throw cubeError(`${what}, column "${label}"`, info.qError, '')
    return hidden[index] ? [] : [{ kind, info, isFormatted, label, maxLines: maxLines[index], index }]
  })
  if (width !== shown.length && width !== infos.length) {
    throw new EvaluationError(`${what}: ${width} columns of data, ${shown.length} defined`)
  }
  const measures = shown.filter(({ kind }) => kind === 'measure')
  const placed = shown.map((column, place) => ({
    ...column,
    position: width === infos.length ? column.index : place,
    total: measures.indexOf(column),
  }))
  const rank = ({ index }: { readonly index: number }) =>
    order.includes(index) ? order.indexOf(index) : order.length + index
  return placed.toSorted((left, right) => rank(left) - rank(right))
}

/** One cell for each column; the dimensions have none. */
function totalsOf(cube: Json, columns: readonly ShownColumn[]): Row {
  const row = asList(cube.qGrandTotalRow).map(asObject)
  return columns.map((column) => {
    const cell = row[column.total]
    return cell === undefined ? { text: '', number: null } : columnCell(cellOf(cell.qText, cell.qNum), column)
  })
}

interface Reading {
  readonly rows: number
  readonly columns: readonly ShownColumn[]
  readonly what: string
  guard<T>(read: () => Promise<T>): Promise<T>
}

/** Yields exactly `rows` rows, or rejects: a row that the engine does not send is an error. */
async function* readPages(object: EngineObject, { rows, columns, what, guard }: Reading): AsyncGenerator<Row[]> {
  const width = Math.max(
    1,
    columns.reduce((most, { position }) => Math.max(most, position + 1), 0),
  )
  let height = Math.max(1, Math.floor(MAX_CELLS / width))
  for (let top = 0; top < rows; ) {
    const area = { qLeft: 0, qTop: top, qWidth: width, qHeight: Math.min(height, rows - top) }
    const matrix = await guard(() => readPage(object, area))
    if (matrix === 'too large') {
      if (height === 1) throw new EvaluationError(`${what}: a single row is too large for the engine`)
      height = Math.floor(height / 2)
      continue
    }
    if (matrix.length === 0) {
      throw new ReportError('ENGINE_UNREACHABLE', `${what}: row ${top + 1} of ${rows} was not sent`)
    }
    yield matrix.map((row) => columns.map((column) => matrixCell(asList(row)[column.position], column, what)))
    top += matrix.length
  }
}

type Area = Readonly<Record<'qLeft' | 'qTop' | 'qWidth' | 'qHeight', number>>

async function readPage(object: EngineObject, area: Area): Promise<readonly unknown[] | 'too large'> {
  try {
    const [page] = asList(await object.value('qDataPages', 'GetHyperCubeData', ['/qHyperCubeDef', [area]]))
    return asList(asObject(page).qMatrix).slice(0, area.qHeight)
  } catch (error) {
    if (rejectionCode(error) === QIX.PAGES_TOO_LARGE) return 'too large'
    throw error
  }
}

const columnCell = (cell: Cell, { isFormatted }: ShownColumn): Cell =>
  isFormatted && cell.number !== null ? { ...cell, isFormatted } : cell

function matrixCell(cell: unknown, column: ShownColumn, what: string): Cell {
  if (typeof cell !== 'object' || cell === null) {
    throw new ReportError('ENGINE_UNREACHABLE', `${what}: the engine sent a row without all of its cells`)
  }
  const { qText, qNum, qIsNull } = cell as Json
  // Values of a dimension may be a dash; a measure without a value is one, and not each engine marks it.
  const isNull = qIsNull === true || (column.kind === 'dimension' ? false : undefined)
  return columnCell(cellOf(qText, qNum, isNull), column)
}

async function firstPage(pages: AsyncIterable<readonly Row[]>): Promise<readonly Row[]> {
  for await (const page of pages) return page
  return []
}
