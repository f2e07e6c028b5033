/** Makes events of task messages: de-duplicated, stored and routed as far as their datagram goes, in one transaction. */
import type { Database } from '../platform/sqlite.ts'
import type { Clock, Logger } from '../platform/types.ts'
import { uuidV7 } from '../platform/uuid.ts'
import type { IngestCounters } from './counters.ts'
import type { AnnouncedOutcome } from './datagram.ts'
import type { EventRouter } from './event-router.ts'
import { dedupKey, isDedupKeyTaken, takeDedupKey } from './intake-state.ts'
import { severityOf } from './kinds.ts'
import { messageKey, recordDrop, type TaskDatagram, taskMessageOf } from './receive.ts'
import { insertEvent, lastKnownType, type NewEvent } from './store.ts'
import { guessTaskType } from './task-type.ts'
import type { Outcome, TaskEvent, TaskType } from './types.ts'
import { appSubject, type Unverified, type UnverifiedMessage } from './unverified.ts'

export interface AcceptDeps {
  readonly router: Pick<EventRouter, 'handle'>
  readonly clock: Clock
  readonly log: Logger
  readonly counters: IngestCounters
  /** Where messages about unknown tasks wait; null = QRS is not asked, and every message becomes an event. */
  readonly unverified: Pick<Unverified, 'hold'> | null
  /** The type of a task that other parts know; null when they do not. */
  readonly typeOfTask?: ((db: Database, taskId: string) => TaskType | null) | undefined
}

export interface AcceptSettings {
  /** Null = de-duplication is off. */
  readonly dedupTtlMs: number | null
  /** How long each kind of event may wait for Qlik data. */
  readonly waitMs: Readonly<Record<AnnouncedOutcome, number>>
  /** The node is one of several: messages without an execution id are known by their content too. */
  readonly isShared: boolean
}

/** A message, and the node of the cluster that accepted it. */
export interface AcceptedMessage extends UnverifiedMessage {
  readonly node?: string
}

export interface Acceptor {
  /** Returns the id of the event; null when none comes of it now: a repeat, or a message that has to wait. */
  accept(tx: Database, message: AcceptedMessage, parsed: TaskDatagram): string | null
  /** Makes events of messages that had to wait, as their tasks exist. In the transaction that ends their wait. */
  admit(tx: Database, messages: readonly UnverifiedMessage[]): void
}

/** De-duplication cannot be off in a cluster, as the key is what makes one event of the copies of several nodes. */
const SHARED_TTL_MS = 600_000

export function createAcceptor(deps: AcceptDeps, settings: AcceptSettings): Acceptor {
  const { log, counters } = deps
  const { isShared } = settings
  const ttlMs = settings.dedupTtlMs ?? (isShared ? SHARED_TTL_MS : null)

  /** `since` = when the wait for Qlik data begins. */
  function acceptTask(tx: Database, entry: AcceptedMessage, parsed: TaskDatagram, since: number): string | null {
    const { message } = parsed
    if (!message.executionId && parsed.type === null)
      log.debug(`[QSEOW] UDP HANDLER: No execution id, not de-duplicated: ${message.taskName}`)
    if (isDuplicate(tx, entry, parsed)) {
      log.verbose(`[QSEOW] UDP HANDLER: Duplicate dropped, execution id ${message.executionId}, ${parsed.outcome}`)
      recordDrop(tx, counters, entry, 'DUPLICATE')
      return null
    }
    const event = newEvent(tx, entry, parsed, since)
    if (insertEvent(tx, event) === null) return null
    counters.queued += 1
    // How a distribution ends is not known yet, so no rule may report it.
    if (event.announced !== 'distribute') deps.router.handle(tx, arrivalRecord(event), 'everything')
    return event.id
  }

  function isDuplicate(tx: Database, entry: AcceptedMessage, parsed: TaskDatagram): boolean {
    // The engine names no execution: its messages are known by their content, time included.
    const byContent = isShared || parsed.type !== null
    const key = byContent ? messageKey(parsed) : dedupKey(parsed.message.executionId, parsed.outcome)
    if (key === null) return false
    // Messages of other nodes may come late, and again: then it counts when they were received.
    const now = entry.node === undefined ? deps.clock.now() : entry.receivedAt
    // Even without de-duplication, a late message must not repeat an event that was found in Qlik Sense.
    if (ttlMs === null) return isDedupKeyTaken(tx, key, now)
    return !takeDedupKey(tx, key, now, ttlMs)
  }

  function newEvent(tx: Database, entry: AcceptedMessage, parsed: TaskDatagram, since: number): NewEvent {
    const known = parsed.type ?? knownTaskType(tx, parsed.message.taskId)
    // Until QRS has decided, a handed-over distribution counts as what it usually becomes.
    const outcome: Outcome = parsed.outcome === 'distribute' ? 'success' : parsed.outcome
    return {
      id: uuidV7(entry.receivedAt),
      journalId: entry.journalId,
      receivedAt: entry.receivedAt,
      source: 'udp',
      sender: entry.sender,
      type: known ?? guessTaskType(parsed.message, parsed.outcome),
      typeKnown: known !== null,
      announced: parsed.outcome,
      outcome,
      severity: severityOf(outcome),
      deadlineAt: since + settings.waitMs[parsed.outcome],
      message: parsed.message,
      nameTokens: parsed.nameTokens,
      ...(isShared && { messageKey: messageKey(parsed), acceptedBy: entry.node ?? null }),
    }
  }

  function knownTaskType(tx: Database, taskId: string): TaskType | null {
    return lastKnownType(tx, taskId) ?? deps.typeOfTask?.(tx, taskId) ?? null
  }

  return {
    accept(tx, message, parsed) {
      const key = message.node === undefined ? messageKey(parsed) : null
      const { type, message: fields } = parsed
      const subject = type === null ? fields.taskId : appSubject(fields.appId)
      if (deps.unverified?.hold(tx, message, subject, key)) return null
      return acceptTask(tx, message, parsed, message.receivedAt)
    },
    admit(tx, messages) {
      for (const message of messages) {
        const parsed = taskMessageOf(message.raw)
        if (parsed) acceptTask(tx, message, parsed, deps.clock.now())
      }
    },
  }
}

const WITHOUT_QLIK_DATA = { details: null, code: null, history: null, retry: null, test: false } as const

/** The record of an event of which only the datagram is known. */
function arrivalRecord(event: NewEvent): TaskEvent {
  const { message, journalId, sender, typeKnown, announced, deadlineAt, nameTokens, acceptedBy, ...facts } = event
  return {
    ...WITHOUT_QLIK_DATA,
    ...facts,
    ...message,
    task: null,
    app: null,
    owner: null,
    execution: null,
    scriptLog: null,
    missingParts: [],
  }
}
