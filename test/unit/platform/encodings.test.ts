/** Texts in the encodings of other programs, and bytes that are no text. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { encodingNote, lenientText, strictText, TextError } from '../../../src/platform/encodings.ts'
import { ENCODINGS, encoded } from '../../support/encodings.ts'

const bytesOf = (...parts: readonly (string | number)[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === 'string' ? [...Buffer.from(part)] : [part])))

test.each(ENCODINGS)('%s', (encoding) => {
  const text = 'Björn Ångström, “Straße” 5 €'
  const shown = encoding === 'utf-8 with a mark' ? 'utf-8' : encoding
  for (const read of [strictText, lenientText]) expect(read(encoded(text, encoding))).toEqual({ text, encoding: shown })
  expect(encodingNote(shown) === null).toBe(encoding !== 'windows-1252')
})

test.each(['utf-16le', 'utf-16be'] as const)('%s without a byte order mark, where nothing may be lost', (encoding) => {
  const text = '20260302T070310 Inläsning „Łódź“ 日本 klar\r\n'
  const bytes = encoded(text, encoding).subarray(2)
  expect(lenientText(bytes)).toEqual({ text, encoding })
})

test.each([
  ['a NUL byte among letters', bytesOf('ab\0d')],
  ['NUL bytes alone', bytesOf(0, 0, 0, 0)],
  ['letters of one language only', bytesOf('abcd')],
])('%s is no UTF-16', (_, bytes) => {
  expect(lenientText(bytes).encoding).toBe('utf-8')
})

describe('text of Windows-1252 that holds UTF-8 by chance', () => {
  test.each(['„Spaß“, größer, schöner'.replace('„', '"'), 'ÉCOLE, CAFÉ” é è', 'ÆØÅ ß– ü'])('%s', (text) =>
    expect(strictText(encoded(text, 'windows-1252'))).toEqual({ text, encoding: 'windows-1252' }),
  )
})

test.each([
  ['one bad byte in UTF-8', bytesOf('name\r\nGöran ', 0xe9, 'va'), 'line 2, column 7: the byte 0xE9 is no UTF-8'],
  ['a bad byte behind a mark', bytesOf(0xef, 0xbb, 0xbf, 'a\n', 0xe9), 'line 2, column 1: the byte 0xE9 is no UTF-8'],
  ['two files in one', bytesOf('Zoë\n', 0xf6, 0xe9, 0xe5, 0xe4), 'line 2, column 1: the byte 0xF6 is no UTF-8'],
  ['a character cut short', bytesOf('Öst “', 0xe2, 0x80), 'line 1, column 6: the byte 0xE2 is no UTF-8'],
  ['a byte that Windows-1252 lacks', bytesOf('a\r', 0x81), 'line 2, column 1: the byte 0x81 is neither UTF-8 nor'],
  ['a NUL byte', bytesOf('a,b\nc\0'), 'line 2, column 2: a NUL byte'],
  ['UTF-16 without a mark', Buffer.from('ab', 'utf16le'), 'line 1, column 2: a NUL byte'],
  ['UTF-32', bytesOf(0xff, 0xfe, 0, 0, 0x61, 0, 0, 0), 'it is text in UTF-32; save the file again as UTF-8'],
  ['UTF-32, the high byte first', bytesOf(0, 0, 0xfe, 0xff, 0, 0, 0, 0x61), 'it is text in UTF-32'],
  ['half of a UTF-16 character', bytesOf(0xff, 0xfe, 0x61), 'it begins as UTF-16LE and is damaged'],
  ['half a pair', bytesOf(0xfe, 0xff, 0xd8, 0x3d, 0, 0x61), 'it begins as UTF-16BE and is damaged'],
  ['a workbook', bytesOf('PK', 3, 4, 20, 0), 'it is a ZIP file, not text: save it as text'],
  ['an old workbook', bytesOf(0xd0, 0xcf, 0x11, 0xe0, 1), 'it is a workbook of the old binary format (.xls)'],
  ['a PDF file', bytesOf('%PDF-1.7'), 'it is a PDF file, not text'],
])('%s is refused, and read where nothing may be lost', (_, bytes, message) => {
  expect(() => strictText(bytes)).toThrow(message)
  expect(lenientText(bytes).text).not.toContain('\ufffd')
})

test('no bytes at all become U+FFFD, and what is refused has a reason', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      // UTF-8 may spell the sign itself.
      fc.pre(!Buffer.from(bytes).includes(Buffer.from('\ufffd')) && bytes[0] !== 0xff && bytes[0] !== 0xfe)
      expect(lenientText(bytes).text).not.toContain('\ufffd')
      try {
        expect(strictText(bytes).text).toBe(lenientText(bytes).text)
      } catch (error) {
        expect(error).toBeInstanceOf(TextError)
        expect((error as TextError).line === 0).toBe((error as TextError).column === 0)
      }
    }),
    { numRuns: 5000 },
  )
})
