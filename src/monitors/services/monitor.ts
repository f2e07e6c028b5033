/** Watches services: checks each host on its own, sends events about changes, and reports every state at every check. */

import type { ServiceDetails } from '../../events/types.ts'
import type { InfluxPoint } from '../../metrics/influxdb/types.ts'
import { errorText } from '../../platform/errors.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import type { EmitMonitorEvent, MonitoredService as ServiceState, WritePoints } from '../types.ts'
import { type MachineSettings, type Observation, type ServiceChange, type ServiceMemory, step } from './machine.ts'
import type { ServiceStateStore } from './store.ts'
import {
  SERVICE_STATUSES,
  type ServiceAnswer,
  type ServiceInfo,
  type ServiceReader,
  type ServiceStatus,
  START_TYPES,
} from './types.ts'

interface ServiceMonitorDeps {
  readonly reader: ServiceReader
  readonly store: ServiceStateStore
  readonly emit: EmitMonitorEvent
  readonly clock: Clock
  readonly log: Logger
  /** Null = no InfluxDB. */
  readonly writePoints: WritePoints | null
  /** The state of a service, at every look; null = not wanted. */
  readonly publishState: ((host: string, details: ServiceDetails) => void) | null
  /**
   * Sends what rate limits have held back of these events about a service, if it is news; false while a window is
   * still open.
   */
  readonly tellLatest: (eventIds: readonly string[]) => Promise<boolean>
}

interface ServiceMonitorSettings extends MachineSettings {
  readonly monitor: readonly MonitoredHost[]
}

interface ServiceMonitor {
  /** Says what is watched and what cannot be, and remembers what was known; to be called once, before the first look. */
  prepare(): Promise<void>
  /** One for each host that can be asked: hosts never wait for one another. Not to be called while it runs. */
  readonly looks: readonly { readonly host: string; look(signal: AbortSignal): Promise<void> }[]
  /** The services of which a state is known. */
  states(): readonly Omit<ServiceState, 'number'>[]
}

/** Command line, start type and dependencies seldom change. */
const INFO_AGE_MS = 600_000

export function createServiceMonitor(deps: ServiceMonitorDeps, settings: ServiceMonitorSettings): ServiceMonitor {
  const { reader, store, emit, clock, log } = deps
  const all = watchedHosts(settings.monitor)
  const readable = all.filter(({ host }) => reader.refusal(host) === null)
  const services = readable.flatMap((host) => host.services)
  const failing = new Map<string, string>()
  /** Services about which something may have been held back. */
  const restless = new Set(services)

  async function look({ host, services: watched }: WatchedHost, signal: AbortSignal): Promise<void> {
    const answers = await ask(host, watched, signal)
    if (signal.aborted) return
    for (const service of watched) {
      const seen = await observe(service, answers instanceof Error ? answers : answers.get(service.name)!, signal)
      if (signal.aborted) return
      await follow(service, seen)
    }
    await report(watched)
  }

  /** The answers by name, or why the host could not be asked. */
  async function ask(host: string, watched: readonly WatchedService[], signal: AbortSignal) {
    try {
      const names = watched.map(({ name }) => name)
      const answers = await reader.states(host, names, signal)
      if (failing.delete(host)) log.info(`SERVICE MONITOR: Host ${host} answers again`)
      return answers
    } catch (error) {
      const reason = errorText(error)
      if (!signal.aborted) {
        const text = `SERVICE MONITOR: Error getting service info for host ${host}: ${reason}`
        if (failing.get(host) === reason) log.verbose(text)
        else log.error(text)
        failing.set(host, reason)
      }
      return new Error(reason)
    }
  }

  async function observe(service: WatchedService, answer: ServiceAnswer, signal: AbortSignal): Promise<Observation> {
    const { host, name, friendlyName } = service
    service.status = null
    if (answer === null) {
      sayOnce(service, `Service ${name} (="${friendlyName}") on host ${host} does not exist or cannot be reached.`)
      return 'NOT_FOUND'
    }
    if (answer instanceof Error) {
      const text = `SERVICE MONITOR: Service ${name} on host ${host} cannot be read: ${answer.message}`
      // A host that cannot be asked has its own line.
      if (!failing.has(host)) sayOnce(service, text)
      return 'UNREACHABLE'
    }
    service.problem = ''
    service.status = answer
    await readInfo(service, signal)
    return answer
  }

  function sayOnce(service: WatchedService, text: string, as: 'problem' | 'infoProblem' = 'problem'): void {
    if (service[as] === text) log.verbose(text)
    else log.error(text)
    service[as] = text
  }

  async function readInfo(service: WatchedService, signal: AbortSignal): Promise<void> {
    const now = clock.now()
    const isFresh = service.infoAt > now - INFO_AGE_MS && service.infoAt <= now
    const hasChanged = service.memory.state !== service.status
    if (service.info && isFresh && !hasChanged) return
    try {
      service.info = await reader.info(service.host, service.name, signal)
      service.infoAt = now
      service.infoProblem = ''
    } catch (error) {
      if (signal.aborted) return
      const { host, name } = service
      const text = `SERVICE MONITOR: Details of service ${name} on host ${host} cannot be read: ${errorText(error)}`
      sayOnce(service, text, 'infoProblem')
    }
  }

  async function follow(service: WatchedService, seen: Observation): Promise<void> {
    const { memory, change } = step(service.memory, seen, settings)
    const where = `"${service.info?.displayName || service.name}" on host "${service.host}"`
    if (seen === 'STOPPED') log.warn(`Service ${where} is stopped`)
    const key = { host: service.host, service: service.name }
    if (change) {
      announce(where, change)
      await emit(
        {
          source: 'monitor',
          type: 'service',
          outcome: change.outcome,
          message: { host: service.host },
          details: detailsOf(service, change.status, change.previous),
        },
        (db, eventId) => store.put(db, key, change.status, eventId),
      )
      restless.add(service)
    } else if (memory.state !== null && memory.state !== service.memory.state) await store.save(key, memory.state)
    // Only now: what could not be stored is found again at the next look.
    service.memory = memory
  }

  function announce(where: string, { outcome, status }: ServiceChange): void {
    if (outcome === 'started') log.info(`Service ${where} has started.`)
    else if (status === 'STOPPED') log.warn(`Service ${where} has stopped!`)
    else if (status === 'PAUSED') log.warn(`Service ${where} is paused!`)
    else if (status === 'NOT_FOUND') log.warn(`Service ${where} does not exist!`)
    else log.warn(`Service ${where} cannot be reached!`)
  }

  async function report(watched: readonly WatchedService[]): Promise<void> {
    const now = clock.now()
    const points = watched.flatMap((service) => {
      const state = stateNow(service)
      if (state === null) return []
      const details = detailsOf(service, state, '')
      deps.publishState?.(service.host, details)
      return [servicePoint(service.host, details, now)]
    })
    if (points.length > 0) await deps.writePoints?.(points)
    for (const service of watched) {
      if (!restless.has(service)) continue
      const events = store.events({ host: service.host, service: service.name })
      if (events.length === 0 || (await deps.tellLatest(events))) restless.delete(service)
    }
  }

  return {
    looks: readable.map((host) => ({ host: host.host, look: (signal) => look(host, signal) })),
    async prepare() {
      if (all.length === 0) {
        log.warn('SERVICE MONITOR INIT: Missing or empty section in config file: Butler.serviceMonitor.monitor')
        return
      }
      for (const { host } of all.filter((one) => !readable.includes(one))) {
        log.error(`SERVICE MONITOR INIT: Services on host ${host} are not watched: ${reader.refusal(host)}.`)
      }
      if (readable.length > 0) {
        log.info(
          'VERIFY WIN SERVICES EXIST: Verifying that all Windows services specified in config file exist and can be reached.',
        )
        log.info('SERVICE MONITOR INIT: Setting up monitor for Windows services:')
      }
      for (const { host, services: watched } of readable) {
        log.info(`SERVICE MONITOR INIT: --- Host: ${host}`)
        for (const { name } of watched) log.info(`SERVICE MONITOR INIT: ---          ${name}`)
      }
      await store.keepOnly(services.map(({ host, name }) => ({ host, service: name })))
      for (const service of services) {
        service.memory = { state: store.load({ host: service.host, service: service.name }), failed: null }
      }
    },
    states: () =>
      services.flatMap((service) => {
        const state = stateNow(service)
        return state === null
          ? []
          : [{ host: service.host, service: service.name, friendlyName: service.friendlyName, state }]
      }),
  }
}

// The services to watch, from the configuration.

interface WatchedService {
  readonly host: string
  /** The name in the configuration; Windows does not mind the case of its letters. */
  readonly name: string
  readonly friendlyName: string
  memory: ServiceMemory
  /** The state at the last check; null when it failed, and before the first one. */
  status: ServiceStatus | null
  /** Its description as last read. */
  info: ServiceInfo | null
  /** When that was read, milliseconds since 1970. */
  infoAt: number
  /** Why the last check failed, and why the description could not be read: logged once. */
  problem: string
  infoProblem: string
}

interface WatchedHost {
  readonly host: string
  readonly services: readonly WatchedService[]
}

interface MonitoredHost {
  readonly host: string
  readonly services: readonly { readonly name: string; readonly friendlyName: string }[]
}

/** Entries of the same host are joined, services that are listed twice are watched once. */
function watchedHosts(monitor: readonly MonitoredHost[]): WatchedHost[] {
  const hosts = new Map<string, { host: string; services: Map<string, WatchedService> }>()
  for (const { host, services } of monitor) {
    const key = host.toLowerCase()
    const entry = hosts.get(key) ?? { host, services: new Map<string, WatchedService>() }
    hosts.set(key, entry)
    for (const { name, friendlyName } of services) {
      if (name === '' || entry.services.has(name.toLowerCase())) continue
      entry.services.set(name.toLowerCase(), {
        host: entry.host,
        name,
        friendlyName: friendlyName || name,
        memory: { state: null, failed: null },
        status: null,
        info: null,
        infoAt: 0,
        problem: '',
        infoProblem: '',
      })
    }
  }
  return [...hosts.values()].flatMap(({ host, services }) =>
    host !== '' && services.size > 0 ? [{ host, services: [...services.values()] }] : [],
  )
}

// The state of a service as an event, a point and a number.

/** The state as read, or the reported reason why there is none; null while a service has not been read. */
function stateNow({ status, memory }: WatchedService): string | null {
  if (status !== null) return status
  const { state } = memory
  return state === 'UNREACHABLE' || state === 'NOT_FOUND' ? state : null
}

function detailsOf(service: WatchedService, status: string, previousStatus: string): ServiceDetails {
  const { name, friendlyName, info } = service
  return {
    kind: 'service',
    serviceName: name,
    displayName: info?.displayName || name,
    friendlyName,
    status,
    previousStatus,
    startType: info?.startType ?? '',
    exePath: info?.exePath ?? '',
    dependencies: info?.dependencies ?? [],
  }
}

/** STOPPED 1 to PAUSED 7; -1 for what Windows has no number for. */
export function stateNumber(state: string): number {
  const index = SERVICE_STATUSES.indexOf(state as ServiceStatus)
  return index === -1 ? -1 : index + 1
}

function servicePoint(host: string, details: ServiceDetails, time: number): InfluxPoint {
  return {
    measurement: 'win_service_state',
    tags: {
      host,
      service_name: details.serviceName,
      display_name: details.displayName,
      friendly_name: details.friendlyName,
    },
    fields: {
      state_num: stateNumber(details.status),
      state_text: details.status,
      startup_mode_num: (START_TYPES as readonly string[]).indexOf(details.startType),
      startup_mode_text: details.startType || null,
    },
    time,
  }
}
