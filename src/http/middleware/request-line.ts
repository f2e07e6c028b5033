/** The request line: the percent-encoding of path and query, and the method that is meant. */
import type { Check } from '../context.ts'
import type { Method } from '../endpoint/route.ts'
import { type ErrorCode, noSuchRoute, Refusal, refused } from '../errors.ts'

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

// Clients that can only send GET and POST name the method in the header `X-HTTP-Method-Override`.

const OVERRIDES: readonly string[] = ['GET', 'POST', 'PUT', 'DELETE'] satisfies Method[]
const METHODS: readonly string[] = [...OVERRIDES, 'PATCH', 'HEAD']

/** Refuses methods that no endpoint has with 404, and an override that names none of GET, POST, PUT, DELETE with 400. */
export const methodOverride: Check = (env) => {
  const { method, headers, url } = env
  if (!METHODS.includes(method)) throw noSuchRoute(method, url)
  const wanted = method === 'POST' ? wantedMethod(headers) : null
  if (wanted !== null && !OVERRIDES.includes(wanted)) {
    throw refused(
      400,
      `Invalid X-HTTP-Method-Override: ${headers.get('x-http-method-override')?.trim()}`,
      'X-HTTP-Method-Override must be GET, POST, PUT or DELETE.',
    )
  }
  if (wanted !== null) env.method = wanted
}

/** The request with the method that is meant, which is what is routed; unchanged when the header is absent or wrong. */
export function withMeantMethod(request: Request): Request {
  const method = request.method === 'POST' ? wantedMethod(request.headers) : null
  if (method === null || method === 'POST' || !OVERRIDES.includes(method)) return request
  const { url, headers, signal } = request
  // A body sent along with an override to GET is ignored, like the body of any GET.
  if (method === 'GET') return new Request(url, { method, headers, signal })
  return new Request(request, { method })
}

/** Null without an override. */
function wantedMethod(headers: Headers): string | null {
  const override = headers.get('x-http-method-override')?.trim()
  return override ? override.toUpperCase() : null
}
