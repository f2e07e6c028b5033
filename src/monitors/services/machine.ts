/** State machine of a service: from the known state and a new observation to the next state and the change to report. */
import type { EventOutcome } from '../../events/types.ts'
import type { ServiceStatus } from './types.ts'

/** The reported states of a service; transitional states are not among them. */
export type KnownState = 'RUNNING' | 'STOPPED' | 'PAUSED' | 'UNREACHABLE' | 'NOT_FOUND'

/** The result of one check of a service. */
export type Observation = ServiceStatus | 'UNREACHABLE' | 'NOT_FOUND'

export interface ServiceMemory {
  /** Null until the service has been read for the first time. */
  readonly state: KnownState | null
  /** Failed checks in a row with the same reason. */
  readonly failed: { readonly as: 'UNREACHABLE' | 'NOT_FOUND'; readonly times: number } | null
}

export interface ServiceChange {
  readonly outcome: Extract<EventOutcome, 'stopped' | 'started' | 'unreachable'>
  readonly status: KnownState
  /** `PAUSED` for a service of which nothing was known. */
  readonly previous: KnownState
}

export interface Step {
  readonly memory: ServiceMemory
  /** The change to report; null = none. */
  readonly change: ServiceChange | null
}

export interface MachineSettings {
  /** `footman.serviceMonitor.unreachableAlert` */
  readonly unreachableAlert: boolean
  /** `footman.serviceMonitor.unreachableChecks` */
  readonly unreachableChecks: number
}

export const NOTHING_KNOWN: ServiceMemory = { state: null, failed: null }

export function step(memory: ServiceMemory, seen: Observation, settings: MachineSettings): Step {
  if (seen === 'UNREACHABLE' || seen === 'NOT_FOUND') return afterFailure(memory, seen, settings)
  const { state } = memory
  if (seen !== 'RUNNING' && seen !== 'STOPPED' && seen !== 'PAUSED') return { memory: settled(state), change: null }
  const isNews = seen !== state && (state !== null || seen === 'STOPPED')
  const outcome = seen === 'RUNNING' ? 'started' : 'stopped'
  return { memory: settled(seen), change: isNews ? { outcome, status: seen, previous: state ?? 'PAUSED' } : null }
}

const settled = (state: KnownState | null): ServiceMemory => ({ state, failed: null })

function afterFailure(memory: ServiceMemory, as: 'UNREACHABLE' | 'NOT_FOUND', settings: MachineSettings): Step {
  const times = memory.failed?.as === as ? memory.failed.times + 1 : 1
  const failed = { as, times }
  const isNews = settings.unreachableAlert && times >= settings.unreachableChecks && memory.state !== as
  if (!isNews) return { memory: { state: memory.state, failed }, change: null }
  return {
    memory: { state: as, failed },
    change: { outcome: 'unreachable', status: as, previous: memory.state ?? 'PAUSED' },
  }
}
