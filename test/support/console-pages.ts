/** One Footman with something on every page of the console, and the list of all pages. */
import { createSocket } from 'node:dgram'
import { mkdirSync, writeFileSync } from 'node:fs'
import { newKey, type Visitor, visitorOf } from './console.ts'
import { ALL_ENDPOINTS } from './everything.ts'
import { startHttpSink } from './http-sink.ts'
import { startMosquitto } from './mosquitto.ts'
import { zipOf } from './office.ts'
import { type ReportSite, SALES_APP, startReportSite } from './report-tasks.ts'
import { type StoredRun, storeHistory } from './stored-history.ts'
import { paragraph, wordTemplate } from './templates.ts'
import { until } from './wait.ts'

const FAILING = 'a8b4c123-def4-5678-9abc-def012345678'
/** Has run 30 times, and has an hourly schedule. */
export const SALES = '70000000-0000-4000-8000-000000000001'
const MINUTE_MS = 60_000
const GONE = 'gone@acme.example'
const HERE = 'here@acme.example'
const HOUR_MS = 60 * MINUTE_MS
const OPS = newKey('ops', 'admin')
const READER = newKey('reader', 'event:read')
const bearer = { authorization: `Bearer ${OPS.key}` }

export interface EveryPage extends AsyncDisposable {
  readonly reports: ReportSite
  /** May do everything. */
  readonly admin: Visitor
  /** Reads events, and nothing else. */
  readonly reader: Visitor
  /** Addresses of all pages below the console, for the admin. */
  readonly pages: readonly string[]
}

export async function everyPage(): Promise<EveryPage> {
  await using started = new AsyncDisposableStack()
  const [sink, broker] = await Promise.all([startHttpSink(), startMosquitto({ quiet: true })])
  started.defer(() => sink.stop())
  started.defer(() => broker.stop())
  sink.answer(({ url }) => {
    if (url === '/down') return { status: 503 }
    return { status: url === '/gone' ? 400 : 200 }
  })
  const reports = started.use(
    await startReportSite(
      { hub: { enable: true } },
      {
        scheduler: { enable: true, configfile: 'schedule.yaml' },
        restServerEndpointsEnable: ALL_ENDPOINTS,
        mqttConfig: { enable: true, brokerHost: '127.0.0.1', brokerPort: broker.port },
        fileCopyApprovedDirectories: [{ fromDirectory: 'qvd', toDirectory: 'archive' }],
        emailNotification: {
          reloadTaskFailure: { enable: false },
          reloadTaskAborted: { enable: false },
          reloadTaskSuccess: { enable: false },
        },
        footman: {
          timezone: 'Europe/Stockholm',
          watchConfig: false,
          api: { rateLimitPerMinute: 0 },
          access: { enable: true, keys: [OPS.entry, READER.entry] },
          mqtt: { receivedTopics: ['plant/#'] },
          destinations: {
            refusing: { type: 'webhook', url: `${sink.url}/gone` },
            working: { type: 'webhook', url: `${sink.url}/fine` },
            down: { type: 'webhook', url: `${sink.url}/down` },
          },
          alertRoutes: [
            { name: 'all', match: { outcome: 'failed' }, limit: 'none', to: ['refusing', 'working', 'down'] },
          ],
          calendars: { closing: { dates: [new Date(Date.now() + 24 * HOUR_MS).toISOString().slice(0, 10)] } },
          maintenance: [{ name: 'sunday-patching', during: { days: 'sun', from: '02:00', to: '04:30' } }],
        },
      },
      undefined,
      bearer,
    ),
  )
  const [admin, reader] = [visitorOf(reports.product), visitorOf(reports.product)]
  await Promise.all([admin.signIn(OPS.key), reader.signIn(READER.key)])
  const data = await fillData(reports)
  const schedules = await fillSchedules(reports)
  const settings = await fillSettings(reports)
  const documents = await fillReports(reports)
  const events = await fillEvents(reports)
  const all = started.move()
  return {
    reports,
    admin,
    reader,
    pages: [...events, ...schedules, ...settings, ...documents, ...data, ...ALWAYS],
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

/** They need nothing but Footman. */
const ALWAYS = [
  '/',
  '/?full=1&only=all&group=task',
  '/system',
  '/system/settings',
  '/system/settings?kind=rule',
  '/system/changes',
  '/system/features',
  '/system/config',
  '/system/config?as=tree&q=server',
  '/system/audit',
  '/system/keys',
  '/form/access.create',
  '/system/sessions',
  '/system/about',
  '/search?q=sales',
  '/nothing-here',
]

async function fillEvents({ product, site, call }: ReportSite): Promise<readonly string[]> {
  const runs = Array.from({ length: 30 }, (_, n): StoredRun => {
    const executionId = `00000001-0000-4000-8000-${String(n).padStart(12, '0')}`
    const run = { taskId: SALES, taskName: 'Sales ETL hourly', outcome: 'success', runMs: 441_000 } as const
    return { ...run, executionId, stoppedAt: Date.now() - (n + 1) * 10 * MINUTE_MS }
  })
  storeHistory(product, runs)
  const lines = Array.from({ length: 20 }, (_, n) => {
    const text = n % 10 === 5 ? "Error: Cannot open file: 'lib://QVD/sales.qvd'" : `row ${n}`
    return `20260302T070310.804+0100 0017 ${text}`
  })
  site.simulator.setTask(FAILING, { outcome: 'fail', durationMs: 100, log: lines.join('\r\n') })
  site.simulator.runTask(FAILING)
  const socket = createSocket('udp4')
  socket.send('no message of a scheduler', product.udpPort, '127.0.0.1', () => socket.close())
  const [first, second] = site.simulator.addTasks(2) as [string, string]
  site.simulator.setTask(first, { durationMs: 600_000 })
  await call('POST', '/v4/reloadtask/-/start?maxConcurrent=1', { taskId: [first, second] }, 200)
  const inTwoHours = new Date(Date.now() + 2 * HOUR_MS).toISOString()
  await call('POST', '/v4/maintenance', { name: 'Moving', match: { task: ['Nothing*'] }, until: inTwoHours })
  await call('POST', '/v4/snoozes', { match: { taskId: [SALES] }, reason: 'database is moved', until: inTwoHours })
  type Listed = { readonly deliveries: readonly { id: string; eventId: string; state: string; destination: string }[] }
  const deliveries = await until(async () => {
    const found = (await call<Listed>('GET', '/v4/deliveries')).deliveries
    const isThere = (destination: string, state: string) =>
      found.some((one) => one.destination === destination && one.state === state)
    return isThere('working', 'delivered') && isThere('refusing', 'dead') && isThere('down', 'pending') && found
  })
  type Executions = { readonly executions: readonly { executionId: string }[] }
  const execution = await until(async () => {
    const path = `/v4/history?taskId=${FAILING}&outcome=failed&limit=1`
    return (await call<Executions>('GET', path)).executions[0]?.executionId
  })
  await until(async () => (await call<{ dropped: readonly unknown[] }>('GET', '/v4/events/dropped')).dropped.length > 0)
  const of = (destination: string) => deliveries.find((one) => one.destination === destination)!
  const { eventId } = of('working')
  return [
    '/events?outcome=failed',
    `/events/${eventId}?now=1&variable=task`,
    '/events/dropped',
    '/deliveries?state=dead&limit=5',
    `/deliveries/${of('refusing').id}`,
    `/deliveries/${of('down').id}`,
    '/destinations',
    '/destinations/refusing',
    '/delivery/destinations/new',
    '/snoozes',
    '/system/routes?type=reload&outcome=failed',
    '/tasks',
    `/tasks/${SALES}`,
    '/tasks/queue',
    `/executions/${execution}`,
    '/system/maintenance',
    '/form/snooze.set?task=Fin*',
    '/form/destination.test?name=working',
    '/form/routes.explain',
    `/form/event.fire?id=${eventId}`,
    `/form/task.start?taskId=${SALES}`,
    '/form/maintenance.create',
  ]
}

async function fillSchedules({ product, call }: ReportSite): Promise<readonly string[]> {
  const entry = (id: string, name: string, more: object = {}) =>
    `  - ${JSON.stringify({
      id,
      name,
      cronSchedule: '0 12 * * *',
      timezone: 'Europe/Stockholm',
      qlikSenseTaskId: SALES,
      startupState: 'started',
      ...more,
    })}\n`
  const crowd = Array.from({ length: 5 }, (_, n) => entry(`crowd-${n}`, `Crowd ${n}`, { cronSchedule: '0 3 * * *' }))
  const file = [
    'butlerSchedule:\n',
    entry('daily', 'Sales <b>daily</b>', { notOn: ['closing'], tags: ['nightly'] }),
    entry('hourly', 'Each hour', { cronSchedule: '0 * * * *' }),
    entry('paused', 'Paused one', { startupState: 'stopped' }),
    entry('broken', 'Broken one', { cronSchedule: '0 25 * * *' }),
    ...crowd,
  ]
  writeFileSync(product.directory.join('schedule.yaml'), file.join(''))
  await until(async () => (await call<readonly unknown[]>('GET', '/v4/schedules')).length === 9)
  await call('POST', '/v4/schedules/daily/run', undefined, 202)
  const [run] = await until(() => {
    const found = product.rows<{ id: string }>('SELECT id FROM schedule_run')
    return found.length > 0 && found
  })
  return [
    '/schedules',
    '/schedules/new',
    '/schedules/daily',
    '/schedules/calendar',
    `/schedules/daily/runs/${run!.id}`,
    '/form/schedule.run?id=daily',
  ]
}

/** Stored settings beside those of the file. */
async function fillSettings({ call }: ReportSite): Promise<readonly string[]> {
  const year = new Date().getUTCFullYear()
  const entries = {
    'calendar/holidays': { dates: [`${year}-01-01`, `${year}-12-24`], days: 'sat-sun', except: ['closing'] },
    'window/office': { days: 'mon-fri', from: '08:00', to: '17:00', notOn: ['holidays'] },
    'maintenance/patching': { during: 'office', match: { app: 'ERP*' } },
    'policy/sales': { match: { task: 'Sales*' }, retry: '3x/5m', watch: { stuck: '2h' } },
    'policy/rest': { retry: 'none' },
    'access/erp': { scopes: ['kv:read'], hash: newKey('erp').entry.hash, expires: '2099-12-31' },
    'switch/footman.butlerRoutes.recovery': true,
  }
  for (const [path, value] of Object.entries(entries)) await call('PUT', `/v4/settings/${path}`, { value }, 201)
  return [
    '/schedules/calendars?calendar=holidays',
    '/schedules/calendars?calendar=closing&year=2030',
    '/tasks/policies',
    '/system/settings/edit?kind=calendar&name=closing',
    '/form/calendar.fill',
    '/system/settings/edit?kind=rule',
    '/system/settings/edit?kind=destination&type=webhook',
    '/system/settings/edit?kind=window&name=office',
    '/system/settings/edit?kind=policy&name=sales',
    '/system/settings/edit?kind=switch&name=emailNotification.smtp',
  ]
}

async function fillReports(reports: ReportSite): Promise<readonly string[]> {
  const { call, mailbox, product } = reports
  const { id: reportId } = await reports.salesReport('Sales overview')
  const recipients = [GONE, HERE].map((address) => ({ type: 'address', address }))
  const triggers = [{ type: 'schedule', cron: '0 7 * * 1' }]
  const { id: taskId } = await reports.mailTask('Monday mail', reportId, { recipients, triggers })
  mailbox.answer({ rcptTo: { [GONE]: 550 } })
  const { id: failedRun } = await reports.run(taskId)
  const { id: filterId } = await reports.filter('Kept', { type: 'values', field: 'Year', values: [2025] })
  const { id: conditionId } = await call('POST', '/v4/reportcondition', {
    project: 'Sales',
    name: 'Kept',
    rules: [{ type: 'value', left: { expr: '=Sum(Sales)' }, op: 'between', right: { const: 1 }, right2: { const: 9 } }],
  })
  const { id: personId } = await reports.person('anna@acme.example', filterId)
  const { id: groupId } = await call('POST', '/v4/recipientgroup', { name: 'Kept', memberIds: [personId] })
  const { id: templateId } = await call('POST', '/v4/report', {
    project: 'Sales',
    name: 'Of a template',
    type: 'template',
    appId: SALES_APP,
    data: [{ key: 'revenue', type: 'value', expr: '=Sum(Sales)' }],
  })
  const uploaded = await fetch(`http://127.0.0.1:${product.restPort}/v4/report/${templateId}/template`, {
    method: 'PUT',
    headers: { ...bearer, 'content-type': 'application/octet-stream', 'x-file-name': 'pack.docx' },
    body: await zipOf(wordTemplate(paragraph('{{revenue}}'))),
  })
  if (!uploaded.ok) throw new Error(`the template was not taken: ${await uploaded.text()}`)
  return [
    '/reports',
    `/reports/tasks/${taskId}?plan=1`,
    `/reports/tasks/${taskId}/edit`,
    '/reports/tasks/new',
    `/reports/runs/${failedRun}`,
    '/reports/reports',
    '/reports/reports/new',
    `/reports/reports/${reportId}`,
    '/reports/filters',
    '/reports/filters/new',
    `/reports/filters/${filterId}`,
    '/reports/conditions',
    '/reports/conditions/new',
    `/reports/conditions/${conditionId}`,
    '/reports/recipients',
    '/reports/recipients/new',
    `/reports/recipients/${personId}`,
    '/reports/groups',
    '/reports/groups/new',
    `/reports/groups/${groupId}`,
    '/reports/templates',
    '/reports/hub',
    `/form/reporttask.start?taskId=${taskId}`,
  ]
}

async function fillData({ product, call }: ReportSite): Promise<readonly string[]> {
  const pairs = [
    ['last run', '{"at":"2026-11-22","rows":[1,2]}'],
    ['api_token', 'not-a-real-token'],
  ]
  for (const [key, value] of pairs) await call('POST', '/v4/keyvalues/Sales%20ETL', { key, value })
  await call('POST', '/v4/keyvalues/Finance', { key: '.', value: 'dot', ttl: HOUR_MS })
  for (const folder of ['qvd', 'archive']) mkdirSync(product.directory.join(folder))
  writeFileSync(product.directory.join('qvd/sales.qvd'), 'rows\n')
  const files = { fromFile: 'qvd/sales.qvd', toFile: 'archive/sales.qvd', overwrite: true }
  const { jobId } = await call<{ jobId: string }>('PUT', '/v4/filecopy?async=true', files, 202)
  const message = { topic: 'plant/line1/state', message: '{"state":"running"}' }
  await call('PUT', '/v4/mqttpublishmessage', message, 201)
  return [
    '/system/keyvalues',
    '/system/keyvalues/Sales%20ETL',
    '/system/keyvalues/Sales%20ETL?key=last%20run',
    '/system/files',
    `/system/files/${jobId}`,
    '/system/mqtt',
    '/form/kv.deleteNamespace?namespace=Sales%20ETL',
    '/form/kv.import',
  ]
}
