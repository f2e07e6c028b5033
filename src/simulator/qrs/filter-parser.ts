/**
 * The filter grammar of QRS: comparisons `path op value`, joined by `and` (binds tighter) and `or`, grouped by brackets.
 * Strings stand in apostrophes; inside, an apostrophe and a backslash are escaped with a backslash. Doubling the
 * apostrophe is an error, as on a real site.
 */

export const OPERATORS = ['eq', 'ne', 'gt', 'ge', 'lt', 'le', 'sw', 'ew', 'so'] as const
export type Operator = (typeof OPERATORS)[number]

export interface Literal {
  /** `string` was quoted, `word` stood bare. */
  readonly kind: 'string' | 'word'
  readonly text: string
}

export type Expression =
  | { readonly kind: 'comparison'; readonly path: readonly string[]; readonly op: Operator; readonly value: Literal }
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression }

/** Thrown with the body that QRS answers with status 400. */
export class FilterError extends Error {}

type Token = Literal | { readonly kind: '(' | ')'; readonly text: string }

const MAX_DEPTH = 200
const PATH = /^[A-Za-z_@]\w*(\.\w+)*$/
const TOKEN = /\s*(?:([()])|'((?:[^'\\]|\\['\\])*)'(?!')|([^\s()'"]+))/y

/** Parses a decoded filter; throws a FilterError. */
export function parseFilter(text: string): Expression {
  const broken = () => new FilterError(`Cannot parse the expression: ${text}`)
  const tokens = tokenize(text, broken)
  let position = 0
  const peek = () => tokens[position]

  function word(pattern: RegExp): string {
    const token = tokens[position++]
    if (token?.kind !== 'word' || !pattern.test(token.text)) throw broken()
    return token.text
  }

  function joined(operator: 'and' | 'or', operand: (depth: number) => Expression, depth: number): Expression {
    let left = operand(depth)
    while (isWord(peek(), operator)) {
      position++
      left = { kind: operator, left, right: operand(depth) }
    }
    return left
  }

  const expression = (depth: number): Expression => joined('or', conjunction, depth)
  const conjunction = (depth: number): Expression => joined('and', term, depth)

  function term(depth: number): Expression {
    if (depth > MAX_DEPTH) throw broken()
    if (peek()?.kind !== '(') return comparison()
    position++
    if (peek()?.kind === ')') throw new FilterError('Invalid expression')
    const inner = expression(depth + 1)
    if (tokens[position++]?.kind !== ')') throw broken()
    return inner
  }

  function comparison(): Expression {
    const path = word(PATH).split('.')
    const op = word(/^(eq|ne|gt|ge|lt|le|sw|ew|so)$/i).toLowerCase() as Operator
    const value = tokens[position++]
    if (value?.kind !== 'string' && value?.kind !== 'word') throw broken()
    return { kind: 'comparison', path, op, value }
  }

  const result = expression(0)
  if (position < tokens.length) throw broken()
  return result
}

const isWord = (token: Token | undefined, text: string) => token?.kind === 'word' && token.text.toLowerCase() === text

function tokenize(text: string, broken: () => FilterError): Token[] {
  const tokens: Token[] = []
  const source = text.trimEnd()
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < source.length) {
    const match = TOKEN.exec(source)
    if (!match) throw broken()
    const [, bracket, quoted, word] = match
    if (bracket) tokens.push({ kind: bracket as '(' | ')', text: bracket })
    else if (quoted !== undefined) tokens.push({ kind: 'string', text: quoted.replace(/\\(['\\])/g, '$1') })
    else tokens.push({ kind: 'word', text: word ?? '' })
  }
  return tokens
}
