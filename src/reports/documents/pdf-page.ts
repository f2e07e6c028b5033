/** Pages of a PDF: drawing by coordinates, page breaks, and the lines at the head and foot of every page. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Font } from 'fontkit'
import {
  directionMark,
  type FontFace,
  type FontRun,
  type FontSet,
  fitted,
  isInvisible,
  runsOf,
  shape,
  shortened,
} from './fonts.ts'

/** Colours, red green blue: those of the HTML documents on paper. */
export const COLOR = {
  text: '1f2933',
  muted: '52606d',
  accent: '1f5a96',
  line: 'd9dfe5',
  strong: '8a96a3',
  head: 'e9eff5',
  zebra: 'f4f7fa',
  up: '1f6b5a',
  down: 'a8432e',
  noteFill: 'fdf3e1',
  noteLine: 'd99a2b',
} as const
export type Color = (typeof COLOR)[keyof typeof COLOR]

export interface TextStyle {
  /** Points. */
  readonly size: number
  readonly bold?: boolean
  readonly italic?: boolean
  readonly color?: Color
}

/** Text of a line outside the body; pages count from 1. */
export type PageText = (page: number, pages: number) => string

interface PagesSettings {
  readonly doc: PDFKit.PDFDocument
  readonly fonts: FontSet
  readonly marginPt: number
  /** The title: large on the first page, small on the others. */
  readonly title: PageText | null
  /** Below the title on the first page. */
  readonly subtitle: string
  readonly footer: PageText | null
  readonly signal?: AbortSignal
}

/** The open page, with a cursor from top to bottom. Points; y grows downwards. */
export interface Pages {
  readonly doc: PDFKit.PDFDocument
  readonly fonts: FontSet
  readonly left: number
  readonly width: number
  /** Lower end of the body. */
  readonly bottom: number
  /** Height of the body of a page without the title. */
  readonly bodyHeight: number
  y: number
  /** True while the body of the page is empty. */
  readonly atTop: boolean
  /** Opens the next page; waits while the file is slower than the drawing. */
  newPage(): Promise<void>
  /** Opens the next page unless `height` is left on this one. */
  ensure(height: number): Promise<void>
  /** A line of text from `x` with its base line at `y`; `scale` makes it narrower. */
  text(text: string, x: number, y: number, style: TextStyle): void
  rect(x: number, y: number, width: number, height: number, color: Color): void
  line(x1: number, y1: number, x2: number, y2: number, color: Color, width?: number): void
  /** Writes what has been drawn to the page, before PDFKit itself draws on it. */
  flush(): void
  /** Writes the lines of all pages and ends the document. */
  finish(): void
}

const TITLE_SIZE = 18
const RUNNING_SIZE = 8
/** Bytes that may wait for the file before the next page is drawn. */
const WAITING_BYTES = 1 << 20

/** The part of PDFKit's font that its types leave out. */
interface EmbeddedFont {
  readonly id: string
  ref(): PDFKit.PDFKitReference
  encode(text: string): [hex: readonly string[], positions: unknown]
  /** The parsed copy of this document. */
  readonly font: Font
  readonly subset: { includeGlyph(id: number): number }
  /** Thousandths of the size, by the glyph of the subset. */
  readonly widths: number[]
  /** Characters that a reader copies, by the glyph of the subset. */
  readonly unicode: (readonly number[])[]
}
type Internals = PDFKit.PDFDocument & {
  readonly _font: EmbeddedFont
  readonly page: { readonly fonts: Record<string, unknown>; readonly xobjects: Record<string, unknown> }
}

const round = (value: number): number => Math.round(value * 100) / 100
const rgb = (color: Color): string =>
  [0, 2, 4].map((at) => round(Number.parseInt(color.slice(at, at + 2), 16) / 255)).join(' ')

export function createPages(settings: PagesSettings): Pages {
  const { fonts, marginPt: margin, title, subtitle, footer, signal } = settings
  const doc = settings.doc as Internals
  const write = createWriter(doc, fonts)
  /** The lines of each page: written at the end, when the number of pages is known. */
  const frames: PDFKit.PDFKitReference[] = []
  const width = () => doc.page.width - 2 * margin
  const footSpace = footer ? RUNNING_SIZE + 8 : 0
  let ops: string[] = []
  let top = 0

  function frameOps(page: number, count: number): string {
    const lines: string[] = []
    const put = (text: string, y: number, style: TextStyle) =>
      lines.push(write(ellipsis(fonts, text, width(), style), margin, y, style))
    if (title && page === 1) {
      const text = title(1, count)
      const size = fittingSize(fonts, text, width(), TITLE_SIZE, 12)
      put(text, margin + TITLE_SIZE, { size, bold: true, color: COLOR.accent })
    } else if (title) {
      put(title(page, count), margin + RUNNING_SIZE, { size: RUNNING_SIZE, color: COLOR.muted })
      lines.push(strokeOps(margin, margin + RUNNING_SIZE + 5, margin + width(), margin + RUNNING_SIZE + 5, COLOR.line))
    }
    if (footer) {
      const y = doc.page.height - margin
      lines.push(strokeOps(margin, y - RUNNING_SIZE - 3, margin + width(), y - RUNNING_SIZE - 3, COLOR.line))
      put(footer(page, count), y, { size: RUNNING_SIZE, color: COLOR.muted })
    }
    return lines.join('\n')
  }

  function startPage() {
    doc.addPage()
    const { width: pageWidth, height } = doc.page
    const frame = doc.ref({ Type: 'XObject', Subtype: 'Form', BBox: [0, 0, pageWidth, height] })
    frames.push(frame)
    doc.page.xobjects.Frame = frame
    ops.push('/Frame Do')
    top = margin
    if (title) top += frames.length === 1 ? TITLE_SIZE + 8 : RUNNING_SIZE + 16
    pages.y = top
    if (!title || frames.length > 1) return
    for (const line of wrap(fonts, subtitle, width(), { size: 9 }, 3)) {
      pages.text(line, margin, pages.y + 9, { size: 9, color: COLOR.muted })
      pages.y += 13
    }
    pages.line(margin, pages.y + 3, margin + width(), pages.y + 3, COLOR.accent, 1.2)
    pages.y += 16
    top = pages.y
  }

  const pages: Pages = {
    doc,
    fonts,
    left: margin,
    get width() {
      return width()
    },
    get bottom() {
      return doc.page.height - margin - footSpace
    },
    get bodyHeight() {
      return doc.page.height - 2 * margin - footSpace - (title ? RUNNING_SIZE + 16 : 0)
    },
    y: 0,
    get atTop() {
      return pages.y <= top
    },
    async newPage() {
      signal?.throwIfAborted()
      pages.flush()
      while (doc.readableLength > WAITING_BYTES && !doc.destroyed) await nextTurn()
      if (doc.destroyed) throw new Error('the document cannot be written')
      startPage()
    },
    async ensure(height) {
      if (pages.y + height > pages.bottom && !pages.atTop) await pages.newPage()
    },
    text: (text, x, y, style) => {
      ops.push(write(text, x, y, style))
    },
    rect: (x, y, rectWidth, height, color) => {
      ops.push(`${rgb(color)} rg ${round(x)} ${round(y)} ${round(rectWidth)} ${round(height)} re f`)
    },
    line: (x1, y1, x2, y2, color, lineWidth) => {
      ops.push(strokeOps(x1, y1, x2, y2, color, lineWidth))
    },
    flush() {
      if (ops.length > 0) doc.addContent(`q\n${ops.join('\n')}\nQ`)
      ops = []
    },
    finish() {
      pages.flush()
      for (const [index, frame] of frames.entries()) {
        const text = frameOps(index + 1, frames.length)
        ;(frame as unknown as { data: Record<string, unknown> }).data.Resources = { Font: write.used() }
        frame.end(Buffer.from(text, 'latin1'))
      }
      doc.end()
    },
  }
  startPage()
  return pages
}

const strokeOps = (x1: number, y1: number, x2: number, y2: number, color: Color, width = 0.5): string =>
  `${rgb(color)} RG ${width} w ${round(x1)} ${round(y1)} m ${round(x2)} ${round(y2)} l S`

interface Writer {
  /** Operators that show a line of text. */
  (text: string, x: number, y: number, style: TextStyle): string
  /** The fonts that were used so far, for the resources of a page. */
  used(): Record<string, unknown>
}

/**
 * Shows text by glyph numbers. PDFKit's own `text` lays out each word by the shaper of fontkit, which takes most of the
 * time of a long table; glyphs of simple text are kept in a table here.
 */
function createWriter(doc: Internals, fonts: FontSet): Writer {
  const embedded = new Map<FontFace, EmbeddedFont>()
  const glyphs = new Map<FontFace, Map<string, string>>()

  function fontOf(face: FontFace): EmbeddedFont {
    let font = embedded.get(face)
    if (!font) {
      font = (doc.font(face.name) as Internals)._font
      embedded.set(face, font)
      glyphs.set(face, new Map())
    }
    doc.page.fonts[font.id] ??= font.ref()
    return font
  }

  function simple(face: FontFace, font: EmbeddedFont, text: string): string {
    const known = glyphs.get(face)!
    let hex = ''
    for (const char of text) {
      let code = known.get(char)
      if (code === undefined) {
        code = isInvisible(char) ? '' : font.encode(char)[0].join('')
        known.set(char, code)
      }
      hex += code
    }
    return `<${hex}> Tj`
  }

  const writer = (
    text: string,
    x: number,
    y: number,
    { size, bold = false, italic, color = COLOR.text }: TextStyle,
  ) => {
    if (text === '') return ''
    // The page grows downwards, so glyphs are turned upright; there is no italic font, a skew stands in.
    const matrix = (at: number, base: number) => `1 0 ${italic ? '0.2' : '0'} -1 ${round(at)} ${round(base)} Tm`
    const parts = [`${rgb(color)} rg BT`]
    let at = x
    for (const run of runsOf(text, (char) => fonts.fontFor(char, bold))) {
      const font = fontOf(run.face)
      parts.push(`/${font.id} ${round(size)} Tf`)
      if (run.isShaped) {
        for (const { code, xAdvance, xOffset, yOffset } of shapedGlyphs(font, run)) {
          parts.push(`${matrix(at + xOffset * size, y - yOffset * size)} <${code}> Tj`)
          at += xAdvance * size
        }
      } else {
        parts.push(`${matrix(at, y)} ${simple(run.face, font, run.text)}`)
        for (const char of run.text) at += fonts.measure(char, size, bold)
      }
    }
    parts.push('ET')
    return parts.join(' ')
  }
  return Object.assign(writer, {
    used: () => Object.fromEntries([...embedded.values()].map((font) => [font.id, font.ref()])),
  })
}

/** The glyphs of a run from left to right, added to the subset of the document as `encode` of PDFKit does, which takes no direction. */
function shapedGlyphs(embedded: EmbeddedFont, run: FontRun) {
  const { font, subset, widths, unicode } = embedded
  const { glyphs, positions } = shape(font, run)
  return glyphs.map(({ id, advanceWidth, codePoints }, index) => {
    const glyph = subset.includeGlyph(id)
    widths[glyph] ??= (advanceWidth * 1000) / font.unitsPerEm
    unicode[glyph] ??= codePoints
    const { xAdvance, xOffset, yOffset } = positions[index]!
    const em = (value: number) => value / font.unitsPerEm
    return {
      code: glyph.toString(16).padStart(4, '0'),
      xAdvance: em(xAdvance),
      xOffset: em(xOffset),
      yOffset: em(yOffset),
    }
  })
}

// --- Fitting text ---

/** The size between `smallest` and `size` at which the text is not wider than `width`. */
export const fittingSize = (
  fonts: FontSet,
  text: string,
  width: number,
  size: number,
  smallest: number,
  bold = true,
): number => Math.max(smallest, Math.min(size, (size * width) / Math.max(1, fonts.measure(text, size, bold))))

/** `fitted` in the style of a line. */
export const ellipsis = (fonts: FontSet, text: string, width: number, { size, bold }: TextStyle): string =>
  fitted(text, width, size, fonts, bold)

/** Lines of at most `width`; what does not fit on `maxLines` ends with an ellipsis and is noted as cut. Line feeds end lines. */
export function wrap(
  fonts: FontSet,
  text: string,
  width: number,
  style: TextStyle,
  maxLines = Number.POSITIVE_INFINITY,
): readonly string[] {
  const fits = (line: string) => fonts.measure(line, style.size, style.bold) <= width
  const directed = (paragraph: string, line: string) => `${directionMark(paragraph, line)}${line}`
  const cut = (paragraph: string, line: string): string => {
    fonts.noteCut(text)
    return directed(paragraph, fits(line) ? line : shortened(line, width, style.size, fonts, style.bold))
  }
  if (text === '') return []
  if (!text.includes('\n') && fits(text)) return [text]
  const lines: string[] = []
  const paragraphs = text.split(/\r\n?|\n/)
  for (const [index, paragraph] of paragraphs.entries()) {
    const words = paragraph.split(/(?<=[\s\u00ad-])(?=\S)/u)
    let line = ''
    for (let at = 0; at < words.length; at += 1) {
      const word = words[at]!
      if (fits(`${line}${word}`.trimEnd())) {
        line += word
        continue
      }
      if (lines.length === maxLines - 1) {
        return [...lines, cut(paragraph, `${line}${words.slice(at).join('')}`)]
      }
      if (line !== '') {
        lines.push(directed(paragraph, line.trimEnd()))
        line = ''
        at -= 1
        continue
      }
      const length = fittingLength(word, fits)
      lines.push(directed(paragraph, word.slice(0, length)))
      words[at] = word.slice(length)
      at -= 1
    }
    const last = index === paragraphs.length - 1
    if (lines.length === maxLines - 1 && !last) return [...lines, cut(paragraph, `${line}…`)]
    lines.push(directed(paragraph, line.trimEnd()))
  }
  return lines
}

/** Units of the beginning that fits; at least one character. */
function fittingLength(word: string, fits: (text: string) => boolean): number {
  let length = 0
  for (const char of word) {
    if (length > 0 && !fits(word.slice(0, length + char.length))) break
    length += char.length
  }
  return length
}
