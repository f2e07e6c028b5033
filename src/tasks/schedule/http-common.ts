/** Shared by the endpoints of schedules: their refusals, and the views of a schedule. */
import { createHash } from 'node:crypto'
import { ForwardingError } from '../../cluster/types.ts'
import { type Caller, requireScope, type TaskSelectors } from '../../http/endpoint/caller.ts'
import type { Answered, Answers, AnswerWith, Fields } from '../../http/endpoint/contract.ts'
import { type ApiRoute, type CheckedRequest, type Endpoint, route } from '../../http/endpoint/route.ts'
import { Refusal, refusal, refused } from '../../http/errors.ts'
import { forwardingRefusal } from '../../http/forwarding.ts'
import { errorText } from '../../platform/errors.ts'
import { isStorageFailure } from '../../platform/sqlite.ts'
import type { Logger } from '../../platform/types.ts'
import { checkKeyValues } from '../start/parse.ts'
import type { CheckCurrent } from './changes.ts'
import type { ShownSchedule, StoredSchedule } from './contract.ts'
import { planText } from './plan.ts'
import { FileBrokenError, InvalidScheduleError, UnknownScheduleError } from './repository.ts'
import type { Scheduler } from './scheduler.ts'
import { ACTION_SCOPES, type Plan, type Run, type Schedule, type ScheduleValues, type StartSelection } from './types.ts'

export interface GuardDeps {
  readonly log: Logger
  /** Null while `Butler.scheduler.enable` is false. */
  readonly scheduler: Scheduler | null
  /** Why nothing may be changed here; null = it may. */
  readonly fixed: 'satellite' | 'shadow' | null
}

/** An endpoint of schedules: one of the API, and how it refuses. */
interface ScheduleEndpoint<Params extends Fields, Query extends Fields, Body extends Fields, All extends Answers>
  extends Omit<Endpoint<Params, Query, Body, All>, 'handle' | 'legacyErrors'> {
  /** Message of the 500. */
  readonly failure: string
  /** Message of the 400 for a schedule that is not there; absent: 404 in the form of new endpoints. */
  readonly unknown?: (id: string) => string
  /** It changes or runs something. */
  readonly changes: boolean
  handle(
    request: CheckedRequest<Params, Query, Body>,
    answer: AnswerWith<All>,
    scheduler: Scheduler,
  ): Answered | Promise<Answered>
}

export const EXAMPLE_ID = 'Manually-added-schedule-1'
export const EXAMPLE_TASK = 'a8b4c123-def4-5678-9abc-def012345678'

/** Names the content of a schedule that a caller has read; starting and stopping do not change it. */
function revisionOf(values: ScheduleValues): string {
  const { lastKnownState: _, ...rest } = values
  return createHash('sha256').update(JSON.stringify(rest)).digest('hex').slice(0, 12)
}

export const etagOf = ({ values }: Pick<Schedule, 'values'>): string => `"${revisionOf(values)}"`

/** Throws 412 when the header `If-Match` names other revisions. */
export function checkRevision({ headers }: { readonly headers: Headers }): CheckCurrent {
  const wanted = headers.get('if-match')
  return (values) => {
    if (wanted === null) return
    const revision = revisionOf(values)
    if (wanted.split(',').some((tag) => ['*', `"${revision}"`].includes(tag.trim()))) return
    const details = `The schedule is at revision ${revision}. Read it again, then repeat the change.`
    throw refusal('REVISION_MISMATCH', details, { currentRevision: revision })
  }
}

export function requiredSchedule(scheduler: Scheduler, id: string): Schedule {
  const schedule = scheduler.get(id)
  if (!schedule) throw new UnknownScheduleError(id)
  return schedule
}

/** `route()` with refusals in the form that clients know; whether there is a scheduler comes before the request. */
export function scheduleRoute<
  const All extends Answers,
  Params extends Fields = undefined,
  Query extends Fields = undefined,
  Body extends Fields = undefined,
>(deps: GuardDeps, definition: ScheduleEndpoint<Params, Query, Body, All>): ApiRoute {
  const { failure, unknown, changes, handle, ...endpoint } = definition
  const made = route<All, Params, Query, Body>({
    ...endpoint,
    handle: (request, answer) => handle(request, answer, requireScheduler(deps.scheduler)),
  })
  return {
    ...made,
    async handle(request) {
      const scheduler = requireScheduler(deps.scheduler)
      if (changes) requireOwn(deps.fixed)
      await scheduler.ready
      try {
        return await made.handle(request)
      } catch (error) {
        if (error instanceof Refusal || isStorageFailure(error)) throw error
        throw refusalOf(error, definition, deps.log, request.requestId)
      }
    },
  }
}

function requireScheduler(scheduler: Scheduler | null): Scheduler {
  if (!scheduler) throw refused(400, 'REST SCHEDULER: Scheduler is disabled in config file.')
  return scheduler
}

function requireOwn(fixed: GuardDeps['fixed']): void {
  if (fixed === 'satellite') {
    const details = 'This Footman is a satellite (Butler.footman.node.role); change and run schedules on the primary.'
    throw refusal('NOT_PRIMARY', details)
  }
  if (fixed === 'shadow') {
    const details = 'Footman runs in shadow mode, which changes and starts nothing.'
    throw refusal('SHADOW_MODE', details)
  }
}

function refusalOf(
  error: unknown,
  { failure, unknown }: { readonly failure: string; readonly unknown?: (id: string) => string },
  log: Logger,
  requestId: string,
): Refusal {
  if (error instanceof UnknownScheduleError) {
    if (unknown) return refused(400, unknown(error.id))
    return refusal('SCHEDULE_NOT_FOUND', `No schedule has the id ${error.id}.`)
  }
  if (error instanceof InvalidScheduleError) return refused(400, error.message, error.details)
  if (error instanceof ForwardingError) return forwardingRefusal(error)
  if (error instanceof FileBrokenError) {
    return refused(500, 'Schedule file could not be loaded; refusing to overwrite it', error.message)
  }
  log.error(`SCHEDULER: ${failure}, request ${requestId}: ${error}`)
  return refused(500, failure, `The log of Footman says more about request ${requestId}.`)
}

export interface RightsDeps {
  readonly log: Logger
  /** The refusal when the start filter denies a part of the selection; null = it denies nothing. Rejects when QRS does not answer. */
  readonly deniedBy: (selection: StartSelection, limitedTo: TaskSelectors | undefined) => Promise<string | null>
}

/**
 * Throws when the caller may not do by itself what the plan does. An existing schedule is the administrator's: the start
 * filter for all callers, which counts when a schedule is made, does not stop a caller without limits of its own.
 */
export async function requireRights(
  { deniedBy, log }: RightsDeps,
  caller: Caller,
  { action, selection }: Pick<Plan, 'action' | 'selection'>,
  age: 'new' | 'existing',
): Promise<void> {
  const scope = ACTION_SCOPES[action.type]
  requireScope(caller, scope)
  if (action.type !== 'startTask') return
  checkKeyValues(caller, selection)
  const limitedTo = caller.limits(scope).startFilter ?? undefined
  if (age === 'existing' && !limitedTo) return
  const denied = await deniedBy(selection, limitedTo).catch((error: unknown) => {
    log.warn(`SCHEDULER: The start filter could not be asked: ${error}`)
    throw refused(502, 'Failed asking QRS about the tasks of the schedule', errorText(error))
  })
  if (denied !== null) throw refused(403, denied)
}

/** The members of Butler's list, in its order. */
const LISTED = [
  'id',
  'created',
  'name',
  'cronSchedule',
  'timezone',
  'qlikSenseTaskId',
  'startupState',
  'tags',
  'lastKnownState',
]

/** Butler's list has nine members; the members about runs follow. */
export function listedSchedule(scheduler: Scheduler, schedule: Schedule): ShownSchedule {
  const { values } = schedule
  const known = LISTED.filter((name) => values[name] !== undefined && values[name] !== null)
  return {
    ...stored(Object.fromEntries(known.map((name) => [name, plain(values[name])]))),
    ...runMembers(scheduler, schedule),
    ...further(values),
  }
}

/** Members beyond those of Butler that say what is started. */
const further = ({ target, action }: ScheduleValues): object => ({
  ...(target != null && { target }),
  ...(action != null && { action }),
})

/** All members in stored order, then the members about runs. */
export const wholeSchedule = (scheduler: Scheduler, schedule: Schedule): ShownSchedule => ({
  ...stored(schedule.values),
  ...runMembers(scheduler, schedule),
})

export const stored = (values: ScheduleValues) => values as StoredSchedule

/** Numbers and booleans of the file are text in the list. */
const plain = (value: unknown): unknown =>
  typeof value === 'number' || typeof value === 'boolean' ? String(value) : value

function runMembers(scheduler: Scheduler, { id, problem, plan, running, values }: Schedule) {
  const nextRun = scheduler.nextRun(id)
  const last = scheduler.lastRun(id)
  const lastResult = problem ? `error: ${problem.message}` : last && resultText(last)
  return {
    ...(nextRun !== null && { nextRun: new Date(nextRun).toISOString() }),
    ...(last && { lastRun: new Date(last.firedAt ?? last.dueAt).toISOString() }),
    ...(lastResult && { lastResult }),
    state: plan === null ? ('invalid' as const) : running ? ('running' as const) : ('stopped' as const),
    ...(plan && { text: planText(plan) }),
    revision: revisionOf(values),
  }
}

function resultText({ outcome, detail }: Run): string {
  if (outcome !== 'failed' && outcome !== 'aborted') return 'ok'
  return `error: ${detail ?? outcome}`
}

/** The schedules as Butler's documents show them; every line of a schedule ends with a blank. */
export function statusText(schedules: readonly Schedule[]): string {
  const lines = schedules.map(
    ({ id, values, running }) =>
      `'${id}': ${String(values.cronSchedule)} status: ${running ? 'Running' : 'Stopped'} \n`,
  )
  return `{\n${lines.join('')}}`
}
