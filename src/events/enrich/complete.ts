/**
 * From the answers of QRS to a stored event with deliveries: in part, as soon as a rule needs no more than is known, and
 * at last when everything is known or the deadline is over.
 */

import { type Database, isStorageFailure } from '../../platform/sqlite.ts'
import type { Logger } from '../../platform/types.ts'
import type { QrsTask } from '../../qlik/qrs/types.ts'
import type { EventCompleter } from '../completer.ts'
import { resolveNames } from '../datagram.ts'
import { type EventRouter, NOTHING_AWAITED } from '../event-router.ts'
import { severityOf } from '../kinds.ts'
import { dedupKey, type StoredEvent, storePendingEvent, storeRoutedEvent, takeDedupKey, toTaskEvent } from '../store.ts'
import { isUnfinished, taskTypeOf } from '../task-type.ts'
import type { EventOutcome, EventType, Need, TaskEvent } from '../types.ts'
import {
  absentParts,
  appOf,
  awaitedParts,
  decidedOutcome,
  type Facts,
  type FactsDeps,
  lastResultOf,
  missingParts,
  missingReasons,
  subjectText,
} from './facts.ts'

export interface CompletionDeps {
  readonly facts: FactsDeps
  readonly router: EventRouter
  readonly completer: EventCompleter | undefined
  readonly log: Logger
}

/** An event and the answers of QRS so far. */
export interface PartlyKnown {
  readonly event: StoredEvent
  readonly facts: Facts
  /** How many rules were ready at the last partial completion. */
  readyRules: number
}

export type Write = (db: Database) => void

export interface Completion {
  /** Adds the deliveries that need no more than is known now. Null when no rule is ready that was not ready before. */
  partly(job: PartlyKnown): Write | null
  /** Stores the answers of QRS, so that they outlast a wait on disk. Null when there are none. */
  keepAnswers(job: PartlyKnown): Write | null
  /** Takes over the answers that an earlier step has stored, so that they are not asked for again. */
  resume(job: PartlyKnown): void
  /** The record of the event as far as it is known. `late` = its deadline is over. */
  record(job: Pick<PartlyKnown, 'event' | 'facts'>, late: boolean): TaskEvent
  /** Stores the event with all deliveries that are still missing. */
  completely(
    job: PartlyKnown,
    event: TaskEvent,
    options: { readonly now: number; readonly dedupTtlMs: number | null },
  ): Write
}

/** The functions return what is to be written in one transaction. */
export function createCompletion({ facts, router, completer, log }: CompletionDeps): Completion {
  /** The parts that may still come; null when no delivery may leave yet. */
  function awaitedOf({ event, facts: found }: PartlyKnown): ReadonlySet<Need> | null {
    // How a distribution ended is not known before its execution is.
    return event.announced === 'distribute' ? null : awaitedParts(facts, event, found)
  }

  function knownRecord({ event, facts: found }: PartlyKnown, awaited: ReadonlySet<Need>): TaskEvent {
    const needs: EventRouter['needs'] = (type, outcome) => router.needs(type, outcome).difference(awaited)
    return completeEvent(event, found, needs, false)
  }

  /** An alert without history is better than none: on error the event goes on without it. */
  function withFallback<T>(event: TaskEvent, fallback: T, work: () => T): T {
    try {
      return work()
    } catch (error) {
      if (isStorageFailure(error)) throw error
      log.error(`[QSEOW] TASK EVENT: The event of ${subjectText(event)} goes out without its history: ${error}`)
      return fallback
    }
  }

  const completed = (db: Database, event: TaskEvent): TaskEvent =>
    completer ? withFallback(event, event, () => db.transaction(() => completer.complete(db, event))) : event

  function completedPartly(db: Database, event: TaskEvent): TaskEvent | null {
    if (!completer) return event
    return withFallback(event, null, () => db.transaction(() => completer.completePartly?.(db, event) ?? null))
  }

  return {
    partly(job) {
      const awaited = awaitedOf(job)
      if (!awaited || awaited.size === 0) return null
      const known = knownRecord(job, awaited)
      const readyRules = router.countReady(known.type, known.outcome, awaited)
      if (readyRules <= job.readyRules) return null
      job.readyRules = readyRules
      return (db) => {
        const event = completedPartly(db, known)
        if (storePendingEvent(db, job.event.seq, event ?? known) && event) router.handle(db, event, awaited)
      }
    },
    keepAnswers(job) {
      const awaited = awaitedOf(job)
      if (!awaited) return null
      const known = knownRecord(job, awaited)
      return (db) => void storePendingEvent(db, job.event.seq, known)
    },
    resume(job) {
      if (!job.event.qlik) return
      Object.assign(job.facts, storedFacts(job.event.qlik))
      const awaited = awaitedOf(job)
      if (awaited) job.readyRules = router.countReady(job.event.type, job.event.outcome, awaited)
    },
    record: (job, late) => completeEvent(job.event, job.facts, router.needs, late),
    completely({ event: stored, facts: { task } }, event, { now, dedupTtlMs }) {
      const typeKnown = Boolean(task) || event.type === 'appReload'
      return (db) => {
        if (isAnnouncedAlready(db, stored, event, now, dedupTtlMs)) {
          storeRoutedEvent(db, stored.seq, event, typeKnown)
          return
        }
        const whole = completed(db, event)
        storeRoutedEvent(db, stored.seq, whole, typeKnown)
        // The outcome of a distribution is not known when its message arrives.
        if (stored.announced === 'distribute') router.handle(db, whole, 'everything')
        router.handle(db, whole, NOTHING_AWAITED)
      }
    },
  }
}

/** The parts that the completer needs of an event of this task; none when it fails. */
export function completerNeeds(
  completer: EventCompleter | undefined,
  log: Logger,
): (task: QrsTask, outcome: EventOutcome) => readonly Need[] {
  return (task, outcome) => {
    try {
      return completer?.needs?.(task, outcome) ?? []
    } catch (error) {
      if (isStorageFailure(error)) throw error
      log.error(`[QSEOW] TASK EVENT: The event of task "${task.name}" goes out without its history: ${error}`)
      return []
    }
  }
}

/**
 * The record of an event; `missingParts` names the parts that its rules need and that QRS did not give in time. `late` =
 * its deadline is over.
 */
function completeEvent(
  event: StoredEvent,
  facts: Facts,
  needs: (type: EventType, outcome: EventOutcome) => ReadonlySet<Need>,
  late: boolean,
): TaskEvent {
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
    ...(facts.logSkipped && { logSkipped: true }),
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

/** The answers of QRS in a stored event. Script logs are not among them. */
function storedFacts(qlik: NonNullable<StoredEvent['qlik']>): Facts {
  const reasons = qlik.missingReasons ?? {}
  return {
    ...(qlik.task && { task: qlik.task }),
    ...(qlik.app && { app: qlik.app }),
    ...(qlik.owner && { owner: qlik.owner }),
    ...(qlik.execution && { execution: qlik.execution }),
    ...Object.fromEntries([...(qlik.absentParts ?? []), ...Object.keys(reasons)].map((part) => [part, null])),
    reasons,
    ...(qlik.node && { node: qlik.node }),
  }
}

/** A distribution that has ended may be announced by a message of its own as well: the first of the two counts. */
function isAnnouncedAlready(
  db: Database,
  stored: StoredEvent,
  event: TaskEvent,
  now: number,
  dedupTtlMs: number | null,
): boolean {
  if (stored.announced !== 'distribute' || dedupTtlMs === null) return false
  const key = dedupKey(event.executionId, event.outcome)
  return key !== null && !takeDedupKey(db, key, now, dedupTtlMs)
}
