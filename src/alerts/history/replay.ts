/** Replays of past events (`/v4/events/{id}/replay`) and test messages (`/v4/events/fire`). */
import type { EventOutcome, EventType, TaskEvent } from '../../events/types.ts'
import type { Answered, AnswerWith } from '../../http/endpoint/contract.ts'
import { type ApiRequest, type ApiRoute, from, route } from '../../http/endpoint/route.ts'
import { invalidBody, strictBody } from '../../http/endpoint/validation.ts'
import { refusal } from '../../http/errors.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock } from '../../platform/types.ts'
import { isGuid, uuidV7 } from '../../platform/uuid.ts'
import type { QrsClient } from '../../qlik/qrs/types.ts'
import type { Router } from '../router.ts'
import type { ReplaySelection } from '../rules/replay.ts'
import { sampleFacts } from '../rules/sample.ts'
import { isTaskType } from '../rules/subjects.ts'
import { sampleToSend } from '../sample-event.ts'
import type { Destination } from '../types.ts'
import { type DryRun, EVENTS, FIRE, type FireBody, type MadeDelivery, REPLAY, TEST_DESTINATION } from './contract.ts'
import { eventNotFound, eventOfBody } from './events.ts'
import { idOf } from './lists.ts'

interface ReplayDeps {
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly router: Router
  readonly destination: (route: string, name: string) => Destination | undefined
  /** Stores an event with all that is known about it; it counts as routed. */
  readonly storeEvent: (db: Database, event: TaskEvent) => void
}

interface ReplayRoutesDeps extends ReplayDeps {
  readonly loadEvent: (id: string) => TaskEvent | null
  readonly qrs: Pick<QrsClient, 'taskById' | 'tasks' | 'appById' | 'owner'>
  /** Names that `to` may hold. */
  readonly destinationNames: () => readonly string[]
  /** Names of the routes that are on and go to this destination. */
  readonly routesTo: (destination: string) => readonly string[]
  /** For how long events are kept, in milliseconds. */
  readonly keepMs: number
}

const QRS_TIMEOUT_MS = 10_000

/** Template variables that a test may set, and the fields of the event behind them. */
const TEST_VALUES = {
  taskName: 'taskName',
  appName: 'appName',
  hostName: 'host',
  user: 'user',
  logTimeStamp: 'logTimeStamp',
  logLevel: 'logLevel',
  logMessage: 'logMessage',
  executionId: 'executionId',
} as const satisfies Readonly<Record<string, keyof TaskEvent>>

type TestValues = Partial<Record<keyof typeof TEST_VALUES, string>>

export function replayRoutes(deps: ReplayRoutesDeps): ApiRoute[] {
  return [
    route({
      ...FIRE,
      scope: 'event:run',
      action: 'event.fire',
      summary: 'Send test messages',
      description:
        'An invented event, a past one, or one about a real task; the invented owner of an invented app has no mail address. Titles start with `[TEST] `. No gate but the question of recipients applies, no slot of a rate limit is taken, and it does not count in history.',
      body: undefined,
      readByHandler: () => ({ body: FIRE.body() }),
      examples: [
        {
          name: 'dry-run',
          body: { type: 'reload', outcome: 'failed', values: { taskName: 'My test' }, dryRun: true },
          status: 200,
          answer: { messages: [] },
        },
      ],
      handle: (request, answer) => fireAs(deps, request, strictBody(FIRE.body().unwrap(), request.body ?? {}), answer),
    }),
    route({
      ...TEST_DESTINATION,
      scope: 'event:run',
      action: 'destination.test',
      summary: 'Send a test message to a destination',
      description:
        'As `POST /v4/events/fire` with the destination in `to`. A destination of a notification section of the configuration gets the messages of its routes.',
      body: undefined,
      readByHandler: () => ({ body: TEST_DESTINATION.body() }),
      examples: [
        {
          name: 'dry-run',
          params: { name: 'ops-chat' },
          body: { type: 'reload', outcome: 'failed', dryRun: true },
          status: 200,
        },
      ],
      handle(request, answer) {
        const body = strictBody(TEST_DESTINATION.body().unwrap(), request.body ?? {})
        const { name } = request.params
        if (deps.destinationNames().includes(name)) return fireAs(deps, request, { ...body, to: [name] }, answer)
        const routes = deps.routesTo(name)
        if (routes.length > 0) return fireAs(deps, request, { ...body, routes }, answer)
        throw refusal('DESTINATION_NOT_FOUND', `No destination is called "${name}". GET /v4/destinations lists them.`)
      },
    }),
    route({
      ...REPLAY,
      scope: 'event:run',
      action: 'event.replay',
      summary: 'Send the messages of an event again',
      description: 'Without `routes` and `to` every rule is evaluated again. No task is started.',
      body: undefined,
      readByHandler: () => ({ body: REPLAY.body() }),
      examples: [
        {
          name: 'to-a-destination',
          params: from(EVENTS, { id: '$response.body#/events/0/id' }),
          body: { to: ['ops-chat'] },
          status: 202,
        },
      ],
      async handle(request, answer) {
        const id = idOf(request.params)
        const { routes, to, ignoreGates = false } = strictBody(REPLAY.body().unwrap(), request.body ?? {})
        request.note({ target: [id] })
        const selection = knownSelection(deps, { routes: routes ?? [], to: to ?? [] })
        const event = deps.loadEvent(id)
        if (!event) throw eventNotFound(id, deps.keepMs)
        const deliveries = await replayEvent(deps, event, selection, ignoreGates)
        request.note({ target: [id], detail: `${deliveries.length} deliveries` })
        return answer(202, { eventId: id, deliveries })
      },
    }),
  ]
}

async function fireAs(
  deps: ReplayRoutesDeps,
  request: Pick<ApiRequest, 'signal' | 'note'>,
  body: FireBody,
  answer: AnswerWith<ReturnType<typeof FIRE.answers>>,
): Promise<Answered> {
  const selection = knownSelection(deps, { routes: body.routes ?? [], to: body.to ?? [] })
  const past = body.eventId ? eventOfBody(deps, body.eventId) : null
  const type = past?.type ?? body.type ?? 'reload'
  const outcome = past?.outcome ?? body.outcome ?? 'failed'
  const task = body.taskId && isTaskType(type) ? await realTask(deps, body.taskId, request.signal) : null
  const values = knownValues(body.values ?? {})
  const event = testEvent({ type, outcome, past, task, values }, deps.clock.now())
  if (body.dryRun) {
    request.note({ detail: 'dry run' })
    return answer(200, { messages: await dryRun(deps, event, selection) })
  }
  const deliveries = await fireTest(deps, event, selection)
  request.note({ target: [event.id], detail: `${deliveries.length} deliveries` })
  return answer(202, { eventId: event.id, deliveries })
}

/** The selection itself. Throws 404 for unknown names. */
function knownSelection({ router, destinationNames }: ReplayRoutesDeps, selection: ReplaySelection): ReplaySelection {
  for (const name of selection.routes) {
    if (router.rule(name)) continue
    const details = `No rule is called "${name}", or it is switched off. GET /v4/alertroutes lists them.`
    throw refusal('ROUTE_NOT_FOUND', details)
  }
  for (const name of selection.to) {
    if (destinationNames().includes(name)) continue
    const details = `No destination of Butler.footman.destinations is called "${name}". GET /v4/destinations lists them; those of Butler's own sections are reached by their rules, like "routes": ["butler.emailNotification.reloadTaskFailure"] (footman fire --route).`
    throw refusal('DESTINATION_NOT_FOUND', details)
  }
  return selection
}

async function realTask({ qrs }: ReplayRoutesDeps, taskId: string, aborted: AbortSignal): Promise<RealTask> {
  if (!isGuid(taskId)) throw invalidBody([{ path: 'taskId', message: 'must be a GUID' }])
  const signal = AbortSignal.any([aborted, AbortSignal.timeout(QRS_TIMEOUT_MS)])
  const { task, app, owner } = await sampleFacts(qrs, { taskId }, signal)
  if (task === null) throw invalidBody([{ path: 'taskId', message: 'is of no task in Qlik Sense' }])
  if (task === undefined) {
    const details = 'Qlik Sense did not answer about the task. Leave taskId out to use an invented one.'
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

/** A real task in place of the invented one. */
type RealTask = Pick<TaskEvent, 'taskId' | 'taskName' | 'appId' | 'appName' | 'task' | 'app' | 'owner'>

interface TestSettings {
  readonly type: EventType
  readonly outcome: EventOutcome
  /** A past event whose data are used; `type` and `outcome` are those of it. */
  readonly past: TaskEvent | null
  readonly task: RealTask | null
  readonly values: TestValues
}

/** The event of a test, marked as one. */
function testEvent({ type, outcome, past, task, values }: TestSettings, now: number): TaskEvent {
  const id = uuidV7(now)
  const base = past ?? { ...sampleToSend(id, outcome, now, type), ...task }
  const fields = Object.entries(values).map(([name, value]) => [TEST_VALUES[name as keyof TestValues], value])
  return { ...base, ...Object.fromEntries(fields), id, receivedAt: now, source: 'test', test: true }
}

/** Resolves when the deliveries are durable. */
async function replayEvent(
  { writer, router }: ReplayDeps,
  event: TaskEvent,
  selection: ReplaySelection,
  ignoreGates: boolean,
): Promise<readonly MadeDelivery[]> {
  const made = await writer.write((tx) => router.addReplays(tx, event, { ...selection, ignoreGates, kind: 'alert' }))
  router.wake()
  return made
}

/** Resolves when the event and its deliveries are durable. */
async function fireTest(
  { writer, router, storeEvent }: ReplayDeps,
  event: TaskEvent,
  selection: ReplaySelection,
): Promise<readonly MadeDelivery[]> {
  const made = await writer.write((tx) => {
    storeEvent(tx, event)
    return router.addReplays(tx, event, { ...selection, ignoreGates: true, kind: 'test' })
  })
  router.wake()
  return made
}

/** The messages that a test would send: rendered, and neither stored nor sent. */
async function dryRun(deps: ReplayDeps, event: TaskEvent, selection: ReplaySelection): Promise<DryRun['messages']> {
  const candidates = deps.router.candidates(event, selection).filter(({ planned }) => !planned.suppress)
  return Promise.all(
    candidates.map(async ({ rule, planned: { target } }) => {
      const destination = deps.destination(rule.name, rule.destination)
      if (!destination) throw new Error(`destination ${rule.destination} is not in the configuration`)
      const severity = rule.severity ?? event.severity
      const deliveryId = uuidV7(deps.clock.now())
      const input = { event, rule, target, deliveryId, suppressed: 0, kind: 'test', severity, note: null } as const
      const { subject, body } = await destination.render(input)
      return { route: rule.name || null, destination: rule.destination, target, message: { subject, body } }
    }),
  )
}
