/** Which requests the audit records, and how it tells them. */
import type { Caller } from '../endpoint/caller.ts'
import type { ApiRoute, AuditNote } from '../endpoint/route.ts'
import type { Audit, AuditOutcome } from './types.ts'

export interface FinishedRequest {
  readonly route: ApiRoute
  /** After a method override. */
  readonly method: string
  readonly params: () => Readonly<Record<string, string>>
  readonly caller: Caller
  readonly client: string
  readonly requestId: string
  readonly status: number
  /** What the endpoint has said about it. */
  readonly note: AuditNote | null
}

export interface RequestAudit {
  /** Whether an answer with this status is recorded; ask before `finished`. */
  records(route: ApiRoute, method: string, status: number): boolean
  finished(request: FinishedRequest): void
  /** Refused before a route was looked for. */
  turnedAway(request: { method: string; path: string; client: string; requestId: string; status: number }): void
}

/** `keyValues`: writes of single key-value pairs are recorded, too. */
export function createRequestAudit(audit: Audit, { keyValues }: { readonly keyValues: boolean }): RequestAudit {
  return {
    records: (route, method, status) => isRecorded(route, method, status, keyValues),
    finished({ route, method, params, caller, client, requestId, status, note }) {
      audit.record({
        actor: caller.actor,
        address: client,
        action: route.action ?? `${method} ${route.path}`,
        target: note?.target ?? Object.values(params()),
        status,
        outcome: note?.outcome ?? outcomeOf(status),
        requestId,
        detail: note?.detail ?? null,
      })
    },
    turnedAway({ method, path, client, requestId, status }) {
      const nobody = { actor: 'anonymous', target: [], detail: null }
      audit.record({ ...nobody, address: client, action: `${method} ${path}`, status, outcome: 'denied', requestId })
    },
  }
}

function isRecorded({ audit }: ApiRoute, method: string, status: number, keyValues: boolean): boolean {
  // Too many requests are what the limit protects from; recording each would undo it.
  if (status === 429) return false
  if (status === 401 || status === 403) return true
  const wanted = audit ?? (method === 'GET' || method === 'HEAD' ? 'refused' : 'always')
  return wanted === 'always' || (wanted === 'single' && keyValues)
}

function outcomeOf(status: number): AuditOutcome {
  if (status < 400) return 'ok'
  return status === 401 || status === 403 ? 'denied' : 'failed'
}
