/** A request as endpoints see it. */
import type { ApiContext } from '../context.ts'
import type { Caller } from './caller.ts'
import type { ApiRequest, Method } from './route.ts'

/** A class with getters, as most requests look at only some of the members. */
export class SeenRequest implements ApiRequest {
  readonly url: string
  readonly method: Method
  readonly body: unknown
  readonly headers: Headers
  readonly caller: Caller
  readonly requestId: string
  // Own properties, as endpoints take them out of the request.
  readonly sees: ApiRequest['sees']
  readonly note: ApiRequest['note']

  constructor(
    private readonly c: ApiContext,
    sees: ApiRequest['sees'],
  ) {
    const { env } = c
    this.sees = sees
    this.note = (note) => {
      env.note = note
    }
    this.url = env.url
    // HEAD is answered by the endpoint of GET.
    this.method = (env.method === 'HEAD' ? 'GET' : env.method) as Method
    this.body = env.body
    this.headers = env.headers
    this.caller = env.identity.caller
    this.requestId = env.requestId
  }

  get params(): Record<string, string> {
    return this.c.req.param()
  }
  get query(): Record<string, string | string[]> {
    return parseQuery(this.url)
  }
  get client(): string {
    return this.c.env.client
  }
  get signal(): AbortSignal {
    return this.c.req.raw.signal
  }
}

/** Decoded query parameters; a list where one was given more than once. */
function parseQuery(url: string): Record<string, string | string[]> {
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
