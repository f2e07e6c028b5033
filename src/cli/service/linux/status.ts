/** The state of a systemd service, and its log. */
import { EXIT } from '../../io.ts'
import { ServiceError, type ServiceHost, type ServiceStatus } from '../types.ts'

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

export async function systemdStatus({ run }: ServiceHost, name: string): Promise<ServiceStatus> {
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

export interface LogOptions {
  readonly lines: number
  readonly follow: boolean
}

/** Shows the journal of the service. */
export async function systemdLogs(host: ServiceHost, name: string, { lines, follow }: LogOptions): Promise<number> {
  const args = ['--unit', `${name}.service`, '--lines', String(lines), '--output', 'short-iso', '--no-pager']
  const code = await host.stream('journalctl', [...args, ...(follow ? ['--follow'] : [])]).catch((error) => {
    throw new ServiceError(error.message, EXIT.unreachable)
  })
  // Null: Ctrl-C has ended a log that was followed.
  return code === null || code === 0 ? EXIT.ok : EXIT.unreachable
}
