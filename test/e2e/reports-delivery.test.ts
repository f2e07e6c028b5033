/** Delivery of reports to mail servers and folders that refuse, are away, or are an attack, in the compiled executable. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { Uint8ArrayReader, Uint8ArrayWriter, ZipReader } from '@zip.js/zip.js'
import { pdfEncryption, pdfFaults } from '../support/pdf.ts'
import { REGIONS, type ReportSite, startReportSite } from '../support/report-tasks.ts'
import { needs } from '../support/servers.ts'
import { until } from '../support/wait.ts'

needs('pdftotext', 'qpdf')

const LATE = 'mail-server-late@acme.example'
const PASSWORDS = { zip: 'correct horse battery', pdf: 'staple for the paper' }
let reports: ReportSite
/** A mail that the server takes at its second attempt, a minute after the first. */
let lateRun: string

beforeAll(async () => {
  reports = await startReportSite({ secrets: PASSWORDS })
  const report = await reports.salesReport('Late')
  const task = await reports.mailTask('Mail server late', report.id)
  reports.mailbox.answer({ rcptTo: { [LATE]: 451 } })
  lateRun = await reports.begin(task.id)
  await until(async () => (await reports.deliveries(lateRun))[0]?.state === 'retry')
}, 60_000)
afterAll(async () => reports?.[Symbol.asyncDispose]())

/** Files of a folder below the space. */
const filesIn = (folder: string) => readdirSync(reports.space.join('finance', folder)).toSorted()

test('an address that the mail server refuses is a warning, and the others get theirs', async () => {
  const report = await reports.salesReport('Refused')
  const task = await reports.mailTask('Refused', report.id, {
    recipients: ['gone@acme.example', 'here@acme.example', 'too@acme.example'].map((address) => ({
      type: 'address',
      address,
    })),
  })
  reports.mailbox.answer({ rcptTo: { 'gone@acme.example': 550, [LATE]: 451 } })
  const run = await reports.run(task.id)
  expect([run.outcome, run.reason, run.counts.mailsSent, run.counts.mailsFailed]).toEqual([
    'warning',
    'MAIL_REJECTED',
    2,
    1,
  ])
  expect(run.events.map(({ recipient }) => recipient)).toEqual(['gone@acme.example'])

  reports.mailbox.answer({ rcptTo: { [LATE]: 451 } })
  const child = await reports.call(
    'POST',
    `/v4/reportrun/${run.id}/resend`,
    { states: ['failed'], corrections: { 'Gone@acme.example': 'found@acme.example' } },
    202,
  )
  expect((await reports.ended(child.id)).outcome).toBe('success')
  expect(reports.mailsTo('found@acme.example')).toHaveLength(1)
  expect(reports.mailsTo('here@acme.example')).toHaveLength(1)

  const refused = async (body: object) => {
    const answer = await reports.product.call('POST', `/v4/reportrun/${run.id}/resend`, body)
    return [answer.status, await answer.text()] as const
  }
  expect(await refused({})).toEqual([409, expect.stringContaining(`gone@acme.example (run ${child.id})`)])
  const body = { recipients: ['gone@acme.example', 'no@acme.example'], corrections: { 'typo@acme.example': LATE } }
  const [status, text] = await refused(body)
  expect([status, (JSON.parse(text) as { issues: unknown }).issues]).toEqual([
    400,
    [
      { path: 'recipients.1', message: 'no@acme.example is in no mail that is failed or unknown' },
      { path: 'corrections.typo@acme.example', message: 'typo@acme.example is in no mail that is failed or unknown' },
    ],
  ])
  await reports.call('PATCH', `/v4/reporttask/${task.id}`, { testMode: { enabled: true, address: 'me@acme.example' } })
  expect(await refused({ confirmDuplicates: true })).toEqual([409, expect.stringContaining('the task is in test mode')])
  expect(reports.mailsTo('gone@acme.example')).toEqual([])
}, 60_000)

test.each([
  ['upwards', String.raw`..\..\outside`],
  ['upwards with slashes', '../../outside'],
  ['a drive', 'C:foo'],
  ['a stream', 'a:stream'],
  ['absolute', '/tmp/outside'],
  ['a device path', String.raw`\\?\C:\outside`],
])(
  'a folder expression that leads %s is refused, and nothing appears outside',
  async (name, folder) => {
    const report = await reports.salesReport(`Folder ${name}`)
    const before = readdirSync(reports.space.path)
    const task = await reports.mailTask(`Folder ${name}`, report.id, {
      reports: [
        {
          key: 'pack',
          reportId: report.id,
          format: 'csv',
          block: 'table',
          cycle: { fields: ['Region'], folder: `='${folder}'` },
        },
      ],
      email: { enabled: false },
      storage: [{ spaceId: 'finance' }],
    })
    const run = await reports.run(task.id)
    expect([run.outcome, run.reason, run.counts.filesWritten]).toEqual(['error', 'STORAGE_FAILED', 0])
    expect(readdirSync(reports.space.path)).toEqual(before)
  },
  60_000,
)

test('a folder that is a link out of the space is refused', async () => {
  mkdirSync(reports.space.join('outside'))
  symlinkSync(reports.space.join('outside'), reports.space.join('finance', 'linked'))
  const report = await reports.salesReport('Linked')
  const task = await reports.mailTask('Linked', report.id, {
    email: { enabled: false },
    storage: [{ spaceId: 'finance', folder: 'linked' }],
  })
  const run = await reports.run(task.id)
  expect([run.outcome, run.reason, run.counts.filesWritten]).toEqual(['error', 'STORAGE_FAILED', 0])
  expect(readdirSync(reports.space.join('outside'))).toEqual([])
}, 60_000)

test('a PDF with a password and an archive with one open with it alone', async () => {
  const report = await reports.salesReport('Locked')
  const use = { reportId: report.id, format: 'pdf', fileName: '{key}' }
  const task = await reports.mailTask('Locked', report.id, {
    reports: [
      { key: 'paper', ...use, protect: { pdfPassword: 'secretRef:pdf' } },
      { key: 'archive', ...use, zip: 'perReport', protect: { zipPassword: 'secretRef:zip' } },
    ],
    email: { enabled: false },
    storage: [{ spaceId: 'finance', folder: 'locked' }],
  })
  const run = await reports.run(task.id)
  expect(run.outcome).toBe('success')
  const zipName = filesIn('locked').find((name) => name.endsWith('.zip'))
  expect(filesIn('locked')).toEqual([zipName!, 'paper.pdf'].toSorted())

  const paper = reports.space.join('finance', 'locked', 'paper.pdf')
  expect(pdfFaults(paper, PASSWORDS.pdf)).toBe('')
  expect(pdfEncryption(paper, PASSWORDS.pdf)).toMatch(/AESv3/)
  expect(pdfFaults(paper)).toContain('invalid password')
  expect(pdfFaults(paper, 'wrong password')).toContain('invalid password')

  const bytes = new Uint8Array(readFileSync(reports.space.join('finance', 'locked', zipName!)))
  const [entry] = await new ZipReader(new Uint8ArrayReader(bytes)).getEntries()
  expect(entry).toMatchObject({ filename: 'archive.pdf', encrypted: true, zipCrypto: false })
  if (!entry || entry.directory) throw new Error('no file in the archive')
  const opened = async (password?: string) =>
    Buffer.from(await entry.getData(new Uint8ArrayWriter(), { useWebWorkers: false, ...(password && { password }) }))
  expect((await opened(PASSWORDS.zip)).subarray(0, 4).toString()).toBe('%PDF')
  expect(opened('wrong password')).rejects.toThrow('Invalid password')
  expect(opened()).rejects.toThrow('File contains encrypted entry')
}, 60_000)

test('embedded, a report is the body of its mail; archives of a mail hold its files', async () => {
  const report = await reports.salesReport('Embedded')
  const use = { reportId: report.id, deliver: { email: 'attach', storage: false, hub: false } }
  const task = await reports.mailTask('Embedded', report.id, {
    reports: [
      { key: 'body', ...use, format: 'html', deliver: { ...use.deliver, email: 'embed' } },
      {
        key: 'csv',
        ...use,
        format: 'csv',
        block: 'table',
        fileName: '{key}{cycle}',
        zip: 'perMail',
        cycle: { fields: ['Region'] },
      },
    ],
  })
  const run = await reports.run(task.id)
  expect([run.outcome, run.events]).toEqual(['success', []])
  const [mail] = reports.mailsTo('embedded@acme.example')
  expect(mail!.parsed.html).toContain('Nordic')
  expect(mail!.parsed.html).not.toMatch(/<script|<svg/)
  const cids = [...mail!.parsed.html!.matchAll(/cid:([^"']+)/g)].map(([, cid]) => cid!)
  expect(cids).not.toEqual([])
  const attachments = mail!.parsed.attachments
  expect(cids.filter((cid) => !attachments.some(({ contentId }) => contentId === `<${cid}>`))).toEqual([])
  const archive = attachments.find(({ mimeType }) => mimeType === 'application/zip')
  const entries = await new ZipReader(
    new Uint8ArrayReader(new Uint8Array(archive!.content as ArrayBuffer)),
  ).getEntries()
  expect(entries.map(({ filename }) => filename).toSorted()).toEqual(REGIONS.map((region) => `csv_${region}.csv`))
}, 60_000)

test('a mail with nothing but an embedded report has no attachment and names no file', async () => {
  const report = await reports.salesReport('Body alone')
  const task = await reports.mailTask('Body alone', report.id, {
    reports: [
      {
        key: 'body',
        reportId: report.id,
        format: 'html',
        fileName: 'only-in-the-body',
        deliver: { email: 'embed', storage: false, hub: false },
      },
    ],
  })
  expect((await reports.run(task.id)).outcome).toBe('success')
  const { parsed } = reports.mailsTo('body-alone@acme.example')[0]!
  expect(parsed.html).toContain('Nordic')
  expect(parsed.html + (parsed.text ?? '')).not.toContain('only-in-the-body')
  expect(parsed.attachments.filter(({ disposition }) => disposition === 'attachment')).toEqual([])
}, 60_000)

test('onExists suffix: a second file with a number, and no warning', async () => {
  const report = await reports.salesReport('Suffix')
  const task = await reports.mailTask('Suffix', report.id, {
    reports: [{ key: 'pack', reportId: report.id, format: 'csv', block: 'table', fileName: 'pack' }],
    email: { enabled: false },
    storage: [{ spaceId: 'finance', folder: 'suffix', onExists: 'suffix' }],
  })
  for (const written of [1, 2]) {
    const run = await reports.run(task.id)
    expect([run.outcome, run.events]).toEqual(['success', []])
    expect(filesIn('suffix')).toHaveLength(written)
  }
}, 60_000)

test.each([
  ['continue', ['second.csv']],
  ['stop', []],
])(
  'run.onReportError %s after a report that fails',
  async (onReportError, files) => {
    const report = await reports.salesReport(`After ${onReportError}`)
    const use = (key: string, more: object) => ({
      key,
      reportId: report.id,
      format: 'csv',
      fileName: key,
      block: 'table',
      ...more,
    })
    const task = await reports.mailTask(`After ${onReportError}`, report.id, {
      reports: [use('first', { cycle: { fields: ['No such field'] } }), use('second', {})],
      email: { enabled: false },
      storage: [{ spaceId: 'finance', folder: onReportError }],
      run: { onReportError },
    })
    const run = await reports.run(task.id)
    expect(run.outcome).toBe('error')
    expect(existsSync(reports.space.join('finance', onReportError)) ? filesIn(onReportError) : []).toEqual(files)
  },
  60_000,
)

test('a mail that the server took at the second attempt: a success, also over a restart', async () => {
  await reports.product.process.stop()
  await reports.product.start()
  reports.mailbox.answer({})
  const run = await until(
    async () => {
      const answer = await reports.call<{ state: string; outcome: string }>('GET', `/v4/reportrun/${lateRun}`)
      return answer.state === 'finished' && answer
    },
    { timeout: 100_000 },
  )
  expect(run.outcome).toBe('success')
  expect(reports.mailsTo(LATE)).toHaveLength(1)
  expect((await reports.deliveries(lateRun)).map(({ state, attempts }) => [state, attempts])).toEqual([['sent', 2]])
}, 120_000)
