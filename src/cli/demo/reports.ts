/** Report tasks of the demo: definitions as `footman reports import` takes them, and the first run. */
import { readAsset } from '../../platform/assets.ts'

const SALES_APP = 'a1000000-0000-4000-8000-000000000002'
const INVENTORY_APP = 'a1000000-0000-4000-8000-000000000008'
/** Task "Sales ETL hourly" of the simulated site. */
const SALES_RELOAD = '70000000-0000-4000-8000-000000000001'
const id = (number: number) => `de300000-0000-4000-8000-${String(number).padStart(12, '0')}`
const PACK = id(1)
const WORKBOOK = id(2)
const FILTER = id(3)
const TASK = id(4)
const STOCK = id(5)
const STOCK_TASK = id(6)
/** Sender of the report mails, by which they are counted. */
export const REPORT_SENDER = 'reports@acme.example'
/** Storage space in the folder of the demo. */
export const REPORT_SPACE = 'head-office'
const PROJECT = 'Sales'
const LOGISTICS = 'Logistics'
/** Finds everything in the hub. */
export const HEAD_OFFICE = 'head-office@acme.example'
const headOffice = (reach: { readonly email: boolean; readonly hub: boolean }) => ({
  type: 'address',
  address: HEAD_OFFICE,
  ...reach,
})

/** Figures of the template, in a sheet of a region those of the region. */
const COLUMNS = [
  { key: 'Sales', label: 'Sales', expr: '=Sum(Sales)', kind: 'measure' },
  { key: 'Margin', label: 'Margin', expr: '=(Sum(Sales)-Sum(Cost))/Sum(Sales)', kind: 'measure' },
]
const tableOf = (key: string, field: string) => ({
  key,
  type: 'table',
  columns: [{ key: 'Name', label: field, expr: field, kind: 'dimension' }, ...COLUMNS],
  sort: [{ column: 'Sales', dir: 'desc' }],
})

/** A report of blocks and a report with a template, which one task sends, and a page that another one puts into the hub alone. */
export const definitions = (template: Uint8Array) => ({
  format: 'footman-reports',
  version: 1,
  reportFilters: [
    {
      id: FILTER,
      project: PROJECT,
      name: 'Years from 2025',
      clauses: [{ type: 'values', field: 'Year', values: ['2025', '2026'] }],
    },
  ],
  reports: [
    {
      id: PACK,
      project: PROJECT,
      name: 'Sales pack',
      appId: SALES_APP,
      page: { title: 'Sales of {cycle:Region}', footer: '{report}, page {page} of {pages}' },
      blocks: [
        {
          key: 'figures',
          type: 'kpi',
          items: [
            { label: 'Sales', expr: "=Num(Sum(Sales), '#,##0')" },
            { label: 'Margin', expr: "=Num((Sum(Sales)-Sum(Cost))/Sum(Sales), '0.0%')" },
            { label: 'Orders', expr: "=Num(Count(Sales), '#,##0')" },
          ],
        },
        {
          key: 'months',
          type: 'chart',
          title: 'Sales by month',
          chart: 'line',
          dimension: 'Month',
          measures: [{ expr: '=Sum(Sales)', label: 'Sales' }],
          legend: 'none',
          heightMm: 70,
        },
        {
          key: 'countries',
          type: 'table',
          title: 'Countries',
          totals: true,
          columns: [
            { label: 'Country', expr: 'Country', kind: 'dimension' },
            { label: 'Sales', expr: '=Sum(Sales)', kind: 'measure', format: '#,##0' },
            { label: 'Orders', expr: '=Count(Sales)', kind: 'measure', format: '#,##0' },
          ],
          sort: [{ column: 1, dir: 'desc' }],
        },
      ],
    },
    {
      id: WORKBOOK,
      project: PROJECT,
      name: 'Sales by region',
      type: 'template',
      appId: SALES_APP,
      template: { source: 'upload', fileName: TEMPLATE_NAME, sha256: '' },
      data: [
        { key: 'sales', type: 'value', expr: '=Sum(Sales)' },
        { key: 'margin', type: 'value', expr: '=(Sum(Sales)-Sum(Cost))/Sum(Sales)' },
        { key: 'orders', type: 'value', expr: '=Count(Sales)' },
        { key: 'backlog', type: 'value', expr: '=Sum(Backlog)' },
        tableOf('regions', 'Region'),
        tableOf('countries', 'Country'),
      ],
      levels: [{ key: 'region', field: 'Region' }],
    },
    {
      id: STOCK,
      project: LOGISTICS,
      name: 'Stock',
      appId: INVENTORY_APP,
      blocks: [
        {
          key: 'items',
          type: 'table',
          title: 'Stock by item',
          totals: true,
          columns: [
            { label: 'Item', expr: 'Item', kind: 'dimension' },
            { label: 'On hand', expr: '=Sum(OnHand)', kind: 'measure', format: '#,##0' },
          ],
          sort: [{ column: 1, dir: 'desc' }],
        },
      ],
    },
  ],
  reportTasks: [
    {
      id: TASK,
      project: PROJECT,
      name: 'Weekly sales pack',
      enabled: true,
      tags: ['weekly'],
      description: 'A PDF for the manager of each region, the workbook for head office',
      reports: [
        {
          key: 'pack',
          reportId: PACK,
          format: 'pdf',
          fileName: '{report}{cycle}',
          cycle: {
            fields: ['Region'],
            emailTo: "=Concat(DISTINCT RegionManagerMail, ';')",
            hubTo: `=Concat(DISTINCT RegionManagerMail, ';') & ';${HEAD_OFFICE}'`,
          },
          deliver: { storage: false },
        },
        { key: 'workbook', reportId: WORKBOOK, format: 'xlsx', fileName: '{report}_{date:yyyy-MM-dd}' },
      ],
      filterIds: [FILTER],
      recipients: [headOffice({ email: true, hub: true })],
      hub: { enabled: true },
      email: { enabled: true, subject: 'Weekly sales {date:yyyy-MM-dd}', message: 'Figures of {{app.lastReload}}.' },
      storage: [{ spaceId: REPORT_SPACE, folder: 'weekly' }],
      triggers: [
        {
          type: 'qlikEvent',
          name: 'After the sales reload',
          event: 'taskSucceeded',
          match: { taskId: [SALES_RELOAD] },
        },
      ],
      notifications: [{ on: ['success', 'warning', 'error'], recipients: ['bi-team@acme.example'] }],
    },
    {
      id: STOCK_TASK,
      project: LOGISTICS,
      name: 'Stock',
      enabled: true,
      reports: [{ key: 'stock', reportId: STOCK, format: 'html', fileName: '{report} {date:yyyy-MM-dd}' }],
      recipients: [headOffice({ email: false, hub: true })],
      hub: { enabled: true, title: 'Stock by item' },
    },
  ],
  templates: [{ reportId: WORKBOOK, fileName: TEMPLATE_NAME, base64: Buffer.from(template).toString('base64') }],
})

const TEMPLATE_NAME = 'sales-by-region.xlsx'

const demoTemplate = () =>
  readAsset(
    () => import('./assets/sales-by-region.xlsx', { with: { type: 'file' } }),
    () => import.meta.resolve('./assets/sales-by-region.xlsx'),
  )

const TIMEOUT_MS = 10_000

/** Stores the definitions over the REST API. Rejects with the answer that refuses them. */
export async function importReports(restUrl: string): Promise<void> {
  await post(`${restUrl}/v4/reporttask/import`, definitions(await demoTemplate()))
}

/** Starts the tasks. */
export const runReports = (restUrl: string) =>
  post(`${restUrl}/v4/reporttask/start`, { taskId: [STOCK_TASK, TASK], reason: 'first run of the demo' })

async function post(url: string, body: unknown): Promise<void> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  if (!answer.ok) throw new Error(`${new URL(url).pathname} answers ${answer.status}: ${await answer.text()}`)
}
