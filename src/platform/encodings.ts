/** Text files of other programs: Excel and the editors of Windows write other encodings than UTF-8. */

/** `declared`: the one that the `Content-Type` of the text names. */
export type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252' | 'declared'

export interface DecodedText {
  /** Without a byte order mark. */
  readonly text: string
  readonly encoding: Encoding
}

/** The bytes are no text, or the text has not the form that is wanted. */
export class TextError extends Error {
  override readonly name = 'TextError'
  /** Line and column from 1, the column in characters; 0 = the text as a whole. */
  constructor(
    readonly reason: string,
    readonly line = 0,
    readonly column = 0,
  ) {
    super(line === 0 ? reason : `line ${line}, column ${column}: ${reason}`)
  }
}

/** A declared encoding that is not known. */
export class CharsetError extends Error {
  override readonly name = 'CharsetError'
}

/** ASCII is a part of it, and declared for it by default. */
const UTF8 = /^(?:utf-?8|us-ascii|ascii)$/i

/**
 * Text in the encoding that its `Content-Type` declares; a byte order mark wins. Without a charset `otherwise` reads it. Throws a
 * `CharsetError` for a charset that is not known, and a `TextError` for bytes that it does not have.
 */
export function declaredText(
  bytes: Uint8Array,
  contentType: string,
  otherwise: (bytes: Uint8Array) => DecodedText,
): DecodedText {
  const charset = /;\s*charset\s*=\s*"?([^\s;"]*)/i.exec(contentType)?.[1] ?? ''
  if (charset === '' || utf16Of(bytes) !== null || formatProblem(bytes)) return otherwise(bytes)
  if (UTF8.test(charset)) return utf8Text(bytes)
  if (hasUtf8Mark(bytes)) return otherwise(bytes)
  const decoder = decoderOf(charset)
  // Many programs declare Latin-1 by default, also for UTF-8.
  if (decoder.encoding === 'windows-1252') return asDeclared(otherwise(bytes))
  let text: string
  try {
    text = decoder.decode(bytes)
  } catch {
    throw new TextError(`it is not ${charset}, which its Content-Type declares`)
  }
  if (text.includes('\0'))
    throw new TextError(`it holds NUL bytes: it is not ${charset}, which its Content-Type declares`)
  return { text, encoding: 'declared' }
}

function utf8Text(bytes: Uint8Array): DecodedText {
  const text = decodeAs('utf-8', bytes)
  if (text === null) throw noUtf8(bufferOf(bytes).toString('latin1'), 'which its Content-Type declares')
  const zero = text.indexOf('\0')
  if (zero >= 0) throw errorAt(text, zero, 'a NUL byte: it is not UTF-8, which its Content-Type declares')
  return { text, encoding: 'utf-8' }
}

const asDeclared = (read: DecodedText): DecodedText =>
  read.encoding === 'windows-1252' ? { text: read.text, encoding: 'declared' } : read

function decoderOf(charset: string): TextDecoder {
  try {
    const decoder = new TextDecoder(charset, { fatal: true })
    // Its letters are of no meaning outside a program.
    if (decoder.encoding !== 'x-user-defined') return decoder
  } catch {
    // Refused like that one.
  }
  throw new CharsetError(
    `The charset "${charset.slice(0, 40)}" of Content-Type is not known. Send the text as UTF-8 with charset=utf-8, or in one of utf-16le, utf-16be, windows-1250 to windows-1258, iso-8859-1 to iso-8859-16, ibm866, koi8-r, koi8-u, macintosh, and others of the Encoding Standard.`,
  )
}

const hasUtf8Mark = (bytes: Uint8Array): boolean => bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf

/** The note to the user about an encoding that was assumed: `the file ${note}`; null for Unicode. */
export const encodingNote = (encoding: Encoding): string | null =>
  encoding === 'windows-1252' ? 'is not UTF-8; it is read as Windows-1252' : null

/**
 * Decodes UTF-16, UTF-8, or else Windows-1252, which gives each byte a character, so that nothing is lost. Broken UTF-16 is
 * read as Windows-1252, too.
 */
export function lenientText(bytes: Uint8Array): DecodedText {
  return (
    unmarkedUtf16(bytes) ?? unicodeText(bytes) ?? { text: decodeAs('windows-1252', bytes)!, encoding: 'windows-1252' }
  )
}

/** Bytes from which UTF-16 is recognised. */
const PROBE = 1024

/** UTF-16 without a byte order mark: of its Latin letters each second byte is NUL, and no other byte. Null for everything else. */
function unmarkedUtf16(bytes: Uint8Array): DecodedText | null {
  if (bytes.length % 2 === 1 || utf16Of(bytes) !== null) return null
  const zeros = [0, 0]
  const probe = bytes.subarray(0, PROBE)
  for (const [at, byte] of probe.entries()) if (byte === 0) zeros[at % 2]! += 1
  const [even = 0, odd = 0] = zeros
  if (even > 0 === odd > 0 || even + odd <= probe.length / 4) return null
  const encoding = odd > 0 ? 'utf-16le' : 'utf-16be'
  const text = decodeAs(encoding, bytes)
  return text === null ? null : { text, encoding }
}

/** UTF-16 with a byte order mark, or UTF-8; null for everything else. */
export function unicodeText(bytes: Uint8Array): DecodedText | null {
  const encoding = utf16Of(bytes) ?? 'utf-8'
  const text = decodeAs(encoding, bytes)
  return text === null ? null : { text, encoding }
}

/**
 * `lenientText` for what is stored: throws a `TextError` for bytes that are no text, and for a damaged or mixed file,
 * in which another encoding would give wrong letters.
 */
export function strictText(bytes: Uint8Array): DecodedText {
  const format = formatProblem(bytes)
  if (format !== null) throw new TextError(format)
  const decoded = unicodeText(bytes) ?? windowsText(bytes)
  const zero = decoded.text.indexOf('\0')
  if (zero >= 0) throw errorAt(decoded.text, zero, 'a NUL byte: this is no text, or UTF-16 without a byte order mark')
  return decoded
}

/** Stands where a letter was lost before. */
export const LOST = '\ufffd'
export const LOST_SIGN = `holds the sign ${LOST} (U+FFFD) in place of a lost letter; export the file again as UTF-8`

/** Why a value of an import is not stored: a letter of one of its texts was lost before, or is half of a pair. Null = nothing is lost. */
export function lostLetter(value: unknown): string | null {
  const json = JSON.stringify(value, (_, part) => (typeof part === 'string' && !part.isWellFormed() ? LOST : part))
  return json.includes(LOST) ? LOST_SIGN : null
}

/** The note to the user about a text that is used although a letter was lost before; null when nothing is lost. */
export function lostNote(text: string): string | null {
  const at = text.indexOf(LOST)
  return at < 0 ? null : `holds the sign ${LOST} (U+FFFD) in place of a lost letter in line ${placeIn(text, at).line}`
}

const SAVE_AGAIN = 'save the file again as UTF-8'
/** Bytes that Windows-1252 does not have. */
const UNASSIGNED = /[\x81\x8d\x8f\x90\x9d]/
/** UTF-8 of more than one byte, in text with a character for each byte. */
const MULTIBYTE =
  /[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}/g
/** European letters and quotes as UTF-8. Others come about in Windows-1252 by chance, such as the end of `Spaß“`. */
const CERTAIN = /^(?:[\xc2-\xc5].|\xe2[\x80-\x84].|\xef\xbf.)$/s

function windowsText(bytes: Uint8Array): DecodedText {
  const utf16 = utf16Of(bytes)
  if (utf16 !== null) throw new TextError(`it begins as ${utf16.toUpperCase()} and is damaged; ${SAVE_AGAIN}`)
  const raw = bufferOf(bytes).toString('latin1')
  if (hasUtf8Mark(bytes) || isMostlyUtf8(raw)) throw noUtf8(raw, 'as the rest is')
  const unassigned = raw.search(UNASSIGNED)
  if (unassigned < 0) return { text: decodeAs('windows-1252', bytes)!, encoding: 'windows-1252' }
  throw errorAt(raw, unassigned, `the byte ${hex(raw[unassigned]!)} is neither UTF-8 nor Windows-1252; ${SAVE_AGAIN}`)
}

/** The first byte of `raw`, a character for each byte, that is no UTF-8; there must be one. */
function noUtf8(raw: string, why: string): TextError {
  // One sign for each character, so that the column is that of an editor.
  const plain = raw.replace(/^\xef\xbb\xbf/, '').replace(MULTIBYTE, '?')
  const at = plain.search(/[\x80-\xff]/)
  return errorAt(plain, at, `the byte ${hex(plain[at]!)} is no UTF-8, ${why}; ${SAVE_AGAIN}`)
}

/** Text that is not UTF-8 as a whole: whether it was meant to be. */
function isMostlyUtf8(raw: string): boolean {
  const sequences = raw.match(MULTIBYTE) ?? []
  if (sequences.some((sequence) => CERTAIN.test(sequence))) return true
  const stray = raw.replace(MULTIBYTE, '').match(/[\x80-\xff]/g)?.length ?? 0
  return sequences.length > stray
}

const hex = (character: string): string => `0x${character.charCodeAt(0).toString(16).toUpperCase()}`

function errorAt(text: string, at: number, reason: string): TextError {
  const { line, column } = placeIn(text, at)
  return new TextError(reason, line, column)
}

/** Line and column of a character, from 1. A line ends with CR, LF or both. */
export function placeIn(text: string, at: number): { readonly line: number; readonly column: number } {
  const ends = [...text.slice(0, at).matchAll(/\r\n?|\n/g)]
  const last = ends.at(-1)
  return { line: ends.length + 1, column: at - (last ? last.index + last[0].length : 0) + 1 }
}

const AS_TEXT = 'not text: save it as text with the encoding UTF-8, a table as "CSV UTF-8"'
const AS_TABLE = 'save the table as "CSV UTF-8", or as .xlsx where a workbook is accepted'

/** Files that are sent in place of their text, by their first bytes: what they are, and what to do. */
const FORMATS: readonly (readonly [signature: string, format: string])[] = [
  [
    '\xd0\xcf\x11\xe0',
    `a workbook of the old binary format (.xls) or with a password: ${AS_TABLE}, without a password`,
  ],
  ['%PDF', `a PDF file, ${AS_TEXT}`],
  ['\x1f\x8b', `a gzip file, ${AS_TEXT}`],
  ['\xff\xfe\0\0', `text in UTF-32; ${SAVE_AGAIN}`],
  ['\0\0\xfe\xff', `text in UTF-32; ${SAVE_AGAIN}`],
]

const WORKBOOK = `an Excel workbook (.xlsx) or another Office file, ${AS_TEXT}`

/** Kinds of ZIP files, by a name or text that stands in them unpacked. */
const ARCHIVES: readonly (readonly [content: string, format: string])[] = [
  ['xl/workbook.bin', `a binary Excel workbook (.xlsb): ${AS_TABLE}`],
  ['opendocument.spreadsheet', `an OpenDocument spreadsheet (.ods): ${AS_TABLE}`],
  ['[Content_Types].xml', WORKBOOK],
]

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Why the bytes are no text, and what to do, by their first ones; null for what may be text. */
export function formatProblem(bytes: Uint8Array): string | null {
  if (isZip(bytes)) return `it is ${archiveOf(bytes) ?? `a ZIP file, ${AS_TEXT}`}`
  const begin = bufferOf(bytes.subarray(0, 4)).toString('latin1')
  const format = FORMATS.find(([signature]) => begin.startsWith(signature))?.[1]
  return format === undefined ? null : `it is ${format}`
}

function archiveOf(bytes: Uint8Array): string | null {
  const raw = bufferOf(bytes)
  return ARCHIVES.find(([content]) => raw.includes(content))?.[1] ?? null
}

/** Throws a `TextError` for an archive that is no workbook in the format .xlsx. */
export function refuseOtherArchive(bytes: Uint8Array): void {
  const other = archiveOf(bytes)
  if (other === null) throw new TextError(`it is a ZIP file without a workbook: ${AS_TABLE}`)
  if (other !== WORKBOOK) throw new TextError(`it is ${other}`)
}

/** Throws a `TextError` for the web pages and XML files that programs save under the name of a table: `.xls`, `.csv`. */
export function refuseMarkup(text: string): void {
  const [begin] = /^\s*<(?:!doctype html|html|head|meta|table|\?xml)\b/i.exec(text) ?? []
  if (begin === undefined) return
  const kind = begin.endsWith('xml') ? 'XML' : 'HTML'
  throw new TextError(`it is an ${kind} file under the name of a table: open it in Excel and ${AS_TABLE}`)
}

/** Workbooks and other Office files are archives. */
export const isZip = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 0x03 && bytes[3] === 0x04

function utf16Of(bytes: Uint8Array): 'utf-16le' | 'utf-16be' | null {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le'
  return bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : null
}

/** Null when the bytes are not of this encoding. */
function decodeAs(encoding: string, bytes: Uint8Array): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes)
  } catch {
    return null
  }
}
