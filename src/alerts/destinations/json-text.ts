/** Parses the JSON that templates make; errors name line and column. */
import { placeOf, TemplateError } from '../templates/source.ts'

export type JsonObject = Readonly<Record<string, unknown>>

/** A text in quotes, or a comma before a closing bracket. */
const TEXT_OR_TRAILING_COMMA = /"(?:\\.|[^"\\])*"|,(?=\s*[\]}])/g
const TOKEN =
  /\s*(?:([{}[\],:])|("(?:\\(?:["\\/bfnrt]|u[\da-fA-F]{4})|[^"\\\p{Cc}])*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null))/uy

/**
 * The object that a rendered template spells. Trailing commas, as left behind by lists whose last part is optional, are
 * forgiven. Throws a `TemplateError` with line and column of the rendered text.
 */
export function parseObject(text: string, file: string): JsonObject {
  const value = parse(text) ?? parse(withoutTrailingCommas(text))
  if (value === undefined) {
    const place = placeOf(`${file} (rendered)`, text, errorOffset(text))
    throw new TemplateError(place, 'the rendered text is not valid JSON')
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject
  throw new TemplateError({ file }, 'the rendered text must be a JSON object')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function withoutTrailingCommas(text: string): string {
  return text.replace(TEXT_OR_TRAILING_COMMA, (found) => (found === ',' ? '' : found))
}

/** The token that may come next. `value` also closes an empty list, `key` an empty object. */
type Expected = 'value' | 'key' | 'colon' | 'more'

/** Offset of the first token that is not allowed there; the messages of the JavaScript engines do not name it. */
export function errorOffset(text: string): number {
  const open: string[] = []
  let expected: Expected = 'value'
  let end = 0
  for (;;) {
    TOKEN.lastIndex = end
    const found = TOKEN.exec(text)
    const start = end + (/^\s*/.exec(text.slice(end))?.[0].length ?? 0)
    if (!found || (expected === 'more' && open.length === 0)) return start
    const next = after(found[1] ?? '"', found[2] ?? '', expected, open)
    if (next === null) return start
    expected = next
    end = TOKEN.lastIndex
  }
}

function after(sign: string, literal: string, expected: Expected, open: string[]): Expected | null {
  if (literal !== '') {
    if (expected === 'key') return literal.startsWith('"') ? 'colon' : null
    return expected === 'value' ? 'more' : null
  }
  if (sign === ':') return expected === 'colon' ? 'value' : null
  if (sign === ',') return expected === 'more' ? (open.at(-1) === '{' ? 'key' : 'value') : null
  if (sign === '{' || sign === '[') {
    if (expected !== 'value') return null
    open.push(sign)
    return sign === '{' ? 'key' : 'value'
  }
  const opened = open.pop()
  return (sign === '}') === (opened === '{') && opened !== undefined && expected !== 'colon' ? 'more' : null
}
