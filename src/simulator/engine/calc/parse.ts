import {
  AGGREGATIONS,
  type AggregationName,
  type Expression,
  ExpressionError,
  type SetExpression,
  type SetModifier,
  type SetValue,
  type Token,
  tokenize,
} from './syntax.ts'

/** Operators by how loosely they bind, loosest first. */
const LEVELS: readonly (readonly string[])[] = [
  ['or'],
  ['and'],
  ['=', '<>', '<', '>', '<=', '>='],
  ['&'],
  ['+', '-'],
  ['*', '/'],
]

/**
 * Parses an expression; a leading `=` is ignored, names before `(` are functions, other words are fields.
 * Throws `ExpressionError` with what was expected where.
 */
export function parseExpression(source: string): Expression {
  const cursor = createCursor(tokenize(source.trim().replace(/^=/, '')))
  if (cursor.peek().kind === 'end') throw new ExpressionError('Empty expression')
  const expression = parseLevel(cursor, 0)
  if (cursor.peek().kind !== 'end') throw new ExpressionError(`Garbage after expression: "${cursor.peek().text}"`)
  return expression
}

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
