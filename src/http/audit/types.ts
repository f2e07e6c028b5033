/** Who did what: kept for `retention.audit` and written to the log. */

export type AuditOutcome = 'ok' | 'denied' | 'failed'

export interface AuditEntry {
  /** `key:erp`, `anonymous`, `mqtt:<topic>`, `schedule:<id>`, `retry`. */
  readonly actor: string
  /** Null when nobody called over the network. */
  readonly address: string | null
  /** `task.start`. */
  readonly action: string
  /** Ids or names of what was acted on. */
  readonly target: readonly string[]
  /** HTTP status of the answer; null where there is none. */
  readonly status: number | null
  readonly outcome: AuditOutcome
  readonly requestId: string | null
  readonly detail: string | null
}

export interface StoredAuditEntry extends AuditEntry {
  readonly id: string
  /** Milliseconds since 1970. */
  readonly at: number
}

export interface Audit {
  /** Writes the log line at once and the row in the next commit; never throws. */
  record(entry: AuditEntry): void
}
