/** Puts the parts together: the datagram's fields, corrected and completed by what QRS knows. */
import type { Database } from '../../platform/sqlite.ts'
import { dedupKey, takeDedupKey } from '../bookkeeping.ts'
import { resolveNames } from '../parse/names.ts'
import type { EventRouter } from '../router.ts'
import { type StoredEvent, storeRoutedEvent, toTaskEvent } from '../store.ts'
import { severityOf, taskTypeOf } from '../task-type.ts'
import type { TaskEvent } from '../types.ts'
import { absentParts, decidedOutcome, type Facts, missingParts } from './facts.ts'

/**
 * The immutable record of an event; `missingParts` names what its routes wanted and QRS did not give in time. `late` =
 * its deadline is over.
 */
export function completeEvent(event: StoredEvent, facts: Facts, router: EventRouter, late: boolean): TaskEvent {
  const type = taskTypeOf(facts.task?.taskType) ?? event.type
  const outcome = decidedOutcome(event, facts, late)
  const known = { taskName: facts.task?.name, appName: facts.task?.app?.name }
  const missing = missingParts(event, facts, router.needs(type, outcome))
  const names = event.nameTokens ? resolveNames(event.nameTokens, known) : event
  return {
    ...toTaskEvent(event, facts.scriptLog ?? null),
    type,
    outcome,
    severity: severityOf(outcome),
    taskName: names.taskName,
    appName: names.appName || facts.task?.app?.name || '',
    appId: event.appId || facts.task?.app?.id || '',
    task: facts.task ?? null,
    app: facts.app ?? null,
    owner: facts.owner ?? null,
    execution: facts.execution ?? null,
    missingParts: missing,
    absentParts: absentParts(facts, missing),
  }
}

export interface Completed {
  readonly stored: StoredEvent
  readonly event: TaskEvent
  /** True when QRS told the type of the task. */
  readonly typeKnown: boolean
  readonly now: number
  /** Null = de-duplication is off. */
  readonly dedupTtlMs: number | null
}

/** Stores an event with all its deliveries; to be called in one transaction. */
export function storeCompleted(db: Database, completed: Completed, router: EventRouter): void {
  const { stored, event, typeKnown } = completed
  storeRoutedEvent(db, stored.seq, event, typeKnown)
  if (isNews(db, completed)) router.routeEnriched(db, event)
}

/** A distribution that has been decided may be announced by a message of its own as well: the first one counts. */
function isNews(db: Database, { stored, event, now, dedupTtlMs }: Completed): boolean {
  if (stored.announced !== 'distribute' || dedupTtlMs === null) return true
  const key = dedupKey(event.executionId, event.outcome)
  return key === null || takeDedupKey(db, key, now, dedupTtlMs)
}
