/** Workbooks and archives as other programs read them. */
import { afterAll, describe, expect, test } from 'bun:test'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { formatNumber } from '../../../../simulator/engine/format.ts'
import { declaredColumn, numberFormat, numberFormatProblem } from '../../../../src/reports/data/columns.ts'
import { writeZip } from '../../../../src/reports/documents/zip.ts'
import { unzip } from '../../../support/office.ts'
import {
  chartBlock,
  column,
  EMPTY_CELL,
  numberCell,
  tableBlock,
  tableOf,
  textCell,
  writeTestWorkbook,
} from '../../../support/report-documents.ts'
import { needs } from '../../../support/servers.ts'
import { tempDirectory } from '../../../support/temp.ts'

needs('unzip', 'soffice')

const directory = tempDirectory()
afterAll(() => directory.remove())

/** Rows of the first sheet, as LibreOffice shows them. */
async function opened(file: string): Promise<string[]> {
  const profile = pathToFileURL(directory.join('profile')).href
  // The last numbers: separator, quote, UTF-8, first line, format of columns, language, quote all, as shown.
  const filter = 'csv:Text - txt - csv (StarCalc):59,34,76,1,,1033,false,true'
  const args = [
    '--headless',
    '--norestore',
    '--nolockcheck',
    `-env:UserInstallation=${profile}`,
    '--convert-to',
    filter,
  ]
  const child = spawn('soffice', [...args, '--outdir', directory.path, file], { stdio: 'ignore', timeout: 100_000 })
  await once(child, 'exit')
  return readFileSync(file.replace(/xlsx$/, 'csv'), 'utf8').trimEnd().split('\n')
}

describe('LibreOffice', () => {
  test('opens a workbook and shows the values in the formats of Qlik', async () => {
    const table = tableOf(
      [
        column('Region'),
        column('Order date', { type: 'date', format: 'YYYY-MM-DD', kind: 'dimension' }),
        column('Changed', { type: 'timestamp', format: 'DD/MM/YYYY hh:mm', kind: 'dimension' }),
        column('Duration', { type: 'interval', format: 'hh:mm:ss', kind: 'dimension' }),
        column('Sales', { type: 'money', format: '# ##0,00 kr' }),
        column('Margin', { type: 'number', format: '0,0%' }),
      ],
      [
        [
          textCell('Öst <&> "x"'),
          numberCell(45_292, '2024-01-01'),
          numberCell(45_292.5, 'b'),
          numberCell(1.5, 'c'),
          numberCell(1234.5, 'd'),
          numberCell(0.1256, 'e'),
        ],
        [
          textCell('=1+1'),
          numberCell(45_657, '2024-12-31'),
          EMPTY_CELL,
          EMPTY_CELL,
          numberCell(-2, 'd'),
          textCell('n/a'),
        ],
      ],
      { totals: [EMPTY_CELL, EMPTY_CELL, EMPTY_CELL, EMPTY_CELL, numberCell(1232.5, 'd'), EMPTY_CELL] },
    )
    const file = directory.join('sales.xlsx')
    await writeTestWorkbook({ file, blocks: [tableBlock(table), chartBlock('line'), tableBlock(table)] })
    expect(await opened(file)).toEqual([
      'Region;Order date;Changed;Duration;Sales;Margin',
      '"Öst <&> ""x""";2024-01-01;01/01/2024 12:00;36:00:00;1,234.50 kr;12.6%',
      '=1+1;2024-12-31;;;-2.00 kr;n/a',
      'Total;;;;1,232.50 kr;',
    ])
  }, 120_000)
})

test('LibreOffice shows dates in patterns of any tokens with the texts of Qlik', async () => {
  const token = fc.constantFrom(...['YYYY', 'YY', 'yyyy', 'M', 'MM', 'MMM', 'MMMM', 'D', 'DD', 'dd', 'EEE', 'W', 'WW'])
  const time = fc.constantFrom(
    ...['WWW', 'WWWW', 'h', 'hh', 'HH', 'm', 'mm', 's', 'ss', 'f', 'fff', 'TT', 'ss.0', 'h TT'],
  )
  const mark = fc.constantFrom('-', '/', '.', ' ', ':', ', ')
  const pattern = fc
    .array(fc.tuple(fc.oneof(token, time), mark), { minLength: 1, maxLength: 4 })
    .map((parts) => parts.map(([part, after]) => part + after).join(''))
  const patterns = fc
    .sample(pattern, { numRuns: 400, seed: 7 })
    .filter((one) => one.trim() === one && numberFormatProblem(one) === null)
  const serials = [46_055.753_58, 46_081.04, 45_292]
  const formats = patterns.map((one) => numberFormat(one))
  const columns = formats.map((format, index) => declaredColumn('measure', `c${index}`, { qNumFormat: format })!)
  const rows = serials.map((serial) => formats.map((format) => numberCell(serial, formatNumber(serial, format))))
  const file = directory.join('dates.xlsx')
  await writeTestWorkbook({ file, blocks: [tableBlock(tableOf(columns, rows))] })
  const shown = (await opened(file)).slice(1).map((line) => line.match(/(?<=^|;)("[^"]*"|[^;]*)/g)!)
  for (const [index, one] of patterns.entries()) {
    expect([one, ...shown.map((cells) => cells[index]!)]).toEqual([one, ...rows.map((cells) => cells[index]!.text)])
  }
}, 120_000)

test('LibreOffice keeps the charts, as it can read them', async () => {
  const kinds = [
    'bar',
    'barHorizontal',
    'barStacked',
    'barPercent',
    'line',
    'area',
    'areaStacked',
    'combo',
    'scatter',
  ] as const
  const file = directory.join('charts.xlsx')
  await writeTestWorkbook({ file, blocks: kinds.map((kind) => chartBlock(kind, `Chart ${kind}`, kind.toLowerCase())) })
  const profile = pathToFileURL(directory.join('profile')).href
  const target = directory.join('again')
  const args = [
    '--headless',
    '--norestore',
    `-env:UserInstallation=${profile}`,
    '--convert-to',
    'xlsx',
    '--outdir',
    target,
  ]
  const child = spawn('soffice', [...args, file], { stdio: 'ignore', timeout: 100_000 })
  await once(child, 'exit')
  const parts = await unzip(new Uint8Array(readFileSync(directory.join('again', 'charts.xlsx'))))
  const charts = [...parts].filter(([name]) => /^xl\/charts\/chart\d+\.xml$/.test(name)).map(([, { text }]) => text)
  expect(charts).toHaveLength(kinds.length)
  for (const chart of charts) {
    expect(chart.match(/<c:ser>/g)).toHaveLength(chart.includes('<c:scatterChart>') ? 1 : 2)
    expect(chart).toContain('<c:v>2450</c:v>')
  }
}, 120_000)

describe('unzip', () => {
  test('opens an archive with names of other languages', async () => {
    const file = directory.join('plain.zip')
    await writeZip(file, [{ name: 'Försäljning.csv', content: Buffer.from('Öst;1') }])
    expect(spawnSync('unzip', ['-t', file], { encoding: 'utf8' }).stdout).toContain('No errors detected')
    expect(spawnSync('unzip', ['-p', file], { encoding: 'utf8' }).stdout).toBe('Öst;1')
  })
})
