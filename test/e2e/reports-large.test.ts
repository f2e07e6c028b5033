/** A PDF of 100,000 rows from the engine to the folder, in the compiled executable: complete, and within 512 MB. */
import { expect, test } from 'bun:test'
import { COLUMNS, define, made, ROWS, startLargeReports } from '../support/large-reports.ts'
import { pdfInfo, pdfPages } from '../support/pdf.ts'
import { needs } from '../support/servers.ts'

needs('pdftotext')

startLargeReports()

test('a PDF of 8 columns: its header on every page, the right number of pages, equal bytes in two runs', async () => {
  const task = await define('Paper', 'pdf', COLUMNS)
  const first = await made(task)
  const pages = pdfPages(task.file)
  expect(pdfInfo(task.file).Pages).toBe(String(pages.length))
  const rows: string[] = []
  for (const [index, page] of pages.entries()) {
    expect(page).toMatch(/Order\s+Department\s+OrderDate\s+Item\s+Warehouse\s+Customer\s+Quantity\s+Amount/)
    expect(page).toContain(`Page ${index + 1} of ${pages.length}`)
    for (const [, row = ''] of page.matchAll(/^\s*(O\d{6})\b/gm)) rows.push(row)
  }
  expect([rows.length, new Set(rows).size]).toEqual([ROWS, ROWS])
  expect(rows.findIndex((row, index) => index > 0 && row < rows[index - 1]!)).toBe(-1)
  expect(await made(task)).toBe(first)
}, 300_000)
