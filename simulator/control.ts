import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { errorText } from '../src/platform/errors.ts'
import type { Logger } from '../src/platform/types.ts'
import { ENVELOPES, isEnvelope } from './cloud/events.ts'
import type { Simulator } from './interface.ts'
import { type FaultRule, LISTENER_NAMES, type ListenerName } from './types.ts'

type Json = Record<string, unknown>
type Handler = (simulator: Simulator, input: { body: Json; query: URLSearchParams; id: string }) => unknown

const DONE = { ok: true }
const done = (act: () => void) => {
  act()
  return DONE
}
const MAX_BODY_BYTES = 1_000_000

/** Method and path below `/_sim/`; `:id` takes one segment. */
const ROUTES: Readonly<Record<string, Handler>> = {
  'GET state': (simulator) => state(simulator),
  'POST reset': (simulator) => done(() => simulator.reset()),
  'POST clock': (simulator, { body }) => moveClock(simulator, body),
  'PUT task/:id': (simulator, { id, body }) => done(() => simulator.setTask(id, body)),
  'POST tasks': (simulator, { body }) => ({ ids: simulator.addTasks(Number(body.count ?? 1)) }),
  'POST orderlines': (simulator) => ({ id: simulator.addOrderLines() }),
  'POST run': (simulator, { body }) => ({
    executionId: simulator.runTask(required(body, 'taskId'), body.user === undefined ? undefined : String(body.user)),
  }),
  'POST abort': (simulator, { body }) => ({
    aborted: simulator.abort(required(body, 'taskId'), body.user === undefined ? undefined : String(body.user)),
  }),
  'POST udp': async (simulator, { body }) => {
    await simulator.sendRaw(body.base64 ? Buffer.from(String(body.base64), 'base64') : required(body, 'raw'))
    return DONE
  },
  'PUT udp': (simulator, { body }) => changeUdp(simulator, body),
  'GET udp': (simulator) => simulator.datagrams(),
  'POST burst': (simulator, { body }) =>
    simulator.burst({
      count: Number(body.count ?? 500),
      withinMs: Number(body.withinMs ?? 1000),
      taskIds: body.taskIds as string[] | undefined,
      outcome: body.outcome as 'fail' | 'success' | undefined,
    }),
  'PUT modes': (simulator, { body }) => {
    simulator.setModes(body)
    return simulator.modes
  },
  'PUT licence': (simulator, { body }) => done(() => simulator.setServerLicence(required(body, 'variant'))),
  'POST fault': (simulator, { body }) => {
    required(body, 'mode')
    checkListener(body.listener)
    simulator.fault(body as unknown as FaultRule)
    return DONE
  },
  'DELETE fault': (simulator) => done(() => simulator.clearFaults()),
  'GET requests': (simulator, { query }) => {
    const listener = query.get('listener') ?? undefined
    checkListener(listener)
    return simulator.requests({
      listener: listener as ListenerName | undefined,
      since: Number(query.get('since') ?? 0),
    })
  },
  'GET enginecalls': (simulator) => simulator.engineCalls(),
  'DELETE requests': (simulator) => done(() => simulator.clearRequests()),
  'POST cloud/event': (simulator, { body }) => {
    const envelope = body.envelope ?? '0.1'
    if (!isEnvelope(envelope)) throw new Error(`Unknown envelope "${envelope}"; known: ${ENVELOPES.join(', ')}`)
    return simulator.cloudEvent(required(body, 'reloadId'), envelope)
  },
}

/**
 * The control API of the simulator: JSON over plain HTTP on 127.0.0.1. Calls from web pages and under foreign host names
 * are refused, since it has no password.
 */
export function createControlListener(
  deps: { readonly simulator: Simulator; readonly log: Logger },
  settings: { readonly port: number },
) {
  const { simulator, log } = deps
  const server: Server = createServer((request, response) => void serve(request, response))
  let port = 0

  async function serve(request: IncomingMessage, response: ServerResponse) {
    try {
      const value = await answer(simulator, request)
      respond(response, value === undefined ? 404 : 200, value === undefined ? { error: 'Not found' } : value)
    } catch (error) {
      const message = errorText(error)
      log.debug(`Simulator: control call ${request.method} ${request.url} refused: ${message}`)
      respond(response, 400, { error: message })
    }
  }

  return {
    get port() {
      return port
    },
    start: () =>
      new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(settings.port, '127.0.0.1', () => {
          server.off('error', reject)
          port = (server.address() as { port: number }).port
          resolve()
        })
      }),
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function answer(simulator: Simulator, request: IncomingMessage): Promise<unknown> {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1')
  if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(request.headers.host ?? '') || request.headers.origin) {
    throw new Error('The control API answers local programs only')
  }
  const path = url.pathname.replace(/^\/_sim\//, '')
  const exact = ROUTES[`${request.method} ${path}`]
  const [head = '', id = ''] = path.split('/')
  const handler = exact ?? ROUTES[`${request.method} ${head}/:id`]
  if (!handler || path === url.pathname) return undefined
  const body = await readJson(request)
  return handler(simulator, { body, query: url.searchParams, id: decodeURIComponent(id) })
}

async function readJson(request: IncomingMessage): Promise<Json> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += (chunk as Buffer).length
    if (size > MAX_BODY_BYTES) throw new Error('Body too large')
    chunks.push(chunk as Buffer)
  }
  const text = Buffer.concat(chunks).toString('utf8')
  const value: unknown = text === '' ? {} : JSON.parse(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error('The body must be a JSON object')
  return value as Json
}

function respond(response: ServerResponse, status: number, value: unknown) {
  const body = JSON.stringify(value)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
  response.end(body)
}

function required(body: Json, name: string): string {
  const value = body[name]
  if (typeof value !== 'string' || value === '') throw new Error(`"${name}" is missing`)
  return value
}

function checkListener(name: unknown) {
  if (name === undefined || LISTENER_NAMES.includes(name as ListenerName)) return
  throw new Error(`Unknown listener "${String(name)}"; known: ${LISTENER_NAMES.join(', ')}`)
}

function moveClock(simulator: Simulator, body: Json) {
  const { clock } = simulator
  const now = typeof body.now === 'string' ? Date.parse(body.now) : body.now
  for (const [name, value] of Object.entries({ speed: body.speed, advanceMs: body.advanceMs, now })) {
    if (value === undefined) continue
    const valid = typeof value === 'number' && Number.isFinite(value) && (name === 'now' || value >= 0)
    if (!valid) throw new Error(`"${name}" is not a valid number`)
  }
  if (body.speed !== undefined) clock.setSpeed(body.speed as number)
  if (now !== undefined) clock.set(now as number)
  if (body.advanceMs !== undefined) clock.advance(body.advanceMs as number)
  return { now: new Date(clock.now()).toISOString() }
}

/** `target` is `host:port` or null; every other member is a UDP mode. */
function changeUdp(simulator: Simulator, { target, ...modes }: Json) {
  simulator.setModes({ udp: modes })
  if (target === null) simulator.setUdpTarget(null)
  if (typeof target === 'string') {
    const colon = target.lastIndexOf(':')
    simulator.setUdpTarget({ host: target.slice(0, colon), port: Number(target.slice(colon + 1)) })
  }
  return DONE
}

function state(simulator: Simulator) {
  const { site, clock, ports, modes } = simulator
  return {
    now: new Date(clock.now()).toISOString(),
    ports,
    modes,
    nodes: [...site.nodes.values()].map(({ name, isCentral }) => ({ name, isCentral })),
    tasks: [...site.tasks.values()].map((task) => ({
      id: task.id,
      name: task.name,
      taskType: task.taskType,
      enabled: task.enabled,
      status: task.operational.lastExecutionResult.status,
      behaviour: task.behaviour,
    })),
    sessions: [...site.sessions.values()].map(({ id, task, user }) => ({ id, taskId: task.id, user })),
    executions: site.executions.size,
  }
}
