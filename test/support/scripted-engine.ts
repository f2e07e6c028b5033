/** An engine that answers as a test wants it to: over plain WebSockets, one function for all calls. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'

export interface EngineCall {
  readonly id: number
  readonly handle: number
  readonly method: string
  readonly params: readonly unknown[]
  readonly socket: WebSocket
}

export class Rejection {
  constructor(
    readonly code: number,
    readonly message: string,
  ) {}
}

export interface ScriptedEngine extends AsyncDisposable {
  readonly port: number
  /** Every call so far. */
  readonly calls: readonly EngineCall[]
  /** Sockets that are open now. */
  readonly open: number
  /** Codes with which sockets were closed. */
  readonly closings: readonly number[]
  /** Most calls that were waiting for their answer at the same time. */
  readonly mostAtOnce: number
}

export interface EngineScript {
  /** The result, a `Rejection`, or undefined for no answer at all. */
  readonly answer: (call: EngineCall) => unknown
  /** Sent after the handshake; default OnConnected with SESSION_CREATED, null = nothing. */
  readonly greeting?: string | null
  /** Default 127.0.0.1. */
  readonly host?: string
}

export const onConnected = (qSessionState: string): string =>
  JSON.stringify({ jsonrpc: '2.0', method: 'OnConnected', params: { qSessionState } })

export async function scriptedEngine({ answer, greeting, host = '127.0.0.1' }: EngineScript): Promise<ScriptedEngine> {
  const calls: EngineCall[] = []
  const closings: number[] = []
  const server = createServer()
  const sockets = new WebSocketServer({ server })
  let atOnce = 0
  let mostAtOnce = 0

  async function serve(call: EngineCall): Promise<void> {
    calls.push(call)
    atOnce += 1
    mostAtOnce = Math.max(mostAtOnce, atOnce)
    const result = await answer(call)
    atOnce -= 1
    if (result === undefined || call.socket.readyState !== call.socket.OPEN) return
    const outcome = result instanceof Rejection ? { error: { ...result, parameter: '' } } : { result }
    call.socket.send(JSON.stringify({ jsonrpc: '2.0', id: call.id, ...outcome }))
  }

  sockets.on('connection', (socket) => {
    socket.on('message', (data) => void serve({ ...JSON.parse(String(data)), socket }))
    socket.on('close', (code) => closings.push(code))
    if (greeting !== null) socket.send(greeting ?? onConnected('SESSION_CREATED'))
  })
  await new Promise<void>((resolve) => server.listen(0, host, resolve))

  return {
    port: (server.address() as AddressInfo).port,
    calls,
    closings,
    get open() {
      return sockets.clients.size
    },
    get mostAtOnce() {
      return mostAtOnce
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.clients) socket.terminate()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
