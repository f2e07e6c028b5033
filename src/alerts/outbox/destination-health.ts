/** Whether the destinations answer, by the attempts since the start. */
import { type Clock, systemClock } from '../../platform/types.ts'
import type { Destination } from '../types.ts'
import type { DeliveryChange } from './outbox.ts'

export interface HealthState {
  /** False after a temporary failure, until something is delivered. */
  readonly up: boolean
  /** The error of the last attempt; null when it succeeded. */
  readonly lastError: string | null
  /** When it went down, milliseconds since 1970; null while it is up. */
  readonly downSince: number | null
}

export interface DestinationHealth {
  observe(change: DeliveryChange): void
  state(destination: string): HealthState
}

/** The state of a destination as all pages, commands and endpoints show it. `refuses`: it answers, and refused the last message. */
export function destinationState(
  health: Pick<DestinationHealth, 'state'>,
  { name, ready }: Pick<Destination, 'name' | 'ready'>,
): Pick<HealthState, 'up' | 'lastError'> & { readonly state: 'up' | 'refuses' | 'down' } {
  const { up: answers, lastError } = health.state(name)
  const up = answers && (ready?.() ?? true)
  return { up, state: up ? (lastError === null ? 'up' : 'refuses') : 'down', lastError }
}

const FINE: HealthState = { up: true, lastError: null, downSince: null }

export function createDestinationHealth({ now }: Clock = systemClock): DestinationHealth {
  const states = new Map<string, HealthState>()
  return {
    observe({ destination, result, detail }) {
      if (result === 'delivered') states.set(destination, FINE)
      else if (result === 'retry') {
        const downSince = states.get(destination)?.downSince ?? now()
        states.set(destination, { up: false, lastError: detail, downSince })
      } else if (result === 'rejected') states.set(destination, { up: true, lastError: detail, downSince: null })
    },
    state: (destination) => states.get(destination) ?? FINE,
  }
}
