/** The UDP log appenders of the scheduler: datagrams of log lines, and bursts of them. */
import { createSocket, type Socket } from 'node:dgram'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Logger } from '../src/platform/types.ts'
import type { LocalTime } from './local-time.ts'
import { finishedExecution, LOG_MESSAGES } from './scheduler/execution.ts'
import type { ScriptLogs } from './script-logs.ts'
import { ZERO_GUID } from './site.ts'
import type { SimExecution, SimTask, SimulatedSite, SiteEvents } from './types.ts'

/** How the log appenders and the network spoil datagrams. */
export interface UdpModes {
  /** `double-slash` as the appender file of Butler sends it. */
  successType: 'double-slash' | 'single-slash'
  /** First fields of older appender files. */
  generation: 'current' | 'legacy'
  /** Datagrams lost, in percent. */
  dropPercent: number
  /** How often each datagram is sent. */
  copies: number
  /** Wait before sending, simulated milliseconds. */
  delayMs: number
  /** Holds back so many datagrams and sends them in reverse order. */
  reorder: number
  /** Fills the message up to this many bytes, 0 = as it is. */
  padToBytes: number
  /** Puts a byte into the message that is not UTF-8. */
  invalidUtf8: boolean
  /** `%property` of something that is not set. */
  absent: 'empty' | 'null'
  /** App fields read as not set for every task. */
  withoutApp: boolean
  /** Task ids are sent without their last digit. */
  brokenTaskId: boolean
  withoutExecutionId: boolean
}

export const DEFAULT_UDP_MODES: UdpModes = {
  successType: 'double-slash',
  generation: 'current',
  dropPercent: 0,
  copies: 1,
  delayMs: 0,
  reorder: 0,
  padToBytes: 0,
  invalidUtf8: false,
  absent: 'empty',
  withoutApp: false,
  brokenTaskId: false,
  withoutExecutionId: false,
}

type LogLine = SiteEvents['schedulerLog']

const TYPES: Readonly<Record<UdpModes['generation'], Readonly<Record<LogLine['kind'], string>>>> = {
  current: {
    failed: '/scheduler-task-failed/',
    aborted: '/scheduler-task-aborted/',
    success: '/scheduler-task-success/',
    distribute: '/scheduler-distribute/',
  },
  legacy: {
    failed: '/scheduler-reload-failed/',
    aborted: '/scheduler-reload-aborted/',
    success: '/scheduler-reloadtask-success/',
    distribute: '/scheduler-distribute/',
  },
}

/** One line of the scheduler's log as its UDP appender sends it: 11 fields, `;` between them, nothing at the end. */
export function renderDatagram(time: LocalTime, line: LogLine, at: number, modes: UdpModes): Buffer {
  const text = fields(time, line, at, modes).join(';')
  const padding = Math.max(0, modes.padToBytes - Buffer.byteLength(text))
  const buffer = Buffer.from(text + ' '.repeat(padding))
  return modes.invalidUtf8 ? Buffer.concat([buffer, Buffer.from([0xff])]) : buffer
}

function fields(time: LocalTime, line: LogLine, at: number, modes: UdpModes): readonly string[] {
  const { task, execution } = line
  const absent = modes.absent === 'null' ? '(null)' : ''
  const app = modes.withoutApp ? null : task.app
  return [
    typeOf(line.kind, modes),
    line.host,
    task.name,
    app?.name ?? absent,
    line.user,
    modes.brokenTaskId ? task.id.slice(0, -1) : task.id,
    app?.id ?? absent,
    time.logDate(at),
    'INFO',
    executionIdOf(execution, modes) ?? absent,
    line.message,
  ]
}

function typeOf(kind: LogLine['kind'], modes: UdpModes): string {
  const type = TYPES[modes.generation][kind]
  const doubled = kind === 'success' && modes.generation === 'current' && modes.successType === 'double-slash'
  return doubled ? `${type}/` : type
}

function executionIdOf(execution: SimExecution, modes: UdpModes): string | null {
  return modes.withoutExecutionId || execution.executionID === ZERO_GUID ? null : execution.executionID
}

export interface UdpTarget {
  readonly host: string
  readonly port: number
}

export interface SentDatagram {
  readonly at: number
  readonly text: string
}

interface UdpSender {
  start(): Promise<void>
  stop(): Promise<void>
  /** Where the appenders send to; null switches them off. */
  setTarget(target: UdpTarget | null): void
  readonly target: UdpTarget | null
  /** Sends bytes as they are. */
  sendRaw(raw: string | Buffer): Promise<void>
  /** Sends all, evenly over `withinMs` of wall-clock time, yielding to the event loop; returns the time it took. */
  sendPaced(datagrams: readonly Buffer[], withinMs: number): Promise<number>
  /** The newest 1,000 datagrams that the appenders sent, oldest first. */
  sent(): readonly SentDatagram[]
  clear(): void
}

const KEPT = 1000
/** The socket's buffer would overflow on bigger steps. */
const MAX_STEP = 64

/** Plays the UDP log appenders of the scheduler: one datagram for each matching log line. */
export function createUdpSender(
  deps: { readonly site: SimulatedSite; readonly time: LocalTime; readonly modes: UdpModes; readonly log: Logger },
  settings: { readonly target: UdpTarget | null },
): UdpSender {
  const { site, time, modes, log } = deps
  const history: SentDatagram[] = []
  const held: Buffer[] = []
  let target = settings.target
  let socket: Socket | null = null
  let unsubscribe = () => {}

  function transmit(datagram: Buffer): Promise<void> {
    const current = socket
    const to = target
    if (!current || !to) return Promise.resolve()
    return new Promise((resolve) => {
      current.send(datagram, to.port, to.host, (error) => {
        if (error) log.warn(`Simulator: sending a datagram to ${to.host}:${to.port} failed: ${error.message}`)
        resolve()
      })
    })
  }

  /** Loses, repeats and reorders as the modes say. */
  function deliver(datagram: Buffer) {
    if (Math.random() * 100 < modes.dropPercent) return
    if (modes.reorder > 1) {
      held.unshift(datagram)
      if (held.length < modes.reorder) return
      for (const one of held.splice(0)) send(one)
      return
    }
    send(datagram)
  }

  function send(datagram: Buffer) {
    history.push({ at: site.clock.now(), text: datagram.toString('utf8') })
    if (history.length > 2 * KEPT) history.splice(0, KEPT)
    for (let copy = 0; copy < modes.copies; copy++) void transmit(datagram)
  }

  return {
    start() {
      unsubscribe = site.on('schedulerLog', (line) => {
        const datagram = renderDatagram(time, line, site.clock.now(), modes)
        if (modes.delayMs > 0) site.clock.schedule(modes.delayMs, () => deliver(datagram))
        else deliver(datagram)
      })
      const created = createSocket('udp4')
      socket = created
      created.on('error', (error) => log.warn(`Simulator: UDP socket: ${error.message}`))
      return new Promise((resolve) => created.bind(0, () => resolve()))
    },
    async stop() {
      unsubscribe()
      const closing = socket
      socket = null
      if (closing) await new Promise<void>((resolve) => closing.close(() => resolve()))
    },
    setTarget(next) {
      target = next
    },
    get target() {
      return target
    },
    sendRaw: (raw) => transmit(typeof raw === 'string' ? Buffer.from(raw) : raw),
    async sendPaced(datagrams, withinMs) {
      const started = performance.now()
      let sent = 0
      while (sent < datagrams.length) {
        const share = withinMs > 0 ? (performance.now() - started) / withinMs : 1
        const due = Math.min(datagrams.length, Math.ceil(datagrams.length * share), sent + MAX_STEP)
        const batch: Promise<void>[] = []
        for (; sent < due; sent++) batch.push(transmit(datagrams[sent]!))
        await Promise.all(batch)
        await nextTurn()
      }
      return performance.now() - started
    },
    sent: () => history.slice(-KEPT),
    clear() {
      history.length = 0
      held.length = 0
    },
  }
}

export interface BurstRequest {
  readonly count: number
  /** Wall-clock time over which the datagrams are spread. */
  readonly withinMs: number
  /** Default: every reload task, in turn. */
  readonly taskIds?: readonly string[]
  /** Default fail. */
  readonly outcome?: 'fail' | 'success'
}

export interface BurstResult {
  readonly executionIds: readonly string[]
  readonly sent: number
  /** Wall-clock time of the sending. */
  readonly tookMs: number
}

interface BurstDeps {
  readonly site: SimulatedSite
  readonly time: LocalTime
  readonly modes: UdpModes
  readonly scriptLogs: ScriptLogs
  readonly sender: UdpSender
}

const RUN_MS = 1000

/**
 * Many runs end at once: the execution results and script logs stand in QRS first, then the datagrams go out. The
 * datagrams are sent as they are, without the losses and repeats of the UDP modes.
 */
export async function burst(deps: BurstDeps, request: BurstRequest): Promise<BurstResult> {
  const { site, time, modes, scriptLogs, sender } = deps
  const tasks = chooseTasks(site, request.taskIds)
  const outcome = request.outcome ?? 'fail'
  const kind = outcome === 'fail' ? 'failed' : 'success'
  const now = site.clock.now()
  const node = site.centralNode()
  const host = node.name.toUpperCase()
  const executionIds: string[] = []
  const datagrams: Buffer[] = []
  for (let index = 0; index < request.count; index++) {
    const task = tasks[index % tasks.length]!
    const executionID = site.nextId('e5')
    const run = { outcome, startedAt: now - RUN_MS, durationMs: RUN_MS, node, executionID }
    const execution = finishedExecution(site, task, run)
    site.executions.add(execution)
    task.operational.lastExecutionResult = execution
    if (task.taskType === 0) scriptLogs.publishNow(task, execution)
    const line = { kind, task, execution, user: 'INTERNAL\\sa_scheduler', message: LOG_MESSAGES[kind], host } as const
    datagrams.push(renderDatagram(time, line, now, modes))
    executionIds.push(executionID)
  }
  const tookMs = await sender.sendPaced(datagrams, request.withinMs)
  return { executionIds, sent: datagrams.length, tookMs }
}

function chooseTasks(site: SimulatedSite, ids: readonly string[] | undefined): readonly SimTask[] {
  const wanted = ids?.map((id) => {
    const task = site.tasks.get(id.toLowerCase())
    if (!task) throw new Error(`The simulated site has no task ${id}`)
    return task
  })
  const tasks = wanted ?? [...site.tasks.values()].filter((task) => task.taskType === 0 && task.enabled)
  if (tasks.length === 0) throw new Error('The simulated site has no task to take for a burst')
  return tasks
}
