/** Cleaning of text that arrived over an unauthenticated socket. */
import { withoutActing } from '../../platform/visible.ts'

/** Longest name, id, host or user, in UTF-16 code units. */
export const FIELD_LIMIT = 500
/** Longest log message kept; destinations cut further where they need to. */
export const MESSAGE_LIMIT = 10_000

const LINE_BREAKS_AND_TABS = /[\t\r\n]+/g
/** Line breaks and tabs become one blank, other control characters vanish, the rest is cut to `limit` code units. */
export function sanitizeField(text: string, limit: number = FIELD_LIMIT): string {
  return cutText(withoutActing(text.replace(LINE_BREAKS_AND_TABS, ' ')).replaceAll('\n', ''), limit)
}

/** Cuts to `limit` UTF-16 code units, never inside a surrogate pair. */
export function cutText(text: string, limit: number): string {
  if (text.length <= limit) return text
  const last = text.charCodeAt(limit - 1)
  const splitsPair = last >= 0xd800 && last <= 0xdbff
  return text.slice(0, splitsPair ? limit - 1 : limit)
}
