/** Whether the destinations answer, by the attempts since the start. */
import type { DeliveryChange } from './outbox.ts'

export interface HealthState {
  /** False after a temporary failure, until something is delivered. */
  readonly up: boolean
  /** Of the last attempt; null when it succeeded. */
  readonly lastError: string | null
}

export interface DestinationHealth {
  observe(change: DeliveryChange): void
  state(destination: string): HealthState
}

const FINE: HealthState = { up: true, lastError: null }

export function createDestinationHealth(): DestinationHealth {
  const states = new Map<string, HealthState>()
  return {
    observe({ destination, result, detail }) {
      if (result === 'delivered') states.set(destination, FINE)
      else if (result === 'retry') states.set(destination, { up: false, lastError: detail })
      else if (result === 'rejected') states.set(destination, { up: true, lastError: detail })
    },
    state: (destination) => states.get(destination) ?? FINE,
  }
}
