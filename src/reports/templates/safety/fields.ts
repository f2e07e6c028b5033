/** Field codes of Word documents that load files or run something. They may be split over runs and nested. */
import { isOutside } from '../parts.ts'
import { attributesOf, localName, type XmlVisitor } from '../xml.ts'

const FORBIDDEN = new Set([
  'INCLUDEPICTURE',
  'INCLUDETEXT',
  'INCLUDE',
  'IMPORT',
  'RD',
  'LINK',
  'DDE',
  'DDEAUTO',
  'DATABASE',
  'EMBED',
  'CONTROL',
  'OCX',
  'HTMLCONTROL',
  'PRINT',
])
/** The rest of a code is text. */
const MAX_CODE = 2000
/** Where a field stands in the code of another one: it may give any text. */
const NESTED = '\u0001'

const TEXTS = new Set(['instrText', 'delInstrText', 't', 'delText'])
const PARTS = new Set(['document', 'hdr', 'ftr', 'footnotes', 'endnotes', 'comments', 'glossaryDocument'])

interface Field {
  code: string
  /** Until the result of the field begins. */
  inCode: boolean
}

/** A check of one part. */
export function fieldCheck(unsafe: (details: string) => void): XmlVisitor {
  const open: Field[] = []
  let isText = false

  function check(code: string): void {
    const problem = fieldProblem(code)
    if (problem) unsafe(problem)
  }
  function begin(): void {
    const outer = open.at(-1)
    if (outer?.inCode) outer.code += NESTED
    open.push({ code: '', inCode: true })
  }
  function close(field: Field | undefined): void {
    if (field?.inCode) check(field.code)
    if (field) field.inCode = false
  }
  return {
    start(_name, attributes, local) {
      if (local === 'fldSimple') check(attributeOf(attributes, 'instr'))
      else if (local === 'fldChar') {
        const type = attributeOf(attributes, 'fldCharType')
        if (type === 'begin') begin()
        else close(type === 'separate' ? open.at(-1) : open.pop())
      } else if (local === 'instrText' || local === 'delInstrText') {
        isText = true
        if (!open.at(-1)?.inCode) begin()
      } else if (local === 't' || local === 'delText') isText = true
    },
    text(piece) {
      const field = open.at(-1)
      if (isText && field?.inCode && field.code.length < MAX_CODE) field.code += piece()
    },
    end(_name, local) {
      if (TEXTS.has(local)) isText = false
      // Fields that nothing ends are those of the part that ends.
      if (PARTS.has(local)) {
        for (const field of open.splice(0)) close(field)
      }
    },
  }
}

const attributeOf = (attributes: string, name: string): string =>
  [...attributesOf(attributes)].find(([written]) => localName(written) === name)?.[1] ?? ''

/** `code` is what stands between the braces of a field. */
function fieldProblem(code: string): string | null {
  const [word = ''] = code
    .replace(/[\p{Cf}"]/gu, '')
    .trim()
    .split(/[\s\\]/, 1)
  // `{={PAGE}+1}` and `{IF{PAGE}=1 …}` are written without a space, too.
  if (word.startsWith('=') || word.toUpperCase().startsWith(`IF${NESTED}`)) return null
  if (word.includes(NESTED)) return 'the name of a field is made by another field'
  const name = word.toUpperCase()
  if (FORBIDDEN.has(name)) return `the field ${name} loads something from outside`
  if (name !== 'HYPERLINK') return null
  const target = targetOf(code.trim().slice(name.length))
  if (!isOutside(target) || /^(https?|mailto):/i.test(target)) return null
  return `refers to something outside of the file: HYPERLINK ${target.slice(0, 200)}`
}

/** The first argument of HYPERLINK that is no switch and belongs to none. */
function targetOf(rest: string): string {
  let isArgument = false
  for (const [word] of rest.matchAll(/"[^"]*"?|[^\s"]+/g)) {
    const isSwitch = /^\\[a-z]$/i.test(word)
    if (!isSwitch && !isArgument) return word.replaceAll('"', '').trim()
    isArgument = /^\\[lotm]$/i.test(word)
  }
  return ''
}
