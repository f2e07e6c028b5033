/** Acme's tasks: 16 reload tasks and two of each other type. */
import type { TaskBehaviour, TaskType } from '../entities.ts'
import { PUNCTUATION_TAGS } from './site.ts'

export interface TaskRow {
  readonly id: string
  readonly name: string
  readonly type: TaskType
  /** Number of the app. */
  readonly app?: number
  readonly tags?: readonly string[]
  readonly properties?: readonly (readonly [name: string, value: string])[]
  readonly enabled?: false
  readonly manual?: true
  readonly partial?: true
  readonly maxRetries?: number
  readonly timeoutMinutes?: number
  readonly neverRan?: true
  readonly path?: string
  readonly parameters?: string
  /** Number of the user directory. */
  readonly directory?: number
  readonly behaviour?: Partial<TaskBehaviour>
}

/** The task ids of the product documents. */
export const DASHBOARD = 'a8b4c123-def4-5678-9abc-def012345678'
export const SALES_REPORT = 'b9c5d234-efe5-6789-abcd-ef0123456789'
export const LOAD_SCRIPT = 'fbf645f0-0c92-40a4-af9a-6e3eb1d3c35c'

/** `taskId(70, 7)`: `70000000-0000-4000-8000-000000000007`. */
export const taskId = (prefix: number, nn: number) => `${prefix}000000-0000-4000-8000-${String(nn).padStart(12, '0')}`

const alerts = (kind: string) => [`Butler_${kind}AlertEnableEmail`, `Butler_${kind}AlertSendToEmail`] as const
const [FAILED_ON, FAILED_TO] = alerts('Failed')
const [ABORTED_ON, ABORTED_TO] = alerts('Aborted')
const [SUCCESS_ON, SUCCESS_TO] = alerts('Success')
const [DISTRIBUTE_OK_ON, DISTRIBUTE_OK_TO] = alerts('DistributeSuccess')
const [DISTRIBUTE_FAILED_ON, DISTRIBUTE_FAILED_TO] = alerts('DistributeFailed')
const [PRELOAD_OK_ON, PRELOAD_OK_TO] = alerts('PreloadSuccess')
const [PRELOAD_FAILED_ON, PRELOAD_FAILED_TO] = alerts('PreloadFailed')
const OPS = 'ops@acme.example'
const TEAM = 'bi-team@acme.example'

const r = (nn: number, name: string, app: number, more: Partial<TaskRow> = {}): TaskRow => ({
  id: taskId(70, nn),
  name,
  type: 0,
  app,
  ...more,
})

export const TASKS: readonly TaskRow[] = [
  {
    ...r(0, 'Financial Dashboard Reload', 2, { tags: ['financial-reports'] }),
    id: DASHBOARD,
    properties: [['taskGroup', 'financial-reports']],
  },
  {
    ...r(0, 'Sales Report Update', 2, { tags: ['financial-reports', 'data-refresh', 'daily-reports'] }),
    id: SALES_REPORT,
    properties: [
      ['taskGroup', 'financial-reports'],
      ['priority', 'low'],
    ],
  },
  { ...r(0, 'Load script started task', 1, { tags: ['startTask1', 'Butler 5.0 demo'] }), id: LOAD_SCRIPT },
  r(1, 'Sales ETL hourly', 1, {
    tags: ['hourly-reload', 'startTask1', 'Butler 5.0 demo'],
    properties: [
      ['department', 'finance'],
      ['source', 'erp-system'],
      ['Butler_SuccessReloadTask_InfluxDB', 'Yes'],
      [SUCCESS_ON, 'Yes'],
      [SUCCESS_TO, OPS],
    ],
  }),
  r(2, 'Finance QVD nightly', 3, {
    tags: ['daily-refresh', 'Butler 5.0 demo'],
    properties: [
      ['taskGroup', 'regulatory-compliance'],
      ['department', 'finance'],
    ],
  }),
  r(3, 'HR Insights daily', 4, {
    tags: ['daily-refresh', 'daily-reports', 'Butler 5.0 demo'],
    properties: [['department', 'hr']],
  }),
  r(4, 'R&D weekly', 5, { tags: PUNCTUATION_TAGS }),
  r(5, 'Inventory partial', 8, {
    partial: true,
    tags: ['hourly-reload', 'data-refresh'],
    properties: [
      ['source', 'crm'],
      ['priority', 'low'],
      ['Butler_SuccessReloadTask_InfluxDB', 'No'],
    ],
  }),
  r(6, 'Manually triggered reload of Test failing reloads 2', 6, {
    manual: true,
    tags: ['urgent'],
    properties: [
      [FAILED_ON, 'Yes'],
      [FAILED_TO, OPS],
      [FAILED_TO, TEAM],
      ['Butler_FailedTask_Event_NewRelicAccount', 'First NR account'],
      ['Butler_FailedTask_Log_NewRelicAccount', 'First NR account'],
    ],
    behaviour: { outcome: 'fail' },
  }),
  r(7, 'Slow Warehouse Load', 7, {
    tags: ['urgent'],
    properties: [
      ['taskGroup', 'operational-dashboards'],
      ['priority', 'high'],
      [ABORTED_ON, 'Yes'],
      [ABORTED_TO, OPS],
      ['Butler_AbortedTask_Event_NewRelicAccount', 'First NR account'],
      ['Butler_AbortedTask_Log_NewRelicAccount', 'Unknown NR account'],
    ],
    behaviour: { durationMs: 90_000 },
  }),
  r(8, 'Flaky reload', 8, {
    maxRetries: 3,
    tags: ['hourly-reload', 'Urgent'],
    properties: [['Butler_FailedTask_Event_NewRelicAccount', 'Unknown NR account']],
    behaviour: { outcome: 'fail-then-success', failures: 2 },
  }),
  r(9, 'Disabled reload', 9, { enabled: false }),
  r(10, 'Never ran', 10, { tags: ['startTask1'], neverRan: true }),
  r(11, 'Name; with semicolon', 9, { tags: ['hourly-reload'] }),
  r(12, 'Task with 3 values of one property', 10, {
    tags: ['hourly-reload'],
    properties: [
      ['taskGroup', 'financial-reports'],
      ['taskGroup', 'operational-dashboards'],
      ['taskGroup', 'regulatory-compliance'],
      ['department', 'hr'],
      ['costCenter', 'finance'],
    ],
  }),
  r(13, 'Queued behind others', 8, { tags: ['hourly-reload'], behaviour: { queueMs: 3000 } }),
  {
    id: taskId(71, 1),
    name: 'Nightly FTP fetch',
    type: 1,
    path: 'C:\\scripts\\fetch.cmd',
    parameters: '--site eu',
    timeoutMinutes: 60,
    maxRetries: 2,
  },
  {
    id: taskId(71, 2),
    name: 'Broken batch',
    type: 1,
    path: 'C:\\scripts\\broken.cmd',
    parameters: '',
    timeoutMinutes: 60,
    maxRetries: 2,
    behaviour: { outcome: 'fail', failMessage: 'External program exited with exit code 1' },
  },
  { id: taskId(72, 1), name: 'LAB_UserSync', type: 2, directory: 1 },
  {
    id: taskId(72, 2),
    name: 'ERP_UserSync',
    type: 2,
    directory: 2,
    behaviour: { outcome: 'fail', failMessage: 'LDAP server ldap.erp.acme.local:636 is not reachable' },
  },
  {
    id: taskId(73, 1),
    name: 'Distribute of HR Insights',
    type: 3,
    app: 4,
    properties: [
      [DISTRIBUTE_OK_ON, 'Yes'],
      [DISTRIBUTE_OK_TO, OPS],
    ],
  },
  {
    id: taskId(73, 2),
    name: 'Distribute of R&D',
    type: 3,
    app: 5,
    properties: [
      [DISTRIBUTE_FAILED_ON, 'Yes'],
      [DISTRIBUTE_FAILED_TO, OPS],
    ],
    behaviour: { outcome: 'fail', failMessage: 'Distribution of the app failed: the target tenant refused the upload' },
  },
  {
    id: taskId(74, 1),
    name: 'Preload Sales Dashboard',
    type: 4,
    app: 2,
    properties: [
      [PRELOAD_OK_ON, 'Yes'],
      [PRELOAD_OK_TO, OPS],
    ],
  },
  {
    id: taskId(74, 2),
    name: 'Preload HR',
    type: 4,
    app: 4,
    properties: [
      [PRELOAD_FAILED_ON, 'Yes'],
      [PRELOAD_FAILED_TO, OPS],
    ],
    behaviour: { outcome: 'fail', failMessage: 'Could not reserve an executor for task' },
  },
]
