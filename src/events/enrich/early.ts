/** Steps before the last one: deliveries leave as soon as their own data are there, whatever others wait for. */

import type { Database } from '../../platform/sqlite.ts'
import type { EventCompleter } from '../completer.ts'
import type { EventRouter } from '../router.ts'
import { storePendingEvent } from '../store.ts'
import type { Need } from '../types.ts'
import { completeEvent } from './complete.ts'
import { type Facts, type FactsDeps, openOf } from './facts.ts'
import type { Job } from './job.ts'

export interface EarlyDeps {
  readonly facts: FactsDeps
  readonly router: EventRouter
  readonly completer: EventCompleter | undefined
}

/** Answers that come within this time of each other are one step: most events need no other. */
export const EARLY_MS = 250

/** What to write, in one transaction; null when nothing can leave that has not left in an earlier step. */
export function earlyStep({ facts, router, completer }: EarlyDeps, job: Job): ((db: Database) => void) | null {
  const { event } = job
  // How a distribution ended is not known before its execution is.
  const open = event.announced === 'distribute' ? null : openOf(facts, event, job.facts)
  if (!open || open.size === 0) return null
  const known = completeEvent(event, job.facts, (type, outcome) => without(router.needs(type, outcome), open), false)
  const ready = router.readyWithout(known.type, known.outcome, open)
  if (ready <= job.ready) return null
  if (completer && !completer.early?.isPossible(known)) return null
  job.ready = ready
  job.resumed = true
  return (db) => {
    const record = completer?.early?.complete(db, known) ?? known
    if (storePendingEvent(db, event.seq, record)) router.routeEarly(db, record, open)
  }
}

/** What to write so that the answers of QRS outlast a wait on disk; null when there are none. */
export function keepFacts({ facts, router }: EarlyDeps, { event, facts: found }: Job): ((db: Database) => void) | null {
  const open = event.announced === 'distribute' ? null : openOf(facts, event, found)
  if (!open) return null
  const known = completeEvent(event, found, (type, outcome) => without(router.needs(type, outcome), open), false)
  return (db) => void storePendingEvent(db, event.seq, known)
}

/** What an earlier step has stored is not asked again, and not told again. */
export function resume({ facts, router }: EarlyDeps, job: Job): void {
  const { qlik } = job.event
  if (!qlik) return
  const reasons = qlik.missingReasons ?? {}
  const found: Facts = {
    ...(qlik.task && { task: qlik.task }),
    ...(qlik.app && { app: qlik.app }),
    ...(qlik.owner && { owner: qlik.owner }),
    ...(qlik.execution && { execution: qlik.execution }),
    ...Object.fromEntries([...(qlik.absentParts ?? []), ...Object.keys(reasons)].map((part) => [part, null])),
    reasons,
    ...(qlik.node && { node: qlik.node }),
  }
  Object.assign(job.facts, found)
  job.resumed = true
  const open = openOf(facts, job.event, job.facts)
  if (open) job.ready = router.readyWithout(job.event.type, job.event.outcome, open)
}

function without(needs: ReadonlySet<Need>, open: ReadonlySet<Need>): ReadonlySet<Need> {
  return new Set([...needs].filter((need) => !open.has(need)))
}
