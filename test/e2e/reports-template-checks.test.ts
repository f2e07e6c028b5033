/** Hostile templates sent to the compiled executable: refused, and nothing else waits for them. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import {
  contentTypes,
  type Parts,
  relationships,
  SHEET_NAMESPACES,
  SPREADSHEET,
  smallDocument,
  smallWorkbook,
  zipOf,
} from '../support/office.ts'
import { type Named, type ReportSite, SALES_APP, startReportSite } from '../support/report-tasks.ts'

let reports: ReportSite
let report: Named

beforeAll(async () => {
  reports = await startReportSite()
  report = await reports.call('POST', '/v4/report', {
    project: 'Sales',
    name: 'Checked',
    type: 'template',
    appId: SALES_APP,
    data: [{ key: 'revenue', type: 'value', expr: '=Sum(Sales)' }],
  })
}, 60_000)
afterAll(async () => reports?.[Symbol.asyncDispose]())

const address = (path: string) => `http://127.0.0.1:${reports.product.restPort}${path}`
const sheet = (content: string) =>
  zipOf(smallWorkbook({ 'xl/worksheets/sheet1.xml': `<worksheet ${SHEET_NAMESPACES}>${content}</worksheet>` }))

async function check(bytes: Uint8Array<ArrayBuffer>, file = 'a.xlsx') {
  const answer = await fetch(address(`/v4/report/${report.id}/template/check`), {
    method: 'POST',
    headers: { 'x-file-name': file },
    body: bytes,
  })
  return (await answer.json()) as { readonly problems: readonly { readonly code: string; readonly details: string }[] }
}

test.each([
  ['a call in CDATA', '<f>WEB<![CDATA[SERVICE]]>("http://x")</f>', 'TEMPLATE_UNSAFE', 'WEBSERVICE('],
  ['a formula of brackets', `<f>${"'[".repeat(30_000)}</f>`, 'TEMPLATE_UNSAFE', '8192 characters'],
  ['tags that nothing closes', '<f '.repeat(60_000), 'TEMPLATE_INVALID', 'unreadable tag'],
])('%s', async (_, content, code, details) => {
  const { problems } = await check(await sheet(content))
  expect(problems[0]).toMatchObject({ code, details: expect.stringContaining(details) })
})

test('the API answers while large files are checked', async () => {
  const large = await sheet(`<sheetData>${'<row><c><f>A1+B2</f><v>1</v></c></row>'.repeat(60_000)}</sheetData>`)
  let pings = 0
  let isOver = false
  const checked = Promise.all([check(large), check(large)]).finally(() => {
    isOver = true
  })
  while (!isOver) {
    expect((await fetch(address('/v4/butlerping'))).status).toBe(200)
    if (!isOver) pings++
  }
  await checked
  expect(pings).toBeGreaterThan(10)
})

const WORD = 'word/document.xml'
const RELS = { docx: 'word/_rels/document.xml.rels', xlsx: 'xl/worksheets/_rels/sheet1.xml.rels' } as const
const PRESENTATION = 'application/vnd.openxmlformats-officedocument.presentationml'
const word = (body: string, parts: Parts = {}): Parts => smallDocument(`<w:p>${body}</w:p>`, parts)
const presentation = (parts: Parts): Parts => ({
  '[Content_Types].xml': contentTypes({
    'ppt/presentation.xml': `${PRESENTATION}.presentation.main+xml`,
    'ppt/slides/slide1.xml': `${PRESENTATION}.slide+xml`,
  }),
  '_rels/.rels': relationships(['officeDocument', 'ppt/presentation.xml']),
  'ppt/presentation.xml': '<p:presentation xmlns:p="p"/>',
  'ppt/_rels/presentation.xml.rels': relationships(['slide', 'slides/slide1.xml']),
  'ppt/slides/slide1.xml': '<p:sld xmlns:p="p"/>',
  ...parts,
})
const book = (parts: Parts): Parts => smallWorkbook(parts)
const text = (content: string) => `<w:r><w:instrText>${content}</w:instrText></w:r>`
const mark = (type: string) => `<w:r><w:fldChar w:fldCharType="${type}"/></w:r>`
const field = (code: string) => word(`${mark('begin')}${code}${mark('separate')}<w:r><w:t>x</w:t></w:r>${mark('end')}`)
const xml = (element: string) => `<a xmlns:r="r" xmlns:w="w" xmlns:v="v" xmlns:o="o" xmlns:p="p">${element}</a>`
type One = readonly [kind: string, target: string, mode?: 'External']
const related = (...all: readonly One[]) => word('', { [RELS.docx]: relationships(...all) })
const slide = (element: string, ...all: readonly One[]) =>
  presentation({
    'ppt/slides/slide1.xml': xml(element),
    'ppt/slides/_rels/slide1.xml.rels': relationships(...all),
  })
const loads = (element: string, target = 'https://x.example/a') =>
  word('', { [WORD]: xml(element), [RELS.docx]: relationships(['hyperlink', target, 'External']) })
const cache = (element: string, ...all: readonly One[]) =>
  book({
    'xl/pivotCache/pivotCacheDefinition1.xml': xml(element),
    'xl/pivotCache/_rels/pivotCacheDefinition1.xml.rels': relationships(...all),
  })
const sheetXml = (content: string) => `<worksheet ${SHEET_NAMESPACES}>${content}</worksheet>`
const formula = (content: string) =>
  book({ 'xl/worksheets/sheet1.xml': sheetXml(`<sheetData><row><c><f>${content}</f></c></row></sheetData>`) })
const typed = (type: string) => {
  const types = contentTypes({ 'xl/workbook.xml': `${SPREADSHEET}.sheet.main+xml`, 'xl/a.xml': type })
  return book({ '[Content_Types].xml': types, 'xl/a.xml': '<a/>' })
}

/** Smallest inputs of each kind of file that make a program load or run something, with a part of the problem that names it. */
const OUTSIDE: readonly (readonly [name: string, parts: Parts, details: string])[] = [
  ['a field', field(text(' INCLUDEPICTURE "http://x"')), 'the field INCLUDEPICTURE'],
  ['a field, cut by a text', field(`${text('INCLUDE')}<w:r><w:t>y</w:t></w:r>${text('PICTURE x')}`), 'INCLUDE'],
  [
    'a field, cut by a deleted text',
    field(`${text('DDE')}<w:r><w:delInstrText>y</w:delInstrText></w:r>${text('AUTO c')}`),
    'DDEAUTO',
  ],
  ['a field, its name ended by a tab', field(`${text('RD')}<w:r><w:tab/></w:r>${text('x')}`), 'the field RD'],
  ['a field, its name ended by a paragraph', field(`${text('RD')}</w:p><w:p>${text('x')}`), 'the field RD'],
  ['a field, cut by a line break', field(`${text('IMP')}<w:r><w:br/></w:r>${text('ORT x')}`), 'the field IMPORT'],
  ['a field behind spaces', field(`${text(' '.repeat(3000))}${text('LINK x')}`), 'the field LINK'],
  ['a field behind quotes', field(text(`${'&quot;'.repeat(3000)}LINK x`)), '2000 characters'],
  [
    'a field, cut by a version',
    field(
      `${text('INCLUDE')}<mc:AlternateContent><mc:Choice>${text('y')}</mc:Choice></mc:AlternateContent>${text('TEXT x')}`,
    ),
    'one of several versions',
  ],
  ['DDE in a field', field(text('DDEAUTO c:\\windows\\system32\\cmd.exe "/k calc"')), 'the field DDEAUTO'],
  ['a link of a field to a file', field(text('HYPERLINK &quot;file:///c:/a&quot;')), 'HYPERLINK file'],
  ['the same with a quoted name', field(text('&quot;HYPERLINK&quot; &quot;file:///c:/a&quot;')), 'HYPERLINK file'],
  ['the same with a tab in its scheme', field(text('HYPERLINK &quot;fi&#9;le:///c:/a&quot;')), 'HYPERLINK fi'],
  ['a picture elsewhere', related(['image', 'https://x.example/a.png']), 'image https'],
  ['with a tab in its scheme', related(['image', 'http&#9;://x/a.png']), 'image http'],
  ['with a line break in its scheme', related(['image', 'ht&#10;tp://x/a.png']), 'image ht'],
  ['with an invisible sign in its scheme', related(['image', 'ht&#x200b;tp://x/a.png']), 'image ht'],
  ['with an escaped scheme that is broken behind', related(['image', '%68ttp://x/%zz']), 'image %68ttp'],
  ['with an escaped tab', related(['image', 'http%09://x/a.png']), 'image http'],
  ['on a share', related(['image', '\\\\server\\share\\a.png']), '\\\\server'],
  ['in a web archive', related(['image', 'mhtml:http://x/a.mht!b']), 'mhtml:'],
  ['a page of a web archive', related(['hyperlink', 'mhtml:http://x/a.mht!b', 'External']), 'mhtml:'],
  ['a link to a file', related(['hyperlink', 'file:///c:/a', 'External']), 'file:'],
  ['a link to a file beside it', related(['hyperlink', 'a.exe', 'External']), 'a.exe'],
  ['an attached template', related(['attachedTemplate', 'http://x/a.dotm', 'External']), 'attached template'],
  ['a linked document', related(['subDocument', 'http://x/a.docx', 'External']), 'linked document'],
  ['a frame', related(['frame', 'http://x/a.htm', 'External']), 'linked frame'],
  ['frames of a page', word('', { 'word/webSettings.xml': xml('<w:frameset/>') }), 'linked frame'],
  ['an OLE link', related(['oleObject', 'http://x/a.xlsx', 'External']), 'OLE object'],
  ['the element of an OLE link', word('<o:OLEObject xmlns:o="o" Type="Link"/>'), 'OLE object'],
  ['a control', related(['control', 'activeX/activeX1.xml']), 'ActiveX'],
  ['a document in another format', word('<w:altChunk/>'), 'another format'],
  ['a mail merge', word('', { 'word/settings.xml': xml('<w:udl w:val="Provider=x"/>') }), 'mail merge'],
  ['an expansion', word('', { 'word/settings.xml': xml('<a manifestLocation="http://x/a.xml"/>') }), 'http://x'],
  ['a picture by a link', loads('<blip r:link="rId1"/>'), 'r:link'],
  ['a film by a link', loads('<w:movie r:id="rId1"/>'), 'r:id'],
  ['a picture of VML', word('', { [WORD]: xml('<v:imagedata o:href="http://x/a.png"/>') }), 'o:href'],
  ['customXml with a query', word('', { 'customXml/item1.xml': '<DataMashup/>' }), 'data query'],
  ['a film elsewhere', slide('<videoFile r:link="rId1"/>', ['video', 'http://x/a.mp4', 'External']), 'video http'],
  ['a film by a link', slide('<videoFile r:link="rId1"/>', ['hyperlink', 'http://x/a.mp4', 'External']), 'r:link'],
  ['a click that runs', slide('<hlinkClick action="ppac&#9;tion://program"/>'), 'click on the slide'],
  ['an OLE link of a slide', slide('<p:oleObj/>'), 'OLE object'],
  ['another workbook', typed(`${SPREADSHEET}.externalLink+xml`), 'another workbook'],
  ['DDE of a workbook', book({ 'xl/a.xml': '<ddeLink/>' }), 'DDE link'],
  ['DDE in a formula', formula("cmd|'/c calc'!A1"), 'DDE link'],
  ['a connection', typed(`${SPREADSHEET}.connections+xml`), 'data connection'],
  [
    'a pivot table of another workbook',
    cache('<worksheetSource r:id="rId1"/>', ['externalLinkPath', 'file:///c:/a.xlsx', 'External']),
    'another workbook',
  ],
  [
    'the same by a link',
    cache('<worksheetSource r:id="rId1"/>', ['hyperlink', 'https://x/a', 'External']),
    'pivot table',
  ],
  ['the same without one', cache('<worksheetSource r:id="rId1" ref="A1"/>'), 'pivot table'],
  ['the same by its name', cache('<worksheetSource ref="A1" sheet="[a.xlsx]S"/>'), 'pivot table'],
  ['a pivot table of a connection', cache('<cacheSource type="external" connectionId="1"/>'), 'pivot table'],
  ['a consolidation of another workbook', cache('<rangeSet r:id="rId1"/>'), 'pivot table'],
  ['a picture of the web', typed('application/vnd.ms-excel.rdRichValueWebImage+xml'), 'picture from the web'],
  ['its element', book({ 'xl/a.xml': '<webImageSrd/>' }), 'picture from the web'],
  ['a place of publication', book({ 'xl/a.xml': '<webPublishItem/>' }), 'published'],
  ['data of a map', book({ 'xl/xmlMaps.xml': '<DataBinding FileBinding="true"/>' }), 'data connection'],
  ['a link of a formula', formula('HYPERLINK("fi\tle:///c:/a")'), 'HYPERLINK fi'],
  [
    'a link of a sheet',
    book({ [RELS.xlsx]: relationships(['hyperlink', '\\\\server\\share', 'External']) }),
    '\\\\server',
  ],
]

const fileOf = (parts: Parts) =>
  'word/document.xml' in parts ? 'a.docx' : 'xl/workbook.xml' in parts ? 'a.xlsx' : 'a.pptx'
const unsafe = async (parts: Parts) =>
  (await check(await zipOf(parts), fileOf(parts))).problems.filter(({ code }) => code === 'TEMPLATE_UNSAFE')

test.each(OUTSIDE)('refused: %s', async (_, parts, details) => {
  expect(await unsafe(parts)).toContainEqual(expect.objectContaining({ details: expect.stringContaining(details) }))
  const upload = await fetch(address(`/v4/report/${report.id}/template`), {
    method: 'PUT',
    headers: { 'x-file-name': fileOf(parts) },
    body: await zipOf(parts),
  })
  expect([upload.status, await upload.json()]).toEqual([400, expect.objectContaining({ code: 'TEMPLATE_UNSAFE' })])
})

test.each<[string, Parts]>([
  ['a link to a bookmark', field(text('HYPERLINK \\l "a"'))],
  ['a field with a long code', field(text(`ADDIN ZOTERO_ITEM ${'x'.repeat(9000)}`))],
  ['a field over two paragraphs', field(`${text('IF 1 = 1 "a')}</w:p><w:p>${text('b"')}`)],
  ['links to pages', loads('<w:hyperlink r:id="rId1"/><hlinkClick r:id="rId1"/>')],
  ['a film in the file', slide('<videoFile r:link="rId1"/>', ['video', '../media/a.mp4'])],
  [
    'a pivot table of a sheet',
    cache('<cacheSource type="worksheet"><worksheetSource ref="A1:B2" sheet="S"/></cacheSource>'),
  ],
  ['settings of a printer', book({ [RELS.xlsx]: relationships(['printerSettings', '../printerSettings/a.bin']) })],
])('accepted: %s', async (_, parts) => expect(await unsafe(parts)).toEqual([]))
