import type { LocalTime } from '../local-time.ts'
import { ZERO_GUID } from '../site.ts'
import type { SimExecution, SiteEvents } from '../types.ts'

/** How the log appenders and the network spoil datagrams. */
export interface UdpModes {
  /** `double-slash` is what the appender file of the predecessor really sends. */
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
