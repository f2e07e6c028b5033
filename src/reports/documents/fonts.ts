/** The fonts of documents: widths, glyphs, and the characters that no font has. */
import { readFile } from 'node:fs/promises'
import createBidi from 'bidi-js'
import type { Font, GlyphRun } from 'fontkit'
import { readAsset } from '../../platform/assets.ts'
import { errorWithoutPath } from '../../platform/file-errors.ts'
import type { Warn } from '../types.ts'

/** Family of the built-in font, as SVG and CSS name it. */
export const FONT_FAMILY = 'DejaVu Sans Condensed'
/** For HTML, whose reader may not have it. */
export const FONT_STACK = `'${FONT_FAMILY}','Segoe UI',Arial,sans-serif`

export interface FontFace {
  /** `regular`, `bold`, `additional-1`, ...; unique, for `registerFont` of PDFKit. */
  readonly name: string
  readonly family: string
  /** The whole file; of a collection (`.ttc`) with all its fonts. */
  readonly bytes: Uint8Array
  /** The first one of a collection. */
  readonly font: Font
}

export interface FontSet {
  readonly regular: FontFace
  readonly bold: FontFace
  /** Regular, bold, then the additional fonts. */
  readonly faces: readonly FontFace[]
  /**
   * The first face with a glyph for the character (one code point): the built-in one, then the additional ones in their
   * order. Without any: the built-in face, which draws an empty box, and the character counts as missing. Ask before drawing.
   */
  fontFor(char: string, bold?: boolean): FontFace
  /** Width of a line of text in points, the size in points; pixels give pixels. */
  measure(text: string, size: number, bold?: boolean): number
  /** The first 10 characters that `fontFor` found no glyph for since the last call, for `GLYPH_MISSING`. */
  takeMissing(): readonly string[]
  /** Counts a text of which a document does not show all, for `TEXT_TRUNCATED`. */
  noteCut(text: string): void
  /** The different texts that were noted since the last call. */
  takeCuts(): readonly string[]
}

/** Scripts whose glyphs depend on their neighbours; combining marks; joiners. Such text goes through the shaper of fontkit. */
const NEEDS_SHAPING =
  /\p{M}|\p{Join_Control}|\p{scx=Hebr}|\p{scx=Arab}|\p{scx=Syrc}|[\u0900-\u0dff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]/u
/** The blocks of scripts that are read from right to left, with their digits and signs, and the marks that turn other text. */
const RIGHT_TO_LEFT =
  /[\u0590-\u08ff\u200f\u202b\u202e\u2067\ufb1d-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u
/** Marks that say in which direction text is read: they have no glyph, but choose the order of their line. */
const DIRECTION_MARK = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu
/** Characters for which the shaper would take the box of a missing glyph. */
const UNSHAPED = /\p{Cc}|\p{Cs}|\p{Noncharacter_Code_Point}/gu
/** Characters that are drawn as nothing. */
const INVISIBLE = /\p{Cc}|\p{Cf}|\p{Cs}|\p{Zl}|\p{Zp}|\p{Variation_Selector}|\p{Noncharacter_Code_Point}/u
const MOST_MISSING = 10
const NO_CUTS: readonly string[] = []

/** Most texts have letters of these blocks alone, and need no further look. */
const LATIN = /^[\0-\u02ff]*$/

/** Whether a text is more than a row of glyphs, one a code point, from left to right. */
export const needsLayout = (text: string): boolean =>
  !LATIN.test(text) && (NEEDS_SHAPING.test(text) || RIGHT_TO_LEFT.test(text))

/** Whether the character is drawn as nothing. */
export const isInvisible = (char: string): boolean => INVISIBLE.test(char)

/**
 * Loads the built-in font and the files at `paths`. A file that cannot be read or is no font is left out and passed to
 * `unreadable`.
 */
export async function loadFonts(
  paths: readonly string[] = [],
  unreadable: (path: string, problem: string) => void = () => undefined,
): Promise<FontSet> {
  const fontkit = await import('fontkit')
  const faceOf = (name: string, bytes: Uint8Array): FontFace => {
    const opened = fontkit.create(bytes as Buffer)
    const font = 'fonts' in opened ? opened.fonts[0] : opened
    if (!font) throw new Error('the collection holds no font')
    return { name, family: font.familyName, bytes, font }
  }
  const [regular, bold] = await Promise.all([regularBytes(), boldBytes()])
  const additional: FontFace[] = []
  for (const path of paths) {
    try {
      additional.push(faceOf(`additional-${additional.length + 1}`, await readFile(path)))
    } catch (error) {
      unreadable(path, errorWithoutPath(error))
    }
  }
  return fontSet(faceOf('regular', regular), faceOf('bold', bold), additional)
}

const regularBytes = () =>
  readAsset(
    () => import('dejavu-fonts-ttf/ttf/DejaVuSansCondensed.ttf', { with: { type: 'file' } }),
    () => import.meta.resolve('dejavu-fonts-ttf/ttf/DejaVuSansCondensed.ttf'),
  )
const boldBytes = () =>
  readAsset(
    () => import('dejavu-fonts-ttf/ttf/DejaVuSansCondensed-Bold.ttf', { with: { type: 'file' } }),
    () => import.meta.resolve('dejavu-fonts-ttf/ttf/DejaVuSansCondensed-Bold.ttf'),
  )

function fontSet(regular: FontFace, bold: FontFace, additional: readonly FontFace[]): FontSet {
  const missing = new Set<string>()
  const cuts = new Set<string>()
  const known = new Map<string, FontFace | null>()
  const advances = new Map<string, number>()

  /** Null: no font has it. */
  function faceOf(char: string, isBold: boolean): FontFace | null {
    const key = isBold ? `b${char}` : char
    const found = known.get(key)
    if (found !== undefined) return found
    const first = isBold ? bold : regular
    const code = char.codePointAt(0) ?? 0
    const face = [first, ...additional].find(({ font }) => font.hasGlyphForCodePoint(code))
    const chosen = face ?? (INVISIBLE.test(char) ? first : null)
    known.set(key, chosen)
    return chosen
  }

  function fontFor(char: string, isBold = false): FontFace {
    const face = faceOf(char, isBold)
    if (!face && missing.size < MOST_MISSING) missing.add(char)
    return face ?? (isBold ? bold : regular)
  }

  /** In units of 1 em. */
  function advance(char: string, isBold: boolean): number {
    const key = isBold ? `b${char}` : char
    const found = advances.get(key)
    if (found !== undefined) return found
    const { font } = faceOf(char, isBold) ?? (isBold ? bold : regular)
    const width = INVISIBLE.test(char)
      ? 0
      : font.glyphForCodePoint(char.codePointAt(0) ?? 0).advanceWidth / font.unitsPerEm
    advances.set(key, width)
    return width
  }

  function shaped(text: string, isBold: boolean): number {
    let width = 0
    for (const run of runsOf(text, (char) => faceOf(char, isBold) ?? (isBold ? bold : regular))) {
      const { font } = run.face
      if (run.isShaped) width += shape(font, run).advanceWidth / font.unitsPerEm
      else for (const char of run.text) width += advance(char, isBold)
    }
    return width
  }

  return {
    regular,
    bold,
    faces: [regular, bold, ...additional],
    fontFor,
    measure(text, size, isBold = false) {
      if (needsLayout(text)) return shaped(text, isBold) * size
      let width = 0
      for (const char of text) width += advance(char === '\t' ? ' ' : char, isBold)
      return width * size
    },
    takeMissing() {
      const taken = [...missing]
      missing.clear()
      return taken
    },
    noteCut(text) {
      cuts.add(text)
    },
    takeCuts() {
      if (cuts.size === 0) return NO_CUTS
      const taken = [...cuts]
      cuts.clear()
      return taken
    },
  }
}

/** The text, or as much of its beginning as fits with an ellipsis into `width`, in the unit of `size`; the text is then noted as cut. */
export function fitted(text: string, width: number, size: number, fonts: FontSet, bold = false): string {
  if (isFitting(text, width, size, fonts, bold)) return text
  fonts.noteCut(text)
  return shortened(text, width, size, fonts, bold)
}

/** The text where all of it fits, else '' and the text is noted as cut: a part of a number would be another number. */
export function fittedWhole(text: string, width: number, size: number, fonts: FontSet): string {
  if (isFitting(text, width, size, fonts)) return text
  fonts.noteCut(text)
  return ''
}

/** A text that was made to fit exactly may be a hair wider. */
const isFitting = (text: string, width: number, size: number, fonts: FontSet, bold = false): boolean =>
  fonts.measure(text, size, bold) <= width + HAIR

/** The beginning of a text, so far that it fits with an ellipsis. */
export function shortened(text: string, width: number, size: number, fonts: FontSet, bold = false): string {
  const chars = [...text]
  let low = 0
  let high = chars.length
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (fonts.measure(`${chars.slice(0, middle).join('')}…`, size, bold) <= width) low = middle
    else high = middle - 1
  }
  return `${chars.slice(0, low).join('').trimEnd()}…`
}
const HAIR = 0.05

const MOST_QUOTED = 3
const MOST_LETTERS = 60

/** Reports the texts that were noted as cut since the last call; `block` is the key of theirs. */
export function reportCuts(fonts: Pick<FontSet, 'takeCuts'>, warn: Warn, block?: string): void {
  const cuts = fonts.takeCuts()
  if (cuts.length === 0) return
  const quoted = cuts.slice(0, MOST_QUOTED).map((text) => {
    const letters = [...text]
    return `"${letters.length > MOST_LETTERS ? `${letters.slice(0, MOST_LETTERS).join('')}…` : text}"`
  })
  const more = cuts.length > MOST_QUOTED ? ', …' : ''
  warn(
    'TEXT_TRUNCATED',
    `${cuts.length === 1 ? 'no room for' : `no room for ${cuts.length} texts:`} ${quoted.join(', ')}${more}`,
    block,
  )
}

export interface FontRun {
  readonly face: FontFace
  /** In the order of reading where it is shaped, else in that of drawing. */
  readonly text: string
  /** Laid out by `shape`, which also turns it. */
  readonly isShaped: boolean
  /** Read from right to left. */
  readonly isTurned: boolean
}

/** The glyphs of a shaped run from left to right, in a parsed copy of its font. */
export const shape = (font: Font, { text, isTurned }: Pick<FontRun, 'text' | 'isTurned'>): GlyphRun =>
  // Without a direction fontkit takes that of the letters of the script, but the digits of Arabic run from left to right.
  font.layout(text, [], undefined, undefined, isTurned ? 'rtl' : 'ltr')

/** The parts of a line from left to right: it is cut where its font or its direction changes. */
export function runsOf(text: string, fontFor: (char: string) => FontFace): readonly FontRun[] {
  // A tab has no width of its own in a line.
  const line = text.replaceAll('\t', ' ')
  return directionsOf(line).flatMap(({ text: part, isTurned }) => {
    const runs = cutByFont(part, fontFor).map((run): FontRun => {
      const isShaped = needsLayout(run.text)
      const shown = isShaped ? run.text.replace(UNSHAPED, '') : isTurned ? turned(run.text) : run.text
      return { ...run, text: shown, isShaped, isTurned }
    })
    return isTurned ? runs.reverse() : runs
  })
}

const turned = (text: string): string => [...text].reverse().join('')

function cutByFont(text: string, fontFor: (char: string) => FontFace): readonly { face: FontFace; text: string }[] {
  const runs: { face: FontFace; text: string }[] = []
  for (const char of text) {
    const face = fontFor(char)
    const last = runs.at(-1)
    if (last?.face === face) last.text += char
    else runs.push({ face, text: char })
  }
  return runs
}

// --- Directions ---

const bidi = createBidi()

interface Direction {
  /** Units of the line, the last one is part of it. */
  readonly first: number
  readonly last: number
  /** Read from right to left. */
  readonly isTurned: boolean
}

/** Whether no part of a text is read from right to left. */
const runsAhead = (text: string): boolean => LATIN.test(text) || !RIGHT_TO_LEFT.test(text)

/** `bidi-js` sees the halves of characters outside the first plane, and takes them for letters of Latin. */
const typed = (line: string): string =>
  line.replace(/[\u{10000}-\u{10ffff}]/gu, (char) =>
    RIGHT_TO_LEFT.test(char) ? '\u05d0\u05d0' : /[\p{S}\p{P}]/u.test(char) ? '**' : char,
  )

/**
 * The parts of a line from left to right by the bidirectional algorithm of Unicode (UAX #9). The first letter decides about
 * the line, so a mark of direction at its beginning does.
 */
export function directionParts(line: string): readonly Direction[] {
  if (line === '') return []
  if (runsAhead(line)) return [{ first: 0, last: line.length - 1, isTurned: false }]
  const embedding = bidi.getEmbeddingLevels(typed(line))
  const parts: { first: number; last: number; level: number }[] = []
  for (const index of bidi.getReorderedIndices(typed(line), embedding)) {
    const part = parts.at(-1)
    const level = embedding.levels[index] ?? 0
    if (part?.level !== level) parts.push({ first: index, last: index, level })
    else {
      part.first = Math.min(part.first, index)
      part.last = Math.max(part.last, index)
    }
  }
  return parts.map(({ first, last, level }) => ({ first, last, isTurned: level % 2 === 1 }))
}

function directionsOf(line: string): readonly { readonly text: string; readonly isTurned: boolean }[] {
  if (runsAhead(line)) return [{ text: line, isTurned: false }]
  return directionParts(line).map(({ first, last, isTurned }) => {
    const text = line.slice(first, last + 1).replace(DIRECTION_MARK, '')
    return { text: isTurned ? text.replace(/./gsu, (char) => bidi.getMirroredCharacter(char) ?? char) : text, isTurned }
  })
}

/** A part of a line in the direction that `directionParts` gave it. */
export const inDirection = (text: string, isTurned: boolean): string =>
  runsAhead(text) && !isTurned ? text : `${isTurned ? '\u202e' : '\u202d'}${text.replace(DIRECTION_MARK, '')}`

/** A part of a sentence whose direction its own first letter decides, so that the words around it do not tear a date apart. */
export const isolated = (text: string): string => (runsAhead(text) ? text : `\u2068${text}\u2069`)

/**
 * The first letter of a paragraph decides about all its lines: the mark without width that goes before a line which begins
 * otherwise, or ''.
 */
export function directionMark(paragraph: string, line: string): string {
  if (runsAhead(paragraph) || line === '') return ''
  const isTurned = isTurnedText(paragraph)
  if (isTurnedText(line) === isTurned) return ''
  return isTurned ? '\u200f' : '\u200e'
}

const isTurnedText = (text: string): boolean =>
  (bidi.getEmbeddingLevels(typed(text)).paragraphs[0]?.level ?? 0) % 2 === 1
