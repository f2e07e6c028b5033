import type { Caller } from './endpoint/caller.ts'
import type { ApiRequest, ApiRoute, AuditNote, Method } from './endpoint/route.ts'
import type { Params } from './route-table.ts'
import { parseQuery } from './url.ts'

export interface RequestParts {
  readonly call: {
    readonly request: Request
    readonly headers: Headers
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
export const apiRequest = (parts: RequestParts, body: unknown): ApiRequest => new SeenRequest(parts, body)

/** A class, because getters of an object literal are made anew for every request, which costs a tenth of a ping. */
class SeenRequest implements ApiRequest {
  readonly url: string
  readonly method: Method
  readonly body: unknown
  readonly headers: Headers
  readonly caller: Caller
  readonly requestId: string
  readonly sees: ApiRequest['sees']
  readonly note: ApiRequest['note']
  private readonly parts: RequestParts

  constructor(parts: RequestParts, body: unknown) {
    const { call, caller, sees, note } = parts
    this.url = call.url
    // HEAD is answered by the endpoint of GET.
    this.method = (call.method === 'HEAD' ? 'GET' : call.method) as Method
    this.body = body
    this.headers = call.headers
    this.caller = caller
    this.requestId = call.requestId
    this.sees = sees
    this.note = note
    this.parts = parts
  }

  // Most requests look at only some of these.
  get params() {
    return this.parts.params()
  }
  get query() {
    return parseQuery(this.url)
  }
  get client() {
    return this.parts.call.client
  }
  get signal() {
    return this.parts.call.request.signal
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
