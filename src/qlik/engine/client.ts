/** The client of the Qlik engine: opens sessions with the certificate of the site and closes them in every path. */
import type { Logger } from '../../platform/types.ts'
import { EngineError } from './errors.ts'
import { createSession } from './session.ts'
import { createSocket, type EngineSettings, onSocketFailure, whereOf } from './socket.ts'
import type { EngineAddress, EngineClient, EngineSession } from './types.ts'

const CONNECT_TIMEOUT_MS = 10_000
const CALL_TIMEOUT_MS = 60_000

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
