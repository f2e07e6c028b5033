/** Checks every condition every few seconds, raises an alert when one begins to hold and clears it when it ends. */

import type { EventDetails } from '../../events/types.ts'
import { errorText } from '../../platform/errors.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import { createRecurringJob } from '../../platform/recurring-job.ts'
import type { Database, Migration } from '../../platform/sqlite.ts'
import { storedJson } from '../../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../../platform/types.ts'
import type { Condition, Finding, SelfCode } from './types.ts'

interface SelfEvent {
  readonly source: 'self'
  readonly type: 'self'
  readonly outcome: 'raised' | 'cleared'
  readonly code: SelfCode
  readonly message: { readonly host: string; readonly logMessage: string }
  readonly details: EventDetails
}

interface CheckerDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly emit: (event: SelfEvent, also: (db: Database) => void) => Promise<unknown>
  readonly conditions: readonly Condition[]
}

interface CheckerSettings {
  /** Name of this node, the host of its events. */
  readonly host: string
  /** Default 3 s. */
  readonly everyMs?: number
}

export interface SelfAlerts extends Service {
  /** Checks at once; for tests. */
  check(): Promise<void>
}

export function createChecker(deps: CheckerDeps, settings: CheckerSettings): SelfAlerts {
  const { db, writer, clock, log, conditions } = deps
  const raised = loadRaised(db)
  /** Alerts of the run before, until the log has named them. */
  const inherited = new Set(raised.keys())
  /** The last logged text of a condition that cannot be stored or checked. */
  const written = new Map<SelfCode, string>()

  async function lookAt(condition: Condition): Promise<void> {
    const { code, lastsMs = 0 } = condition
    const before = raised.get(code) ?? null
    const now = clock.now()
    const findings = await condition.look(now, Object.keys(before?.subjects ?? {}))
    const subjects = updated(before?.subjects ?? null, findings, now, lastsMs)
    if (!before && Object.keys(subjects).length > 0) return raise(code, { raisedAt: now, joinedSaidAt: null, subjects })
    if (before && Object.keys(subjects).length === 0) return clear(code, before, now)
    if (before && JSON.stringify(subjects) !== JSON.stringify(before.subjects)) await change(code, before, subjects)
    const standing = raised.get(code)
    if (before && standing) await sayJoined(code, standing, now)
    if (before && inherited.delete(code)) log.info(`SELF ${code} still stands: ${textOf({ subjects })}`)
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

  /** A subject more or less is logged at once. */
  async function change(code: SelfCode, before: Raised, subjects: Raised['subjects']): Promise<void> {
    for (const [subject, { text }] of Object.entries(subjects)) {
      if (!(subject in before.subjects)) log.error(`SELF ${code}: ${text}`)
    }
    const over = Object.entries(before.subjects).filter(([subject]) => !(subject in subjects))
    for (const [, { text }] of over) log.info(`SELF ${code}: no longer: ${text}`)
    if (over.length > 0) log.info(`SELF ${code} still stands: ${textOf({ subjects })}`)
    const state = { ...before, subjects }
    await writer.write((tx) => saveRaised(tx, code, state))
    raised.set(code, state)
  }

  /** One message about all that has joined, and for those that join after it one more, later. Subjects that leave get none. */
  async function sayJoined(code: SelfCode, before: Raised, now: number): Promise<void> {
    const joined = joinedToSay(before, now)
    if (joined.length === 0) return
    const named = joined.map(([subject, { joinedAt: _, ...seen }]) => [subject, seen] as const)
    const state = { ...before, joinedSaidAt: now, subjects: { ...before.subjects, ...Object.fromEntries(named) } }
    const others = Object.entries(before.subjects).filter(([subject]) => !joined.some(([name]) => name === subject))
    const kept = textOf({ subjects: Object.fromEntries(others) })
    const text = `Also: ${textOf({ subjects: Object.fromEntries(joined) })}${kept && ` As before: ${kept}`}`
    const event = eventOf(code, 'raised', text)
    const details = { kind: 'self', text, joined: true } as const
    await deps.emit({ ...event, details }, (tx) => saveRaised(tx, code, state))
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
        failed(condition.code, errorText(error))
      }
    }
  }

  /** The next check tries again. */
  function failed(code: SelfCode, reason: string): void {
    if (written.get(code) === reason) return
    written.set(code, reason)
    log.error(`SELF ${code}: It cannot be checked or reported now: ${reason}`)
  }

  const checks = createRecurringJob({ everyMs: settings.everyMs ?? 3000, unref: true }, checkAll)
  return { name: 'self-alerts', check: checks.run, start: async () => checks.start(), stop: checks.stop }
}

/** The subjects that are bad now, and those that were bad and are not known to be good. */
function updated(
  standing: Raised['subjects'] | null,
  findings: readonly Finding[],
  now: number,
  lastsMs: number,
): Raised['subjects'] {
  const before = standing ?? {}
  const subjects = { ...before }
  for (const finding of findings) {
    const { subject } = finding
    if (finding.state === 'bad') {
      const known = before[subject]
      // Texts hold counts and times: the one of the beginning stays, unless the time has to be kept.
      const seen = known && lastsMs === 0 ? known : { ...known, text: finding.text, at: now }
      subjects[subject] = standing && !known ? { ...seen, joinedAt: now } : seen
    } else if (finding.state === 'gone' || now - (before[subject]?.at ?? 0) >= lastsMs) delete subjects[subject]
  }
  return subjects
}

/** Subjects of one fault join within moments: one message names all of them. */
const JOINED_SETTLE_MS = 60_000
/** Longer than the hour in which a rule sends one message about it. */
const JOINED_EVERY_MS = 61 * 60_000

/** The subjects that have joined and are to be named in a message now. */
function joinedToSay({ joinedSaidAt, subjects }: Raised, now: number): readonly (readonly [string, RaisedSubject])[] {
  const joined = Object.entries(subjects).filter(([, { joinedAt }]) => joinedAt !== undefined)
  const since = Math.min(...joined.map(([, { joinedAt = now }]) => joinedAt))
  const isRecent = joinedSaidAt !== null && now - joinedSaidAt < JOINED_EVERY_MS
  return isRecent || now - since < JOINED_SETTLE_MS ? [] : joined
}

const MAX_NAMED = 10

function textOf({ subjects }: Pick<Raised, 'subjects'>): string {
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

/** Which self-alerts are raised, so that a restart neither raises nor clears one a second time. */
export const selfAlertMigrations: readonly Migration[] = [
  {
    name: 'self-alerts-001',
    sql: `CREATE TABLE self_alert (
        code TEXT PRIMARY KEY,
        raised_at INTEGER NOT NULL,
        subjects TEXT NOT NULL
      ) WITHOUT ROWID;`,
  },
  { name: 'self-alerts-002', sql: 'ALTER TABLE self_alert ADD COLUMN joined_said_at INTEGER' },
]

interface RaisedSubject {
  readonly text: string
  /** When it was seen the last time, milliseconds since 1970. */
  readonly at: number
  /** When it joined the alert; absent = a message has named it. */
  readonly joinedAt?: number
}

interface Raised {
  readonly raisedAt: number
  /** The newest message about what has joined; null = there was none. */
  readonly joinedSaidAt: number | null
  /** By subject; never empty. */
  readonly subjects: Readonly<Record<string, RaisedSubject>>
}

interface RaisedRow {
  readonly code: SelfCode
  readonly raisedAt: number
  readonly joinedSaidAt: number | null
  readonly subjects: string
}

const SQL = {
  all: 'SELECT code, raised_at AS raisedAt, joined_said_at AS joinedSaidAt, subjects FROM self_alert',
  save: 'INSERT OR REPLACE INTO self_alert (code, raised_at, joined_said_at, subjects) VALUES (?, ?, ?, ?)',
} as const

/** The alerts that stand, by code. */
export function loadRaised(db: Database): Map<SelfCode, Raised> {
  return new Map(
    db.all<RaisedRow>(SQL.all).flatMap(({ code, subjects: stored, ...row }): [SelfCode, Raised][] => {
      const subjects = storedJson<Raised['subjects'] | null>(stored, null)
      return subjects ? [[code, { ...row, subjects }]] : []
    }),
  )
}

function saveRaised(db: Database, code: SelfCode, { raisedAt, joinedSaidAt, subjects }: Raised): void {
  db.run(SQL.save, code, raisedAt, joinedSaidAt, JSON.stringify(subjects))
}

function deleteRaised(db: Database, code: SelfCode): void {
  db.run('DELETE FROM self_alert WHERE code = ?', code)
}
