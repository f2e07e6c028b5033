/** A readable text part for HTML templates that bring none. */

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
  middot: '·',
  ndash: '–',
  mdash: '—',
  hellip: '…',
  zwnj: '',
}
/** Elements whose content is not shown. */
const INVISIBLE = new Set(['head', 'style', 'script', 'title'])
/** Each ends a line where it ends. */
const BLOCKS = new Set('p div h1 h2 h3 h4 h5 h6 li tr table pre blockquote ul ol section'.split(' '))
const TAG = /<(\/?)([a-z][a-z\d]*|!)/iy
const ADDRESS = /\bhref\s*=\s*(?:"([^"]*)"|'([^']*)')/i
/** Stand for what must survive the folding of blanks: private characters that no text part needs. */
const KEPT_BREAK = '\ue001'
const KEPT_BLANK = '\ue002'

/**
 * Keeps line breaks of blocks and of preformatted text, writes links as `text (address)`. Every text is read in time in proportion
 * to its length, however many of its tags are not closed.
 */
export function htmlToText(html: string): string {
  const text = withoutTags(visible(html).replace(/\s+/g, ' '))
  const lines = text.split(KEPT_BREAK).map((line) => withoutEnd(line, ' ').trimStart())
  return decode(lines.join('\n'))
    .split('\n')
    .map((line) => withoutEnd(line, ' \t').replace(/^ {1,2}(?=\S)/, ''))
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim()
    .replaceAll(KEPT_BLANK, ' ')
}

function withoutEnd(line: string, blanks: string): string {
  let end = line.length
  while (end > 0 && blanks.includes(line[end - 1]!)) end -= 1
  return line.slice(0, end)
}

/** Without comments and elements that are not shown; preformatted text keeps its breaks and blanks. An element without an end stays. */
function visible(html: string): string {
  const places = createPlaces(html)
  const parts: string[] = []
  let behind = 0
  for (let at = html.indexOf('<'); at >= 0; at = html.indexOf('<', Math.max(at + 1, behind))) {
    const found = specialAt(html, at, places)
    if (found === null) continue
    parts.push(html.slice(behind, at), found.text)
    behind = found.end
  }
  parts.push(html.slice(behind))
  return parts.join('')
}

interface Special {
  readonly text: string
  readonly end: number
}

function specialAt(html: string, at: number, places: Places): Special | null {
  if (html.startsWith('<!--', at)) {
    const comment = places.next('-->', at)
    return comment && { text: '', end: comment.end }
  }
  const tag = tagAt(html, at)
  if (!tag || tag.isClosing) return null
  if (INVISIBLE.has(tag.name)) {
    const closing = places.closing(tag.name, at)
    return closing && { text: '', end: closing.end }
  }
  const open = tag.name === 'pre' ? places.next('>', at) : null
  const close = open && places.closing('pre', open.end)
  return open && close && { text: keep(html.slice(open.end, close.at)), end: close.end }
}

function keep(preformatted: string): string {
  return `${KEPT_BREAK}${preformatted.replace(/\r\n|\r|\n/g, KEPT_BREAK).replace(/[ \t]/g, KEPT_BLANK)}${KEPT_BREAK}`
}

function withoutTags(html: string): string {
  const places = createPlaces(html)
  const endOfTag = createTagEnds(html, places)
  const parts: string[] = []
  let link: { readonly address: string; readonly label: string[] } | null = null
  let behind = 0
  for (let at = html.indexOf('<'); at >= 0; at = html.indexOf('<', Math.max(at + 1, behind))) {
    const tag = tagAt(html, at)
    const end = tag && endOfTag(at)
    if (!tag || end === null) continue
    const shown = link?.label ?? parts
    shown.push(html.slice(behind, at))
    behind = end
    if (link) {
      if (!tag.isClosing || tag.name !== 'a') continue
      parts.push(linkText(link.address, link.label.join('').trim()))
      link = null
      continue
    }
    const address = tag.name === 'a' && !tag.isClosing ? addressIn(html.slice(at, end)) : null
    if (address !== null && places.closing('a', end)) link = { address, label: [] }
    else parts.push(standIn(tag))
  }
  parts.push(...(link?.label ?? []), html.slice(behind))
  return parts.join('')
}

function addressIn(tag: string): string | null {
  const found = ADDRESS.exec(tag)
  return found && (found[1] ?? found[2] ?? '')
}

const linkText = (address: string, label: string): string =>
  label === '' || label === address ? address : `${label} (${address})`

interface Tag {
  /** In small letters; `!` of a declaration. */
  readonly name: string
  readonly isClosing: boolean
}

function tagAt(html: string, at: number): Tag | null {
  TAG.lastIndex = at
  const found = TAG.exec(html)
  return found && { name: found[2]!.toLowerCase(), isClosing: found[1] === '/' }
}

/** The text in place of a tag. */
function standIn({ name, isClosing }: Tag): string {
  if (isClosing) return BLOCKS.has(name) ? KEPT_BREAK : name === 'td' || name === 'th' ? '  ' : ''
  if (name === 'li') return '- '
  return name === 'br' || name === 'hr' ? KEPT_BREAK : ''
}

interface Place {
  readonly at: number
  readonly end: number
}

/** Marks of a text, asked for at places that only grow: each part of the text is searched once for each mark. */
interface Places {
  next(mark: string, from: number): Place | null
  /** `</name>` in any case, with blanks before its end. */
  closing(name: string, from: number): Place | null
}

function createPlaces(html: string): Places {
  const known = new Map<string, Place | null>()
  const search = (key: string, from: number, find: () => Place | null): Place | null => {
    const last = known.get(key)
    if (last === null || (last && last.at >= from)) return last
    const found = find()
    known.set(key, found)
    return found
  }
  return {
    next: (mark, from) =>
      search(mark, from, () => {
        const at = html.indexOf(mark, from)
        return at < 0 ? null : { at, end: at + mark.length }
      }),
    closing: (name, from) =>
      search(`</${name}`, from, () => {
        const expression = CLOSING[name]!
        expression.lastIndex = from
        const found = expression.exec(html)
        return found && { at: found.index, end: expression.lastIndex }
      }),
  }
}

const CLOSING: Readonly<Record<string, RegExp>> = {
  a: /<\/a\s*>/gi,
  head: /<\/head\s*>/gi,
  pre: /<\/pre\s*>/gi,
  script: /<\/script\s*>/gi,
  style: /<\/style\s*>/gi,
  title: /<\/title\s*>/gi,
}

const UNQUOTED = /[^'">]*/y

/** Finds where the tag at a place ends; null for none. Values in quotes may hold a `>`, until quotes do not match once. */
function createTagEnds(html: string, places: Places): (at: number) => number | null {
  let isBroken = false
  return (at) => {
    for (let from = at; !isBroken; ) {
      UNQUOTED.lastIndex = from
      UNQUOTED.exec(html)
      const stop = UNQUOTED.lastIndex
      if (html[stop] === '>') return stop + 1
      const close = stop < html.length ? html.indexOf(html[stop]!, stop + 1) : -1
      if (close < 0) isBroken = true
      from = close + 1
    }
    return places.next('>', at)?.end ?? null
  }
}

function decode(text: string): string {
  return text.replace(/&(?:#(\d+)|#x([\da-f]+)|([a-z]+));/gi, (whole, decimal, hex, name) => {
    if (name) return ENTITIES[name.toLowerCase()] ?? whole
    const code = decimal ? Number(decimal) : Number.parseInt(hex, 16)
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : ''
  })
}
