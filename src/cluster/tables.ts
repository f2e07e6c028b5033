/**
 * Which tables of `footman.db` nodes share, and how. `leader`: only the leader changes the rows, and the shared database is
 * right. `union`: the node that makes a row ships it, and rows are removed by their age alone. `local`: rows stay on the node.
 * The class of a table never changes, as versions work side by side.
 */

export interface SharedTable {
  readonly name: string
  readonly class: 'leader' | 'union'
  /** The columns that name a row on every node. [] = the table has one row. */
  readonly key: readonly string[]
  /** Key columns that are compared without letter case. */
  readonly anyCase?: true
  /** Rows are removed by their age alone, by every node itself, as those of class `union` are. */
  readonly aged?: true
  /**
   * SQL for class `leader`, true for rows that are added to the database when a node returns from working alone, as
   * they are about its own events and starts.
   */
  readonly stays?: string
  /** SQL for class `leader`, true for rows that this node has accepted, and brings to the leader when it joins. */
  readonly brought?: string
  /** Rows with another value of the column stay on the node. */
  readonly only?: { readonly column: string; readonly value: string }
  /** Columns whose values each node gives by itself: numbers of rows, counts kept by triggers. */
  readonly own?: readonly string[]
  /** The column that crosses as bytes beside the JSON of the row. */
  readonly blob?: string
  /** A column that holds an own number of another table crosses as the id of that row, by the name `as`. */
  readonly reference?: { readonly column: string; readonly as: string; readonly table: string; readonly id: string }
  /** SQL for an own column, when a row of another node is added; `?` is the first column of the key. */
  readonly computed?: Readonly<Record<string, string>>
}

const leader = (name: string, key: readonly string[], more: Partial<SharedTable> = {}): SharedTable => ({
  name,
  class: 'leader',
  key,
  ...more,
})
const union = (name: string, key: readonly string[], more: Partial<SharedTable> = {}): SharedTable => ({
  name,
  class: 'union',
  aged: true,
  key,
  ...more,
})

const ALL = 'true'
/**
 * A node that has led without knowing that it no longer did has begun nothing under its keys; each would take the place
 * of the answer that the next leader keeps under the same key.
 */
const ANSWERED_OR_BEGUN =
  'status IS NOT NULL OR EXISTS (SELECT 1 FROM start_note WHERE start_note.request = idempotency_key.id)'

const REPORT_ENTITIES = ['report', 'task', 'recipient', 'grp', 'filter', 'condition']

/** A table stands behind those that its foreign keys name. The order is that of the first shipment. */
export const SHARED_TABLES: readonly SharedTable[] = [
  leader('dedup', ['key'], { aged: true }),
  union('event', ['id'], { own: ['seq', 'journal_id'] }),
  union('delivery', ['id'], { own: ['seq'] }),
  union('delivery_attempt', ['delivery_id', 'n']),
  leader('rate_limit', ['key']),
  leader('rate_limit_slot', ['key', 'event_id']),
  leader('alert_group', ['id']),
  leader('alert_group_task', ['task_id', 'group_id']),
  leader('fallback_watch', ['event_id', 'route'], { stays: ALL }),
  leader('maintenance', ['id']),
  leader('maintenance_summary', ['name']),
  leader('snooze', ['id']),
  leader('safety_net_mark', ['name']),
  leader('heard_kind', ['kind']),
  leader('watchdog_due', ['task_id', 'due_at']),
  leader('watchdog_finding', ['subject', 'outcome']),
  leader('task_retry', ['id']),
  leader('schedule_run', ['id']),
  leader('schedule_state', ['schedule_id']),
  leader('schedule_note', ['name']),
  leader('start_request', ['id'], { blob: 'payload' }),
  leader('start_request_task', ['request', 'task_id']),
  leader('start_request_queue', ['id'], { own: ['seq'] }),
  // The callers whose start requests are awaited from the broker, whose session all nodes share.
  leader('start_publisher', ['id']),
  leader('start_note', ['request', 'task_id'], { stays: ALL }),
  leader('start_queue', ['id']),
  // Messages whose tasks Qlik Sense has to confirm before they become events; those of the inbox have no key here.
  leader('unverified', ['seq'], {
    own: ['journal_id', 'message_key'],
    blob: 'raw',
    brought: 'message_key IS NOT NULL',
  }),
  leader('cloud_message', ['id'], { blob: 'payload', stays: ALL }),
  leader('mqtt_outgoing', ['id'], { own: ['seq'], stays: ALL }),
  leader('influx_point', ['id'], { own: ['seq'], stays: ALL }),
  leader('idempotency_key', ['id'], { stays: ANSWERED_OR_BEGUN }),
  leader('kv_namespace', ['name'], {
    own: ['id', 'keys'],
    computed: { keys: 'SELECT count(*) FROM kv WHERE namespace = ?' },
  }),
  leader('kv', ['namespace', 'key'], { own: ['id'] }),
  leader('kv_revision', []),
  leader('kv_change', ['slot']),
  leader('service_state', ['host', 'service'], { anyCase: true }),
  leader('service_event', ['seq']),
  // Marks of people on the attention list, which is the same everywhere.
  leader('attention_taken', ['key']),
  leader('task_state', ['task_id']),
  leader('setting', ['kind', 'name']),
  leader('setting_history', ['kind', 'name', 'revision']),
  ...REPORT_ENTITIES.map((name) => leader(`report_${name}`, ['id'])),
  leader('report_template', ['report_id']),
  leader('report_reference', ['to_kind', 'to_id', 'from_kind', 'from_id']),
  leader('report_run', ['id']),
  leader('report_run_event', ['run_id', 'at', 'event']),
  leader('report_document', ['id']),
  leader('report_delivery', ['id']),
  leader('report_trigger', ['task_id', 'trigger_id']),
  leader('report_trigger_app', ['app_id']),
  leader('report_trigger_checkpoint', ['name']),
  leader('report_trigger_event', ['execution_id']),
  leader('report_trigger_fired', ['identity']),
  leader('report_trigger_joined', ['task_id', 'trigger_id', 'member']),
  leader('report_condition_state', ['key']),
  leader('report_audit', ['id']),
  leader('report_hub_item', ['id']),
  leader('report_hub_reader', ['address', 'item_id']),
  leader('report_hub_access', ['item_id', 'reader', 'how', 'at']),
  leader('report_hub_key', ['id']),
  leader('report_hub_login', ['hash']),
  // A browser of the console talks to one node.
  leader('session', ['hash'], { only: { column: 'kind', value: 'reader' } }),
  // The history; a new node works before it has it.
  leader('execution', ['seq']),
  leader('mqtt_message', ['id'], { blob: 'payload' }),
  union('task_start', ['id']),
  union('audit', ['id']),
  union('key_use', ['node', 'key_id', 'fingerprint']),
  union('script_log', ['event_id'], { blob: 'gzip' }),
  // The routes that a decision names, by the time since when they are in use.
  union('alert_configuration', ['used_from'], { blob: 'routes' }),
  union('event_decision', ['event_id'], {
    blob: 'routes',
    reference: { column: 'event_seq', as: 'event_id', table: 'event', id: 'id' },
  }),
]

/** Why the rows of the other tables stay where they are. */
export const LOCAL_TABLES: Readonly<Record<string, string>> = {
  meta: 'cursors in the own journal and in the shared database',
  inbox_taken: 'settles entries of the inbox, which are shared themselves',
  change_log: 'made again on each node by the triggers of the tables that it follows',
  dropped_datagram: 'refused by this node',
  udp_source: 'senders that this node hears',
  listed_task: 'a leader reads the tasks of the site itself',
  file_job: 'works on files of this node',
  idempotency_key_here: 'answers to calls that each node carries out itself',
  audit_export: 'each node sends the entries that it records',
  audit_chain: 'each node continues a chain of its own; what it has removed by age of the others stays its own mark',
  self_alert: 'each node checks its own conditions; a node that is well would clear the alert of another',
  storage_note: 'about the file itself',
  schema_migration: 'about the file itself',
  written_by: 'about the file itself',
}

/** Condition of SQL for the rows that nodes share; `row`: OLD, NEW or the table. */
export const sharedRows = ({ only }: SharedTable, row: string): string =>
  only ? `${row}.${only.column} = '${only.value}'` : 'true'

const BY_NAME: ReadonlyMap<string, SharedTable> = new Map(SHARED_TABLES.map((table) => [table.name, table]))

/** Undefined for local tables, and for those of a newer version. */
export const sharedTable = (name: string): SharedTable | undefined => BY_NAME.get(name)
