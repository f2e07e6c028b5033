/** Footman's alerts about itself: who tells what to which condition. */
import { statfs } from 'node:fs/promises'
import { hostname } from 'node:os'
import type { DeliveryChange } from '../alerts/outbox/outbox.ts'
import type { Config } from '../config/schema.ts'
import type { EventPipeline } from '../events/pipeline.ts'
import { overdueSince } from '../events/store.ts'
import type { Api } from '../http/server.ts'
import { createSelfAlerts, type SelfAlerts } from '../monitors/self-alerts/checker.ts'
import {
  backlogFull,
  backlogGrowing,
  certificateExpiring,
  certificateInvalid,
  type DiskSpace,
  descriptorsLow,
  diskLow,
  notUp,
  type Part,
  storageTrouble,
  tasksUnverified,
} from '../monitors/self-alerts/measured.ts'
import { createOutages } from '../monitors/self-alerts/outage.ts'
import { createHappened, createReported } from '../monitors/self-alerts/reported.ts'
import type { MqttService } from '../mqtt/types.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import type { Database } from '../platform/sqlite.ts'
import type { StorageGuard } from '../platform/storage/guard.ts'
import type { Clock, Logger } from '../platform/types.ts'
import type { QrsObserver } from '../qlik/qrs/transport.ts'
import type { Alerts } from './alerts.ts'
import type { Certificate } from './metrics.ts'
import type { Qlik } from './qlik.ts'

export interface SelfAlertsDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly dataDirectory: string
  /** The guard of `footman.db`. */
  readonly storage: Pick<StorageGuard, 'note'>
  /** What is built later is reached by functions. */
  readonly pipeline: () => EventPipeline
  readonly alerts: () => Pick<Alerts, 'destinations'>
  readonly api: () => Api
  readonly qlik: () => Qlik
  readonly certificates: () => readonly Certificate[]
  /** Why file descriptors are short; null = they are not. */
  readonly descriptors: () => string | null
  /** The brokers, by the name that people know; empty in shadow mode. */
  readonly brokers: () => Readonly<Record<string, MqttService>>
  /** Names of the calendars that are read from files now. */
  readonly calendars: () => readonly string[]
  /** Replaced in tests. */
  readonly diskSpace?: () => Promise<DiskSpace>
}

export interface BuiltSelfAlerts {
  /** Null when they are switched off. */
  readonly service: SelfAlerts | null
  readonly onQrsRequest: QrsObserver
  readonly onDelivery: (change: DeliveryChange) => void
  /** Points of monitors were given up. */
  readonly onDeadPoints: (count: number, why: string) => void
  /** Messages of a host were lost within an hour. */
  readonly onLost: (host: string, count: number) => void
  readonly onCalendar: (calendar: string, reason: string | null) => void
  /** Null = the configuration file is in order. */
  readonly onConfig: (problem: string | null) => void
}

export function buildSelfAlerts(deps: SelfAlertsDeps, config: Config, qrsEnabled: boolean): BuiltSelfAlerts {
  const { db, clock, pipeline, alerts } = deps
  const { selfAlerts, delivery, node } = config.footman
  const now = () => clock.now()
  const qrs = createOutages({ now }, { code: 'QRS_DOWN', text: qrsText(config) })
  const destinations = createOutages(
    { now },
    {
      code: 'DESTINATION_DOWN',
      text: (name, why) =>
        `Destination ${name} has only failed for five minutes: ${why}. Messages wait until it works.`,
      exists: (name) => alerts().destinations.has(name),
    },
  )
  const deadLetters = createHappened('DEAD_LETTERS')
  const lost = createHappened('EVENTS_LOST')
  const calendars = createReported('CALENDAR_UNREADABLE', (name) => deps.calendars().includes(name))
  const configFile = createReported('CONFIG_INVALID')
  // Nothing runs with a file that is not in order.
  configFile.report('', null)
  const backlog = () => {
    const { status, counters } = pipeline()
    return {
      pending: status.pendingEvents,
      overdueSince: overdueSince(db, clock.now()),
      qrsReachable: !qrsEnabled || status.qrsReachable,
      refused: counters.dropped.BACKLOG_FULL,
    }
  }
  const happened = () => {
    const { journal } = pipeline().status
    return deps.storage.note?.text ?? (journal.state === 'degraded' ? journal.reason : null)
  }
  const certificateProblems = () => ({
    qlik: qrsEnabled ? (deps.qlik().certificates.check().problems[0] ?? null) : null,
    rest: deps.api().tlsProblem,
  })

  const service = createSelfAlerts(
    {
      ...deps,
      emit: (event, also) => pipeline().emitter.emit(event, also),
      conditions: [
        backlogGrowing(backlog, delivery.maxBacklog),
        backlogFull(backlog, delivery.maxBacklog),
        tasksUnverified(() => pipeline().status.unverified),
        deadLetters.condition,
        qrs.condition,
        destinations.condition,
        notUp('UDP_NOT_LISTENING', () => [udpPart(pipeline(), config)]),
        notUp('MQTT_DISCONNECTED', () => Object.entries(deps.brokers()).map(brokerPart)),
        lost.condition,
        diskLow(deps.diskSpace ?? (() => diskSpace(deps.dataDirectory)), deps.dataDirectory),
        storageTrouble(happened),
        descriptorsLow(deps.descriptors),
        certificateExpiring(deps.certificates),
        certificateInvalid(certificateProblems),
        calendars.condition,
        configFile.condition,
      ],
    },
    { host: node.name || hostname() },
  )

  return {
    service: selfAlerts.enable ? service : null,
    onQrsRequest: (result) => {
      if (result !== 'aborted') qrs.attempt('', result === 'ok' ? null : QRS_FAILURES[result])
    },
    onDelivery({ destination, result, state, reason, detail, event }) {
      if (result === 'delivered' || result === 'rejected') destinations.attempt(destination, null)
      if (result === 'retry') destinations.attempt(destination, detail)
      if (state !== 'dead' || event?.type === 'self') return
      deadLetters.happened(destination, `Deliveries to ${destination} were given up (${reason}: ${detail}).`)
    },
    onDeadPoints: (count, why) =>
      deadLetters.happened('influxdb points', `${count} points of monitors for InfluxDB were given up: ${why}.`),
    onLost: (host, count) =>
      lost.happened(host, `${count} messages of ${host} were lost within an hour. Check network and UDP buffers.`),
    onCalendar: (name, reason) =>
      calendars.report(name, reason === null ? null : `The file of calendar ${name} cannot be used: ${reason}.`),
    onConfig: (problem) => configFile.report('', problem),
  }
}

const QRS_FAILURES: Readonly<Record<Exclude<Parameters<QrsObserver>[0], 'ok' | 'aborted'>, string>> = {
  unreachable: 'it cannot be reached',
  timeout: 'it does not answer in time',
  status: 'it refuses what it is asked',
  notJson: 'something else answers in its place',
  shape: 'it answers with something else than asked',
}

function qrsText({ configQRS }: Config) {
  return (_: string, why: string) =>
    `The repository service ${configQRS.host}:${configQRS.port} has only failed for five minutes: ${why}. Alerts go out without task and app data.`
}

function udpPart({ status }: EventPipeline, { udpServerConfig }: Config): Part {
  return {
    name: '',
    isUp: () => status.udpListening,
    text: `Footman does not listen on UDP port ${udpServerConfig.portTaskFailure}: messages of Qlik Sense are lost. Is the port taken?`,
  }
}

function brokerPart([name, mqtt]: readonly [string, MqttService]): Part {
  return { name, isUp: () => mqtt.connected, text: `The MQTT broker ${name} has not been connected for five minutes.` }
}

async function diskSpace(directory: string): Promise<DiskSpace> {
  const { bavail, blocks, bsize } = await statfs(directory)
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
}
