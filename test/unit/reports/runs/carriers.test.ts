/** One attempt of a delivery: a mail with its attachments, a file in a storage space. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { Uint8ArrayReader, Uint8ArrayWriter, ZipReader } from '@zip.js/zip.js'
import type { SendMailOptions } from 'nodemailer'
import { type Blobs, createBlobs } from '../../../../src/platform/blobs.ts'
import type { MailOutcome } from '../../../../src/reports/mailer.ts'
import {
  type CarrierDeps,
  createFileCarrier,
  createMailCarrier,
  createThrottle,
} from '../../../../src/reports/runs/carriers.ts'
import { type DeliveryJob, WRITING } from '../../../../src/reports/runs/deliver.ts'
import type { Archive, FilePayload, MailPayload } from '../../../../src/reports/runs/plan.ts'
import { exampleDefinition, exampleDocument } from '../../../support/report-runs.ts'
import { type TempDirectory, tempDirectory } from '../../../support/temp.ts'

const MB = 1024 * 1024
let folder: TempDirectory
let space: TempDirectory
let blobs: Blobs

beforeAll(() => {
  folder = tempDirectory()
  space = tempDirectory()
  blobs = createBlobs(folder.path)
})
afterAll(() => {
  folder.remove()
  space.remove()
})

async function stored(id: string, fileName: string, content: string | Uint8Array) {
  const bytes = Buffer.from(content)
  const { sha256 } = await blobs.put(bytes)
  expect(sha256).toBe(createHash('sha256').update(bytes).digest('hex'))
  return exampleDocument({ id, fileName, sha256, bytes: bytes.length })
}

const PAYLOAD: MailPayload = {
  from: null,
  to: ['anna@x.com'],
  cc: [],
  bcc: [],
  subject: 'Weekly',
  insteadOf: null,
  person: { name: 'Anna', address: 'anna@x.com', attributes: {} },
  attach: [],
  embed: [],
  missing: [],
  archives: [],
}
const archive = (name: string, documents: readonly string[], secret: string | null = null): Archive => ({
  name,
  documents,
  secret,
})

/** One attempt of a mail: the result, and the message that the mail server got. */
async function mailed(
  documents: readonly Awaited<ReturnType<typeof stored>>[],
  payload: Partial<MailPayload>,
  { deps = {} as Partial<CarrierDeps>, email = {}, maxAttachmentMb = 1, answers = [] as MailOutcome[] } = {},
) {
  const mails: SendMailOptions[] = []
  const outcomes = [...answers]
  const all: CarrierDeps = {
    blobs,
    spaces: new Map(),
    mailer: {
      async send(mail) {
        mails.push(mail)
        return outcomes.shift() ?? { outcome: 'sent', detail: '250' }
      },
    },
    templates: async () => null,
    secret: (reference) => `value of ${reference}`,
    formatTime: String,
    timezone: 'UTC',
    hubUrl: () => '',
    ...deps,
  }
  const rules = { fromAddress: 'F <f@x.com>', allowedDomains: [] }
  const settings = { ...rules, host: 'h.example', temporaryDirectory: folder.path, maxAttachmentMb }
  const job = {
    run: { id: 'r1', queuedAt: 0, startedAt: 0, sealed: null },
    definition: exampleDefinition({ email: { enabled: true, subject: 'Weekly', ...email } }),
    documents,
    delivery: { id: 'd1', documents: documents.map(({ id }) => id), payload: { ...PAYLOAD, ...payload } },
  } as unknown as DeliveryJob
  const result = await createMailCarrier(all, settings)(job)
  return { result, mail: mails[0], mails }
}

const namesOf = (mail: SendMailOptions | undefined) => mail?.attachments?.map(({ filename }) => filename)

async function entriesOf(content: unknown, password?: string) {
  const entries = await new ZipReader(new Uint8ArrayReader(new Uint8Array(content as Buffer))).getEntries()
  const options = { useWebWorkers: false, ...(password && { password }) }
  return Promise.all(
    entries.map(async (entry) => {
      if (entry.directory) throw new Error('a folder')
      return [entry.filename, Buffer.from(await entry.getData(new Uint8ArrayWriter(), options)).toString()]
    }),
  )
}

describe('mails', () => {
  test('attachments with equal names are told apart, on systems that ignore case as well', async () => {
    const two = [await stored('1', 'Sales.pdf', 'one'), await stored('2', 'SALES.pdf', 'two')]
    const { mail, result } = await mailed(two, { attach: ['1', '2'] })
    expect([result.state, namesOf(mail)]).toEqual(['sent', ['Sales.pdf', 'SALES (2).pdf']])
  })

  test('an archive holds its files under distinct names, with the password of the secret', async () => {
    const two = [await stored('1', 'Sales.csv', 'one'), await stored('2', 'Sales.csv', 'two')]
    const open = await mailed(two, { archives: [archive('All.zip', ['1', '2'])] })
    const expected = [
      ['Sales.csv', 'one'],
      ['Sales (2).csv', 'two'],
    ]
    expect(namesOf(open.mail)).toEqual(['All.zip'])
    expect(await entriesOf(open.mail!.attachments![0]!.content)).toEqual(expected)
    const locked = await mailed(two, { archives: [archive('All.zip', ['1', '2'], 'secretRef:zip')] })
    const [file] = locked.mail!.attachments!
    expect(entriesOf(file!.content)).rejects.toThrow('encrypted')
    expect(await entriesOf(file!.content, 'value of secretRef:zip')).toEqual(expected)
    // The files under way are gone.
    expect(readdirSync(folder.path).filter((name) => name.endsWith('.zip'))).toEqual([])
  })

  test.each([
    // With the lines of MIME 0.7 MB are 0.96 MB, 0.75 MB are 1.03 MB.
    ['fits', [0.7], 'sent'],
    ['is too large', [0.75], 'failed'],
    ['is too large with the other', [0.4, 0.4], 'failed'],
  ])('an archive that %s', async (_, sizes, state) => {
    const documents = []
    for (const [index, size] of sizes.entries())
      documents.push(await stored(String(index), `${index}.bin`, randomBytes(size * MB)))
    const archives = documents.map(({ id }) => archive(`${id}.zip`, [id]))
    const { result, mail } = await mailed(documents, { archives })
    expect(result.state).toBe(state as never)
    if (state === 'sent') return
    expect(mail).toBeUndefined()
    expect(result).toMatchObject({
      code: 'MAIL_REJECTED',
      detail: expect.stringContaining('limits.maxAttachmentMb is 1'),
    })
  })

  test('a link is that of the reader; in test mode that of the test address', async () => {
    const one = [await stored('1', 'Sales.pdf', 'one')]
    const deps = { hubUrl: (id: string, address: string) => `https://hub/${id}/${address}` }
    const { mail } = await mailed(one, {}, { deps })
    expect(String(mail!.text)).toContain('- Sales.pdf (3 B) https://hub/1/anna@x.com')
    const tested = await mailed(one, { to: ['tester@x.com'], insteadOf: 'anna@x.com' }, { deps })
    expect(String(tested.mail!.text)).toContain('https://hub/1/tester@x.com')
    expect(String(tested.mail!.text)).toStartWith('TEST — would have gone to anna@x.com\n')
  })

  const TOO_LARGE: MailOutcome = { outcome: 'rejected', detail: '552 5.3.4 too large', tooLarge: true }
  const LINKS = { hubUrl: (id: string) => `https://hub/${id}` }
  const NONE_ATTACHED = 'The files are not attached: the mail server refused the mail with them.'

  test.each([
    ['links instead', { deps: LINKS }, 'MAIL_LINK_INSTEAD'],
    ['without the hub', {}, 'MAIL_INCOMPLETE'],
  ])('a mail that is refused for its size leaves without its files: %s', async (_name, more, code) => {
    const one = [await stored('1', 'Sales.pdf', 'one'), await stored('2', 'Sales.html', '<body>Report</body>')]
    for (const payload of [
      { attach: ['1'] },
      { archives: [archive('all.zip', ['1'])] },
      { attach: ['1'], embed: ['2'] },
    ]) {
      const { result, mails } = await mailed(one, payload, { ...more, answers: [TOO_LARGE] })
      const detail = 'sent without its files: 552 5.3.4 too large'
      expect(result).toEqual({ state: 'sent', code, detail } as never)
      expect(mails.map((mail) => [mail.attachments?.length, mail.messageId])).toEqual([
        [1, '<d1@h.example>'],
        [0, '<d1@h.example>'],
      ])
      expect(String(mails[1]!.text)).toStartWith(`${NONE_ATTACHED}\n\nWeekly sales pack\n`)
      expect(String(mails[1]!.html)).toContain(NONE_ATTACHED)
      expect(String(mails[1]!.html)).not.toContain('Report')
    }
  })

  test.each<[string, Partial<MailPayload>, string, boolean]>([
    ['its reader', {}, 'MAIL_LINK_INSTEAD', true],
    ['one of two who is no reader', { to: ['anna@x.com', 'bo@x.com'], person: null }, 'MAIL_INCOMPLETE', true],
    ['a copy that is no reader', { cc: ['cc@x.com'] }, 'MAIL_INCOMPLETE', true],
    ['the copy alone', { cc: ['cc@x.com'], only: ['cc@x.com'] }, 'MAIL_INCOMPLETE', false],
  ])('a link to the hub stands for the files where all can open it: %s', async (_name, payload, code, isLinked) => {
    const hubUrl = (id: string, address: string) => (address === 'anna@x.com' ? `https://hub/${id}` : '')
    const one = [await stored('1', 'Sales.pdf', 'one')]
    const { result, mail } = await mailed(
      one,
      { attach: ['1'], ...payload },
      { deps: { hubUrl }, answers: [TOO_LARGE] },
    )
    expect(result).toMatchObject({ state: 'sent', code })
    expect(String(mail!.text).includes('https://hub/1')).toBe(isLinked)
  })

  test('what is refused for another reason, without files or again, is refused', async () => {
    const one = [await stored('1', 'Sales.pdf', 'one')]
    const other: MailOutcome = { outcome: 'rejected', detail: '554 no' }
    const cases: [Partial<MailPayload>, MailOutcome[], string][] = [
      [{ attach: ['1'] }, [other], '554 no'],
      [{}, [TOO_LARGE], '552 5.3.4 too large'],
      [{ attach: ['1'] }, [TOO_LARGE, other], '554 no'],
    ]
    for (const [payload, answers, detail] of cases) {
      const { result, mails } = await mailed(one, payload, { answers })
      expect(result).toEqual({ state: 'failed', code: 'MAIL_REJECTED', detail })
      expect(mails).toHaveLength(answers.length)
    }
  })

  test('a template of the folder makes the body; a missing one stops the mail', async () => {
    const templates: CarrierDeps['templates'] = async (name, context) =>
      name === 'own' ? { html: `<b>${context.message}</b>`, text: `own ${context.message}` } : null
    const own = await mailed(
      [],
      { insteadOf: 'anna@x.com' },
      { deps: { templates }, email: { template: 'own', message: 'Hi' } },
    )
    expect(own.mail).toMatchObject({
      text: 'TEST — would have gone to anna@x.com\n\nown Hi',
      html: expect.stringMatching(/^<p [^>]*>TEST — would have gone to anna@x\.com<\/p><b>Hi<\/b>$/),
    })
    const { result, mail } = await mailed([], {}, { deps: { templates }, email: { template: 'none' } })
    expect([mail, result]).toEqual([
      undefined,
      { state: 'failed', code: 'MAIL_REJECTED', detail: 'there is no mail template "none"' },
    ] as never)
  })

  test('an HTML report in the body brings its pictures', async () => {
    const picture = (await blobs.put(Buffer.from('png'))).sha256
    const html = await stored('1', 'Sales.html', '<html><body><img src="cid:a1"></body></html>')
    const { mail } = await mailed([{ ...html, images: [{ cid: 'a1', sha256: picture }] }], { embed: ['1'] })
    expect(String(mail!.html)).toContain('<img src="cid:a1">')
    expect(mail!.attachments).toMatchObject([{ cid: 'a1', contentType: 'image/png' }])
    expect(String(mail!.text)).toContain('The report is in the HTML version of this mail.')
    expect((await mailed([html], { attach: ['1'] })).mail!.text).not.toContain('HTML version')
  })

  test('of several HTML reports in the body each brings its own pictures, and none is a file', async () => {
    const pictures = await Promise.all(['one', 'two'].map((text) => blobs.put(Buffer.from(text))))
    const reports = await Promise.all(
      pictures.map(async ({ sha256 }, index) => ({
        ...(await stored(`${index}`, `R${index}.html`, `<body>R${index} <img src="cid:chart-1"></body>`)),
        images: [{ cid: 'chart-1', sha256 }],
      })),
    )
    const { mail } = await mailed(reports, { embed: ['0', '1'] })
    expect(mail!.html).toContain('R0 <img src="cid:chart-1">\nR1 <img src="cid:chart-1-2">')
    expect(mail!.text).not.toContain('.html (')
    const contents = mail!.attachments!.map(async ({ cid, content }) => [cid, await text(content as Readable)])
    expect(await Promise.all(contents)).toEqual([
      ['chart-1', 'one'],
      ['chart-1-2', 'two'],
    ])
  })

  test('a repeated mail keeps the Message-ID of the first', async () => {
    expect((await mailed([], {})).mail!.messageId).toBe('<d1@h.example>')
    expect((await mailed([], { messageId: 'd0' })).mail!.messageId).toBe('<d0@h.example>')
  })
})

describe('files', () => {
  async function written(payload: Partial<FilePayload>, delivery: object = {}) {
    const document = await stored('1', 'Sales.csv', 'new')
    const targets: string[] = []
    const spaces = new Map([['share', { id: 'share', directory: space.path }]]) as unknown as CarrierDeps['spaces']
    const whole: FilePayload = {
      spaceId: 'share',
      folder: [],
      name: 'f.csv',
      onExists: 'overwrite',
      archive: null,
      ...payload,
    }
    const result = await createFileCarrier(
      { blobs, spaces, secret: String },
      folder.path,
    )({
      documents: [document],
      delivery: {
        id: 'd1',
        documents: ['1'],
        state: 'planned',
        lastError: null,
        target: '',
        payload: whole,
        ...delivery,
      },
      fixTarget: async (target: string) => void targets.push(target),
    } as unknown as DeliveryJob)
    return { result, targets }
  }
  const contentOf = (name: string) => readFileSync(space.join(name), 'utf8')

  test.each<[FilePayload['onExists'], object, string, string | null]>([
    ['overwrite', { state: 'sent', target: 'share:a-overwrite.csv' }, 'new', null],
    ['suffix', { state: 'sent', target: 'share:a-suffix (2).csv' }, 'old', 'a-suffix (2).csv'],
    ['skip', { state: 'skipped', code: 'FILE_EXISTS' }, 'old', null],
    ['fail', { state: 'failed', code: 'STORAGE_FAILED' }, 'old', null],
  ])('a file that is there, onExists %s', async (onExists, expected, content, other) => {
    const name = `a-${onExists}.csv`
    writeFileSync(space.join(name), 'old')
    const { result } = await written({ name, onExists })
    expect(result).toMatchObject(expected)
    expect(contentOf(name)).toBe(content)
    if (other) expect(contentOf(other)).toBe('new')
  })

  test('after a crash the file with the first name is written again', async () => {
    writeFileSync(space.join('b.csv'), 'of another')
    writeFileSync(space.join('b (2).csv'), 'half')
    const { result, targets } = await written(
      { name: 'b.csv', onExists: 'suffix' },
      { state: 'sending', lastError: WRITING, target: 'share:b (2).csv' },
    )
    expect([result.state, targets]).toEqual(['sent', []])
    expect([contentOf('b.csv'), contentOf('b (2).csv')]).toEqual(['of another', 'new'])
    expect(readdirSync(space.path).filter((name) => name.startsWith('b '))).toEqual(['b (2).csv'])
  })

  test('a space that is unknown fails at once; what may come back is tried again', async () => {
    expect((await written({ spaceId: 'gone' })).result).toEqual({
      state: 'failed',
      code: 'STORAGE_FAILED',
      detail: 'there is no space gone',
    })
    writeFileSync(space.join('file'), '')
    expect((await written({ folder: ['file', 'below'] })).result.state).toBe('retry')
  })
})

test('at most so many mails a minute; a stop ends the wait', async () => {
  let now = 0
  const throttle = createThrottle(2, () => now)
  const { signal } = new AbortController()
  await throttle(signal)
  await throttle(signal)
  const abort = AbortSignal.abort(new Error('stopped'))
  expect(throttle(abort)).rejects.toThrow('stopped')
  now = 60_001
  await throttle(signal)
  await throttle(signal)
  expect(throttle(abort)).rejects.toThrow('stopped')
})
