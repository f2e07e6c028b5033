import { isIP } from 'node:net'
import { hostname } from 'node:os'

/**
 * True when the `Host` header of a request names this machine as people do who sit at it: `localhost`, an address, the
 * machine's own name. Any other name may be that of a web page which points its own name at us (DNS rebinding).
 */
export function namesThisMachine(host: string | null): boolean {
  const name = (host ?? '')
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase()
  return name === 'localhost' || name === hostname().toLowerCase() || isIP(name) !== 0
}
