/** From event to delivered message: the contracts of routes, destinations and the outbox. */
import type { Outcome, TaskEvent, TaskType } from '../events/types.ts'

export type DeliveryState = 'pending' | 'sending' | 'delivered' | 'suppressed' | 'dead'
export type DeliveryKind = 'alert' | 'recovery' | 'fallback' | 'summary' | 'test'

/** Closed list: why a delivery was decided against. */
export type SuppressReason =
  | 'RATE_LIMITED'
  | 'CUSTOM_PROPERTY'
  | 'TAG'
  | 'OWNER_EXCLUDED'
  | 'APP_NOT_INCLUDED'
  | 'NO_RECIPIENT'
  | 'RECIPIENT_INVALID'
  | 'MAINTENANCE'
  | 'SNOOZED'
  | 'GROUPED'
  | 'RETRY_PENDING'
  | 'SHADOW_MODE'

/** Closed list: why a delivery was given up. */
export type DeadReason = 'EXPIRED' | 'REJECTED' | 'RENDER_FAILED' | 'DESTINATION_REMOVED' | 'CANCELLED'

/** What a route needs to know about an event beyond its datagram; nothing else is fetched. */
export type Need = 'app' | 'owner' | 'execution' | 'scriptLog'

/** One intended message, decided by a route's pure `plan`. */
export interface PlannedDelivery {
  /** What a person recognises: an address, a topic, the host of a URL. Never a secret. Unique within route and event. */
  readonly target: string
  /**
   * Deliveries of one lane share a connection's fate and a concurrency limit; a dead lane never slows another.
   * A destination with one server uses its own name, one with several uses one lane per server.
   */
  readonly lane: string
  /** Deliveries with the same key leave one after the other, in order of arrival. */
  readonly orderKey?: string
  /** Fixed-window rate limit; absent or 0 = none. Deliveries of one event that share a key share one slot. */
  readonly limit?: { readonly key: string; readonly windowMs: number }
  /** Set when the gates decided against sending. */
  readonly suppress?: { readonly reason: SuppressReason; readonly detail: string }
}

/** From a kind of event to a destination; compiled from the configuration. */
export interface Route {
  /** Unique and stable: `butler.<section>.<event>`. */
  readonly name: string
  /** Name of a destination in the registry. */
  readonly destination: string
  readonly when: { readonly types: readonly TaskType[]; readonly outcomes: readonly Outcome[] }
  /** `arrival` routes leave at once with the datagram's fields; the others wait for Qlik data, up to the deadline. */
  readonly phase: 'arrival' | 'enriched'
  readonly needs: readonly Need[]
  /** Pure. An empty list means that nothing is recorded; a list of suppressed ones says why nothing is sent. */
  plan(event: TaskEvent): readonly PlannedDelivery[]
}

/** Everything `render` may look at. */
export interface RenderInput {
  readonly event: TaskEvent
  readonly route: Route
  readonly target: string
  /** UUID v7; stable over retries and restarts: basis of Message-ID and Idempotency-Key. */
  readonly deliveryId: string
  /** How many earlier alerts of the same rate-limit key were suppressed since the last one that left. */
  readonly suppressed: number
}

/** A rendered message, ready to send. */
export interface Message {
  readonly deliveryId: string
  readonly target: string
  readonly subject: string | null
  /** What is stored and shown (secrets masked): the HTML of a mail, the JSON of a webhook. */
  readonly body: string
  /** What the destination sends; opaque to the outbox and never stored. */
  readonly payload: unknown
}

export type DeliveryResult =
  /** The peer has accepted the message. */
  | { readonly outcome: 'delivered'; readonly detail: string }
  /** Temporary: tried again with back-off. `slow` = usually needs a person (401, 403, 404): at maximum spacing. */
  | { readonly outcome: 'retry'; readonly detail: string; readonly retryAfterMs?: number; readonly slow?: boolean }
  /** Permanent refusal: a dead letter. */
  | { readonly outcome: 'rejected'; readonly detail: string }

export interface Destination {
  readonly name: string
  /** Pure apart from reading template files. Rejecting means that even the plain fallback could not be made. */
  render(input: RenderInput): Promise<Message>
  /** One result per message, in order. Never retries by itself; stops when `signal` aborts. */
  deliver(batch: readonly Message[], signal: AbortSignal): Promise<readonly DeliveryResult[]>
  /** False while sending is pointless (broker not connected): deliveries wait without using up attempts. */
  ready?(): boolean
  /** Called by the outbox; the destination calls back when it becomes ready. */
  onReady?(listener: () => void): void
  close?(): Promise<void>
}
