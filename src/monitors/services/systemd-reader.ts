/** Units of systemd on this machine, watched like services of Windows. */
import { hostname } from 'node:os'
import type { RunCommand } from '../../platform/command.ts'
import { type DescribedUnit, parseUnits, UNIT_PROPERTIES } from './systemd-output.ts'
import type { ServiceReader } from './types.ts'

const TIMEOUT_MS = 30_000
const THIS_MACHINE = ['localhost', '127.0.0.1']

export function createSystemdReader(deps: { readonly run: RunCommand }): ServiceReader {
  async function show(names: readonly string[], signal: AbortSignal): Promise<DescribedUnit[]> {
    const args = ['show', '--no-pager', `--property=${UNIT_PROPERTIES.join(',')}`, '--', ...names]
    const { code, stdout, stderr } = await deps.run('systemctl', args, { timeoutMs: TIMEOUT_MS, signal })
    const units = parseUnits(stdout)
    if (units.length === names.length) return units
    throw new Error(stderr.trim().split('\n')[0] || `systemctl ended with ${code} and told nothing of use`)
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

/** One that is none would make `systemctl` refuse the others as well. */
const isUnitName = (name: string): boolean => /^[\w@.:\\-]{1,256}$/.test(name)
