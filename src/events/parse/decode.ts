/** Bytes of a datagram to text. */

export interface Decoded {
  readonly text: string
  readonly encoding: 'utf-8' | 'windows-1252'
}

const utf8 = new TextDecoder('utf-8', { fatal: true })
// An appender without `encoding=utf-8` sends in the Windows code page of its server.
const ansi = new TextDecoder('windows-1252')

/** Strict UTF-8 first, windows-1252 when that fails; a leading byte-order mark is dropped. */
export function decodeDatagram(bytes: Uint8Array): Decoded {
  try {
    return { text: utf8.decode(bytes), encoding: 'utf-8' }
  } catch {
    return { text: ansi.decode(bytes), encoding: 'windows-1252' }
  }
}
