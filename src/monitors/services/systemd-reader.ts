/** Units of systemd on this machine, watched like services of Windows. */
import { hostname } from 'node:os'
import type { RunCommand } from '../../platform/command.ts'
import type { ServiceInfo, ServiceReader, ServiceStatus, StartType } from './types.ts'

const TIMEOUT_MS = 30_000
const THIS_MACHINE = ['localhost', '127.0.0.1']

export function createSystemdReader(deps: { readonly run: RunCommand }): ServiceReader {
  async function show(names: readonly string[], signal: AbortSignal): Promise<DescribedUnit[]> {
    const args = ['show', '--no-pager', `--property=${UNIT_PROPERTIES.join(',')}`, '--', ...names]
    const { code, stdout, stderr } = await deps.run('systemctl', args, { timeoutMs: TIMEOUT_MS, signal })
    const units = parseUnits(stdout)
    if (units.length === names.length) return units
    throw new Error(stderr.trim().split('\n')[0] || `systemctl ended with ${code} and printed nothing of use`)
  }

  return {
    refusal: (host) => (isThisMachine(host) ? null : 'Windows services can only be read where Footman runs on Windows'),
    async states(_, names, signal) {
      const possible = names.filter(isUnitName)
      const units = possible.length > 0 ? await show(possible, signal) : []
      const known = new Map(possible.map((name, index) => [name, units[index]!.status]))
      return new Map(names.map((name) => [name, isUnitName(name) ? (known.get(name) ?? null) : new Error(INVALID)]))
    },
    async info(_, name, signal) {
      if (!isUnitName(name)) throw new Error(INVALID)
      const { displayName, startType, exePath, dependencies } = (await show([name], signal))[0]!
      return { displayName, startType, exePath, dependencies }
    },
  }
}

function isThisMachine(host: string): boolean {
  const own = hostname().toLowerCase()
  const asked = host.toLowerCase()
  return THIS_MACHINE.includes(asked) || asked === own || asked === own.split('.')[0]
}

const INVALID = 'Service name is invalid'

/** An invalid name would make `systemctl` refuse the others as well. */
const isUnitName = (name: string): boolean => /^[\w@.:\\-]{1,256}$/.test(name)

// Output of `systemctl show`: a block of `Key=value` lines for each unit, in the order in which they were named.

interface DescribedUnit extends ServiceInfo {
  /** Null when there is no such unit. */
  readonly status: ServiceStatus | null
}

/** The properties that are asked for. */
const UNIT_PROPERTIES = ['LoadState', 'ActiveState', 'UnitFileState', 'Description', 'ExecStart', 'Requires']

const STATUSES: Readonly<Record<string, ServiceStatus>> = {
  active: 'RUNNING',
  reloading: 'RUNNING',
  refreshing: 'RUNNING',
  inactive: 'STOPPED',
  failed: 'STOPPED',
  maintenance: 'STOPPED',
  activating: 'START_PENDING',
  deactivating: 'STOP_PENDING',
}

const START_TYPES: Readonly<Record<string, StartType>> = {
  enabled: 'Automatic',
  'enabled-runtime': 'Automatic',
  linked: 'Manual',
  static: 'Manual',
  indirect: 'Manual',
  generated: 'Automatic',
  disabled: 'Manual',
  masked: 'Disabled',
  'masked-runtime': 'Disabled',
}

export function parseUnits(output: string): DescribedUnit[] {
  return output
    .replaceAll('\r', '')
    .split(/\n\n+/)
    .filter((block) => block.trim() !== '')
    .map(describedUnit)
}

function describedUnit(block: string): DescribedUnit {
  const properties = new Map<string, string>()
  for (const line of block.split('\n')) {
    const at = line.indexOf('=')
    if (at > 0 && !properties.has(line.slice(0, at))) properties.set(line.slice(0, at), line.slice(at + 1))
  }
  const of = (name: string) => properties.get(name) ?? ''
  return {
    status: of('LoadState') === 'not-found' ? null : (STATUSES[of('ActiveState')] ?? null),
    displayName: of('Description'),
    startType: START_TYPES[of('UnitFileState')] ?? '',
    exePath: /argv\[\]=(.*?) ; /.exec(of('ExecStart'))?.[1] ?? '',
    dependencies: of('Requires').split(' ').filter(Boolean),
  }
}
