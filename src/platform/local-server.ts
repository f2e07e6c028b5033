import { type HttpServer, type ServeSettings, serveHttp } from './http-server.ts'
import { formatAddress } from './listen-error.ts'

export interface LocalServer extends HttpServer {
  /** `127.0.0.1:3100`, `[::1]:3100`: where it can be reached. */
  readonly address: string
}

/**
 * `serveHttp` for small servers beside the REST API. `localhost` means both loopback addresses, whichever of the two a
 * client tries first; the IPv6 one only where the machine has it.
 */
export async function serveLocal(settings: ServeSettings): Promise<LocalServer> {
  const { hostname } = settings
  if (hostname !== 'localhost') {
    const server = await serveHttp(settings)
    return { ...server, address: formatAddress(hostname, server.port) }
  }
  const first = await serveHttp({ ...settings, hostname: '127.0.0.1' })
  const second = await serveHttp({ ...settings, hostname: '::1', port: first.port }).catch(() => null)
  return {
    port: first.port,
    address: formatAddress('127.0.0.1', first.port),
    async stop(graceMs) {
      await Promise.all([first.stop(graceMs), second?.stop(graceMs)])
    },
  }
}
