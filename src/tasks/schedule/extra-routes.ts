/** The endpoints of the scheduler that Butler did not have: coming firings, previews, runs. */
import { z } from 'zod'
import { refusedWithCode } from '../../http/endpoint/errors.ts'
import type { Idempotency } from '../../http/endpoint/idempotency.ts'
import {
  cursorOf,
  cursorParameter,
  integerParameter,
  limitParameter,
  onlyParameters,
} from '../../http/endpoint/list-query.ts'
import { type ApiRoute, jsonAnswer } from '../../http/endpoint/route.ts'
import { invalidBody, strictBody } from '../../http/endpoint/strict-body.ts'
import { field } from '../../http/endpoint/validation.ts'
import type { Clock } from '../../platform/types.ts'
import { iso, runView } from './answers.ts'
import * as about from './descriptions.ts'
import { UnknownScheduleError } from './errors.ts'
import { EXTRA_FIELDS, type Planner, planText } from './plan.ts'
import {
  type Guard,
  guarded,
  idOf,
  type RefusalDeps,
  type RightsDeps,
  requireRights,
  type ScheduleHandler,
} from './requests.ts'
import type { Scheduler } from './scheduler.ts'
import type { RunStore } from './store.ts'
import type { Plan, PlanProblem, Schedule } from './types.ts'

export interface ExtraRoutesDeps extends RefusalDeps, RightsDeps {
  readonly planner: Planner
  readonly store: RunStore
  readonly idempotency: Idempotency
  readonly clock: Clock
}

const DEFAULT_COUNT = 10
const MAX_COUNT = 100

export function extraScheduleRoutes(deps: ExtraRoutesDeps): ApiRoute[] {
  const endpoint = 'scheduler.getSchedule'
  const scope = 'schedule:read'
  const guard: Guard = { failure: 'Failed retrieving schedule', unknown: null, changes: false }
  return [
    {
      ...{ methods: ['GET'], path: '/v4/schedules/{id}/next', endpoint, scope },
      ...about.NEXT,
      handle: guarded(deps, guard, (request, scheduler) => {
        onlyParameters(request.query, ['count'])
        const count = integerParameter(request.query, 'count', 1, MAX_COUNT) ?? DEFAULT_COUNT
        const { plan, problem } = required(scheduler, idOf(request))
        if (!plan) return jsonAnswer(200, { next: [], text: `not valid: ${problem?.message}` })
        return comingAnswer(plan, deps.clock.now(), count)
      }),
    },
    {
      ...{ methods: ['POST'], path: '/v4/schedules/preview', endpoint, scope, action: 'schedule.preview' },
      ...about.PREVIEW,
      handle: guarded(deps, guard, preview(deps)),
    },
    {
      ...{ methods: ['GET'], path: '/v4/schedules/{id}/runs', endpoint, scope },
      ...about.RUNS,
      handle: guarded(deps, guard, runs(deps)),
    },
    {
      ...{ methods: ['POST'], path: '/v4/schedules/{id}/run', endpoint: 'scheduler.startSchedule' },
      ...{ scope: 'schedule:run', action: 'schedule.run', body: 'ignored' },
      ...about.RUN,
      handle: guarded(deps, { ...guard, failure: 'Failed running schedule', changes: true }, run(deps)),
    },
  ]
}

const extras = Object.fromEntries(Object.keys(EXTRA_FIELDS).map((name) => [name, z.unknown().optional()]))
const PREVIEW_SHAPE = {
  cronSchedule: field.string(),
  timezone: field.string(),
  count: field.integer().optional(),
  ...extras,
}
/** What is started does not matter for a preview. */
const ANY_TASK = '00000000-0000-4000-8000-000000000000'

const preview =
  ({ planner, clock }: ExtraRoutesDeps): ScheduleHandler =>
  ({ body }) => {
    const { count: wanted, ...values } = strictBody(PREVIEW_SHAPE, body) as Record<string, unknown>
    const count = Number(wanted ?? DEFAULT_COUNT)
    if (count < 1 || count > MAX_COUNT) {
      throw invalidBody([{ path: 'count', message: `must be a whole number from 1 to ${MAX_COUNT}` }])
    }
    const planned = planner.plan({ ...values, qlikSenseTaskId: ANY_TASK })
    if (!planned.ok) throw previewRefusal(planned.problem)
    return comingAnswer(planned.plan, clock.now(), count)
  }

function previewRefusal({ field: name, message, details = message }: PlanProblem) {
  if (name === 'cronSchedule') return refusedWithCode(400, 'INVALID_CRON', 'Invalid cron expression', details)
  if (name === 'timezone') {
    const hint = 'is no IANA time zone; write for example Europe/Stockholm'
    return refusedWithCode(400, 'INVALID_TIMEZONE', 'Invalid time zone', `"${message.slice(18)}" ${hint}`)
  }
  return invalidBody([{ path: name, message: message.replace(`Invalid ${name}: `, '') }])
}

function comingAnswer(plan: Plan, now: number, count: number): Response {
  return jsonAnswer(200, { next: plan.coming(now, count).map(iso), text: planText(plan) })
}

const runs =
  ({ store }: ExtraRoutesDeps): ScheduleHandler =>
  (request, scheduler) => {
    onlyParameters(request.query, ['limit', 'cursor'])
    const limit = limitParameter(request.query)
    const { id } = required(scheduler, idOf(request))
    const found = store.page(id, limit + 1, cursorParameter(request.query))
    const page = found.slice(0, limit)
    const isMore = found.length > limit
    return jsonAnswer(200, { runs: page.map(runView), nextCursor: isMore ? cursorOf(page.at(-1)!.dueAt) : null })
  }

const run =
  (deps: ExtraRoutesDeps): ScheduleHandler =>
  (request, scheduler) =>
    deps.idempotency.once(request, async () => {
      const { id, plan } = required(scheduler, idOf(request))
      request.note({ target: [id] })
      if (plan) await requireRights(deps, request.caller, plan, 'existing')
      const made = await scheduler.run(id)
      if (!made) throw new Error('the run could not be recorded')
      return jsonAnswer(202, { runId: made.id })
    })

function required(scheduler: Scheduler, id: string): Schedule {
  const schedule = scheduler.get(id)
  if (!schedule) throw new UnknownScheduleError(id)
  return schedule
}
