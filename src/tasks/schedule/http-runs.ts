/** The endpoints of the scheduler that Butler did not have: coming firings, previews, runs. */
import { cursorOf, DEFAULT_LIMIT, positionInCursor } from '../../http/endpoint/list-query.ts'
import { ALWAYS, type ApiRoute, from } from '../../http/endpoint/route.ts'
import { invalidBody } from '../../http/endpoint/validation.ts'
import { refusal } from '../../http/errors.ts'
import type { Clock } from '../../platform/types.ts'
import {
  DEFAULT_COUNT,
  MAX_COUNT,
  NEXT_FIRINGS,
  PREVIEW_SCHEDULE,
  RUN_SCHEDULE,
  SCHEDULE_RUN,
  SCHEDULE_RUNS,
  SCHEDULE_STRIPS,
  type SchedulePreview,
  type ShownRun,
  type StripRun,
} from './contract.ts'
import {
  EXAMPLE_ID,
  EXAMPLE_TASK,
  type GuardDeps,
  type RightsDeps,
  requiredSchedule,
  requireRights,
  scheduleRoute,
} from './http-common.ts'
import { type Planner, planText } from './plan.ts'
import type { RunStore } from './store.ts'
import type { Plan, PlanProblem, Run } from './types.ts'

export interface RunRoutesDeps extends GuardDeps, RightsDeps {
  readonly planner: Planner
  readonly store: RunStore
  readonly clock: Clock
}

const EXAMPLE_COMING = {
  next: ['2026-03-02T05:00:00.000Z'],
  text: 'at 06:00, Monday to Friday (Europe/Stockholm)',
}

const DEFAULT_STRIP = 14
const MOST_STRIPS = 500

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
    ...NEXT_FIRINGS,
    scope: 'schedule:read',
    summary: 'When a schedule fires next',
    examples: [
      { name: 'next', params: { id: EXAMPLE_ID }, query: { count: '1' }, status: 200, answer: EXAMPLE_COMING },
    ],
    handle({ params: { id }, query: { count = DEFAULT_COUNT } }, answer, scheduler) {
      const { plan, problem } = requiredSchedule(scheduler, id)
      if (!plan) return answer(200, { next: [], text: `not valid: ${problem?.message}` })
      return answer(200, comingOf(plan, deps.clock.now(), count))
    },
  })
}

function preview(deps: RunRoutesDeps): ApiRoute {
  return scheduleRoute(deps, {
    ...READING,
    ...PREVIEW_SCHEDULE,
    eachTime: ALWAYS,
    at: 'here',
    scope: 'schedule:read',
    action: 'schedule.preview',
    summary: 'When a schedule would fire',
    description:
      'With the members of a schedule that decide about its times; the others change nothing. Nothing is created.',
    examples: [
      {
        name: 'weekdays',
        body: { cronSchedule: '0 6 * * 1-5', timezone: 'Europe/Stockholm', count: 1 },
        status: 200,
        answer: { ...EXAMPLE_COMING, skipped: [], warnings: [] },
      },
    ],
    handle({ body: { count = DEFAULT_COUNT, ...values } }, answer) {
      if (count < 1 || count > MAX_COUNT) {
        throw invalidBody([{ path: 'count', message: `must be a whole number from 1 to ${MAX_COUNT}` }])
      }
      const planned = deps.planner.plan({ ...values, qlikSenseTaskId: ANY_TASK })
      if (!planned.ok) throw previewRefusal(planned.problem)
      const coming = comingOf(planned.plan, deps.clock.now(), count)
      const skipped = skippedOf(planned.plan, deps.clock.now(), coming.next.at(-1))
      return answer(200, { ...coming, skipped, warnings: planned.plan.troubles() })
    },
  })
}

function listRuns(deps: RunRoutesDeps): ApiRoute {
  return scheduleRoute(deps, {
    ...READING,
    ...SCHEDULE_RUNS,
    scope: 'schedule:read',
    summary: 'The runs of a schedule',
    description: 'Newest first, skipped ones included.',
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
    handle({ params, query: { limit = DEFAULT_LIMIT, cursor } }, answer, scheduler) {
      const { id } = requiredSchedule(scheduler, params.id)
      const found = deps.store.page(id, limit + 1, positionInCursor(cursor))
      const page = found.slice(0, limit)
      const isMore = found.length > limit
      return answer(200, { runs: page.map(runView), nextCursor: isMore ? cursorOf(page.at(-1)!.dueAt) : null })
    },
  })
}

function readRun(deps: RunRoutesDeps): ApiRoute {
  return scheduleRoute(deps, {
    ...READING_RUNS,
    ...SCHEDULE_RUN,
    scope: 'schedule:read',
    summary: 'Read a run of a schedule',
    description: 'Also of a schedule that has been deleted, while its runs are kept.',
    examples: [
      {
        name: 'newest',
        params: from(SCHEDULE_RUNS, { id: '$request.path.id', runId: '$response.body#/runs/0/runId' }),
        status: 200,
      },
    ],
    handle({ params: { id, runId } }, answer) {
      const run = deps.store.byId(runId)
      if (run?.scheduleId !== id) throw refusal('RUN_NOT_FOUND', `The schedule ${id} has no run ${runId}.`)
      return answer(200, runView(run))
    },
  })
}

function strips(deps: RunRoutesDeps): ApiRoute {
  return scheduleRoute(deps, {
    ...READING_RUNS,
    ...SCHEDULE_STRIPS,
    scope: 'schedule:read',
    summary: 'The last runs of schedules',
    description: 'By the id of the schedule, oldest first, skipped ones included.',
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
    handle({ query: { id, n = DEFAULT_STRIP } }, answer, scheduler) {
      const ids = id ?? scheduler.list().map((schedule) => schedule.id)
      const strips = ids
        .slice(0, MOST_STRIPS)
        .map((one) => [one, deps.store.page(one, n, null).map(stripRun).reverse()] as const)
      return answer(200, { strips: Object.fromEntries(strips) })
    },
  })
}

function runNow(deps: RunRoutesDeps): ApiRoute {
  return scheduleRoute(deps, {
    failure: 'Failed running schedule',
    changes: true,
    ...RUN_SCHEDULE,
    switch: 'scheduler.startSchedule',
    scope: 'schedule:run',
    action: 'schedule.run',
    summary: 'Run a schedule now',
    description: 'Also when it is stopped; windows and calendars are not asked.',
    examples: [{ name: 'now', params: { id: EXAMPLE_ID }, status: 202, answer: { runId: EXAMPLE_RUN_ID } }],
    async handle(request, answer, scheduler) {
      const { id, plan } = requiredSchedule(scheduler, request.params.id)
      request.note({ target: [id] })
      if (plan) await requireRights(deps, request.caller, plan, 'existing')
      const made = await scheduler.run(id)
      if (!made) throw new Error('the run could not be recorded')
      return answer(202, { runId: made.id })
    },
  })
}

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
  const skipped: SchedulePreview['skipped'][number][] = []
  let at = plan.next(now)
  for (let looked = 0; at !== null && at < until && looked < MOST_LOOKED; looked += 1) {
    const reason = plan.excluded(at)
    if (reason !== null) skipped.push({ at: iso(at), reason, by: plan.excludedBy(at) })
    if (skipped.length === MOST_SKIPPED) break
    at = plan.next(at)
  }
  return skipped
}

const stripRun = ({ id, dueAt, state, outcome, reason }: Run): StripRun => ({
  runId: id,
  dueAt: iso(dueAt),
  state,
  outcome,
  reason,
})

function runView(run: Run): ShownRun {
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
