/** What `systemctl show` prints: a block of `Key=value` lines for each unit, in the order in which they were named. */
import type { ServiceInfo, ServiceStatus, StartType } from './types.ts'

export interface DescribedUnit extends ServiceInfo {
  /** Null when there is no such unit. */
  readonly status: ServiceStatus | null
}

/** The properties that are asked for. */
export const UNIT_PROPERTIES = ['LoadState', 'ActiveState', 'UnitFileState', 'Description', 'ExecStart', 'Requires']

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
    .map(describe)
}

function describe(block: string): DescribedUnit {
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
