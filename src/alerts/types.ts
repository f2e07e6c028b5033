/** From event to delivered message: the contracts of rules, destinations and the outbox. */
import type { EventOutcome, EventType, Need, Severity, TaskEvent } from '../events/types.ts'
import type { Database } from '../platform/sqlite.ts'
import type { DEAD_REASONS, DELIVERY_KINDS, DELIVERY_STATES, SUPPRESS_REASONS } from './kinds.ts'
import type { ComparedField, SuppressedBy } from './rules/contract.ts'

export type DeliveryState = (typeof DELIVERY_STATES)[number]
export type DeliveryKind = (typeof DELIVERY_KINDS)[number]
export type SuppressReason = (typeof SUPPRESS_REASONS)[number]
export type DeadReason = (typeof DEAD_REASONS)[number]

/** One intended message, decided by a rule's pure `plan`. */
export interface PlannedDelivery {
  /** A name that an operator recognises: an address, a topic, the host of a URL. No secret. Unique within rule and event. */
  readonly target: string
  /**
   * Deliveries of one lane share a connection's fate and a concurrency limit; a dead lane never slows another.
   * A destination with one server uses its own name, one with several uses one lane per server.
   */
  readonly lane: string
  /** Deliveries with the same key leave one after the other, in order of arrival. */
  readonly orderKey?: string
  /** Fixed-window rate limit; absent or 0 = none. Deliveries of one event that share a key share one of `count` (1) slots. */
  readonly limit?: { readonly key: string; readonly windowMs: number; readonly count?: number }
  /** Set when the gates decided against sending. */
  readonly suppress?: Suppression
}

export interface Suppression {
  readonly reason: SuppressReason
  readonly detail: string
  /** Stored with the delivery; absent where the detail says everything. */
  readonly by?: SuppressedBy
}

/** From a kind of event to a destination; compiled from the configuration. */
export interface Rule {
  /** Unique and stable: `butler.<section>.<event>`. */
  readonly name: string
  /** Name of a destination in the registry. */
  readonly destination: string
  readonly when: { readonly types: readonly EventType[]; readonly outcomes: readonly EventOutcome[] }
  /** Messages of `arrival` rules leave at once with the datagram's fields; the others wait for Qlik data, up to the deadline. */
  readonly phase: 'arrival' | 'enriched'
  readonly needs: readonly Need[]
  /** Pure. An empty list means that nothing is recorded; a list of suppressed ones says why nothing is sent. */
  plan(event: TaskEvent): readonly PlannedDelivery[]
  /** Texts of a user's rule; absent = built in. */
  readonly texts?: MessageTexts
  /** Type of the destination; absent = its name, as rules made from Butler's sections have it. */
  readonly destinationType?: string
  /** Absent = made of a section of Butler. */
  readonly origin?: 'butler' | 'footman'
  /** Which events of `when` it is for; absent = all. Rules of one name share it. */
  readonly filter?: RuleFilter
  /** Rules after it are not evaluated for an event that matches. */
  readonly stop?: boolean
  /** The severity of its messages; absent = that of the event. */
  readonly severity?: Severity
  readonly policy?: RulePolicy
  /** `aside`: never asked about events, only there for what is sent besides alerts: fallbacks, summaries, replays. */
  readonly role?: 'alert' | 'aside'
}

/** A pure question about an event; `at` is its time, milliseconds since 1970. */
export interface RuleFilter {
  /** The parts of the event that `matches` needs; absent = all that its rules need. */
  readonly needs?: readonly Need[]
  matches(event: TaskEvent, at: number): boolean
  /** The same, with the reason: `because` is null when it matches. */
  explain(event: TaskEvent, at: number): RuleExplanation
}

export interface RuleExplanation {
  readonly matched: boolean
  readonly because: string | null
  readonly fields: readonly ComparedField[]
}

/** Actions of a rule besides sending an alert. */
export interface RulePolicy {
  /** Also send a recovery to this destination when the subject is well again. */
  readonly recovery: boolean
  /** Destinations used when a delivery is dead or undelivered after `fallbackAfterMs`. */
  readonly fallback: readonly string[]
  readonly fallbackAfterMs: number
  /** `chain`: one message per broken chain of tasks, for `groupWindowMs`. */
  readonly group: 'none' | 'chain'
  readonly groupWindowMs: number
}

/** Texts of a rule that replace the built-in ones; templates as written in the configuration. */
export interface MessageTexts {
  readonly title?: string
  readonly body?: string
  /** Path of a template file for the body. */
  readonly template?: string
}

/** Holds messages to people back for a while: a maintenance, a snooze, or a reason of another feature. */
export interface Hold {
  /** The reason to suppress a delivery that its gates let through; null = none. */
  suppression(db: Database, subject: SuppressionSubject): Suppression | null
  /** The parts of an event that it needs now, absent = none; a part that is unknown suppresses nothing. */
  needs?(db: Database, now: number): readonly Need[]
}

export interface SuppressionSubject {
  readonly event: TaskEvent
  readonly rule: Rule
  readonly planned: PlannedDelivery
  /** Milliseconds since 1970. */
  readonly now: number
  /** Only a question: nothing is suppressed yet, and nothing is counted. */
  readonly peek?: boolean
}

/** A task that will not run because one before it in its chain has failed. */
export interface ChainTask {
  readonly id: string
  readonly name: string
  /** When it usually starts, ISO; null = not known. */
  readonly usualStart: string | null
}

/** The content of a message beyond its event; decided when the delivery is created, and stored with it. */
export interface DeliveryNote {
  /** The tasks downstream that will not run. */
  readonly chain?: {
    readonly root: { readonly id: string; readonly name: string }
    readonly downstream: readonly ChainTask[]
  }
  /** The destination that could not be reached, when this is its fallback. */
  readonly failedDestination?: string
  /** The suppressed events of a summary, by subject. */
  readonly summary?: { readonly title: string; readonly lines: readonly string[] }
  /** The body of a webhook that was made when the delivery was created. */
  readonly body?: string
}

/** Everything `render` may look at. */
export interface RenderInput {
  readonly event: TaskEvent
  readonly rule: Rule
  readonly target: string
  /** UUID v7; stable over retries and restarts: basis of Message-ID and Idempotency-Key. */
  readonly deliveryId: string
  /** How many earlier alerts of the same rate-limit key were suppressed since the last one that left. */
  readonly suppressed: number
  readonly kind: DeliveryKind
  /** The severity of the rule, else of the event. */
  readonly severity: Severity
  readonly note: DeliveryNote | null
  /** The receiver has refused the whole message: `event` is short already, and nothing large is attached. */
  readonly isShortened?: boolean
}

/** A rendered message, ready to send. */
export interface Message {
  readonly deliveryId: string
  readonly target: string
  readonly subject: string | null
  /** Stored and shown, with masked secrets: the HTML of a mail, the JSON of a webhook. */
  readonly body: string
  /** Sent by the destination; opaque to the outbox and never stored. */
  readonly payload: unknown
}

export type DeliveryResult =
  /** The peer has accepted the message. */
  | { readonly outcome: 'delivered'; readonly detail: string }
  /** Temporary: tried again with back-off. `slow` = usually needs a person (401, 403, 404): at maximum spacing. */
  | {
      readonly outcome: 'retry'
      readonly detail: string
      readonly retryAfterMs?: number
      readonly slow?: boolean
      /** It says something about the peer, not about the message: no connection, no answer, overloaded. */
      readonly peerDown?: boolean
    }
  /** Permanent refusal: a dead letter. `tooLarge` = of the whole message; it is sent once more, shortened. */
  | { readonly outcome: 'rejected'; readonly detail: string; readonly tooLarge?: boolean }

export interface Destination {
  readonly name: string
  /** A key of `DESTINATION_TYPES` (`destinations/index.ts`), or `influxdb` or `scriptlog`. */
  readonly type: string
  /** Pure apart from reading template files. Rejecting means that even the plain fallback could not be made. */
  render(input: RenderInput): Promise<Message>
  /** One result per message, in order. Never retries by itself; stops when `signal` aborts. */
  deliver(batch: readonly Message[], signal: AbortSignal): Promise<readonly DeliveryResult[]>
  /** False while sending is pointless (broker not connected): deliveries wait without using up attempts. */
  ready?(): boolean
  /** Called by the outbox; the destination calls back when it becomes ready. */
  onReady?(listener: () => void): void
  /** Messages that fit into one request; `deliver` gets up to that many of those that are due at once. Default 1. */
  readonly batchSize?: number
  close?(): Promise<void>
}

/** A destination of `Butler.footman.destinations`: it also determines the targets of an event. */
export interface TargetedDestination extends Destination {
  readonly needs: readonly Need[]
  /** The needs of messages with these texts of a rule; absent = always `needs`. */
  readonly needsFor?: (texts: MessageTexts | null) => readonly Need[]
  /** The targets of an event, each with its lane; suppressed ones with the reason. Limits are those of the rule, never set here. */
  targets(event: TaskEvent): readonly PlannedDelivery[]
}

/** One address that a server has refused. It may have taken the mail for the others. */
export interface Refusal {
  readonly address: string
  /** The server's answer. */
  readonly detail: string
  /** False = it may take the mail later. */
  readonly isPermanent: boolean
  /** It may take a shorter mail. */
  readonly tooLarge?: true
  /** It may have taken this one: the connection broke after the content was sent. */
  readonly inDoubt?: true
}
