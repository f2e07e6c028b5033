import { createHash, randomBytes } from 'node:crypto'

/** UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, then random bits; lower case. */
export function uuidV7(now: number = Date.now()): string {
  const bytes = randomBytes(16)
  bytes.writeUIntBE(now, 0, 6)
  return written(bytes, 0x70)
}

/** UUID version 8: the first bits of the SHA-256 of the parts, so that the same parts make the same id everywhere. */
export function uuidV8(parts: readonly string[]): string {
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest()
  return written(digest.subarray(0, 16), 0x80)
}

function written(bytes: Buffer, version: number): string {
  bytes[6] = version | (bytes[6]! & 0x0f)
  bytes[8] = 0x80 | (bytes[8]! & 0x3f)
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

const ID_IN_TEXT = /\b([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b/i
const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** A text cut at its ids: other texts at even places, ids at odd ones. */
export const splitAtIds = (text: string): readonly string[] => text.split(ID_IN_TEXT)

/** True for 8-4-4-4-12 hex digits in any letter case; version and variant are not looked at. */
export function isGuid(text: string): boolean {
  return GUID.test(text)
}
