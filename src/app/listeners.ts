/** What opens ports, and what to do when one cannot be opened. */
import { StartError } from '../platform/start-error.ts'
import type { Logger, Service } from '../platform/types.ts'

/** Where the port of a listener stands in the configuration, by the name of the service. */
const PORT_KEYS: Readonly<Record<string, string>> = {
  'event pipeline': 'Butler.udpServerConfig.portTaskFailure (and serverHost)',
  'rest api': 'Butler.restServerConfig.serverPort (and serverHost)',
  'health listener': 'Butler.dockerHealthCheck.port (and Butler.footman.health.host)',
  'config page': 'Butler.configVisualisation.port (and host)',
}

/** What a listener that could not be opened has started gets this long to end. */
const FAILED_START_GRACE_MS = 1000

/** With `degraded` a listener that cannot be opened is left out; health tells. Else its start is a `StartError`. */
export function degradable(service: Service, degraded: boolean, log: Logger): Service {
  return {
    name: service.name,
    stop: service.stop,
    async start() {
      try {
        await service.start()
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error)
        if (!degraded) {
          await service.stop(FAILED_START_GRACE_MS).catch(() => undefined)
          throw new StartError(message, { cause: error, hint: hintFor(service.name, message) })
        }
        log.error(`MAIN: Starting without ${service.name}: ${message}`)
      }
    },
  }
}

/** '' when it is not about a port. */
function hintFor(name: string, message: string): string {
  const key = PORT_KEYS[name]
  if (!key || !message.includes('cannot listen on')) return ''
  const remedy = message.includes('(EADDRINUSE)') ? `Free the port, or change ${key}` : `Change ${key}`
  return `${remedy}; with --degraded Footman starts without this listener`
}
