/** The API for the pages of the console; a call through it passes all checks but those of the page itself. */
import type { AccessControl } from './auth/control.ts'
import type { Answer, RequestContext } from './context.ts'
import type { Contact } from './endpoint/caller.ts'
import type { PageAccess } from './endpoint/route.ts'
import { type RateLimit, tooManyRequests } from './middleware/rate-limit.ts'

export interface PageAccessDeps {
  readonly access: AccessControl
  /** Null: calls are not counted. */
  readonly limit: RateLimit | null
  /** Another application has taken over. */
  readonly isClosed: () => boolean
  readonly answer: (request: Request, context: RequestContext) => Answer
}

/** `page`: the request of the page that makes the calls. */
export function pageAccess({ access, limit, isClosed, answer }: PageAccessDeps, page: RequestContext): PageAccess {
  return {
    signsIn: access.recall !== undefined,
    identify: (headers) => access.identify(contactOf(page, headers)),
    recall: (holder) => access.recall?.(holder, page) ?? null,
    count(bucket) {
      const verdict = limit?.(bucket)
      return verdict && !verdict.allowed ? tooManyRequests(verdict) : null
    },
    async ask({ method, path, headers, body, signal, stays, shows = false, asObject = false }, identity) {
      const request = new Request(`http://footman${path}`, {
        method,
        headers: { ...passedOn(page), ...headers },
        ...(body !== undefined && { body: body as BodyInit }),
        ...(signal && { signal }),
      })
      const call = page.within(request, identity)
      call.shows = shows
      call.asObject = asObject
      // Another application decides by other settings: the caller has to come again.
      if (stays) call.stays = async () => !isClosed() && stays()
      return answer(request, call)
    },
  }
}

/** Decide whether a caller is on this machine; the id joins the calls of a page in log and audit. */
const PASSED_ON = ['host', 'forwarded', 'via', 'x-real-ip', 'x-forwarded-for', 'x-forwarded-host', 'user-agent']

function passedOn({ headers, requestId }: RequestContext): Record<string, string> {
  const kept = PASSED_ON.flatMap((name) => (headers.has(name) ? [[name, headers.get(name)!]] : []))
  return { ...Object.fromEntries(kept), 'x-request-id': requestId }
}

function contactOf({ client, proxied, certificate }: RequestContext, headers: Headers): Contact {
  return { client, proxied, certificate, headers }
}
