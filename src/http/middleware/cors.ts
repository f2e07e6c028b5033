/** Calls from web pages of other origins: only the listed ones, never with cookies. */
import { type Middleware, withAnswer } from '../context.ts'

const METHODS = 'GET, POST, PUT, PATCH, DELETE'
const REQUEST_HEADERS =
  'Authorization, Content-Type, X-Api-Key, X-HTTP-Method-Override, Idempotency-Key, If-Match, If-None-Match, X-Request-Id'
const EXPOSED =
  'ETag, Retry-After, X-Request-Id, X-Correlation-Id, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset'

interface Cors {
  /** Lets a page of a listed origin read the answer; around everything, so that refusals can be read, too. */
  readonly headers: Middleware
  /** Answers the preflights of listed origins. */
  readonly preflight: Middleware
}

/** Pages act for the person who has signed in, so no other origin reads them. */
const PAGES = /^\/console(?:[/?]|$)/

/** Null without origins: no CORS headers, and OPTIONS is an unknown route. `*` lists every origin. */
export function createCors(origins: readonly string[]): Cors | null {
  if (origins.length === 0) return null
  const isListed = (origin: string | null): origin is string =>
    origin !== null && (origins.includes('*') || origins.includes(origin))

  return {
    headers: (c, next) =>
      withAnswer(next(c), (response) => {
        if (PAGES.test(c.env.url)) return response
        const origin = c.env.headers.get('origin')
        response.headers.append('vary', 'Origin')
        if (!isListed(origin)) return response
        response.headers.set('access-control-allow-origin', origin)
        response.headers.set('access-control-expose-headers', EXPOSED)
        return response
      }),
    preflight(c, next) {
      const { headers, method } = c.env
      if (method !== 'OPTIONS' || !headers.has('access-control-request-method')) return next(c)
      if (PAGES.test(c.env.url) || !isListed(headers.get('origin'))) return next(c)
      c.env.isPreflight = true
      return new Response(null, {
        status: 204,
        headers: {
          'access-control-allow-methods': METHODS,
          'access-control-allow-headers': REQUEST_HEADERS,
          'access-control-max-age': '600',
        },
      })
    },
  }
}
