/** Which method a request means: clients that can only send GET and POST say so in a header. */
import { noSuchRoute, refused } from './endpoint/errors.ts'
import type { Method } from './endpoint/route.ts'

const OVERRIDES: readonly string[] = ['GET', 'POST', 'PUT', 'DELETE'] satisfies Method[]
const METHODS: readonly string[] = [...OVERRIDES, 'HEAD']

/** Throws 404 for methods that no endpoint has, and 400 for an override that names none of GET, POST, PUT, DELETE. */
export function effectiveMethod(request: Request, url: string): string {
  const { method } = request
  if (!METHODS.includes(method)) throw noSuchRoute(method, url)
  if (method !== 'POST') return method
  const override = request.headers.get('x-http-method-override')?.trim()
  if (!override) return method
  const wanted = override.toUpperCase()
  if (!OVERRIDES.includes(wanted)) {
    throw refused(
      400,
      `Invalid X-HTTP-Method-Override: ${override}`,
      'X-HTTP-Method-Override must be GET, POST, PUT or DELETE.',
    )
  }
  return wanted
}
