/** An endpoint of the REST API as the features describe it; the server decides about limits, logs and switches. */
import type { z } from 'zod'

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

export interface ApiRequest {
  /** After a method override. */
  readonly method: Method
  /** Path and query as sent. */
  readonly url: string
  /** Percent-decoded path parameters. */
  readonly params: Readonly<Record<string, string>>
  /** Decoded; a list where a parameter was given more than once. */
  readonly query: Readonly<Record<string, string | readonly string[]>>
  /** The parsed JSON; undefined without a body (and for JSON `null`). */
  readonly body: unknown
  readonly headers: Headers
  /** Address of the caller. */
  readonly client: string
  readonly requestId: string
  /** Aborts when the caller hangs up. */
  readonly signal: AbortSignal
}

export interface ApiRoute {
  /** A route for PUT alone also answers plain POST, because some clients cannot send PUT. */
  readonly methods: readonly Method[]
  /** `/v4/app/{appId}/reload`; matched exactly, case and trailing slash included. */
  readonly path: string
  /** Key below `restServerEndpointsEnable` that must be true (`scheduler.getSchedule`); null = always there. */
  readonly endpoint: string | null
  /** What happens to the body: parsed as JSON, or ignored. Default: parsed for POST and PUT, ignored for GET and DELETE. */
  readonly body?: 'json' | 'ignored'
  /** False = does not count for the rate limit. Default true. */
  readonly limited?: boolean
  /** For the description of the API. */
  readonly summary: string
  readonly schemas?: {
    readonly query?: z.ZodType
    readonly body?: z.ZodType
    readonly responses?: Readonly<Record<number, z.ZodType>>
  }
  handle(request: ApiRequest): Response | Promise<Response>
}

const JSON_TYPE = 'application/json; charset=utf-8'

/** An answer with a JSON body. `text` replaces the compact form of `body`. */
export function jsonAnswer(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Response {
  return jsonText(status, JSON.stringify(body), headers)
}

/** An answer whose JSON is written already. */
export function jsonText(status: number, text: string, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(text, { status, headers: { 'content-type': JSON_TYPE, ...headers } })
}
