/** The method that is meant: clients that can only send GET and POST name it in a header. */
import type { Check } from '../context.ts'
import type { Method } from '../endpoint/route.ts'
import { noSuchRoute, refused } from '../errors.ts'

const OVERRIDES: readonly string[] = ['GET', 'POST', 'PUT', 'DELETE'] satisfies Method[]
const METHODS: readonly string[] = [...OVERRIDES, 'HEAD']

/** The request with the method that is meant, which is what is routed; unchanged when the header is absent or wrong. */
export function withMeantMethod(request: Request): Request {
  const method = request.method === 'POST' ? wantedMethod(request.headers) : null
  if (method === null || method === 'POST' || !OVERRIDES.includes(method)) return request
  const { url, headers, signal } = request
  // A body sent along with an override to GET is ignored, like the body of any GET.
  if (method === 'GET') return new Request(url, { method, headers, signal })
  return new Request(request, { method })
}

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

/** Null without an override. */
function wantedMethod(headers: Headers): string | null {
  const override = headers.get('x-http-method-override')?.trim()
  return override ? override.toUpperCase() : null
}
