/** Task events and databases for tests of the pipeline. */

import { outboxMigrations } from '../../src/alerts/outbox/migrations.ts'
import { alertRuleMigrations } from '../../src/alerts/rules/migrations.ts'
import { eventMigrations } from '../../src/events/migrations.ts'
import { insertEvent, type NewEvent } from '../../src/events/store.ts'
import type { TaskEvent } from '../../src/events/types.ts'
import { type Database, openDatabase } from '../../src/platform/sqlite.ts'
import { uuidV7 } from '../../src/platform/uuid.ts'

export const TASK_ID = 'a8b4c123-def4-5678-9abc-def012345678'
export const APP_ID = 'a1000000-0000-4000-8000-000000000002'

/** A `footman.db` with the tables of the pipeline. */
export function pipelineDatabase(file: string): Database {
  return openDatabase(file, { migrations: [...eventMigrations, ...outboxMigrations, ...alertRuleMigrations] })
}

/** A failed reload with the data of a datagram. */
export function taskEvent(changes: Partial<TaskEvent> = {}): TaskEvent {
  return {
    id: uuidV7(),
    receivedAt: Date.now(),
    source: 'udp',
    type: 'reload',
    outcome: 'failed',
    severity: 'error',
    host: 'qs-central',
    taskName: 'Financial Dashboard Reload',
    appName: 'Sales Dashboard',
    user: 'INTERNAL\\sa_scheduler',
    taskId: TASK_ID,
    appId: APP_ID,
    logTimeStamp: '2026-03-02 07:03:11,482',
    logLevel: 'INFO',
    executionId: 'e5000000-0000-4000-8000-000000000001',
    logMessage: 'Max retries reached',
    task: null,
    app: null,
    owner: null,
    execution: null,
    scriptLog: null,
    missingParts: [],
    details: null,
    code: null,
    history: null,
    retry: null,
    test: false,
    ...changes,
  }
}

let journalId = 0

/** Stores an event as pending; returns its sequence number. */
export function storePending(db: Database, event: TaskEvent, changes: Partial<NewEvent> = {}): number {
  journalId += 1
  const seq = insertEvent(db, {
    id: event.id,
    journalId,
    receivedAt: event.receivedAt,
    source: 'udp',
    sender: '127.0.0.1',
    type: event.type,
    typeKnown: false,
    announced: event.outcome,
    outcome: event.outcome,
    severity: event.severity,
    deadlineAt: event.receivedAt + 60_000,
    message: event,
    nameTokens: null,
    ...changes,
  })
  if (seq === null) throw new Error('this journal entry is an event already')
  return seq
}
