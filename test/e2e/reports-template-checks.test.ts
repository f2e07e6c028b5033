/** Hostile templates sent to the compiled executable: refused, and nothing else waits for them. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { SHEET_NAMESPACES, smallWorkbook, zipOf } from '../support/office.ts'
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

async function check(bytes: Uint8Array<ArrayBuffer>) {
  const answer = await fetch(address(`/v4/report/${report.id}/template/check`), {
    method: 'POST',
    headers: { 'x-file-name': 'a.xlsx' },
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
