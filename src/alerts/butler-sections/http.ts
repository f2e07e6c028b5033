/** How messages of Butler's sections are sent: as those of the destination types that are HTTP requests. */
import { VERSION } from '../../platform/version.ts'
import { type AttemptDeps, createHttpAttempts } from '../destinations/http.ts'
import type { HttpCall, HttpParts } from '../destinations/types.ts'
import type { Destination, RenderInput } from '../types.ts'

export interface SectionDeps extends Pick<AttemptDeps, 'clock' | 'log'> {
  /** The absolute paths that a path in the configuration may mean, best first. */
  readonly candidates?: (path: string) => readonly string[]
  /** `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`, in capitals or not; absent = no proxies. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Default 10,000. */
  readonly timeoutMs?: number
}

export interface SectionMessage {
  readonly call: HttpCall
  /** Stored and shown, as JSON. */
  readonly shown: unknown
}

const TIMEOUT_MS = 10_000
const NO_FILES = () => []

/** The destination that all sections of one kind share; `render` finds the section of the route. */
export function sectionDestination(
  { clock, log, candidates = NO_FILES, environment = {}, timeoutMs = TIMEOUT_MS }: SectionDeps,
  name: string,
  parts: Pick<HttpParts, 'secrets' | 'result' | 'second'>,
  render: (input: RenderInput) => SectionMessage | Promise<SectionMessage>,
): Destination {
  const settings = { timeout: timeoutMs, caFile: '', rejectUnauthorized: true }
  return {
    name,
    type: name,
    async render(input) {
      const { call, shown } = await render(input)
      const { deliveryId, target } = input
      return { deliveryId, target, subject: null, body: JSON.stringify(shown, null, 2), payload: call }
    },
    ...createHttpAttempts({ clock, log, candidates, environment, version: VERSION }, settings, parts),
  }
}

/** `host:port`. */
export function hostOfAddress(address: string): string {
  return URL.canParse(address) ? new URL(address).host : '(not a valid address)'
}

/** One lane per server, so that a dead one does not delay the others. */
export function laneOfAddress(destination: string, address: string): string {
  if (!URL.canParse(address)) return destination
  const { protocol, hostname, port } = new URL(address)
  return `${destination}:${protocol}//${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`
}

/** Why nothing can be sent to the address; null when it can. */
export function addressProblem(address: string, key: string) {
  if (URL.canParse(address) && /^https?:/i.test(address)) return null
  return { reason: 'RECIPIENT_INVALID' as const, detail: `${key} must start with http:// or https://` }
}
