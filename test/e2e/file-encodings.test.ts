/** Files as Excel and Windows save them, through every import of the compiled executable: nothing is stored with U+FFFD. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { runToEnd } from '../support/binary.ts'
import { visitor } from '../support/console.ts'
import { ENCODINGS, encoded } from '../support/encodings.ts'
import { workbookOf } from '../support/foreign-files.ts'
import { type ReportSite, startReportSite } from '../support/report-tasks.ts'

let reports: ReportSite
beforeAll(async () => {
  reports = await startReportSite({}, { restServerEndpointsEnable: { keyValueStore: true } })
}, 60_000)
afterAll(async () => reports?.[Symbol.asyncDispose]())
beforeEach(async () => {
  for (const { id } of await recipients()) await reports.product.call('DELETE', `/v4/recipient/${id}`)
})

interface Stored {
  readonly id: string
  readonly name: string
  readonly qlikUser: unknown
}

const base = () => `http://127.0.0.1:${reports.product.restPort}`
const recipients = async () =>
  ((await (await fetch(`${base()}/v4/recipient`)).json()) as { readonly recipients: readonly Stored[] }).recipients
const run = (...args: string[]) =>
  runToEnd([...args, '-c', reports.product.configFile], { cwd: reports.product.directory.path, timeout: 30_000 })

const TABLE = 'NAME;E-MAIL;UserDirectory;User ID\r\nJörg Größe;jorg@acme.example;FIRMA;jörg\r\n'
const JORG = { name: 'Jörg Größe', qlikUser: { userDirectory: 'FIRMA', userId: 'jörg' } }

const workbook = () =>
  workbookOf(
    TABLE.trim()
      .split('\r\n')
      .map((row) => row.split(';')),
  )

async function sendToConsole(
  content: Uint8Array<ArrayBuffer>,
  name: string,
  action = 'recipient.import',
): Promise<Response> {
  const who = visitor(base())
  const form = new FormData()
  form.set('csrf', await who.csrf(`/console/form/${action}`))
  form.set('confirmed', '1')
  form.set('csv', '')
  form.set('file', new File([content], name))
  const cookie = [...who.cookies].map(([key, value]) => `${key}=${value}`).join('; ')
  const headers = { 'sec-fetch-site': 'same-origin', cookie }
  return fetch(`${base()}/console/form/${action}`, { method: 'POST', headers, body: form, redirect: 'manual' })
}

describe('recipients', () => {
  test.each(ENCODINGS)('%s', async (encoding) => {
    const sent = await fetch(`${base()}/v4/recipient/import`, { method: 'POST', body: encoded(TABLE, encoding) })
    const answer = (await sent.json()) as object
    expect(answer).toMatchObject({ created: 1, errors: [] })
    expect('note' in answer).toBe(encoding === 'windows-1252')
    expect(await recipients()).toMatchObject([JORG])
    expect((await sendToConsole(encoded(TABLE, encoding), 'people.csv')).status).toBe(303)
    expect(await recipients()).toMatchObject([JORG])
  })

  test('JSON that declares UTF-8 and is Windows-1252 is refused; without a charset it is read, and the answer says so', async () => {
    const body = encoded('{"name":"Jörg","email":"jorg@acme.example"}', 'windows-1252')
    const send = (type: string) =>
      fetch(`${base()}/v4/recipient`, { method: 'POST', headers: { 'content-type': type }, body })
    const refused = await send('application/json; charset=utf-8')
    expect([refused.status, await refused.text()]).toEqual([
      400,
      expect.stringContaining('line 1, column 11: the byte 0xF6 is no UTF-8, which its Content-Type declares'),
    ])
    expect(await recipients()).toEqual([])
    const read = await send('application/json')
    expect([read.status, read.headers.get('x-body-encoding')]).toEqual([201, 'windows-1252'])
  })

  test('a workbook, by the API and by the console', async () => {
    const body = await workbook()
    const sent = await fetch(`${base()}/v4/recipient/import`, { method: 'POST', body })
    expect(await sent.json()).toEqual({ created: 1, updated: 0, unchanged: 0, deactivated: 0, errors: [] })
    expect(await recipients()).toMatchObject([JORG])
    await reports.product.call('DELETE', `/v4/recipient/${(await recipients())[0]!.id}`)
    expect((await sendToConsole(body, 'people.xlsx')).status).toBe(303)
    expect(await recipients()).toMatchObject([JORG])
  })

  test('a damaged file is refused with the place, and nothing is stored', async () => {
    const body = Buffer.concat([
      Buffer.from('name,email\nZoë J'),
      Buffer.from([0xfc]),
      Buffer.from('rg,z@acme.example'),
    ])
    const sent = await fetch(`${base()}/v4/recipient/import`, { method: 'POST', body })
    expect([sent.status, await sent.json()]).toMatchObject([400, { issues: [{ path: 'line 2, column 6' }] }])
    expect(await recipients()).toEqual([])
    const shown = await sendToConsole(new Uint8Array(body), 'people.csv')
    expect([shown.status, await shown.text()]).toEqual([400, expect.stringContaining('line 2, column 6')])
  })
})

const PAIRS = JSON.stringify({ format: 'footman.kv/1', namespaces: { Länder: [{ key: 'Süd', value: 'größer' }] } })
const valueAt = async () => {
  const at = `${base()}/v4/keyvalues/${encodeURIComponent('Länder')}?key=${encodeURIComponent('Süd')}`
  return ((await (await fetch(at)).json()) as { readonly value?: string }).value
}

describe('key-value pairs', () => {
  beforeEach(() => fetch(`${base()}/v4/keyvalues/${encodeURIComponent('Länder')}`, { method: 'DELETE' }))

  test.each(ENCODINGS)(
    '%s, by the API and by the command',
    async (encoding) => {
      const content = encoded(PAIRS, encoding)
      const headers = { 'content-type': 'application/json' }
      const sent = await fetch(`${base()}/v4/keyvaluesimport`, { method: 'POST', headers, body: content })
      const shown = encoding.startsWith('utf-8') ? null : encoding
      expect([sent.status, sent.headers.get('x-body-encoding')]).toEqual([200, shown])
      expect(await valueAt()).toBe('größer')
      const file = reports.product.directory.join('pairs.json')
      writeFileSync(file, content)
      const { code, stderr } = await run('kv', 'import', file, '--mode', 'replace')
      expect([code, stderr.includes('is read as Windows-1252')]).toEqual([0, encoding === 'windows-1252'])
      expect(await valueAt()).toBe('größer')
    },
    30_000,
  )

  test.each(ENCODINGS)(
    'a table in %s, by the command',
    async (encoding) => {
      const file = reports.product.directory.join('pairs.csv')
      writeFileSync(file, encoded('namespace;key;value\r\nLänder;Süd;größer\r\n', encoding))
      const { code, stderr } = await run('kv', 'import', file)
      expect([code, stderr.includes('is read as Windows-1252')]).toEqual([0, encoding === 'windows-1252'])
      expect(await valueAt()).toBe('größer')
    },
    30_000,
  )

  test('letters that were lost before are refused: in a table, and as half a character in JSON', async () => {
    const file = reports.product.directory.join('lost.csv')
    writeFileSync(file, 'namespace;key;value\nLänder;Süd;gr\ufffd\ufffder\n')
    const { code, stderr } = await run('kv', 'import', file)
    expect([code, stderr]).toEqual([1, expect.stringContaining('line 2, column 1: the line holds the sign')])
    writeFileSync(file, '{"format":"footman.kv/1","namespaces":{"Länder":[{"key":"Süd","value":"x\\ud800y"}]}}')
    const half = await run('kv', 'import', file)
    expect([half.code, half.stderr]).toEqual([1, expect.stringContaining('value holds half a character')])
    writeFileSync(file, '{"format":"footman.kv/1","namespaces":{"L\\ud800":[{"key":"Süd","value":"x"}]}}')
    const name = await run('kv', 'import', file)
    expect([name.code, name.stderr]).toEqual([
      1,
      expect.stringContaining('the name of a member of namespaces holds half a character'),
    ])
  }, 60_000)

  test.each([
    ['/v4/keyvaluesimport', 'application/json'],
    ['/v4/recipient', 'application/json'],
    ['/v4/recipient', 'text/plain'],
  ])('a damaged body is refused with the place: %s as %s', async (path, type) => {
    const body = Buffer.concat([Buffer.from('{"name":"Zoë J'), Buffer.from([0xfc]), Buffer.from('rg"}')])
    const sent = await fetch(`${base()}${path}`, { method: 'POST', headers: { 'content-type': type }, body })
    expect([sent.status, await sent.json()]).toEqual([
      400,
      expect.objectContaining({ details: expect.stringContaining('line 1, column 15: the byte 0xFC is no UTF-8') }),
    ])
  })

  test('a workbook without the columns is refused by the command', async () => {
    const file = reports.product.directory.join('people.xlsx')
    writeFileSync(file, await workbook())
    const { code, stderr } = await run('kv', 'import', file)
    expect([code, stderr]).toEqual([1, expect.stringContaining('its first line is: NAME, E-MAIL')])
  }, 90_000)

  test('a workbook is shown by the console as a table, to be confirmed', async () => {
    const rows = [
      ['namespace', 'key', 'value'],
      ['Länder', 'Süd', 'größer; "ja"'],
    ]
    const shown = await sendToConsole(await workbookOf(rows), 'pairs.xlsx', 'kv.import')
    const page = await shown.text()
    expect(page).toContain('The text holds 1 pair in 1 namespace')
    expect(page).toContain('größer; &quot;&quot;ja&quot;&quot;')
  })
})

/** Bytes of encodings that only a declaration tells apart. */
const DECLARED: readonly (readonly [charset: string, bytes: readonly number[], letters: string])[] = [
  ['windows-1250', [0xb3, 0xf3, 0x9c], 'łóś'],
  ['CP1250', [0xb3], 'ł'],
  ['"iso-8859-2"', [0xb1, 0xbe], 'ąž'],
  ['ibm866', [0x80, 0xe0], 'Ар'],
  ['koi8-r', [0xe1], 'А'],
  ['macintosh', [0x8a], 'ä'],
  ['windows-1251', [0xc0, 0xff], 'Ая'],
  ['iso-2022-jp', [0x1b, 0x24, 0x42, 0x24, 0x22, 0x1b, 0x28, 0x42], 'あ'],
  ['windows-1252', [0xe9, 0x80], 'é€'],
  // Correct UTF-8 of other letters: the declaration counts, but for those that programs write without a look.
  ['windows-1250', [0xc3, 0xa4], 'Ă¤'],
  ['ISO-8859-1', [0xc3, 0xa4], 'ä'],
  ['us-ascii', [0xc3, 0xa4], 'ä'],
]
const around = (begin: string, bytes: readonly number[], end: string) =>
  Buffer.concat([Buffer.from(begin), Buffer.from(bytes), Buffer.from(end)])
const post = (path: string, type: string, body: Buffer<ArrayBuffer>) =>
  fetch(`${base()}${path}`, { method: 'POST', headers: { 'content-type': type }, body })

describe('a declared charset', () => {
  test.each(DECLARED)('%s is used, for tables and JSON', async (charset, bytes, letters) => {
    const table = around('name,email\nA', bytes, ',a@acme.example\n')
    const sent = await post('/v4/recipient/import', `text/csv; charset=${charset}`, table)
    expect(await sent.json()).toMatchObject({ created: 1, errors: [] })
    expect(await recipients()).toMatchObject([{ name: `A${letters}` }])
    const pair = around('{"key":"k","value":"', bytes, '"}')
    const stored = await post('/v4/keyvalues/charsets', `application/json; charset=${charset}`, pair)
    expect([stored.status, await stored.json()]).toMatchObject([201, { value: letters }])
  })

  test.each(['ibm852', 'windows1250', 'foo', 'utf-7', 'utf-32', 'x-user-defined'])('%s is refused', async (charset) => {
    const before = await recipients()
    const people = Buffer.from('name,email\n+AMU-sa,a@acme.example\n')
    const pair = Buffer.from('{"key":"refused","value":"+AMU-"}')
    const pairs = Buffer.from('{"format":"footman.kv/1","namespaces":{"x":[]}}')
    const tasks = Buffer.from('{}')
    for (const [path, type, body] of [
      ['/v4/recipient/import', 'text/csv', people],
      ['/v4/recipient/import', 'application/json', Buffer.from('[]')],
      ['/v4/keyvalues/charsets', 'application/json', pair],
      ['/v4/keyvalues/charsets', 'text/plain', pair],
      ['/v4/keyvaluesimport', 'application/json', pairs],
      ['/v4/reporttask/import', 'application/json', tasks],
      ['/v4/reporttask/-/preview', 'application/json', tasks],
    ] as const) {
      const answer = await post(path, `${type}; charset=${charset}`, body)
      const text = await answer.text()
      expect([path, answer.status, text]).toEqual([path, 415, expect.stringContaining('UTF-8')])
      expect(text).toContain(charset)
    }
    expect(await recipients()).toEqual(before)
  })

  test('that is not the one of the bytes is refused, and a byte order mark wins', async () => {
    const broken = around('name,email\nA', [0x80], ',a@acme.example\n')
    expect((await post('/v4/recipient/import', 'text/csv; charset=euc-kr', broken)).status).toBe(400)
    const marked = Buffer.from('\ufeffname,email\nÅsa,asa@acme.example\n')
    const sent = await post('/v4/recipient/import', 'text/csv; charset=windows-1250', marked)
    expect(await sent.json()).toMatchObject({ created: 1 })
    expect(await recipients()).toMatchObject([{ name: 'Åsa' }])
  })
})
