/** Report tasks from their definition to mails and files, with the compiled executable, the simulated site and a mail server. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { type Footman, footman } from '../support/footman.ts'
import { REPOSITORY_USER, startSite, type TestSite } from '../support/simulator.ts'
import { type SmtpSink, startSmtpSink } from '../support/smtp-sink.ts'
import { tempDirectory } from '../support/temp.ts'
import { until } from '../support/wait.ts'

const SALES_APP = 'a1000000-0000-4000-8000-000000000002'
const WAIT = { timeout: 60_000 }
const space = tempDirectory()
let site: TestSite
let mailbox: SmtpSink
let product: Footman

beforeAll(async () => {
  ;[site, mailbox] = await Promise.all([startSite(), startSmtpSink()])
  mkdirSync(space.join('finance'))
  product = await footman({
    simulator: site.simulator,
    smtpPort: mailbox.port,
    config: {
      configEngine: {
        host: '127.0.0.1',
        port: site.simulator.ports.engine,
        useSSL: true,
        rejectUnauthorized: true,
        headers: { static: [{ name: 'X-Qlik-User', value: REPOSITORY_USER }] },
      },
      footman: {
        dataDirectory: 'data',
        reportTask: {
          enable: true,
          baseUrl: 'https://reports.acme.example',
          fromAddress: 'Reports <reports@acme.example>',
          defaultTimezone: 'Europe/Stockholm',
          storageSpaces: [{ id: 'finance', name: 'Finance', directory: space.join('finance') }],
          limits: { maxMailsPerMinute: 1000 },
        },
      },
    },
  })
  await product.start()
}, 60_000)

afterAll(async () => {
  await product[Symbol.asyncDispose]()
  await mailbox[Symbol.asyncDispose]()
  await site[Symbol.asyncDispose]()
})

interface Named {
  readonly id: string
}

async function call<T>(
  method: string,
  path: string,
  body?: unknown,
  status = method === 'POST' ? 201 : 200,
): Promise<T> {
  const answer = await product.call(method, path, body)
  const text = await answer.text()
  expect([path, answer.status, answer.status === status ? '' : text]).toEqual([path, status, ''])
  return JSON.parse(text) as T
}

interface RunAnswer {
  readonly id: string
  readonly state: string
  readonly outcome: string | null
  readonly reason: string | null
  readonly counts: Readonly<Record<string, number>>
  readonly events: readonly { readonly code: string; readonly details: string; readonly recipient?: string }[]
}

/** Starts a task and resolves with its run when that has ended. */
async function run(taskId: string, body: object = {}): Promise<RunAnswer> {
  const { tasksStarted } = await call<{ tasksStarted: { runId: string }[] }>(
    'POST',
    '/v4/reporttask/start',
    { taskId: [taskId], ...body },
    200,
  )
  const path = `/v4/reportrun/${tasksStarted[0]!.runId}`
  await until(async () => (await call<RunAnswer>('GET', path)).state === 'finished', {
    ...WAIT,
    state: () => product.process.stdout.filter((line) => line.includes('REPORTTASK')).slice(-5),
  })
  return call<RunAnswer>('GET', path)
}

const salesReport = (name: string) =>
  call<Named>('POST', '/v4/report', {
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
  })

test('20 recipients: in test mode 20 mails at the test address, afterwards one for each', async () => {
  const report = await salesReport('Twenty')
  const people = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      call<Named>('POST', '/v4/recipient', { name: `Person ${n}`, email: `person${n}@acme.example` }),
    ),
  )
  const group = await call<Named>('POST', '/v4/recipientgroup', {
    name: 'Everybody',
    memberIds: people.map(({ id }) => id),
  })
  const task = await call<Named>('POST', '/v4/reporttask', {
    project: 'Sales',
    name: 'Twenty people',
    enabled: true,
    reports: [{ key: 'pack', reportId: report.id, format: 'html', fileName: '{report}' }],
    recipients: [{ type: 'group', groupId: group.id, email: true }],
    email: { enabled: true, cc: ['copy@acme.example'], bcc: ['hidden@acme.example'], subject: 'Weekly sales' },
    testMode: { enabled: true, address: 'tester@acme.example' },
  })

  const tested = await run(task.id)
  expect([tested.outcome, tested.events, tested.counts.mailsSent]).toEqual(['success', [], 20])
  expect(mailbox.mails.map(({ envelope }) => envelope.to)).toEqual(
    Array.from({ length: 20 }, () => ['tester@acme.example']),
  )
  const subjects = mailbox.mails.map(({ parsed }) => parsed.subject ?? '')
  expect(new Set(subjects.map((subject) => subject.split(':')[0]))).toEqual(
    new Set(people.map((_, n) => `person${n}@acme.example`)),
  )
  for (const { parsed } of mailbox.mails) {
    expect([parsed.cc ?? [], parsed.bcc ?? [], parsed.attachments.map(({ filename }) => filename)]).toEqual([
      [],
      [],
      ['Twenty.html'],
    ])
  }

  mailbox.mails.length = 0
  await call('PATCH', `/v4/reporttask/${task.id}`, { testMode: { enabled: false } })
  const real = await run(task.id)
  expect([real.outcome, real.counts.mailsSent]).toEqual(['success', 20])
  const to = mailbox.mails.map(({ parsed }) => parsed.to?.[0]?.address)
  expect(to.toSorted()).toEqual(people.map((_, n) => `person${n}@acme.example`).toSorted())
  expect(mailbox.mails[0]!.parsed.subject).toBe('Weekly sales')
  mailbox.mails.length = 0
}, 120_000)

test('a cycle writes a file for each value, in every format', async () => {
  const report = await salesReport('Pack')
  const formats = ['csv', 'xlsx', 'html', 'pdf', 'json', 'svg', 'png'] as const
  const task = await call<Named>('POST', '/v4/reporttask', {
    project: 'Sales',
    name: 'Files of regions',
    reports: formats.map((format) => ({
      key: format,
      reportId: report.id,
      format,
      fileName: '{report}{cycle}',
      ...(format === 'csv' ? { block: 'table' } : format === 'svg' || format === 'png' ? { block: 'chart' } : {}),
      cycle: { fields: ['Region'] },
    })),
    storage: [{ spaceId: 'finance', folder: 'weekly/{date:yyyy}' }],
  })
  const ended = await run(task.id, { force: true })
  expect([ended.outcome, ended.events]).toEqual(['success', []])
  const folder = space.join('finance', 'weekly', String(new Date().getFullYear()))
  const names = readdirSync(folder).toSorted()
  const regions = ['Benelux', 'DACH', 'Iberia', 'Nordic', 'UK & Ireland']
  expect(names).toEqual(regions.flatMap((region) => formats.map((format) => `Pack_${region}.${format}`)).toSorted())
  expect(readFileSync(`${folder}/Pack_Nordic.csv`, 'utf8')).toMatch(/^\ufeffRegion,Sales\r\nNordic,[\d.]+\r\n$/)
  expect(readFileSync(`${folder}/Pack_Nordic.pdf`, 'latin1')).toStartWith('%PDF')
}, 120_000)
