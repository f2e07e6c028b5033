/** A mail server that refuses one address of a mail, a storage space that goes away, an expression that fails, at the compiled executable. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { smallWorkbook, zipOf } from '../support/office.ts'
import { type Named, type ReportSite, SALES_APP, startReportSite } from '../support/report-tasks.ts'
import { until } from '../support/wait.ts'

const NOT_ALLOWED = /^(the account of Footman has no right to a file or directory|the file system is read-only)$/
/** Paths of this machine, calls of the system and their codes. */
const INTERNAL = /\/sys\/|\/tmp\/|\.part|copyfile|mkdir|E(?:ACCES|PERM|ROFS|NOENT)/
let reports: ReportSite
let reportId = ''

beforeAll(async () => {
  reports = await startReportSite()
  reportId = (await reports.salesReport('Trouble')).id
}, 90_000)
afterAll(async () => reports?.[Symbol.asyncDispose]())

test('one of the addresses of a mail is refused: it is named, and the others get the mail', async () => {
  const recipients = ['here@acme.example', 'gone@acme.example'].map((address) => ({ type: 'address', address }))
  const email = { enabled: true, subject: 'One for all', grouping: 'single', cc: ['copy@acme.example'] }
  const task = await reports.mailTask('Refused among others', reportId, { recipients, email })
  reports.mailbox.answer({ rcptTo: { 'gone@acme.example': 550 } })
  const run = await reports.run(task.id)
  reports.mailbox.answer({})
  expect([run.outcome, run.reason]).toEqual(['warning', 'MAIL_REJECTED'])
  expect(run.events.map(({ code, recipient }) => [code, recipient])).toEqual([['MAIL_REJECTED', 'gone@acme.example']])
  expect((await reports.deliveries(run.id)).map(({ target, state }) => [target, state])).toEqual([
    ['here@acme.example', 'sent'],
    ['gone@acme.example', 'failed'],
  ])
  expect(reports.mailsTo('here@acme.example')[0]?.envelope.to).toEqual(['here@acme.example', 'copy@acme.example'])
}, 90_000)

test('a mail that is too large for the server goes without its files, and says so', async () => {
  const address = 'small@acme.example'
  const task = await reports.mailTask('Too large', reportId, { recipients: [{ type: 'address', address }] })
  let answers = 0
  reports.mailbox.answer({
    get data() {
      return answers++ === 0 ? 552 : 0
    },
  })
  const run = await reports.run(task.id)
  reports.mailbox.answer({})
  expect([run.outcome, run.reason]).toEqual(['warning', 'MAIL_INCOMPLETE'])
  const [mail, ...others] = reports.mailsTo(address)
  expect([others, mail?.parsed.attachments]).toEqual([[], []])
  expect(mail?.parsed.text).toContain('The files are not attached: the mail server refused the mail with them.')
}, 90_000)

test.each([
  [
    'that the repository refuses',
    "name eq 'x' and",
    'REPOSITORY_UNREACHABLE',
    /^the users of the recipient group "Managers that the repository refuses" cannot be read: 400 Bad Request; its filter is name eq 'x' and$/,
  ],
  [
    'without users',
    "name eq 'no user has this name'",
    'NO_RECIPIENTS',
    /the group "Managers without users" brings no person: no active user of Qlik Sense matches its filter name eq 'no user has this name'/,
  ],
])(
  'a group %s is named in the error of the run',
  async (kind, filter, code, details) => {
    const group = { name: `Managers ${kind}`, dynamic: { type: 'qrs', filter } }
    const { id: groupId } = await reports.call<Named>('POST', '/v4/recipientgroup', group)
    const task = await reports.mailTask(`Group ${kind}`, reportId, { recipients: [{ type: 'group', groupId }] })
    const run = await reports.run(task.id)
    expect([run.outcome, run.reason]).toEqual(['error', code])
    expect(run.events.find((event) => event.code === code)?.details).toMatch(details)
  },
  90_000,
)

test('an address that takes no mail of this size gets it once more without files, the others with them', async () => {
  const recipients = ['large@acme.example', 'little@acme.example'].map((address) => ({ type: 'address', address }))
  const email = { enabled: true, subject: 'For all mailboxes', grouping: 'single' }
  const task = await reports.mailTask('Little mailbox', reportId, { recipients, email })
  let answers = 0
  reports.mailbox.answer({
    rcptTo: {
      get 'little@acme.example'() {
        return answers++ === 0 ? 552 : 0
      },
    },
  })
  const run = await reports.run(task.id)
  reports.mailbox.answer({})
  expect([run.outcome, run.reason]).toEqual(['warning', 'MAIL_INCOMPLETE'])
  expect(run.events).toMatchObject([{ code: 'MAIL_INCOMPLETE', recipient: 'little@acme.example' }])
  const attached = ['large', 'little'].map((name) => reports.mailsTo(`${name}@acme.example`))
  expect(
    attached.map((mails) => mails.map(({ envelope, parsed }) => [envelope.to, parsed.attachments.length])),
  ).toEqual([[[['large@acme.example'], 1]], [[['little@acme.example'], 0]]])
}, 90_000)

test('an outcome mail whose address is refused is a warning of the run, with the words of the server', async () => {
  reports.mailbox.answer({ rcptTo: { 'boss@acme.example': 550 } })
  const task = await reports.mailTask('Refused outcome mail', reportId, {
    recipients: [{ type: 'address', address: 'told@acme.example' }],
    notifications: [{ on: ['success'], recipients: ['boss@acme.example', 'other@acme.example'] }],
  })
  const { id } = await reports.run(task.id)
  await until(async () => (await reports.ended(id)).events.length > 0)
  const run = await reports.ended(id)
  reports.mailbox.answer({})
  expect([run.outcome, run.counts.warnings]).toEqual(['success', 1])
  expect(run.events).toMatchObject([{ code: 'MAIL_REJECTED', level: 'warning', recipient: 'boss@acme.example' }])
  expect(run.events[0]?.details).toMatch(/^outcome mail: boss@acme\.example: .*550/)
  await until(() => reports.mailsTo('other@acme.example').length > 0)
}, 90_000)

test('a report whose app was deleted is named, and the others are mailed', async () => {
  const appId = 'ccc1e1c1-6f4e-4a9d-8b3b-8a3d8a0e1c77'
  const gone = await reports.salesReport('Deleted app', { appId })
  const task = await reports.mailTask('One app deleted', reportId, {
    reports: [gone.id, reportId].map((id, n) => ({ key: ['gone', 'here'][n], reportId: id, format: 'csv' })),
    recipients: [{ type: 'address', address: 'reader@acme.example' }],
  })
  const run = await reports.run(task.id)
  expect([run.outcome, run.reason]).toEqual(['error', 'APP_NOT_FOUND'])
  expect(run.events.find(({ level }) => level === 'error')).toMatchObject({ report: 'gone', code: 'APP_NOT_FOUND' })
  const [mail] = reports.mailsTo('reader@acme.example')
  expect(mail?.parsed.attachments.map(({ filename }) => filename)).toEqual([expect.stringMatching(/^Trouble.*\.csv$/)])
  expect(mail?.parsed.text).toContain('Deleted app')
}, 90_000)

test.each([
  ['first', ['gone', 'here'], ['plain@acme.example']],
  ['last', ['here', 'gone'], ['asked@acme.example', 'plain@acme.example']],
])(
  'recipients by an expression beside a deleted app, which comes %s',
  async (_, order, reached) => {
    const appId = 'ccc1e1c1-6f4e-4a9d-8b3b-8a3d8a0e1c77'
    const gone = await reports.salesReport(`Deleted app of ${order[0]}`, { appId })
    const task = await reports.mailTask(`Asks ${order[0]}`, reportId, {
      reports: order.map((key) => ({ key, reportId: key === 'gone' ? gone.id : reportId, format: 'csv' })),
      recipients: [
        { type: 'expression', expr: "='asked@acme.example'" },
        { type: 'address', address: 'plain@acme.example' },
      ],
      notifications: [{ on: ['error'], recipients: [`boss-${order[0]}@acme.example`] }],
    })
    const run = await reports.run(task.id)
    expect([run.outcome, run.reason]).toEqual(['error', 'APP_NOT_FOUND'])
    const mails = (await reports.deliveries(run.id)).filter(({ channel }) => channel === 'email')
    const sent = mails.map(({ target, state }) => `${target} ${state}`)
    expect(sent.toSorted()).toEqual(reached.map((one) => `${one} sent`))
    const boss = `boss-${order[0]}@acme.example`
    await until(() => reports.mailsTo(boss).length > 0)
    const text = reports.mailsTo(boss)[0]?.parsed.text
    expect(text).toContain('gone: APP_NOT_FOUND')
    if (order[0] === 'gone') expect(text).toContain(`the recipients that "='asked@acme.example'" names get nothing`)
  },
  90_000,
)

/** Replaces the folder of the space by one of the system, where nobody may make a file. */
function refuseFiles() {
  renameSync(reports.space.join('finance'), reports.space.join('away'))
  symlinkSync('/sys/kernel', reports.space.join('finance'))
}

function renameSpace() {
  renameSync(reports.space.join('finance'), reports.space.join('away'))
}

const AWAY = /^the folder of the space finance is not available: a file or directory is not there$/

test.each([
  ['away', renameSpace, '', AWAY] as const,
  ...(process.platform === 'linux'
    ? ([
        ['refused', refuseFiles, '', NOT_ALLOWED],
        ['refused to a new folder', refuseFiles, 'new', NOT_ALLOWED],
      ] as const)
    : []),
])(
  'a storage space that is %s is reported at once, keeps no other start waiting, and gets its file',
  async (name, prevent, folder, reason) => {
    const watcher = `${name.replaceAll(' ', '-')}@acme.example`
    const task = await reports.mailTask(`Space ${name}`, reportId, {
      email: { enabled: false },
      storage: [{ spaceId: 'finance', folder, onExists: 'overwrite' }],
      reports: [{ key: 'pack', reportId, format: 'csv', block: 'table', fileName: name }],
      notifications: [{ on: ['error'], recipients: [watcher] }],
    })
    const here = reports.space.join('finance')
    prevent()
    const first = await reports.begin(task.id)
    const [mail] = await reports.mailbox.received(1, { match: ({ envelope }) => envelope.to.includes(watcher) })
    expect(mail?.parsed.subject).toBe(`[waiting] Report task "Space ${name}"`)
    const { text = '', html = '' } = mail?.parsed ?? {}
    const [delivery] = await reports.deliveries(first)
    expect([delivery?.state, delivery?.lastError]).toEqual(['retry', expect.stringMatching(reason)])
    expect(text).toContain(`${delivery?.lastError}, next try `)
    for (const one of [text, html]) expect(one).not.toMatch(INTERNAL)
    const second = await reports.begin(task.id)
    await until(async () => (await reports.deliveries(second))[0]?.state === 'retry')
    rmSync(here, { force: true })
    renameSync(reports.space.join('away'), here)
    expect([(await reports.ended(first)).outcome, (await reports.ended(second)).outcome]).toEqual([
      'success',
      'success',
    ])
    expect(existsSync(join(here, folder, `${name}.csv`))).toBe(true)
  },
  120_000,
)

describe('an expression that is correct and fails when it is calculated', () => {
  const FAILS = '=NoSuchFunction(1)'
  const text = { key: 'text', type: 'text', markdown: 'Good' }
  const places: readonly (readonly [string, object])[] = [
    ['a text', { blocks: [{ ...text, markdown: `Sales {{${FAILS}}}` }] }],
    ['a figure', { blocks: [{ key: 'kpi', type: 'kpi', items: [{ label: 'Sales', expr: FAILS }] }] }],
    [
      'its comparison',
      { blocks: [{ key: 'kpi', type: 'kpi', items: [{ label: 'Sales', expr: '=1', compareExpr: FAILS }] }] },
    ],
    [
      'a column',
      { blocks: [{ key: 'table', type: 'table', columns: [{ label: 'Sales', expr: FAILS, kind: 'measure' }] }] },
    ],
    [
      'a dimension',
      { blocks: [{ key: 'table', type: 'table', columns: [{ label: 'Sales', expr: FAILS, kind: 'dimension' }] }] },
    ],
    ['a chart', { blocks: [{ key: 'chart', type: 'chart', chart: 'bar', dimension: 'Region', measures: [FAILS] }] }],
    ['a title', { page: { title: `Sales {expr:${FAILS}}` }, blocks: [text] }],
    ['a footer', { page: { footer: `Sales {expr:${FAILS}}` }, blocks: [text] }],
  ]

  const LINE = '=NoSuchFunction(1): Unknown function "nosuchfunction"'
  const use = { key: 'pack', format: 'html', fileName: 'pack' }

  test.each(places)(
    'in %s: the run names it with its report, and the document has no value of it',
    async (place, definition) => {
      const report = await reports.salesReport(`Fails in ${place}`, definition)
      const task = await reports.mailTask(`Fails in ${place}`, report.id, {
        reports: [{ ...use, reportId: report.id }],
        email: { enabled: false },
        storage: [{ spaceId: 'finance', folder: place, onExists: 'overwrite' }],
      })
      const run = await reports.run(task.id)
      const whole = !('page' in definition)
      expect([run.outcome, run.reason]).toEqual(whole ? ['warning', 'BLOCK_ERROR'] : ['error', 'DOCUMENT_FAILED'])
      expect(run.events.map((event) => event.report)).toEqual(['pack'])
      expect(run.events[0]?.details).toMatch(/NoSuchFunction/i)
      expect(run.events[0]?.details).not.toContain('Error: ')
      const file = reports.space.join('finance', place, 'pack.html')
      expect(existsSync(file)).toBe(whole)
      if (!whole) return
      const page = readFileSync(file, 'utf8')
      expect(page).toContain('This part could not be calculated: ')
      expect(page).not.toContain('Error: ')
    },
    60_000,
  )

  test.each([
    ['a file name', { fileName: `Sales {expr:${FAILS}}` }, {}],
    ['a subject', {}, { subject: `Sales {expr:${FAILS}}` }],
  ])(
    'in %s: the run names it, and no mail has it',
    async (place, ofUse, ofMail) => {
      const task = await reports.mailTask(`Fails in ${place}`, reportId, {
        reports: [{ ...use, ...ofUse, reportId }],
        email: { enabled: true, subject: 'Sales', ...ofMail },
      })
      const run = await reports.run(task.id)
      expect(run.outcome).toBe('error')
      expect(run.events.map(({ details }) => details)).toContainEqual(expect.stringContaining(LINE))
      expect(reports.mailsTo(`fails-in-${place.replaceAll(' ', '-')}@acme.example`)).toEqual([])
    },
    60_000,
  )
})

test('a template that cannot be read any more is named in words, without its path', async () => {
  const file = reports.templates.join('moved.xlsx')
  writeFileSync(file, await zipOf(smallWorkbook()))
  const { id } = await reports.call<Named>('POST', '/v4/report', {
    project: 'Sales',
    name: 'Moved',
    type: 'template',
    appId: SALES_APP,
    template: { source: 'file', file: 'moved.xlsx' },
    data: [{ key: 'sales', type: 'value', expr: '=Sum(Sales)' }],
  })
  const task = await reports.mailTask('Moved', id, { reports: [{ key: 'pack', reportId: id, format: 'xlsx' }] })
  rmSync(file)
  const run = await reports.run(task.id)
  expect([run.outcome, run.reason]).toEqual(['error', 'TEMPLATE_NOT_FOUND'])
  expect(run.events.map(({ report, details }) => [report, details])).toEqual([
    ['pack', 'moved.xlsx: a file or directory is not there'],
    [undefined, 'moved@acme.example: no mail, without Moved'],
  ])
}, 60_000)
