/** Cell formats that filling adds: line breaks show only in cells whose text is wrapped. */
import { attributesOf, plainMarkup } from '../xml.ts'

export interface Styles {
  /** The attributes of a cell, ` s="3"`, with a format that wraps the text and is else the same. */
  wrapped(attributes: string): string
  /** The part with the added formats; null when none was added. */
  toXml(): string | null
}

const LIST = /(<(?:\w+:)?cellXfs\b[^>]*>)(.*?)(<\/(?:\w+:)?cellXfs>)/s
const FORMAT = /<((?:\w+:)?)xf\b((?:[^>"']|"[^"]*"|'[^']*')*?)(?:\/>|>(.*?)<\/(?:\w+:)?xf>)/gs

/** @param source `xl/styles.xml`; null when the workbook has none. */
export function createStyles(source: string | null): Styles {
  const xml = source && plainMarkup(source)
  const list = xml === null ? null : LIST.exec(xml)
  const formats = Array.from((list?.[2] ?? '').matchAll(FORMAT))
  const added: string[] = []
  const wrapped = new Map<number, number>()

  function wrap(index: number): number {
    const known = wrapped.get(index)
    if (known !== undefined) return known
    const [, prefix = '', attributes = '', content = ''] = formats[index] ?? []
    const alignment = new Map(attributesOf(/<(?:\w+:)?alignment\b([^>]*?)\/?>/.exec(content)?.[1] ?? ''))
    if (/^(1|true)$/.test(alignment.get('wrapText') ?? '')) return index
    alignment.set('wrapText', '1')
    const written = Array.from(alignment, ([name, value]) => ` ${name}="${value}"`).join('')
    const rest = content.replace(/<(?:\w+:)?alignment\b[^>]*?(?:\/>|>.*?<\/(?:\w+:)?alignment>)/s, '')
    const own = attributes.replace(/\sapplyAlignment="[^"]*"/, '').trimEnd()
    added.push(`<${prefix}xf${own} applyAlignment="1"><${prefix}alignment${written}/>${rest}</${prefix}xf>`)
    const number = formats.length + added.length - 1
    wrapped.set(index, number)
    return number
  }

  return {
    wrapped(attributes) {
      if (!list || formats.length === 0) return attributes
      const index = Number(/\ss="(\d+)"/.exec(attributes)?.[1] ?? 0)
      return `${attributes.replace(/\ss="[^"]*"/, '')} s="${wrap(index)}"`
    },
    toXml() {
      if (xml === null || added.length === 0) return null
      const count = formats.length + added.length
      return xml.replace(LIST, (_, open: string, content: string, close: string) => {
        const counted = open.replace(/\scount="[^"]*"/, ` count="${count}"`)
        return counted + content + added.join('') + close
      })
    },
  }
}
