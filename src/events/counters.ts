/** Counts of the UDP receiver and the intake, for logs and metrics. */
import { DROP_REASONS, type DropReason } from './types.ts'

export interface IngestCounters {
  /** Datagrams that passed sender, size and rate checks. */
  received: number
  /** Events accepted. */
  queued: number
  /** Events worked off. */
  processed: number
  /** Messages rejected as malformed or unknown. */
  failed: number
  readonly dropped: Record<DropReason, number>
}

export function createCounters(): IngestCounters {
  const dropped = Object.fromEntries(DROP_REASONS.map((reason) => [reason, 0])) as Record<DropReason, number>
  return { received: 0, queued: 0, processed: 0, failed: 0, dropped }
}
