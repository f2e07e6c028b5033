/** Report tasks of the compiled executable, with the simulated site and a mail server of their own. */
import { expect } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { type Footman, footman } from './footman.ts'
import type { Host } from './host.ts'
import { REPOSITORY_USER, startSite, type TestSite } from './simulator.ts'
import { type SmtpSink, startSmtpSink } from './smtp-sink.ts'
import { type TempDirectory, tempDirectory } from './temp.ts'
import { until } from './wait.ts'

/** The app "Sales Dashboard": five regions, the years 2024 to 2026. */
export const SALES_APP = 'a1000000-0000-4000-8000-000000000002'
/** The app "Inventory Live", whose stock changes with each reload. */
export const INVENTORY_APP = 'a1000000-0000-4000-8000-000000000008'
export const REGIONS = ['Benelux', 'DACH', 'Iberia', 'Nordic', 'UK & Ireland'] as const

const RUN_WAIT = { timeout: 40_000 }

export interface Named {
  readonly id: string
}

export interface RunAnswer {
  readonly id: string
  readonly state: string
  readonly outcome: string | null
  readonly reason: string | null
  readonly test: boolean
  readonly counts: Readonly<Record<string, number>>
  readonly events: readonly {
    readonly code: string
    readonly level: string
    readonly details: string
    readonly report?: string
    readonly block?: string
    readonly recipient?: string
  }[]
}

export interface DeliveryAnswer {
  readonly id: string
  readonly channel: string
  readonly target: string
  readonly state: string
  readonly attempts: number
  readonly lastError: string | null
}

export interface ReportSite extends AsyncDisposable {
  readonly site: TestSite
  readonly mailbox: SmtpSink
  readonly product: Footman
  /** Parent folder of the storage space `finance`. */
  readonly space: TempDirectory
  /** Templates that are files. */
  readonly templates: TempDirectory
  /** A JSON call that must be answered with `status` (default: 201 for POST, else 200). */
  call<T = Named>(method: string, path: string, body?: unknown, status?: number): Promise<T>
  /** Starts a task; resolves with the id of the run. */
  begin(taskId: string, body?: object): Promise<string>
  /** Resolves with the run when it has ended. */
  ended(runId: string): Promise<RunAnswer>
  run(taskId: string, body?: object): Promise<RunAnswer>
  deliveries(runId: string): Promise<readonly DeliveryAnswer[]>
  /** Mails whose envelope names the address. */
  mailsTo(address: string): SmtpSink['mails']
  /** A report of figures, a table and a chart by region. */
  salesReport(name: string, changes?: object): Promise<Named>
  filter(name: string, ...clauses: readonly object[]): Promise<Named>
  person(email: string, ...filterIds: readonly string[]): Promise<Named>
  /** An enabled task that mails a report as CSV to one address; `changes` replace its members. */
  mailTask(name: string, reportId: string, changes?: object): Promise<Named>
}

/**
 * `settings`: merged over the section `reportTask`; `config`: over the whole configuration. `headers`: of each call, for a Footman
 * with access control.
 */
export async function startReportSite(
  settings: object = {},
  config: { readonly footman?: object; readonly [key: string]: unknown } = {},
  host?: Host,
  headers: Record<string, string> = {},
): Promise<ReportSite> {
  const [space, templates] = [tempDirectory(host?.directoryIn), tempDirectory(host?.directoryIn)]
  const pathOf = (local: string) => host?.path(local) ?? local
  const [site, mailbox] = await Promise.all([startSite(), startSmtpSink()])
  mkdirSync(space.join('finance'))
  const product = await footman({
    host,
    simulator: site.simulator,
    smtpPort: mailbox.port,
    config: {
      ...config,
      configEngine: {
        host: '127.0.0.1',
        port: site.simulator.ports.engine,
        useSSL: true,
        rejectUnauthorized: true,
        headers: { static: [{ name: 'X-Qlik-User', value: REPOSITORY_USER }] },
      },
      footman: {
        ...config.footman,
        dataDirectory: 'data',
        reportTask: {
          enable: true,
          baseUrl: 'https://reports.acme.example',
          fromAddress: 'Reports <reports@acme.example>',
          defaultTimezone: 'Europe/Stockholm',
          templateDirectory: pathOf(templates.path),
          storageSpaces: [{ id: 'finance', name: 'Finance', directory: pathOf(space.join('finance')) }],
          limits: { maxMailsPerMinute: 1000 },
          ...settings,
        },
      },
    },
  })
  await product.start()

  const call: ReportSite['call'] = async (method, path, body, status = method === 'POST' ? 201 : 200) => {
    const answer = await product.call(method, path, body, headers)
    const text = await answer.text()
    expect([path, answer.status, answer.status === status ? '' : text]).toEqual([path, status, ''])
    return JSON.parse(text)
  }
  const begin: ReportSite['begin'] = async (taskId, body = {}) => {
    type Started = { tasksStarted: readonly { runId: string }[] }
    const { tasksStarted } = await call<Started>('POST', '/v4/reporttask/start', { taskId: [taskId], ...body }, 200)
    return tasksStarted[0]!.runId
  }
  const ended: ReportSite['ended'] = (runId) =>
    until(
      async () => {
        const run = await call<RunAnswer>('GET', `/v4/reportrun/${runId}`)
        return run.state === 'finished' && run
      },
      { ...RUN_WAIT, state: () => product.process.stdout.filter((line) => line.includes('REPORTTASK')).slice(-5) },
    )

  return {
    site,
    mailbox,
    product,
    space,
    templates,
    call,
    begin,
    ended,
    run: async (taskId, body) => ended(await begin(taskId, body)),
    deliveries: async (runId) =>
      (await call<{ deliveries: DeliveryAnswer[] }>('GET', `/v4/reportrun/${runId}/deliveries`)).deliveries,
    mailsTo: (address) => mailbox.mails.filter(({ envelope }) => envelope.to.includes(address)),
    salesReport: (name, changes = {}) =>
      call('POST', '/v4/report', {
        project: 'Sales',
        name,
        appId: SALES_APP,
        blocks: [
          { key: 'kpis', type: 'kpi', items: [{ label: 'Revenue', expr: '=Sum(Sales)' }] },
          {
            key: 'table',
            type: 'table',
            columns: [
              { label: 'Region', expr: 'Region', kind: 'dimension' },
              { label: 'Sales', expr: '=Sum(Sales)', kind: 'measure' },
            ],
            totals: true,
          },
          { key: 'chart', type: 'chart', chart: 'bar', dimension: 'Region', measures: ['=Sum(Sales)'] },
        ],
        ...changes,
      }),
    filter: (name, ...clauses) => call('POST', '/v4/reportfilter', { project: 'Sales', name, clauses }),
    person: (email, ...filterIds) => call('POST', '/v4/recipient', { name: email, email, filterIds }),
    mailTask: (name, reportId, changes = {}) =>
      call('POST', '/v4/reporttask', {
        project: 'Sales',
        name,
        enabled: true,
        reports: [{ key: 'pack', reportId, format: 'csv', block: 'table', fileName: '{report}{cycle}' }],
        recipients: [{ type: 'address', address: `${name.toLowerCase().replaceAll(/\W+/g, '-')}@acme.example` }],
        email: { enabled: true, subject: name },
        ...changes,
      }),
    async [Symbol.asyncDispose]() {
      await product[Symbol.asyncDispose]()
      await mailbox[Symbol.asyncDispose]()
      await site[Symbol.asyncDispose]()
      space.remove()
      templates.remove()
    },
  }
}

/** Text of the only attachment of a mail. */
export function attached({ parsed }: SmtpSink['mails'][number]): string {
  const [file] = parsed.attachments
  return typeof file?.content === 'string' ? file.content : new TextDecoder().decode(file?.content)
}
