/** The interface of a simulated site for the program and the tests that drive it. */
import type { SimulatorCertificates } from './certificates.ts'
import type { Envelope } from './cloud/events.ts'
import type { Modes, ModesPatch } from './modes.ts'
import type {
  FaultRule,
  ListenerName,
  LoggedRequest,
  PortName,
  SimClock,
  SimExecution,
  SimulatedSite,
  TaskBehaviour,
} from './types.ts'
import type { BurstRequest, BurstResult, SentDatagram, UdpTarget } from './udp.ts'

export interface Simulator {
  readonly name: string
  start(): Promise<void>
  /** Closes every port and forgets every run; a stopped site does not start again. */
  stop(): Promise<void>
  readonly ports: Readonly<Record<PortName, number>>
  /** File paths and PEM texts, known after `start`. */
  readonly certificates: SimulatorFiles
  readonly site: SimulatedSite
  readonly clock: SimClock
  readonly modes: Modes
  /** Starts a task by id or name; returns the session id, all zeros when nothing starts. */
  runTask(task: string, user?: string): string
  /** Changes how a task behaves, and `enabled`, `name`, `maxRetries`, `taskSessionTimeout`. */
  setTask(task: string, patch: Partial<TaskBehaviour> & Partial<TaskFields>): void
  abort(task: string, user?: string): boolean
  /** Resolves when the task's current or next run ends for good. */
  ended(task: string): Promise<SimExecution>
  setUdpTarget(target: UdpTarget | null): void
  sendRaw(raw: string | Buffer): Promise<void>
  /** The newest datagrams that the log appenders sent. */
  datagrams(): readonly SentDatagram[]
  burst(request: BurstRequest): Promise<BurstResult>
  setModes(patch: ModesPatch): void
  /** Adds a fault; the mode `failover` swaps the central node instead. */
  fault(rule: FaultRule): void
  clearFaults(): void
  requests(filter?: { listener?: ListenerName; since?: number }): readonly LoggedRequest[]
  clearRequests(): void
  /** Requests to the engine since the start or `reset`, by method. */
  engineCalls(): Readonly<Record<string, number>>
  advance(ms: number): void
  /** One of `SERVER_LICENCES`. */
  setServerLicence(variant: string): void
  /** Adds plain reload tasks, for tests of size. */
  addTasks(count: number): readonly string[]
  /** Adds the app "Order Lines" with 134,211 rows, which the data set leaves out; returns its id. */
  addOrderLines(): string
  /** The webhook event of the Qlik Cloud tenant about one of its reloads. */
  cloudEvent(reloadId: string, envelope: Envelope): unknown
  /** Back to the fresh data set; faults, modes, requests and runs are forgotten. */
  reset(): void
}

export interface TaskFields {
  enabled: boolean
  name: string
  maxRetries: number
  taskSessionTimeout: number
}

export interface SimulatorFiles {
  readonly directory: string
  readonly clientCert: string
  readonly clientCertKey: string
  readonly clientCertCA: string
  readonly serverCert: string
  readonly serverCertKey: string
  readonly pem: SimulatorCertificates
}
