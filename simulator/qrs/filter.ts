/**
 * The filter grammar of QRS: comparisons `path op value`, joined by `and` (binds tighter) and `or`, grouped by brackets.
 * Strings stand in apostrophes; inside, an apostrophe and a backslash are escaped with a backslash. Doubling the
 * apostrophe is an error, as on a real site.
 */
import { ENUMS, type Field, read, SHAPES, type Shape } from './shapes.ts'

/** Thrown with the body that QRS answers with status 400. */
export class FilterError extends Error {}

interface Literal {
  /** `string` was quoted, `word` stood bare. */
  readonly kind: 'string' | 'word'
  readonly text: string
}

interface CompiledFilter {
  readonly matches: (entity: object) => boolean
  /**
   * `property eq guid` conditions that every match must meet, by lower-case path, such as `id` or `executionid`; the
   * caller may use an index instead of looking at everything.
   */
  readonly keys: ReadonlyMap<string, string>
  /** When the filter is a list of ids (`id eq ... or id eq ...`): these. */
  readonly ids: readonly string[] | null
}

type Test = (value: unknown) => boolean

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const NUMBER = /^-?\d+(\.\d+)?$/

/** Compiles a decoded filter for entities of one shape; throws a FilterError with the text that QRS answers. */
export function compileFilter(text: string, shape: Shape): CompiledFilter {
  const expression = parseFilter(text)
  const broken = () => new FilterError(`Cannot parse the expression: ${text}`)
  const keys = new Map<string, string>()
  collectKeys(expression, keys)
  return { matches: compile(expression, shape, broken), keys, ids: idsOf(expression) }
}

function idsOf(expression: Expression): readonly string[] | null {
  if (expression.kind === 'comparison') {
    const { path, op, value } = expression
    const isId = path.join('.').toLowerCase() === 'id' && op === 'eq' && GUID.test(value.text)
    return isId ? [value.text.toLowerCase()] : null
  }
  if (expression.kind !== 'or') return null
  const [left, right] = [idsOf(expression.left), idsOf(expression.right)]
  return left && right && [...new Set([...left, ...right])]
}

function collectKeys(expression: Expression, keys: Map<string, string>) {
  if (expression.kind === 'and') {
    collectKeys(expression.left, keys)
    collectKeys(expression.right, keys)
    return
  }
  if (expression.kind !== 'comparison' || expression.op !== 'eq' || !GUID.test(expression.value.text)) return
  keys.set(expression.path.join('.').toLowerCase(), expression.value.text.toLowerCase())
}

function compile(expression: Expression, shape: Shape, broken: () => FilterError): (entity: object) => boolean {
  if (expression.kind === 'comparison') return compileComparison(expression, shape, broken)
  const left = compile(expression.left, shape, broken)
  const right = compile(expression.right, shape, broken)
  return expression.kind === 'and'
    ? (entity) => left(entity) && right(entity)
    : (entity) => left(entity) || right(entity)
}

/** One name of a path: its field, and the shape that has it. */
export interface Step {
  readonly shape: Shape
  readonly field: Field
}

/** Follows a path through references and collections; null when a property does not exist. */
export function resolvePath(path: readonly string[], shape: Shape): readonly Step[] | null {
  const steps: Step[] = []
  let current: Shape | undefined = shape
  for (const name of path) {
    const field: Field | undefined = current?.byName.get(name.toLowerCase())
    if (!current || !field) return null
    steps.push({ shape: current, field })
    current = SHAPES[field.of]
  }
  return steps
}

function compileComparison(
  { path, op, value }: Extract<Expression, { kind: 'comparison' }>,
  shape: Shape,
  broken: () => FilterError,
) {
  const steps = resolvePath(path, shape)
  const last = steps?.at(-1)
  const test = last ? makeTest(last.field, op, value) : null
  if (!steps || !test) throw broken()
  return (entity: object) => anyMatch(entity, steps, 0, test)
}

/** Through a collection any element is enough; each condition looks at the whole collection on its own. */
function anyMatch(entity: object, steps: readonly Step[], index: number, test: Test): boolean {
  const step = steps[index]
  if (!step) return false
  const value = read(entity, step.shape, step.field)
  if (step.field.kind === 'strings') return (value as readonly string[]).some(test)
  if (index === steps.length - 1) return test(value)
  if (value === null || value === undefined) return false
  if (!Array.isArray(value)) return anyMatch(value as object, steps, index + 1, test)
  return value.some((element: object) => anyMatch(element, steps, index + 1, test))
}

/** Null when the operator or the value does not suit the type. */
function makeTest(field: Field, op: Operator, literal: Literal): Test | null {
  switch (field.kind) {
    case 'string':
    case 'strings':
      return literal.kind === 'string' ? stringTest(op, literal.text.toLowerCase()) : null
    case 'guid':
      return GUID.test(literal.text)
        ? equalityTest(op, literal.text.toLowerCase(), (value) => String(value).toLowerCase())
        : null
    case 'bool':
      return /^(true|false)$/i.test(literal.text) && literal.kind === 'word'
        ? equalityTest(op, literal.text.toLowerCase() === 'true', (value) => value)
        : null
    case 'int':
    case 'number':
      return literal.kind === 'word' && NUMBER.test(literal.text) ? orderTest(op, Number(literal.text)) : null
    case 'date':
      return orderTest(op, literal.kind === 'string' ? parseDate(literal.text) : null)
    case 'enum':
      return orderTest(op, enumNumber(ENUMS[field.of] ?? [], literal.text))
    default:
      return null
  }
}

function stringTest(op: Operator, wanted: string): Test | null {
  const text = (value: unknown) => String(value ?? '').toLowerCase()
  const tests: Partial<Record<Operator, Test>> = {
    eq: (value) => text(value) === wanted,
    ne: (value) => text(value) !== wanted,
    sw: (value) => text(value).startsWith(wanted),
    ew: (value) => text(value).endsWith(wanted),
    so: (value) => text(value).includes(wanted),
  }
  return tests[op] ?? null
}

function equalityTest(op: Operator, wanted: unknown, normal: (value: unknown) => unknown): Test | null {
  if (op === 'eq') return (value) => normal(value) === wanted
  if (op === 'ne') return (value) => normal(value) !== wanted
  return null
}

function orderTest(op: Operator, wanted: number | null): Test | null {
  if (wanted === null) return null
  const tests: Partial<Record<Operator, (value: number) => boolean>> = {
    eq: (value) => value === wanted,
    ne: (value) => value !== wanted,
    gt: (value) => value > wanted,
    ge: (value) => value >= wanted,
    lt: (value) => value < wanted,
    le: (value) => value <= wanted,
  }
  const test = tests[op]
  return test ? (value) => typeof value === 'number' && test(value) : null
}

/** `2026-01-31T23:59:59.999Z` and `2012-05-09 12:00:00` (UTC). */
function parseDate(text: string): number | null {
  const match = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,7})?)?)(Z|[+-]\d\d:\d\d)?)?$/.exec(text)
  if (!match) return null
  const at = Date.parse(`${match[1]}T${match[2] ?? '00:00:00'}${match[3] ?? 'Z'}`)
  return Number.isNaN(at) ? null : at
}

function enumNumber(names: readonly string[], text: string): number | null {
  if (/^\d+$/.test(text)) return Number(text)
  const index = names.findIndex((name) => name.toLowerCase() === text.toLowerCase())
  return index < 0 ? null : index
}

type Operator = 'eq' | 'ne' | 'gt' | 'ge' | 'lt' | 'le' | 'sw' | 'ew' | 'so'

type Expression =
  | { readonly kind: 'comparison'; readonly path: readonly string[]; readonly op: Operator; readonly value: Literal }
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression }

type Token = Literal | { readonly kind: '(' | ')'; readonly text: string }

const MAX_DEPTH = 200
const PATH = /^[A-Za-z_@]\w*(\.\w+)*$/
const TOKEN = /\s*(?:([()])|'((?:[^'\\]|\\['\\])*)'(?!')|([^\s()'"]+))/y

/** Parses a decoded filter; throws a FilterError. */
function parseFilter(text: string): Expression {
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
