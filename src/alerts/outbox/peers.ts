/** How the destinations fare, as far as attempts since the start tell. */
import type { DeliveryChange } from './outbox.ts'

export interface PeerState {
  /** False after a temporary failure, until something is delivered. */
  readonly up: boolean
  /** Of the last attempt; null when it succeeded. */
  readonly lastError: string | null
}

export interface Peers {
  observe(change: DeliveryChange): void
  state(destination: string): PeerState
}

const FINE: PeerState = { up: true, lastError: null }

export function createPeers(): Peers {
  const states = new Map<string, PeerState>()
  return {
    observe({ destination, result, detail }) {
      if (result === 'delivered') states.set(destination, FINE)
      else if (result === 'retry') states.set(destination, { up: false, lastError: detail })
      else if (result === 'rejected') states.set(destination, { up: true, lastError: detail })
    },
    state: (destination) => states.get(destination) ?? FINE,
  }
}
