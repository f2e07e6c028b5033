import { expect, test } from 'bun:test'
import { createOfficeFiles } from '../../../src/reports/templates/check-worker.ts'
import { SHEET_NAMESPACES, smallWorkbook, zipOf } from '../../support/office.ts'

const ENTRY = new URL('../../../src/main.ts', import.meta.url)
const LIMITS = { maxTemplateMb: 25 }
const REPORT = { data: [], levels: [] }

const sheet = (content: string) =>
  zipOf(smallWorkbook({ 'xl/worksheets/sheet1.xml': `<worksheet ${SHEET_NAMESPACES}>${content}</worksheet>` }))

test('a thread checks the file while this one goes on', async () => {
  const { checkTemplate } = createOfficeFiles(ENTRY)
  const good = checkTemplate(await sheet('<sheetData/>'), 'a.xlsx', REPORT, LIMITS)
  const bad = checkTemplate(await sheet('<f>WEBSERVICE(1)</f>'), 'a.xlsx', REPORT, LIMITS)
  let turns = 0
  const counter = setInterval(() => turns++, 1)
  expect(await good).toMatchObject({ ok: true, format: 'xlsx', problems: [] })
  expect(turns).toBeGreaterThan(5)
  clearInterval(counter)
  expect(await bad).toMatchObject({ ok: false, problems: [{ code: 'TEMPLATE_UNSAFE' }] })
})

test('a check that takes too long is ended, and the next file is checked', async () => {
  const file = await sheet('<sheetData/>')
  const { checkTemplate } = createOfficeFiles(ENTRY, 1)
  for (let turn = 0; turn < 2; turn++) {
    expect(await checkTemplate(file, 'a.xlsx', REPORT, LIMITS)).toMatchObject({
      ok: false,
      bytes: file.length,
      problems: [
        { code: 'TEMPLATE_TOO_LARGE', details: 'the file could not be checked within 0.001 s; make it smaller' },
      ],
    })
  }
})

test('a thread that cannot start fails the check, and not the next one', async () => {
  const { checkTemplate } = createOfficeFiles(new URL('file:///nonexistent/main.ts'))
  for (let turn = 0; turn < 2; turn++) {
    await expect(checkTemplate(await sheet(''), 'a.xlsx', REPORT, LIMITS)).rejects.toMatchObject({ code: 'INTERNAL' })
  }
})

test('a workbook of recipients is read in a thread, too', async () => {
  const { readTable } = createOfficeFiles(ENTRY)
  const rows = '<row r="2"><c t="inlineStr"><is><t>email</t></is></c></row>'
  expect(await readTable(await sheet(`<sheetData>${rows}</sheetData>`), 1)).toEqual([{ line: 2, cells: ['email'] }])
  const columns = '<row r="2"><c r="ZZ2"><v>1</v></c></row>'
  const refused = { name: 'TextError', line: 2, column: 702, reason: 'cell ZZ2: more than 256 columns' }
  await expect(readTable(await sheet(`<sheetData>${columns}</sheetData>`), 1)).rejects.toMatchObject(refused)
  const slow = createOfficeFiles(ENTRY, 1)
  await expect(slow.readTable(await sheet('<sheetData/>'), 1)).rejects.toThrow('could not be read within 0.001 s')
})

test('beyond 8 files that wait the next one is refused with 503, and there is room again afterwards', async () => {
  const { checkTemplate, readTable } = createOfficeFiles(ENTRY)
  const file = await sheet('<sheetData/>')
  const check = () => checkTemplate(file, 'a.xlsx', REPORT, LIMITS)
  const all = Array.from({ length: 9 }, check)
  const tooMany = { status: 503, body: { code: 'TOO_MANY_FILES' }, headers: { 'retry-after': '30' } }
  await expect(check()).rejects.toMatchObject(tooMany)
  await expect(readTable(file, 1)).rejects.toMatchObject(tooMany)
  await all[0]
  const next = check()
  expect((await Promise.all([...all, next])).every(({ ok }) => ok)).toBe(true)
}, 90_000)
