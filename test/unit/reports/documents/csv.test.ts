import { afterAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { writeCsv } from '../../../../src/reports/documents/csv.ts'
import { reportTask } from '../../../../src/reports/entities/task.ts'
import { amounts, LOCALES } from '../../../support/duals.ts'
import { column, table, type Value } from '../../../support/report-data.ts'

const directory = mkdtempSync(join(tmpdir(), 'footman-csv-'))
afterAll(() => rmSync(directory, { recursive: true }))
const file = join(directory, 'a.csv')

const optionsOf = (csv: object) =>
  reportTask().parse({
    name: 'T',
    reports: [{ key: 'a', reportId: '0d9c9a0e-97b1-4b7c-8c55-0b6a3f6f4a11', format: 'csv', options: { csv } }],
  }).reports[0]!.options.csv

const date = { ...column('d:Date'), type: 'date' as const }

async function csvOf(
  columns: Parameters<typeof table>[0],
  rows: readonly (readonly Value[])[],
  csv: object = { bom: false },
) {
  const bytes = await writeCsv({ table: table(columns, rows), options: optionsOf(csv), locale: 'en-GB', file })
  const text = readFileSync(file, 'utf8')
  expect(bytes).toBe(Buffer.byteLength(text))
  return text
}

describe('CSV', () => {
  test('has a byte order mark, a header, CRLF, plain numbers and dates as Qlik shows them', async () => {
    const text = await csvOf(
      ['d:City', date, 'm:Sales'],
      [
        ['Köln', [45_982, '21.11.2025'], [1234.5, '1.234,50 €']],
        [null, null, null],
      ],
      {},
    )
    expect(text).toBe('\ufeffCity,Date,Sales\r\nKöln,21.11.2025,1234.5\r\n,,\r\n')
  })

  test('quotes what needs it', async () => {
    const text = await csvOf(['d:A'], [['a,b'], ['say "x"'], ['two\nlines'], [' edge'], ['plain']])
    expect(text).toBe('A\r\n"a,b"\r\n"say ""x"""\r\n"two\nlines"\r\n" edge"\r\nplain\r\n')
  })

  test.each([
    ['=cmd|calc', "'=cmd|calc"],
    ['＝cmd|calc', "'＝cmd|calc"],
    ['＋1', "'＋1"],
    ['－1', "'－1"],
    ['＠SUM(A1)', "'＠SUM(A1)"],
    ['+1+2', "'+1+2"],
    ['-x', "'-x"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['\tx', "'\tx"],
    ['\rx', '"\'\rx"'],
    ['a=b', 'a=b'],
    // A dual value of a text column.
    [[1, '=1+1'] as const, "'=1+1"],
    [[-5, '-5,00 €'] as const, '"-5,00 €"'],
    [[-5, '-5,00 kr'] as const, '"-5,00 kr"'],
    [[-5, '-EUR 5'] as const, '-EUR 5'],
    [[-3_000_000, '-3.0M'] as const, '-3.0M'],
    [[-3_000_000, '-3,0 Mio. €'] as const, '"-3,0 Mio. €"'],
    [[-5, '-5,00'] as const, '"-5,00"'],
    [[0, '-'] as const, '-'],
    [[-0.031_25, '-00:45'] as const, '-00:45'],
    [[-5, '-00:45'] as const, '-00:45'],
    [[5, '-00:45'] as const, "'-00:45"],
    [[-1.5, '-1 12:00'] as const, '-1 12:00'],
    [[-0.000_02, '-00:00:01.500'] as const, '-00:00:01.500'],
    [[-1e-7, '-1e-7'] as const, '-1e-7'],
    [[-1e-7, '-1e-07'] as const, '-1e-07'],
    [[-1_200_000, '-1,2E+06'] as const, '"-1,2E+06"'],
    [[5, '-1e5'] as const, "'-1e5"],
    ['-1e5', "'-1e5"],
    ['-1e5+1', "'-1e5+1"],
    [[-1, '-1e5|x'] as const, "'-1e5|x"],
    [[-1, '-A1'] as const, "'-A1"],
    [[-1, '-1 A1'] as const, "'-1 A1"],
    [[-5, '-5 kr(1)'] as const, "'-5 kr(1)"],
    [[-5, '-5+x'] as const, "'-5+x"],
    [[-5, '-5|calc'] as const, "'-5|calc"],
    [[46_701_234_567, '+46701234567'] as const, "'+46701234567"],
    [[46_701_234_567, '+46 70 123 45 67'] as const, "'+46 70 123 45 67"],
    [[0.123, '+12.3%'] as const, '+12.3%'],
    [[46, '＋46'] as const, "'＋46"],
    [[-5, '－5'] as const, "'－5"],
    [[5, '＠5'] as const, "'＠5"],
    [[5, '＝5'] as const, "'＝5"],
  ])('%p is guarded as %s', async (value, expected) => {
    const text = await csvOf([{ ...column('d:A'), type: 'text' }], [[value]])
    expect(text).toBe(`A\r\n${expected}\r\n`)
  })

  test('as texts, amounts in every locale are guarded only where a letter stands directly before a digit', async () => {
    const cells = LOCALES.flatMap((marks) => fc.sample(amounts(marks), { numRuns: 400, seed: 7 }))
    const rows = cells.map(({ text, number }) => [[number!, text] as const])
    const csv = { bom: false, header: false, numbers: 'text', delimiter: '\t' }
    const lines = (await csvOf([column('m:A')], rows, csv)).trimEnd().split('\r\n')
    const expected = cells.map(({ text }) => (text.startsWith('-') && /\p{L}\.?\d/u.test(text) ? `'${text}` : text))
    expect(lines).toEqual(expected)
    expect(lines.filter((line) => /^-.*\p{L}/u.test(line)).length).toBeGreaterThan(100)
  })

  test('labels of columns are guarded too', async () => {
    expect(await csvOf(['d:=A'], [])).toBe("'=A\r\n")
  })

  test('keeps what a number would lose', async () => {
    const code = { ...column('d:Code'), type: 'integer' as const }
    const rows = [
      [[7, '007'] as const],
      [[1_234_567_890_123_456, '1234567890123456'] as const],
      [[2024, '2024'] as const],
    ]
    expect(await csvOf([code], rows)).toBe('Code\r\n007\r\n1234567890123456\r\n2024\r\n')
  })

  test('says in a last record of the same width that it was cut', async () => {
    const cut = table(['d:City', 'm:A', 'm:B'], [['Nord', 1, 2]], { totalRows: 134_211 })
    await writeCsv({ table: cut, options: optionsOf({ bom: false }), locale: 'en-GB', file })
    expect(readFileSync(file, 'utf8')).toBe('City,A,B\r\nNord,1,2\r\n"Showing the first 1 of 134,211 rows",,\r\n')
  })

  test.each([
    [1e-7, '0.0000001'],
    [-1.25e-9, '-0.00000000125'],
    [1.5e21, '1500000000000000000000'],
    [-123e25, '-1230000000000000000000000000'],
    [0.000_001, '0.000001'],
  ])('%p has no exponent', async (number, text) => {
    expect(await csvOf(['m:A'], [[[number, '']]])).toBe(`A\r\n${text}\r\n`)
    expect(Number(text)).toBe(number)
  })

  test('negative numbers are numbers', async () => {
    expect(await csvOf(['m:A'], [[-5.25]])).toBe('A\r\n-5.25\r\n')
  })

  test('numbers without a text are never guarded', async () => {
    const csv = { bom: false, header: false, numbers: 'text' }
    await fc.assert(
      fc.asyncProperty(fc.double({ noNaN: true, noDefaultInfinity: true }), async (number) => {
        expect(await csvOf(['m:A'], [[[number, '']]], csv)).toBe(`${number}\r\n`)
      }),
      { examples: [[-1e-7], [-1.5e21], [-0.25]] },
    )
  })

  test('follows its options', async () => {
    const options = { bom: false, delimiter: ';', header: false, numbers: 'text', escapeFormulas: false }
    expect(
      await csvOf(
        ['d:A', 'm:B'],
        [
          ['=x', [1234.5, '1.234,50']],
          ['a;b', 2],
        ],
        options,
      ),
    ).toBe('=x;1.234,50\r\n"a;b";2\r\n')
  })

  test('leaves no file behind when a page cannot be read', async () => {
    const broken = {
      ...table(['d:A'], []),
      async *pages() {
        yield []
        throw new Error('gone')
      },
    }
    await expect(
      writeCsv({ table: broken, options: optionsOf({}), locale: 'en-GB', file: join(directory, 'broken.csv') }),
    ).rejects.toThrow('gone')
    expect(existsSync(join(directory, 'broken.csv'))).toBeFalse()
  })
})
