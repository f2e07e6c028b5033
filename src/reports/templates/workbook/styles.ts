/** Cell formats that filling adds: wrapped texts, whose line breaks show, and the number formats of the app. */
import { attributesOf, escapeAttribute, readXml, withoutPrefix } from '../xml.ts'

/** `general`: the cell has no number format of its own; `text`: numbers in it have no format. */
export type CellKind = 'general' | 'text' | 'date' | 'time' | 'number'

export interface Styles {
  /** The attributes of a cell, ` s="3"`, with a format that wraps the text and is else the same. */
  wrapped(attributes: string): string
  kind(attributes: string): CellKind
  /** The attributes with a number format and else the same. */
  formatted(attributes: string, numberFormat: string): string
  /** The number formats that were added so far. */
  readonly added: readonly string[]
  /** The part with the added formats; null when none was added. */
  toXml(): string | null
}

const LIST = /(<cellXfs\b[^>]*>)(.*?)(<\/cellXfs>)/s
const STYLE = /\ss="(\d+)"/
/** Smaller numbers are those of formats that every program knows. */
const FIRST_OWN_FORMAT = 164
const TEXT_FORMAT = 49
/** The numbers of the formats for dates and times that every program knows, some only in East Asia. */
const KNOWN_DATE = /^(?:1[4-7]|22|2[7-9]|3[016]|5[0-8])$/
const KNOWN_TIME = /^(?:18|19|2[01]|3[2-5]|4[567])$/
/** Texts, colours and conditions of a format; `[h]` stays. */
const NO_TOKENS = /"[^"]*"|[\\_*].|\[(?![hms]+\])[^\]]*\]|General|Standard/gi

function kindOf(format: string): CellKind {
  if (/^(General|Standard)?$/i.test(format)) return 'general'
  if (format === '@') return 'text'
  if (KNOWN_DATE.test(format)) return 'date'
  if (KNOWN_TIME.test(format)) return 'time'
  const tokens = format.replaceAll(NO_TOKENS, '')
  return /[yd]|mmm/i.test(tokens) ? 'date' : /[hs]|\[m/i.test(tokens) ? 'time' : 'number'
}
const NUMBER_FORMATS = /<numFmts\b[^>]*?(?:\/>|>(.*?)<\/numFmts>)/s
const ROOT = /<styleSheet\b(?:[^>"]|"[^"]*")*>/

function withNumberFormats(xml: string, formats: readonly string[], first: number): string {
  const items = formats
    .map((format, index) => `<numFmt numFmtId="${first + index}" formatCode="${escapeAttribute(format)}"/>`)
    .join('')
  const before = NUMBER_FORMATS.exec(xml)
  const content = before?.[1] ?? ''
  const count = (content.match(/<numFmt\b/g) ?? []).length + formats.length
  const list = `<numFmts count="${count}">${content}${items}</numFmts>`
  return before ? xml.replace(NUMBER_FORMATS, () => list) : xml.replace(ROOT, (root) => root + list)
}

const FORMAT = /<xf\b((?:[^>"]|"[^"]*")*?)(?:\/>|>(.*?)<\/xf>)/gs

/** @param source `xl/styles.xml`; null when the workbook has none. */
export function createStyles(source: string | null): Styles {
  const xml = source && withoutPrefix(source)
  const list = xml === null ? null : LIST.exec(xml)
  const formats = Array.from((list?.[2] ?? '').matchAll(FORMAT))
  const added: string[] = []
  const known = new Map<string, number>()
  const numberFormats: string[] = []
  const codes = new Map<number, string>()
  readXml(xml ?? '', 'styles', {
    start(_name, attributes, local) {
      if (local !== 'numFmt') return
      const format = new Map(attributesOf(attributes))
      codes.set(Number(format.get('numFmtId')), format.get('formatCode') ?? '')
    },
  })
  const firstFormat = Math.max(
    FIRST_OWN_FORMAT,
    ...Array.from((xml ?? '').matchAll(/numFmtId="(\d+)"/g), ([, id]) => Number(id) + 1),
  )

  const indexOf = (attributes: string): number => Number(STYLE.exec(attributes)?.[1] ?? 0)

  /** The number format of a cell; '' for General, and for the usual ones only their number. */
  function numberFormat(attributes: string): string {
    const own = formats[indexOf(attributes)]?.[1] ?? ''
    const id = Number(/\snumFmtId="(\d+)"/.exec(own)?.[1] ?? 0)
    return id === 0 ? '' : id === TEXT_FORMAT ? '@' : (codes.get(id) ?? String(id))
  }

  /** The attributes with the format that `change` returns, made once for each key. */
  function changed(attributes: string, key: string, change: (index: number) => number): string {
    if (!list || formats.length === 0) return attributes
    const index = indexOf(attributes)
    const full = `${index} ${key}`
    const number = known.get(full) ?? change(index)
    known.set(full, number)
    return `${attributes.replace(STYLE, '')} s="${number}"`
  }

  function withNumberFormat(index: number, format: string): number {
    const [, attributes = '', content = ''] = formats[index] ?? []
    if (!numberFormats.includes(format)) numberFormats.push(format)
    const id = firstFormat + numberFormats.indexOf(format)
    const own = attributes.replaceAll(/\s(?:numFmtId|applyNumberFormat)="[^"]*"/g, '').trimEnd()
    added.push(`<xf numFmtId="${id}"${own} applyNumberFormat="1">${content}</xf>`)
    return formats.length + added.length - 1
  }

  function wrap(index: number): number {
    const [, attributes = '', content = ''] = formats[index] ?? []
    const alignment = new Map(attributesOf(/<alignment\b([^>]*?)\/?>/.exec(content)?.[1] ?? ''))
    if (/^(1|true)$/.test(alignment.get('wrapText') ?? '')) return index
    alignment.set('wrapText', '1')
    const written = Array.from(alignment, ([name, value]) => ` ${name}="${escapeAttribute(value)}"`).join('')
    const rest = content.replace(/<alignment\b[^>]*?(?:\/>|>.*?<\/alignment>)/s, '')
    const own = attributes.replace(/\sapplyAlignment="[^"]*"/, '').trimEnd()
    added.push(`<xf${own} applyAlignment="1"><alignment${written}/>${rest}</xf>`)
    return formats.length + added.length - 1
  }

  return {
    wrapped: (attributes) => changed(attributes, 'wrapped', wrap),
    kind: (attributes) => kindOf(numberFormat(attributes)),
    added: numberFormats,
    formatted: (attributes, format) => changed(attributes, format, (index) => withNumberFormat(index, format)),
    toXml() {
      if (xml === null || added.length === 0) return null
      const count = formats.length + added.length
      const withFormats = xml.replace(LIST, (_, open: string, content: string, close: string) => {
        const counted = open.replace(/\scount="[^"]*"/, ` count="${count}"`)
        return counted + content + added.join('') + close
      })
      return numberFormats.length === 0 ? withFormats : withNumberFormats(withFormats, numberFormats, firstFormat)
    },
  }
}
