/** Starting services in order and stopping them in reverse. */
import { within } from './deadline.ts'
import type { Logger, Service } from './types.ts'

export interface Lifecycle {
  /**
   * Starts the services one after the other, those of a group side by side. When one fails, those already started are
   * stopped again and the error of the failed one is thrown. A stop in the meantime ends the start after the service
   * or group in progress.
   */
  start(): Promise<void>
  /** Stops the started services in reverse order within `graceMs` for all of them together. Never rejects. */
  stop(graceMs: number): Promise<void>
}

/** Time for services to stop when a later one fails to start. */
const FAILED_START_GRACE_MS = 5000
/** Least time for a service, even when others have used up the grace period. */
const LEAST_GRACE_MS = 100

/** The services are in the order of their start; each must be able to stop after a start that it completed. */
export function createLifecycle(deps: { log: Logger }, services: readonly (Service | readonly Service[])[]): Lifecycle {
  const { log } = deps
  const started: Service[] = []
  let starting: Promise<void> | null = null
  let stopping: Promise<void> | null = null

  async function startAll(): Promise<void> {
    for (const group of services) {
      if (stopping) return
      const outcomes = await Promise.allSettled([group].flat().map(startOne))
      for (const outcome of outcomes) if (outcome.status === 'fulfilled') started.push(outcome.value)
      const failure = outcomes.find((outcome) => outcome.status === 'rejected')
      if (!failure) continue
      await stopStarted(FAILED_START_GRACE_MS)
      throw failure.reason
    }
  }

  async function startOne(service: Service): Promise<Service> {
    const before = performance.now()
    await service.start()
    log.debug(`MAIN: Started ${service.name} in ${Math.round(performance.now() - before)} ms`)
    return service
  }

  async function stopStarted(graceMs: number): Promise<void> {
    const deadline = performance.now() + graceMs
    for (let service = started.pop(); service; service = started.pop()) {
      await stopOne(service, Math.max(deadline - performance.now(), LEAST_GRACE_MS))
    }
  }

  async function stopOne(service: Service, graceMs: number): Promise<void> {
    try {
      const outcome = await within(service.stop(graceMs), graceMs, () => 'late' as const)
      if (outcome === 'late') log.warn(`MAIN: ${service.name} did not stop within ${Math.round(graceMs)} ms`)
      else log.debug(`MAIN: Stopped ${service.name}`)
    } catch (error) {
      log.error(`MAIN: Stopping ${service.name} failed`, { error })
    }
  }

  async function stopAll(graceMs: number): Promise<void> {
    // A service that is starting must finish first, so that it can be stopped like the others.
    const before = performance.now()
    if (starting) await within(starting, graceMs, () => undefined).catch(() => undefined)
    await stopStarted(graceMs - (performance.now() - before))
  }

  return {
    start() {
      starting ??= startAll()
      return starting
    },
    stop(graceMs) {
      stopping ??= stopAll(graceMs)
      return stopping
    },
  }
}
