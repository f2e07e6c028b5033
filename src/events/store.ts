/**
 * Events in `footman.db`: one row per event, its Qlik data as JSON, its script log compressed beside it; then the keys that
 * find repeats, the dropped datagrams, and cursors.
 */
import { nodeZlib } from '../platform/builtins.ts'
import { type Database, storedJson } from '../platform/sqlite.ts'
import type {
  DropReason,
  EventDetails,
  EventOutcome,
  EventSource,
  EventState,
  EventType,
  IgnoreReason,
  MissingPart,
  RetryState,
  ScriptLog,
  Severity,
  TaskEvent,
  TaskHistory,
  TaskMessage,
  TaskType,
} from './types.ts'

export interface NewEvent {
  readonly id: string
  readonly journalId: number | null
  readonly receivedAt: number
  readonly source: EventSource
  readonly sender: string
  readonly type: EventType
  /** True when QRS named the type, false when it is a guess. */
  readonly typeKnown: boolean
  /** The outcome in the message; `distribute` = handed over, its end is not known yet. */
  readonly announced: EventOutcome | 'distribute'
  readonly outcome: EventOutcome
  readonly severity: Severity
  readonly deadlineAt: number
  readonly message: TaskMessage
  readonly nameTokens: readonly string[] | null
  readonly code?: string | null
  readonly details?: EventDetails | null
  readonly test?: boolean
  /** In a cluster: the name of the message on every node. */
  readonly messageKey?: string
  /** In a cluster: the node that accepted the message. */
  readonly acceptedBy?: string | null
}

export interface StoredEvent
  extends Omit<NewEvent, 'message' | 'code' | 'details' | 'test' | 'acceptedBy'>,
    TaskMessage {
  readonly seq: number
  readonly state: EventState
  readonly reason: IgnoreReason | null
  readonly nextAttemptAt: number
  readonly missingParts: readonly MissingPart[]
  /** Data of QRS; of a pending event only when some of its deliveries have been added, or when it waits on disk. */
  readonly qlik: Pick<
    TaskEvent,
    'task' | 'app' | 'owner' | 'execution' | 'absentParts' | 'missingReasons' | 'node' | 'logSkipped'
  > | null
  readonly test: boolean
  readonly code: string | null
  readonly details: EventDetails | null
  readonly history: TaskHistory | null
  readonly retry: RetryState | null
}

interface Row {
  seq: number
  id: string
  journal_id: number | null
  received_at: number
  source: EventSource
  sender: string
  type: EventType
  type_known: number
  announced: EventOutcome | 'distribute'
  outcome: EventOutcome
  severity: Severity
  state: EventState
  reason: IgnoreReason | null
  deadline_at: number
  next_attempt_at: number
  host: string
  user: string
  task_id: string
  task_name: string
  app_id: string
  app_name: string
  execution_id: string
  log_time: string
  log_level: string
  log_message: string
  name_tokens: string | null
  missing_parts: string
  qlik: string | null
  test: number
  code: string | null
  details: string | null
  history: string | null
  retry: string | null
  message_key: string | null
}

/** Statements whose cost must not grow with the number of events. */
const SQL = {
  due: `SELECT seq, task_id AS taskId FROM event WHERE state = 'pending' AND next_attempt_at <= ?
    AND task_id NOT IN (SELECT value FROM json_each(?)) ORDER BY next_attempt_at, seq LIMIT ?`,
  pending: `SELECT * FROM event WHERE seq = ? AND state = 'pending'`,
  late: `SELECT * FROM event WHERE state = 'pending' AND deadline_at > ? AND deadline_at <= ? ORDER BY deadline_at LIMIT ?`,
  nextDeadline: `SELECT min(deadline_at) AS at FROM event WHERE state = 'pending' AND deadline_at > ?`,
  nextAttempt: `SELECT min(next_attempt_at) AS at FROM event WHERE state = 'pending' AND next_attempt_at > ?`,
  lastKnownType: 'SELECT type FROM event WHERE task_id = +? AND type_known = 1 ORDER BY seq DESC LIMIT 1',
  byId: 'SELECT * FROM event WHERE id = ?',
  before: `SELECT seq, id, received_at AS receivedAt, type, outcome, task_name AS taskName FROM event INDEXED BY event_received
    WHERE received_at >= ? AND (received_at, seq) < (?, ?) AND state = 'routed' AND test = 0
    ORDER BY received_at DESC, seq DESC LIMIT ?`,
} as const

const INSERT = `INSERT INTO event (id, journal_id, received_at, source, sender, type, type_known, announced, outcome,
  severity, state, deadline_at, next_attempt_at, host, user, task_id, task_name, app_id, app_name, execution_id,
  log_time, log_level, log_message, name_tokens, code, details, test, message_key, accepted_by)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (journal_id) WHERE journal_id IS NOT NULL DO NOTHING`

/** Adds a pending event; returns its sequence number, or null when this journal entry is already an event. */
export function insertEvent(db: Database, event: NewEvent): number | null {
  const { message: m } = event
  const { changes, lastId } = db.run(
    INSERT,
    event.id,
    event.journalId,
    event.receivedAt,
    event.source,
    event.sender,
    event.type,
    event.typeKnown ? 1 : 0,
    event.announced,
    event.outcome,
    event.severity,
    event.deadlineAt,
    event.receivedAt,
    m.host,
    m.user,
    m.taskId,
    m.taskName,
    m.appId,
    m.appName,
    m.executionId,
    m.logTimeStamp,
    m.logLevel,
    m.logMessage,
    event.nameTokens ? JSON.stringify(event.nameTokens) : null,
    event.code ?? null,
    event.details ? JSON.stringify(event.details) : null,
    event.test ? 1 : 0,
    event.messageKey ?? null,
    event.acceptedBy ?? null,
  )
  return changes > 0 ? lastId : null
}

/** Pending events that are due, oldest first; none of the tasks `without`. Reads the index alone. */
export function duePendingEvents(
  db: Database,
  now: number,
  limit: number,
  without: ReadonlySet<string> = new Set(),
): { readonly seq: number; readonly taskId: string }[] {
  return db.all(SQL.due, now, JSON.stringify([...without]), limit)
}

export function pendingEvent(db: Database, seq: number): StoredEvent | null {
  const row = db.get<Row>(SQL.pending, seq)
  return row ? fromRow(row) : null
}

/** Pending events whose deadline lies after `after` and not after `now`, those that are late the longest first. */
export function latePendingEvents(db: Database, after: number, now: number, limit: number): StoredEvent[] {
  return db.all<Row>(SQL.late, after, now, limit).map(fromRow)
}

/** The deadline that is over next after `now`; null when no pending event has one. */
export function nextDeadline(db: Database, now: number): number | null {
  return db.get<{ at: number | null }>(SQL.nextDeadline, now)?.at ?? null
}

/** When the next pending event becomes due or late after `now`; null when none will. */
export function nextPendingAt(db: Database, now: number): number | null {
  const at = (sql: string) => db.get<{ at: number | null }>(sql, now)?.at ?? Number.POSITIVE_INFINITY
  const next = Math.min(at(SQL.nextAttempt), at(SQL.nextDeadline))
  return Number.isFinite(next) ? next : null
}

/** The journal is going to give ids above `id` (again): the events that carry them are of entries that are gone. */
export function forgetJournalIds(db: Database, id: number): void {
  db.run('UPDATE event SET journal_id = NULL WHERE journal_id > ?', id)
  db.run('UPDATE unverified SET journal_id = NULL WHERE journal_id > ?', id)
}

/** Events of the same task, type and outcome that arrived in the same millisecond, before this one. */
export function countEarlierTwins(db: Database, { id, receivedAt, taskId, type, outcome }: TaskEvent): number {
  return (
    db.get<{ n: number }>(
      `SELECT count(*) AS n FROM event WHERE received_at = ? AND task_id = ? AND +type = ? AND +outcome = ?
         AND seq < (SELECT seq FROM event WHERE id = ?)`,
      receivedAt,
      taskId,
      type,
      outcome,
      id,
    )?.n ?? 0
  )
}

export function countPendingEvents(db: Database): number {
  return db.get<{ n: number }>(`SELECT count(*) AS n FROM event WHERE state = 'pending'`)?.n ?? 0
}

/** When the oldest pending event arrived; null when none is pending. Reads what is pending, not all that ever came. */
export function oldestPendingAt(db: Database): number | null {
  const sql = `SELECT min(received_at) AS at FROM event INDEXED BY event_pending WHERE state = 'pending'`
  return db.get<{ at: number | null }>(sql)?.at ?? null
}

/** When the oldest of the pending events arrived whose deadline is over; null when there is none. */
export function overdueSince(db: Database, now: number): number | null {
  const sql = `SELECT min(received_at) AS at FROM event INDEXED BY event_deadline WHERE state = 'pending' AND deadline_at <= ?`
  return db.get<{ at: number | null }>(sql, now)?.at ?? null
}

/** Puts a pending event aside until `at`. */
export function parkEvent(db: Database, seq: number, at: number): void {
  db.run('UPDATE event SET next_attempt_at = ? WHERE seq = ?', at, seq)
}

export function ignoreEvent(db: Database, seq: number, reason: IgnoreReason): void {
  db.run(`UPDATE event SET state = 'ignored', reason = ? WHERE seq = ?`, reason, seq)
}

/** Stores an event that is complete already, as routed; to be called in the transaction that adds its deliveries. */
export function storeWholeEvent(db: Database, event: TaskEvent): void {
  const seq = insertEvent(db, {
    ...event,
    journalId: null,
    sender: '',
    typeKnown: true,
    announced: event.outcome,
    deadlineAt: event.receivedAt,
    message: event,
    nameTokens: null,
  })
  if (seq !== null) storeRoutedEvent(db, seq, event, false)
}

/** Stores the data of an event and marks it as routed; to be called in the transaction that adds its deliveries. */
export function storeRoutedEvent(db: Database, seq: number, event: TaskEvent, typeKnown: boolean): void {
  storeKnown(db, seq, event, typeKnown, 'routed')
}

/**
 * Stores what is known so far of an event that goes on waiting; to be called in the transaction that adds the deliveries
 * that wait no longer. False when it does not wait any more.
 */
export function storePendingEvent(db: Database, seq: number, event: TaskEvent): boolean {
  if (!db.get(`SELECT 1 FROM event WHERE seq = ? AND state = 'pending'`, seq)) return false
  storeKnown(db, seq, event, true, 'pending')
  return true
}

function storeKnown(db: Database, seq: number, event: TaskEvent, typeKnown: boolean, state: EventState): void {
  db.run(
    `UPDATE event SET state = ?, type = ?, type_known = ?, outcome = ?, severity = ?, task_name = ?, app_id = ?,
       app_name = ?, missing_parts = ?, qlik = ?, history = ?, retry = ? WHERE seq = ?`,
    state,
    event.type,
    typeKnown ? 1 : 0,
    event.outcome,
    event.severity,
    event.taskName,
    event.appId,
    event.appName,
    JSON.stringify(event.missingParts),
    JSON.stringify(qlikOf(event)),
    event.history ? JSON.stringify(event.history) : null,
    event.retry ? JSON.stringify(event.retry) : null,
    seq,
  )
  if (event.scriptLog) storeScriptLog(db, event.id, event.scriptLog)
}

/** No further retry is made of the event's task, for this reason. */
export function storeRetryRefused(db: Database, eventId: string, refused: string): void {
  const row = db.get<{ retry: string | null }>('SELECT retry FROM event WHERE id = ?', eventId)
  const retry = storedJson<RetryState | null>(row?.retry, null)
  if (!retry) return
  db.run('UPDATE event SET retry = ? WHERE id = ?', JSON.stringify({ ...retry, nextAt: null, refused }), eventId)
}

function qlikOf(event: TaskEvent): StoredEvent['qlik'] {
  const { task, app, owner, execution, absentParts, missingReasons, node, logSkipped } = event
  return {
    task,
    app,
    owner,
    execution,
    ...(absentParts?.length ? { absentParts } : {}),
    ...(missingReasons && { missingReasons }),
    ...(node && { node }),
    ...(logSkipped && { logSkipped }),
  }
}

/** The complete record of one event; null when it does not exist (any more). */
export function loadTaskEvent(db: Database, id: string): TaskEvent | null {
  const row = db.get<Row>(SQL.byId, id)
  return row ? withScriptLog(db, toTaskEvent(fromRow(row), null)) : null
}

export interface EventKey extends Pick<TaskEvent, 'id' | 'receivedAt' | 'type' | 'outcome' | 'taskName'> {
  readonly seq: number
}

/** Routed events since `from` that come before another one, newest first, without tests. */
export function eventsBefore(
  db: Database,
  from: number,
  before: Pick<EventKey, 'receivedAt' | 'seq'>,
  limit: number,
): readonly EventKey[] {
  return db.all(SQL.before, from, before.receivedAt, before.seq, limit)
}

/** The record that rules and templates see, from what is stored. */
export function toTaskEvent(stored: StoredEvent, scriptLog: ScriptLog | null): TaskEvent {
  const { seq, journalId, sender, typeKnown, announced, state, reason, ...rest } = stored
  const { deadlineAt, nextAttemptAt, nameTokens, qlik, ...event } = rest
  return { ...event, ...(qlik ?? { task: null, app: null, owner: null, execution: null }), scriptLog }
}

function fromRow(row: Row): StoredEvent {
  return {
    seq: row.seq,
    id: row.id,
    journalId: row.journal_id,
    receivedAt: row.received_at,
    source: row.source,
    sender: row.sender,
    type: row.type,
    typeKnown: row.type_known === 1,
    announced: row.announced,
    outcome: row.outcome,
    severity: row.severity,
    state: row.state,
    reason: row.reason,
    deadlineAt: row.deadline_at,
    nextAttemptAt: row.next_attempt_at,
    host: row.host,
    user: row.user,
    taskId: row.task_id,
    taskName: row.task_name,
    appId: row.app_id,
    appName: row.app_name,
    executionId: row.execution_id,
    logTimeStamp: row.log_time,
    logLevel: row.log_level,
    logMessage: row.log_message,
    nameTokens: storedJson<string[] | null>(row.name_tokens, null),
    missingParts: storedJson<MissingPart[]>(row.missing_parts, []),
    qlik: storedJson<StoredEvent['qlik']>(row.qlik, null),
    test: row.test === 1,
    code: row.code,
    details: storedJson<EventDetails | null>(row.details, null),
    history: storedJson<TaskHistory | null>(row.history, null),
    retry: storedJson<RetryState | null>(row.retry, null),
    ...(row.message_key !== null && { messageKey: row.message_key }),
  }
}

/** The type that QRS named for a task the last time, null when it never did. */
export function lastKnownType(db: Database, taskId: string): TaskType | null {
  return db.get<{ type: TaskType }>(SQL.lastKnownType, taskId)?.type ?? null
}

// Script logs, compressed.

/** Larger ones may be read anew at each access; in UTF-16 code units. */
const KEPT_LOG = 256 * 1024

export function storeScriptLog(db: Database, eventId: string, { lines, characters }: ScriptLog): void {
  const gzip = nodeZlib().gzipSync(lines.join('\n'), { level: 1 })
  db.run('INSERT OR REPLACE INTO script_log VALUES (?, ?, ?)', eventId, characters, gzip)
}

/**
 * The event with its script log, which is read at the first access: most destinations do not use it, and unpacking it
 * is most of the work of loading an event.
 */
function withScriptLog(db: Database, event: TaskEvent): TaskEvent {
  let kept: ScriptLog | null | undefined
  let large: WeakRef<ScriptLog> | undefined
  const get = (): ScriptLog | null => {
    const known = kept === undefined ? large?.deref() : kept
    if (known !== undefined) return known
    const scriptLog = loadScriptLog(db, event.id)
    if (scriptLog && scriptLog.characters > KEPT_LOG) large = new WeakRef(scriptLog)
    else kept = scriptLog
    return scriptLog
  }
  return Object.defineProperty({ ...event }, 'scriptLog', { enumerable: true, configurable: true, get })
}

function loadScriptLog(db: Database, eventId: string): ScriptLog | null {
  const row = db.get<{ characters: number; gzip: Uint8Array }>(
    'SELECT characters, gzip FROM script_log WHERE event_id = ?',
    eventId,
  )
  if (!row) return null
  return { lines: nodeZlib().gunzipSync(row.gzip).toString('utf8').split('\n'), characters: row.characters }
}

/** Two messages with the same key are repeats. Null without an execution id: such a message is never a repeat. */
export function dedupKey(executionId: string, outcome: EventOutcome | 'distribute'): string | null {
  return executionId ? `${executionId}|${outcome}` : null
}

/** Reserves a dedup key; false when it is taken and has not expired. */
export function takeDedupKey(db: Database, key: string, now: number, ttlMs: number): boolean {
  const { changes } = db.run(
    `INSERT INTO dedup VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET expires_at = excluded.expires_at
       WHERE expires_at <= ?`,
    key,
    now + ttlMs,
    now,
  )
  return changes > 0
}

/** True while the key is reserved. */
export function isDedupKeyTaken(db: Database, key: string, now: number): boolean {
  return db.get('SELECT 1 FROM dedup WHERE key = ? AND expires_at > ?', key, now) !== undefined
}

/** Forgets at most `limit` keys that expired before `now`; returns how many. */
export function purgeDedupKeys(db: Database, now: number, limit: number): number {
  return db.run(
    'DELETE FROM dedup WHERE key IN (SELECT key FROM dedup WHERE expires_at < ? ORDER BY expires_at LIMIT ?)',
    now,
    limit,
  ).changes
}

const DROPS_KEPT = 1000

export interface DroppedDatagram {
  readonly at: number
  readonly sender: string
  readonly reason: DropReason
  readonly raw: Uint8Array
}

/** Keeps the last 1,000 dropped datagrams for inspection. */
export function recordDrops(db: Database, drops: readonly DroppedDatagram[]): void {
  for (const drop of drops) {
    db.run(
      'INSERT INTO dropped_datagram (at, sender, reason, raw) VALUES (?, ?, ?, ?)',
      drop.at,
      drop.sender,
      drop.reason,
      drop.raw,
    )
  }
  db.run('DELETE FROM dropped_datagram WHERE seq <= (SELECT max(seq) FROM dropped_datagram) - ?', DROPS_KEPT)
}

export function readMeta(db: Database, key: string): string | null {
  return db.get<{ value: string }>('SELECT value FROM meta WHERE key = ?', key)?.value ?? null
}

export function writeMeta(db: Database, key: string, value: string): void {
  db.run('INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value', key, value)
}
