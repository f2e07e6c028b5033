/** Text blocks of a PDF: the tokens of Markdown as paragraphs, lists, tables and code. */
import type { Token, Tokens } from 'marked'
import { unbroken } from '../../platform/visible.ts'
import { directionMark, directionParts, inDirection } from './fonts.ts'
import { isSafeLink, markdownTokens, markOf, unescaped } from './markdown.ts'
import { COLOR, type Pages, type TextStyle } from './pdf-page.ts'

/** A run of text in one style. */
interface Piece {
  readonly text: string
  readonly bold: boolean
  readonly italic: boolean
  readonly code: boolean
  readonly link: string | null
  /** Ends the line after it. */
  readonly newLine: boolean
}

const SIZE = 9.5
const HEADING_SIZES = [16, 13.5, 12, 11, 10, 9.5]
const LINE = 1.42
const INDENT = 14
const CELL_PADDING = 5

/** Draws the text from the cursor. Raw HTML is shown as text, pictures by their alternative text. */
export async function drawMarkdown(pages: Pages, markdown: string): Promise<void> {
  await drawBlocks(pages, await markdownTokens(markdown), 0)
  pages.y += 4
}

async function drawBlocks(pages: Pages, tokens: readonly Token[], indent: number): Promise<void> {
  for (const token of tokens) await drawBlock(pages, token, indent)
}

async function drawBlock(pages: Pages, token: Token, indent: number): Promise<void> {
  switch (token.type) {
    case 'heading':
      return drawHeading(pages, token as Tokens.Heading, indent)
    case 'paragraph':
    case 'text':
      await drawPieces(pages, piecesOf((token as Tokens.Text).tokens ?? [token]), { size: SIZE }, indent)
      pages.y += 5
      return
    case 'list':
      return drawList(pages, token as Tokens.List, indent)
    case 'blockquote':
      return drawQuote(pages, token as Tokens.Blockquote, indent)
    case 'code':
      return drawCode(pages, (token as Tokens.Code).text, indent)
    case 'table':
      return drawSmallTable(pages, token as Tokens.Table, indent)
    case 'hr':
      await pages.ensure(12)
      pages.line(pages.left + indent, pages.y + 5, pages.left + pages.width, pages.y + 5, COLOR.line, 0.8)
      pages.y += 12
      return
    case 'html':
      await drawPieces(pages, [plain((token as Tokens.HTML).raw.trimEnd())], { size: SIZE }, indent)
      pages.y += 5
      return
    default:
  }
}

async function drawHeading(pages: Pages, { depth, tokens }: Tokens.Heading, indent: number): Promise<void> {
  const size = HEADING_SIZES[depth - 1] ?? SIZE
  if (!pages.atTop) pages.y += size * 0.5
  // A heading does not stand alone at the end of a page.
  await pages.ensure(size * LINE + 3 * SIZE * LINE)
  const pieces = piecesOf(tokens).map((piece) => ({ ...piece, bold: true }))
  await drawPieces(pages, pieces, { size, color: COLOR.accent }, indent)
  pages.y += size * 0.3
}

async function drawList(pages: Pages, { ordered, start, items }: Tokens.List, indent: number): Promise<void> {
  let number = typeof start === 'number' ? start : 1
  const style: TextStyle = { size: SIZE, color: COLOR.accent }
  for (const item of items) {
    await pages.ensure(SIZE * LINE)
    const mark = markOf(item, ordered ? `${number}.` : '•')
    pages.text(mark, pages.left + indent + 2, pages.y + SIZE * 1.1, style)
    const inner = indent + Math.max(INDENT, pages.fonts.measure(mark, SIZE) + 7)
    const before = pages.y
    await drawBlocks(pages, item.tokens, inner)
    if (pages.y > before) pages.y -= item.loose ? 0 : 3.5
    else pages.y += SIZE * LINE
    number += 1
  }
  pages.y += 5
}

async function drawQuote(pages: Pages, { tokens }: Tokens.Blockquote, indent: number): Promise<void> {
  const top = pages.y
  const page = pages.doc.page
  await drawBlocks(pages, tokens, indent + INDENT)
  const from = pages.doc.page === page ? top : pages.y - SIZE * LINE
  pages.rect(pages.left + indent + 2, from, 2, pages.y - from - 5, COLOR.line)
}

async function drawCode(pages: Pages, text: string, indent: number): Promise<void> {
  for (const line of text.split('\n')) {
    const lines = wrapPieces(pages, [plain(line === '' ? ' ' : line)], { size: SIZE - 1 }, pages.width - indent - 16)
    for (const pieces of lines) {
      const height = (SIZE - 1) * LINE
      await pages.ensure(height)
      pages.rect(pages.left + indent, pages.y, pages.width - indent, height + 0.5, COLOR.zebra)
      drawLine(pages, pieces, pages.left + indent + 8, pages.y + (SIZE - 1) * 1.1, { size: SIZE - 1 })
      pages.y += height
    }
  }
  pages.y += 7
}

async function drawSmallTable(pages: Pages, { header, rows, align }: Tokens.Table, indent: number): Promise<void> {
  const size = SIZE - 1
  const all = [header, ...rows].map((cells, row) =>
    cells.map(({ tokens }) => piecesOf(tokens).map((piece) => (row === 0 ? { ...piece, bold: true } : piece))),
  )
  const available = pages.width - indent
  const natural = header.map(
    (_, column) => Math.max(...all.map((cells) => widthOf(pages, cells[column] ?? [], size))) + 2 * CELL_PADDING,
  )
  const total = natural.reduce((sum, width) => sum + width, 0)
  const widths = total > available ? natural.map((width) => (width * available) / total) : natural
  for (const [row, cells] of all.entries()) {
    const laid = cells.map((pieces, column) =>
      wrapPieces(pages, pieces, { size }, (widths[column] ?? 0) - 2 * CELL_PADDING),
    )
    const height = Math.max(1, ...laid.map((lines) => lines.length)) * size * LINE + 4
    await pages.ensure(height)
    const right = pages.left + indent + widths.reduce((sum, width) => sum + width, 0)
    if (row === 0) pages.rect(pages.left + indent, pages.y, right - pages.left - indent, height, COLOR.head)
    let x = pages.left + indent
    for (const [column, lines] of laid.entries()) {
      const width = widths[column] ?? 0
      for (const [number, pieces] of lines.entries()) {
        const space = width - 2 * CELL_PADDING - widthOf(pages, pieces, size)
        const shift = { right: space, center: space / 2, left: 0 }[align[column] ?? 'left']
        drawLine(pages, pieces, x + CELL_PADDING + shift, pages.y + 2 + size * 1.1 + number * size * LINE, { size })
      }
      x += width
    }
    pages.y += height
    pages.line(pages.left + indent, pages.y, right, pages.y, row === 0 ? COLOR.accent : COLOR.line, 0.5)
  }
  pages.y += 9
}

// --- Text in several styles ---

const plain = (text: string): Piece => ({ text, bold: false, italic: false, code: false, link: null, newLine: false })

function piecesOf(tokens: readonly Token[], style: Piece = plain('')): readonly Piece[] {
  return tokens.flatMap((token): readonly Piece[] => {
    switch (token.type) {
      case 'strong':
        return piecesOf(token.tokens ?? [], { ...style, bold: true })
      case 'em':
        return piecesOf(token.tokens ?? [], { ...style, italic: true })
      case 'codespan':
        return [{ ...style, text: token.text, code: true }]
      case 'link':
        return piecesOf(token.tokens ?? [], { ...style, link: isSafeLink(token.href) ? token.href.trim() : null })
      case 'image':
        return [{ ...style, text: token.text === '' ? (token.title ?? '') : token.text }]
      case 'br':
        return [{ ...style, newLine: true }]
      case 'html':
        return [{ ...style, text: token.raw }]
      case 'checkbox':
        return []
      default:
        return textPieces(token as Tokens.Generic, style)
    }
  })
}

function textPieces({ type, tokens, text, raw }: Tokens.Generic, style: Piece): readonly Piece[] {
  if (type !== 'escape' && tokens) return piecesOf(tokens, style)
  // An escaped character is no part of a reference: values of the app show their own `&amp;`.
  return [{ ...style, text: unbroken(type === 'escape' ? text : unescaped(text ?? raw)) }]
}

const styleOf = ({ bold, italic, link }: Piece, base: TextStyle): TextStyle => ({
  ...base,
  bold: base.bold || bold,
  italic,
  color: link === null ? base.color : COLOR.accent,
})

const widthOf = (pages: Pages, pieces: readonly Piece[], size: number): number =>
  pieces.reduce((sum, { text, bold }) => sum + pages.fonts.measure(text, size, bold), 0)

const textOf = (pieces: readonly Piece[]): string => pieces.map(({ text }) => text).join('')

/** Lines of at most `width` points, in the order of reading. */
function wrapPieces(
  pages: Pages,
  pieces: readonly Piece[],
  style: TextStyle,
  width: number,
): readonly (readonly Piece[])[] {
  const paragraphs: Piece[][] = [[]]
  for (const piece of pieces) {
    if (piece.newLine) paragraphs.push([])
    else paragraphs.at(-1)!.push(piece)
  }
  return paragraphs
    .flatMap((paragraph) => {
      const whole = textOf(paragraph)
      return wrapParagraph(pages, paragraph, style, width).map(([first, ...rest]) =>
        first ? [{ ...first, text: directionMark(whole, textOf([first, ...rest])) + first.text }, ...rest] : [],
      )
    })
    .filter((line, index, { length }) => line.length > 0 || index < length - 1)
}

function wrapParagraph(
  pages: Pages,
  pieces: readonly Piece[],
  { size }: TextStyle,
  width: number,
): readonly (readonly Piece[])[] {
  const lines: Piece[][] = [[]]
  let used = 0
  const start = () => {
    lines.push([])
    used = 0
  }
  const put = (piece: Piece, text: string, measured: number) => {
    const line = lines.at(-1)!
    const last = line.at(-1)
    const same =
      last &&
      last.bold === piece.bold &&
      last.italic === piece.italic &&
      last.code === piece.code &&
      last.link === piece.link
    if (same) line[line.length - 1] = { ...last, text: last.text + text }
    else line.push({ ...piece, text })
    used += measured
  }
  for (const piece of pieces) {
    for (const word of piece.text.split(/(?<=\s)(?=\S)/u)) {
      const measured = pages.fonts.measure(word, size, piece.bold)
      if (used > 0 && used + pages.fonts.measure(word.trimEnd(), size, piece.bold) > width) start()
      if (measured <= width || word.trimEnd() === '') {
        put(piece, word, measured)
        continue
      }
      for (const char of word) {
        const wide = pages.fonts.measure(char, size, piece.bold)
        if (used + wide > width) start()
        put(piece, char, wide)
      }
    }
  }
  return lines
}

/** The pieces of a line from left to right, each in one direction. */
function inOrder(pieces: readonly Piece[]): readonly Piece[] {
  const line = textOf(pieces)
  const parts = directionParts(line)
  if (parts.length === 1 && !parts[0]!.isTurned) return pieces
  const starts = pieces.map((_, index) => textOf(pieces.slice(0, index)).length)
  return parts.flatMap(({ first, last, isTurned }) => {
    const within = pieces.flatMap((piece, index): readonly Piece[] => {
      const start = starts[index]!
      const text = piece.text.slice(Math.max(0, first - start), Math.max(0, last + 1 - start))
      return text === '' ? [] : [{ ...piece, text: inDirection(text, isTurned) }]
    })
    return isTurned ? within.toReversed() : within
  })
}

async function drawPieces(pages: Pages, pieces: readonly Piece[], base: TextStyle, indent: number): Promise<void> {
  const height = base.size * LINE
  for (const line of wrapPieces(pages, pieces, base, pages.width - indent)) {
    await pages.ensure(height)
    drawLine(pages, line, pages.left + indent, pages.y + base.size * 1.1, base)
    pages.y += height
  }
}

function drawLine(pages: Pages, pieces: readonly Piece[], x: number, base: number, style: TextStyle): void {
  let at = x
  for (const piece of inOrder(pieces)) {
    const width = pages.fonts.measure(piece.text, style.size, style.bold || piece.bold)
    if (piece.code) pages.rect(at - 1, base - style.size, width + 2, style.size * 1.3, COLOR.head)
    pages.text(piece.text, at, base, styleOf(piece, style))
    if (piece.link !== null) {
      pages.line(at, base + 1.5, at + width, base + 1.5, COLOR.accent, 0.4)
      // Archives allow only annotations that are printed (flag 4).
      pages.doc.link(at, base - style.size, width, style.size * 1.3, piece.link, { F: 4 } as object)
    }
    at += width
  }
}
