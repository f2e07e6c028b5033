/** Compiles expressions into functions that calculate them for groups of rows. */
import { type DataField, type DataModel, type DataTable, presentCodes } from '../data.ts'
import { codesWhere, rowMask, type SelectionMap, type Selections, searchTest } from '../selections.ts'
import {
  AGGREGATE,
  FIELD_FUNCTIONS,
  FUNCTIONS,
  type FunctionContext,
  numberOf,
  OPERATORS,
  ofNumber,
  ofText,
  type Value,
  visitRows,
} from './functions.ts'
import {
  type Aggregation,
  type Expression,
  ExpressionError,
  parseExpression,
  type SetExpression,
  type SetModifier,
  type SetValue,
} from './parse.ts'

/** Everything an expression is calculated against. */
export interface CalcContext extends FunctionContext {
  readonly model: DataModel
  readonly selections: Selections
  /** Definition of a variable for `$(name)`; null when there is none. */
  variable(name: string): string | null
}

/** The rows of one cell of a chart, regardless of selections. Calculations take null for a total or outside of charts. */
export interface Group {
  readonly table: DataTable
  readonly rows: Uint32Array
}

export type Calculation = (group: Group | null) => Value
type RowCalculation = (row: number) => Value

const MAX_EXPANSIONS = 20

/** Replaces `$(name)` by the variable's definition and `$(=expression)` by its value. */
export function expandDollars(source: string, context: CalcContext): string {
  let text = source
  for (let round = 0; round < MAX_EXPANSIONS && text.includes('$('); round++) {
    const before = text
    text = text.replace(/\$\(([^()]*(?:\([^()]*\)[^()]*)*)\)/g, (_whole, inner: string) => {
      const name = inner.trim()
      if (!name.startsWith('=')) return (context.variable(name) ?? '').replace(/^=/, '')
      return compile(name, context)(null)?.text ?? ''
    })
    if (text === before) break
  }
  return text
}

/** Makes an expression ready to be calculated for many groups. Throws `ExpressionError` when it cannot be understood. */
export function compile(source: string, context: CalcContext): Calculation {
  return compileGroup(parseExpression(expandDollars(source, context)), context)
}

/** Calculates an expression over everything that is possible. */
export const evaluate = (source: string, context: CalcContext): Value => compile(source, context)(null)

/** An expression over single rows of a table, as in a calculated dimension; null when it names no known field. */
export function compileRows(
  source: string,
  context: CalcContext,
): { readonly table: DataTable; readonly calculate: RowCalculation } | null {
  const tree = parseExpression(expandDollars(source, context))
  const table = tableOf(tree, context)
  return table ? { table, calculate: compileRow(tree, context, table) } : null
}

/** The field of an expression that is nothing but a field: `Region`, `[Region]`, `=Region`. */
export function plainField(source: string, model: DataModel): DataField | null {
  const name = source.trim().replace(/^=/, '').trim()
  if (/^\[.*\]$/s.test(name)) return model.field(name) ?? model.field(name.slice(1, -1).replaceAll(']]', ']'))
  return model.field(name) ?? (/^".*"$/s.test(name) ? model.field(name.slice(1, -1)) : null)
}

function compileGroup(tree: Expression, context: CalcContext): Calculation {
  switch (tree.kind) {
    case 'aggregation':
      return compileAggregation(tree, context)
    case 'field': {
      const variable = context.model.field(tree.name) ? null : context.variable(tree.name)
      if (variable !== null) return compileVariable(variable, context)
      return compileAggregation(
        { kind: 'aggregation', name: 'only', distinct: false, total: false, set: null, args: [tree] },
        context,
      )
    }
    default:
      return compileScalar(tree, context, (part) => compileGroup(part, context))
  }
}

/** The name of a variable stands for its value, where no field has this name. */
function compileVariable(definition: string, context: CalcContext): Calculation {
  if (definition.startsWith('=')) return compile(definition, context)
  const num = definition.trim() === '' ? Number.NaN : Number(definition)
  const value = { text: definition, num }
  return () => value
}

function compileRow(tree: Expression, context: CalcContext, table: DataTable): RowCalculation {
  if (tree.kind === 'aggregation') throw new ExpressionError('Nested aggregation')
  if (tree.kind !== 'field') return compileScalar(tree, context, (part) => compileRow(part, context, table))
  const column = table.columns.find((one) => one.name === tree.name)
  if (!column) return () => null
  return (row) => {
    const code = column.codeAt(row)
    return code < 0 ? null : column.symbol(code)
  }
}

/** Compiles what rows and groups share: literals, operators, functions. */
function compileScalar<Scope>(
  tree: Exclude<Expression, Aggregation | { kind: 'field' }>,
  context: CalcContext,
  compilePart: (part: Expression) => (scope: Scope) => Value,
): (scope: Scope) => Value {
  switch (tree.kind) {
    case 'number': {
      const value = ofNumber(tree.value)
      return () => value
    }
    case 'text': {
      const value = ofText(tree.value)
      return () => value
    }
    case 'unary': {
      const operand = compilePart(tree.operand)
      if (tree.operator === '+') return operand
      if (tree.operator === '-') return (scope) => ofNumber(-numberOf(operand(scope)))
      return (scope) => ofNumber(numberOf(operand(scope)) === 0 ? -1 : 0)
    }
    case 'binary': {
      const apply = OPERATORS[tree.operator]
      if (!apply) throw new ExpressionError(`Unknown operator "${tree.operator}"`)
      const [left, right] = [compilePart(tree.left), compilePart(tree.right)]
      return (scope) => apply(left(scope), right(scope))
    }
    case 'call': {
      const onField = FIELD_FUNCTIONS[tree.name]
      const [first] = tree.args
      if (onField && first?.kind === 'field') return () => onField(first.name, context)
      const apply = FUNCTIONS[tree.name]
      if (!apply) throw new ExpressionError(`Unknown function "${tree.name}"`)
      const args = tree.args.map(compilePart)
      return (scope) =>
        apply(
          args.map((arg) => arg(scope)),
          context,
        )
    }
  }
}

function compileAggregation(tree: Aggregation, context: CalcContext): Calculation {
  const [argument, delimiter] = tree.args
  if (!argument) throw new ExpressionError(`${tree.name} takes an expression`)
  const owner = tableOf(argument, context)
  const separator = delimiter?.kind === 'text' ? delimiter.value : ''
  const masks = new Map<DataTable, Uint8Array | null>()
  const maskOf = (table: DataTable) => {
    if (!tree.set) return context.selections.possibleRows(table)
    const known = masks.get(table)
    if (known !== undefined) return known
    const mask = setMask(tree.set, context.selections.current(), context.model, table)
    masks.set(table, mask)
    return mask
  }
  const readersOf = (table: DataTable) => ({
    number: compileNumber(argument, context, table),
    value: compileRow(argument, context, table),
    separator,
    distinct: tree.distinct,
  })
  const ownReaders = owner ? readersOf(owner) : null
  return (group) => {
    const table = owner ?? group?.table ?? context.model.tables[0]
    if (!table) return tree.name === 'sum' || tree.name === 'count' ? ofNumber(0) : null
    const rows = group && !tree.total && group.table === table ? group.rows : null
    return AGGREGATE[tree.name](visitRows(table, maskOf(table), rows), ownReaders ?? readersOf(table))
  }
}

/** Numbers of rows without making texts, where the expression allows it. */
function compileNumber(tree: Expression, context: CalcContext, table: DataTable): (row: number) => number {
  if (tree.kind === 'number') return () => tree.value
  if (tree.kind === 'field') {
    const column = table.columns.find((one) => one.name === tree.name)
    return column ? (row) => column.number(column.codeAt(row)) : () => Number.NaN
  }
  if (tree.kind === 'binary' && '+-*/'.includes(tree.operator)) {
    const left = compileNumber(tree.left, context, table)
    const right = compileNumber(tree.right, context, table)
    if (tree.operator === '+') return (row) => left(row) + right(row)
    if (tree.operator === '-') return (row) => left(row) - right(row)
    if (tree.operator === '*') return (row) => left(row) * right(row)
    return (row) => {
      const divisor = right(row)
      return divisor === 0 ? Number.NaN : left(row) / divisor
    }
  }
  const value = compileRow(tree, context, table)
  return (row) => numberOf(value(row))
}

function tableOf(tree: Expression, context: CalcContext): DataTable | null {
  switch (tree.kind) {
    case 'field':
      return context.model.field(tree.name)?.table ?? null
    case 'unary':
      return tableOf(tree.operand, context)
    case 'binary':
      return tableOf(tree.left, context) ?? tableOf(tree.right, context)
    case 'call':
    case 'aggregation':
      return firstOf(tree.args, (arg) => tableOf(arg, context))
    default:
      return null
  }
}

function firstOf<In, Out>(values: readonly In[], find: (value: In) => Out | null): Out | null {
  for (const value of values) {
    const found = find(value)
    if (found) return found
  }
  return null
}

type Codes = ReadonlySet<number>
type Combine = (current: Codes, wanted: Codes) => Codes

const COMBINE: Readonly<Record<SetModifier['operator'], Combine>> = {
  '=': (_current, wanted) => wanted,
  '-=': (current, wanted) => current.difference(wanted),
  '+=': (current, wanted) => current.union(wanted),
  '*=': (current, wanted) => current.intersection(wanted),
}

/** The selections that a set expression stands for. */
function setSelections(set: SetExpression, current: SelectionMap, model: DataModel): SelectionMap {
  const result = new Map(set.everything ? [] : current)
  for (const modifier of set.modifiers) {
    const field = model.field(modifier.field)
    if (!field) continue
    if (modifier.values === null) {
      result.delete(modifier.field)
      continue
    }
    const before = result.get(modifier.field) ?? everyCode(field)
    result.set(modifier.field, COMBINE[modifier.operator](before, matchingCodes(field, modifier.values)))
  }
  return result
}

/** Rows of the table that are in the set; null = all. */
const setMask = (set: SetExpression, current: SelectionMap, model: DataModel, table: DataTable) =>
  rowMask(table, setSelections(set, current, model))

function matchingCodes(field: DataField, values: readonly SetValue[]): Codes {
  const tests = values.map((value) => {
    if (value.search) return searchTest(value.text)
    const num = Number(value.text)
    return (symbol: { text: string; num: number }) =>
      symbol.text === value.text || (value.text.trim() !== '' && symbol.num === num)
  })
  return new Set(codesWhere(field, (symbol) => tests.some((test) => test(symbol))))
}

function everyCode(field: DataField): Codes {
  const codes = new Set<number>()
  presentCodes(field).forEach((exists, code) => {
    if (exists) codes.add(code)
  })
  return codes
}
