/** Acme's nodes, streams, connections and apps. */

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

/** Tags whose punctuation breaks careless filters. */
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
