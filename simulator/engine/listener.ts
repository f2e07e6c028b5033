import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { createHttpListener } from '../http-listener.ts'
import type { Fault, Listener, ListenerDeps } from '../types.ts'
import { createAppStore } from './app-store.ts'
import { serveConnection } from './connection.ts'
import { asText } from './json.ts'
import { createReloadRegistry } from './reload.ts'
import { createSessionRegistry, parseSessionPath, type SessionAddress } from './session.ts'
import type { Connection, EngineServer } from './types.ts'
import { type EngineUser, parseQlikUser } from './users.ts'

export interface EngineSettings {
  /** 0 = any free port. */
  readonly port: number
  /** Default 127.0.0.1. */
  readonly host?: string
  /** False: plain `ws` without certificates. Default true. */
  readonly tls?: boolean
  /** Simulated milliseconds that a calculation takes; default 0. */
  readonly calculationMs?: number
  /** Sessions that a user may have at the same time; default: any number. */
  readonly maxSessionsPerUser?: number
  /** The answer of `EngineVersion`; default 12.2027.0. */
  readonly version?: string
}

export interface EngineListener extends Listener {
  /** Requests of all sessions since the start or `reset`, by method. */
  readonly calls: ReadonlyMap<string, number>
  /** Ends every reload and session, as a restart of the engine service does. */
  reset(): void
}

const LIMIT_EXCEEDED = 'SESSION_ERROR_LIMIT_EXCEEDED'
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024

/**
 * The engine of the simulated site: QIX over secure WebSockets with client certificates. Sessions are shared by the
 * sockets of one user, app and identity; what is not saved goes with the session's last socket.
 */
export function createEngineListener(deps: ListenerDeps, settings: EngineSettings): EngineListener {
  const { site, clock, faults, log } = deps
  const store = createAppStore(site)
  const reloads = createReloadRegistry({ clock, site })
  const sessions = createSessionRegistry(clock)
  const server: EngineServer = {
    site,
    clock,
    faults,
    log,
    store,
    reloads,
    calculationMs: settings.calculationMs ?? 0,
    version: settings.version ?? '12.2027.0',
    calls: new Map(),
  }
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES })
  const open = new Set<WebSocket>()

  function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer) {
    const path = request.url ?? '/'
    const address = parseSessionPath(path)
    const user = parseQlikUser(request.headers['x-qlik-user'])
    if (!address) return refuse(socket, 404, 'Not Found')
    if (!user) return refuse(socket, 403, 'Forbidden')
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      open.add(webSocket)
      webSocket.on('close', () => open.delete(webSocket))
      connect(webSocket, path, user, address)
    })
  }

  function connect(socket: WebSocket, path: string, user: EngineUser, address: SessionAddress) {
    const refusal = refusedState(path) ?? (isOverLimit(user) ? LIMIT_EXCEEDED : null)
    if (refusal) {
      socket.send(onConnected(refusal))
      socket.close(1000)
      return
    }
    const { session, attached, leave } = sessions.join(user, address)
    const connection: Connection = serveConnection(socket, path, session, server)
    session.connections.add(connection)
    socket.on('close', () => leave(connection))
    socket.send(onConnected(attached ? 'SESSION_ATTACHED' : 'SESSION_CREATED'))
  }

  /** The error state that a fault wants `OnConnected` to report. */
  function refusedState(path: string): string | null {
    const isState = ({ mode }: Fault) => mode === 'on-connected' || mode === 'session-limit'
    const fault = faults.match('engine', path, 'engine', isState)
    if (!fault) return null
    return fault.mode === 'session-limit' ? LIMIT_EXCEEDED : asText(fault.args[0], 'SESSION_ERROR_APP_FAILURE')
  }

  const isOverLimit = (user: EngineUser) =>
    settings.maxSessionsPerUser !== undefined && sessions.countOf(user) >= settings.maxSessionsPerUser

  function reset() {
    server.calls.clear()
    reloads.stop()
    for (const socket of open) socket.terminate()
    sessions.stop()
  }

  const listener = createHttpListener(deps, {
    name: 'engine',
    port: settings.port,
    host: settings.host,
    security: settings.tls === false ? 'none' : 'mutual',
    handle: () => ({ status: 426, headers: { 'content-type': 'text/plain' }, body: 'Upgrade required' }),
    upgrade,
  })

  return {
    name: 'engine',
    calls: server.calls,
    get port() {
      return listener.port
    },
    start: () => listener.start(),
    async stop() {
      reset()
      await listener.stop()
      store.stop()
    },
    reset,
  }
}

const onConnected = (qSessionState: string) =>
  JSON.stringify({ jsonrpc: '2.0', method: 'OnConnected', params: { qSessionState } })

function refuse(socket: Duplex, status: number, reason: string) {
  socket.end(`HTTP/1.1 ${status} ${reason}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
