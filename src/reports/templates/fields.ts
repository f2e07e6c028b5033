/**
 * Fields of Word documents whose result follows from filled text: formulas, conditions, references. Word computes them when the
 * reader agrees to it at opening; until then, and in a PDF, they show what they showed in the template.
 */
import type { Findings } from './names.ts'
import { plainAddress } from './parts.ts'
import { attributesOf, localName, readXml } from './xml.ts'

/** Where a field stands, and what is between its braces: `=SUM(ABOVE)`. */
interface FieldCode {
  readonly place: string
  readonly code: string
}

/** A part with text, by its place: `document`, `header 2`. */
interface TextPart {
  readonly place: string
  readonly xml: string
}

/** Fields that compute something, beside formulas, which begin with `=`. */
const COMPUTED = new Set(['IF', 'COMPARE', 'SET'])
const PROPERTIES = new Set(['DOCPROPERTY', 'TITLE', 'SUBJECT', 'KEYWORDS', 'COMMENTS', 'AUTHOR', 'INFO'])
const MOST_NAMED = 5

/**
 * Refuses tags in the code of a field, which nothing fills, and warns of results that are out of date after the filling. Returns the
 * details of that warning; null when there is none.
 */
export function checkFields(
  parts: readonly TextPart[],
  hasFilledProperties: boolean,
  findings: Findings,
): string | null {
  const fields = parts.map(fieldsOf)
  for (const { place, code } of fields.flatMap(({ codes }) => codes)) {
    if (!plainAddress(code).includes('{{')) continue
    const details = `the field { ${code.slice(0, 100)} } has a tag in its code, which is not filled; let an expression compute the value, as in {{=...}}, or show text under a condition by {{#...}}`
    findings.add({ code: 'TEMPLATE_UNSUPPORTED', place, details })
  }
  const details = outdatedFields(fields, hasFilledProperties)
  if (details !== null) findings.warn('document', details)
  return details
}

function outdatedFields(fields: readonly Fields[], hasFilledProperties: boolean): string | null {
  const bookmarks = new Set(fields.flatMap(({ tagged }) => tagged))
  const isOutdated = (code: string): boolean => {
    const [first = '', second = ''] = code.replaceAll('"', '').trim().split(/\s+/, 2)
    const name = first.toUpperCase()
    if (name.startsWith('=') || COMPUTED.has(name)) return true
    if (PROPERTIES.has(name)) return hasFilledProperties
    return bookmarks.has((name === 'REF' ? second : first).toLowerCase())
  }
  const codes = new Set(fields.flatMap((one) => one.codes.map(({ code }) => code).filter(isOutdated)))
  if (codes.size === 0) return null
  const named = [...codes].slice(0, MOST_NAMED).map((code) => `{ ${code.slice(0, 60)} }`)
  const more = codes.size > MOST_NAMED ? ` and ${codes.size - MOST_NAMED} more` : ''
  return `${named.join(', ')}${more} keeps the result that it has in the template until Word computes it, which it offers when the document is opened; a PDF keeps it, too. Expressions and totals of tables are computed here`
}

interface Fields {
  /** Inner ones before those around them. */
  readonly codes: readonly FieldCode[]
  /** Names of bookmarks around tags, in lower case. */
  readonly tagged: readonly string[]
}

const NO_FIELDS: Fields = { codes: [], tagged: [] }

/** Reads a part once. */
function fieldsOf({ place, xml }: TextPart): Fields {
  if (!/instrText|fldSimple/.test(xml)) return NO_FIELDS
  const codes: FieldCode[] = []
  const tagged: string[] = []
  const open: { code: string; inCode: boolean }[] = []
  const bookmarks = new Map<string, { readonly name: string; readonly tagsBefore: number }>()
  let isCode = false
  let tags = 0
  let last = ''
  readXml(xml, place, {
    start(_name, attributes, local) {
      const attribute = (name: string) =>
        [...attributesOf(attributes)].find(([written]) => localName(written) === name)?.[1] ?? ''
      if (local === 'fldSimple') codes.push({ place, code: attribute('instr').trim() })
      else if (local === 'instrText') isCode = true
      else if (local === 'bookmarkStart')
        bookmarks.set(attribute('id'), { name: attribute('name').toLowerCase(), tagsBefore: tags })
      else if (local === 'bookmarkEnd') {
        const bookmark = bookmarks.get(attribute('id'))
        if (bookmark && tags > bookmark.tagsBefore) tagged.push(bookmark.name)
      } else if (local === 'fldChar') {
        const type = attribute('fldCharType')
        if (type === 'begin') open.push({ code: '', inCode: true })
        else if (type === 'separate' && open.length > 0) open.at(-1)!.inCode = false
        else if (type === 'end') codes.push({ place, code: open.pop()?.code.trim() ?? '' })
      }
    },
    text(piece) {
      const text = piece()
      const field = open.at(-1)
      if (isCode && field?.inCode) field.code += text
      // The two brackets of a tag may stand in different runs.
      if ((last + text).includes('{{')) tags++
      last = text.at(-1) ?? last
    },
    end(_name, local) {
      if (local === 'instrText') isCode = false
    },
  })
  return { codes, tagged }
}
