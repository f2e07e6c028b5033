/**
 * Documents of 100,000 rows: complete, and below 512 MB in a process of their own. That two runs give equal bytes is the
 * subject of test/e2e/reports-large.test.ts.
 */
import { afterAll, describe, expect, test } from 'bun:test'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { Uint8ArrayReader, ZipReader } from '@zip.js/zip.js'
import { hasPdfTools, pdfInfo, pdfPages } from '../../../support/pdf.ts'
import { tempDirectory } from '../../../support/temp.ts'

const directory = tempDirectory()
afterAll(() => directory.remove())

const ROWS = 100_000
const MOST_MB = 512

/** Resolves with the most memory that the process used, in MB. */
async function write(format: 'pdf' | 'xlsx', file: string): Promise<number> {
  const script = `${import.meta.dir}/../../../support/large-document.ts`
  const child = spawn(process.execPath, [script, format, file], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)])
  if (errors !== '') throw new Error(errors)
  return Number(output)
}

// The peak of memory is read from /proc.
describe.skipIf(!existsSync('/proc/self/status'))('100,000 rows', () => {
  test.skipIf(!hasPdfTools)(
    'of 8 columns in a PDF: header on every page, right number of pages',
    async () => {
      const file = directory.join('large.pdf')
      expect(await write('pdf', file)).toBeLessThan(MOST_MB)
      const pages = pdfPages(file)
      expect(pdfInfo(file).Pages).toBe(String(pages.length))
      const rows: number[] = []
      for (const [index, page] of pages.entries()) {
        expect(page).toMatch(/Row\s+Customer\s+Date\s+Sales 3/)
        expect(page).toContain(`Page ${index + 1} of ${pages.length}`)
        for (const [, row] of page.matchAll(/^\s*R(\d{6})\b/gm)) rows.push(Number(row))
      }
      expect(rows).toHaveLength(ROWS)
      expect(rows.every((row, index) => row === index + 1)).toBe(true)
    },
    240_000,
  )

  test('of 20 columns in a workbook', async () => {
    const file = directory.join('large.xlsx')
    expect(await write('xlsx', file)).toBeLessThan(MOST_MB)
    const reader = new ZipReader(new Uint8ArrayReader(readFileSync(file)))
    const sheet = (await reader.getEntries()).find(({ filename }) => filename === 'xl/worksheets/sheet1.xml')
    if (!sheet || sheet.directory) throw new Error('no sheet')
    let rows = 0
    let end = ''
    const decoder = new TextDecoder()
    await sheet.getData(
      new WritableStream<Uint8Array>({
        write(chunk) {
          const part = end.slice(-4) + decoder.decode(chunk, { stream: true })
          rows += part.split('<row ').length - 1
          end = part.slice(-500)
        },
      }),
    )
    expect(rows).toBe(ROWS + 1)
    expect(end).toContain(`<autoFilter ref="A1:T${ROWS + 1}"/>`)
  }, 120_000)
})
