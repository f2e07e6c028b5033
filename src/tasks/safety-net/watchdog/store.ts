/** What the watchdog remembers: starts that are due, and what it has told. */
import type { Database } from '../../../platform/sqlite.ts'
import type { WatchName } from './policy.ts'

export interface Finding {
  /** The execution, or task and due time. */
  readonly subject: string
  readonly outcome: WatchName
  readonly taskId: string
}

export function noteDue(db: Database, taskId: string, dueAt: number): void {
  db.run('INSERT OR IGNORE INTO watchdog_due VALUES (?, ?)', taskId, dueAt)
}

export function isDue(db: Database, taskId: string, dueAt: number): boolean {
  return db.get('SELECT 1 FROM watchdog_due WHERE task_id = ? AND due_at = ?', taskId, dueAt) !== undefined
}

export function forgetDue(db: Database, taskId: string, dueAt: number): void {
  db.run('DELETE FROM watchdog_due WHERE task_id = ? AND due_at = ?', taskId, dueAt)
}

/** A start that has not come yet and is not planned any more, because somebody has changed the schedule. */
export function forgetFutureDues(db: Database, taskId: string, now: number): void {
  db.run('DELETE FROM watchdog_due WHERE task_id = ? AND due_at > ?', taskId, now)
}

export function duesBefore(db: Database, at: number): { readonly taskId: string; readonly dueAt: number }[] {
  return db.all('SELECT task_id AS taskId, due_at AS dueAt FROM watchdog_due WHERE due_at < ? ORDER BY due_at', at)
}

export function isTold(db: Database, { subject, outcome }: Pick<Finding, 'subject' | 'outcome'>): boolean {
  return db.get('SELECT 1 FROM watchdog_finding WHERE subject = ? AND outcome = ?', subject, outcome) !== undefined
}

export function noteFinding(db: Database, { subject, outcome, taskId }: Finding, at: number): void {
  db.run('INSERT OR IGNORE INTO watchdog_finding VALUES (?, ?, ?, ?, 1)', subject, outcome, taskId, at)
}

export function openFindings(db: Database): Finding[] {
  return db.all<Finding>(
    'SELECT subject, outcome, task_id AS taskId FROM watchdog_finding INDEXED BY watchdog_open WHERE open = 1',
  )
}

export function closeFinding(db: Database, { subject, outcome }: Finding): void {
  db.run('UPDATE watchdog_finding SET open = 0 WHERE subject = ? AND outcome = ?', subject, outcome)
}

export function purgeFindings(db: Database, before: number, limit: number): number {
  return db.run(
    'DELETE FROM watchdog_finding WHERE (subject, outcome) IN (SELECT subject, outcome FROM watchdog_finding WHERE at < ? AND open = 0 LIMIT ?)',
    before,
    limit,
  ).changes
}

/** Whether an execution of the task went on at that time or later. */
export function ranSince(db: Database, taskId: string, at: number): boolean {
  return db.get('SELECT 1 FROM execution WHERE task_id = ? AND stopped_at >= ? LIMIT 1', taskId, at) !== undefined
}
