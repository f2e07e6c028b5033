/**
 * A value that was stored as JSON; `absent` when there is none, or when a failing disk has spoiled it: that costs the value
 * itself, and must not stop the rows beside it.
 */
export function storedJson<T>(json: unknown, absent: T): T {
  if (typeof json !== 'string') return absent
  try {
    return JSON.parse(json) as T
  } catch {
    return absent
  }
}
