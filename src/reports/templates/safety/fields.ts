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
/** Elements that some programs read as a space and others as nothing. */
const BREAKS = new Set(['p', 'tab', 'ptab', 'br', 'cr'])
/** Elements whose content is one of several versions, or a story of its own. */
const STORIES = new Set(['Choice', 'Fallback', 'txbxContent'])

/** Texts in the code of a field. Programs differ in the kinds that belong to it. */
type Kind = 'instrText' | 'delInstrText' | 't' | 'delText' | 'break' | 'nested'

/** Kinds of text that a program may leave out of the code: all ways to read it. */
const LEFT_OUT: readonly ReadonlySet<Kind>[] = [
  new Set(),
  new Set(['delInstrText', 'delText']),
  new Set(['t', 'delText']),
  new Set(['delInstrText', 't', 'delText']),
]

const TEXTS = new Set(['instrText', 'delInstrText', 't', 'delText'])
const PARTS = new Set(['document', 'hdr', 'ftr', 'footnotes', 'endnotes', 'comments', 'glossaryDocument'])

interface Field {
  readonly code: { readonly kind: Kind; readonly text: string }[]
  /** Until the result of the field begins. */
  inCode: boolean
  /** How many stories are open where it begins. */
  readonly stories: number
}

/** A check of one part. */
export function fieldCheck(unsafe: (details: string) => void): XmlVisitor {
  const open: Field[] = []
  let stories = 0
  let kind: Kind | null = null

  function check(problem: string | null): void {
    if (problem) unsafe(problem)
  }
  function add(kind: Kind, text: string): void {
    const field = open.at(-1)
    if (field?.inCode) field.code.push({ kind, text })
  }
  function begin(): void {
    add('nested', NESTED)
    open.push({ code: [], inCode: true, stories })
  }
  function close(field: Field | undefined): void {
    if (field?.inCode) check(problemOf(field))
    if (field) field.inCode = false
  }
  return {
    start(_name, attributes, local) {
      if (STORIES.has(local)) stories++
      else if (BREAKS.has(local)) add('break', ' ')
      else if (local === 'fldSimple') check(fieldProblem(attributeOf(attributes, 'instr')))
      else if (local === 'fldChar') {
        const type = attributeOf(attributes, 'fldCharType')
        if (type === 'begin') begin()
        else close(type === 'separate' ? open.at(-1) : open.pop())
      } else if (TEXTS.has(local)) {
        kind = local as Kind
        if (kind !== 'instrText' && kind !== 'delInstrText') return
        const field = open.at(-1)
        if (!field?.inCode) begin()
        else if (stories > field.stories)
          unsafe('the code of a field goes on in a text box or in one of several versions')
      }
    },
    text(piece) {
      if (kind && open.at(-1)?.inCode) add(kind, piece())
    },
    end(_name, local) {
      if (TEXTS.has(local)) kind = null
      if (STORIES.has(local)) stories--
      // Fields that nothing ends are those of the part that ends.
      if (PARTS.has(local)) {
        for (const field of open.splice(0)) close(field)
      }
    },
  }
}

/** The first problem of the code, however it is read. */
function problemOf({ code }: Field): string | null {
  for (const leftOut of LEFT_OUT) {
    const kept = code.filter(({ kind }) => !leftOut.has(kind))
    for (const pieces of [kept, kept.filter(({ kind }) => kind !== 'break')]) {
      const problem = fieldProblem(pieces.map(({ text }) => text).join(''))
      if (problem) return problem
    }
  }
  return null
}

const attributeOf = (attributes: string, name: string): string =>
  [...attributesOf(attributes)].find(([written]) => localName(written) === name)?.[1] ?? ''

/** `whole` is what stands between the braces of a field. */
function fieldProblem(whole: string): string | null {
  const code = whole
    .trim()
    .slice(0, MAX_CODE)
    .replace(/\p{Cf}/gu, '')
  const plain = code.replaceAll('"', '').trim()
  const [word = ''] = plain.split(/[\s\\]/, 1)
  // `{={PAGE}+1}` and `{IF{PAGE}=1 …}` are written without a space, too.
  if (word.startsWith('=') || word.toUpperCase().startsWith(`IF${NESTED}`)) return null
  if (word.includes(NESTED)) return 'the name of a field is made by another field'
  const name = word.toUpperCase()
  const isCut = whole.trim().length > MAX_CODE
  if (isCut && (word === plain || name === 'HYPERLINK'))
    return `the code of a field has more than ${MAX_CODE} characters`
  if (FORBIDDEN.has(name)) return `the field ${name} loads something from outside`
  if (name !== 'HYPERLINK') return null
  // The name may have quotes around its letters.
  const target = targetOf(code.replace(/^["\s]*(?:[^\s"]"*){9}/, ''))
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
