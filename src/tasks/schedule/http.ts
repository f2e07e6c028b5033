/** The endpoints of Butler's scheduler, and the one to change a schedule. */
import { z } from 'zod'
import { type Caller, requireScope } from '../../http/endpoint/caller.ts'
import { type ApiRoute, jsonAnswer } from '../../http/endpoint/route.ts'
import { field, isObject, validate } from '../../http/endpoint/validation.ts'
import { refused } from '../../http/errors.ts'
import { once } from '../../platform/once.ts'
import {
  CHANGE_FAILURES,
  checkRevision,
  EXAMPLE_ID,
  EXAMPLE_TASK,
  etagOf,
  type GuardDeps,
  listedSchedule,
  PARAMS,
  type RightsDeps,
  requiredSchedule,
  requireRights,
  scheduleRoute,
  statusText,
  wholeSchedule,
} from './http-common.ts'
import type { Planner } from './plan.ts'
import { InvalidScheduleError } from './repository.ts'
import type { Scheduler } from './scheduler.ts'
import { ACTION_SCOPES, type Schedule, type ScheduleValues } from './types.ts'

export interface ScheduleRoutesDeps extends GuardDeps, RightsDeps {
  readonly planner: Planner
}

const startupState = once(() =>
  z.enum(['start', 'started', 'stop', 'stopped'], {
    error: 'must be equal to one of the allowed values',
  }),
)

/** In the order in which missing members are reported. */
const NEW_SCHEDULE = once(() =>
  field.object({
    name: field.string(),
    cronSchedule: field.string(),
    timezone: field.string(),
    qlikSenseTaskId: field.string(),
    startupState: startupState(),
    tags: field.array(field.string()).optional(),
  }),
)
const SCHEDULE_CHANGES = once(() => NEW_SCHEDULE().partial())
const SELECTED = once(() => field.object({ id: field.array(field.string()).optional() }))

const LIST_QUERY = once(() =>
  z.object({ id: z.string().describe('Only this schedule, with all its members.').optional() }),
)

const stored = once(() =>
  z.looseObject({
    id: z.string(),
    created: z.string().optional(),
    name: z.string(),
    cronSchedule: z.string(),
    timezone: z.string(),
    qlikSenseTaskId: z.string(),
    startupState: z.string(),
    tags: z.array(z.string()).optional(),
    lastKnownState: z.string().optional(),
  }),
)

const listed = once(() =>
  stored().extend({
    target: z.unknown().describe('Further tasks, as in a start request.').optional(),
    action: z.unknown().describe('The action instead of starting tasks.').optional(),
    revision: z.string().describe('For `If-Match`; also in the header `ETag` of an answer about one schedule.'),
    state: z.enum(['running', 'stopped', 'invalid']),
    text: z.string().describe('When it fires, in words; absent when it is not valid.').optional(),
    nextRun: z.string().describe('When it fires next; skipped firings do not count.').optional(),
    lastRun: z.string().describe('When it fired last.').optional(),
    lastResult: z.string().describe('`ok`, or `error: ` and why.').optional(),
  }),
)

const REVISION_FAILURE = { 412: 'The schedule is not at the revision of `If-Match`.' }
const WRITE_FAILURES = { ...CHANGE_FAILURES, 502: 'QRS could not be asked whether the tasks may be started.' }

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
      method: 'GET',
      path: '/v4/schedules',
      switch: 'scheduler.getSchedule',
      scope: 'schedule:read',
      butler: true,
      summary: 'List the schedules',
      description: 'All of them, or with `id` a list of one.',
      // The first of several ids counts.
      readByHandler: () => ({ query: LIST_QUERY() }),
      answers: () => ({ 200: z.array(listed()) }),
      examples: [
        { name: 'all', status: 200, answer: [{ ...EXAMPLE, ...EXAMPLE_STATE }] },
        { name: 'one', query: { id: EXAMPLE_ID }, status: 200, answer: [{ ...EXAMPLE, ...EXAMPLE_STATE }] },
      ],
      failure: 'Failed retrieving schedule',
      unknown: NOT_FOUND,
      changes: false,
      handle({ query: { id } }, scheduler) {
        if (id === undefined) {
          const all = scheduler.list().map((schedule) => listedSchedule(scheduler, schedule))
          return jsonAnswer(200, all)
        }
        const schedule = requiredSchedule(scheduler, [id].flat()[0] ?? '')
        return jsonAnswer(200, [wholeSchedule(scheduler, schedule)], { etag: etagOf(schedule) })
      },
    }),
    scheduleRoute(deps, {
      method: 'POST',
      path: '/v4/schedules',
      switch: 'scheduler.createNewSchedule',
      scope: 'schedule:write',
      butler: true,
      action: 'schedule.create',
      summary: 'Create a schedule',
      description:
        'Months in numbers count from 0. Further members: `target`, `action`, `window`, `onlyOn`, `notOn`, `shift`, `overlapPolicy`, `misfirePolicy`, `jitter`; others are kept as they are.',
      // Members are stored in the order in which they came.
      readByHandler: () => ({ body: NEW_SCHEDULE() }),
      answers: () => ({ 201: stored(), ...WRITE_FAILURES }),
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
      async handle({ body, caller, note }, scheduler) {
        const values = valuesOf(NEW_SCHEDULE(), body)
        await checkRights(deps, caller, values)
        const schedule = await scheduler.create(values)
        note({ target: [schedule.id] })
        return jsonAnswer(201, schedule.values, { etag: etagOf(schedule) })
      },
    }),
    scheduleRoute(deps, {
      method: 'PUT',
      path: '/v4/schedules/{id}',
      switch: 'scheduler.updateSchedule',
      scope: 'schedule:write',
      action: 'schedule.update',
      summary: 'Change a schedule',
      description:
        'Members that are not given stay; `null` takes one of the further members away. With `If-Match` it is changed only at that revision.',
      params: PARAMS,
      readByHandler: () => ({ body: SCHEDULE_CHANGES() }),
      answers: () => ({ 200: z.array(stored()), ...WRITE_FAILURES, ...REVISION_FAILURE }),
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
      async handle({ params: { id }, body, caller, headers, note }, scheduler) {
        note({ target: [id] })
        const changes = valuesOf(SCHEDULE_CHANGES(), body)
        const { values, plan } = requiredSchedule(scheduler, id)
        if (plan) requireScope(caller, ACTION_SCOPES[plan.action.type])
        await checkRights(deps, caller, { ...values, ...changes })
        const schedule = await scheduler.update(id, changes, checkRevision({ headers }))
        return jsonAnswer(200, [schedule.values], { etag: etagOf(schedule) })
      },
    }),
    scheduleRoute(deps, {
      method: 'DELETE',
      path: '/v4/schedules/{id}',
      switch: 'scheduler.deleteSchedule',
      scope: 'schedule:write',
      butler: true,
      action: 'schedule.delete',
      summary: 'Delete a schedule',
      params: PARAMS,
      answers: () => ({ 204: z.void().describe('Deleted.'), ...CHANGE_FAILURES, ...REVISION_FAILURE }),
      examples: [{ name: 'one', params: { id: EXAMPLE_ID }, status: 204 }],
      failure: 'Failed deleting schedule',
      unknown: (id) => `REST SCHEDULER: Delete for schedule ID ${id} failed.`,
      changes: true,
      async handle({ params: { id }, caller, headers, note }, scheduler) {
        note({ target: [id] })
        const { plan } = requiredSchedule(scheduler, id)
        if (plan) requireScope(caller, ACTION_SCOPES[plan.action.type])
        await scheduler.remove(id, checkRevision({ headers }))
        return new Response(null, { status: 204 })
      },
    }),
    ...stateRoutes(deps, { verb: 'start', failure: 'Failed starting schedule', lastKnownState: 'started' }),
    ...stateRoutes(deps, { verb: 'stop', failure: 'Failed stopping schedule', lastKnownState: 'stopped' }),
    scheduleRoute(deps, {
      method: 'GET',
      path: '/v4/schedules/status',
      switch: 'scheduler.getScheduleStatusAll',
      scope: 'schedule:read',
      butler: true,
      summary: 'Which schedules run',
      answers: () => ({ 200: z.string().describe('A line per schedule.') }),
      examples: [{ name: 'all', status: 200, answer: `{\n'${EXAMPLE_ID}': 0,30 6-18 * * 1-5 status: Running \n}` }],
      failure: 'Failed retrieving scheduler status',
      unknown: NOT_FOUND,
      changes: false,
      handle(_, scheduler) {
        const headers = { 'content-type': 'text/plain; charset=utf-8' }
        return new Response(statusText(scheduler.list()), { headers })
      },
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
  const answer = [{ ...EXAMPLE, lastKnownState }]
  return [
    scheduleRoute(deps, {
      method: 'PUT',
      path: `/v4/schedules/{id}/${verb}`,
      switch: `scheduler.${verb}Schedule`,
      scope: 'schedule:run',
      butler: true,
      action: `schedule.${verb}`,
      body: 'ignored',
      summary: `${verbText} a schedule`,
      params: PARAMS,
      answers: () => ({ 200: z.array(stored()), ...CHANGE_FAILURES }),
      examples: [{ name: 'one', params: { id: EXAMPLE_ID }, status: 200, answer }],
      failure,
      unknown: notChanged,
      changes: true,
      async handle({ params: { id }, caller, note }, scheduler) {
        note({ target: [id] })
        if (running) await requireRightsFor(deps, caller, scheduler, [id])
        const changed = await scheduler.setRunning([id], running).catch((error: unknown) => {
          if (!(error instanceof InvalidScheduleError)) throw error
          throw refused(400, notChanged(id), error.message)
        })
        return jsonAnswer(200, changed.map(valuesOfOne))
      },
    }),
    scheduleRoute(deps, {
      method: 'PUT',
      path: `/v4/schedules/${verb}all`,
      switch: `scheduler.${verb}Schedule`,
      scope: 'schedule:run',
      butler: true,
      action: `schedule.${verb}`,
      summary: `${verbText} schedules`,
      description: 'All of them, or those of the body.',
      readByHandler: () => ({ body: SELECTED().optional() }),
      answers: () => ({ 200: z.array(stored()), ...CHANGE_FAILURES }),
      examples: [{ name: 'some', body: { id: [EXAMPLE_ID] }, status: 200, answer }],
      failure,
      unknown: NOT_FOUND,
      changes: true,
      async handle({ body, caller, note }, scheduler) {
        const { id } = body === undefined ? {} : validate('body', SELECTED(), body)
        if (id !== undefined) note({ target: id })
        if (running) await requireRightsFor(deps, caller, scheduler, id ?? null)
        const changed = await scheduler.setRunning(id ?? null, running)
        return jsonAnswer(200, changed.map(valuesOfOne))
      },
    }),
  ]
}

const valuesOfOne = ({ values }: Schedule): ScheduleValues => values

/** The members of the body, in its order, in the form of the schema; others as they came. */
function valuesOf(
  schema: ReturnType<typeof NEW_SCHEDULE> | ReturnType<typeof SCHEDULE_CHANGES>,
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
