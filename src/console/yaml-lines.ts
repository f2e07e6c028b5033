/** YAML as HTML, one element a line, coloured by what the parts are. */
import { escapeHtml, visible } from '../platform/visible.ts'

const KEY = /^(\s*(?:- )*)("(?:[^"\\]|\\.)*"|[^\s#"'[{][^:]*?):(?=\s|$)(.*)$/
const ITEM = /^(\s*(?:- )+)(.*)$/
const BLOCK = /^[|>][+-]?\d?$/
const PLAIN: readonly (readonly [RegExp, string])[] = [
  [/^-?\d+(\.\d+)?(e[+-]?\d+)?$/i, 'number'],
  [/^(true|false)$/, 'boolean'],
  [/^(null|~|\[\]|\{\})$/, 'nothing'],
]

/** `text` as the YAML library writes it: block style, two spaces a level. Lines of top-level sections get an id. */
export function yamlLines(text: string): string {
  // Inside a block of text nothing is a key, whatever it looks like.
  let block: number | null = null
  return text
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => {
      const indent = line.search(/\S/)
      if (block !== null && (indent < 0 || indent > block)) return wrap(span('text', line), indent)
      block = null
      const [, lead = '', key, rest = ''] = KEY.exec(line) ?? []
      if (key === undefined) return wrap(itemOf(line), indent)
      const value = rest.trim()
      if (BLOCK.test(value)) block = indent
      const id = indent === 2 && lead === '  ' ? ` id="s-${escapeHtml(key)}"` : ''
      return wrap(`${escapeHtml(lead)}${span('key', key)}:${rest === '' ? '' : ` ${scalar(value)}`}`, indent, id)
    })
    .join('')
}

function itemOf(line: string): string {
  const [, lead, rest] = ITEM.exec(line) ?? []
  return lead === undefined ? span('text', line) : `${escapeHtml(lead)}${scalar(rest ?? '')}`
}

function scalar(value: string): string {
  const kind = PLAIN.find(([pattern]) => pattern.test(value))?.[1] ?? (/\*{10}"?$/.test(value) ? 'masked' : 'text')
  return span(kind, value)
}

const span = (kind: string, text: string): string => `<span class="${kind}">${escapeHtml(visible(text))}</span>`

const wrap = (html: string, indent: number, id = ''): string =>
  `<span class="line" data-indent="${Math.max(indent, 0)}"${id}>${html || ' '}</span>`
