/** Parses the part of Qlik's expression language that the simulated engine understands. */

export type Expression =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'unary'; readonly operator: '-' | '+' | 'not'; readonly operand: Expression }
  | { readonly kind: 'binary'; readonly operator: string; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] }
  | Aggregation

export interface Aggregation {
  readonly kind: 'aggregation'
  readonly name: AggregationName
  readonly distinct: boolean
  /** Ignores the dimensions of the chart. */
  readonly total: boolean
  readonly set: SetExpression | null
  readonly args: readonly Expression[]
}

const AGGREGATIONS = ['sum', 'count', 'avg', 'min', 'max', 'only', 'concat'] as const
export type AggregationName = (typeof AGGREGATIONS)[number]

/** `{1<Region={'Nordic'}>}`: everything or the current selection, then changes field by field. */
export interface SetExpression {
  readonly everything: boolean
  readonly modifiers: readonly SetModifier[]
}

export interface SetModifier {
  readonly field: string
  readonly operator: '=' | '-=' | '+=' | '*='
  /** Null: the selection in the field is ignored. */
  readonly values: readonly SetValue[] | null
}

/** `'text'` and numbers mean exactly that value, `"text"` is a search string. */
export interface SetValue {
  readonly text: string
  readonly search: boolean
}

export class ExpressionError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ExpressionError'
  }
}

/**
 * Parses an expression; a leading `=` is ignored, names before `(` are functions, other words are fields.
 * Throws `ExpressionError` with the position and the expected token.
 */
export function parseExpression(source: string): Expression {
  const cursor = createCursor(tokenize(source.trim().replace(/^=/, '')))
  if (cursor.peek().kind === 'end') throw new ExpressionError('Empty expression')
  const expression = parseLevel(cursor, 0)
  if (cursor.peek().kind !== 'end') throw new ExpressionError(`Garbage after expression: "${cursor.peek().text}"`)
  return expression
}

/** Operators by how loosely they bind, loosest first. */
const LEVELS: readonly (readonly string[])[] = [
  ['or'],
  ['and'],
  ['=', '<>', '<', '>', '<=', '>='],
  ['&'],
  ['+', '-'],
  ['*', '/'],
]

interface Cursor {
  peek(ahead?: number): Token
  next(): Token
  /** Takes the next token when it is this symbol or word. */
  accept(text: string): boolean
  expect(text: string): void
}

function createCursor(tokens: readonly Token[]): Cursor {
  let index = 0
  const end: Token = { kind: 'end', text: '' }
  const peek = (ahead = 0) => tokens[index + ahead] ?? end
  const isMark = (token: Token, text: string) =>
    (token.kind === 'symbol' || token.kind === 'word') && token.text.toLowerCase() === text
  const cursor: Cursor = {
    peek,
    next() {
      const token = peek()
      index += 1
      return token
    },
    accept(text) {
      if (!isMark(peek(), text)) return false
      index += 1
      return true
    },
    expect(text) {
      if (!cursor.accept(text)) throw new ExpressionError(`"${text}" expected before "${peek().text || 'the end'}"`)
    },
  }
  return cursor
}

function parseLevel(cursor: Cursor, level: number): Expression {
  const operators = LEVELS[level]
  if (!operators) return parseUnary(cursor)
  let left = parseLevel(cursor, level + 1)
  for (;;) {
    const operator = operators.find((one) => cursor.accept(one))
    if (!operator) return left
    left = { kind: 'binary', operator, left, right: parseLevel(cursor, level + 1) }
  }
}

function parseUnary(cursor: Cursor): Expression {
  for (const operator of ['-', '+', 'not'] as const) {
    if (cursor.accept(operator)) return { kind: 'unary', operator, operand: parseUnary(cursor) }
  }
  return parsePrimary(cursor)
}

function parsePrimary(cursor: Cursor): Expression {
  if (cursor.accept('(')) {
    const inner = parseLevel(cursor, 0)
    cursor.expect(')')
    return inner
  }
  const token = cursor.next()
  if (token.kind === 'number') return { kind: 'number', value: Number(token.text) }
  if (token.kind === 'single') return { kind: 'text', value: token.text }
  if (token.kind === 'double' || token.kind === 'field') return { kind: 'field', name: token.text }
  if (token.kind !== 'word') throw new ExpressionError(`Value expected before "${token.text || 'the end'}"`)
  return cursor.accept('(') ? parseCall(cursor, token.text.toLowerCase()) : { kind: 'field', name: token.text }
}

function parseCall(cursor: Cursor, name: string): Expression {
  const aggregation = AGGREGATIONS.find((one) => one === name)
  if (aggregation) return parseAggregation(cursor, aggregation)
  return { kind: 'call', name, args: parseArguments(cursor) }
}

function parseAggregation(cursor: Cursor, name: AggregationName): Expression {
  let set: SetExpression | null = null
  let distinct = false
  let total = false
  for (;;) {
    if (cursor.peek().text === '{' && cursor.peek().kind === 'symbol') set = parseSet(cursor)
    else if (cursor.accept('distinct')) distinct = true
    else if (cursor.accept('total')) total = true
    else break
  }
  return { kind: 'aggregation', name, distinct, total, set, args: parseArguments(cursor) }
}

function parseArguments(cursor: Cursor): readonly Expression[] {
  const args: Expression[] = []
  if (cursor.accept(')')) return args
  do args.push(parseLevel(cursor, 0))
  while (cursor.accept(','))
  cursor.expect(')')
  return args
}

function parseSet(cursor: Cursor): SetExpression {
  cursor.expect('{')
  const token = cursor.peek()
  const everything = token.kind === 'number' && token.text === '1'
  if (everything || token.text === '$') cursor.next()
  const modifiers: SetModifier[] = []
  if (cursor.accept('<') && !cursor.accept('>')) {
    do modifiers.push(parseModifier(cursor))
    while (cursor.accept(','))
    cursor.expect('>')
  }
  cursor.expect('}')
  return { everything, modifiers }
}

function parseModifier(cursor: Cursor): SetModifier {
  const field = cursor.next()
  if (field.kind !== 'word' && field.kind !== 'field' && field.kind !== 'double')
    throw new ExpressionError(`Field expected in the set before "${field.text}"`)
  const operator = (['-=', '+=', '*=', '='] as const).find((one) => cursor.accept(one))
  if (!operator) throw new ExpressionError(`"=" expected after "${field.text}" in the set`)
  if (!cursor.accept('{')) return { field: field.text, operator, values: null }
  const values: SetValue[] = []
  if (!cursor.accept('}')) {
    do values.push(parseSetValue(cursor))
    while (cursor.accept(','))
    cursor.expect('}')
  }
  return { field: field.text, operator, values }
}

function parseSetValue(cursor: Cursor): SetValue {
  const minus = cursor.accept('-')
  const token = cursor.next()
  if (token.kind === 'symbol' || token.kind === 'end')
    throw new ExpressionError(`Value expected before "${token.text}"`)
  return { text: (minus ? '-' : '') + token.text, search: token.kind === 'double' }
}

interface Token {
  readonly kind: 'number' | 'single' | 'double' | 'field' | 'word' | 'symbol' | 'end'
  readonly text: string
}

const TOKEN =
  /\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|'((?:[^']|'')*)'|"((?:[^"]|"")*)"|\[([^\]]*)\]|([\p{L}_$#%][\p{L}\p{N}_.$#%]*)|(<=|>=|<>|-=|\+=|\*=|[-+*/&=<>(){},]))/uy
const KINDS = ['number', 'single', 'double', 'field', 'word', 'symbol'] as const

/** Throws `ExpressionError` at the first character that fits nowhere. */
function tokenize(source: string): readonly Token[] {
  const tokens: Token[] = []
  let position = 0
  while (position < source.trimEnd().length) {
    TOKEN.lastIndex = position
    const match = TOKEN.exec(source)
    if (!match)
      throw new ExpressionError(`Unexpected character at ${position + 1}: ${source.slice(position, position + 10)}`)
    const index = match.slice(1).findIndex((group) => group !== undefined)
    const kind = KINDS[index] ?? 'symbol'
    const text = match[index + 1] ?? ''
    tokens.push({ kind, text: kind === 'single' || kind === 'double' ? unquote(text, kind) : text })
    position = TOKEN.lastIndex
  }
  tokens.push({ kind: 'end', text: '' })
  return tokens
}

const unquote = (text: string, kind: 'single' | 'double') =>
  kind === 'single' ? text.replaceAll("''", "'") : text.replaceAll('""', '"')
