/** A workbook of 100,000 rows from the engine to the folder, in the compiled executable: complete, and within 512 MB. */
import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { Uint8ArrayReader, ZipReader } from '@zip.js/zip.js'
import { COLUMNS, define, made, measure, ROWS, startLargeReports } from '../support/large-reports.ts'

startLargeReports()

test('a workbook of 20 columns: typed cells, frozen header, filter', async () => {
  const more = Array.from({ length: 12 }, (_, n) => measure(`Amount ${n + 2}`, `=Sum(Amount) * ${n + 2}`))
  const task = await define('Book', 'xlsx', [...COLUMNS, ...more])
  await made(task)
  const reader = new ZipReader(new Uint8ArrayReader(new Uint8Array(readFileSync(task.file))))
  const sheet = (await reader.getEntries()).find(({ filename }) => filename === 'xl/worksheets/sheet1.xml')
  if (!sheet || sheet.directory) throw new Error('no sheet')
  let [rows, numbers, head, text] = [0, 0, '', '']
  const decoder = new TextDecoder()
  await sheet.getData(
    new WritableStream<Uint8Array>({
      write(chunk) {
        text += decoder.decode(chunk, { stream: true })
        if (head === '' && text.includes('<row r="3"')) head = text.slice(0, text.indexOf('<row r="3"'))
        const whole = text.lastIndexOf('<row ')
        if (whole <= 0 || head === '') return
        rows += text.slice(0, whole).split('<row ').length - 1
        numbers += text.slice(0, whole).split('<v>').length - 1
        text = text.slice(whole)
      },
    }),
    { useWebWorkers: false },
  )
  // Header, rows, and the line that says so below the last one.
  expect([rows + 1, numbers + text.split('<v>').length - 1]).toEqual([ROWS + 2, ROWS * 15])
  expect(text).toContain('Showing the first 100,000 of 134,211 rows')
  expect(text).toContain(`<autoFilter ref="A1:T${ROWS + 1}"/>`)
  expect(head).toMatch(/<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"\/>/)
  // A text, and a date as its serial number with a format of its own.
  expect(head).toMatch(/<c r="A2" t="inlineStr"><is><t>O000001<\/t>/)
  expect(head).toMatch(/<c r="C2" s="\d+"><v>45\d{3}<\/v>/)
}, 180_000)
