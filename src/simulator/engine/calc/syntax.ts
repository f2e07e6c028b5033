/** The part of Qlik's expression language that the simulated engine understands, as a tree. */

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

export const AGGREGATIONS = ['sum', 'count', 'avg', 'min', 'max', 'only', 'concat'] as const
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

export interface Token {
  readonly kind: 'number' | 'single' | 'double' | 'field' | 'word' | 'symbol' | 'end'
  readonly text: string
}

const TOKEN =
  /\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|'((?:[^']|'')*)'|"((?:[^"]|"")*)"|\[([^\]]*)\]|([\p{L}_$#%][\p{L}\p{N}_.$#%]*)|(<=|>=|<>|-=|\+=|\*=|[-+*/&=<>(){},]))/uy
const KINDS = ['number', 'single', 'double', 'field', 'word', 'symbol'] as const

/** Throws `ExpressionError` at the first character that fits nowhere. */
export function tokenize(source: string): readonly Token[] {
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
