/** Markdown of text blocks as HTML: CommonMark with tables; raw HTML is text, pictures are their text, links are safe. */
import type { MarkedExtension, Token, Tokens } from 'marked'
import { allowedText, escapeText } from './markup.ts'

const LINKS = /^(?:https?:|mailto:)/i

/** Whether a link of a text block may be followed: http, https and mailto. */
export const isSafeLink = (href: string): boolean => LINKS.test(href.trim())

/** Without links made of bare addresses: those may stand in data. */
const SYNTAX: MarkedExtension = { gfm: true, tokenizer: { url: () => undefined } }

/** The tokens of a text block, for writers other than HTML. */
export async function markdownTokens(markdown: string): Promise<Token[]> {
  const { Marked } = await import('marked')
  return new Marked(SYNTAX).lexer(markdown)
}

/** Names of characters that people write in texts; browsers know all of HTML. */
const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: '\u00a0',
  shy: '\u00ad',
  euro: '€',
  pound: '£',
  copy: '©',
  reg: '®',
  trade: '™',
  deg: '°',
  plusmn: '±',
  times: '×',
  middot: '·',
  bull: '•',
  hellip: '…',
  ndash: '–',
  mdash: '—',
  laquo: '«',
  raquo: '»',
  larr: '←',
  rarr: '→',
}

/** The text of a token with its character references (`&amp;`, `&#8364;`), for writers other than HTML. */
export const unescaped = (text: string): string =>
  text.replaceAll(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]{2,6}));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return Object.hasOwn(ENTITIES, name) ? ENTITIES[name]! : whole
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal)
    return code > 0 && code <= 0x10_ff_ff ? allowedText(String.fromCodePoint(code)) : whole
  })

/** The mark before an item of a list. */
export const markOf = ({ task, checked }: Tokens.ListItem, mark: string): string => {
  if (!task) return mark
  return checked ? '☑' : '☐'
}

/** `decorate` gives the attributes of an element, such as ` style="..."` for mails. */
export async function markdownToHtml(
  markdown: string,
  decorate: (element: string) => string = () => '',
): Promise<string> {
  const { Marked } = await import('marked')
  const marked = new Marked(SYNTAX, {
    renderer: {
      html: ({ text }: Tokens.HTML | Tokens.Tag) => escapeText(text),
      image: ({ text, href }: Tokens.Image) => escapeText(text || href),
      link({ href, tokens }: Tokens.Link) {
        const text = this.parser.parseInline(tokens)
        return isSafeLink(href)
          ? `<a href="${escapeText(href.trim())}"${decorate('a')} rel="noopener noreferrer">${text}</a>`
          : text
      },
      // The title of the report is the only heading of level 1.
      heading({ depth, tokens }: Tokens.Heading) {
        const level = Math.max(2, depth)
        return `<h${level}${decorate(`h${level}`)}>${this.parser.parseInline(tokens)}</h${level}>\n`
      },
      paragraph({ tokens }: Tokens.Paragraph) {
        return `<p${decorate('p')}>${this.parser.parseInline(tokens)}</p>\n`
      },
      code: ({ text }: Tokens.Code) => `<pre${decorate('pre')}><code>${escapeText(text)}</code></pre>\n`,
      checkbox: ({ checked }: Tokens.Checkbox) => (checked ? '☑ ' : '☐ '),
      table({ header, rows }: Tokens.Table) {
        const line = (cells: readonly Tokens.TableCell[], name: 'th' | 'td') =>
          `<tr>${cells.map((cell) => `<${name}${decorate(cell.align === 'right' ? `${name}n` : name)}${name === 'th' ? ' scope="col"' : ''}>${this.parser.parseInline(cell.tokens)}</${name}>`).join('')}</tr>`
        return `<table${decorate('small')}><thead>${line(header, 'th')}</thead><tbody>${rows.map((row) => line(row, 'td')).join('')}</tbody></table>\n`
      },
    },
  })
  return marked.parse(markdown, { async: false })
}
