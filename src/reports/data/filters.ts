/**
 * Filters become selections. A filter that cannot be applied stops the document: each selection is read back and
 * compared, and no failure leads to wider data.
 */
import { ReportError } from '../codes.ts'
import type { Clause, ReportFilter } from '../entities/filter.ts'
import type { Cell, Selection, Warn } from '../types.ts'
import { asList, asObject, asText, type OpenApp } from './app.ts'
import { type DateClause, daysOf } from './dates.ts'
import type { Expressions } from './expressions.ts'
import type { Field, Fields, ValueSet } from './fields.ts'
import type { Variables } from './variables.ts'

/** The part of a filter that acts on an app; a stored filter is one. */
export type AppliedFilter = Pick<ReportFilter, 'clauses' | 'variables'>

/** Wanted values of each filtered field. */
export type Wanted = ReadonlyMap<string, ValueSet>

type BookmarkClause = Extract<Clause, { readonly type: 'bookmark' }>
type FieldClause = Exclude<Clause, BookmarkClause>

export interface FilterDeps {
  readonly app: OpenApp
  readonly fields: Fields
  readonly variables: Variables
  readonly expressions: Expressions
  /** Start of the run. */
  readonly now: Date
  readonly timezone: string
  readonly warn: Warn
}

/**
 * Clears the app, then applies bookmark and variables, and evaluates the clauses of each field. The caller selects the
 * result with `selectAll`. Rejects with `FILTER_*`.
 */
async function evaluateFilters(filters: readonly AppliedFilter[], deps: FilterDeps): Promise<Wanted> {
  const clauses = filters.flatMap((filter) => filter.clauses)
  const bookmark = onlyBookmark(clauses)
  await deps.variables.restore()
  await clearAll(deps.app)
  const base: Wanted = bookmark ? await applyBookmark(bookmark, deps) : new Map()
  for (const { name, value } of filters.flatMap((filter) => filter.variables)) await deps.variables.set(name, value)

  const wanted = new Map(base)
  for (const [name, own] of byField(clauses)) {
    const field = await deps.fields.need(name)
    wanted.set(name, await valuesOf(field, own, base, deps))
  }
  return wanted
}

/**
 * `evaluateFilters` that asks the engine once for the same lists of values, for all documents of a session: `selectAll` finds
 * out when one of them has changed since. The results of other clauses may change with every reload, so these are evaluated
 * for each document, as are filters with warnings, which belong to each document.
 */
export function createFilterEvaluation(deps: FilterDeps): (filters: readonly AppliedFilter[]) => Promise<Wanted> {
  const known = new Map<string, Wanted>()
  return async (filters) => {
    const key = JSON.stringify(filters.map(({ clauses }) => clauses))
    const found = listsValues(filters) ? known.get(key) : undefined
    if (found) {
      await deps.variables.restore()
      return found
    }
    let hasWarned = false
    const warn: Warn = (...warning) => {
      hasWarned = true
      deps.warn(...warning)
    }
    const wanted = await evaluateFilters(filters, { ...deps, warn })
    if (listsValues(filters) && !hasWarned) known.set(key, wanted)
    return wanted
  }
}

const listsValues = (filters: readonly AppliedFilter[]): boolean =>
  filters.every(
    ({ clauses, variables }) =>
      variables.length === 0 && clauses.every((clause) => clause.type === 'values' && !clause.exclude),
  )

function onlyBookmark(clauses: readonly Clause[]): BookmarkClause | null {
  const bookmarks = clauses.filter((clause) => clause.type === 'bookmark')
  const ids = [...new Set(bookmarks.map(({ bookmarkId }) => bookmarkId))]
  if (ids.length > 1) throw new ReportError('FILTER_TWO_BOOKMARKS', ids.join(', '))
  return bookmarks.find(({ required }) => required) ?? bookmarks[0] ?? null
}

function byField(clauses: readonly Clause[]): ReadonlyMap<string, readonly FieldClause[]> {
  return Map.groupBy(
    clauses.filter((clause) => clause.type !== 'bookmark'),
    ({ field }) => field,
  )
}

const clearAll = (app: OpenApp) => app.doc.call('ClearAll', [true])

/** Applies a bookmark and returns its selections. A bookmark that selects nothing would not limit the data: it fails. */
async function applyBookmark({ bookmarkId, required }: BookmarkClause, deps: FilterDeps): Promise<Wanted> {
  const { app, fields, variables, warn } = deps
  const failed = (reason: string) => new ReportError('FILTER_FAILED', `bookmark "${bookmarkId}": ${reason}`)
  const bookmark = await app.doc.child('GetBookmark', [bookmarkId])
  if (!bookmark) throw failed(`the app "${app.name}" has no such bookmark`)
  const stored = asObject(asObject(await bookmark.value('qLayout', 'GetLayout')).qBookmark)
  await variables.remember(asList(stored.qVariableItems).map((item) => asText(asObject(item).qName)))
  if ((await app.doc.value('qSuccess', 'ApplyBookmark', [bookmarkId])) !== true) throw failed('it cannot be applied')

  const base = new Map<string, ValueSet>()
  for (const name of await selectedFields(app)) base.set(name, await (await fields.need(name)).selected())
  if (base.size === 0) throw failed('it selects nothing')
  for (const { name, texts } of bookmarkItems(stored)) {
    const selected = base.get(name)
    if (!selected) throw failed(`its selection in "${name}" is not possible any more`)
    const present = new Set([...selected.values()].map(({ text }) => text))
    const missing = texts.filter((text) => !present.has(text))
    reportUnknown(name, missing, required, warn)
  }
  return base
}

async function selectedFields(app: OpenApp): Promise<readonly string[]> {
  const { id, object } = await app.create('report-selections', { qSelectionObjectDef: {} })
  const selections = asObject(asObject(await object.value('qLayout', 'GetLayout')).qSelectionObject).qSelections
  await app.destroy(id)
  return asList(selections).map((one) => asText(asObject(one).qField))
}

/** The fields of a bookmark with the values that it lists; none where it holds a search or the excluded values. */
function bookmarkItems(bookmark: Readonly<Record<string, unknown>>) {
  const states = asList(bookmark.qStateData).map(asObject)
  const main = states.find(({ qStateName }) => qStateName === '$') ?? {}
  return asList(main.qFieldItems).map((item) => {
    const { qDef, qValues } = asObject(item)
    const texts = asList(qValues).map((value) => asText(asObject(value).qText))
    return { name: asText(asObject(qDef).qName), texts: texts.filter((text) => text !== '') }
  })
}

/** The values of a field that all its clauses, and the bookmark, allow. Rejects with `FILTER_EMPTY` without any. */
async function valuesOf(
  field: Field,
  clauses: readonly FieldClause[],
  base: Wanted,
  deps: FilterDeps,
): Promise<ValueSet> {
  let allowed: ValueSet | null = base.get(field.name) ?? null
  const excluded = new Set<number>()
  for (const clause of clauses) {
    const found = await evaluateClause(field, clause, base, deps)
    if ('exclude' in clause && clause.exclude) for (const element of found.keys()) excluded.add(element)
    else allowed = allowed ? intersection(allowed, found) : found
  }
  if (allowed === null) {
    await clearAll(deps.app)
    allowed = await field.all()
  }
  const left = new Map([...allowed].filter(([element]) => !excluded.has(element)))
  if (left.size === 0) throw new ReportError('FILTER_EMPTY', `${field.name}: ${clauses.map(clauseText).join(' and ')}`)
  return left
}

const intersection = (left: ValueSet, right: ValueSet): ValueSet =>
  new Map([...left].filter(([element]) => right.has(element)))

function clauseText(clause: FieldClause): string {
  const not = 'exclude' in clause && clause.exclude ? 'not ' : ''
  switch (clause.type) {
    case 'values':
      return `${not}${shortList(clause.values.map(String))}`
    case 'search':
      return `${not}${clause.search}`
    case 'date':
      return clause.preset === 'lastNDays' ? `last ${clause.n} days` : clause.preset
    case 'expression':
      return clause.expr
  }
}

/** The values of one clause, evaluated on a field without selections of its own. */
async function evaluateClause(field: Field, clause: FieldClause, base: Wanted, deps: FilterDeps): Promise<ValueSet> {
  switch (clause.type) {
    case 'values':
      return findValues(field, clause.values, clause.required, deps)
    case 'search':
      return search(field, clause, base, deps)
    case 'date':
      return dates(field, clause, deps)
    case 'expression':
      return findValues(field, await evaluatedValues(clause.expr, base, deps), clause.required, deps)
  }
}

/** The engine ignores missing values without an error: every value is looked for in the ones that it selected. */
async function findValues(
  field: Field,
  values: readonly (string | number)[],
  required: boolean,
  { app, warn }: FilterDeps,
): Promise<ValueSet> {
  await clearAll(app)
  const wanted = values.map((value) =>
    typeof value === 'number' ? { qText: '', qIsNumeric: true, qNumber: value } : { qText: value, qIsNumeric: false },
  )
  const success = await field.handle.value('qReturn', 'SelectValues', [wanted, false, false])
  const selected = success === true ? await field.selected() : (new Map() as ValueSet)
  const isValue = (value: string | number) => matcher(value, selected)
  const tests = values.map((value) => ({ value, test: isValue(value) }))
  const missing = tests.filter(({ test }) => test === null).map(({ value }) => String(value))
  reportUnknown(field.name, missing, required, warn)
  return new Map([...selected].filter(([, cell]) => tests.some(({ test }) => test?.(cell))))
}

/** A test for one wanted value, exact where that finds something, else ignoring case; null when no value passes. */
function matcher(value: string | number, selected: ValueSet): ((cell: Cell) => boolean) | null {
  const lower = String(value).toLowerCase()
  const tests =
    typeof value === 'number'
      ? [(cell: Cell) => cell.number === value]
      : [(cell: Cell) => cell.text === value, (cell: Cell) => cell.text.toLowerCase() === lower]
  return tests.find((test) => selected.values().some(test)) ?? null
}

function reportUnknown(field: string, missing: readonly string[], required: boolean, warn: Warn): void {
  if (missing.length === 0) return
  const details = `${field}: ${shortList(missing)}`
  if (required) throw new ReportError('FILTER_VALUE_UNKNOWN', details)
  warn('FILTER_VALUE_DROPPED', details)
}

type SearchClause = Extract<Clause, { readonly type: 'search' }>

async function search(field: Field, clause: SearchClause, base: Wanted, deps: FilterDeps): Promise<ValueSet> {
  const isExpression = clause.search.trim().startsWith('=')
  if (isExpression) {
    await selectAll(base, deps)
    await field.handle.call('Clear')
  } else await clearAll(deps.app)
  const found = (await field.handle.value('qReturn', 'Select', [clause.search, false])) === true
  const values = found ? await field.selected() : (new Map() as ValueSet)
  // A search with a mistake finds nothing; excluding nothing would make the data wider.
  if (values.size === 0 && clause.exclude) {
    if (clause.required) {
      throw new ReportError('FILTER_EMPTY', `${field.name}: ${clause.search} finds nothing to exclude`)
    }
    deps.warn('FILTER_VALUE_DROPPED', `${field.name}: ${clause.search} finds nothing to exclude`)
  }
  return values
}

async function dates(field: Field, clause: DateClause, { app, now, timezone }: FilterDeps): Promise<ValueSet> {
  if (clause.preset === 'lastNDays' && clause.n === undefined) {
    throw new ReportError('FILTER_FAILED', `${field.name}: lastNDays needs n`)
  }
  const { from, to } = daysOf(clause, now, timezone)
  await clearAll(app)
  const found = await field.handle.value('qReturn', 'Select', [`>=${from}<${to}`, false])
  if (found !== true) return new Map()
  const isWithin = ({ number }: Cell) => number !== null && number >= from && number < to
  return new Map([...(await field.selected())].filter(([, cell]) => isWithin(cell)))
}

/** Values that an expression returns, separated by `;`. A single number is compared as a number. */
async function evaluatedValues(expression: string, base: Wanted, deps: FilterDeps) {
  await selectAll(base, deps)
  const cell = await deps.expressions.evaluate(expression)
  if (cell.number !== null) return [cell.number]
  const texts = cell.text.split(';').map((text) => text.trim())
  return [...new Set(texts.filter((text) => text !== ''))]
}

/**
 * Replaces all selections by the wanted ones and reads every one of them back. In each further field only values that
 * are still possible are selected, because selecting excluded values may clear other fields. Rejects with
 * `FILTER_CONTRADICTION` when the fields exclude each other.
 */
export async function selectAll(wanted: Wanted, { app, fields }: Pick<FilterDeps, 'app' | 'fields'>): Promise<void> {
  await clearAll(app)
  const chosen: { readonly field: Field; readonly values: ValueSet }[] = []
  for (const [name, values] of wanted) {
    const field = await fields.need(name)
    const possible = chosen.length === 0 ? values : intersection(values, await field.possible())
    if (possible.size === 0) throw contradiction(field.name, chosen)
    await field.select([...possible.keys()])
    chosen.push({ field, values: possible })
  }
  for (const { field, values } of chosen) await verify(field, values, chosen)
}

type Chosen = readonly { readonly field: Field }[]

function contradiction(name: string, chosen: Chosen): ReportError {
  const others = chosen.map(({ field }) => field.name).filter((other) => other !== name)
  return new ReportError('FILTER_CONTRADICTION', `${name}: none of its values goes with ${others.join(', ')}`)
}

async function verify(field: Field, values: ValueSet, chosen: Chosen): Promise<void> {
  const { values: actual, count, possible } = await field.selection()
  if (possible === 0) throw contradiction(field.name, chosen)
  if (count !== values.size) {
    throw new ReportError('FILTER_FAILED', `${field.name}: ${count} values are selected instead of ${values.size}`)
  }
  for (const [element, { text, number }] of values) {
    const now = actual.get(element)
    if (now && now.text === text && now.number === number) continue
    // Numbers of values change when the app is reloaded meanwhile.
    throw new ReportError('ENGINE_UNREACHABLE', `${field.name}: the data of the app changed while it was read`)
  }
}

/** `wanted` with further selections, by intersection. Rejects with `FILTER_VALUE_UNKNOWN` or `FILTER_EMPTY`. */
export async function narrowed(wanted: Wanted, selections: readonly Selection[], fields: Fields): Promise<Wanted> {
  const result = new Map(wanted)
  for (const { field: name, values } of selections) {
    const found = await given(await fields.need(name), values)
    const before = result.get(name)
    const left = before ? intersection(before, found) : found
    if (left.size === 0) {
      throw new ReportError('FILTER_EMPTY', `${name}: ${shortList(values.map(({ text }) => text))}`)
    }
    result.set(name, left)
  }
  return result
}

/** Values of a field by their text and number. Rejects with `FILTER_VALUE_UNKNOWN`. */
async function given(field: Field, values: readonly Cell[]): Promise<ValueSet> {
  const keys = new Set(values.map(cellKey))
  const missing = (all: ValueSet) => keys.difference(new Set([...all.values()].map(cellKey)))
  let all = await field.all()
  // A reload may have added values since they were read.
  if (missing(all).size > 0) all = await field.all({ again: true })
  const unknown = missing(all)
  if (unknown.size > 0) {
    const texts = values.filter((value) => unknown.has(cellKey(value))).map(({ text }) => text)
    throw new ReportError('FILTER_VALUE_UNKNOWN', `${field.name}: ${shortList(texts)}`)
  }
  return new Map([...all].filter(([, cell]) => keys.has(cellKey(cell))))
}

const cellKey = ({ text, number }: Cell): string => `${number ?? ''}\n${text}`

const SHOWN_VALUES = 10

const shortList = (texts: readonly string[]): string =>
  texts.length <= SHOWN_VALUES
    ? texts.join(', ')
    : `${texts.slice(0, SHOWN_VALUES).join(', ')}, ... (${texts.length} values)`

/** `Region: Nord; Year: 2024, 2025`; long lists are cut, long lists of numbers shown as a range. */
export function filterText(wanted: Wanted): string {
  return [...wanted].map(([name, values]) => `${name}: ${valuesText([...values.values()])}`).join('; ')
}

function valuesText(cells: readonly Cell[]): string {
  const numbered = cells.length > SHOWN_VALUES && cells.every(({ number }) => number !== null)
  if (!numbered) return shortList(cells.map(({ text }) => text))
  const sorted = cells.toSorted((left, right) => (left.number ?? 0) - (right.number ?? 0))
  return `${sorted[0]?.text} – ${sorted.at(-1)?.text} (${cells.length} values)`
}
