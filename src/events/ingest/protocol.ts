/** Messages between the ingest worker and the main thread. */
import type { StorageState } from '../../platform/storage/states.ts'
import type { DeliveryLimits, UdpConfig, UdpServerConfig } from '../config.ts'
import type { DropReason } from '../types.ts'
import type { Datagram } from './journal.ts'

/** Name of the worker's role, as the program's entry knows it. */
export const INGEST_ROLE = 'ingest'

export interface IngestSettings extends UdpConfig {
  readonly journalFile: string
  readonly udp: UdpServerConfig
  readonly delivery: Pick<DeliveryLimits, 'maxBacklog' | 'memoryBacklog'>
  /** The entry of the journal up to which everything has been taken over; null = not known. */
  readonly takenUpTo: number | null
}

export interface DropSample {
  readonly at: number
  readonly sender: string
  readonly reason: DropReason
  /** The start of the payload, for inspection. */
  readonly raw: Uint8Array
}

export type FromWorker =
  /** At the start, and each time when another file has taken its place. */
  | { readonly type: 'opened'; readonly lastId: number }
  /** The state of the journal has changed. */
  | ({ readonly type: 'storage' } & StorageState)
  /** So many messages wait in memory, as the journal cannot be written. */
  | { readonly type: 'inMemory'; readonly count: number }
  /** The oldest of them, which another store may take; `handedOver` answers. */
  | { readonly type: 'unwritten'; readonly messages: readonly Datagram[] }
  | { readonly type: 'listening'; readonly address: string; readonly port: number; readonly receiveBuffer: number }
  | {
      readonly type: 'listenFailed'
      readonly code: string
      readonly message: string
      readonly retryInMs: number | null
    }
  /** The datagram of a self-test that was expected. */
  | { readonly type: 'selfTest'; readonly token: string; readonly sender: string }
  | { readonly type: 'committed'; readonly lastId: number; readonly received: number }
  | {
      readonly type: 'dropped'
      readonly counts: Readonly<Partial<Record<DropReason, number>>>
      readonly samples: readonly DropSample[]
    }
  | { readonly type: 'problem'; readonly level: 'error' | 'warn'; readonly message: string }
  /** The answer to the `ping` of that number, and so to all before it. */
  | { readonly type: 'pong'; readonly number: number }
  /** `left`: messages that no store has taken. */
  | { readonly type: 'stopped'; readonly left: readonly Datagram[] }

export type ToWorker =
  /** How many accepted events are not yet worked off, journal and database together. */
  | { readonly type: 'backlog'; readonly consumedUpTo: number; readonly pendingEvents: number }
  /** Tokens of the self-tests that are under way. */
  | { readonly type: 'expect'; readonly tokens: readonly string[] }
  | { readonly type: 'purge'; readonly upTo: number; readonly before: number }
  /** The main thread could not read the journal. */
  | { readonly type: 'suspect' }
  /** Asks whether the worker is alive. */
  | { readonly type: 'ping'; readonly number: number }
  /** Whether another store has taken the messages that were `unwritten`. */
  | { readonly type: 'handedOver'; readonly taken: boolean }
  /** `waitMs`: how long a journal that cannot be written is waited for. */
  | { readonly type: 'stop'; readonly waitMs: number }
