/** The values of tags while an Office template is filled: bindings, rows of loops, values of levels, built-in names. */
import { createZone } from '../../platform/zone.ts'
import { ReportError } from '../codes.ts'
import { localeNumber } from '../display.ts'
import type { chartPicture } from '../documents/charts/index.ts'
import type { FontSet } from '../documents/fonts.ts'
import type { Level, Report, TemplateReport } from '../entities/report.ts'
import { type Cell, EvaluationError, type RenderRequest, type ReportData, type Row, type Table } from '../types.ts'
import { createFormatter, type Formatter, serialOfDate, type Value } from './formats.ts'
import { type ImageSize, imageSize, readTemplateImage } from './images.ts'
import {
  type BindingOf,
  type BuiltIn,
  columnsOf,
  createNames,
  NameError,
  type Names,
  type Reference,
  type RowsBinding,
} from './names.ts'
import { nestingProblem, nestingWarning } from './nesting.ts'
import type { OfficeFormat } from './package.ts'
import type { Path, TagOf, TextTag } from './tags.ts'

/** A chart or image for a box of a template. */
export interface Picture extends ImageSize {
  readonly bytes: Uint8Array
  readonly extension: 'png' | 'jpeg'
  /** Alternative text of the picture in the document. */
  readonly title: string
}

/** One place of a document under way: the document itself, a value of a level, or a row of a loop. */
export interface Scope {
  readonly names: Names
  /** For typed cells: the number, Qlik's text, and the column that they come from. */
  value(tag: TextTag): Promise<Value>
  /** The text that replaces a tag, with its format. May hold line breaks; is neither markup nor a tag. */
  text(tag: TextTag | TagOf<'literal'>): Promise<string>
  /**
   * The scopes in which the content of `{{#name}}` or `{{^name}}` is written: one for each row of a table; this scope or none
   * for a condition.
   */
  repeat(tag: TagOf<'open'>): AsyncIterable<Scope>
  /** Rows that `repeat` yields; known without reading them. */
  repeatCount(tag: TagOf<'open'>): Promise<number>
  /** Calls `work` with the scope of each value of a level, under its selection. Resolves with the number of values. */
  eachValue(path: Path, work: (scope: Scope, value: Cell, index: number) => Promise<void>): Promise<number>
  /** A chart is drawn in the size of the box, in pixels of 1/96 inch; an image has its own size. */
  picture(path: Path, box: ImageSize): Promise<Picture>
}

interface ScopeDeps {
  readonly request: Pick<RenderRequest, 'data' | 'names' | 'locale' | 'timezone' | 'warn'> & {
    readonly report: Pick<Extract<Report, TemplateReport>, 'name' | 'data' | 'levels'>
    readonly signal: AbortSignal
  }
  readonly format: OfficeFormat
  readonly templateDirectory: string
  readonly chartPicture: typeof chartPicture
  /** Loaded with the first chart. */
  readonly fonts: () => Promise<FontSet>
}

const MOST_EVALUATIONS = 2000
const PICTURE_SCALE = 2

/** The scope of the document. Values are evaluated when their tag is reached, and once under the same selections. */
export function createScope(deps: ScopeDeps): Scope {
  const { report, locale } = deps.request
  const counted = new Set<string>()
  return new TemplateScope({
    ...deps,
    formatter: createFormatter(locale),
    written: localeNumber(locale),
    names: createNames(report, deps.format),
    values: [],
    selected: selectedData(deps.request.data, ''),
    warned: new Set(),
    evaluating(what) {
      deps.request.signal.throwIfAborted()
      counted.add(what)
      if (counted.size > MOST_EVALUATIONS) {
        throw new ReportError(
          'TEMPLATE_TOO_MANY_REPEATS',
          `more than ${MOST_EVALUATIONS} values, tables and pictures to evaluate`,
        )
      }
    },
  })
}

/** Data under the selections of the document or of a level value, with the results so far. */
interface SelectedData {
  /** The values of levels that are selected; '' for none. */
  readonly id: string
  readonly data: ReportData
  readonly cells: Map<string, Promise<Cell>>
  readonly tables: Map<string, Promise<LoadedTable>>
  readonly pictures: Map<string, Promise<Picture>>
}
const selectedData = (data: ReportData, id: string): SelectedData => ({
  id,
  data,
  cells: new Map(),
  tables: new Map(),
  pictures: new Map(),
})

interface LoadedTable {
  readonly binding: RowsBinding
  readonly table: Table
  /** Names for tags, in the order of the columns. */
  readonly columns: readonly string[]
}

/** The value of a frame: the row of a loop or the value of a level. */
type FrameValue =
  | { readonly kind: 'loop'; readonly row: Row; readonly index: number; readonly loaded: LoadedTable }
  | { readonly kind: 'level'; readonly value: Cell }

interface State extends ScopeDeps {
  readonly formatter: Formatter
  /** In the locale of the report. */
  written(number: number): string
  readonly names: Names
  /** One for each frame of `names`. */
  readonly values: readonly FrameValue[]
  readonly selected: SelectedData
  /** Warnings about loops, each given once. */
  readonly warned: Set<string>
  /** Counts an evaluation, once however often it is done: workbooks measure their sheets first. Throws when there are too many. */
  evaluating(what: string): void
}

class TemplateScope implements Scope {
  readonly #state: State

  constructor(state: State) {
    this.#state = state
  }

  get names(): Names {
    return this.#state.names
  }

  async value(tag: TextTag): Promise<Value> {
    if (tag.kind === 'expression') return single(await this.#evaluate(tag.expression, tag.source))
    return await this.#dereference(named(tag, () => this.names.value(tag.path)))
  }

  async text(tag: TextTag | TagOf<'literal'>): Promise<string> {
    if (tag.kind === 'literal') return '{{'
    const value = await this.value(tag)
    const isText = tag.kind === 'value' && this.names.value(tag.path).asText
    if (isText) return value.cell.text
    return this.#state.formatter.text(value, tag.kind === 'value' ? tag.format : null)
  }

  async *repeat(tag: TagOf<'open'>): AsyncGenerator<Scope> {
    const target = named(tag, () => this.names.loop(tag.path))
    if (!isBinding(target) || tag.not) {
      if (await this.#isKept(target, tag.not)) yield this
      return
    }
    const loaded = await this.#rows(target)
    this.#checkNesting(tag, loaded)
    const names = this.names.inside({ kind: 'loop', binding: target, columns: loaded.columns })
    let index = 0
    for await (const page of loaded.table.pages()) {
      this.#state.request.signal.throwIfAborted()
      for (const row of page) yield this.#inside(names, { kind: 'loop', row, index: index++, loaded })
    }
  }

  async repeatCount(tag: TagOf<'open'>): Promise<number> {
    const target = named(tag, () => this.names.loop(tag.path))
    if (isBinding(target) && !tag.not) return (await this.#rows(target)).table.rows
    return (await this.#isKept(target, tag.not)) ? 1 : 0
  }

  async eachValue(path: Path, work: (scope: Scope, value: Cell, index: number) => Promise<void>): Promise<number> {
    const level = this.names.level(path)
    const { request, selected } = this.#state
    this.#count('level', level.key)
    const values = sorted(await selected.data.fieldValues(level.field), level, request.locale)
    if (values.length > level.max) {
      const details = `the level "${level.key}" has ${values.length} values of ${level.field}, at most ${level.max} are allowed`
      throw new ReportError('TEMPLATE_TOO_MANY_REPEATS', details)
    }
    const names = this.names.inside({ kind: 'level', level })
    for (const [index, value] of values.entries()) {
      request.signal.throwIfAborted()
      await selected.data.within([{ field: level.field, values: [value] }], async (data) => {
        const inner = selectedData(data, `${selected.id}\0${level.key} ${index}`)
        await work(this.#inside(names, { kind: 'level', value }, inner), value, index)
      })
    }
    return values.length
  }

  picture(path: Path, box: ImageSize): Promise<Picture> {
    const binding = this.names.picture(path)
    const key = binding.type === 'image' ? binding.key : `${binding.key} ${box.width} ${box.height}`
    return remembered(this.#state.selected.pictures, key, async () => {
      this.#count('picture', key)
      return await failingAs(binding.key, () =>
        binding.type === 'image' ? this.#image(binding) : this.#chart(binding, box),
      )
    })
  }

  #count(kind: string, what: string): void {
    const { selected, evaluating } = this.#state
    evaluating(`${selected.id}\0${kind} ${what}`)
  }

  #inside(names: Names, value: FrameValue, selected = this.#state.selected): Scope {
    return new TemplateScope({ ...this.#state, names, selected, values: [...this.#state.values, value] })
  }

  async #isKept(target: RowsBinding | Reference, not: boolean): Promise<boolean> {
    if (isBinding(target)) return (await this.#rows(target)).table.rows > 0 !== not
    const { cell } = await this.#dereference(target)
    return (cell.number === null ? cell.text.trim() !== '' : cell.number !== 0) !== not
  }

  async #dereference(reference: Reference): Promise<Value> {
    const { values } = this.#state
    switch (reference.kind) {
      case 'column': {
        const frame = values[reference.frame]
        if (frame?.kind !== 'loop') return EMPTY
        return cellOf(frame.loaded, frame.row, reference.column)
      }
      case 'loop': {
        const frame = values[reference.frame]
        if (frame?.kind !== 'loop') return EMPTY
        const { rows } = frame.loaded.table
        const numbers = {
          $index: frame.index + 1,
          $count: rows,
          $first: frame.index === 0 ? 1 : 0,
          $last: frame.index === rows - 1 ? 1 : 0,
        }
        return this.#numeric(numbers[reference.name])
      }
      case 'level': {
        const frame = values[reference.frame]
        return frame?.kind === 'level' ? label(frame.value) : EMPTY
      }
      case 'value':
        return single(await this.#evaluate(reference.binding.expr, reference.binding.key))
      case 'count':
        return this.#numeric((await this.#rows(reference.binding)).table.totalRows)
      case 'total': {
        const loaded = await this.#rows(reference.binding)
        return cellOf(loaded, loaded.table.totals ?? [], reference.column)
      }
      case 'cycle':
        return this.#cycle(reference.field)
      case 'builtIn':
        return this.#builtIn(reference.name)
    }
  }

  #evaluate(expression: string, what: string): Promise<Cell> {
    const { selected } = this.#state
    return remembered(selected.cells, expression, async () => {
      this.#count('value', expression)
      return await failingAs(what, () => selected.data.evaluate(expression))
    })
  }

  /** Objects of the app show only now whether they have the same dimension; other lists may have been meant as groups, too. */
  #checkNesting({ source }: TagOf<'open'>, inner: LoadedTable): void {
    const around = this.#state.values.flatMap((value) => (value.kind === 'loop' ? [value.loaded] : []))
    const list = ({ binding, table }: LoadedTable) => ({ binding, columns: table.columns })
    const problem = nestingProblem(list(inner), around.map(list))
    if (problem) throw new ReportError('TEMPLATE_LOOP', `${source}: ${problem}`)
    const outer = around.findLast(({ table }) => table.rows > 1)
    if (!outer || inner.table.rows === 0) return
    const details = `${source}: ${nestingWarning(inner.binding, outer.binding)}`
    const { warned, request } = this.#state
    if (!warned.has(details)) request.warn('TEMPLATE_REFERENCE', details)
    warned.add(details)
  }

  #rows(binding: RowsBinding): Promise<LoadedTable> {
    const { selected } = this.#state
    return remembered(selected.tables, binding.key, async () => {
      this.#count('table', binding.key)
      return await failingAs(binding.key, () => load(binding, selected.data))
    })
  }

  /** A number of our own, which no app formats. */
  #numeric(number: number): Value {
    return single({ text: this.#state.written(number), number })
  }

  #cycle(field: string): Value {
    const { cycle } = this.#state.request.names
    const value = cycle.filter((candidate) => candidate.field === field)
    if (value[0]) return label(value[0].value)
    const fields = cycle.map((candidate) => candidate.field).join(', ')
    const details = `{{cycle.${field}}}: the document has ${fields === '' ? 'no cycle' : `only the cycle fields ${fields}`}`
    throw new ReportError('TEMPLATE_TAG_UNKNOWN', details)
  }

  #builtIn(name: BuiltIn): Value {
    const { request, selected } = this.#state
    switch (name) {
      case 'app.name':
        return label(text(selected.data.app.name))
      case 'app.lastReload': {
        const { lastReload } = selected.data.app
        return lastReload ? this.#instant(lastReload, { dateStyle: 'medium', timeStyle: 'short' }) : EMPTY
      }
      case 'report.name':
        return label(text(request.names.report))
      case 'task.name':
        return label(text(request.names.task))
      case 'run.date':
        return this.#instant(request.names.date, { dateStyle: 'medium' })
      case 'filter':
        return label(text(selected.data.filterText))
    }
  }

  /** An instant as wall time of the report, so that it can be formatted as Qlik's dates are. */
  #instant(date: Date, style: Intl.DateTimeFormatOptions): Value {
    const { locale, timezone } = this.#state.request
    const number = serialOfDate(new Date(createZone(timezone).wall(date.getTime())))
    const shown = new Intl.DateTimeFormat(locale, { ...style, timeZone: timezone }).format(date)
    return { cell: { text: shown, number }, column: { kind: 'measure', type: 'timestamp', format: null } }
  }

  async #chart(binding: BindingOf<'chart'>, box: ImageSize): Promise<Picture> {
    const { request, selected, chartPicture, fonts } = this.#state
    const bytes = await chartPicture({
      chart: binding,
      data: selected.data,
      widthPx: box.width,
      heightPx: box.height,
      scale: PICTURE_SCALE,
      locale: request.locale,
      fonts: await fonts(),
      warn: request.warn,
    })
    const object = 'objectId' in binding ? await selected.data.object(binding.objectId) : null
    return { bytes, extension: 'png', width: box.width, height: box.height, title: object?.title || binding.key }
  }

  async #image(binding: BindingOf<'image'>): Promise<Picture> {
    const bytes = await readTemplateImage(this.#state.templateDirectory, binding.file)
    const image = imageSize(bytes)
    if (!image) throw new EvaluationError(`${binding.file} is neither a PNG nor a JPEG picture`)
    return { bytes, ...image, title: binding.key }
  }
}

const isBinding = (target: RowsBinding | Reference): target is RowsBinding => 'key' in target

async function load(binding: RowsBinding, data: ReportData): Promise<LoadedTable> {
  if (binding.type === 'object') {
    const { table } = await data.object(binding.objectId, { name: binding.key, maxRows: binding.maxRows })
    if (!table) throw new EvaluationError(`the object ${binding.objectId} has no rows`)
    return { binding, table, columns: table.columns.map(({ label: name }) => name) }
  }
  const { columns, sort, maxRows, totals } = binding
  const requested = columns.map(({ key, label: name, expr, kind, format }) => ({
    label: name ?? key,
    expr,
    kind,
    ...(format === undefined ? {} : { format }),
  }))
  // The sort order may name a column by its key.
  const order = sort.map(({ column, dir }) => {
    const index = columns.findIndex(({ key }) => key === column)
    return { column: index < 0 ? column : index, dir }
  })
  const table = await data.table({ name: binding.key, columns: requested, sort: order, maxRows, totals })
  return { binding, table, columns: columnsOf(binding) ?? [] }
}

function cellOf({ table, columns }: LoadedTable, row: Row, name: string): Value {
  const index = columns.indexOf(name)
  const cell = row[index]
  return cell ? { cell, column: table.columns[index] ?? null } : EMPTY
}

const text = (value: string): Cell => ({ text: value, number: null })
const single = (cell: Cell): Value => ({ cell, column: null })
const label = (cell: Cell): Value => ({ cell, column: { kind: 'dimension', type: 'text', format: null } })
const EMPTY: Value = single(text(''))

function sorted(values: readonly Cell[], { sort }: Level, locale: string): readonly Cell[] {
  if (sort === 'field') return values
  const byText = new Intl.Collator(locale).compare
  if (sort === 'text') return values.toSorted((a, b) => byText(a.text, b.text))
  const number = (cell: Cell) => cell.number ?? Number.POSITIVE_INFINITY
  return values.toSorted((a, b) => (number(a) < number(b) ? -1 : number(a) > number(b) ? 1 : byText(a.text, b.text)))
}

/** A result that was asked for before, also one under way or failed. */
function remembered<T>(results: Map<string, Promise<T>>, key: string, evaluate: () => Promise<T>): Promise<T> {
  const known = results.get(key)
  if (known) return known
  const result = evaluate()
  results.set(key, result)
  return result
}

/** An expression, table or chart that the engine cannot calculate stops the document, because its place would be empty. */
async function failingAs<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error
    throw new ReportError('TEMPLATE_DATA_FAILED', `${what}: ${error.message}`, { cause: error })
  }
}

/** Names of columns of objects are known only now; a wrong one stops the document. */
function named<T>(tag: { readonly source: string }, resolve: () => T): T {
  try {
    return resolve()
  } catch (error) {
    if (!(error instanceof NameError)) throw error
    throw new ReportError(error.code as 'TEMPLATE_TAG_UNKNOWN', `${tag.source}: ${error.message}`, { cause: error })
  }
}
