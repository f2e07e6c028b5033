/** Files of recipients as Excel and other programs save them: text in any encoding, and workbooks. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { ENCODINGS, encoded } from '../../support/encodings.ts'
import {
  contentTypes,
  relationships,
  SHEET_NAMESPACES,
  SPREADSHEET,
  smallWorkbook,
  withSize,
  zipOf,
} from '../../support/office.ts'
import { BODIES, type ReportApi, reportApi } from '../../support/reports.ts'

let api: ReportApi
beforeEach(async () => {
  api = await reportApi()
})
afterEach(() => api[Symbol.asyncDispose]())

const send = (bytes: Uint8Array | string, contentType = 'application/octet-stream') =>
  api.call('POST', '/v4/recipient/import', bytes, { 'Content-Type': contentType })

async function stored(): Promise<readonly unknown[]> {
  const { recipients } = (await api.call('GET', '/v4/recipient')).body
  return recipients.map(({ name, email, qlikUser, attributes }: Record<string, unknown>) => ({
    name,
    email,
    qlikUser,
    attributes,
  }))
}

const DONE = { created: 1, updated: 0, unchanged: 0, deactivated: 0, errors: [] }
const JORG = {
  name: 'Jörg Größe',
  email: 'jorg@company.com',
  attributes: { region: 'Süd; West' },
  qlikUser: { userDirectory: 'FIRMA', userId: 'jörg' },
}
const ROWS = [
  ['Name', ' E-MAIL ', 'userdirectory', 'User ID', 'attributes.region', ''],
  ['Jörg Größe', 'jorg@company.com', 'FIRMA', 'jörg', 'Süd; West', ''],
  ['', '', '', '', '', ''],
]

describe.each(ENCODINGS)('%s', (encoding) => {
  test.each([',', ';', '\t'])('with %j', async (delimiter) => {
    const quoted = (cell: string) => (cell.includes(';') ? `"${cell}"` : cell)
    const text = ROWS.map((row) => row.map(quoted).join(delimiter)).join('\r\n')
    const note = encoding === 'windows-1252' ? { note: expect.stringContaining('is read as Windows-1252') } : {}
    expect(await send(encoded(text, encoding), 'text/csv')).toMatchObject({ status: 200, body: DONE })
    expect(await stored()).toEqual([JORG])
    // Without a type, and with the one that browsers of Windows send, the content decides.
    for (const type of ['application/vnd.ms-excel', 'application/x-www-form-urlencoded', 'text/tab-separated-values']) {
      expect((await send(encoded(`sep=${delimiter}\n${text}`, encoding), type)).body).toEqual({
        ...DONE,
        created: 0,
        unchanged: 1,
        ...note,
      })
    }
  })

  test('JSON', async () => {
    const { attributes, email, name, qlikUser } = JORG
    const text = JSON.stringify([{ attributes, email, name, qlikUser }], null, 1)
    for (const type of ['application/json', 'application/octet-stream']) {
      expect((await send(encoded(text, encoding), type)).status).toBe(200)
    }
    expect(await stored()).toEqual([JORG])
  })
})

test('the charset of the request names encodings that cannot be recognized', async () => {
  const bytes = Buffer.from('name;email\nMicha\xb3 \xafak;m@company.com', 'latin1')
  expect((await send(bytes, 'text/csv; charset=windows-1250')).body).toEqual(DONE)
  expect(await stored()).toMatchObject([{ name: 'Michał Żak' }])
})

test.each(['utf-8', '"UTF-8"', 'us-ascii'])(
  'a body that is not in its declared charset %s is refused',
  async (charset) => {
    const bytes = Buffer.from('name;email\n\xc4nne;m@company.com', 'latin1')
    const { status, body } = await send(bytes, `text/csv; charset=${charset}`)
    expect([status, JSON.stringify(body)]).toEqual([400, expect.stringContaining('line 2, column 1')])
    expect(JSON.stringify(body)).toContain('the byte 0xC4 is no UTF-8, which its Content-Type declares')
    expect(await stored()).toEqual([])
  },
)

test('a header in capitals makes no second attribute', async () => {
  await api.call('POST', '/v4/recipient', { ...BODIES.recipient, email: 'a@company.com', attributes: { region: 'x' } })
  await send('NAME;EMAIL;ATTRIBUTES.REGION;GROUPS\nAnna;a@company.com;Nord;North', 'text/csv')
  expect(await stored()).toMatchObject([{ name: 'Anna', attributes: { region: 'Nord' } }])
})

test('lines with lost letters, and with more values than columns, are left out', async () => {
  const text = 'name,email\nJ\ufffdrg,j@company.com\nBerg, Anna,a@company.com\nBob,bob@company.com,,'
  expect((await send(text, 'text/csv')).body).toMatchObject({
    created: 1,
    errors: [
      { line: 2, details: expect.stringContaining('U+FFFD') },
      { line: 3, details: 'has values beyond the 2 columns of the first line' },
    ],
  })
  expect(await stored()).toMatchObject([{ email: 'bob@company.com' }])
})

test.each<[string, string | Uint8Array, string, string]>([
  [
    'a bad byte',
    Buffer.concat([Buffer.from('name,email\nZoë J'), Buffer.from([0xfc])]),
    'line 2, column 6',
    '0xFC is no UTF-8',
  ],
  ['a NUL byte', 'name,email\nA\0nna,a@x', 'line 2, column 2', 'NUL'],
  ['a quote', 'name,email\n"Anna,a@x', 'line 2, column 1', 'not closed'],
  ['an old workbook', Uint8Array.from([0xd0, 0xcf, 0x11, 0xe0, 0xa1]), 'body', '.xls'],
  ['a column without a name', 'name,email,\nA,a@x.com,7', 'line 1', 'Column 3 has values and no name'],
  ['a column twice', 'Email;E-Mail\na@x.com;b@x.com', 'line 1', 'The column email is there twice'],
  ['no rows', ';;\n', 'body', 'empty'],
  ['a ZIP file', Buffer.from('PK\x03\x04 nothing'), 'body', 'ZIP file without a workbook'],
])('%s is refused as a whole', async (_, bytes, path, message) => {
  const answer = await send(bytes, 'text/csv')
  expect(answer).toMatchObject({ status: 400, body: { issues: [{ path, message: expect.stringContaining(message) }] } })
  expect(await stored()).toEqual([])
})

const STYLES = `<styleSheet ${SHEET_NAMESPACES}><numFmts count="2"><numFmt numFmtId="164" formatCode="00000"/><numFmt numFmtId="165" formatCode="dd\\.mm\\.yyyy"/></numFmts><cellStyleXfs><xf numFmtId="9"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="14"/><xf numFmtId="10"/><xf numFmtId="4"/><xf numFmtId="22"/></cellXfs></styleSheet>`
const STRINGS = `<sst ${SHEET_NAMESPACES}><si><t>email</t></si><si><r><t>Jö</t></r><r><t xml:space="preserve">rg </t></r><rPh><t>ヨ</t></rPh></si><si><t>00123</t></si></sst>`
const CELLS = `<row r="3"><c r="A3" t="inlineStr"><is><t>Name</t></is></c><c r="B3" t="s"><v>0</v></c>${[...'CDEFGHIJ']
  .map((column, index) => `<c r="${column}3" t="inlineStr"><is><t>attributes.a${index}</t></is></c>`)
  .join(
    '',
  )}</row><row r="5"><c r="A5" t="s"><v>1</v></c><c r="B5" t="str"><f>A1</f><v>j&amp;j@company.com</v></c><c r="C5" t="s"><v>2</v></c><c r="D5" s="1"><v>42</v></c><c r="E5" s="2"><v>46380</v></c><c r="F5" s="3"><v>46380</v></c><c r="G5" s="4"><v>0.125</v></c><c r="H5" s="5"><v>1234567.5</v></c><c r="I5"><v>1.2345678901234E+16</v></c><c r="J5" s="6"><v>46380.25</v></c></row><row r="6"><c r="A6" t="e"><v>#N/A</v></c><c r="B6" t="inlineStr"><is><t>n@company.com</t></is></c></row><row r="9" ht="3"/>`

const workbook = (sheet: string, parts: Record<string, string> = {}) =>
  smallWorkbook({
    'xl/worksheets/sheet1.xml': `<worksheet ${SHEET_NAMESPACES}><sheetData>${sheet}</sheetData></worksheet>`,
    ...parts,
  })

test('a workbook: what its cells show', async () => {
  const bytes = await zipOf(
    workbook(CELLS, {
      '[Content_Types].xml': contentTypes({
        'xl/workbook.xml': `${SPREADSHEET}.sheet.main+xml`,
        'xl/worksheets/sheet1.xml': `${SPREADSHEET}.worksheet+xml`,
        'xl/externalLinks/externalLink1.xml': `${SPREADSHEET}.externalLink+xml`,
      }),
      'xl/workbook.xml': `<workbook ${SHEET_NAMESPACES}><sheets><sheet name="Lists" sheetId="2" state="hidden" r:id="rId4"/><sheet name="People" sheetId="1" r:id="rId1"/></sheets></workbook>`,
      'xl/_rels/workbook.xml.rels': relationships(
        ['worksheet', 'worksheets/sheet1.xml'],
        ['sharedStrings', 'sharedStrings.xml'],
        ['styles', 'styles.xml'],
        ['worksheet', 'worksheets/lists.xml'],
        ['externalLink', 'externalLinks/externalLink1.xml'],
      ),
      'xl/worksheets/lists.xml': '<worksheet/>',
      // Addresses are links in Excel.
      'xl/worksheets/_rels/sheet1.xml.rels': relationships(['hyperlink', 'mailto:j@company.com', 'External']),
      'xl/externalLinks/externalLink1.xml': '<externalLink/>',
      'xl/sharedStrings.xml': STRINGS,
      'xl/styles.xml': STYLES,
    }),
  )
  expect((await send(bytes)).body).toEqual({
    ...DONE,
    errors: [{ line: 6, details: 'cell A6 shows the error #N/A' }],
  })
  expect(await stored()).toEqual([
    {
      name: 'Jörg',
      email: 'j&j@company.com',
      qlikUser: null,
      attributes: {
        a0: '00123',
        a1: '00042',
        a2: '24.12.2026',
        a3: '2026-12-24',
        a4: '12.50%',
        a5: '1234567.50',
        a6: '12345678901234000',
        a7: '2026-12-24 06:00',
      },
    },
  ])
})

test('a workbook that counts days from 1904', async () => {
  const sheet =
    '<row><c t="inlineStr"><is><t>email</t></is></c><c t="inlineStr"><is><t>attributes.day</t></is></c></row><row><c t="inlineStr"><is><t>a@company.com</t></is></c><c s="1"><v>44918</v></c></row>'
  const parts = {
    'xl/workbook.xml': `<workbook ${SHEET_NAMESPACES}><workbookPr date1904="1"/><sheets><sheet name="A" sheetId="1" r:id="rId1"/></sheets></workbook>`,
    'xl/_rels/workbook.xml.rels': relationships(['worksheet', 'worksheets/sheet1.xml'], ['styles', 'styles.xml']),
    'xl/styles.xml': `<styleSheet ${SHEET_NAMESPACES}><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>`,
  }
  await send(await zipOf(workbook(sheet, parts)))
  expect(await stored()).toMatchObject([{ attributes: { day: '2026-12-24' } }])
})

describe('a workbook that is refused', () => {
  const cell = '<c t="inlineStr"><is><t>email</t></is></c>'
  test.each<[string, () => Promise<Uint8Array>, string, string]>([
    ['empty', () => zipOf(workbook('')), 'body', 'empty'],
    ['broken XML', () => zipOf(workbook('<row><c>')), 'body', 'broken XML'],
    ['a document type', () => zipOf(workbook('', { 'xl/workbook.xml': '<!DOCTYPE a><workbook/>' })), 'body', 'DOCTYPE'],
    [
      'too many columns',
      () => zipOf(workbook(`<row><c r="XFD1"><v>1</v></c></row>`)),
      'line 1, column 16384',
      '256 columns',
    ],
    [
      'too many rows',
      () => zipOf(workbook(`<row>${cell}</row>`.repeat(100_001))),
      'line 100001, column 1',
      '100000 rows',
    ],
    ['a bomb', () => zipOf(workbook(' '.repeat(30_000_000))), 'body', 'compressed more than'],
    [
      'a false size',
      async () => withSize(await zipOf(workbook(`<row>${cell}</row>`)), 'xl/worksheets/sheet1.xml', 10),
      'body',
      'contradicts',
    ],
    [
      'macros',
      () =>
        zipOf(
          workbook('', {
            '[Content_Types].xml': contentTypes({
              'xl/workbook.xml': 'application/vnd.ms-excel.sheet.macroEnabled.main+xml',
            }),
          }),
        ),
      'body',
      'macros',
    ],
  ])('%s', async (_, file, path, message) => {
    const answer = await send(await file())
    expect(answer).toMatchObject({
      status: 400,
      body: { issues: [{ path, message: expect.stringContaining(message) }] },
    })
  })
})
