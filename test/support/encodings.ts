/** Texts as the bytes of files that other programs write. */
export const ENCODINGS = ['utf-8', 'utf-8 with a mark', 'utf-16le', 'utf-16be', 'windows-1252'] as const
export type FileEncoding = (typeof ENCODINGS)[number]

/** UTF-16 has its byte order mark. Windows-1252 stands for characters below U+0100, and the euro sign and quotes. */
export function encoded(text: string, encoding: FileEncoding): Uint8Array<ArrayBuffer> {
  if (encoding === 'utf-8') return new Uint8Array(Buffer.from(text))
  if (encoding === 'utf-8 with a mark') return new Uint8Array(Buffer.from(`\ufeff${text}`))
  if (encoding === 'windows-1252') return Uint8Array.from(text, windowsByte)
  const bytes = Buffer.from(`\ufeff${text}`, 'utf16le')
  return new Uint8Array(encoding === 'utf-16be' ? bytes.swap16() : bytes)
}

const WINDOWS: Readonly<Record<string, number>> = { '€': 0x80, '‘': 0x91, '’': 0x92, '“': 0x93, '”': 0x94, '–': 0x96 }

function windowsByte(character: string): number {
  const code = WINDOWS[character] ?? character.charCodeAt(0)
  if (code > 0xff) throw new Error(`Windows-1252 has no ${character}`)
  return code
}
