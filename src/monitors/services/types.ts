/** Services of Windows and units of systemd, as the monitor sees them. */

/** In the order of the numbers that Windows gives them: STOPPED is 1. */
export const SERVICE_STATUSES = [
  'STOPPED',
  'START_PENDING',
  'STOP_PENDING',
  'RUNNING',
  'CONTINUE_PENDING',
  'PAUSE_PENDING',
  'PAUSED',
] as const
export type ServiceStatus = (typeof SERVICE_STATUSES)[number]

/** The state that a Windows number stands for; null for numbers that are none. */
export function statusOfNumber(number: number): ServiceStatus | null {
  return SERVICE_STATUSES[number - 1] ?? null
}

/** `Automatic` 0, `Automatic (delayed start)` 1, `Manual` 2, `Disabled` 3, anything else -1. */
export const START_TYPES = ['Automatic', 'Automatic (delayed start)', 'Manual', 'Disabled'] as const
export type StartType = (typeof START_TYPES)[number] | 'Boot' | 'System' | ''

export interface ServiceInfo {
  readonly displayName: string
  readonly startType: StartType
  /** The command line as it is registered, quotes included. */
  readonly exePath: string
  readonly dependencies: readonly string[]
}

/** The answer about one service: its state, null when there is no such service, or why it could not be asked. */
export type ServiceAnswer = ServiceStatus | null | Error

/** Every way to services goes through one of these; replaced in tests. */
export interface ServiceReader {
  /** Why the services of this host cannot be read from here; null when they can. */
  refusal(host: string): string | null
  /** Answers by the names as given. Rejects when the host as a whole cannot be asked. */
  states(host: string, names: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, ServiceAnswer>>
  /** Rejects when they cannot be read. */
  info(host: string, name: string, signal: AbortSignal): Promise<ServiceInfo>
}
