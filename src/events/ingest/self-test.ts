/**
 * The datagram with which `footman doctor` proves that messages reach the running Footman: a type of its own and a token
 * that Footman has just handed out. Any other datagram of this form is a message of an unknown type, like all strangers.
 */

const TYPE = '/footman-self-test/'
const LENGTH = TYPE.length + 1 + 32

/** `token` is 32 hexadecimal digits. */
export const selfTestDatagram = (token: string): string => `${TYPE};${token}`

/** The token of a self-test; null for everything else. Cheap, as every datagram is asked while a test is under way. */
export function selfTestToken(raw: Uint8Array): string | null {
  if (raw.byteLength !== LENGTH || raw[1] !== TYPE.charCodeAt(1)) return null
  const text = new TextDecoder().decode(raw)
  return text.startsWith(`${TYPE};`) && /^[0-9a-f]{32}$/.test(text.slice(-32)) ? text.slice(-32) : null
}
