/** Stored report tasks, as `footman doctor` finds them: apps in the engine, templates, the mail server. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createGroupWriter } from '../../../../src/platform/group-commit.ts'
import { openDatabase } from '../../../../src/platform/sqlite.ts'
import { report as reportSchema } from '../../../../src/reports/entities/report.ts'
import { reportTask } from '../../../../src/reports/entities/task.ts'
import { definitionMigrations } from '../../../../src/reports/migrations.ts'
import { createDefinitionStore } from '../../../../src/reports/store.ts'
import { codes, diagnose } from '../../../support/doctor.ts'
import { finding, siteConfig } from '../../../support/doctor-site.ts'
import { testClock } from '../../../support/key-values.ts'
import { zipOf } from '../../../support/office.ts'
import { freeTcpPort } from '../../../support/ports.ts'
import { SALES_APP } from '../../../support/report-tasks.ts'
import { startSite, type TestSite } from '../../../support/simulator.ts'
import { startSmtpSink } from '../../../support/smtp-sink.ts'
import { type TempDirectory, tempDirectory } from '../../../support/temp.ts'
import { paragraph, wordTemplate } from '../../../support/templates.ts'

const only = ['reports']
const REPORT = '0d9c9a0e-97b1-4b7c-8c55-0b6a3f6f4a11'
const TASK = '5b0f6c1e-3a0e-4c6b-9f1d-6c1a2b3c4d5e'
const NO_APP = 'a1000000-0000-4000-8000-0000000000ff'

let site: TestSite
let folder: TempDirectory
const folders: TempDirectory[] = []
beforeAll(async () => {
  site = await startSite()
})
afterAll(() => site[Symbol.asyncDispose]())
afterEach(() => {
  site.simulator.clearFaults()
  for (const one of folders.splice(0)) one.remove()
})

const BLOCKS = { name: 'Sales pack', blocks: [{ key: 'note', type: 'text', markdown: 'Hello' }] }
const template = (data: readonly object[], levels: readonly object[] = []) => ({
  name: 'Letter',
  type: 'template',
  template: { source: 'file', file: 'letter.docx' },
  data,
  levels,
})

interface Given {
  readonly report?: object
  readonly appId?: string
  readonly task?: object
  /** Paragraphs of `letter.docx`; absent = there is no file. */
  readonly letter?: readonly string[]
  readonly butler?: object
}

/** A data directory with one report and one task that makes it; returns the configuration. */
async function stored({ report = BLOCKS, appId = SALES_APP, task = {}, letter, butler = {} }: Given): Promise<object> {
  folder = tempDirectory()
  folders.push(folder)
  const db = openDatabase(folder.join('footman.db'), { migrations: definitionMigrations })
  const store = createDefinitionStore(
    { db, writer: createGroupWriter(db), clock: testClock() },
    {
      allowedDomains: [],
      fromAddress: '',
      secrets: [],
      storageSpaces: [],
      hubEnabled: true,
      converterFound: () => true,
    },
  )
  const { type } = report as { type?: string }
  const entity = reportSchema().parse({ ...report, project: 'default', appId })
  const format = type === 'template' ? 'docx' : 'pdf'
  const given = reportTask().parse({
    name: 'Weekly',
    enabled: true,
    hub: { enabled: true },
    reports: [{ key: 'pack', reportId: REPORT, format }],
    ...task,
  })
  await store.edit('test', ({ save }) =>
    save([
      { kind: 'report', id: REPORT, entity },
      { kind: 'task', id: TASK, entity: given },
    ]),
  )
  db.close()
  mkdirSync(folder.join('templates'))
  if (letter)
    writeFileSync(
      folder.join('templates/letter.docx'),
      await zipOf(wordTemplate(letter.map((text) => paragraph(text)).join(''))),
    )
  const officeConverter = { enable: 'off' }
  const section = { enable: true, templateDirectory: folder.join('templates'), officeConverter }
  return { ...siteConfig(site.simulator), footman: { dataDirectory: folder.path, reportTask: section }, ...butler }
}

/** All but the converter, which these tests leave out. */
async function findings(given: Given, timeout = 5000) {
  const found = await diagnose(await stored(given), { only, timeout, qsConnection: true })
  return { ...found, findings: found.findings.filter(({ code }) => code !== 'reports.no-converter') }
}

describe('the app of an enabled task', () => {
  test('can be opened', async () => {
    const found = await findings({})
    expect(codes(found)).toEqual(['reports.apps'])
    expect(found.findings[0]!.message).toBe('1 app of reports can be opened as Internal\\sa_repository')
  })

  test('is not there', async () => {
    const found = await findings({ appId: NO_APP })
    expect(found.findings).toEqual([
      {
        level: 'error',
        code: 'reports.app-missing',
        target: `app ${NO_APP}`,
        message: 'the engine has no app with this id; used by "Sales pack"',
        fix: 'correct appId of the report, or switch off the tasks that make it',
      },
    ])
    expect(found.code).toBe(3)
  })

  test('is of no interest while the task is off', async () => {
    expect(codes(await findings({ appId: NO_APP, task: { enabled: false } }))).toEqual([])
  })

  test('refuses the user', async () => {
    site.simulator.fault({ listener: 'engine', mode: 'engine-denied', args: ['Internal\\sa_repository'] })
    const found = await findings({})
    expect(codes(found)).toEqual(['reports.app-denied'])
    expect(found.findings[0]!.fix).toContain('let Internal\\sa_repository open the app')
  })

  test('refuses the user, but is opened as each recipient', async () => {
    site.simulator.fault({ listener: 'engine', mode: 'engine-denied', args: ['Internal\\sa_repository'] })
    const found = await findings({ task: { run: { evaluateAs: 'recipient' } } })
    expect(found.findings.map(({ code, level }) => [code, level])).toEqual([['reports.app-of-recipients', 'info']])
  })

  test('is slow', async () => {
    site.simulator.fault({ listener: 'engine', mode: 'engine-stall', args: ['OpenDoc'] })
    const found = await findings({}, 300)
    expect(codes(found)).toEqual(['reports.app-slow'])
    expect(found.findings[0]!.message).toBe('not opened within 0.3 s; used by "Sales pack"')
    expect(found.code).toBe(0)
  })

  test('breaks off', async () => {
    site.simulator.fault({ listener: 'engine', mode: 'engine-close', args: [1011, 'OpenDoc'] })
    expect(codes(await findings({}))).toEqual(['reports.app-failed'])
  })

  test('is not asked for while the engine is down: one line here, the reason with the engine', async () => {
    const configEngine = { host: '127.0.0.1', port: await freeTcpPort() }
    const butler = await stored({ butler: { configEngine } })
    const found = await diagnose(butler, { only: ['reports', 'engine'], qsConnection: true })
    expect(
      codes(found)
        .filter((code) => code !== 'reports.no-converter')
        .sort(),
    ).toEqual(['engine.refused', 'reports.apps-not-examined'])
  })
})

describe('the template of a report', () => {
  const DATA = [
    { key: 'total', type: 'value', expr: '=Sum(Sales)' },
    { key: 'chart', type: 'chart', chart: 'bar', dimension: 'Region', measures: ['=Sum(Sales)'] },
  ]

  test('is there, and app and report know all names', async () => {
    const found = await findings({ report: template(DATA), letter: ['{{total}} {{=Count(Region)}}'] })
    expect(codes(found)).toEqual(['reports.templates', 'reports.apps'])
  })

  test('is not there', async () => {
    const found = await findings({ report: template(DATA) })
    expect(finding(found, 'reports.template-missing')).toMatchObject({
      level: 'error',
      target: 'report "Letter"',
      fix: `put the file into ${folder.join('templates')}, and let the account of Footman read it`,
    })
  })

  test('has tags that the report does not know: a line for each; a warning while no task makes it', async () => {
    const letter = ['{{totl}}', '{{nonsense}}']
    const found = await findings({ report: template(DATA), letter, task: { enabled: false } })
    expect(found.findings.map(({ code, level, message }) => [code, level, message])).toEqual([
      [
        'reports.template',
        'warning',
        'letter.docx, document, paragraph 1: {{totl}}: no data binding, column or level has this name; nearest: "total"',
      ],
      [
        'reports.template',
        'warning',
        'letter.docx, document, paragraph 2: {{nonsense}}: no data binding, column or level has this name',
      ],
    ])
  })

  test('names what the app does not have', async () => {
    const data = [
      { key: 'total', type: 'value', expr: '=Sum(Sale)' },
      {
        key: 'rows',
        type: 'table',
        columns: [
          { key: 'a', expr: 'Regoin', kind: 'dimension' },
          { key: 'b', expr: { libraryId: 'gone' }, kind: 'measure' },
        ],
      },
      { key: 'object', type: 'object', objectId: 'nothing' },
    ]
    const levels = [{ key: 'year', field: 'Yaer' }]
    const letter = ['{{total}}', '{{=Sum(Wrong)}}']
    const found = await findings({ report: template(data, levels), letter })
    expect(found.findings.filter(({ code }) => code === 'reports.template-data').map(({ message }) => message)).toEqual(
      [
        'the app "Sales Dashboard" cannot resolve year: the app "Sales Dashboard" has no field "Yaer"',
        'the app "Sales Dashboard" cannot resolve expression: Sum(Wrong): unknown field Wrong',
        'the app "Sales Dashboard" cannot resolve total: =Sum(Sale): unknown field Sale',
        'the app "Sales Dashboard" cannot resolve rows: unknown field Regoin',
        'the app "Sales Dashboard" cannot resolve rows: the app "Sales Dashboard" has no master item "gone"',
        'the app "Sales Dashboard" cannot resolve object: the app "Sales Dashboard" has no object "nothing"',
      ],
    )
  })
})

describe('the mail server of a task that sends mails', () => {
  const task = {
    email: { enabled: true },
    recipients: [{ type: 'address', address: 'anna@company.example' }],
  }

  test('is examined once, though nothing else sends mails', async () => {
    await using sink = await startSmtpSink()
    const emailNotification = { smtp: { host: '127.0.0.1', port: sink.port, tls: { requireTLS: false } } }
    const found = await diagnose(await stored({ task, butler: { emailNotification } }), { only: ['smtp'] })
    expect(codes(found)).toEqual(['smtp.unencrypted', 'smtp.ready'])
    const off = await diagnose(await stored({ butler: { emailNotification } }), { only: ['smtp'] })
    expect(codes(off)).toEqual([])
  })

  test('is not named', async () => {
    const found = await findings({ task })
    expect(finding(found, 'reports.no-mail-server')).toMatchObject({ level: 'error', target: 'task "Weekly"' })
  })
})
