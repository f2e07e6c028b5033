/** Trials of a destination and of a rule that are not in use: nothing is stored. */
import { setImmediate } from 'node:timers/promises'
import { type EventKey, eventsBefore, loadTaskEvent } from '../events/store.ts'
import { refusal } from '../http/errors.ts'
import type { Windows } from '../platform/calendar.ts'
import { errorText } from '../platform/errors.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock, Logger } from '../platform/types.ts'
import { uuidV7 } from '../platform/uuid.ts'
import type { SettingTestOf } from '../settings/contract.ts'
import type { AlertRouteConfig } from './config-routes.ts'
import { createMasker } from './destinations/http.ts'
import { sendOnce } from './outbox/attempt.ts'
import type { AlertPlan, DestinationLimits } from './plan.ts'
import { createRuleAsker } from './rules/evaluate.ts'
import { compileFilter } from './rules/match.ts'
import { type Candidate, candidatesOf } from './rules/replay.ts'
import { createRuleTable } from './rules/table.ts'
import { sampleToSend } from './sample-event.ts'
import type { Destination } from './types.ts'

export interface Trial {
  readonly name: string
  readonly secrets: readonly string[]
  /** Whether an entry of the tried configuration is stored. */
  readonly isStored: DestinationLimits['isStored']
  readonly signal: AbortSignal
}

type TestedDestination = SettingTestOf<'destination'>
type Attempt = TestedDestination['attempts'][number]

/** Sends a test message to a destination of the plan, with one attempt for each of its targets. */
export async function trySending(
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
  { rules, registry, closeMail }: AlertPlan,
  { name, secrets, signal }: Omit<Trial, 'isStored'>,
): Promise<TestedDestination> {
  const destination = registry.find('', name)
  if (!destination) throw refusal('SETTING_WITHOUT_TEST', `The destination ${name} is switched off.`)
  const deps = { table: createRuleTable(rules), asker: createRuleAsker(log) }
  const now = clock.now()
  const event = sampleToSend(uuidV7(now), 'failed', now, 'reload')
  const mask = createMasker(secrets)
  try {
    const candidates = candidatesOf(deps, event, { routes: [], to: [name] })
    const attempts = candidates.map(async ({ rule, planned }): Promise<Attempt> => {
      const at = clock.now()
      const { message, ...result } = await attempt({ rule, planned }, destination, event, signal)
      const status = /\bHTTP (\d{3})\b/.exec(result.detail)?.[1]
      return {
        target: planned.target,
        outcome: result.outcome,
        status: status === undefined ? null : Number(status),
        detail: mask(result.detail).slice(0, MOST_DETAIL),
        durationMs: Math.round(clock.now() - at),
        subject: message?.subject ?? null,
        body: message ? mask(message.body) : null,
      }
    })
    return { kind: 'destination', attempts: await Promise.all(attempts) }
  } finally {
    await destination.close?.()
    closeMail()
  }
}

const MOST_DETAIL = 1000

async function attempt(
  { rule, planned }: Candidate,
  destination: Destination,
  event: ReturnType<typeof sampleToSend>,
  signal: AbortSignal,
) {
  const { target, suppress } = planned
  if (suppress) return { outcome: 'suppressed' as const, detail: suppress.detail, message: null }
  const about = { event, rule, target, deliveryId: uuidV7(event.receivedAt), severity: rule.severity ?? event.severity }
  try {
    const message = await destination.render({ ...about, suppressed: 0, kind: 'test', note: null })
    const { outcome, detail } = await sendOnce(destination, message, signal)
    return { outcome, detail, message }
  } catch (error) {
    return { outcome: 'rejected' as const, detail: errorText(error), message: null }
  }
}

const WEEK_MS = 7 * 86_400_000
const BATCH = 200
/** More events are not looked at, nor for longer. */
const MOST_EVENTS = 50_000
const BUDGET_MS = 1200
const NEWEST = 10

/** Counts the events of the last week that a rule fits by `match` and `except`. */
export async function tryRule(
  { db, clock }: { readonly db: Database; readonly clock: Clock },
  rule: AlertRouteConfig,
  windows: Pick<Windows, 'contains'>,
): Promise<SettingTestOf<'rule'>> {
  const filter = compileFilter(rule, { windows })
  const { types, outcomes } = filter.when
  const now = clock.now()
  const until = performance.now() + BUDGET_MS
  const newest: EventKey[] = []
  let [matched, lookedAt, isComplete] = [0, 0, false]
  let before: Pick<EventKey, 'receivedAt' | 'seq'> = { receivedAt: now + 1, seq: 0 }
  while (lookedAt < MOST_EVENTS && performance.now() < until) {
    const keys = eventsBefore(db, now - WEEK_MS, before, BATCH)
    for (const key of keys) {
      lookedAt += 1
      if (!types.includes(key.type) || !outcomes.includes(key.outcome)) continue
      const event = loadTaskEvent(db, key.id)
      if (!event || !filter.matches(event, event.receivedAt)) continue
      matched += 1
      if (newest.length < NEWEST) newest.push(key)
    }
    before = keys.at(-1) ?? before
    isComplete = keys.length < BATCH
    if (isComplete) break
    await setImmediate()
  }
  return {
    kind: 'rule',
    matched,
    lookedAt,
    from: new Date(isComplete ? now - WEEK_MS : before.receivedAt).toISOString(),
    partial: !isComplete,
    newest: newest.map(({ id, receivedAt, taskName, outcome }) => {
      return { id, at: new Date(receivedAt).toISOString(), task: taskName, outcome }
    }),
  }
}
