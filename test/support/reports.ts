/** The endpoints of report definitions on a database in memory and a folder of their own. */
import type { ApiRoute } from '../../src/http/endpoint/route.ts'
import { createBlobs } from '../../src/platform/blobs.ts'
import { createGroupWriter } from '../../src/platform/group-commit.ts'
import { openDatabase } from '../../src/platform/sqlite.ts'
import type { CheckSettings } from '../../src/reports/checks.ts'
import { type DefinitionRoutesDeps, definitionRoutes } from '../../src/reports/http/index.ts'
import { definitionMigrations } from '../../src/reports/migrations.ts'
import { createDefinitionStore } from '../../src/reports/store.ts'
import { readWorkbookTable } from '../../src/reports/templates/workbook/table.ts'
import { testClock } from './key-values.ts'
import { routesApi } from './routes-api.ts'
import { tempDirectory } from './temp.ts'

/** The endpoints, to be described and not to be called. */
export const describedRoutes = () =>
  definitionRoutes({
    store: testDefinitions().store,
    blobs: createBlobs('/nowhere'),
    lastRun: () => null,
    nextRunAt: () => null,
    storageSpaces: [],
    templateDirectory: '/nowhere',
    maxTemplateMb: 25,
    checkTemplate: async () => {
      throw new Error('not called')
    },
    readTable: async () => {
      throw new Error('not called')
    },
  })

interface Answer {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: tests compare bodies of all forms
  readonly body: any
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

export function testDefinitions(settings: Partial<CheckSettings> = {}) {
  const db = openDatabase(':memory:', { migrations: definitionMigrations })
  const clock = testClock()
  const store = createDefinitionStore(
    { db, writer: createGroupWriter(db), clock },
    {
      allowedDomains: [],
      fromAddress: 'Reports <reports@acme.example>',
      secrets: ['weeklyZip'],
      storageSpaces: [{ id: 'finance-share', projects: ['Sales', 'Finance'] }],
      hubEnabled: true,
      converterFound: () => false,
      ...settings,
    },
  )
  return { db, clock, store }
}

export async function reportApi(
  options: Partial<DefinitionRoutesDeps> & {
    readonly settings?: Partial<CheckSettings>
    /** Beside those of definitions. */
    readonly routes?: readonly ApiRoute[]
  } = {},
) {
  const folder = tempDirectory()
  const { db, clock, store } = testDefinitions(options.settings)
  const blobs = createBlobs(folder.path)
  const deps: DefinitionRoutesDeps = {
    store,
    blobs,
    lastRun: () => null,
    nextRunAt: () => null,
    storageSpaces: [],
    templateDirectory: folder.path,
    maxTemplateMb: 1,
    checkTemplate: async () => {
      throw new Error('no template is expected')
    },
    readTable: (bytes, maxMb) => readWorkbookTable(new Uint8Array(bytes), maxMb),
    ...options,
  }
  const api = await routesApi([...definitionRoutes(deps), ...(options.routes ?? [])])
  return {
    store,
    db,
    clock,
    blobs,
    folder,
    port: api.port,
    async call(
      method: string,
      path: string,
      body?: unknown,
      headers?: Readonly<Record<string, string>>,
    ): Promise<Answer> {
      const answer = await api.send(method, path, body, headers)
      const isJson = String(answer.headers['content-type'] ?? '').startsWith('application/json')
      return { status: answer.status, body: isJson ? JSON.parse(answer.body) : answer.body, headers: answer.headers }
    },
    async [Symbol.asyncDispose]() {
      await api[Symbol.asyncDispose]()
      db.close()
      folder.remove()
    },
  }
}

export type ReportApi = Awaited<ReturnType<typeof reportApi>>

export const APP = 'ccc1e1c1-6f4e-4a9d-8b3b-8a3d8a0e1c77'
export const UNKNOWN = '00000000-0000-4000-8000-000000000000'

/** Bodies of definitions that can be saved. */
export const BODIES = {
  report: {
    project: 'Sales',
    name: 'Sales pack',
    appId: APP,
    filterIds: [],
    page: {
      size: 'A4',
      orientation: 'landscape',
      marginMm: 12,
      title: 'Sales pack {cycle}',
      footer: 'Page {page} of {pages}',
    },
    blocks: [
      { key: 'intro', type: 'text', markdown: '## Sales {{=Max(OrderDate)}}' },
      { key: 'trend', type: 'chart', chart: 'line', dimension: 'Month', measures: ['=Sum(Sales)'] },
      { key: 'detail', type: 'object', objectId: 'JzKpQm', as: 'table', maxRows: 5000 },
    ],
  },
  filter: {
    project: 'Sales',
    name: 'Current year, Nordics',
    description: '',
    appId: null,
    clauses: [
      { type: 'date', field: 'OrderDate', preset: 'yearToDate', required: true },
      { type: 'values', field: 'Country', values: ['Sweden', 'Norway', 'Denmark'], exclude: false, required: true },
    ],
    variables: [{ name: 'vCurrency', value: 'EUR' }],
  },
  condition: {
    project: 'Sales',
    name: 'Backlog high or growing',
    description: '',
    appId: APP,
    match: 'any',
    rules: [
      { type: 'value', left: { expr: '=Sum(Backlog)' }, op: 'gt', right: { variable: 'vBacklogLimit' } },
      { type: 'changedBy', expr: '=Sum(Backlog)', atLeast: 20, unit: 'percent', direction: 'up' },
    ],
    fire: 'onBecomingTrue',
    onError: 'error',
  },
  recipient: {
    name: 'Anna Berg',
    email: 'anna@company.com',
    qlikUser: { userDirectory: 'COMPANY', userId: 'anna' },
    filterIds: [],
    timezone: 'Europe/Stockholm',
    locale: 'sv-SE',
    active: true,
    attributes: { region: 'Nord' },
    source: 'manual',
  },
  group: {
    name: 'Regional managers',
    description: '',
    memberIds: [],
    filterIds: [],
    dynamic: { type: 'qrs', filter: "customProperties.value eq 'regional-managers'" },
  },
} as const
