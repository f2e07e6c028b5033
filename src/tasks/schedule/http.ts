/** The endpoints of Butler's scheduler, and the one to change a schedule. */
import { type Caller, requireScope } from '../../http/endpoint/caller.ts'
import type { ApiRoute } from '../../http/endpoint/route.ts'
import { isObject, validate } from '../../http/endpoint/validation.ts'
import { refused } from '../../http/errors.ts'
import {
  CHANGE_SCHEDULE,
  CREATE_SCHEDULE,
  DELETE_SCHEDULE,
  newSchedule,
  SCHEDULE_STATES,
  SCHEDULES,
  START_SCHEDULE,
  START_SCHEDULES,
  STOP_SCHEDULE,
  STOP_SCHEDULES,
  type StoredSchedule,
  scheduleChanges,
  scheduleQuery,
  selectedSchedules,
} from './contract.ts'
import {
  checkRevision,
  EXAMPLE_ID,
  EXAMPLE_TASK,
  etagOf,
  type GuardDeps,
  listedSchedule,
  type RightsDeps,
  requiredSchedule,
  requireRights,
  scheduleRoute,
  statusText,
  stored,
  wholeSchedule,
} from './http-common.ts'
import type { Planner } from './plan.ts'
import { InvalidScheduleError } from './repository.ts'
import type { Scheduler } from './scheduler.ts'
import { ACTION_SCOPES, type Schedule, type ScheduleValues } from './types.ts'

export interface ScheduleRoutesDeps extends GuardDeps, RightsDeps {
  readonly planner: Planner
}

const EXAMPLE = {
  name: 'Weekdays 06-18, on the hour and half past',
  cronSchedule: '0,30 6-18 * * 1-5',
  timezone: 'Europe/Paris',
  qlikSenseTaskId: EXAMPLE_TASK,
  startupState: 'stopped',
  id: EXAMPLE_ID,
}

const EXAMPLE_STATE = {
  revision: '3f0c9a41d27e',
  state: 'stopped',
  text: 'every 30 minutes from 06:00 to 18:59, Monday to Friday (Europe/Paris)',
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
    scheduleRoute(deps, {
      ...SCHEDULES,
      switch: 'scheduler.getSchedule',
      scope: 'schedule:read',
      butler: true,
      summary: 'List the schedules',
      description: 'All of them, or with `id` a list of one.',
      // The first of several ids counts.
      query: undefined,
      readByHandler: () => ({ query: scheduleQuery() }),
      examples: [
        { name: 'all', status: 200, answer: [{ ...EXAMPLE, ...EXAMPLE_STATE }] },
        { name: 'one', query: { id: EXAMPLE_ID }, status: 200, answer: [{ ...EXAMPLE, ...EXAMPLE_STATE }] },
      ],
      failure: 'Failed retrieving schedule',
      unknown: NOT_FOUND,
      changes: false,
      handle({ query: { id } }, answer, scheduler) {
        if (id === undefined) {
          const all = scheduler.list().map((schedule) => listedSchedule(scheduler, schedule))
          return answer(200, all)
        }
        const schedule = requiredSchedule(scheduler, [id].flat()[0] ?? '')
        return answer(200, [wholeSchedule(scheduler, schedule)], { etag: etagOf(schedule) })
      },
    }),
    scheduleRoute(deps, {
      ...CREATE_SCHEDULE,
      switch: 'scheduler.createNewSchedule',
      scope: 'schedule:write',
      butler: true,
      action: 'schedule.create',
      summary: 'Create a schedule',
      description:
        'Months in numbers count from 0. Further members: `target`, `action`, `window`, `onlyOn`, `notOn`, `shift`, `overlapPolicy`, `misfirePolicy`, `jitter`; others are kept as they are.',
      // Members are stored in the order in which they came.
      body: undefined,
      readByHandler: () => ({ body: CREATE_SCHEDULE.body() }),
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
      failure: 'Failed adding new schedule',
      unknown: NOT_FOUND,
      changes: true,
      async handle({ body, caller, note }, answer, scheduler) {
        const values = valuesOf(newSchedule(), body)
        await checkRights(deps, caller, values)
        const schedule = await scheduler.create(values)
        note({ target: [schedule.id] })
        return answer(201, stored(schedule.values), { etag: etagOf(schedule) })
      },
    }),
    scheduleRoute(deps, {
      ...CHANGE_SCHEDULE,
      switch: 'scheduler.updateSchedule',
      scope: 'schedule:write',
      action: 'schedule.update',
      summary: 'Change a schedule',
      description:
        'Members that are not given stay; `null` takes one of the further members away. With `If-Match` it is changed only at that revision.',
      body: undefined,
      readByHandler: () => ({ body: scheduleChanges() }),
      examples: [
        {
          name: 'later',
          params: { id: EXAMPLE_ID },
          body: { cronSchedule: '0,30 7-18 * * 1-5' },
          status: 200,
          answer: [{ ...EXAMPLE, cronSchedule: '0,30 7-18 * * 1-5' }],
        },
      ],
      failure: 'Failed updating schedule',
      unknown: NOT_FOUND,
      changes: true,
      async handle({ params: { id }, body, caller, headers, note }, answer, scheduler) {
        note({ target: [id] })
        const changes = valuesOf(scheduleChanges(), body)
        const { values, plan } = requiredSchedule(scheduler, id)
        if (plan) requireScope(caller, ACTION_SCOPES[plan.action.type])
        await checkRights(deps, caller, { ...values, ...changes })
        const schedule = await scheduler.update(id, changes, checkRevision({ headers }))
        return answer(200, [stored(schedule.values)], { etag: etagOf(schedule) })
      },
    }),
    scheduleRoute(deps, {
      ...DELETE_SCHEDULE,
      switch: 'scheduler.deleteSchedule',
      scope: 'schedule:write',
      butler: true,
      action: 'schedule.delete',
      summary: 'Delete a schedule',
      examples: [{ name: 'one', params: { id: EXAMPLE_ID }, status: 204 }],
      failure: 'Failed deleting schedule',
      unknown: (id) => `REST SCHEDULER: Delete for schedule ID ${id} failed.`,
      changes: true,
      async handle({ params: { id }, caller, headers, note }, answer, scheduler) {
        note({ target: [id] })
        const { plan } = requiredSchedule(scheduler, id)
        if (plan) requireScope(caller, ACTION_SCOPES[plan.action.type])
        await scheduler.remove(id, checkRevision({ headers }))
        return answer(204)
      },
    }),
    ...stateRoutes(deps, { verb: 'start', failure: 'Failed starting schedule', lastKnownState: 'started' }),
    ...stateRoutes(deps, { verb: 'stop', failure: 'Failed stopping schedule', lastKnownState: 'stopped' }),
    scheduleRoute(deps, {
      ...SCHEDULE_STATES,
      switch: 'scheduler.getScheduleStatusAll',
      scope: 'schedule:read',
      butler: true,
      summary: 'Which schedules run',
      examples: [{ name: 'all', status: 200, answer: `{\n'${EXAMPLE_ID}': 0,30 6-18 * * 1-5 status: Running \n}` }],
      failure: 'Failed retrieving scheduler status',
      unknown: NOT_FOUND,
      changes: false,
      handle: (_, answer, scheduler) => answer(200, statusText(scheduler.list())),
    }),
  ]
}

interface StateRoutes {
  readonly verb: 'start' | 'stop'
  readonly failure: string
  readonly lastKnownState: string
}

/** Starting and stopping: one schedule, and several of them. */
function stateRoutes(deps: ScheduleRoutesDeps, { verb, failure, lastKnownState }: StateRoutes): ApiRoute[] {
  const running = verb === 'start'
  const verbText = running ? 'Start' : 'Stop'
  const notChanged = (id: string) => `REST SCHEDULER: ${failure} ID ${id}.`
  const example = [{ ...EXAMPLE, lastKnownState }]
  return [
    scheduleRoute(deps, {
      ...(running ? START_SCHEDULE : STOP_SCHEDULE),
      switch: `scheduler.${verb}Schedule`,
      scope: 'schedule:run',
      butler: true,
      action: `schedule.${verb}`,
      summary: `${verbText} a schedule`,
      examples: [{ name: 'one', params: { id: EXAMPLE_ID }, status: 200, answer: example }],
      failure,
      unknown: notChanged,
      changes: true,
      async handle({ params: { id }, caller, note }, answer, scheduler) {
        note({ target: [id] })
        if (running) await requireRightsFor(deps, caller, scheduler, [id])
        const changed = await scheduler.setRunning([id], running).catch((error: unknown) => {
          if (!(error instanceof InvalidScheduleError)) throw error
          throw refused(400, notChanged(id), error.message)
        })
        return answer(200, changed.map(valuesOfOne))
      },
    }),
    scheduleRoute(deps, {
      ...(running ? START_SCHEDULES : STOP_SCHEDULES),
      switch: `scheduler.${verb}Schedule`,
      scope: 'schedule:run',
      butler: true,
      action: `schedule.${verb}`,
      summary: `${verbText} schedules`,
      description: 'All of them, or those of the body.',
      body: undefined,
      readByHandler: () => ({ body: selectedSchedules().optional() }),
      examples: [{ name: 'some', body: { id: [EXAMPLE_ID] }, status: 200, answer: example }],
      failure,
      unknown: NOT_FOUND,
      changes: true,
      async handle({ body, caller, note }, answer, scheduler) {
        const { id } = body === undefined ? {} : validate('body', selectedSchedules(), body)
        if (id !== undefined) note({ target: id })
        if (running) await requireRightsFor(deps, caller, scheduler, id ?? null)
        const changed = await scheduler.setRunning(id ?? null, running)
        return answer(200, changed.map(valuesOfOne))
      },
    }),
  ]
}

const valuesOfOne = ({ values }: Schedule): StoredSchedule => stored(values)

/** The members of the body, in its order, in the form of the schema; others as they came. */
function valuesOf(
  schema: ReturnType<typeof newSchedule> | ReturnType<typeof scheduleChanges>,
  body: unknown,
): ScheduleValues {
  const read: Readonly<Record<string, unknown>> = validate('body', schema, body)
  const given = isObject(body) ? body : {}
  return Object.fromEntries(Object.keys(given).map((name) => [name, name in read ? read[name] : given[name]]))
}

/** A schedule that is made or changed is checked like the calls that its firings stand for. */
async function checkRights(deps: ScheduleRoutesDeps, caller: Caller, values: ScheduleValues): Promise<void> {
  const planned = deps.planner.plan(Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null)))
  if (!planned.ok)
    throw new InvalidScheduleError(planned.problem.field, planned.problem.message, planned.problem.details)
  await requireRights(deps, caller, planned.plan, 'new')
}

/** For the schedules that are to be activated; null = all of them. */
async function requireRightsFor(
  deps: ScheduleRoutesDeps,
  caller: Caller,
  scheduler: Scheduler,
  ids: readonly string[] | null,
): Promise<void> {
  for (const { id, plan } of scheduler.list()) {
    if (plan && (ids === null || ids.includes(id))) await requireRights(deps, caller, plan, 'existing')
  }
}
