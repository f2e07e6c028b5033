/** The expressions and functions of Qlik's script language that the load-script subs use. */

export type Value = string | number | null

export interface World {
  variable(name: string): Value
  /** Null when there is no such table. */
  rows(table: string): number | null
  peek(field: string, row: number, table: string): Value
}

type Token = { readonly kind: 'text' | 'number' | 'name' | 'sign'; readonly text: string }

const TOKEN = /\s*(?:'((?:[^']|'')*)'|(\d+(?:\.\d+)?)|([A-Za-z_]\w*)|(<>|<=|>=|[-+*/&=<>(),]))/y

/** Lowest first; operators of one level from left to right. */
const LEVELS = [['OR'], ['AND'], ['=', '<>', '<', '>', '<=', '>='], ['&'], ['+', '-'], ['*', '/']] as const

export function evaluate(text: string, world: World): Value {
  const tokens = tokensOf(text)
  let at = 0

  const sign = (wanted: string): boolean => {
    if (tokens[at]?.kind === 'text' || tokens[at]?.text.toUpperCase() !== wanted) return false
    at++
    return true
  }

  function binary(level: number): Value {
    const operators = LEVELS[level]
    if (!operators) return primary()
    let left = binary(level + 1)
    for (;;) {
      const operator = operators.find((one) => sign(one))
      if (operator === undefined) return left
      left = apply(operator, left, binary(level + 1))
    }
  }

  function primary(): Value {
    if (sign('(')) {
      const inner = binary(0)
      if (!sign(')')) throw new Error(`) is missing in ${text}`)
      return inner
    }
    const token = tokens[at++]
    if (token?.kind === 'text') return token.text
    if (token?.kind === 'number') return Number(token.text)
    if (token?.kind !== 'name') throw new Error(`not an expression: ${text}`)
    if (!sign('(')) return world.variable(token.text)
    const args: Value[] = []
    while (!sign(')')) {
      args.push(binary(0))
      if (!sign(',') && tokens[at]?.text !== ')') throw new Error(`, is missing in ${text}`)
    }
    return callFunction(token.text, args, world)
  }

  const result = binary(0)
  if (at < tokens.length) throw new Error(`unexpected ${tokens[at]?.text} in ${text}`)
  return result
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const match = TOKEN.exec(text)
    if (!match) throw new Error(`not an expression: ${text}`)
    const [, quoted, number, name, symbol] = match
    if (quoted !== undefined) tokens.push({ kind: 'text', text: quoted.replaceAll("''", "'") })
    else if (number !== undefined) tokens.push({ kind: 'number', text: number })
    else if (name !== undefined) tokens.push({ kind: 'name', text: name })
    else tokens.push({ kind: 'sign', text: symbol! })
  }
  return tokens
}

function apply(operator: string, left: Value, right: Value): Value {
  if (operator === '&') return textOf(left) + textOf(right)
  if (operator === 'AND') return truth(left !== null && left !== 0 && right !== null && right !== 0)
  if (operator === 'OR') return truth((left !== null && left !== 0) || (right !== null && right !== 0))
  if (left === null || right === null) return null
  if (operator === '=') return truth(textOf(left) === textOf(right))
  if (operator === '<>') return truth(textOf(left) !== textOf(right))
  const [a, b] = [Number(left), Number(right)]
  const results: Readonly<Record<string, number>> = {
    '+': a + b,
    '-': a - b,
    '*': a * b,
    '/': a / b,
    '<': truth(a < b),
    '>': truth(a > b),
    '<=': truth(a <= b),
    '>=': truth(a >= b),
  }
  return results[operator]!
}

const truth = (yes: boolean): number => (yes ? -1 : 0)
const textOf = (value: Value | undefined): string => (value === null || value === undefined ? '' : String(value))
const characters = (value: Value | undefined): string[] => [...textOf(value)]

const FUNCTIONS: Readonly<Record<string, (...args: Value[]) => Value>> = {
  If: (condition, yes, no = null) => (condition !== null && condition !== 0 ? (yes ?? null) : no),
  Len: (text) => characters(text).length,
  Replace: (text, from, to) => textOf(text).replaceAll(textOf(from), () => textOf(to)),
  Chr: (code) => String.fromCodePoint(Number(code)),
  Ord: (text) => textOf(text).codePointAt(0) ?? 0,
  Mid: (text, start, count) =>
    characters(text)
      .slice(Number(start) - 1, Number(start) - 1 + Number(count))
      .join(''),
  Left: (text, count) => characters(text).slice(0, Number(count)).join(''),
  Right: (text, count) => characters(text).slice(-Number(count)).join(''),
  Lower: (text) => textOf(text).toLowerCase(),
  KeepChar: (text, keep) =>
    characters(text)
      .filter((one) => textOf(keep).includes(one))
      .join(''),
  PurgeChar: (text, purge) =>
    characters(text)
      .filter((one) => !textOf(purge).includes(one))
      .join(''),
  Floor: (number) => Math.floor(Number(number)),
  Mod: (a, b) => Number(a) % Number(b),
  Match: (text, ...list) => list.findIndex((one) => textOf(one) === textOf(text)) + 1,
  Now: () => 0,
  Timestamp: () => '2026-03-02 06:30:00',
  Num(value, format = null) {
    if (format === '(HEX)') return Number(value).toString(16).toUpperCase()
    return value === null || value === '' || Number.isNaN(Number(value)) ? null : Number(value)
  },
}

function callFunction(name: string, args: readonly Value[], world: World): Value {
  if (name === 'NoOfRows') return world.rows(textOf(args[0]))
  if (name === 'Peek') return world.peek(textOf(args[0]), Number(args[1]), textOf(args[2]))
  const known = FUNCTIONS[name]
  if (!known) throw new Error(`unknown function ${name}`)
  return known(...args)
}
