/** Footman's alerts about itself: the conditions, the values they measure, and the observers that feed the others. */
import { statfs } from 'node:fs/promises'
import { hostname } from 'node:os'
import type { SharedState } from '../../cluster/types.ts'
import type { EventEmitter } from '../../events/emit.ts'
import type { EventPipeline } from '../../events/pipeline.ts'
import { overdueSince } from '../../events/store.ts'
import type { ApiServer } from '../../http/server.ts'
import type { MqttService } from '../../mqtt/types.ts'
import type { DescriptorWatch } from '../../platform/descriptors.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { StorageGuard } from '../../platform/storage/guard.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import type { ZoneTimes } from '../../platform/zone-times.ts'
import type { Qlik } from '../../qlik/index.ts'
import { reasonOf } from '../../qlik/qrs/failure.ts'
import type { QrsObserver } from '../../qlik/qrs/transport.ts'
import { createChecker, type SelfAlerts } from './checker.ts'
import { clusterConditions } from './cluster.ts'
import {
  backlogFull,
  backlogGrowing,
  certificateExpiring,
  certificateInvalid,
  createHappened,
  createOutages,
  createReported,
  type DiskSpace,
  descriptorsLow,
  diskLow,
  notUp,
  type Part,
  settingUnusable,
  storageTrouble,
  tasksUnverified,
  type UnusableSetting,
} from './conditions.ts'

export interface SelfAlertsDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly times: ZoneTimes
  /** The storage of `footman.db`. */
  readonly storage: { readonly guard: Pick<StorageGuard, 'note'> }
  readonly emitter: EventEmitter
  readonly pipeline: Pick<EventPipeline, 'status' | 'counters'>
  /** Destinations in use, by name. */
  readonly alerts: { readonly destinations: ReadonlyMap<string, unknown> }
  readonly rest: Pick<ApiServer, 'tlsProblem'>
  readonly qlik: { readonly certificates: Pick<Qlik['certificates'], 'check'> }
  readonly certificates: () => readonly { readonly name: string; readonly expiresAt: number }[]
  readonly descriptors: Pick<DescriptorWatch, 'problem'>
  /** The brokers by address; empty in shadow mode. */
  readonly brokers: Readonly<Record<string, Pick<MqttService, 'connected'>>>
  /** Names of the calendars that are read from files now. */
  readonly calendars: () => readonly string[]
  readonly shared: Pick<SharedState, 'status'>
  /** Replaced in tests. */
  readonly diskSpace?: () => Promise<DiskSpace>
  readonly unusableSettings: () => readonly UnusableSetting[]
}

export interface SelfAlertsSettings {
  readonly configQRS: { readonly host: string; readonly port: number }
  readonly udpServerConfig: { readonly portTaskFailure: number }
  readonly footman: {
    readonly selfAlerts: { readonly enable: boolean }
    readonly delivery: { readonly maxBacklog: number }
    readonly node: { readonly name: string }
  }
}

/** The part of a delivery change that the self-alerts use. */
interface ObservedDelivery {
  readonly destination: string
  readonly state: string
  readonly reason: string | null
  readonly detail: string
  readonly event: { readonly type: string } | null
  readonly result?: string | null
}

export interface SelfAlertsService {
  /** Empty when they are switched off. */
  readonly services: readonly SelfAlerts[]
  /** To be subscribed to the topics of these names. */
  readonly observers: {
    readonly qrsRequest: QrsObserver
    readonly delivery: (change: ObservedDelivery) => void
    /** Points of monitors were given up. */
    readonly pointsDead: (count: number, why: string) => void
    /** Messages of a host were lost within an hour. */
    readonly messagesLost: (host: string, count: number) => void
    readonly calendar: (name: string, reason: string | null) => void
    /** Null = the configuration file is in order. */
    readonly configuration: (problem: string | null) => void
    /** Two nodes have changed the schedule file at the same time; what became of it. */
    readonly scheduleConflict: (text: string) => void
  }
}

export function createSelfAlerts(
  deps: SelfAlertsDeps,
  settings: SelfAlertsSettings,
  { dataDirectory, qrsConnection }: { readonly dataDirectory: string; readonly qrsConnection: boolean },
): SelfAlertsService {
  const { db, clock, pipeline } = deps
  const { selfAlerts, delivery, node } = settings.footman
  const now = () => clock.now()
  const qrs = createOutages({ now }, { code: 'QRS_DOWN', text: qrsText(settings) })
  const destinations = createOutages(
    { now },
    {
      code: 'DESTINATION_DOWN',
      text: (name, why) =>
        `Destination ${name} has only failed for five minutes: ${why}. Messages wait until it works.`,
      exists: (name) => deps.alerts.destinations.has(name),
    },
  )
  const deadLetters = createHappened('DEAD_LETTERS')
  const lost = createHappened('EVENTS_LOST')
  const conflicts = createHappened('SCHEDULE_CONFLICT')
  const calendars = createReported('CALENDAR_UNREADABLE', (name) => deps.calendars().includes(name))
  const configFile = createReported('CONFIG_INVALID')
  // Nothing runs with a file that is not in order.
  configFile.report('', null)
  const backlog = () => {
    const { status, counters } = pipeline
    return {
      pending: status.pendingEvents,
      overdueSince: overdueSince(db, clock.now()),
      qrsReachable: !qrsConnection || status.qrsReachable,
      refused: counters.dropped.BACKLOG_FULL,
    }
  }
  const happened = () => {
    const { journal } = pipeline.status
    return deps.storage.guard.note?.text ?? (journal.state === 'degraded' ? journal.reason : null)
  }
  const certificateProblems = () => ({
    qlik: qrsConnection ? (deps.qlik.certificates.check().problems[0] ?? null) : null,
    rest: deps.rest.tlsProblem,
  })

  const service = createChecker(
    {
      ...deps,
      emit: deps.emitter.emit,
      conditions: [
        backlogGrowing(backlog, delivery.maxBacklog),
        backlogFull(backlog, delivery.maxBacklog),
        tasksUnverified(() => pipeline.status.unverified),
        deadLetters.condition,
        qrs.condition,
        destinations.condition,
        notUp('UDP_NOT_LISTENING', () => [udpPart(pipeline, settings)]),
        notUp('MQTT_DISCONNECTED', () => Object.entries(deps.brokers).map(brokerPart)),
        lost.condition,
        diskLow(deps.diskSpace ?? (() => diskSpace(dataDirectory)), dataDirectory),
        storageTrouble(happened),
        descriptorsLow(() => deps.descriptors.problem),
        certificateExpiring(deps.certificates, deps.times),
        certificateInvalid(certificateProblems),
        calendars.condition,
        configFile.condition,
        settingUnusable(deps.unusableSettings),
        ...clusterConditions(() => deps.shared.status, deps.times),
        conflicts.condition,
      ],
    },
    { host: node.name || hostname() },
  )

  return {
    services: selfAlerts.enable ? [service] : [],
    observers: {
      qrsRequest(result, _milliseconds, { error }) {
        if (result === 'aborted') return
        const isRefused = error !== null && error.missingRight !== null
        qrs.attempt('', result === 'ok' ? null : isRefused ? reasonOf(error) : QRS_FAILURES[result])
      },
      delivery({ destination, result, state, reason, detail, event }) {
        if (result === 'delivered' || result === 'rejected') destinations.attempt(destination, null)
        if (result === 'retry') destinations.attempt(destination, detail)
        if (state !== 'dead' || event?.type === 'self') return
        deadLetters.happened(destination, `Deliveries to ${destination} were given up (${reason}: ${detail}).`)
      },
      pointsDead: (count, why) =>
        deadLetters.happened('influxdb points', `${count} points of monitors for InfluxDB were given up: ${why}.`),
      messagesLost: (host, count) =>
        lost.happened(host, `${count} messages of ${host} were lost within an hour. Check network and UDP buffers.`),
      calendar: (name, reason) =>
        calendars.report(name, reason === null ? null : `The file of calendar ${name} cannot be used: ${reason}.`),
      configuration: (problem) => configFile.report('', problem),
      scheduleConflict: (text) => conflicts.happened('', text),
    },
  }
}

const QRS_FAILURES: Readonly<Record<Exclude<Parameters<QrsObserver>[0], 'ok' | 'aborted'>, string>> = {
  unreachable: 'it cannot be reached',
  timeout: 'it does not answer in time',
  status: 'it refuses what it is asked',
  notJson: 'something else answers in its place',
  shape: 'it answers with something else than asked',
}

function qrsText({ configQRS }: SelfAlertsSettings) {
  return (_: string, why: string) =>
    `The repository service ${configQRS.host}:${configQRS.port} has only failed for five minutes: ${why}. Alerts go out without task and app data.`
}

function udpPart({ status }: Pick<EventPipeline, 'status'>, { udpServerConfig }: SelfAlertsSettings): Part {
  return {
    name: '',
    isUp: () => status.udpListening,
    text: `Footman does not listen on UDP port ${udpServerConfig.portTaskFailure}: messages of Qlik Sense are lost. Is the port taken?`,
  }
}

function brokerPart([name, mqtt]: readonly [string, Pick<MqttService, 'connected'>]): Part {
  return { name, isUp: () => mqtt.connected, text: `The MQTT broker ${name} has not been connected for five minutes.` }
}

async function diskSpace(directory: string): Promise<DiskSpace> {
  const { bavail, blocks, bsize } = await statfs(directory)
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
}
