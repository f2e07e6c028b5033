/** `bun large-document.ts pdf|xlsx FILE`: writes a document of 100,000 rows and prints the most memory it used, in MB. */
import { readFileSync } from 'node:fs'
import process from 'node:process'
import type { Row } from '../../src/reports/types.ts'
import {
  column,
  generatedTable,
  numberCell,
  tableBlock,
  textCell,
  writeTestPdf,
  writeTestWorkbook,
} from './report-documents.ts'

const [, , format, file = ''] = process.argv
const ROWS = 100_000
const COLUMNS = format === 'pdf' ? 8 : 20

const columns = Array.from({ length: COLUMNS }, (_, index) => {
  if (index === 0) return column('Row')
  if (index === 1) return column('Customer')
  if (index === 2) return column('Date', { type: 'date', format: 'YYYY-MM-DD', kind: 'dimension' })
  return column(`Sales ${index}`, { type: 'number', format: '# ##0,00' })
})
const row = (index: number): Row =>
  columns.map((_, at) => {
    if (at === 0) return textCell(`R${String(index + 1).padStart(6, '0')}`)
    if (at === 1) return textCell(`Customer ${(index * 7919) % 50_021} & sons`)
    if (at === 2)
      return numberCell(
        45_292 + (index % 366),
        new Date(Date.UTC(2024, 0, 1 + (index % 366))).toISOString().slice(0, 10),
      )
    const value = ((index * 7919 * at) % 1_000_003) / 100
    return numberCell(value, value.toFixed(2).replace('.', ','))
  })
const blocks = [tableBlock(generatedTable(columns, ROWS, row, { pageSize: 500 }))]

if (format === 'pdf') await writeTestPdf({ file, blocks, footer: (page, pages) => `Page ${page} of ${pages}` })
else await writeTestWorkbook({ file, blocks })
const [, kilobytes] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
console.log(Math.round(Number(kilobytes) / 1024))
