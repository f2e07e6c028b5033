/** The client of the Qlik engine: opens sessions with the certificate of the site and closes them in every path. */

import type { IncomingMessage } from 'node:http'
import { WebSocket } from 'ws'
import { errorText } from '../../platform/errors.ts'
import type { Logger } from '../../platform/types.ts'
import type { QrsCertificates, SiteConnection } from '../qrs/transport.ts'
import { EngineError } from './errors.ts'
import { createSession } from './session.ts'
import type { EngineAddress, EngineClient, EngineSession } from './types.ts'

export interface EngineSettings extends SiteConnection {
  /** From the connection to the engine's `OnConnected`. Default 10,000. */
  readonly connectTimeoutMs?: number
  /** For each call that sets no limit of its own. Default 60,000. */
  readonly callTimeoutMs?: number
}

const CONNECT_TIMEOUT_MS = 10_000
const CALL_TIMEOUT_MS = 60_000

/** Limit of one message of the engine; the properties of a whole app are well below. */
const MAX_MESSAGE_BYTES = 512 * 1024 * 1024

export function createEngineClient(deps: { readonly log: Logger }, settings: EngineSettings): EngineClient {
  const log = deps.log.child('engine')
  const where = whereOf(settings)
  const { connectTimeoutMs = CONNECT_TIMEOUT_MS, callTimeoutMs = CALL_TIMEOUT_MS } = settings

  async function open(address: EngineAddress, signal?: AbortSignal): Promise<EngineSession> {
    const aborted = () => new EngineError('aborted', where, 'the work was called off')
    if (signal?.aborted) throw aborted()
    const socket = createSocket(settings, address)
    const session = createSession({ socket, where, log, callTimeoutMs })
    // Only the first reason is reported.
    onSocketFailure(socket, (kind, reason) => {
      const broken = session.state === '' ? 'unreachable' : 'closed'
      session.fail(new EngineError(kind === 'refused' ? kind : broken, where, reason))
    })
    const onAbort = () => session.callOff(aborted())
    signal?.addEventListener('abort', onAbort)
    socket.on('close', () => signal?.removeEventListener('abort', onAbort))
    const late = setTimeout(() => {
      session.fail(new EngineError('timeout', where, `no session within ${connectTimeoutMs} ms`))
    }, connectTimeoutMs)
    try {
      log.debug(`ENGINE: ${where} opened a session: ${await session.connected}`)
      return session
    } finally {
      clearTimeout(late)
    }
  }

  return {
    host: settings.host,
    open,
    async use(address, work, signal) {
      const session = await open(address, signal)
      try {
        return await work(session)
      } finally {
        await session.close()
      }
    },
  }
}

const whereOf = ({ host, port }: EngineSettings): string => `${host}:${port}`

/** `/app/<id>/identity/<identity>`, percent-encoded. */
export function enginePath({ app, identity }: EngineAddress): string {
  if (app === null) return '/'
  const own = identity === undefined ? '' : `/identity/${encodeURIComponent(identity)}`
  return `/app/${encodeURIComponent(app ?? 'engineData')}${own}`
}

/** Calls back with the reason when the connection fails or breaks. */
function onSocketFailure(socket: WebSocket, failed: (kind: 'refused' | 'broken', reason: string) => void): void {
  socket.on('error', (error: Error & { code?: string }) => {
    failed('broken', error.message || error.code || 'the connection failed')
  })
  // Without a listener this would be an error like any other, and the status lost in a text.
  socket.on('unexpected-response', (_request: unknown, response: IncomingMessage) => {
    failed('refused', `the WebSocket handshake was answered with HTTP ${response.statusCode}`)
  })
}

/** A socket under way; the runtime tries all addresses of the host, IPv4 and IPv6. Throws an `EngineError` when it cannot even be made. */
function createSocket(settings: EngineSettings, address: EngineAddress): WebSocket {
  const where = whereOf(settings)
  if (settings.host === '') {
    throw new EngineError('unreachable', where, 'no engine is configured: set Butler.configEngine.host')
  }
  const certificates = settings.useSSL ? certificatesOf(settings) : null
  if (settings.useSSL && !certificates) {
    throw new EngineError('unreachable', where, 'the client certificates cannot be read')
  }
  const host = settings.host.includes(':') && !settings.host.startsWith('[') ? `[${settings.host}]` : settings.host
  const url = `${settings.useSSL ? 'wss' : 'ws'}://${host}:${settings.port}${enginePath(address)}`
  try {
    return new WebSocket(url, {
      headers: headersOf(settings, address),
      maxPayload: MAX_MESSAGE_BYTES,
      perMessageDeflate: false,
      ...(certificates ? { ...certificates, rejectUnauthorized: settings.rejectUnauthorized } : {}),
    })
  } catch (error) {
    const reason = errorText(error)
    throw new EngineError('unreachable', where, reason, { cause: error })
  }
}

const USER_HEADER = 'X-Qlik-User'

function headersOf({ headers }: EngineSettings, { user }: EngineAddress): Record<string, string> {
  const fixed = headers.filter(({ name }) => !user || name.toLowerCase() !== USER_HEADER.toLowerCase())
  const result = Object.fromEntries(fixed.map(({ name, value }) => [name, value]))
  if (user) result[USER_HEADER] = `UserDirectory=${headerText(user.userDirectory)}; UserId=${headerText(user.userId)}`
  return result
}

/** Percent-encodes what would end the value or is not allowed in a header. */
const headerText = (text: string): string => text.replace(/[^\x20-\x7e]|[%;=]/gu, encodeURIComponent)

function certificatesOf({ certificates }: EngineSettings): QrsCertificates | null {
  return typeof certificates === 'function' ? certificates() : certificates
}
