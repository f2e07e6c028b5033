/** Puts the parts together: the datagram's fields, corrected and completed by what QRS knows. */

import type { Database } from '../../platform/sqlite.ts'
import { dedupKey, takeDedupKey } from '../bookkeeping.ts'
import type { EventCompleter } from '../completer.ts'
import { resolveNames } from '../datagram.ts'
import { severityOf } from '../kinds.ts'
import type { EventRouter } from '../router.ts'
import { type StoredEvent, storeRoutedEvent, toTaskEvent } from '../store.ts'
import { isUnfinished, taskTypeOf } from '../task-type.ts'
import type { TaskEvent } from '../types.ts'
import { lastResultOf } from './execution.ts'
import { absentParts, appOf, decidedOutcome, type Facts, missingParts, missingReasons } from './facts.ts'

/**
 * The immutable record of an event; `missingParts` names what its routes wanted (`needs`) and QRS did not give in time.
 * `late` = its deadline is over.
 */
export function completeEvent(event: StoredEvent, facts: Facts, needs: EventRouter['needs'], late: boolean): TaskEvent {
  const type = taskTypeOf(facts.task?.taskType) ?? event.type
  const outcome = decidedOutcome(event, facts, late)
  const known = { taskName: facts.task?.name, appName: facts.task?.app?.name }
  const missing = missingParts(event, facts, needs(type, outcome))
  const reasons = missingReasons(facts, missing)
  const node = facts.node ?? nodeOfTask(event, facts.task)
  const names = event.nameTokens ? resolveNames(event.nameTokens, known) : event
  const app = appOf({ ...event, type, appName: names.appName }, facts.task)
  return {
    ...toTaskEvent(event, facts.scriptLog ?? null),
    type,
    outcome,
    severity: severityOf(outcome),
    // The sender of a datagram is not proven: the names that Qlik Sense has win.
    taskName: facts.task?.name || names.taskName,
    appName: nameInQlikSense(app?.id, facts) || (app?.name ?? names.appName),
    appId: app?.id ?? '',
    task: facts.task ?? null,
    app: facts.app ?? null,
    owner: facts.owner ?? null,
    execution: facts.execution ?? null,
    missingParts: missing,
    absentParts: absentParts(facts, missing),
    ...(reasons && { missingReasons: reasons }),
    ...(node && !facts.execution && { node }),
  }
}

/** Empty while it is not known. */
function nameInQlikSense(appId: string | undefined, { app, task }: Facts): string {
  const ofTask = appId !== undefined && task?.app?.id?.toLowerCase() === appId.toLowerCase() ? task.app.name : ''
  return app?.name || ofTask || ''
}

/** QRS may have named the node in the task although the result of the execution could not be read. */
function nodeOfTask(event: StoredEvent, task: Facts['task']): string {
  if (isUnfinished(event.outcome)) return ''
  return lastResultOf(task, { ...event, endsLater: event.announced === 'distribute' })?.executingNodeName ?? ''
}

export interface Completed {
  readonly stored: StoredEvent
  readonly event: TaskEvent
  /** True when QRS told the type of the task. */
  readonly typeKnown: boolean
  readonly now: number
  /** Null = de-duplication is off. */
  readonly dedupTtlMs: number | null
  /** Some of its deliveries may have been added in an earlier step. */
  readonly resumed: boolean
}

/** Stores an event with all its deliveries; to be called in one transaction. */
export function storeCompleted(
  db: Database,
  completed: Completed,
  router: EventRouter,
  completer?: EventCompleter,
): void {
  const { stored, typeKnown, resumed } = completed
  if (!isNews(db, completed)) {
    storeRoutedEvent(db, stored.seq, completed.event, typeKnown)
    return
  }
  const event = completer?.complete(db, completed.event) ?? completed.event
  storeRoutedEvent(db, stored.seq, event, typeKnown)
  // How it ended was not known when its message arrived.
  if (stored.announced === 'distribute') router.routeArrival(db, event)
  router.routeEnriched(db, event, resumed)
}

/** A distribution that has been decided may be announced by a message of its own as well: the first one counts. */
function isNews(db: Database, { stored, event, now, dedupTtlMs }: Completed): boolean {
  if (stored.announced !== 'distribute' || dedupTtlMs === null) return true
  const key = dedupKey(event.executionId, event.outcome)
  return key === null || takeDedupKey(db, key, now, dedupTtlMs)
}
