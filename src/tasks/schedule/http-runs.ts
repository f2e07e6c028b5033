/** The endpoints of the scheduler that Butler did not have: coming firings, previews, runs. */
import { z } from 'zod'
import {
  cursorOf,
  DEFAULT_LIMIT,
  LIST_PARAMETERS,
  positionInCursor,
  queryField,
} from '../../http/endpoint/list-query.ts'
import { ALWAYS, type ApiRoute, jsonAnswer } from '../../http/endpoint/route.ts'
import { field, invalidBody, strictBody } from '../../http/endpoint/validation.ts'
import { refusal } from '../../http/errors.ts'
import { once } from '../../platform/once.ts'
import type { Clock } from '../../platform/types.ts'
import {
  CHANGE_FAILURES,
  EXAMPLE_ID,
  EXAMPLE_TASK,
  type GuardDeps,
  PARAMS,
  type RightsDeps,
  requiredSchedule,
  requireRights,
  scheduleRoute,
} from './http-common.ts'
import { EXTRA_FIELDS, type Planner, planText } from './plan.ts'
import type { RunStore } from './store.ts'
import { type Plan, type PlanProblem, RUN_OUTCOMES, type Run } from './types.ts'

export interface RunRoutesDeps extends GuardDeps, RightsDeps {
  readonly planner: Planner
  readonly store: RunStore
  readonly clock: Clock
}

const DEFAULT_COUNT = 10
const MAX_COUNT = 100

const NEXT_QUERY = once(() =>
  z.object({
    count: queryField.integer(1, MAX_COUNT).describe('How many times. Default 10.').optional(),
  }),
)
const RUNS_QUERY = once(() => z.object({ limit: LIST_PARAMETERS.limit, cursor: LIST_PARAMETERS.cursor }))

const PREVIEW = once(() =>
  z.object({
    cronSchedule: z.string().describe('5 or 6 fields, months 0-11 or jan-dec.'),
    timezone: z.string().describe('IANA time zone.'),
    count: z.int().min(1).max(MAX_COUNT).describe('How many times. Default 10.').optional(),
    window: z.unknown().describe('Window or list of windows.').optional(),
    onlyOn: z.unknown().describe('Calendars.').optional(),
    notOn: z.unknown().describe('Calendars.').optional(),
    shift: z.unknown().describe('`none`, `previous` or `next`.').optional(),
  }),
)

const COMING = once(() =>
  z.object({
    next: z.array(z.string()).describe('Times that calendars and windows let through.'),
    text: z.string().describe('The cron expression in words.'),
  }),
)
const PREVIEWED = once(() =>
  COMING().extend({
    skipped: z
      .array(
        z.object({
          at: z.string(),
          reason: z.enum(['CALENDAR', 'WINDOW']),
          by: z.string().nullable().describe('Names of calendars or windows; null for a window without a name.'),
        }),
      )
      .describe('Times up to the last of `next` that do not happen; at most 100.'),
    warnings: z
      .array(z.string())
      .describe('Files of calendars that cannot be read now: without their days the times are not right.'),
  }),
)
const EXAMPLE_COMING = {
  next: ['2026-03-02T05:00:00.000Z'],
  text: 'at 06:00, Monday to Friday (Europe/Stockholm)',
}

const text = once(() => z.string().nullable())

const RUN_VIEW = once(() =>
  z.object({
    runId: z.string(),
    scheduleId: z.string(),
    dueAt: z.string(),
    firedAt: text(),
    trigger: z.enum(['cron', 'manual', 'misfire']),
    state: z.enum(['running', 'finished', 'skipped']),
    outcome: z.enum(RUN_OUTCOMES).nullable(),
    reason: z.enum(['WINDOW', 'CALENDAR', 'OVERLAP', 'MAINTENANCE', 'MISFIRE', 'SHADOW_MODE']).nullable(),
    tasks: z.array(z.object({ taskId: z.string(), executionId: text(), outcome: z.enum(RUN_OUTCOMES).nullable() })),
    detail: text(),
  }),
)

const DEFAULT_STRIP = 14
const MOST_STRIPS = 500
const STRIPS_QUERY = once(() =>
  z.object({
    id: queryField.texts().describe('Only these schedules. Default all of them, at most 500.').optional(),
    n: queryField.integer(1, 50).describe('Runs of each. Default 14.').optional(),
  }),
)
const STRIP_RUN = once(() => RUN_VIEW().pick({ runId: true, dueAt: true, state: true, outcome: true, reason: true }))

const EXAMPLE_RUN_ID = '019cacea-e080-7cba-a551-2100f80b56fc'

export function runRoutes(deps: RunRoutesDeps): ApiRoute[] {
  return [nextFirings(deps), preview(deps), listRuns(deps), readRun(deps), strips(deps), runNow(deps)]
}

/** Single runs are shown whether or not the endpoint of schedules is on. */
const READING_RUNS = { failure: 'Failed retrieving schedule', changes: false } as const
const READING = { ...READING_RUNS, switch: 'scheduler.getSchedule' } as const

function nextFirings(deps: RunRoutesDeps): ApiRoute {
  return scheduleRoute(deps, {
    ...READING,
    method: 'GET',
    path: '/v4/schedules/{id}/next',
    scope: 'schedule:read',
    summary: 'When a schedule fires next',
    params: PARAMS,
    query: NEXT_QUERY,
    answers: () => ({ 200: COMING() }),
    examples: [
      { name: 'next', params: { id: EXAMPLE_ID }, query: { count: '1' }, status: 200, answer: EXAMPLE_COMING },
    ],
    handle({ params: { id }, query: { count = DEFAULT_COUNT } }, scheduler) {
      const { plan, problem } = requiredSchedule(scheduler, id)
      if (!plan) return jsonAnswer(200, { next: [], text: `not valid: ${problem?.message}` })
      return jsonAnswer(200, comingOf(plan, deps.clock.now(), count))
    },
  })
}

function preview(deps: RunRoutesDeps): ApiRoute {
  return scheduleRoute(deps, {
    ...READING,
    method: 'POST',
    path: '/v4/schedules/preview',
    eachTime: ALWAYS,
    at: 'here',
    scope: 'schedule:read',
    action: 'schedule.preview',
    summary: 'When a schedule would fire',
    description: 'With the members of a schedule that decide about its times. Nothing is created.',
    // It takes all members of a schedule, and shows those that matter.
    readByHandler: () => ({ body: PREVIEW() }),
    answers: () => ({ 200: PREVIEWED() }),
    examples: [
      {
        name: 'weekdays',
        body: { cronSchedule: '0 6 * * 1-5', timezone: 'Europe/Stockholm', count: 1 },
        status: 200,
        answer: { ...EXAMPLE_COMING, skipped: [], warnings: [] },
      },
    ],
    handle({ body }) {
      const { count, ...values } = strictBody(PREVIEW_BODY(), body) as Record<string, unknown>
      const number = Number(count ?? DEFAULT_COUNT)
      if (number < 1 || number > MAX_COUNT) {
        throw invalidBody([{ path: 'count', message: `must be a whole number from 1 to ${MAX_COUNT}` }])
      }
      const planned = deps.planner.plan({ ...values, qlikSenseTaskId: ANY_TASK })
      if (!planned.ok) throw previewRefusal(planned.problem)
      const coming = comingOf(planned.plan, deps.clock.now(), number)
      const skipped = skippedOf(planned.plan, deps.clock.now(), coming.next.at(-1))
      return jsonAnswer(200, { ...coming, skipped, warnings: planned.plan.troubles() })
    },
  })
}

function listRuns(deps: RunRoutesDeps): ApiRoute {
  return scheduleRoute(deps, {
    ...READING,
    method: 'GET',
    path: '/v4/schedules/{id}/runs',
    scope: 'schedule:read',
    summary: 'The runs of a schedule',
    description: 'Newest first, skipped ones included.',
    params: PARAMS,
    query: RUNS_QUERY,
    answers: () => ({ 200: z.object({ runs: z.array(RUN_VIEW()), nextCursor: text() }) }),
    examples: [
      {
        name: 'runs',
        params: { id: EXAMPLE_ID },
        status: 200,
        answer: {
          runs: [
            {
              runId: EXAMPLE_RUN_ID,
              scheduleId: EXAMPLE_ID,
              dueAt: '2026-03-02T05:00:00.000Z',
              firedAt: '2026-03-02T05:00:00.004Z',
              trigger: 'cron',
              state: 'finished',
              outcome: 'success',
              reason: null,
              tasks: [
                { taskId: EXAMPLE_TASK, executionId: 'e5000001-0000-4000-8000-000000000000', outcome: 'success' },
              ],
              detail: null,
            },
          ],
          nextCursor: null,
        },
      },
    ],
    handle({ params, query: { limit = DEFAULT_LIMIT, cursor } }, scheduler) {
      const { id } = requiredSchedule(scheduler, params.id)
      const found = deps.store.page(id, limit + 1, positionInCursor(cursor))
      const page = found.slice(0, limit)
      const isMore = found.length > limit
      return jsonAnswer(200, { runs: page.map(runView), nextCursor: isMore ? cursorOf(page.at(-1)!.dueAt) : null })
    },
  })
}

function readRun(deps: RunRoutesDeps): ApiRoute {
  return scheduleRoute(deps, {
    ...READING_RUNS,
    method: 'GET',
    path: '/v4/schedules/{id}/runs/{runId}',
    scope: 'schedule:read',
    summary: 'Read a run of a schedule',
    description: 'Also of a schedule that has been deleted, while its runs are kept.',
    params: () => PARAMS().extend({ runId: z.string().describe('Id of the run.') }),
    answers: () => ({ 200: RUN_VIEW() }),
    handle({ params: { id, runId } }) {
      const run = deps.store.byId(runId)
      if (run?.scheduleId !== id) throw refusal('RUN_NOT_FOUND', `The schedule ${id} has no run ${runId}.`)
      return jsonAnswer(200, runView(run))
    },
  })
}

function strips(deps: RunRoutesDeps): ApiRoute {
  return scheduleRoute(deps, {
    ...READING_RUNS,
    method: 'GET',
    path: '/v4/schedules/-/strips',
    scope: 'schedule:read',
    summary: 'The last runs of schedules',
    description: 'By the id of the schedule, oldest first, skipped ones included.',
    query: STRIPS_QUERY,
    answers: () => ({ 200: z.object({ strips: z.record(z.string(), z.array(STRIP_RUN())) }) }),
    examples: [
      {
        name: 'one',
        query: { id: EXAMPLE_ID, n: '1' },
        status: 200,
        answer: {
          strips: {
            [EXAMPLE_ID]: [
              {
                runId: EXAMPLE_RUN_ID,
                dueAt: '2026-03-02T05:00:00.000Z',
                state: 'finished',
                outcome: 'success',
                reason: null,
              },
            ],
          },
        },
      },
    ],
    handle({ query: { id, n = DEFAULT_STRIP } }, scheduler) {
      const ids = id ?? scheduler.list().map((schedule) => schedule.id)
      const strips = ids
        .slice(0, MOST_STRIPS)
        .map((one) => [one, deps.store.page(one, n, null).map(stripRun).reverse()])
      return jsonAnswer(200, { strips: Object.fromEntries(strips) })
    },
  })
}

function runNow(deps: RunRoutesDeps): ApiRoute {
  return scheduleRoute(deps, {
    failure: 'Failed running schedule',
    changes: true,
    method: 'POST',
    path: '/v4/schedules/{id}/run',
    switch: 'scheduler.startSchedule',
    scope: 'schedule:run',
    action: 'schedule.run',
    body: 'ignored',
    summary: 'Run a schedule now',
    description: 'Also when it is stopped; windows and calendars are not asked.',
    params: PARAMS,
    answers: () => ({ 202: z.object({ runId: z.string() }), ...CHANGE_FAILURES }),
    examples: [{ name: 'now', params: { id: EXAMPLE_ID }, status: 202, answer: { runId: EXAMPLE_RUN_ID } }],
    async handle(request, scheduler) {
      const { id, plan } = requiredSchedule(scheduler, request.params.id)
      request.note({ target: [id] })
      if (plan) await requireRights(deps, request.caller, plan, 'existing')
      const made = await scheduler.run(id)
      if (!made) throw new Error('the run could not be recorded')
      return jsonAnswer(202, { runId: made.id })
    },
  })
}

const extras = Object.fromEntries(Object.keys(EXTRA_FIELDS).map((name) => [name, z.unknown().optional()]))
const PREVIEW_BODY = once(() =>
  z.object({
    cronSchedule: field.string(),
    timezone: field.string(),
    count: field.integer().optional(),
    ...extras,
  }),
)
/** A schedule needs a task; for a preview any will do. */
const ANY_TASK = '00000000-0000-4000-8000-000000000000'

function previewRefusal({ field: name, message, details = message }: PlanProblem) {
  if (name === 'cronSchedule') return refusal('INVALID_CRON', details)
  if (name === 'timezone') {
    const hint = 'is no IANA time zone; write for example Europe/Stockholm'
    return refusal('INVALID_TIMEZONE', `"${message.slice(18)}" ${hint}`)
  }
  return invalidBody([{ path: name, message: message.replace(`Invalid ${name}: `, '') }])
}

const comingOf = (plan: Plan, now: number, wanted: number) => ({
  next: plan.coming(now, wanted).map(iso),
  text: planText(plan),
})

const MOST_SKIPPED = 100
/** Firings that are looked at where none happens. */
const MOST_LOOKED = 1000

function skippedOf(plan: Plan, now: number, last: string | undefined) {
  const until = last === undefined ? Number.POSITIVE_INFINITY : Date.parse(last)
  const skipped: object[] = []
  let at = plan.next(now)
  for (let looked = 0; at !== null && at < until && looked < MOST_LOOKED; looked += 1) {
    const reason = plan.excluded(at)
    if (reason !== null) skipped.push({ at: iso(at), reason, by: plan.excludedBy(at) })
    if (skipped.length === MOST_SKIPPED) break
    at = plan.next(at)
  }
  return skipped
}

const stripRun = ({ id, dueAt, state, outcome, reason }: Run) => ({
  runId: id,
  dueAt: iso(dueAt),
  state,
  outcome,
  reason,
})

function runView(run: Run): object {
  return {
    runId: run.id,
    scheduleId: run.scheduleId,
    dueAt: iso(run.dueAt),
    firedAt: run.firedAt === null ? null : iso(run.firedAt),
    trigger: run.trigger,
    state: run.state,
    outcome: run.outcome,
    reason: run.reason,
    tasks: run.tasks.map(({ taskId, executionId, outcome }) => ({ taskId, executionId, outcome })),
    detail: run.detail,
  }
}

const iso = (instant: number): string => new Date(instant).toISOString()
