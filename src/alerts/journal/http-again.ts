/** `/v4/events/{id}/replay` and `/v4/events/fire`. */
import { z } from 'zod'
import { EVENT_OUTCOMES, EVENT_TYPES } from '../../events/kinds.ts'
import type { TaskEvent } from '../../events/types.ts'
import type { Idempotency } from '../../http/endpoint/idempotency.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer, route } from '../../http/endpoint/route.ts'
import { field, invalidBody, strictBody } from '../../http/endpoint/validation.ts'
import { refusal } from '../../http/errors.ts'
import { isGuid } from '../../platform/uuid.ts'
import type { QrsClient } from '../../qlik/qrs/types.ts'
import type { Again } from '../rules/replay.ts'
import { sampleFacts } from '../rules/sample.ts'
import { isTaskType } from '../rules/subjects.ts'
import { type AgainDeps, dryRun, fireTest, type RealTask, replayEvent, TEST_VALUES, testEvent } from './again.ts'
import { eventNotFound } from './http.ts'
import { idOf } from './queries.ts'

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

const names = (what: string) => field.array(field.string()).describe(what).optional()
const MADE = z.object({
  id: z.string(),
  route: z.string().nullable(),
  destination: z.string(),
  target: z.string(),
  state: z.enum(['pending', 'suppressed']),
  reason: z.string().nullable(),
})
const MADE_ANSWER = z
  .object({ eventId: z.string(), deliveries: z.array(MADE) })
  .describe('The deliveries are under way.')

const REPLAY_BODY = z.object({
  routes: names('Only these routes, whether their conditions hold or not.'),
  to: names('Only these destinations of `Butler.footman.destinations`, without route or gate.'),
  ignoreGates: z.boolean().describe('No rate limit, snooze, maintenance or grouping holds it back.').optional(),
})

const FIRE_BODY = z.object({
  type: z.enum(EVENT_TYPES).describe('Default `reload`.').optional(),
  outcome: z.enum(EVENT_OUTCOMES).describe('Default `failed`.').optional(),
  taskId: z.string().nullish().describe('A real task in place of the invented one.'),
  eventId: z.string().nullish().describe('A past event whose data are used.'),
  values: z.record(z.string(), field.string()).describe('Template variables to set, like `taskName`.').optional(),
  routes: names('Only these routes, whether their conditions hold or not.'),
  to: names('Only these destinations of `Butler.footman.destinations`.'),
  dryRun: z.boolean().describe('Render the messages and send nothing.').optional(),
})

const DRY = z.object({
  messages: z.array(
    z.object({
      route: z.string().nullable(),
      destination: z.string(),
      target: z.string(),
      message: z.object({ subject: z.string().nullable(), body: z.string() }),
    }),
  ),
})

const PARAMS = z.object({ id: z.string().describe('Id of the event.') })

/** Bodies are read behind the key of a repeat: a key that was used is refused whatever the body. */
export function againRoutes(deps: AgainRoutesDeps): ApiRoute[] {
  return [
    route({
      method: ['POST', 'PUT'],
      path: '/v4/events/fire',
      scope: 'event:run',
      audit: 'event.fire',
      summary: 'Send test messages',
      description:
        'An invented event, a past one, or one about a real task; titles start with `[TEST] `. No gate but the question of recipients applies, no slot of a rate limit is taken, and it does not count in history.',
      readByHandler: { body: FIRE_BODY.optional() },
      answers: {
        200: DRY.describe('What would be sent.'),
        202: MADE_ANSWER,
        404: 'There is no such event, route or destination.',
        502: 'Qlik Sense is unreachable or refuses.',
      },
      examples: [
        {
          name: 'dry-run',
          body: { type: 'reload', outcome: 'failed', values: { taskName: 'My test' }, dryRun: true },
          status: 200,
          answer: { messages: [] },
        },
      ],
      handle: (request) => deps.idempotency.once(request, () => fire(deps, request)),
    }),
    route({
      method: ['POST', 'PUT'],
      path: '/v4/events/{id}/replay',
      scope: 'event:run',
      audit: 'event.replay',
      summary: 'Send the messages of an event again',
      description:
        'Without `routes` and `to` every route is evaluated again. Nothing is started, whatever the event is about.',
      params: PARAMS,
      readByHandler: { body: REPLAY_BODY.optional() },
      answers: { 202: MADE_ANSWER },
      handle: (request) => deps.idempotency.once(request, () => replay(deps, request)),
    }),
  ]
}

async function replay(deps: AgainRoutesDeps, request: ApiRequest): Promise<Response> {
  const id = idOf(request.params)
  const { routes, to, ignoreGates = false } = strictBody(REPLAY_BODY, request.body ?? {})
  request.note({ target: [id] })
  const wish = knownWish(deps, { routes: routes ?? [], to: to ?? [] })
  const event = deps.loadEvent(id)
  if (!event) throw eventNotFound(id, deps.keepMs)
  const deliveries = await replayEvent(deps, event, wish, ignoreGates)
  request.note({ target: [id], detail: `${deliveries.length} deliveries` })
  return jsonAnswer(202, { eventId: id, deliveries })
}

async function fire(deps: AgainRoutesDeps, request: ApiRequest): Promise<Response> {
  const body = strictBody(FIRE_BODY, request.body ?? {})
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
    if (router.rule(name)) continue
    const details = `No route is called "${name}", or it is switched off. GET /v4/alertroutes lists them.`
    throw refusal('ROUTE_NOT_FOUND', details)
  }
  for (const name of wish.to) {
    if (destinationNames().includes(name)) continue
    const details = `No destination of Butler.footman.destinations is called "${name}". GET /v4/destinations lists them; those of Butler's own sections are reached by their routes, like "routes": ["butler.emailNotification.reloadTaskFailure"] (footman fire --route).`
    throw refusal('DESTINATION_NOT_FOUND', details)
  }
  return wish
}

function pastEvent({ loadEvent, keepMs }: AgainRoutesDeps, id: string): TaskEvent {
  if (!isGuid(id)) throw refusal('INVALID_ID', `"${id}" is not an id: a UUID is expected.`)
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
    throw refusal('REPOSITORY_UNREACHABLE', details)
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
