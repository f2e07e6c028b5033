/**
 * Views over the shared rows for Qlik apps and reports. Their names and columns are an interface: columns are only added. They
 * show no bodies of messages, no addresses of recipients, no values of pairs and no script logs.
 */
import { createHash } from 'node:crypto'
import { PostgresError } from '../platform/postgres/errors.ts'
import type { Queryable } from '../platform/postgres/types.ts'
import type { Logger } from '../platform/types.ts'
import { type ClusterMigration, clusterMigrations } from './migrations.ts'

export interface ViewNames {
  /** Schema of the tables. */
  readonly schema: string
  /** Schema of the views. */
  readonly views: string
  /** Role that may read the views; '' = none. */
  readonly reader: string
}

type Column = readonly [name: string, sql: string]

interface View {
  readonly name: string
  readonly columns: readonly Column[]
  /** Default: the rows of the table of this name that exist. */
  readonly from: string
}

const text = (name: string, key = name): Column => [name, `body->>'${key}'`]
const whole = (name: string, key = name): Column => [name, `(body->>'${key}')::bigint`]
const flag = (name: string, key = name): Column => [name, `(body->>'${key}')::int = 1`]
/** From milliseconds since 1970. */
const time = (name: string, key = name): Column => [name, `to_timestamp((body->>'${key}')::float8 / 1000)`]
/** From milliseconds. */
const seconds = (name: string, key: string): Column => [name, `round((body->>'${key}')::numeric / 1000, 3)`]
const texts = (...names: readonly string[]): Column[] => names.map((name) => text(name))
const rowsOf = (table: string): string => `replica WHERE tbl = '${table}' AND NOT deleted`

/** In the order in which the columns were added. */
export const VIEWS: readonly View[] = [
  {
    name: 'events',
    columns: [
      text('event_id', 'id'),
      time('received_at'),
      text('source'),
      ['node', `coalesce(body->>'accepted_by', node)`],
      ...texts('type', 'outcome', 'severity', 'state', 'reason', 'host'),
      text('user_name', 'user'),
      ...texts('task_id', 'task_name', 'app_id', 'app_name', 'execution_id', 'log_message', 'missing_parts'),
      flag('test'),
      text('twin_of'),
      ['consecutive_failures', `((body->>'history')::jsonb->>'consecutiveFailures')::int`],
    ],
    from: rowsOf('event'),
  },
  {
    name: 'deliveries',
    columns: [
      text('delivery_id', 'id'),
      ...texts('event_id', 'kind', 'route', 'destination'),
      ...texts('state', 'reason'),
      whole('attempts'),
      time('created_at'),
      time('finished_at'),
      ['latency_seconds', `round(((body->>'finished_at')::numeric - (body->>'created_at')::numeric) / 1000, 3)`],
      ['node', 'node'],
      text('destination_kind', 'destination_type'),
    ],
    from: rowsOf('delivery'),
  },
  {
    name: 'delivery_attempts',
    columns: [
      text('delivery_id'),
      whole('attempt', 'n'),
      time('at'),
      seconds('duration_seconds', 'duration_ms'),
      text('result'),
      ['node', 'node'],
    ],
    from: rowsOf('delivery_attempt'),
  },
  {
    name: 'executions',
    columns: [
      ...texts('execution_id', 'task_id', 'task_name', 'task_type', 'app_id', 'app_name', 'outcome'),
      text('qlik_node', 'node'),
      text('actor'),
      time('triggered_at'),
      time('started_at'),
      time('stopped_at'),
      seconds('queue_seconds', 'queue_ms'),
      seconds('run_seconds', 'run_ms'),
      whole('attempts'),
      text('error'),
    ],
    from: rowsOf('execution'),
  },
  {
    name: 'tasks',
    columns: [
      ...texts('task_id', 'task_name', 'last_outcome'),
      time('last_stopped_at'),
      seconds('last_run_seconds', 'last_run_ms'),
      time('last_success_at'),
      whole('consecutive_failures'),
    ],
    from: rowsOf('task_state'),
  },
  {
    name: 'schedule_runs',
    columns: [
      text('run_id', 'id'),
      text('schedule_id'),
      time('due_at'),
      time('fired_at'),
      ...texts('trigger', 'state', 'outcome', 'reason'),
    ],
    from: rowsOf('schedule_run'),
  },
  {
    name: 'audit',
    columns: [
      text('audit_id', 'id'),
      time('at'),
      ['node', 'node'],
      ...texts('actor', 'address', 'action', 'target'),
      whole('status'),
      text('outcome'),
    ],
    from: rowsOf('audit'),
  },
  {
    name: 'nodes',
    columns: [
      ...['name', 'mode', 'version', 'candidate', 'started_at', 'seen_at', 'applied_rev', 'waiting'].map(
        (name): Column => [name, name],
      ),
      ['clock_offset_seconds', 'round(offset_ms::numeric / 1000, 3)'],
    ],
    from: 'node WHERE removed_at IS NULL',
  },
  {
    name: 'leadership',
    columns: [
      ['epoch', 'epoch'],
      ['node', 'node'],
      ['from_at', 'from_at'],
      ['to_at', 'lead(from_at) OVER (ORDER BY epoch)'],
      ['reason', 'reason'],
    ],
    from: 'leadership',
  },
]

const NAME = /^[a-z_][a-z0-9_]{0,62}$/

/** Throws when a name could be anything but a plain identifier. */
export function viewSql(names: ViewNames): string {
  const { schema, views, reader } = names
  for (const name of [schema, views, ...(reader === '' ? [] : [reader])]) {
    if (!NAME.test(name)) throw new Error(`"${name}" is no name of lower-case letters, digits and underscores`)
  }
  const made = VIEWS.map(({ name, columns, from }) => {
    const list = columns.map(([column, sql]) => `${sql} AS ${column}`).join(', ')
    const view = `CREATE OR REPLACE VIEW ${views}.${name} AS SELECT ${list} FROM ${schema}.${from}`
    // A newer version may have added columns, which stay.
    return `DO $view$ BEGIN ${view}; EXCEPTION WHEN invalid_table_definition THEN NULL; END $view$;`
  })
  return [...made, grantSql(names)].join('\n')
}

/** Lets the reader read the views, if there is such a role; can be run again. Empty without a reader. */
function grantSql({ views, reader }: ViewNames): string {
  if (reader === '') return ''
  const grants = `GRANT USAGE ON SCHEMA ${views} TO ${reader}; GRANT SELECT ON ALL TABLES IN SCHEMA ${views} TO ${reader}`
  return `DO $grant$ BEGIN ${grants}; EXCEPTION WHEN undefined_object THEN NULL; END $grant$;`
}

/** The tables, and the views for these names. */
export function migrationsOf(names: ViewNames): readonly ClusterMigration[] {
  const sql = viewSql(names)
  // Another name with every change of a view or of the reader, so that they are made anew.
  const hash = createHash('sha256').update(sql).digest('hex').slice(0, 12)
  return [...clusterMigrations, { name: `views-${hash}`, sql }]
}

/** The role may have been made since the migrations. Rejects with a `PostgresError`. */
export async function admitReader(db: Queryable, names: ViewNames, log: Pick<Logger, 'warn'>): Promise<void> {
  const { reader } = names
  if (reader === '') return
  const [role] = await db.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [reader])
  if (!role) {
    log.warn(
      `CLUSTER PostgreSQL has no role "${reader}" (Butler.footman.cluster.reader), so that the views have no reader. Create it and restart this node`,
    )
    return
  }
  await db.query(grantSql(names)).catch((error: unknown) => {
    // Where nodes may not make tables, the script of the administrator has granted it.
    if (!(error instanceof PostgresError) || error.code !== INSUFFICIENT_PRIVILEGE) throw error
  })
}

/** SQLSTATE of PostgreSQL. */
const INSUFFICIENT_PRIVILEGE = '42501'
