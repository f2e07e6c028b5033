/** The entities of Acme but its tasks: nodes, streams, connections, apps, people, custom properties, tags. */

export const NODES = [
  { nn: 1, name: 'qs-central', central: true, schedulerServiceType: 2, maxConcurrentEngines: 4 },
  { nn: 2, name: 'qs-reload1', central: false, schedulerServiceType: 1, maxConcurrentEngines: 2 },
] as const

export const STREAMS = ['Finance', 'Everyone', 'Monitoring apps'] as const

export const DATA_CONNECTIONS = [
  { name: 'ERP', path: '\\\\fs01\\erp\\', type: 'folder' },
  { name: 'QVD', path: '\\\\fs01\\qvd\\', type: 'folder' },
  {
    name: 'Warehouse',
    path: 'CUSTOM CONNECT TO "provider=QvOdbcConnectorPackage.exe;host=dw01"',
    type: 'QvOdbcConnectorPackage.exe',
  },
] as const

const CANNOT_OPEN_FILE = "Cannot open file: 'lib://ERP/orders.qvd' (Native Path: \\\\fs01\\erp\\orders.qvd)"

interface AppRow {
  readonly nn: number
  readonly name: string
  readonly owner: string
  readonly stream: (typeof STREAMS)[number] | null
  readonly description: string
  readonly fileSize: number
  readonly tags?: readonly string[]
  readonly properties?: readonly (readonly [name: string, value: string])[]
  readonly sectionAccess?: true
  readonly reloadDurationMs?: number
  readonly scriptError?: string
}

/** Tags whose punctuation breaks filters that do not escape it. */
export const PUNCTUATION_TAGS = ['R&D', "Q1'25", 'Sprint #4', '100%', 'a+b', 'Finance/HR', 'åäö'] as const

export const APPS: readonly AppRow[] = [
  {
    nn: 1,
    name: 'Sales ETL',
    owner: 'LAB\\anna',
    stream: null,
    description: 'Builds the sales QVDs',
    fileSize: 4_194_304,
  },
  {
    nn: 2,
    name: 'Sales Dashboard',
    owner: 'LAB\\anna',
    stream: 'Finance',
    description: 'Sales per region and month',
    fileSize: 18_874_368,
    tags: ['daily-refresh'],
    properties: [['department', 'finance']],
  },
  {
    nn: 3,
    name: 'Finance QVD Builder',
    owner: 'LAB\\bertil',
    stream: null,
    description: 'Finance QVDs from the ERP',
    fileSize: 2_097_152,
  },
  {
    nn: 4,
    name: 'HR Insights',
    owner: 'LAB\\carla',
    stream: 'Everyone',
    description: 'Head count and absence',
    fileSize: 6_291_456,
    sectionAccess: true,
  },
  {
    nn: 5,
    name: 'R&D Portfolio',
    owner: 'LAB\\dora',
    stream: 'Everyone',
    description: 'Projects and their cost',
    fileSize: 3_145_728,
    tags: PUNCTUATION_TAGS,
  },
  {
    nn: 6,
    name: 'Test failing reloads 2',
    owner: 'LAB\\bertil',
    stream: null,
    description: 'Its script always fails',
    fileSize: 262_144,
    scriptError: CANNOT_OPEN_FILE,
  },
  {
    nn: 7,
    name: 'Slow Warehouse Load',
    owner: 'ERP\\jonna',
    stream: null,
    description: 'Loads the warehouse, slowly',
    fileSize: 52_428_800,
    reloadDurationMs: 90_000,
  },
  {
    nn: 8,
    name: 'Inventory Live',
    owner: 'ERP\\karl',
    stream: 'Everyone',
    description: 'Stock per warehouse',
    fileSize: 8_388_608,
  },
  {
    nn: 9,
    name: 'License Monitor',
    owner: 'INTERNAL\\sa_api',
    stream: 'Monitoring apps',
    description: 'Licence use',
    fileSize: 1_048_576,
  },
  {
    nn: 10,
    name: 'Big Numbers',
    owner: 'LAB\\anna',
    stream: 'Everyone',
    description: 'A wide and long cube',
    fileSize: 104_857_600,
  },
]

interface UserRow {
  readonly nn: number
  readonly directory: 'LAB' | 'ERP' | 'INTERNAL'
  readonly id: string
  readonly name: string
  readonly emails: readonly string[]
  readonly roles?: readonly string[]
  readonly inactive?: true
  readonly blocked?: true
  readonly removed?: true
  readonly tags?: readonly string[]
  readonly properties?: readonly (readonly [name: string, value: string])[]
}

/** 14 users of three directories. */
export const USERS: readonly UserRow[] = [
  {
    nn: 1,
    directory: 'LAB',
    id: 'anna',
    name: 'Anna Andersson',
    emails: ['anna@acme.example'],
    roles: ['ContentAdmin'],
  },
  {
    nn: 2,
    directory: 'LAB',
    id: 'bertil',
    name: 'Bertil Berg',
    emails: ['bertil@acme.example', 'b.berg@acme.example'],
  },
  { nn: 3, directory: 'LAB', id: 'carla', name: 'Carla Cruz', emails: [] },
  { nn: 4, directory: 'LAB', id: 'dora', name: 'Dora Dahl', emails: ['dora@acme.example'] },
  { nn: 5, directory: 'LAB', id: 'erik', name: 'Erik Ek', emails: ['erik@acme.example'], inactive: true },
  { nn: 6, directory: 'LAB', id: 'fatima', name: 'Fatima Farah', emails: ['fatima@acme.example'], blocked: true },
  { nn: 7, directory: 'LAB', id: 'gustav', name: 'Gustav Gran', emails: ['gustav@acme.example'], removed: true },
  { nn: 8, directory: 'LAB', id: 'hanna', name: 'Hanna Holm', emails: ['hanna@acme.example'], tags: ['license-keep'] },
  {
    nn: 9,
    directory: 'ERP',
    id: 'ivan',
    name: 'Ivan Ilic',
    emails: ['ivan@acme.example'],
    properties: [['department', 'it']],
  },
  { nn: 10, directory: 'ERP', id: 'jonna', name: 'Jonna Järvi', emails: ['jonna@acme.example'] },
  { nn: 11, directory: 'ERP', id: 'karl', name: 'Karl Kvist', emails: ['karl@acme.example', 'karl@erp.acme.example'] },
  { nn: 12, directory: 'INTERNAL', id: 'sa_repository', name: 'sa_repository', emails: [], roles: ['RootAdmin'] },
  { nn: 13, directory: 'INTERNAL', id: 'sa_scheduler', name: 'sa_scheduler', emails: [], roles: ['RootAdmin'] },
  { nn: 14, directory: 'INTERNAL', id: 'sa_api', name: 'sa_api', emails: [], roles: ['RootAdmin'] },
]

export const USER_DIRECTORIES = [
  { nn: 1, name: 'LAB', type: 'Repository.UserDirectoryConnectors.LDAP.ActiveDirectory' },
  { nn: 2, name: 'ERP', type: 'Repository.UserDirectoryConnectors.LDAP.GenericLdap' },
] as const

const TASKS_AND_APPS = ['ReloadTask', 'ExternalProgramTask', 'App'] as const
const ONLY_TASKS = ['ReloadTask'] as const
const TASKS_AND_USERS = ['ReloadTask', 'App', 'User'] as const
const ADDRESSES = ['ops@acme.example', 'bi-team@acme.example'] as const
const ACCOUNTS = ['First NR account', 'Unknown NR account'] as const

const ALERTS = [
  'Failed',
  'Aborted',
  'Success',
  'DistributeFailed',
  'DistributeSuccess',
  'PreloadFailed',
  'PreloadSuccess',
]
const NEW_RELIC = ['FailedTask_Event', 'FailedTask_Log', 'AbortedTask_Event', 'AbortedTask_Log']

/** Custom property definitions: name, values, object types. */
export const PROPERTIES: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ['taskGroup', ['financial-reports', 'operational-dashboards', 'regulatory-compliance'], TASKS_AND_APPS],
  ['priority', ['high', 'low'], ONLY_TASKS],
  ['department', ['finance', 'hr', 'it'], TASKS_AND_USERS],
  ['source', ['erp-system', 'crm'], ONLY_TASKS],
  ['costCenter', ['finance', 'hr'], ONLY_TASKS],
  ['Butler_SuccessReloadTask_InfluxDB', ['Yes', 'No'], ONLY_TASKS],
  ...ALERTS.flatMap((kind) => [
    [`Butler_${kind}AlertEnableEmail`, ['Yes'], ONLY_TASKS] as const,
    [`Butler_${kind}AlertSendToEmail`, ADDRESSES, ONLY_TASKS] as const,
  ]),
  ...NEW_RELIC.map((kind) => [`Butler_${kind}_NewRelicAccount`, ACCOUNTS, ONLY_TASKS] as const),
]

/** In the order of their ids: `60000000-...-0001` is financial-reports. */
export const TAGS: readonly string[] = [
  'financial-reports',
  'daily-refresh',
  'Butler 5.0 demo',
  'startTask1',
  'hourly-reload',
  'urgent',
  'data-refresh',
  'daily-reports',
  'Urgent',
  'license-keep',
]
