import { afterAll, describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { amounts, LOCALES, plain } from '../../support/duals.ts'
import { column, tableBlock, tableOf, writeTestWorkbook } from '../../support/report-documents.ts'
import { needs, program } from '../../support/servers.ts'
import { tempDirectory } from '../../support/temp.ts'
import { facts, filledWorkbook, reportWithFew, salesWorkbook, sideBySideWorkbook } from '../../support/workbook.ts'

needs('soffice')

const soffice = program('soffice')
const directory = tempDirectory()
afterAll(() => directory.remove())

/** The sheets of a workbook as LibreOffice computes them, as CSV. `asShown`: in the formats of their cells. */
function computed(file: string, name: string, asShown = false): (sheet: string) => string {
  const out = directory.join(name)
  const filter = `csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,${asShown},false,false,-1`
  const profile = `-env:UserInstallation=${pathToFileURL(directory.join('profile'))}`
  spawnSync(soffice, ['--headless', '--norestore', profile, '--convert-to', filter, '--outdir', out, file], {
    timeout: 120_000,
  })
  return (sheet) => readFileSync(`${out}/${basename(file, '.xlsx')}-${sheet}.csv`, 'utf8')
}

describe('LibreOffice opens filled workbooks and computes them', () => {
  test('totals, formulas of other sheets, names, tables and the pivot table cover 12 rows', async () => {
    await using filled = await filledWorkbook(salesWorkbook(), { facts: facts(12) })
    const sheet = computed(filled.file, 'twelve')
    expect(sheet('Detail')).toContain('12,P12,01/12/2025,120,240\nTotal,,,780,1560\n')
    expect(sheet('Summary')).toBe('Revenue,780,,\nRows,12,12,\nTotal,780,780,780\n')
    expect(sheet('Pivot')).toContain('P12,120\n')
    expect(sheet('Pivot')).toContain('Total Result,780\n')
  }, 150_000)

  test('formulas over no row give 0', async () => {
    await using filled = await filledWorkbook(salesWorkbook(), { facts: [] })
    const sheet = computed(filled.file, 'none')
    expect(sheet('Detail')).toContain('Total,,,0,0\n')
    expect(sheet('Summary')).toBe('Revenue,0,,\nRows,0,0,\nTotal,0,0,0\n')
  }, 150_000)

  test('two loops side by side beside a list: each total is that of its own rows, and the list stays', async () => {
    await using filled = await filledWorkbook(sideBySideWorkbook(), { facts: facts(12), report: reportWithFew() })
    const lines = computed(filled.file, 'beside')('Sales').split('\n')
    expect(lines.slice(0, 6)).toEqual([
      'Sales,,,First two,,,City,People',
      'P1,10,,P1,10,,Rome,3',
      'P2,20,,P2,20,,Oslo,1',
      'P3,30,,Total,30,,Bonn,2',
      'P4,40,,,,,Total,6',
      'P5,50,,,,,,',
    ])
    expect(lines.slice(12, 15)).toEqual(['P12,120,,,,,,', 'Total,780,,,,,,', 'both,816,,,,,,'])
  }, 150_000)
})

test('LibreOffice shows 500 amounts with units as the app does', async () => {
  const cells = fc
    .sample(amounts(LOCALES[0]), { numRuns: 500, seed: 7 })
    .map((cell) => ({ ...cell, isFormatted: true }) as const)
  const table = tableOf(
    [column('A', { kind: 'measure', type: 'number' })],
    cells.map((cell) => [cell]),
  )
  const file = directory.join('amounts.xlsx')
  await writeTestWorkbook({ file, blocks: [tableBlock(table, 'Amounts')], locale: 'en-GB' })
  const [, ...lines] = computed(file, 'amounts', true)('Amounts').trimEnd().split('\n')
  const shown = lines.map((line) => line.replaceAll(/^"|"$/g, '').replaceAll('""', '"'))
  expect(shown.map(plain)).toEqual(cells.map(({ text }) => plain(text)))
}, 150_000)
