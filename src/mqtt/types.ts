/** The broker connection as the features see it. */
import type { Database } from '../platform/sqlite.ts'

export interface IncomingMessage {
  readonly topic: string
  readonly payload: Uint8Array
  readonly retain: boolean
  readonly qos: 0 | 1 | 2
  /** The broker may have sent this packet before. */
  readonly dup?: boolean
  /** Number of the packet, which it keeps when the broker sends it again; absent with QoS 0. */
  readonly packetId?: number | undefined
}

/** Resolving acknowledges the packet (QoS 1); rejecting leaves it unacknowledged, so that the broker sends it again. */
export type MessageHandler = (message: IncomingMessage) => Promise<void>

export interface PublishOptions {
  readonly retain?: boolean
  readonly qos?: 0 | 1
  readonly signal?: AbortSignal
  /** The sender was found to have the right to start tasks. Without it nothing is published to the start topic. */
  readonly mayStartTasks?: boolean
}

export interface MqttService {
  readonly connected: boolean
  onConnected(listener: () => void): void
  /**
   * Resolves when the broker has taken the message (PUBACK with QoS 1); rejects when not connected. Never queues.
   * `qos` replaces the configured one.
   */
  publish(topic: string, payload: string | Uint8Array, options?: PublishOptions): Promise<void>
  /** Only the latest value per topic matters: sent at once or after the next connect, replaced by a newer one. */
  publishStatus(topic: string, payload: string): void
  /**
   * Hands over every message whose topic matches the MQTT filter; subscribed when no wider subscription covers it, at once
   * while connected.
   */
  onMessage(filter: string, handler: MessageHandler): void
}

/** A message without an event behind it. The sender checks that its topic starts no tasks, or that it may. */
export interface OutgoingMessage {
  readonly topic: string
  readonly payload: string
  /** Absent = as configured. */
  readonly qos?: 0 | 1
  readonly retain?: boolean
}

/** Messages that outlive outages and restarts. */
export interface MqttOutgoing {
  /** `stored` = on disk, to be published in order of its topic; `full` = refused, too many messages wait. */
  send(message: OutgoingMessage): Promise<'stored' | 'full'>
  /** Stores it within a transaction of the caller, however many wait. */
  put(tx: Database, message: OutgoingMessage): void
  /** Messages were stored by another way: look for work. */
  wake(): void
}
