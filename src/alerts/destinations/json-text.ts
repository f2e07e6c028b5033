/** Parses the JSON that templates make; errors name line and column. */
import { offsetOfFault } from '../../platform/json.ts'
import { placeOf, TemplateError } from '../templates/source.ts'

export type JsonObject = Readonly<Record<string, unknown>>

/** A text in quotes, or a comma before a closing bracket. */
const TEXT_OR_TRAILING_COMMA = /"(?:\\.|[^"\\])*"|,(?=\s*[\]}])/g

/**
 * The object that a rendered template spells. Trailing commas, as left behind by lists whose last part is optional, are
 * forgiven. Throws a `TemplateError` with line and column of the rendered text.
 */
export function parseObject(text: string, file: string): JsonObject {
  const strict = withoutTrailingCommas(text)
  const value = parse(text) ?? parse(strict)
  if (value === undefined) {
    const place = placeOf(`${file} (rendered)`, text, offsetOfFault(strict))
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

/** With blanks in their place: what follows keeps its offset. */
function withoutTrailingCommas(text: string): string {
  return text.replace(TEXT_OR_TRAILING_COMMA, (found) => (found === ',' ? ' ' : found))
}
