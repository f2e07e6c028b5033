/** The fonts of documents: widths, glyphs, and the characters that no font has. */
import { readFile } from 'node:fs/promises'
import type { Font } from 'fontkit'
import { readAsset } from '../../platform/assets.ts'
import { errorText } from '../../platform/errors.ts'

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
  /** Of a collection: its first font. */
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
}

/** Scripts whose glyphs depend on their neighbours; combining marks; joiners. Such text goes through the shaper of fontkit. */
const NEEDS_SHAPING =
  /\p{M}|\p{Join_Control}|\p{scx=Hebr}|\p{scx=Arab}|\p{scx=Syrc}|[\u0900-\u0dff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]/u
/** Characters that are drawn as nothing. */
const INVISIBLE = /\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}|\p{Variation_Selector}/u
const MOST_MISSING = 10

/** Whether the text has to be laid out by fontkit; other text is a row of glyphs, one a code point. */
export const needsShaping = (text: string): boolean => NEEDS_SHAPING.test(text)

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
      unreadable(path, errorText(error))
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
      width += run.face.font.layout(run.text).advanceWidth / run.face.font.unitsPerEm
    }
    return width
  }

  return {
    regular,
    bold,
    faces: [regular, bold, ...additional],
    fontFor,
    measure(text, size, isBold = false) {
      if (needsShaping(text)) return shaped(text, isBold) * size
      let width = 0
      for (const char of text) width += advance(char, isBold)
      return width * size
    },
    takeMissing() {
      const taken = [...missing]
      missing.clear()
      return taken
    },
  }
}

/** The text, or as much of its beginning as fits with an ellipsis into `width`, in the unit of `size`. */
export function fitted(text: string, width: number, size: number, fonts: FontSet, bold = false): string {
  // A text that was made to fit exactly may be a hair wider.
  if (fonts.measure(text, size, bold) <= width + HAIR) return text
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

interface FontRun {
  readonly face: FontFace
  readonly text: string
}

/** Cuts a text where its font changes. */
export function runsOf(text: string, fontFor: (char: string) => FontFace): readonly FontRun[] {
  const runs: { face: FontFace; text: string }[] = []
  for (const char of text) {
    const face = fontFor(char)
    const last = runs.at(-1)
    if (last?.face === face) last.text += char
    else runs.push({ face, text: char })
  }
  return runs
}
