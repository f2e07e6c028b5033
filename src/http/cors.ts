/** Calls from web pages of other origins: only the listed ones, never with cookies. */

const METHODS = 'GET, POST, PUT, PATCH, DELETE'
const REQUEST_HEADERS =
  'Authorization, Content-Type, X-Api-Key, X-HTTP-Method-Override, Idempotency-Key, If-Match, If-None-Match, X-Request-Id'
const EXPOSED = 'ETag, Retry-After, X-Request-Id, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset'

export interface Cors {
  /** The answer to a preflight of a listed origin, still to be decorated; null for everything else. */
  preflight(request: Request): Response | null
  /** Lets a page of a listed origin read the answer. */
  decorate(request: Request, response: Response): Response
}

/** Null without origins: no CORS headers, and OPTIONS is an unknown route. `*` lists every origin. */
export function createCors(origins: readonly string[]): Cors | null {
  if (origins.length === 0) return null
  const listed = (origin: string | null): origin is string =>
    origin !== null && (origins.includes('*') || origins.includes(origin))

  return {
    preflight({ method, headers }) {
      const origin = headers.get('origin')
      if (method !== 'OPTIONS' || !headers.has('access-control-request-method') || !listed(origin)) return null
      return new Response(null, {
        status: 204,
        headers: {
          'access-control-allow-methods': METHODS,
          'access-control-allow-headers': REQUEST_HEADERS,
          'access-control-max-age': '600',
        },
      })
    },
    decorate(request, response) {
      const origin = request.headers.get('origin')
      response.headers.append('vary', 'Origin')
      if (!listed(origin)) return response
      response.headers.set('access-control-allow-origin', origin)
      response.headers.set('access-control-expose-headers', EXPOSED)
      return response
    },
  }
}
