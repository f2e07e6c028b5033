/** `footman service status` and `logs`. */
import { type CommandIo, EXIT } from '../io.ts'
import { table } from '../table.ts'
import { serviceFacts } from './facts.ts'
import { ServiceError, type ServiceHost, type ServiceStatus } from './host.ts'
import { folderOf, guarded, type NameOptions, nameOf, supported } from './install.ts'
import { installedConfig } from './windows/places.ts'
import { fileLogs, windowsStatus } from './windows/status.ts'

interface StatusOptions extends NameOptions {
  readonly json?: boolean
}

interface LogsOptions extends NameOptions {
  readonly configfile?: string
  readonly directory?: string
  readonly lines: number
  readonly follow?: boolean
}

/** 0 it runs, 2 the service manager cannot be asked, 3 it is stopped or not installed. */
export function runStatus(options: StatusOptions, io: CommandIo, host: ServiceHost): Promise<number> {
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
export function runLogs(options: LogsOptions, io: CommandIo, host: ServiceHost, signal?: AbortSignal): Promise<number> {
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
