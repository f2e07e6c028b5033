/** The end of a certificate is reported so long before: as a warning, and as an error when little time is left. */
const DAY_MS = 86_400_000
const SOON_MS = 30 * DAY_MS
const LAST_MS = 7 * DAY_MS

/** Null while the end, `leftMs` from now, is far enough away. */
export function endSeverity(leftMs: number): 'warning' | 'error' | null {
  if (leftMs >= SOON_MS) return null
  return leftMs < LAST_MS ? 'error' : 'warning'
}
