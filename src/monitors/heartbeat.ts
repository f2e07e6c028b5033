/** Recurring calls to a URL whose receiver raises an alarm when they stop. */
import { errorText } from '../platform/errors.ts'
import type { HttpClient } from '../platform/http-client.ts'
import type { Logger } from '../platform/types.ts'

export interface HeartbeatDeps {
  readonly http: HttpClient
  readonly log: Logger
  readonly isHealthy: () => boolean
}

export interface HeartbeatSettings {
  readonly remoteURL: string
  /** `footman.health.heartbeatRequiresHealthy` */
  readonly requiresHealthy: boolean
}

const TIMEOUT_MS = 10_000
const MAX_REDIRECTS = 5
/** The answer is not looked at; one beyond this is cut off. */
const MAX_BODY_BYTES = 1024 * 1024

/** One call. */
export function createHeartbeat(
  { http, log, isHealthy }: HeartbeatDeps,
  { remoteURL, requiresHealthy }: HeartbeatSettings,
): (signal: AbortSignal) => Promise<void> {
  return async (signal) => {
    if (requiresHealthy && !isHealthy()) {
      log.warn('HEARTBEAT: Not sent, because a vital part of Footman is down')
      return
    }
    try {
      const { status } = await http.request({
        url: remoteURL,
        signal,
        timeoutMs: TIMEOUT_MS,
        redirects: MAX_REDIRECTS,
        maxBodyBytes: MAX_BODY_BYTES,
      })
      if (status >= 200 && status < 300) log.debug(`HEARTBEAT: Sent heartbeat to ${withoutSecrets(remoteURL)}`)
      else log.error(`HEARTBEAT: Error sending heartbeat: answer ${status}`)
    } catch (error) {
      if (signal.aborted) return
      log.error(`HEARTBEAT: Error sending heartbeat: ${errorText(error)}`)
    }
  }
}

/** Paths and queries of such addresses often are the key. */
function withoutSecrets(address: string): string {
  return URL.canParse(address) ? new URL(address).host : 'the configured address'
}
