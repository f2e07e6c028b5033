/** Looks at every condition every few seconds, raises an alert when one begins to hold and clears it when it ends. */

import type { EventDetails } from '../../events/types.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import { createRecurringJob } from '../../platform/recurring-job.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../../platform/types.ts'
import { deleteRaised, loadRaised, type Raised, saveRaised } from './store.ts'
import type { Condition, Finding, SelfCode } from './types.ts'

export interface SelfEvent {
  readonly source: 'self'
  readonly type: 'self'
  readonly outcome: 'raised' | 'cleared'
  readonly code: SelfCode
  readonly message: { readonly host: string; readonly logMessage: string }
  readonly details: EventDetails
}

export interface CheckerDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly emit: (event: SelfEvent, also: (db: Database) => void) => Promise<unknown>
  readonly conditions: readonly Condition[]
}

export interface CheckerSettings {
  /** Name of this node, the host of its events. */
  readonly host: string
  /** Default 3 s. */
  readonly everyMs?: number
}

export interface SelfAlerts extends Service {
  /** Looks at once; for tests. */
  check(): Promise<void>
}

export function createChecker(deps: CheckerDeps, settings: CheckerSettings): SelfAlerts {
  const { db, writer, clock, log, conditions } = deps
  const raised = loadRaised(db)
  /** What stands in the log already while it cannot be stored, or looked at. */
  const written = new Map<SelfCode, string>()

  async function lookAt(condition: Condition): Promise<void> {
    const { code, lastsMs = 0 } = condition
    const before = raised.get(code) ?? null
    const now = clock.now()
    const findings = await condition.look(now, Object.keys(before?.subjects ?? {}))
    const subjects = updated(before?.subjects ?? {}, findings, now, lastsMs)
    if (!before && Object.keys(subjects).length > 0) return raise(code, { raisedAt: now, subjects })
    if (before && Object.keys(subjects).length === 0) return clear(code, before, now)
    if (before && JSON.stringify(subjects) !== JSON.stringify(before.subjects)) await change(code, before, subjects)
  }

  async function raise(code: SelfCode, state: Raised): Promise<void> {
    const text = textOf(state)
    if (!written.has(code)) {
      written.set(code, '')
      log.error(`SELF ${code}: ${text}`)
    }
    await deps.emit(eventOf(code, 'raised', text), (tx) => saveRaised(tx, code, state))
    raised.set(code, state)
  }

  async function clear(code: SelfCode, before: Raised, now: number): Promise<void> {
    const text = `Over after ${duration(now - before.raisedAt)}. It was: ${textOf(before)}`
    log.info(`SELF ${code} cleared: ${text}`)
    await deps.emit(eventOf(code, 'cleared', text), (tx) => deleteRaised(tx, code))
    raised.delete(code)
  }

  /** One more, or one less: told in the log alone, as the alert still stands. */
  async function change(code: SelfCode, before: Raised, subjects: Raised['subjects']): Promise<void> {
    for (const [subject, { text }] of Object.entries(subjects)) {
      if (!(subject in before.subjects)) log.error(`SELF ${code}: ${text}`)
    }
    for (const [subject, { text }] of Object.entries(before.subjects)) {
      if (!(subject in subjects)) log.info(`SELF ${code}: no longer: ${text}`)
    }
    const state = { ...before, subjects }
    await writer.write((tx) => saveRaised(tx, code, state))
    raised.set(code, state)
  }

  function eventOf(code: SelfCode, outcome: SelfEvent['outcome'], text: string): SelfEvent {
    const message = { host: settings.host, logMessage: text }
    return { source: 'self', type: 'self', outcome, code, message, details: { kind: 'self', text } }
  }

  async function checkAll(): Promise<void> {
    for (const condition of conditions) {
      try {
        await lookAt(condition)
        written.delete(condition.code)
      } catch (error) {
        failed(condition.code, error instanceof Error ? error.message : String(error))
      }
    }
  }

  /** What cannot be told now is told at a later look. */
  function failed(code: SelfCode, reason: string): void {
    if (written.get(code) === reason) return
    written.set(code, reason)
    log.error(`SELF ${code}: It cannot be told or looked at now: ${reason}`)
  }

  const checks = createRecurringJob({ everyMs: settings.everyMs ?? 3000, unref: true }, checkAll)
  return { name: 'self-alerts', check: checks.run, start: async () => checks.start(), stop: checks.stop }
}

/** What is bad now, and what was and is not known to be over. */
function updated(
  before: Raised['subjects'],
  findings: readonly Finding[],
  now: number,
  lastsMs: number,
): Raised['subjects'] {
  const subjects = { ...before }
  for (const finding of findings) {
    const { subject } = finding
    if (finding.state === 'bad') {
      const known = before[subject]
      // Texts hold counts and times: the one of the beginning stays, unless the time has to be kept.
      subjects[subject] = known && lastsMs === 0 ? known : { text: finding.text, at: now }
    } else if (finding.state === 'gone' || now - (before[subject]?.at ?? 0) >= lastsMs) delete subjects[subject]
  }
  return subjects
}

const MAX_NAMED = 10

function textOf({ subjects }: Raised): string {
  const texts = Object.values(subjects).map(({ text }) => text)
  const more = texts.length - MAX_NAMED
  return [...texts.slice(0, MAX_NAMED), ...(more > 0 ? [`And ${more} more.`] : [])].join(' ')
}

function duration(ms: number): string {
  const minutes = Math.round(ms / 60_000)
  if (minutes < 1) return 'less than a minute'
  if (minutes < 120) return minutes === 1 ? '1 minute' : `${minutes} minutes`
  return `${Math.round(minutes / 60)} hours`
}
