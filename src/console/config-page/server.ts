/**
 * The server of `configVisualisation`: shows the configuration that is in force, masked at every request anew. Its page is
 * loaded when the server starts: most installations have it switched off.
 */
import { isLoopback } from '../../platform/addresses.ts'
import { type LocalServer, serveLocal } from '../../platform/local-server.ts'
import type { Service } from '../../platform/types.ts'
import type { ConfigViewDeps, ConfigViewSettings, RateVerdict } from './app.ts'

interface ConfigView extends Service {
  /** 0 while it is not running. */
  readonly port: number
}

/**
 * `start` rejects with a `ListenError` when the port is taken. Without masking the page is for this machine only: on any
 * other address it is not started, which the log says.
 */
export function createConfigView<V extends RateVerdict>(
  deps: ConfigViewDeps<V>,
  settings: ConfigViewSettings,
): ConfigView {
  const { log } = deps
  let server: LocalServer | null = null

  return {
    name: 'config page',
    get port() {
      return server?.port ?? 0
    },
    async start() {
      const { host, port, obfuscate } = settings
      if (!obfuscate && !isLoopback(host)) {
        log.error(
          `CONFIG VIS: The page is not started: with configVisualisation.obfuscate false it would show every secret to every caller of ${host}. Set obfuscate to true, or host to localhost.`,
        )
        return
      }
      const { createPageApp } = await import('./app.ts')
      const app = createPageApp(deps, settings)
      server = await serveLocal({
        hostname: host,
        port,
        idleTimeout: 60,
        handler: (request, { remoteAddress }) => app.fetch(request, { client: remoteAddress }),
        onError: (error) => log.error(`CONFIG VIS: ${String(error)}`, { fault: error }),
      })
      log.info(`MAIN: Config visualisation server listening on http://${server.address}/`)
    },
    async stop(graceMs) {
      const running = server
      server = null
      await running?.stop(graceMs)
    },
  }
}
