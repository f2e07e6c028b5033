/** The texts of 10,000 duals of apps in five locales, through documents that are written and read again. */
import { afterAll, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { createDisplayText } from '../../../../src/reports/display.ts'
import { writeCsv } from '../../../../src/reports/documents/csv.ts'
import { writeHtml } from '../../../../src/reports/documents/html.ts'
import type { Row } from '../../../../src/reports/types.ts'
import { duals, LOCALES, plain, spreadsheetText } from '../../../support/duals.ts'
import { unzip } from '../../../support/office.ts'
import { column, tableBlock, tableOf, writeTestWorkbook } from '../../../support/report-documents.ts'
import { tempDirectory } from '../../../support/temp.ts'
import { appData, templateReport } from '../../../support/template-data.ts'
import { filledTemplate, table as wordTable, wordTemplate, wordText } from '../../../support/templates.ts'

const directory = tempDirectory()
afterAll(() => directory[Symbol.asyncDispose]())

const COLUMNS = [
  column('D', { kind: 'dimension', type: 'number' }),
  column('M', { kind: 'measure', type: 'number' }),
] as const
const PAGE = { size: 'A4', orientation: 'portrait', marginMm: 15, title: null, footer: null } as const

const decoded = (text: string): string =>
  text
    .replaceAll(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')

/** The cells of a row as a workbook shows them in a locale. */
function shownBy(sheet: string, styles: string, marks: (typeof LOCALES)[number]): string[][] {
  const codes = new Map(
    [...styles.matchAll(/numFmtId="(\d+)" formatCode="([^"]*)"/g)].map(([, id, code]) => [id, decoded(code!)]),
  )
  const formats = [...(/<cellXfs.*?<\/cellXfs>/s.exec(styles)?.[0] ?? '').matchAll(/<xf numFmtId="(\d+)"/g)]
  const textOf = (style = '0', number?: string, text = '') =>
    number === undefined
      ? decoded(text)
      : spreadsheetText(Number(number), codes.get(formats[Number(style)]![1]) ?? 'General', marks)
  return [...sheet.matchAll(/<row r="\d+">(.*?)<\/row>/gs)].map(([, row]) =>
    [
      ...row!.matchAll(/<c r="[A-Z]+\d+"(?: s="(\d+)")?[^>]*>(?:<v>([^<]*)<\/v>|<is><t[^>]*>([^<]*)<\/t><\/is>)<\/c>/g),
    ].map(([, style, number, text]) => textOf(style, number, text)),
  )
}

describe.each([...LOCALES])('2,000 duals of an app in $locale, each as a dimension and as a measure', (marks) => {
  const { locale, group } = marks
  const cells = fc.sample(duals(marks), { numRuns: 2000, seed: 42 })
  const rows = cells.map((cell): Row => [cell, cell])
  const source = tableOf(COLUMNS, rows)
  const display = createDisplayText(locale)
  const ungrouped = (text: string) => plain(text).replaceAll('’', "'").replaceAll(plain(group).replace('’', "'"), '')
  const read = (name: string) => readFileSync(directory.join(name), 'utf8')

  test('are the same texts in a workbook', async () => {
    const file = directory.join(`${locale}.xlsx`)
    await writeTestWorkbook({ file, blocks: [tableBlock(source)], locale })
    const parts = await unzip(new Uint8Array(readFileSync(file)))
    const textOf = (name: string) => parts.get(name)?.text ?? ''
    const [, ...shown] = shownBy(
      textOf('xl/worksheets/sheet1.xml').replace(/<row r="1"[^>]*>/, '<row r="1">'),
      textOf('xl/styles.xml'),
      marks,
    )
    expect(shown.map(([dimension]) => plain(dimension!))).toEqual(cells.map(({ text }) => plain(text)))
    // Excel groups four digits in each locale.
    expect(shown.map(([, measure]) => ungrouped(measure!))).toEqual(
      cells.map((cell) => ungrouped(display(cell, COLUMNS[1]))),
    )
  })

  test('are the same texts, or their numbers, in CSV', async () => {
    const options = { delimiter: '\t', bom: false, header: false, escapeFormulas: false } as const
    const fieldsOf = async (numbers: 'text' | 'plain') => {
      const file = directory.join(`${locale}.csv`)
      await writeCsv({ table: source, options: { ...options, numbers }, locale, file })
      return read(`${locale}.csv`)
        .trimEnd()
        .split('\r\n')
        .map((line) => line.split('\t'))
    }
    expect(await fieldsOf('text')).toEqual(cells.map(({ text }) => [text, text]))
    const numbers = await fieldsOf('plain')
    for (const [at, { text, number }] of cells.entries()) {
      for (const field of numbers[at]!) expect([text, String(number)]).toContain(field)
    }
  })

  test('are the same texts in a page', async () => {
    await writeHtml({
      report: { page: PAGE },
      blocks: [tableBlock(source)],
      title: '',
      subtitle: '',
      footer: null,
      locale,
      embed: false,
      file: directory.join(`${locale}.html`),
      chartSvg: async () => '',
      svgToPng: async () => new Uint8Array(),
    })
    const shown = [...read(`${locale}.html`).matchAll(/<td[^>]*>([^<]*)<\/td><td[^>]*>([^<]*)<\/td>/g)]
    expect(shown.map(([, dimension]) => decoded(dimension!))).toEqual(cells.map(({ text }) => text))
    expect(shown.map(([, , measure]) => decoded(measure!))).toEqual(cells.map((cell) => display(cell, COLUMNS[1])))
  })

  test('are the same texts in a document of a template', async () => {
    const binding = (key: string, kind: string) => ({ key, label: key, expr: key, kind })
    const report = templateReport({
      data: [
        {
          key: 'detail',
          type: 'table',
          columns: [binding('D', 'dimension'), binding('M', 'measure')],
          sort: [],
          maxRows: 10_000,
          totals: false,
        },
      ] as ReturnType<typeof templateReport>['data'],
      levels: [],
    })
    const data = { ...appData(), table: async () => source }
    const template = wordTemplate(wordTable(['{{#detail}}{{D}}', '{{M}}{{/detail}}']))
    const filled = await filledTemplate(template, { report, data })
    const lines = wordText(filled.text('word/document.xml')).filter((line) => line.includes(' | '))
    expect(lines).toEqual(cells.map(({ text }) => `${text} | ${text}`))
  })
})
