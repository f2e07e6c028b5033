import { setImmediate } from 'node:timers'
import type { WebSocket } from 'ws'
import type { SimTimer } from '../types.ts'
import { EngineError, engineError } from './errors.ts'
import { strikeCall } from './faults.ts'
import { asNumber, isObject, type Json } from './json.ts'
import { DOC_METHODS } from './methods/doc.ts'
import { OBJECT_METHODS } from './methods/generic-object.ts'
import { GLOBAL_METHODS } from './methods/global.ts'
import {
  BOOKMARK_METHODS,
  DIMENSION_METHODS,
  DOC_ITEM_METHODS,
  MEASURE_METHODS,
  VARIABLE_METHODS,
} from './methods/items.ts'
import { FIELD_METHODS } from './methods/selections.ts'
import type { Call, Connection, EngineServer, EngineSession, Method, MethodTable, Target, TargetType } from './types.ts'

/** Every method that the simulated engine has, by the kind of handle that it is called on. */
const METHODS: { readonly [T in TargetType]: MethodTable<T> } = {
  Global: GLOBAL_METHODS,
  Doc: { ...DOC_METHODS, ...DOC_ITEM_METHODS },
  GenericObject: OBJECT_METHODS,
  GenericDimension: DIMENSION_METHODS,
  GenericMeasure: MEASURE_METHODS,
  GenericBookmark: BOOKMARK_METHODS,
  GenericVariable: VARIABLE_METHODS,
  Field: FIELD_METHODS,
}

interface Pending {
  readonly controller: AbortController
  readonly calculates: boolean
}

interface Request {
  readonly id: number | string
  readonly handle: number
  readonly method: string
  readonly params: unknown
  readonly delta: boolean
}

/** Serves a socket until it closes. */
export function serveConnection(
  socket: WebSocket,
  path: string,
  session: EngineSession,
  server: EngineServer,
): Connection {
  const pending = new Map<number | string, Pending>()
  const noted = { change: new Set<number>(), close: new Set<number>() }

  const connection: Connection = {
    path,
    note(member, handles) {
      for (const handle of handles) noted[member].add(handle)
      setImmediate(flush) // after the answer of a request that is just being served
    },
    abort(requestId) {
      for (const [id, { controller }] of pending) if (requestId === undefined || id === requestId) controller.abort()
    },
    abortCalculations() {
      for (const { controller, calculates } of pending.values()) if (calculates) controller.abort()
    },
    notify: (method, params) => send({ jsonrpc: '2.0', method, params }),
    terminate: () => socket.terminate(),
  }

  function takeNoted(): Json {
    const lists = Object.entries(noted).flatMap(([member, handles]) =>
      handles.size > 0 ? [[member, [...handles]] as const] : [],
    )
    for (const handles of Object.values(noted)) handles.clear()
    return Object.fromEntries(lists)
  }

  /** Sends the lists that no answer has carried. */
  function flush() {
    const lists = takeNoted()
    if (Object.keys(lists).length > 0) send({ jsonrpc: '2.0', ...lists })
  }

  function send(message: Json) {
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message))
  }

  async function receive(text: string) {
    let request: Request | null = null
    try {
      request = parseRequest(text)
      const result = await run(request)
      send({ jsonrpc: '2.0', id: request.id, ...inDelta(result, request.delta), ...takeNoted() })
    } catch (error) {
      if (!(error instanceof EngineError)) server.log.error(`Simulator: engine: ${request?.method}: ${String(error)}`)
      const known = error instanceof EngineError ? error : new EngineError(-128, String(error))
      const { code, parameter, message } = known
      send({ jsonrpc: '2.0', id: request?.id ?? null, error: { code, parameter, message }, ...takeNoted() })
    } finally {
      if (request) pending.delete(request.id)
    }
  }

  async function run(request: Request): Promise<Json> {
    const target = session.target(request.handle)
    if (!target) throw engineError('INVALID_PARAMETERS', `Invalid handle: ${request.handle}`)
    const method = findMethod(target, request.method)
    if (!method) throw engineError('METHOD_NOT_FOUND', request.method)
    const params = positional(request.params, method.params)
    server.calls.set(request.method, (server.calls.get(request.method) ?? 0) + 1)
    await strikeCall(server, path, { method: request.method, params, user: session.user, socket })
    const controller = new AbortController()
    pending.set(request.id, { controller, calculates: method.calculates === true })
    const call: Call = { server, session, connection, signal: controller.signal }
    if (method.calculates && server.calculationMs > 0) await calculationTime(call)
    return method.run(target as never, params, call)
  }

  socket.on('message', (data) => void receive(String(data)))
  socket.on('close', () => connection.abort())
  socket.on('error', () => socket.terminate())
  return connection
}

function findMethod(target: Target, name: string): Method<TargetType> | null {
  const table = METHODS[target.type] as Readonly<Record<string, Method<TargetType>>>
  return Object.hasOwn(table, name) ? (table[name] ?? null) : null
}

/** Waits as long as the calculation takes; rejects with error 15 when it is aborted meanwhile. */
function calculationTime({ server, signal }: Call): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer: SimTimer = server.clock.schedule(server.calculationMs, resolve)
    signal.addEventListener('abort', () => {
      server.clock.cancel(timer)
      reject(engineError('ABORTED'))
    })
  })
}

/** Throws -32700 for what is no JSON and -32600 for what is no request. */
function parseRequest(text: string): Request {
  let message: unknown
  try {
    message = JSON.parse(text)
  } catch {
    throw engineError('PARSE_ERROR')
  }
  if (!isObject(message) || typeof message.method !== 'string') throw engineError('INVALID_REQUEST')
  const id = typeof message.id === 'string' ? message.id : asNumber(message.id)
  return {
    id,
    handle: asNumber(message.handle, -1),
    method: message.method,
    params: message.params ?? [],
    delta: message.delta === true,
  }
}

/** Parameters by position, whichever way they were sent. Throws -32602 for too many or unknown ones. */
function positional(params: unknown, names: readonly string[]): readonly unknown[] {
  if (Array.isArray(params)) {
    if (params.length > names.length) throw engineError('INVALID_PARAMS')
    return params
  }
  if (!isObject(params) || Object.keys(params).some((name) => !names.includes(name)))
    throw engineError('INVALID_PARAMS')
  return names.map((name) => params[name])
}

/** With `delta` a single named out member is sent as a patch that sets all of it. */
function inDelta(result: Json, wanted: boolean): Json {
  const [member, ...others] = Object.keys(result)
  const asPatch = wanted && member !== undefined && others.length === 0 && member !== 'qReturn' && member !== 'qSuccess'
  if (!asPatch) return { result }
  return { delta: true, result: { [member]: [{ op: 'add', path: '/', value: result[member] }] } }
}
