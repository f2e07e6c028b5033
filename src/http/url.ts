import { Refusal, refused } from './endpoint/errors.ts'

/** Path and query as the client sent them. */
export function rawUrl(request: Request): string {
  const { url } = request
  const start = url.indexOf('/', url.indexOf('://') + 3)
  return start === -1 ? '/' : url.slice(start)
}

/** Throws 400 when path or query hold a percent sign that does not start an encoded UTF-8 character. */
export function checkEncoding(url: string): void {
  if (!url.includes('%')) return
  const mark = url.indexOf('?')
  const path = mark === -1 ? url : url.slice(0, mark)
  if (!decodes(path)) {
    const message = `'${url}' is not a valid url component`
    const body = { error: 'Bad Request', code: 'FST_ERR_BAD_URL', message, statusCode: 400 }
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

/** Decoded query parameters; a list where one was given more than once. */
export function parseQuery(url: string): Record<string, string | string[]> {
  const query: Record<string, string | string[]> = Object.create(null)
  const mark = url.indexOf('?')
  if (mark === -1) return query
  for (const [name, value] of parametersOf(url.slice(mark + 1))) {
    const before = query[name]
    query[name] = before === undefined ? value : [before, value].flat()
  }
  return query
}

/** Most queries hold nothing that is encoded, and need no parser. */
function parametersOf(text: string): Iterable<readonly [name: string, value: string]> {
  if (/[%+#]/.test(text)) return new URLSearchParams(text)
  return text
    .split('&')
    .filter((part) => part !== '')
    .map((part): [string, string] => {
      const mark = part.indexOf('=')
      return mark === -1 ? [part, ''] : [part.slice(0, mark), part.slice(mark + 1)]
    })
}
