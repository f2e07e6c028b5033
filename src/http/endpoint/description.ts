/** What the description of the API says about an endpoint. */
import type { z } from 'zod'

export interface RouteDescription {
  /** A line. */
  readonly summary: string
  /** More, in Markdown. */
  readonly description?: string
  /** False leaves it out of the document. Default true. */
  readonly documented?: boolean
  readonly schemas?: RouteSchemas
  /** When the endpoint refuses with a status beyond what every endpoint may answer: `{ 502: 'QRS is unreachable' }`. */
  readonly failures?: Readonly<Record<number, string>>
  /** Calls that work as they stand against the simulated site; a test makes every one of them. */
  readonly examples?: readonly RouteExample[]
}

export interface RouteSchemas {
  readonly params?: z.ZodType
  readonly query?: z.ZodType
  readonly body?: z.ZodType
  /** By status. Text where the schema is a string, nothing where it is `z.void()`, else JSON. */
  readonly responses?: Readonly<Record<number, z.ZodType>>
}

export interface RouteExample {
  /** Unique in the endpoint: `by-tag`. */
  readonly name: string
  readonly params?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly status: number
  /** JSON, or a text; absent where nothing is answered. Ids and times are other ones each time. */
  readonly answer?: unknown
}
