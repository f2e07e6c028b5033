/** Explains which rules fire for an event: by routing it in a transaction that is rolled back. */
import type { TaskEvent } from '../../events/types.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Rehearsal, RehearsedDelivery, Router } from '../router.ts'
import type { Rule } from '../types.ts'
import type { ExplainedRule, Explanation } from './contract.ts'

/** A rule as it is listed, in order of evaluation. */
export interface ListedRule {
  readonly name: string
  readonly origin: 'butler' | 'footman'
  readonly enable: boolean
  /** Names of destinations. */
  readonly to: readonly string[]
  /** Why it is off; null when it is on. */
  readonly off: string | null
}

export interface ExplainDeps {
  readonly db: Database
  readonly router: Router
  readonly listed: readonly ListedRule[]
  /** Stores an event that is not there, so that deliveries can belong to it. */
  readonly storeEvent: (db: Database, event: TaskEvent) => void
}

/** `now`: when it would be routed, milliseconds since 1970. Changes nothing. */
export function explainEvent(deps: ExplainDeps, event: TaskEvent, now: number): Explanation {
  const { listed, router } = deps
  const rehearsal = rehearse(deps, event, now)
  const stopped = listed.findIndex(({ name }) => name === rehearsal.stoppedBy)
  const routes = listed.map((one, index) => {
    const deliveries = rehearsal.deliveries.filter(({ route }) => route === one.name).map(explained)
    const isBehind = stopped >= 0 && index > stopped && one.origin === 'footman'
    const reason = isBehind ? `rule ${rehearsal.stoppedBy} stops the evaluation` : null
    return { name: one.name, ...verdict(one, router.rule(one.name), event, reason), deliveries }
  })
  return { routes, stoppedBy: rehearsal.stoppedBy }
}

function verdict(
  { off }: ListedRule,
  rule: Rule | undefined,
  event: TaskEvent,
  behind: string | null,
): Omit<ExplainedRule, 'name' | 'deliveries'> {
  if (off !== null) return { matched: false, because: off }
  if (!rule) return { matched: false, because: 'none of its destinations can be used' }
  return ruleVerdict(rule, event, behind)
}

/** Whether the rule matches, and why not. `behind`: the reason why it was not evaluated; null = it was. */
export function ruleVerdict(
  rule: Pick<Rule, 'filter' | 'when'>,
  event: TaskEvent,
  behind: string | null,
): Pick<ExplainedRule, 'matched' | 'because' | 'fields'> {
  if (rule.filter) {
    const { matched, because, fields } = rule.filter.explain(event, event.receivedAt)
    return { matched: matched && behind === null, because: because ?? behind, fields }
  }
  const { types, outcomes } = rule.when
  const matched = types.includes(event.type) && outcomes.includes(event.outcome)
  const because = matched ? null : `it is about ${types.join(', ')} ${outcomes.join(', ')}`
  return { matched, because }
}

function explained({ route: _, kind, by, ...delivery }: RehearsedDelivery): ExplainedRule['deliveries'][number] {
  return { ...delivery, suppressedBy: by, ...(kind !== 'alert' && { kind }) }
}

class TakenBack extends Error {}

function rehearse({ db, router, storeEvent }: ExplainDeps, event: TaskEvent, now: number): Rehearsal {
  let rehearsal: Rehearsal | undefined
  try {
    db.transaction(() => {
      // Deliveries belong to an event; a sample is one for as long as this takes.
      if (!db.get('SELECT 1 FROM event WHERE id = ?', event.id)) storeEvent(db, event)
      rehearsal = router.rehearse(db, event, now)
      throw new TakenBack()
    })
  } catch (error) {
    if (!(error instanceof TakenBack)) throw error
  }
  if (!rehearsal) throw new Error('the rehearsal has no result')
  return rehearsal
}
