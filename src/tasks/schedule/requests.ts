/** What calls about schedules may hold, and how refusals are answered. */
import { z } from 'zod'
import { type Caller, requireScope, type TaskSelectors } from '../../http/endpoint/caller.ts'
import { Refusal, refused, refusedWithCode } from '../../http/endpoint/errors.ts'
import type { ApiRequest } from '../../http/endpoint/route.ts'
import { field, isObject, validate } from '../../http/endpoint/validation.ts'
import { isStorageTrouble } from '../../platform/sqlite.ts'
import type { Logger } from '../../platform/types.ts'
import { checkKeyValues } from '../start/rest-request.ts'
import { FileBrokenError, InvalidScheduleError, UnknownScheduleError } from './errors.ts'
import type { Scheduler } from './scheduler.ts'
import { ACTION_SCOPES, type Plan, type ScheduleValues, type StartSelection } from './types.ts'

const STATES = ['start', 'started', 'stop', 'stopped'] as const
const startupState = z.enum(STATES, { error: 'must be equal to one of the allowed values' })

const shape = {
  name: field.string(),
  cronSchedule: field.string(),
  timezone: field.string(),
  qlikSenseTaskId: field.string(),
  startupState,
  tags: field.array(field.string()).optional(),
}

/** In the order in which missing members are told. */
export const NEW_SCHEDULE = field.object(shape)
export const SCHEDULE_CHANGES = NEW_SCHEDULE.partial()
export const SELECTED = field.object({ id: field.array(field.string()).optional() })

/** The members of the body, in its order, in the form of the schema; others as they came. */
export function valuesOf(schema: typeof NEW_SCHEDULE | typeof SCHEDULE_CHANGES, body: unknown): ScheduleValues {
  const read: Readonly<Record<string, unknown>> = validate('body', schema, body)
  const given = isObject(body) ? body : {}
  return Object.fromEntries(Object.keys(given).map((name) => [name, name in read ? read[name] : given[name]]))
}

export interface RefusalDeps {
  readonly log: Logger
  /** Null while `Butler.scheduler.enable` is false. */
  readonly scheduler: Scheduler | null
  /** Why nothing may be changed here; null = it may. */
  readonly fixed: 'satellite' | 'shadow' | null
}

export type ScheduleHandler = (request: ApiRequest, scheduler: Scheduler) => Response | Promise<Response>

export interface Guard {
  /** Message of the 500. */
  readonly failure: string
  /** Message of the 400 for a schedule that is not there; null = 404 in the form of new endpoints. */
  readonly unknown: ((id: string) => string) | null
  /** It changes or runs something. */
  readonly changes: boolean
}

/** A handler whose refusals have the form that clients know. */
export function guarded(
  deps: RefusalDeps,
  guard: Guard,
  handle: ScheduleHandler,
): (request: ApiRequest) => Promise<Response> {
  return async (request) => {
    const { scheduler, log } = deps
    if (!scheduler) throw refused(400, 'REST SCHEDULER: Scheduler is disabled in config file.')
    if (guard.changes) requireOwn(deps.fixed)
    await scheduler.ready
    try {
      return await handle(request, scheduler)
    } catch (error) {
      if (error instanceof Refusal || isStorageTrouble(error)) throw error
      throw refusalOf(error, guard, log, request.requestId)
    }
  }
}

function requireOwn(fixed: RefusalDeps['fixed']): void {
  if (fixed === 'satellite') {
    const details = 'This Footman is a satellite (Butler.footman.node.role); change and run schedules on the primary.'
    throw refusedWithCode(409, 'NOT_PRIMARY', 'Not the primary', details)
  }
  if (fixed === 'shadow') {
    const details = 'Footman runs in shadow mode, which changes and starts nothing.'
    throw refusedWithCode(409, 'SHADOW_MODE', 'Shadow mode', details)
  }
}

function refusalOf(error: unknown, { failure, unknown }: Guard, log: Logger, requestId: string): Refusal {
  if (error instanceof UnknownScheduleError) {
    if (unknown) return refused(400, unknown(error.id))
    return refusedWithCode(404, 'SCHEDULE_NOT_FOUND', 'Schedule not found', `No schedule has the id ${error.id}.`)
  }
  if (error instanceof InvalidScheduleError) return refused(400, error.message, error.details)
  if (error instanceof FileBrokenError) {
    return refused(500, 'Schedule file could not be loaded; refusing to overwrite it', error.message)
  }
  log.error(`SCHEDULER: ${failure}, request ${requestId}: ${error}`)
  return refused(500, failure, `The log of Footman says more about request ${requestId}.`)
}

/** The id of the path. */
export const idOf = ({ params }: ApiRequest): string => params.id ?? ''

export interface RightsDeps {
  readonly log: Logger
  /** What of the selection the start filter denies, in the words of a refusal; null = nothing. Rejects when QRS is away. */
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
    throw refused(502, 'Failed asking QRS about the tasks of the schedule', String((error as Error).message))
  })
  if (denied !== null) throw refused(403, denied)
}
