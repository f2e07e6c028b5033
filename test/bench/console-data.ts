/** Months of history for the pages of the console, written into the database of a Footman that does not run. */
import { DatabaseSync } from 'node:sqlite'

export interface ConsoleRows {
  readonly events: number
  readonly deliveries: number
  readonly executions: number
}

export const ROWS: ConsoleRows = { events: 100_000, deliveries: 250_000, executions: 100_000 }
/** As many as the specification of the budgets names. */
export const ALL_ROWS: ConsoleRows = { events: 1_000_000, deliveries: 2_500_000, executions: 1_000_000 }

/** Stands in the message of every 20,000th event, whose type is rare too. */
export const RARE_TEXT = 'quokka'
const EVENT_ID = '019cad24-0000-7000-8000-%012d'
export const eventId = (n: number): string => `019cad24-0000-7000-8000-${String(n).padStart(12, '0')}`

/** Between two events; the newest one is this old. */
const STEP_MS = 20_000
const EXECUTION_MS = 60_000

/** `taskIds`: those of the site, among which the rows are spread. */
export function growHistory(file: string, rows: ConsoleRows, taskIds: readonly string[]): void {
  const db = new DatabaseSync(file, { timeout: 10_000 })
  try {
    const triggers = db.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all() as {
      name: string
      sql: string
    }[]
    db.exec('PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE')
    for (const { name } of triggers) db.exec(`DROP TRIGGER ${name}`)
    db.exec('CREATE TEMP TABLE bench_task (n INTEGER PRIMARY KEY, id TEXT)')
    const addTask = db.prepare('INSERT INTO bench_task VALUES (?, ?)')
    for (const [n, id] of taskIds.entries()) addTask.run(n, id)
    for (const [sql, count] of inserts(rows, taskIds.length)) db.prepare(sql).run({ $count: count, $now: Date.now() })
    for (const { sql } of triggers) db.exec(sql)
    db.exec('COMMIT; ANALYZE')
  } finally {
    db.close()
  }
}

/** `outcome`: every 500th has failed, so that a list of failures has to look far. */
function inserts(rows: ConsoleRows, tasks: number): readonly (readonly [sql: string, count: number])[] {
  const numbers = 'WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < $count)'
  const task = `JOIN bench_task ON bench_task.n = number.n % ${tasks}`
  const outcome = "iif(number.n % 500 = 0, 'failed', 'success')"
  const at = (step: number) => `$now - ($count - number.n + 1) * ${step}`
  return [
    [
      `${numbers} INSERT INTO event (id, received_at, source, sender, type, announced, outcome, severity, state, deadline_at,
         next_attempt_at, host, user, task_id, task_name, app_id, app_name, execution_id, log_time, log_level, log_message)
       SELECT printf('${EVENT_ID}', number.n), ${at(STEP_MS)}, 'udp', '10.0.0.1', iif(number.n % 20000 = 0, 'license', 'reload'), 'success',
         ${outcome}, 'info', 'routed', 0, 0, 'qs-1', 'LAB\\anna', bench_task.id, 'Reload ' || bench_task.n, '', 'Sales',
         printf('019cad24-0000-7000-8002-%012d', number.n), '', '', iif(number.n % 20000 = 0, 'one ${RARE_TEXT} was seen', 'Reload complete')
       FROM number ${task}`,
      rows.events,
    ],
    [
      `${numbers} INSERT INTO delivery (id, event_id, kind, route, destination, target, lane, severity, state, attempts,
         created_at, next_attempt_at, finished_at)
       SELECT printf('019cad24-0000-7000-8001-%012d', number.n), printf('${EVENT_ID}', 1 + (number.n - 1) * ${rows.events} / $count), 'alert', 'r' || number.n,
         'mail-' || (number.n % 10), 'ops@acme.example', 'l', 'info', iif(number.n % 5000 = 0, 'dead', 'delivered'), 1,
         ${at(STEP_MS / 2.5)}, 0, ${at(STEP_MS / 2.5)} + 500
       FROM number`,
      rows.deliveries,
    ],
    [
      `${numbers} INSERT INTO execution (execution_id, task_id, task_name, task_type, outcome, triggered_at, started_at,
         stopped_at, queue_ms, run_ms, attempts)
       SELECT printf('019cad24-0000-7000-8002-%012d', number.n), bench_task.id, 'Reload ' || bench_task.n, 'reload', ${outcome}, ${at(EXECUTION_MS)} - 41000,
         ${at(EXECUTION_MS)} - 40000, ${at(EXECUTION_MS)}, 1000, 40000, 1
       FROM number ${task}`,
      rows.executions,
    ],
    [
      `${numbers} INSERT OR IGNORE INTO task_state (task_id, task_name, last_outcome, last_stopped_at, last_run_ms,
         last_success_at, consecutive_failures)
       SELECT bench_task.id, 'Reload ' || bench_task.n, iif(bench_task.n % 40 = 0, 'failed', 'success'), ${at(EXECUTION_MS)},
         40000, ${at(EXECUTION_MS)}, iif(bench_task.n % 40 = 0, 2, 0)
       FROM number ${task}`,
      tasks,
    ],
  ]
}
