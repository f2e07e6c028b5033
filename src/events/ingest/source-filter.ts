/** Which senders may report task events: addresses, networks and host names. Fails closed. */
import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'

export interface SourceFilter {
  allows(address: string): boolean
  /** Resolves host names again; a name keeps its last good addresses when the look-up fails. */
  refresh(): Promise<void>
}

export interface SourceFilterDeps {
  readonly warn: (message: string) => void
  /** All addresses of a host name through the operating system's resolver. */
  readonly resolve?: (host: string) => Promise<readonly string[]>
}

/** Builds the filter from `allowedSources`; names match nobody until `refresh` has resolved them. */
export function createSourceFilter(deps: SourceFilterDeps, allowedSources: readonly string[]): SourceFilter {
  const resolve = deps.resolve ?? resolveHost
  const fixed = allowedSources.filter(isLiteral)
  const names = allowedSources.filter((source) => !isLiteral(source))
  const addressesOf = new Map<string, readonly string[]>()
  let allowed = buildList(fixed)

  return {
    allows: (address) => contains(allowed, address),
    async refresh() {
      await Promise.all(
        names.map(async (name) => {
          try {
            addressesOf.set(name, await resolve(name))
          } catch (error) {
            deps.warn(
              `Allowed source "${name}" cannot be resolved (${reason(error)}); ${addressesOf.has(name) ? 'keeping its last known addresses' : 'nobody matches it until it can'}`,
            )
          }
        }),
      )
      allowed = buildList([...fixed, ...[...addressesOf.values()].flat()])
    },
  }
}

function isLiteral(source: string): boolean {
  return isIP(source.split('/')[0] ?? '') !== 0
}

function buildList(sources: readonly string[]): BlockList {
  const list = new BlockList()
  for (const source of sources) {
    const [address = '', prefix] = source.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (prefix === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(prefix), family)
  }
  return list
}

function contains(list: BlockList, address: string): boolean {
  const family = isIP(address)
  if (family === 0) return false
  return list.check(address, family === 6 ? 'ipv6' : 'ipv4')
}

async function resolveHost(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map((entry) => entry.address)
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
