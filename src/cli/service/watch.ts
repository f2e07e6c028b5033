/** `footman service status` and `logs`. */
import { type CommandIo, EXIT } from '../io.ts'
import { table } from '../remote/table.ts'
import { serviceFacts } from './facts.ts'
import { folderOf, guarded, type NameOptions, nameOf, supported } from './install.ts'
import { systemdLogs, systemdStatus } from './linux/status.ts'
import type { ServiceHost, ServiceStatus } from './types.ts'
import { fileLogs } from './windows/logs.ts'
import { installedConfig } from './windows/places.ts'
import { windowsStatus } from './windows/status.ts'

export interface StatusOptions extends NameOptions {
  readonly json?: boolean
}

export interface LogsOptions extends NameOptions {
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
