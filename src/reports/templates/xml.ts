/** XML of Office parts: checked before it is used, then read as a DOM or as text. */
import type { Document } from '@xmldom/xmldom'
import { ReportError } from '../codes.ts'
import { allowedText } from '../documents/markup.ts'
import { templateError } from './problems.ts'

const MAX_DEPTH = 256
const DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'

const NEEDS_CARE = /[^\t\n\r\u0020-\u007e\u00a0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd]|[&<>"]/
const ENTITY_OF: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const CHARACTER_OF: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** Text for the content of an element or an attribute in double quotes; forbidden characters are left out. */
export function escapeXml(text: string): string {
  if (!NEEDS_CARE.test(text)) return text
  return allowedText(text).replace(/[&<>"]/g, (sign) => ENTITY_OF[sign] ?? sign)
}

/** `escapeXml` for attributes: line breaks and tabs survive attribute normalization. */
export const escapeAttribute = (text: string): string =>
  escapeXml(text).replace(/[\t\n\r]/g, (sign) => `&#${sign.charCodeAt(0)};`)

/** The text that XML source stands for. */
export function unescapeXml(source: string): string {
  if (!source.includes('&')) return source
  return source.replace(/&(?:#x([0-9a-f]+)|#([0-9]+)|(\w+));/gi, (entity, hex, decimal, name) => {
    if (name !== undefined) return CHARACTER_OF[name] ?? entity
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
    return code <= 0x10ffff ? String.fromCodePoint(code) : entity
  })
}

/** Decodes a part: UTF-8, or UTF-16 with a byte order mark. Throws `TEMPLATE_INVALID` with `place` for anything else. */
export function decodeXml(bytes: Uint8Array, place: string): string {
  const invalid = (details: string) => templateError('TEMPLATE_INVALID', place, details)
  const [first, second] = bytes
  const utf16 = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)
  let text: string
  try {
    text = new TextDecoder(utf16 ? (first === 0xff ? 'utf-16le' : 'utf-16be') : 'utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw invalid('the XML is not UTF-8')
  }
  // Without a mark, a reader may take it for UTF-16.
  if (text.includes('\0')) throw invalid('the XML holds a character that XML forbids')
  const declared = /^\s*<\?xml[^>]*\sencoding\s*=\s*["']([^"']*)["']/.exec(text.slice(0, 1000))?.[1]
  if (declared !== undefined && !/^(utf-8|utf-16|us-ascii)$/i.test(declared)) {
    throw invalid(`the XML is in the encoding ${declared}, expected UTF-8`)
  }
  return text
}

/** A name ends before `<`, so that no search reads beyond the next tag. */
const START_TAG = /<([^\s<>/!?]+)((?:\s+[^\s<>=/"']+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>/y
const ATTRIBUTE = /([^\s<>=/"']+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g

/** Attributes by their names as written, of the source between the name of an element and its `>`. */
export function attributesOf(source: string): ReadonlyMap<string, string> {
  const attributes = new Map<string, string>()
  for (const [, name = '', double, single] of source.matchAll(ATTRIBUTE)) {
    attributes.set(name, unescapeXml(double ?? single ?? ''))
  }
  return attributes
}

/** `f` of `x:f`. */
export const localName = (name: string): string => name.slice(name.lastIndexOf(':') + 1)

/** Gets what the XML stands for. Names are as written, with their prefixes; `local` is the name without it. */
export interface XmlVisitor {
  /** Followed by `end`, also for an empty element. `attributes` is for `attributesOf`. */
  start?(name: string, attributes: string, local: string): void
  end?(name: string, local: string): void
  /** A piece of text between two pieces of markup, also of a CDATA section; decoded when it is asked for. */
  text?(piece: () => string): void
  instruction?(source: string): void
}

/**
 * Reads XML once, without a tree, in time in proportion to its length. Refuses document types, markup deeper than 256 elements
 * and elements that are not closed; entities are thereby the five of XML.
 */
export function readXml(text: string, place: string, visitor: XmlVisitor = {}): void {
  const invalid = (details: string) => templateError('TEMPLATE_INVALID', place, `broken XML: ${details}`)
  const open: string[] = []
  const locals: string[] = []
  let roots = 0
  let behind = 0
  for (let at = text.indexOf('<'); at >= 0; at = text.indexOf('<', behind)) {
    if (at > behind && visitor.text) {
      const [from, to] = [behind, at]
      visitor.text(() => unescapeXml(text.slice(from, to)))
    }
    const skipped = skipSpecial(text, at)
    if (skipped === 'doctype') throw templateError('TEMPLATE_UNSAFE', place, 'the XML has a <!DOCTYPE')
    if (skipped === 'open') throw invalid('a comment or instruction is not closed')
    if (skipped !== null) {
      behind = skipped
      if (text[at + 1] === '?') visitor.instruction?.(text.slice(at + 2, skipped - 2))
      else if (text[at + 2] === '[') visitor.text?.(() => text.slice(at + '<![CDATA['.length, skipped - ']]>'.length))
      continue
    }
    if (text[at + 1] === '/') {
      const end = text.indexOf('>', at)
      const name = text.slice(at + 2, end < 0 ? at + 40 : end).trimEnd()
      if (end < 0 || open.pop() !== name) throw invalid(`</${name.slice(0, 40)}> closes nothing`)
      visitor.end?.(name, locals.pop()!)
      behind = end + 1
      continue
    }
    START_TAG.lastIndex = at
    const tag = START_TAG.exec(text)
    if (!tag) throw invalid(`unreadable tag at character ${at}`)
    const [, name = '', attributes = '', empty] = tag
    if (open.length === 0) roots++
    const local = localName(name)
    visitor.start?.(name, attributes, local)
    if (empty) visitor.end?.(name, local)
    else {
      open.push(name)
      locals.push(local)
    }
    if (open.length > MAX_DEPTH)
      throw templateError('TEMPLATE_UNSAFE', place, `the XML is deeper than ${MAX_DEPTH} elements`)
    behind = START_TAG.lastIndex
  }
  if (open.length > 0) throw invalid(`<${open.at(-1)}> is not closed`)
  if (roots !== 1) throw invalid(`${roots} root elements`)
}

/** Blanks in tags and quotes that programs for workbooks do not write, or a text that looks like them. */
const UNUSUAL = /=\s*'|\s=\s*"|=\s+"|\s\/?>/
const END_TAG = /<\/([^\s<>]+)\s+>/y

/**
 * The same markup in one spelling, for those who edit it as text: without comments and instructions, the declaration excepted, with
 * escaped text for CDATA sections, attributes in double quotes after one blank each, and no other blanks in tags. Reads it once, and
 * leaves what is no tag as it is.
 */
export function plainMarkup(text: string): string {
  const isUnusual = UNUSUAL.test(text)
  if (!isUnusual && !text.includes('<!') && text.indexOf('<?', 2) < 0) return text
  const pieces: string[] = []
  let behind = 0
  for (let at = text.indexOf('<'); at >= 0; at = text.indexOf('<', Math.max(at + 1, behind))) {
    const end = text.startsWith('<?xml ', at) ? null : skipSpecial(text, at)
    const tag = end === null && isUnusual ? plainTag(text, at) : null
    if (typeof end !== 'number' && tag === null) continue
    pieces.push(text.slice(behind, at))
    if (tag !== null) pieces.push(tag.text)
    else if (text[at + 2] === '[')
      pieces.push(escapeXml(text.slice(at + '<![CDATA['.length, Number(end) - ']]>'.length)))
    behind = tag?.end ?? Number(end)
  }
  pieces.push(text.slice(behind))
  return pieces.join('')
}

/** The tag at `at` in one spelling; null when there is none, or it has that already. */
function plainTag(text: string, at: number): { readonly text: string; readonly end: number } | null {
  const next = text.indexOf('<', at + 1)
  if (!UNUSUAL.test(text.slice(at, next < 0 ? text.length : next))) return null
  END_TAG.lastIndex = START_TAG.lastIndex = at
  const closing = END_TAG.exec(text)
  if (closing) return { text: `</${closing[1]}>`, end: END_TAG.lastIndex }
  const opening = START_TAG.exec(text)
  if (!opening) return null
  const [, name, attributes = '', empty] = opening
  const written = Array.from(
    attributes.matchAll(ATTRIBUTE),
    ([, attribute, double, single]) => ` ${attribute}="${double ?? single?.replaceAll('"', '&quot;')}"`,
  )
  return { text: `<${name}${written.join('')}${empty}>`, end: START_TAG.lastIndex }
}

const XMLNS = /\sxmlns(?::([^\s=]+))?="([^"]*)"/g

/** `plainMarkup` of a part whose elements have no prefix where they are in the namespace of its root. */
export function withoutPrefix(text: string): string {
  const plain = plainMarkup(text.replace(/^\ufeff/, ''))
  const [, root = '', attributes = ''] = /<([^\s<>/!?]+)((?:\s[^\s<>=/"']+="[^"<]*")*)\/?>/.exec(plain) ?? []
  const declared = new Map(Array.from(attributes.matchAll(XMLNS), ([, prefix = '', uri = '']) => [prefix, uri]))
  const own = root.includes(':') ? root.slice(0, root.indexOf(':')) : ''
  const prefixes = [...declared.keys()].filter((prefix) => prefix !== '' && declared.get(prefix) === declared.get(own))
  const bare = prefixes.reduce(
    (markup, prefix) => markup.replaceAll(`<${prefix}:`, '<').replaceAll(`</${prefix}:`, '</'),
    plain,
  )
  return own === '' ? bare : bare.replace(` xmlns:${own}=`, declared.has('') ? ` xmlns:${own}=` : ' xmlns=')
}

/** The end of the comment, section or instruction at `at`; null when there is none. */
function skipSpecial(text: string, at: number): number | 'doctype' | 'open' | null {
  const end = (mark: string) => {
    const found = text.indexOf(mark, at)
    return found < 0 ? 'open' : found + mark.length
  }
  if (text[at + 1] === '?') return end('?>')
  if (text[at + 1] !== '!') return null
  if (text.startsWith('<!--', at)) return end('-->')
  if (text.startsWith('<![CDATA[', at)) return end(']]>')
  return 'doctype'
}

/** A DOM of the text. Throws `TEMPLATE_INVALID` with `place`. */
export async function parseXml(text: string, place: string): Promise<Document> {
  const { DOMParser } = await import('@xmldom/xmldom')
  const fail = (details: string) => templateError('TEMPLATE_INVALID', place, `broken XML: ${details.slice(0, 200)}`)
  try {
    const parser = new DOMParser({
      onError(level, message) {
        if (level !== 'warning') throw fail(String(message))
      },
    })
    return parser.parseFromString(text.replace(/^\ufeff/, ''), 'text/xml')
  } catch (error) {
    throw error instanceof ReportError ? error : fail(String(error))
  }
}

/** The document as text of a part, with an XML declaration. */
export async function serializeXml(document: Document): Promise<string> {
  const { XMLSerializer } = await import('@xmldom/xmldom')
  const text = new XMLSerializer().serializeToString(document)
  return text.startsWith('<?xml') ? text : DECLARATION + text
}
