import type { ClientCertificate } from '../../platform/http-server.ts'
import type { Caller } from '../endpoint/caller.ts'
import type { Refusal } from '../endpoint/errors.ts'
import type { ApiRoute } from '../endpoint/route.ts'

/** One request as access control sees it. */
export interface Contact {
  /** Address of the caller: that of the connection, or what a trusted proxy says. */
  readonly client: string
  /** The address is what a trusted proxy says. */
  readonly proxied: boolean
  readonly headers: Headers
  readonly certificate: ClientCertificate | undefined
}

/** Who calls; with a refusal when the credentials are wrong. */
export interface Identity {
  readonly caller: Caller
  /** Bucket of the rate limit; null = the address, for whoever has shown no valid credentials. */
  readonly bucket: string | null
  readonly refusal: Refusal | null
  /** For the log: why. */
  readonly problem?: string
}

/** What stands between a request and the endpoint that it has reached. */
export interface AccessControl {
  /** 403 for callers that may not call at all, whatever the endpoint; `url` is path and query. */
  admit(url: string, contact: Contact): Refusal | null
  /** Synchronous unless a token has to be verified. */
  identify(contact: Contact): Identity | Promise<Identity>
  /** Why this route is closed to the caller; null when it is open. */
  refusal(route: Pick<ApiRoute, 'scope' | 'butler'>, caller: Caller, contact: Contact): Refusal | null
}
