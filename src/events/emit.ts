/** Events that do not come by UDP: from monitors, the watchdog, Qlik Cloud, Footman itself, tests. */

import type { Inbox, SharedState } from '../cluster/types.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import { ownJson } from '../platform/json.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock } from '../platform/types.ts'
import { uuidV7 } from '../platform/uuid.ts'
import { type EventRouter, NOTHING_AWAITED } from './event-router.ts'
import { severityOf } from './kinds.ts'
import { ignoreEvent, insertEvent, type NewEvent, storeRoutedEvent } from './store.ts'
import type {
  EventDetails,
  EventOutcome,
  EventSource,
  EventType,
  IgnoreReason,
  MissingPart,
  ScriptLog,
  Severity,
  TaskEvent,
  TaskMessage,
} from './types.ts'

export interface EmittedEvent {
  readonly source: EventSource
  readonly type: EventType
  readonly outcome: EventOutcome
  /** Default: that of the outcome. */
  readonly severity?: Severity
  /** Absent fields are empty. */
  readonly message: Partial<TaskMessage>
  readonly details?: EventDetails | null
  readonly code?: string | null
  readonly scriptLog?: ScriptLog | null
  /** Parts that could not be read, and those of them that do not exist. */
  readonly missingParts?: readonly MissingPart[]
  readonly absentParts?: readonly MissingPart[]
  readonly test?: boolean
  /** When it happened, milliseconds since 1970; default now. */
  readonly receivedAt?: number
  /** True: task, app and so on are asked of QRS before it is routed, up to the usual deadline. */
  readonly enrich?: boolean
  /** It is recorded and not routed, for this reason. */
  readonly ignored?: IgnoreReason
}

export interface EventEmitter {
  /**
   * Resolves with the id of the event when it is durable, with its deliveries or waiting for Qlik data. `also` runs in
   * the same transaction, for what has to be remembered together with the event.
   */
  emit(event: EmittedEvent, also?: Also): Promise<string>
}

export interface EventAcceptor {
  /** Stores an event that another node of the cluster has offered; returns its id. Call `wake` of the router afterwards. */
  accept(tx: Database, raw: Uint8Array): string | null
}

export interface EmitterDeps {
  readonly writer: GroupWriter
  readonly router: EventRouter
  readonly clock: Clock
  /** There is an event to enrich. */
  readonly wakeEnricher: () => void
  /** Absent: a single node. */
  readonly shared?: Pick<SharedState, 'delivers' | 'inbox' | 'status'>
}

const NO_MESSAGE: TaskMessage = {
  host: '',
  taskName: '',
  appName: '',
  user: '',
  taskId: '',
  appId: '',
  logTimeStamp: '',
  logLevel: '',
  executionId: '',
  logMessage: '',
}

export function createEventEmitter(
  deps: EmitterDeps,
  settings: { readonly waitMs: number },
): EventEmitter & EventAcceptor {
  const { writer, router, clock } = deps

  function store(db: Database, stored: NewEvent, event: TaskEvent, { enrich, ignored }: EmittedEvent): void {
    const seq = insertEvent(db, stored)
    if (seq === null) return
    if (ignored) {
      ignoreEvent(db, seq, ignored)
      return
    }
    router.handle(db, event, 'everything')
    if (enrich) return
    storeRoutedEvent(db, seq, event, true)
    router.handle(db, event, NOTHING_AWAITED)
  }

  function recordsOf(emitted: EmittedEvent): { readonly stored: NewEvent; readonly event: TaskEvent } {
    const now = clock.now()
    const { receivedAt = now, details = null, code = null, test = false, scriptLog = null } = emitted
    const message = { ...NO_MESSAGE, ...emitted.message }
    const { source, type, outcome, severity = severityOf(outcome) } = emitted
    const common = { id: uuidV7(now), receivedAt, source, type, outcome, severity, details, code, test }
    const stored: NewEvent = {
      ...common,
      journalId: null,
      sender: '',
      typeKnown: !emitted.enrich,
      announced: outcome,
      deadlineAt: now + settings.waitMs,
      message,
      nameTokens: null,
    }
    const { missingParts = [], absentParts = [] } = emitted
    return { stored, event: { ...common, ...message, ...NO_QLIK, scriptLog, missingParts, absentParts } }
  }

  /** A follower reports what concerns itself through the inbox, as the leader decides who gets to know it. */
  async function offer(inbox: Inbox, emitted: EmittedEvent, also: Also | undefined): Promise<string> {
    const { receivedAt = clock.now(), code } = emitted
    const node = deps.shared?.status?.node ?? ''
    const key = `self|${node}|${code}|${receivedAt}`
    const raw = Buffer.from(JSON.stringify({ ...emitted, receivedAt }))
    await inbox.offer([{ key, kind: 'event', receivedAt, sender: node, raw }])
    const id = uuidV7(receivedAt)
    if (also) await writer.write((tx) => also(tx, id))
    return id
  }

  return {
    async emit(emitted, also) {
      const { shared } = deps
      if (shared?.inbox && !shared.delivers) return offer(shared.inbox, emitted, also)
      const { stored, event } = recordsOf(emitted)
      await writer.write((tx) => {
        store(tx, stored, event, emitted)
        also?.(tx, stored.id)
      })
      if (emitted.enrich) deps.wakeEnricher()
      else router.wake()
      return stored.id
    },
    accept(tx, raw) {
      const emitted = ownJson<EmittedEvent>(Buffer.from(raw).toString('utf8'))
      const { stored, event } = recordsOf(emitted)
      store(tx, stored, event, emitted)
      return stored.id
    },
  }
}

type Also = (db: Database, eventId: string) => void

const NO_QLIK = {
  task: null,
  app: null,
  owner: null,
  execution: null,
  missingParts: [],
  history: null,
  retry: null,
} as const
