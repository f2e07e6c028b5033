/** The endpoints of Butler's scheduler, and the one to change a schedule. */
import { z } from 'zod'
import { requireScope } from '../../http/endpoint/caller.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer } from '../../http/endpoint/route.ts'
import { field, isObject, validate } from '../../http/endpoint/validation.ts'
import { refused } from '../../http/errors.ts'
import {
  CHANGE_FAILURES,
  EXAMPLE_ID,
  EXAMPLE_TASK,
  type GuardDeps,
  guarded,
  idOf,
  listedSchedule,
  PARAMS,
  type RightsDeps,
  requiredSchedule,
  requireRights,
  type ScheduleHandler,
  statusText,
  wholeSchedule,
} from './http-common.ts'
import type { Planner } from './plan.ts'
import { InvalidScheduleError } from './repository.ts'
import type { Scheduler } from './scheduler.ts'
import { ACTION_SCOPES, type ScheduleValues } from './types.ts'

export interface ScheduleRoutesDeps extends GuardDeps, RightsDeps {
  readonly planner: Planner
}

const startupState = z.enum(['start', 'started', 'stop', 'stopped'], {
  error: 'must be equal to one of the allowed values',
})

/** In the order in which missing members are reported. */
const NEW_SCHEDULE = field.object({
  name: field.string(),
  cronSchedule: field.string(),
  timezone: field.string(),
  qlikSenseTaskId: field.string(),
  startupState,
  tags: field.array(field.string()).optional(),
})
const SCHEDULE_CHANGES = NEW_SCHEDULE.partial()
const SELECTED = field.object({ id: field.array(field.string()).optional() })

const stored = z.looseObject({
  id: z.string(),
  created: z.string().optional(),
  name: z.string(),
  cronSchedule: z.string(),
  timezone: z.string(),
  qlikSenseTaskId: z.string(),
  startupState: z.string(),
  tags: z.array(z.string()).optional(),
  lastKnownState: z.string().optional(),
})

const listed = stored.extend({
  nextRun: z.string().describe('When it fires next; skipped firings do not count.').optional(),
  lastRun: z.string().describe('When it fired last.').optional(),
  lastResult: z.string().describe('`ok`, or `error: ` and why.').optional(),
})

const WRITE_FAILURES = { ...CHANGE_FAILURES, 502: 'QRS could not be asked whether the tasks may be started.' }

const EXAMPLE = {
  name: 'Weekdays 06-18, on the hour and half past',
  cronSchedule: '0,30 6-18 * * 1-5',
  timezone: 'Europe/Paris',
  qlikSenseTaskId: EXAMPLE_TASK,
  startupState: 'stopped',
  id: EXAMPLE_ID,
}

const EXAMPLE_BODY = {
  timezone: 'Europe/Stockholm',
  tags: ['tag 1', 'abc 123 åäö'],
  qlikSenseTaskId: EXAMPLE_TASK,
  name: 'Mornings',
  cronSchedule: '0 6 * * 1-5',
  startupState: 'started',
}

const NOT_FOUND = (id: string): string => `REST SCHEDULER: Schedule ID ${id} not found.`

export function scheduleRoutes(deps: ScheduleRoutesDeps): ApiRoute[] {
  return [
    {
      methods: ['GET'],
      path: '/v4/schedules',
      endpoint: 'scheduler.getSchedule',
      scope: 'schedule:read',
      butler: true,
      summary: 'List the schedules',
      description: 'All of them, or with `id` a list of one.',
      schemas: {
        query: z.object({ id: z.string().describe('Only this schedule, with all its members.').optional() }),
        responses: { 200: z.array(listed) },
      },
      examples: [
        { name: 'all', status: 200, answer: [EXAMPLE] },
        { name: 'one', query: { id: EXAMPLE_ID }, status: 200, answer: [EXAMPLE] },
      ],
      handle: guarded(deps, { failure: 'Failed retrieving schedule', unknown: NOT_FOUND, changes: false }, list),
    },
    {
      methods: ['POST'],
      path: '/v4/schedules',
      endpoint: 'scheduler.createNewSchedule',
      scope: 'schedule:write',
      butler: true,
      action: 'schedule.create',
      summary: 'Create a schedule',
      description:
        'Months in numbers count from 0. Further members: `target`, `action`, `window`, `onlyOn`, `notOn`, `shift`, `overlapPolicy`, `misfirePolicy`, `jitter`; others are kept as they are.',
      schemas: { body: NEW_SCHEDULE, responses: { 201: stored } },
      failures: WRITE_FAILURES,
      examples: [
        {
          name: 'mornings',
          body: EXAMPLE_BODY,
          status: 201,
          answer: {
            ...EXAMPLE_BODY,
            id: 'f95ec4d5-5e87-40a5-922a-a9d4ff8319f0',
            created: '2026-11-21T00:24:50.751Z',
            lastKnownState: 'started',
          },
        },
      ],
      handle: guarded(deps, { failure: 'Failed adding new schedule', unknown: NOT_FOUND, changes: true }, create(deps)),
    },
    {
      methods: ['PUT'],
      path: '/v4/schedules/{id}',
      endpoint: 'scheduler.updateSchedule',
      scope: 'schedule:write',
      action: 'schedule.update',
      summary: 'Change a schedule',
      description: 'Members that are not given stay; `null` takes one of the further members away.',
      schemas: { params: PARAMS, body: SCHEDULE_CHANGES, responses: { 200: z.array(stored) } },
      failures: WRITE_FAILURES,
      examples: [
        {
          name: 'later',
          params: { id: EXAMPLE_ID },
          body: { cronSchedule: '0,30 7-18 * * 1-5' },
          status: 200,
          answer: [{ ...EXAMPLE, cronSchedule: '0,30 7-18 * * 1-5' }],
        },
      ],
      handle: guarded(deps, { failure: 'Failed updating schedule', unknown: NOT_FOUND, changes: true }, update(deps)),
    },
    {
      methods: ['DELETE'],
      path: '/v4/schedules/{id}',
      endpoint: 'scheduler.deleteSchedule',
      scope: 'schedule:write',
      butler: true,
      action: 'schedule.delete',
      summary: 'Delete a schedule',
      schemas: { params: PARAMS, responses: { 204: z.void().describe('Deleted.') } },
      failures: CHANGE_FAILURES,
      examples: [{ name: 'one', params: { id: EXAMPLE_ID }, status: 204 }],
      handle: guarded(
        deps,
        {
          failure: 'Failed deleting schedule',
          unknown: (id) => `REST SCHEDULER: Delete for schedule ID ${id} failed.`,
          changes: true,
        },
        remove,
      ),
    },
    ...stateRoutes(deps, { verb: 'start', failure: 'Failed starting schedule', lastKnownState: 'started' }),
    ...stateRoutes(deps, { verb: 'stop', failure: 'Failed stopping schedule', lastKnownState: 'stopped' }),
    {
      methods: ['GET'],
      path: '/v4/schedules/status',
      endpoint: 'scheduler.getScheduleStatusAll',
      scope: 'schedule:read',
      butler: true,
      summary: 'Which schedules run',
      schemas: { responses: { 200: z.string().describe('A line per schedule.') } },
      examples: [{ name: 'all', status: 200, answer: `{\n'${EXAMPLE_ID}': 0,30 6-18 * * 1-5 status: Running \n}` }],
      handle: guarded(
        deps,
        { failure: 'Failed retrieving scheduler status', unknown: NOT_FOUND, changes: false },
        (_, scheduler) =>
          new Response(statusText(scheduler.list()), { headers: { 'content-type': 'text/plain; charset=utf-8' } }),
      ),
    },
  ]
}

interface StateRoutes {
  readonly verb: 'start' | 'stop'
  readonly failure: string
  readonly lastKnownState: string
}

/** Starting and stopping: one schedule, and several of them. */
function stateRoutes(deps: ScheduleRoutesDeps, { verb, failure, lastKnownState }: StateRoutes): ApiRoute[] {
  const verbText = verb === 'start' ? 'Start' : 'Stop'
  const answer = [{ ...EXAMPLE, lastKnownState }]
  return [
    {
      methods: ['PUT'],
      path: `/v4/schedules/{id}/${verb}`,
      endpoint: `scheduler.${verb}Schedule`,
      scope: 'schedule:run',
      butler: true,
      action: `schedule.${verb}`,
      body: 'ignored',
      summary: `${verbText} a schedule`,
      schemas: { params: PARAMS, responses: { 200: z.array(stored) } },
      failures: CHANGE_FAILURES,
      examples: [{ name: 'one', params: { id: EXAMPLE_ID }, status: 200, answer }],
      handle: guarded(
        deps,
        { failure, unknown: (id) => `REST SCHEDULER: ${failure} ID ${id}.`, changes: true },
        setOne(deps, verb === 'start', `REST SCHEDULER: ${failure} ID`),
      ),
    },
    {
      methods: ['PUT'],
      path: `/v4/schedules/${verb}all`,
      endpoint: `scheduler.${verb}Schedule`,
      scope: 'schedule:run',
      butler: true,
      action: `schedule.${verb}`,
      summary: `${verbText} schedules`,
      description: 'All of them, or those of the body.',
      schemas: { body: SELECTED.optional(), responses: { 200: z.array(stored) } },
      failures: CHANGE_FAILURES,
      examples: [{ name: 'some', body: { id: [EXAMPLE_ID] }, status: 200, answer }],
      handle: guarded(deps, { failure, unknown: NOT_FOUND, changes: true }, setAll(deps, verb === 'start')),
    },
  ]
}

const list: ScheduleHandler = ({ query }, scheduler) => {
  const { id } = query
  if (id === undefined)
    return jsonAnswer(
      200,
      scheduler.list().map((schedule) => listedSchedule(scheduler, schedule)),
    )
  const schedule = requiredSchedule(scheduler, [id].flat()[0] ?? '')
  return jsonAnswer(200, [wholeSchedule(scheduler, schedule)])
}

const create =
  (deps: ScheduleRoutesDeps): ScheduleHandler =>
  async (request, scheduler) => {
    const values = valuesOf(NEW_SCHEDULE, request.body)
    await checkRights(deps, request, values)
    const schedule = await scheduler.create(values)
    request.note({ target: [schedule.id] })
    return jsonAnswer(201, schedule.values)
  }

const update =
  (deps: ScheduleRoutesDeps): ScheduleHandler =>
  async (request, scheduler) => {
    const id = idOf(request)
    request.note({ target: [id] })
    const changes = valuesOf(SCHEDULE_CHANGES, request.body)
    const { values, plan } = requiredSchedule(scheduler, id)
    if (plan) requireScope(request.caller, ACTION_SCOPES[plan.action.type])
    await checkRights(deps, request, { ...values, ...changes })
    const schedule = await scheduler.update(id, changes)
    return jsonAnswer(200, [schedule.values])
  }

const remove: ScheduleHandler = async (request, scheduler) => {
  const id = idOf(request)
  request.note({ target: [id] })
  const { plan } = requiredSchedule(scheduler, id)
  if (plan) requireScope(request.caller, ACTION_SCOPES[plan.action.type])
  await scheduler.remove(id)
  return new Response(null, { status: 204 })
}

const setOne =
  (deps: ScheduleRoutesDeps, running: boolean, failure: string): ScheduleHandler =>
  async (request, scheduler) => {
    const id = idOf(request)
    request.note({ target: [id] })
    if (running) await requireRightsFor(deps, request, scheduler, [id])
    const changed = await scheduler.setRunning([id], running).catch((error: unknown) => {
      if (!(error instanceof InvalidScheduleError)) throw error
      throw refused(400, `${failure} ${id}.`, error.message)
    })
    return jsonAnswer(
      200,
      changed.map(({ values }) => values),
    )
  }

const setAll =
  (deps: ScheduleRoutesDeps, running: boolean): ScheduleHandler =>
  async (request, scheduler) => {
    const { id } = request.body === undefined ? {} : validate('body', SELECTED, request.body)
    if (id !== undefined) request.note({ target: id })
    if (running) await requireRightsFor(deps, request, scheduler, id ?? null)
    const changed = await scheduler.setRunning(id ?? null, running)
    return jsonAnswer(
      200,
      changed.map(({ values }) => values),
    )
  }

/** The members of the body, in its order, in the form of the schema; others as they came. */
function valuesOf(schema: typeof NEW_SCHEDULE | typeof SCHEDULE_CHANGES, body: unknown): ScheduleValues {
  const read: Readonly<Record<string, unknown>> = validate('body', schema, body)
  const given = isObject(body) ? body : {}
  return Object.fromEntries(Object.keys(given).map((name) => [name, name in read ? read[name] : given[name]]))
}

/** A schedule that is made or changed is checked like the calls that its firings stand for. */
async function checkRights(deps: ScheduleRoutesDeps, { caller }: ApiRequest, values: ScheduleValues): Promise<void> {
  const planned = deps.planner.plan(Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null)))
  if (!planned.ok)
    throw new InvalidScheduleError(planned.problem.field, planned.problem.message, planned.problem.details)
  await requireRights(deps, caller, planned.plan, 'new')
}

/** For the schedules that are to be activated; null = all of them. */
async function requireRightsFor(
  deps: ScheduleRoutesDeps,
  { caller }: ApiRequest,
  scheduler: Scheduler,
  ids: readonly string[] | null,
): Promise<void> {
  for (const { id, plan } of scheduler.list()) {
    if (plan && (ids === null || ids.includes(id))) await requireRights(deps, caller, plan, 'existing')
  }
}
