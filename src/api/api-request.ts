import type { Caller } from '../platform/http/caller.ts'
import type { ApiRequest, ApiRoute, AuditNote, Method } from '../platform/http/route.ts'
import type { Params } from './route-table.ts'
import { parseQuery } from './url.ts'

export interface RequestParts {
  readonly call: {
    readonly request: Request
    readonly url: string
    /** After a method override. */
    readonly method: string
    readonly client: string
    readonly requestId: string
  }
  readonly caller: Caller
  readonly params: Params
  readonly sees: (scope: string) => boolean
  readonly note: (note: AuditNote) => void
}

/** The request as endpoints see it. */
export function apiRequest(parts: RequestParts, body: unknown): ApiRequest {
  const { call, caller, params, sees, note } = parts
  const { request, url, method, client, requestId } = call
  return {
    url,
    // HEAD is answered by the endpoint of GET.
    method: (method === 'HEAD' ? 'GET' : method) as Method,
    // Most requests look at only some of these.
    get params() {
      return params()
    },
    get query() {
      return parseQuery(url)
    },
    body,
    headers: request.headers,
    client,
    caller,
    sees,
    requestId,
    note,
    get signal() {
      return request.signal
    },
  }
}

/** The request with the method that it means. */
export function withMethod(request: Request, method: string): Request {
  const { url, headers, signal } = request
  // A body sent along with an override to GET is ignored, like the body of any GET.
  if (method === 'GET') return new Request(url, { method, headers, signal })
  return new Request(request, { method })
}

export function wantsBody(route: ApiRoute, method: string): boolean {
  const fallback = method === 'POST' || method === 'PUT' ? 'json' : 'ignored'
  return (route.body ?? fallback) === 'json'
}
