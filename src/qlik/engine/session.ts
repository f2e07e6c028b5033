/** One session: requests and answers by their number, time limits, an end for everything when the socket ends. */
import type { WebSocket } from 'ws'
import type { Logger } from '../../platform/types.ts'
import { EngineError, isRejected, QIX } from './errors.ts'
import type { CallOptions, EngineObject, EngineResult, EngineSession } from './types.ts'

interface SessionParts {
  readonly socket: WebSocket
  /** `host:port`. */
  readonly where: string
  readonly log: Logger
  readonly callTimeoutMs: number
}

/** A session whose engine has not said yet how it begins. */
interface OpeningSession extends EngineSession {
  /** Resolves with the state that `OnConnected` reports; rejects when the session is refused or closed before. */
  readonly connected: Promise<string>
  /** Ends the connection at once; what is under way rejects with `error`. */
  fail(error: EngineError): void
  /** The same with a closing handshake, so that what was sent still arrives. */
  callOff(error: EngineError): void
}

interface Pending {
  readonly method: string
  readonly resolve: (result: EngineResult) => void
  readonly reject: (error: EngineError) => void
  readonly timer: ReturnType<typeof setTimeout> | undefined
}

interface Message {
  readonly id?: unknown
  readonly method?: unknown
  readonly params?: { readonly qSessionState?: unknown; readonly mustAuthenticate?: unknown }
  readonly result?: unknown
  readonly error?: { readonly code?: unknown; readonly message?: unknown; readonly parameter?: unknown }
}

const GLOBAL_HANDLE = -1
const NORMAL_CLOSURE = 1000
const ABORTED_RETRIES = 3
/** How long the other side may take over the closing handshake. */
const CLOSING_MS = 2000
const REFUSED_STATE = /ERROR|FAILURE|DENIED/

export function createSession({ socket, where, log, callTimeoutMs }: SessionParts): OpeningSession {
  const pending = new Map<number, Pending>()
  const { promise: connected, resolve: onState, reject: onRefusal } = Promise.withResolvers<string>()
  const { promise: ended, resolve: onEnd } = Promise.withResolvers<void>()
  let state = ''
  let lastId = 0
  /** Set once the session is over. */
  let over: EngineError | null = null
  // Prevents an unhandled rejection when the socket ends and no caller waits for the state.
  connected.catch(() => {})

  const closedBy = (reason: string) => new EngineError('closed', where, reason)

  function end(error: EngineError): void {
    over ??= error
    onRefusal(over)
    for (const { reject, timer, method } of pending.values()) {
      clearTimeout(timer)
      reject(new EngineError(over.kind, `${where} ${method}`, over.reason, { cause: over }))
    }
    pending.clear()
  }

  function fail(error: EngineError): void {
    end(error)
    socket.terminate()
  }

  async function close(error: EngineError): Promise<void> {
    if (socket.readyState === socket.CLOSED) return
    end(error)
    if (socket.readyState === socket.CONNECTING) socket.terminate()
    else socket.close(NORMAL_CLOSURE)
    const timer = setTimeout(() => socket.terminate(), CLOSING_MS)
    await ended
    clearTimeout(timer)
  }

  function send(handle: number, method: string, params: readonly unknown[]): number {
    const id = ++lastId
    socket.send(JSON.stringify({ jsonrpc: '2.0', id, handle, method, params }))
    return id
  }

  function request(
    handle: number,
    method: string,
    params: readonly unknown[],
    timeoutMs: number,
  ): Promise<EngineResult> {
    if (over) return Promise.reject(new EngineError(over.kind, `${where} ${method}`, over.reason, { cause: over }))
    return new Promise((resolve, reject) => {
      const id = send(handle, method, params)
      const late = () => {
        pending.delete(id)
        reject(new EngineError('timeout', `${where} ${method}`, `no answer within ${timeoutMs} ms`))
      }
      pending.set(id, { method, resolve, reject, timer: timeoutMs > 0 ? setTimeout(late, timeoutMs) : undefined })
    })
  }

  async function call(
    handle: number,
    method: string,
    params: readonly unknown[] = [],
    { timeoutMs = callTimeoutMs }: CallOptions = {},
  ): Promise<EngineResult> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await request(handle, method, params, timeoutMs)
      } catch (error) {
        const again = method.startsWith('Get') && attempt < ABORTED_RETRIES && isRejected(error, QIX.ABORTED)
        if (!again) throw error
        log.debug(`ENGINE: ${method} was overtaken, asking again`)
      }
    }
  }

  function answered(id: number, { result, error }: Message): void {
    const waiting = pending.get(id)
    if (!waiting) return
    pending.delete(id)
    clearTimeout(waiting.timer)
    const at = `${where} ${waiting.method}`
    if (error) {
      waiting.reject(new EngineError('rejected', at, reasonOf(error), { code: Number(error.code ?? 0) }))
    } else if (typeof result === 'object' && result !== null) waiting.resolve(result as EngineResult)
    else waiting.reject(new EngineError('invalid', at, 'the answer holds neither a result nor an error'))
  }

  function notified({ method, params }: Message): void {
    if (method === 'OnConnected') {
      state = String(params?.qSessionState ?? '')
      if (REFUSED_STATE.test(state)) fail(new EngineError('refused', where, `the session began with ${state}`))
      else onState(state)
    } else if (method === 'OnAuthenticationInformation' && params?.mustAuthenticate === true) {
      fail(new EngineError('refused', where, 'the client certificate is not accepted, a login is wanted'))
    } else if (typeof method === 'string') log.debug(`ENGINE: ${method}`)
  }

  socket.on('message', (data: { toString(): string }) => {
    const message = parse(data.toString())
    if (!message) fail(new EngineError('invalid', where, 'a message is not JSON'))
    else if (typeof message.id === 'number') answered(message.id, message)
    else notified(message)
  })
  socket.on('close', (code: number, reason: { toString(): string }) => {
    const text = reason?.toString() ?? ''
    end(closedBy(`the connection was closed with code ${code}${text === '' ? '' : ` (${text})`}`))
    onEnd()
  })

  const session: OpeningSession = {
    get state() {
      return state
    },
    where,
    get global() {
      return session.object(GLOBAL_HANDLE)
    },
    connected,
    fail,
    call,
    object: (handle) => engineObject(session, handle),
    send(handle, method, params = []) {
      if (!over) send(handle, method, params)
    },
    callOff: (error) => void close(error),
    close: () => close(closedBy('the session was closed')),
  }
  return session
}

function reasonOf({ message, parameter }: NonNullable<Message['error']>): string {
  const text = typeof message === 'string' && message !== '' ? message : 'the call was rejected'
  return typeof parameter === 'string' && parameter !== '' ? `${text}: ${parameter}` : text
}

function parse(text: string): Message | null {
  try {
    const message: unknown = JSON.parse(text)
    return typeof message === 'object' && message !== null ? (message as Message) : null
  } catch {
    return null
  }
}

/** The calls of one handle. */
function engineObject(session: EngineSession, handle: number): EngineObject {
  return {
    handle,
    call: (method, params, options) => session.call(handle, method, params, options),
    async value(member, method, params, options) {
      const result = await session.call(handle, method, params, options)
      if (member in result) return result[member]
      throw new EngineError('invalid', `${session.where} ${method}`, `the answer has no ${member}`)
    },
    async child(method, params, options) {
      try {
        const { qReturn } = await session.call(handle, method, params, options)
        const { qHandle } = (qReturn ?? {}) as { readonly qHandle?: unknown }
        return typeof qHandle === 'number' ? session.object(qHandle) : null
      } catch (error) {
        // Some methods say "there is none" with an error, others with an empty handle.
        if (isRejected(error, QIX.NOT_FOUND)) return null
        throw error
      }
    },
  }
}
