/** Percent-encoding of path and query. */
import type { Check } from '../context.ts'
import { type ErrorCode, Refusal, refused } from '../errors.ts'

/** 400 when path or query hold a percent sign that does not start an encoded UTF-8 character; runs before anything decodes them. */
export const urlEncoding: Check = ({ url }) => {
  if (!url.includes('%')) return
  const mark = url.indexOf('?')
  const path = mark === -1 ? url : url.slice(0, mark)
  if (!decodes(path)) {
    const message = `'${url}' is not a valid url component`
    const body = { error: 'Bad Request', code: 'FST_ERR_BAD_URL' satisfies ErrorCode, message, statusCode: 400 }
    throw new Refusal(400, body, { 'content-type': 'application/json' })
  }
  if (mark !== -1 && !decodes(url.slice(mark + 1))) throw refused(400, 'URI malformed')
}

function decodes(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}
