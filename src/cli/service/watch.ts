/** `footman service status` and `logs`. */

import { open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { OptionsOf } from '../command.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { table } from '../table.ts'
import type { SERVICE_LOGS, SERVICE_STATUS } from './command.ts'
import { serviceFacts } from './facts.ts'
import { ServiceError, type ServiceFacts, type ServiceHost, type ServiceStatus } from './host.ts'
import { folderOf, guarded, nameOf, supported } from './install.ts'
import { installedConfig, winswBase } from './windows/places.ts'

/** 0 it runs, 2 the service manager cannot be asked, 3 it is stopped or not installed. */
export function runStatus(
  options: OptionsOf<typeof SERVICE_STATUS>,
  io: CommandIo,
  host: ServiceHost,
): Promise<number> {
  return guarded(io, async () => {
    const platform = supported(host)
    const name = nameOf(options, platform)
    const status = await (platform === 'win32' ? windowsStatus : systemdStatus)(host, name)
    io.out(options.json ? JSON.stringify({ ...status, installed: status.manager !== null }, null, 2) : text(status))
    return status.running ? EXIT.ok : EXIT.missing
  })
}

function text({ name, manager, state, enabled, pid, details }: ServiceStatus): string {
  const rows: (readonly [string, string])[] = [['service', name]]
  if (manager !== null) rows.push(['manager', manager])
  rows.push(['state', state])
  if (enabled !== null) rows.push(['starts with the machine', enabled ? 'yes' : 'no'])
  if (pid !== null) rows.push(['process', String(pid)])
  return table([...rows, ...Object.entries(details)])
}

/** 0 shown, 1 wrong configuration, 2 no journal, 3 no log file. */
export function runLogs(
  options: OptionsOf<typeof SERVICE_LOGS>,
  io: CommandIo,
  host: ServiceHost,
  signal?: AbortSignal,
): Promise<number> {
  return guarded(io, async () => {
    const platform = supported(host)
    const name = nameOf(options, platform)
    const shown = { lines: options.lines, follow: options.follow ?? false }
    if (platform === 'linux') return systemdLogs(host, name, shown)
    const configfile = options.configfile ?? (await installedConfig(folderOf(host, options), name)) ?? undefined
    const facts = await serviceFacts(host, { name, configfile })
    return fileLogs(facts, { ...shown, ...(signal && { signal }) }, io)
  })
}

const TIMEOUT_MS = 15_000
const RUNNING = ['active', 'reloading']

/** Property of `systemctl show`, and how it is called here. */
const DETAILS = {
  StatusText: 'says',
  ActiveEnterTimestamp: 'since',
  Result: 'last result',
  ExecMainStatus: 'last exit code',
  NRestarts: 'restarts',
  FragmentPath: 'unit',
} as const

async function systemdStatus({ run }: ServiceHost, name: string): Promise<ServiceStatus> {
  const properties = ['LoadState', 'ActiveState', 'SubState', 'MainPID', 'UnitFileState', ...Object.keys(DETAILS)]
  const args = ['show', `${name}.service`, `--property=${properties.join(',')}`]
  const answer = await run('systemctl', args, { timeoutMs: TIMEOUT_MS }).catch((error) => {
    throw new ServiceError(`systemctl: ${error.message}`, EXIT.unreachable)
  })
  if (answer.code !== 0) {
    const reason = answer.stderr.trim() || `it ended with ${answer.code}`
    throw new ServiceError(`systemctl show: ${reason}`, EXIT.unreachable)
  }
  const values = new Map(answer.stdout.split('\n').map((line) => halves(line)))
  const value = (key: string): string => values.get(key) ?? ''
  const isThere = value('LoadState') !== 'not-found' && value('LoadState') !== ''
  const active = value('ActiveState')
  const pid = Number(value('MainPID'))
  const details = Object.entries(DETAILS).map(([key, word]): [string, string] => [word, value(key)])
  return {
    name,
    manager: isThere ? 'systemd' : null,
    running: isThere && RUNNING.includes(active),
    state: isThere ? `${active} (${value('SubState')})` : 'not installed',
    enabled: isThere ? value('UnitFileState') === 'enabled' : null,
    pid: pid > 0 ? pid : null,
    details: Object.fromEntries(isThere ? details.filter(([, text]) => text !== '') : []),
  }
}

function halves(line: string): [string, string] {
  const at = line.indexOf('=')
  return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1).trim()]
}

interface LogOptions {
  readonly lines: number
  readonly follow: boolean
}

/** Shows the journal of the service. */
async function systemdLogs(host: ServiceHost, name: string, { lines, follow }: LogOptions): Promise<number> {
  const args = ['--unit', `${name}.service`, '--lines', String(lines), '--output', 'short-iso', '--no-pager']
  const code = await host.stream('journalctl', [...args, ...(follow ? ['--follow'] : [])]).catch((error) => {
    throw new ServiceError(error.message, EXIT.unreachable)
  })
  // Null: Ctrl-C has ended a log that was followed.
  return code === null || code === 0 ? EXIT.ok : EXIT.unreachable
}

// --------------- a Windows service, or the task in its place. Numbers are read, as words differ by language

const WINDOWS_TIMEOUT_MS = 20_000
/** The code of `sc` when the service does not exist. */
const NO_SUCH_SERVICE = 1060
const SERVICE_STATES = ['', 'stopped', 'starting', 'stopping', 'running', 'continuing', 'pausing', 'paused'] as const
const RUNNING_STATE = 4
/** Places of what `sc queryex` and `sc qc` say; all start with name, type and state. */
const PROCESS = 7
const START_TYPE = 2
const AUTOMATIC = 2
/** The states of `Get-ScheduledTask`, by number. */
const TASK_STATES = ['unknown', 'disabled', 'queued', 'ready', 'running'] as const

async function windowsStatus(host: ServiceHost, name: string): Promise<ServiceStatus> {
  return (await serviceStatus(host, name)) ?? (await taskStatus(host, name)) ?? absent(name)
}

async function serviceStatus({ run }: ServiceHost, name: string): Promise<ServiceStatus | null> {
  const answer = await run('sc.exe', ['query', name], { timeoutMs: WINDOWS_TIMEOUT_MS }).catch((error) => {
    throw new ServiceError(`sc: ${error.message}`, EXIT.unreachable)
  })
  if (answer.code === NO_SUCH_SERVICE || new RegExp(`\\b${NO_SUCH_SERVICE}\\b`).test(answer.stdout)) return null
  if (answer.code !== 0) throw new ServiceError(`sc query ${name}: ${answer.stdout.trim()}`, EXIT.unreachable)
  const [, , state = 0, win32Exit = 0] = valuesOf(answer.stdout)
  const [process, start] = await Promise.all([
    valueAt(run, ['queryex', name], PROCESS),
    valueAt(run, ['qc', name], START_TYPE),
  ])
  return {
    name,
    manager: 'Windows service',
    running: state === RUNNING_STATE,
    state: SERVICE_STATES[state] ?? `state ${state}`,
    enabled: start === null ? null : start <= AUTOMATIC,
    pid: process || null,
    details: win32Exit > 0 ? { 'last exit code': String(win32Exit) } : {},
  }
}

/** Null when `sc` does not report it. */
async function valueAt(run: ServiceHost['run'], args: readonly string[], place: number): Promise<number | null> {
  const answer = await run('sc.exe', args, { timeoutMs: WINDOWS_TIMEOUT_MS }).catch(() => null)
  return answer?.code === 0 ? (valuesOf(answer.stdout)[place] ?? null) : null
}

/** The number at the start of each `NAME : value`; 0 for texts. */
function valuesOf(text: string): number[] {
  return text
    .split(/\r?\n/)
    .flatMap((line) => /^\s*[^:\s][^:]*:\s(.*)$/.exec(line)?.[1] ?? [])
    .map((value) => Number.parseInt(value, 10) || 0)
}

async function taskStatus({ run }: ServiceHost, name: string): Promise<ServiceStatus | null> {
  const found = await run('schtasks.exe', ['/query', '/tn', name], { timeoutMs: WINDOWS_TIMEOUT_MS }).catch(() => null)
  if (found?.code !== 0) return null
  const question = `[int](Get-ScheduledTask -TaskName '${name.replaceAll("'", "''")}').State`
  const args = ['-NoProfile', '-NonInteractive', '-Command', question]
  const answer = await run('powershell.exe', args, { timeoutMs: WINDOWS_TIMEOUT_MS }).catch(() => null)
  const state = TASK_STATES[Number.parseInt(answer?.stdout ?? '', 10)] ?? 'unknown'
  return {
    name,
    manager: 'Task Scheduler',
    running: state === 'running',
    state,
    enabled: state === 'unknown' ? null : state !== 'disabled',
    pid: null,
    details: {},
  }
}

const absent = (name: string): ServiceStatus => ({
  name,
  manager: null,
  running: false,
  state: 'not installed',
  enabled: null,
  pid: null,
  details: {},
})

interface FileLogOptions {
  readonly lines: number
  readonly follow: boolean
  /** Ends following. */
  readonly signal?: AbortSignal
}

const POLL_MS = 500
/** More is not read to find the last lines. */
const TAIL_BYTES = 4 * 1024 * 1024

/** Prints what Footman wrote, and what WinSW caught of its errors. */
async function fileLogs(facts: ServiceFacts, options: FileLogOptions, io: CommandIo): Promise<number> {
  const folder = facts.outputDirectory
  const file: string | null = await newest(folder, facts)
  if (file === null) {
    const hint = facts.logDirectory === null ? ' Without WinSW or NSSM, set Butler.fileLogging to true.' : ''
    throw new ServiceError(`service logs: there is no log file in ${folder}.${hint}`, EXIT.missing)
  }
  io.err(file)
  let position = await printTail(file, options.lines, io)
  while (options.follow && !options.signal?.aborted) {
    await delay(POLL_MS, undefined, options.signal ? { signal: options.signal } : {}).catch(() => undefined)
    const current: string = (await newest(folder, facts)) ?? file
    // A new day, or a full file, has a new one.
    if (current !== file) return fileLogs(facts, { ...options, lines: Number.MAX_SAFE_INTEGER }, io)
    position = await printFrom(file, position, io)
  }
  return EXIT.ok
}

/** Footman's own files before the output that a service manager caught. */
async function newest(folder: string, { name, logDirectory }: ServiceFacts): Promise<string | null> {
  const entries = await readdir(folder).catch(() => [])
  const kinds = [
    ...(logDirectory === null ? [] : [/^butler\.\d{4}-\d{2}-\d{2}(\.\d+)?\.log$/]),
    new RegExp(`^(${literal(winswBase(name))}|${literal(name)})\\.out\\.log$`, 'i'),
  ]
  for (const kind of kinds) {
    const files = entries.filter((entry) => kind.test(entry)).map((entry) => join(folder, entry))
    const dated = await Promise.all(files.map(async (file) => ({ file, at: (await stat(file)).mtimeMs })))
    const last = dated.sort((a, b) => b.at - a.at || b.file.localeCompare(a.file))[0]
    if (last) return last.file
  }
  return null
}

const literal = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** Returns the position behind what was printed. */
async function printTail(file: string, count: number, io: CommandIo): Promise<number> {
  const { size } = await stat(file)
  const start = Math.max(0, size - TAIL_BYTES)
  const text = await read(file, start, size)
  const lines = text.replace(/\r?\n$/, '').split(/\r?\n/)
  const last = lines.slice(Math.max(0, lines.length - count))
  if (text !== '' && count > 0) io.out(last.join('\n'))
  return size
}

async function printFrom(file: string, position: number, io: CommandIo): Promise<number> {
  const { size } = await stat(file)
  if (size <= position) return size
  const text = await read(file, position, size)
  // A line that is being written comes with the next look.
  const end = text.lastIndexOf('\n') + 1
  if (end === 0) return position
  io.out(text.slice(0, end).replace(/\r?\n$/, ''))
  return position + Buffer.byteLength(text.slice(0, end))
}

async function read(file: string, from: number, to: number): Promise<string> {
  const handle = await open(file, 'r')
  try {
    const buffer = Buffer.alloc(to - from)
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, from)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await handle.close()
  }
}
