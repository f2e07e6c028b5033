/** Who answers requests under one version of the settings: access control, limits, the endpoints. */

import type { Clock, Logger } from '../platform/types.ts'
import { createRequestAudit } from './audit/requests.ts'
import type { Audit } from './audit/types.ts'
import { type AccessSettings, buildAccess } from './auth/build.ts'
import { createLocalCheck } from './auth/local.ts'
import { BODY_TIMEOUT_MS } from './body.ts'
import { createProxies } from './client-address.ts'
import { type Cors, createCors } from './cors.ts'
import { createBrowserRules } from './endpoint/browser.ts'
import { type RequestObserver, SILENT_OBSERVER } from './endpoint/observer.ts'
import type { ApiRoute } from './endpoint/route.ts'
import { createRouter } from './router.ts'

export interface AnsweringDeps {
  readonly log: Logger
  readonly clock: Clock
  /** Text of a PEM file. */
  readonly readFile: (path: string) => Promise<string>
  /** Absent: nothing is recorded. */
  readonly audit?: Audit
  /** Counts answers; absent: nobody does. */
  readonly observer?: RequestObserver
  /** Where the local key is published; absent: nowhere. */
  readonly dataDirectory?: string
}

export interface AnsweringSettings {
  /** `Butler.footman.api`. */
  readonly api: {
    readonly rateLimitPerMinute: number
    readonly trustedProxies: readonly string[]
    readonly cors?: { readonly origins: readonly string[] }
    readonly allowedHosts?: readonly string[]
    /** Milliseconds; default `BODY_TIMEOUT_MS`. */
    readonly requestTimeout?: number
    /** Connections, or requests under way, of one address; 0 (default) = no limit. */
    readonly connectionsPerAddress?: number
  }
  /** `Butler.footman.access`. */
  readonly access?: AccessSettings
  /** `Butler.footman.logging.accessLog`. */
  readonly accessLog: boolean
  /** `Butler.footman.timezone`; '' = that of this computer. */
  readonly timezone?: string
  /** `--api-rate-limit`, which wins; 0 = no limit. */
  readonly rateLimitOption?: number
}

export interface Answering {
  readonly answer: ReturnType<typeof createRouter>
  /** Call it once the API listens. */
  opened(): Promise<void>
  /** The data directory is a new one. */
  republish(): Promise<void>
  close(): Promise<void>
}

/** Rejects with a `StartError` when a file of access control cannot be used. */
export async function buildAnswering(
  deps: AnsweringDeps,
  settings: AnsweringSettings,
  { serverHost, routes }: { readonly serverHost: string; readonly routes: readonly ApiRoute[] },
): Promise<Answering> {
  const { log, clock, readFile } = deps
  const { access: accessSettings, api } = settings
  const origins = api.cors?.origins ?? []
  const browser = createBrowserRules({ allowedHosts: api.allowedHosts ?? [], origins, serverHost })
  const access = await buildAccess(
    {
      ...{ log, clock, readFile },
      isLocal: createLocalCheck(browser),
      browser,
      dataDirectory: deps.dataDirectory ?? null,
      timezone: settings.timezone ?? '',
    },
    accessSettings,
  )
  const cors = createCors(origins)
  const answer = createRouter(
    {
      ...{ log, clock, routes, cors },
      access: access.control,
      proxies: createProxies(api.trustedProxies),
      observer: deps.observer ?? SILENT_OBSERVER,
      audit: createRequestAudit(deps.audit ?? SILENT_AUDIT, { keyValues: accessSettings?.auditKeyValues ?? false }),
    },
    {
      rateLimitPerMinute: perMinute(settings),
      accessLog: settings.accessLog,
      requestsAtATime: api.connectionsPerAddress ?? 0,
      bodyTimeoutMs: api.requestTimeout ?? BODY_TIMEOUT_MS,
    },
  )
  const { opened, republish, close } = access
  return { answer: cors ? withCors(answer, cors) : answer, opened, republish, close }
}

/** Calls per minute and client; 0 = no limit. */
export function perMinute({ rateLimitOption, api }: AnsweringSettings): number {
  return rateLimitOption ?? api.rateLimitPerMinute
}

const SILENT_AUDIT: Audit = { record: () => {} }

function withCors(answer: Answering['answer'], cors: Cors): Answering['answer'] {
  return async (request, info) => cors.decorate(request, await answer(request, info))
}
