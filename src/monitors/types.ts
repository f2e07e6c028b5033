/** Types of the monitors: dependencies, settings, states. */
import type { NodeConfig } from '../config/process.ts'
import type { EventEmitter } from '../events/emit.ts'
import type { EventDetails, EventOutcome, ServiceDetails } from '../events/types.ts'
import type { InfluxPoint, InfluxPoints } from '../metrics/influxdb/types.ts'
import type { MqttConfig } from '../mqtt/config.ts'
import type { Frequency } from '../platform/frequency.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import type { Built } from '../platform/replaceable.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock, Logger } from '../platform/types.ts'
import type { QrsConfig } from '../qlik/config.ts'
import type { Qlik } from '../qlik/index.ts'
import type { QrsObserver } from '../qlik/qrs/transport.ts'
import type {
  FootmanServiceMonitorConfig,
  HealthConfig,
  HeartbeatConfig,
  QlikSenseLicenseConfig,
  QlikSenseVersionConfig,
  ServiceMonitorConfig,
  UptimeMonitorConfig,
} from './config.ts'
import type { Marks } from './recurring.ts'

export type { QlikSenseLicenseConfig, ServiceMonitorConfig } from './config.ts'

export interface MonitorEvent {
  readonly source: 'monitor'
  readonly type: 'service' | 'license'
  readonly outcome: EventOutcome
  readonly message: { readonly host: string }
  readonly details: EventDetails
}

/**
 * Hands an event to the routes; resolves when it and its deliveries are on disk. `also` runs in the same transaction.
 */
export type EmitMonitorEvent = (event: MonitorEvent, also?: (db: Database, eventId: string) => void) => Promise<string>

/** Resolves when the points are on disk. */
export type WritePoints = (points: readonly InfluxPoint[]) => Promise<void>

export interface MonitorsDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly qlik: Pick<Qlik, 'certificates'>
  readonly emitter: EventEmitter
  readonly influx: {
    /** Null when InfluxDB is off, and in shadow mode. */
    readonly points: InfluxPoints | null
    /** The point about the memory of this process, at a time in milliseconds since 1970. */
    memoryPoint(at: number): InfluxPoint
  }
  readonly alerts: {
    /** Publishes the state of a service to the broker, below a topic; null when MQTT is off. */
    readonly publishService: ((topic: string, host: string, details: ServiceDetails) => void) | null
    /**
     * Sends the newest of these events (the last ones about a subject) after all where a rate limit has suppressed it.
     * Resolves with false while that has to wait.
     */
    releaseLatest(eventIds: readonly string[]): Promise<boolean>
  }
  readonly health: () => { readonly healthy: boolean }
  /** Certificates that Footman uses, with their ends in milliseconds since 1970. */
  readonly certificates: () => readonly { readonly name: string; readonly expiresAt: number }[]
  /** Work that nodes have done for each other; null for a single node. */
  readonly marks: Marks | null
  /** `qrsRequest` is called after every request to QRS. */
  readonly on: { readonly qrsRequest: QrsObserver }
}

/** The sections that the monitors are made of. */
export interface MonitorsConfig {
  readonly heartbeat: HeartbeatConfig
  readonly uptimeMonitor: UptimeMonitorConfig
  readonly serviceMonitor: ServiceMonitorConfig
  readonly qlikSenseVersion: QlikSenseVersionConfig
  readonly qlikSenseLicense: QlikSenseLicenseConfig
  readonly configQRS: QrsConfig
  readonly mqttConfig: Pick<MqttConfig, 'enable' | 'serviceStatusTopic'>
  readonly influxDb: Switch
  readonly emailNotification: Switch
  readonly slackNotification: Switch
  readonly teamsNotification: Switch
  readonly webhookNotification: Switch
  readonly incidentTool: { readonly newRelic: Switch }
  readonly thirdPartyToolsCredentials: { readonly newRelic: readonly NewRelicAccount[] }
  readonly footman: {
    readonly frequencyTimezone: string
    readonly node: Pick<NodeConfig, 'role'>
    readonly health: HealthConfig
    readonly serviceMonitor: FootmanServiceMonitorConfig
    readonly versionMonitor: { readonly port: number }
    readonly licenseRelease: { readonly maxPerRun: number }
  }
}

interface Switch {
  readonly enable: boolean
}

interface NewRelicAccount {
  readonly accountName: string
  readonly insertApiKey: string
  readonly accountId: string
}

export interface MonitorsOptions {
  readonly shadow: boolean
  /** False with `--no-qs-connection`. */
  readonly qrsConnection: boolean
}

/** The states of services and licences, for metrics and pages. */
export interface MonitorStates {
  readonly services: readonly MonitoredService[]
  /** Null when it has no end, or is not known. */
  readonly licenseDays: number | null
  /** ISO date of the end of the server licence; null like `licenseDays`. */
  readonly licenseExpiry: string | null
  readonly licenses: readonly {
    readonly type: string
    readonly allocated: number | null
    readonly available: number | null
  }[]
  /** The release of Qlik Sense; null before the first answer, and where nothing asks for it. */
  readonly release: { readonly version: string; readonly label: string } | null
}

export interface MonitoredService {
  readonly host: string
  readonly service: string
  readonly friendlyName: string
  /** `RUNNING`, `UNREACHABLE`. */
  readonly state: string
  /** Numbers of Windows, 1 stopped to 7 paused; -1 = neither, like a host that does not answer. */
  readonly number: number
}

/** One monitor with its settings; it knows some of the states. */
export type Monitor = Built<Partial<MonitorStates>>

/** The dependencies of every monitor. */
export interface MonitorParts extends MonitorsDeps {
  /** A text of the configuration, which has checked it. */
  readonly frequency: (text: string) => Frequency
  /** Called when a monitor of Qlik Sense has got its answers. */
  readonly looked: () => void
}

export interface NameValue {
  readonly name: string
  readonly value: string
}

export const tagsOf = (list: readonly NameValue[]): Record<string, string> =>
  Object.fromEntries(list.map(({ name, value }) => [name, value]))
