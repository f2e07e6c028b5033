/** The endpoints of Butler's scheduler, and the one to change a schedule. */
import { requireScope } from '../../http/endpoint/caller.ts'
import { refused } from '../../http/endpoint/errors.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer } from '../../http/endpoint/route.ts'
import { validate } from '../../http/endpoint/validation.ts'
import { listedSchedule, statusText, storedSchedule, wholeSchedule } from './answers.ts'
import * as about from './descriptions.ts'
import { InvalidScheduleError, UnknownScheduleError } from './errors.ts'
import type { Planner } from './plan.ts'
import {
  guarded,
  idOf,
  NEW_SCHEDULE,
  type RefusalDeps,
  type RightsDeps,
  requireRights,
  SCHEDULE_CHANGES,
  type ScheduleHandler,
  SELECTED,
  valuesOf,
} from './requests.ts'
import type { Scheduler } from './scheduler.ts'
import { ACTION_SCOPES, type Schedule, type ScheduleValues } from './types.ts'

export interface ScheduleRoutesDeps extends RefusalDeps, RightsDeps {
  readonly planner: Planner
}

const NOT_FOUND = (id: string): string => `REST SCHEDULER: Schedule ID ${id} not found.`
const TEXT = { 'content-type': 'text/plain; charset=utf-8' }

export function scheduleRoutes(deps: ScheduleRoutesDeps): ApiRoute[] {
  const read = { methods: ['GET'], scope: 'schedule:read', butler: true } as const
  const state = (verb: 'start' | 'stop') => {
    const endpoint = `scheduler.${verb}Schedule`
    const failure = `Failed ${verb}${verb === 'start' ? 'ing' : 'ping'} schedule`
    const running = verb === 'start'
    return [
      {
        ...{ methods: ['PUT'], path: `/v4/schedules/{id}/${verb}`, endpoint, scope: 'schedule:run' },
        ...{ action: `schedule.${verb}`, body: 'ignored', butler: true },
        ...(running ? about.START : about.STOP),
        handle: guarded(
          deps,
          { failure, unknown: (id) => `REST SCHEDULER: ${failure} ID ${id}.`, changes: true },
          one(deps, running, `REST SCHEDULER: ${failure} ID`),
        ),
      },
      {
        ...{ methods: ['PUT'], path: `/v4/schedules/${verb}all`, endpoint, scope: 'schedule:run' },
        ...{ action: `schedule.${verb}`, butler: true },
        ...(running ? about.START_ALL : about.STOP_ALL),
        handle: guarded(deps, { failure, unknown: NOT_FOUND, changes: true }, all(deps, running)),
      },
    ] as const satisfies readonly ApiRoute[]
  }
  return [
    {
      ...read,
      path: '/v4/schedules',
      endpoint: 'scheduler.getSchedule',
      ...about.LIST,
      handle: guarded(deps, { failure: 'Failed retrieving schedule', unknown: NOT_FOUND, changes: false }, list),
    },
    {
      ...{ methods: ['POST'], path: '/v4/schedules', endpoint: 'scheduler.createNewSchedule', scope: 'schedule:write' },
      ...{ action: 'schedule.create', butler: true },
      ...about.CREATE,
      handle: guarded(deps, { failure: 'Failed adding new schedule', unknown: NOT_FOUND, changes: true }, create(deps)),
    },
    {
      ...{
        methods: ['PUT'],
        path: '/v4/schedules/{id}',
        endpoint: 'scheduler.updateSchedule',
        scope: 'schedule:write',
      },
      action: 'schedule.update',
      ...about.UPDATE,
      handle: guarded(deps, { failure: 'Failed updating schedule', unknown: NOT_FOUND, changes: true }, update(deps)),
    },
    {
      ...{ methods: ['DELETE'], path: '/v4/schedules/{id}', endpoint: 'scheduler.deleteSchedule' },
      ...{ scope: 'schedule:write', action: 'schedule.delete', butler: true },
      ...about.DELETE,
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
    ...state('start'),
    ...state('stop'),
    {
      ...read,
      path: '/v4/schedules/status',
      endpoint: 'scheduler.getScheduleStatusAll',
      ...about.STATUS,
      handle: guarded(
        deps,
        { failure: 'Failed retrieving scheduler status', unknown: NOT_FOUND, changes: false },
        (_, scheduler) => new Response(statusText(scheduler.list()), { headers: TEXT }),
      ),
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
  const wanted = [id].flat()[0] ?? ''
  return jsonAnswer(200, [wholeSchedule(scheduler, required(scheduler, wanted))])
}

const create =
  (deps: ScheduleRoutesDeps): ScheduleHandler =>
  async (request, scheduler) => {
    const values = valuesOf(NEW_SCHEDULE, request.body)
    await checkRights(deps, request, values)
    const schedule = await scheduler.create(values)
    request.note({ target: [schedule.id] })
    return jsonAnswer(201, storedSchedule(schedule))
  }

const update =
  (deps: ScheduleRoutesDeps): ScheduleHandler =>
  async (request, scheduler) => {
    const id = idOf(request)
    request.note({ target: [id] })
    const changes = valuesOf(SCHEDULE_CHANGES, request.body)
    const { values, plan } = required(scheduler, id)
    if (plan) requireScope(request.caller, ACTION_SCOPES[plan.action.type])
    await checkRights(deps, request, { ...values, ...changes })
    return jsonAnswer(200, [storedSchedule(await scheduler.update(id, changes))])
  }

const remove: ScheduleHandler = async (request, scheduler) => {
  const id = idOf(request)
  request.note({ target: [id] })
  const { plan } = required(scheduler, id)
  if (plan) requireScope(request.caller, ACTION_SCOPES[plan.action.type])
  await scheduler.remove(id)
  return new Response(null, { status: 204 })
}

const one =
  (deps: ScheduleRoutesDeps, running: boolean, failure: string): ScheduleHandler =>
  async (request, scheduler) => {
    const id = idOf(request)
    request.note({ target: [id] })
    if (running) await requireRightsFor(deps, request, scheduler, [id])
    const changed = await scheduler.setRunning([id], running).catch((error: unknown) => {
      if (!(error instanceof InvalidScheduleError)) throw error
      throw refused(400, `${failure} ${id}.`, error.message)
    })
    return jsonAnswer(200, changed.map(storedSchedule))
  }

const all =
  (deps: ScheduleRoutesDeps, running: boolean): ScheduleHandler =>
  async (request, scheduler) => {
    const { id } = request.body === undefined ? {} : validate('body', SELECTED, request.body)
    if (id !== undefined) request.note({ target: id })
    if (running) await requireRightsFor(deps, request, scheduler, id ?? null)
    const changed = await scheduler.setRunning(id ?? null, running)
    return jsonAnswer(200, changed.map(storedSchedule))
  }

function required(scheduler: Scheduler, id: string): Schedule {
  const schedule = scheduler.get(id)
  if (!schedule) throw new UnknownScheduleError(id)
  return schedule
}

/** A schedule that is made or changed is checked like the calls that its firings stand for. */
async function checkRights(deps: ScheduleRoutesDeps, { caller }: ApiRequest, values: ScheduleValues): Promise<void> {
  const planned = deps.planner.plan(Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null)))
  if (!planned.ok)
    throw new InvalidScheduleError(planned.problem.field, planned.problem.message, planned.problem.details)
  await requireRights(deps, caller, planned.plan, 'new')
}

/** Of the schedules that are to be set going; null = all. */
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
