/** Puts the parts together: the datagram's fields, corrected and completed by what QRS knows. */
import { resolveNames } from '../parse/names.ts'
import type { EventRouter } from '../router.ts'
import { type StoredEvent, toTaskEvent } from '../store.ts'
import { severityOf, taskTypeOf } from '../task-type.ts'
import type { TaskEvent } from '../types.ts'
import { decidedOutcome, type Facts, missingParts } from './facts.ts'

/** The immutable record of an event; `missingParts` names what its routes wanted and QRS did not give in time. */
export function completeEvent(event: StoredEvent, facts: Facts, router: EventRouter): TaskEvent {
  const type = taskTypeOf(facts.task?.taskType) ?? event.type
  const outcome = decidedOutcome(event, facts)
  const known = { taskName: facts.task?.name, appName: facts.task?.app?.name }
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
    missingParts: missingParts(facts, router.needs(type, outcome)),
  }
}
