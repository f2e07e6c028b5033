/** `/v4/events/{id}/replay` and `/v4/events/fire`. */
import type { TaskEvent } from '../../events/types.ts'
import type { Idempotency } from '../../http/endpoint/idempotency.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer } from '../../http/endpoint/route.ts'
import { invalidBody, strictBody } from '../../http/endpoint/validation.ts'
import { refusedWithCode } from '../../http/errors.ts'
import { isGuid } from '../../platform/uuid.ts'
import type { QrsClient } from '../../qlik/qrs/types.ts'
import type { Again } from '../routes/again.ts'
import { sampleFacts } from '../routes/sample.ts'
import { isTaskType } from '../routes/subjects.ts'
import { type AgainDeps, dryRun, fireTest, type RealTask, replayEvent, TEST_VALUES, testEvent } from './again.ts'
import * as about from './again-descriptions.ts'
import { eventNotFound } from './event-routes.ts'
import { idIn } from './queries.ts'

export interface AgainRoutesDeps extends AgainDeps {
  readonly idempotency: Idempotency
  readonly loadEvent: (id: string) => TaskEvent | null
  readonly qrs: Pick<QrsClient, 'taskById' | 'tasks' | 'appById' | 'owner'>
  /** Names that `to` may hold. */
  readonly destinationNames: () => readonly string[]
  readonly shadow: boolean
  /** For how long events are kept, in milliseconds. */
  readonly keepMs: number
}

const QRS_TIMEOUT_MS = 10_000

export function againRoutes(deps: AgainRoutesDeps): ApiRoute[] {
  const common = { methods: ['POST', 'PUT'], endpoint: null, scope: 'event:run' } as const
  const once = (act: (deps: AgainRoutesDeps, request: ApiRequest) => Promise<Response>) => (request: ApiRequest) =>
    deps.idempotency.once(request, () => act(deps, request))
  return [
    { ...common, path: '/v4/events/fire', action: 'event.fire', ...about.FIRE, handle: once(fire) },
    { ...common, path: '/v4/events/{id}/replay', action: 'event.replay', ...about.REPLAY, handle: once(replay) },
  ]
}

async function replay(deps: AgainRoutesDeps, request: ApiRequest): Promise<Response> {
  const id = idIn(request)
  const { routes, to, ignoreGates = false } = strictBody(about.REPLAY_BODY, request.body ?? {})
  request.note({ target: [id] })
  const wish = knownWish(deps, { routes: routes ?? [], to: to ?? [] })
  const event = deps.loadEvent(id)
  if (!event) throw eventNotFound(id, deps.keepMs)
  const deliveries = await replayEvent(deps, event, wish, ignoreGates)
  request.note({ target: [id], detail: `${deliveries.length} deliveries` })
  return jsonAnswer(202, { eventId: id, deliveries })
}

async function fire(deps: AgainRoutesDeps, request: ApiRequest): Promise<Response> {
  const body = strictBody(about.FIRE_BODY, request.body ?? {})
  const wish = knownWish(deps, { routes: body.routes ?? [], to: body.to ?? [] })
  const past = body.eventId ? pastEvent(deps, body.eventId) : null
  const type = past?.type ?? body.type ?? 'reload'
  const outcome = past?.outcome ?? body.outcome ?? 'failed'
  const task = body.taskId && isTaskType(type) ? await realTask(deps, body.taskId, request.signal) : null
  const values = knownValues(body.values ?? {})
  const event = testEvent({ type, outcome, past, task, values }, deps.clock.now())
  if (body.dryRun) return jsonAnswer(200, { messages: await dryRun(deps, event, wish) })
  const deliveries = await fireTest(deps, event, wish)
  request.note({ target: [event.id], detail: `${deliveries.length} deliveries` })
  return jsonAnswer(202, { eventId: event.id, deliveries })
}

/** Throws 404 for names that are none. */
function knownWish({ router, destinationNames }: AgainRoutesDeps, wish: Again): Again {
  for (const name of wish.routes) {
    if (router.route(name)) continue
    const details = `No route is called "${name}", or it is switched off. GET /v4/alertroutes lists them.`
    throw refusedWithCode(404, 'ROUTE_NOT_FOUND', 'Route not found', details)
  }
  for (const name of wish.to) {
    if (destinationNames().includes(name)) continue
    const details = `No destination of Butler.footman.destinations is called "${name}". GET /v4/destinations lists them; those of Butler's own sections are reached by their routes, like "routes": ["butler.emailNotification.reloadTaskFailure"] (footman fire --route).`
    throw refusedWithCode(404, 'DESTINATION_NOT_FOUND', 'Destination not found', details)
  }
  return wish
}

function pastEvent({ loadEvent, keepMs }: AgainRoutesDeps, id: string): TaskEvent {
  if (!isGuid(id)) throw refusedWithCode(400, 'INVALID_ID', 'Invalid ID', `"${id}" is not an id: a UUID is expected.`)
  const event = loadEvent(id.toLowerCase())
  if (!event) throw eventNotFound(id, keepMs)
  return event
}

async function realTask({ qrs }: AgainRoutesDeps, taskId: string, hangsUp: AbortSignal): Promise<RealTask> {
  if (!isGuid(taskId)) throw invalidBody([{ path: 'taskId', message: 'must be a GUID' }])
  const signal = AbortSignal.any([hangsUp, AbortSignal.timeout(QRS_TIMEOUT_MS)])
  const { task, app, owner } = await sampleFacts(qrs, { taskId }, signal)
  if (task === null) throw invalidBody([{ path: 'taskId', message: 'is of no task in Qlik Sense' }])
  if (task === undefined) {
    const details = 'Qlik Sense did not tell about the task. Leave taskId out to use an invented one.'
    throw refusedWithCode(502, 'REPOSITORY_UNREACHABLE', 'Repository unreachable', details)
  }
  const { id = '', name = '' } = task.app ?? {}
  return { taskId: task.id, taskName: task.name, appId: id, appName: app?.name ?? name, task, app, owner }
}

/** Throws 400 for variables that a test cannot set. */
function knownValues(values: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const issues = Object.keys(values)
    .filter((name) => !(name in TEST_VALUES))
    .map((name) => ({ path: `values.${name}`, message: `cannot be set; ${Object.keys(TEST_VALUES).join(', ')} can` }))
  if (issues.length > 0) throw invalidBody(issues)
  return values
}
