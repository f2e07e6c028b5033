import { describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import { type ChartContent, chartProblem, limitPoints } from '../../../../src/reports/documents/charts/content.ts'
import { pivot, uniqueNames } from '../../../../src/reports/documents/charts/frame.ts'
import { chartPicture, chartSvg, svgToPng } from '../../../../src/reports/documents/charts/index.ts'
import { roundAbove } from '../../../../src/reports/documents/charts/parts.ts'
import { fiveNumbers } from '../../../../src/reports/documents/charts/points.ts'
import { numberFormat } from '../../../../src/reports/documents/charts/style.ts'
import { loadFonts } from '../../../../src/reports/documents/fonts.ts'
import { cutChartText } from '../../../../src/reports/documents/values.ts'
import { chartXml, isNative } from '../../../../src/reports/documents/xlsx-charts.ts'
import { CHART_KINDS } from '../../../../src/reports/entities/report.ts'
import { chartDigests } from '../../../support/chart-digests.ts'
import { denoHost } from '../../../support/deno.ts'
import { sampleChart } from '../../../support/report-charts.ts'
import { column, fakeReportData, rowsOf, table, type Value } from '../../../support/report-data.ts'

const fonts = await loadFonts()
const drawing = { width: 720, height: 400, title: 'Title', idPrefix: 'trend', locale: 'en-GB', fonts }

describe('charts of each kind', () => {
  test.each([...CHART_KINDS])('%s is drawn as still SVG with its names', async (kind) => {
    const svg = await chartSvg(sampleChart(kind), { ...drawing, title: 'Sales <2025>' })
    expect(svg).toStartWith('<svg role="img" aria-label="Sales &lt;2025&gt;" width="720" height="400"')
    expect(svg).not.toMatch(/<style|class=|pointer-events|ecmeta|<script|zr\d/)
    for (const [, id] of svg.matchAll(/\bid="([^"]+)"/g)) expect(id).toMatch(/^trend-\d+$/)
    for (const [, id] of svg.matchAll(/url\(#([^)]+)\)/g)) expect(svg).toContain(`id="${id}"`)
    expect(svg).not.toContain('NaN')
    // The first name of the data: a category, a series or a label.
    const { dimensions, rows } = sampleChart(kind)
    expect(svg).toContain(dimensions.length === 0 ? '73.4 %' : kind === 'scatter' ? 'Nord' : rows[0]![0]!.text)
  })

  test.each([...CHART_KINDS])('%s without rows says so', async (kind) => {
    const svg = await chartSvg(sampleChart(kind, { rows: [], totalRows: [] }), drawing)
    expect(svg).toContain('>No data<')
  })

  test('equal data gives equal bytes in this process, in another and under Deno', async () => {
    const first = await chartDigests()
    expect(await chartDigests()).toEqual(first)
    const program = join(import.meta.dirname, '..', '..', '..', 'support', 'chart-digests.ts')
    const run = (command: string, args: readonly string[]) => {
      const { stdout, stderr } = spawnSync(command, [...args, program], { encoding: 'utf8', timeout: 120_000 })
      return stdout.startsWith('{') ? JSON.parse(stdout) : stderr
    }
    expect(run(process.execPath, [])).toEqual(first)
    const deno = denoHost()
    expect(run(deno.command, deno.args.slice(0, -1))).toEqual(first)
  }, 180_000)

  test('Greek, Cyrillic and signs have glyphs; other scripts are reported', async () => {
    fonts.takeMissing()
    const rows = rowsOf([
      ['Αθήνα ▲▼', 1],
      ['Москва ✓→', 2],
    ])
    await svgToPng(await chartSvg(sampleChart('pie', { rows }), drawing), 1, fonts)
    expect(fonts.takeMissing()).toEqual([])
    await svgToPng(
      await chartSvg(
        sampleChart('pie', {
          rows: rowsOf([
            ['東京', 1],
            ['ไทย', 2],
          ]),
        }),
        drawing,
      ),
      1,
      fonts,
    )
    expect(fonts.takeMissing()).toEqual(['東', '京', 'ไ', 'ท', 'ย'])
  })

  test('a picture has the pixels of its size and scale, and a limit', async () => {
    const png = await svgToPng(await chartSvg(sampleChart('bar'), { ...drawing, width: 300, height: 200 }), 2, fonts)
    const view = new DataView(png.buffer, png.byteOffset)
    expect([view.getUint32(16), view.getUint32(20)]).toEqual([600, 400])
    const large = await chartSvg(sampleChart('bar'), { ...drawing, width: 4000, height: 3000 })
    expect(svgToPng(large, 2, fonts)).rejects.toThrow('above 16 million pixels')
  })
})

test('labels of bars are the texts of Qlik, axes are written in the locale', async () => {
  const svg = await chartSvg(sampleChart('barHorizontal'), { ...drawing, locale: 'de-DE' })
  expect(svg).toContain('>335,000 €<')
  expect(svg).toContain('>300.000<')
})

describe('numbers at axes', () => {
  const plain = { type: 'number', format: null } as const
  test.each([
    [plain, 'en-GB', [0, 12_500], 12_500, '12,500'],
    [plain, 'en-US', [0, 4_500_000], 1_500_000, '1.5M'],
    [plain, 'en-GB', [0, 4_500_000], 1_500_000, '1.5M'],
    [plain, 'en-IN', [0, 4_500_000], 3_000_000, '3M'],
    [plain, 'en-IN', [0, 45_000_000], 20_000_000, '20M'],
    [plain, 'en-IN', [0, 4_500_000_000], 2_000_000_000, '2B'],
    [plain, 'de-DE', [0.5], 0.25, '0,25'],
    [{ ...plain, marks: { decimal: '.', group: ',' } } as const, 'de-DE', [0, 12_500], 12_500, '12,500'],
    [{ type: 'date', format: 'D MMM YYYY' } as const, 'sv-SE', [45_982], 45_982, '2025-11-21'],
    [{ type: 'number', format: '0.0%' } as const, 'en-GB', [0.1, 0.9], 0.4, '40%'],
    [{ type: 'interval', format: 'hh:mm' } as const, 'en-GB', [0.5], 0.0625, '1:30'],
    [{ type: 'date', format: 'YYYY-MM-DD' } as const, 'en-GB', [45_982], 45_982, '2025-11-21'],
    [plain, 'not a locale', [10], 5, '5'],
  ])('%p in %s', (own, locale, values, value, text) => {
    expect(numberFormat(own, locale, values)(value)).toBe(text)
  })
})

describe('values with one text', () => {
  const kr = (value: number): Value => [value, `${value} kr`]
  const NUMBERS = [1, 2, 10]
  const TEXTS: readonly (readonly [string, readonly Value[]])[] = [
    ['duals', [[1, 'same'], [2, 'same'], 'b']],
    ['no text, none and a dash', ['-', null, '']],
  ]
  const drawnTexts = async (chart: ChartContent) =>
    [...(await chartSvg(chart, drawing)).matchAll(/>([^<]+)</g)].map(([, text]) => text)
  const chart = (kind: ChartContent['kind'], dimensions: number, rows: ChartContent['rows']): ChartContent => ({
    kind,
    legend: 'right',
    labels: true,
    dimensions: ['d:City', 'd:Shop'].slice(0, dimensions).map(column),
    measures: rows[0]!.slice(dimensions).map((_, index) => ({
      ...column(`m:Sales ${index}`),
      ...(index > 0 ? { as: 'line', axis: 'right' } : { as: 'bar', axis: 'left' }),
    })),
    rows,
    ...(kind === 'waterfall' && { totalRows: [] }),
  })
  const place = { sheet: 'S', row: 4, formats: [], categories: { format: null, numbers: [] } }
  const nativeNumbers = (content: ChartContent) =>
    [...chartXml(content, place).matchAll(/<c:val>.*?<\/c:val>/g)].flatMap(([values]) =>
      [...values.matchAll(/<c:v>([^<]*)</g)].map(([, value]) => Number(value)),
    )

  const ONE = [
    'bar',
    'barHorizontal',
    'barStacked',
    'barGrouped',
    'line',
    'area',
    'areaStacked',
    'combo',
    'radar',
  ] as const
  const PARTS = ['pie', 'donut', 'funnel', 'treemap', 'waterfall'] as const
  for (const [what, names] of TEXTS) {
    test.each([...ONE, ...PARTS])(`%s: each of ${what} is drawn`, async (kind) => {
      const rows = rowsOf(
        names.map((name, index) => [
          name,
          kr(NUMBERS[index]!),
          ...(kind === 'combo' ? [kr(NUMBERS[index]! + 20)] : []),
        ]),
      )
      const limited = limitPoints(chart(kind, 1, rows), 3, () => undefined)
      expect(limited.rows).toHaveLength(3)
      const shown = (await drawnTexts(limited)).join('\n')
      // An area has no labels.
      if (/^area/.test(kind)) expect(shown.match(/^(?:same|b|-)$/gm)).toHaveLength(3)
      for (const value of /^area/.test(kind) ? [] : NUMBERS) {
        expect(shown).toMatch(new RegExp(kind === 'radar' ? `^${value}$` : `\\b${value} kr`, 'm'))
      }
      if (!isNative(limited)) return
      const numbers = nativeNumbers(limited).filter((value) => value < 20)
      expect(numbers.sort((one, other) => one - other)).toEqual(NUMBERS)
    })

    test.each([
      'barStacked',
      'barGrouped',
      'barPercent',
      'line',
      'areaStacked',
      'radar',
      'heatmap',
      'treemap',
    ] as const)(`%s of two dimensions: each of ${what} is drawn`, async (kind) => {
      const rows = rowsOf(
        names.flatMap((name, one) => names.map((other, two) => [name, other, kr(one * 10 + two + 1)])),
      )
      const content = chart(kind, 2, rows)
      const shown = (await drawnTexts(content)).join('\n')
      const numbers = rows.map((row) => row[2]!.number!)
      // Labels hide each other in the narrow marks of other kinds.
      if (kind === 'heatmap') for (const value of numbers) expect(shown).toContain(`${value} kr`)
      if (isNative(content)) expect(nativeNumbers(content).sort((one, other) => one - other)).toEqual(numbers)
      const { categories, series } = pivot(content)
      expect(categories.length).toBeGreaterThanOrEqual(3)
      expect(new Set(series.map(({ name }) => name)).size).toBe(series.length)
      const kept = series.flatMap(({ cells }) => cells.flatMap((one) => one?.number ?? []))
      expect(kept.sort((one, other) => one - other)).toEqual(numbers)
    })
  }

  test('a flow, a box and a group of points of each value', async () => {
    const rows = rowsOf([
      [[1, 'same'], [1, 'x'], kr(1)],
      [[2, 'same'], [2, 'x'], kr(2)],
    ])
    const links = (kind: ChartContent['kind'], data: ChartContent['rows']) => drawnTexts(chart(kind, 2, data))
    expect((await links('sankey', rows)).filter((text) => text === 'same' || text === 'x')).toHaveLength(4)
    expect((await links('boxplot', rows)).filter((text) => text === 'same')).toHaveLength(2)
    const points = rows.map((row) => [...row, row[2]!])
    expect((await links('scatter', points)).filter((text) => /^x/.test(text!))).toEqual(['x', 'x (2)'])
    expect(chartXml(chart('scatter', 2, points), place).match(/<c:ser>/g)).toHaveLength(2)
  })

  test('the sums of values with one text are not those of one point', () => {
    const rows = rowsOf([
      [[1, 'same'], 6],
      [[2, 'same'], 6],
      ['b', 10],
      ['c', 1],
    ])
    const { rows: kept, cut } = limitPoints(chart('bar', 1, rows), 3, () => undefined)
    expect(kept.map((row) => row[1]?.number)).toEqual([6, 6, 10])
    expect(cut).toEqual({ shown: 3, of: 4 })
  })

  test('names of series stay different', () => {
    expect(uniqueNames(['a', 'a', 'a (2)', 'a', 'b'])).toEqual(['a', 'a (3)', 'a (2)', 'a (4)', 'b'])
  })
})

describe('more values than maxPoints', () => {
  const content = (kind: ChartContent['kind']): ChartContent => ({
    kind,
    legend: 'top',
    labels: false,
    dimensions: [column('d:City')],
    measures: [{ ...column('m:Sales'), as: 'bar', axis: 'left' }],
    rows: rowsOf([
      ['A', 1],
      ['B', 50],
      ['C', 3],
      ['D', 40],
      ['E', 2],
    ]),
  })
  const limited = (kind: ChartContent['kind'], most: number) => {
    const warnings: string[] = []
    const { rows } = limitPoints(content(kind), most, (code, details) => warnings.push(`${code} ${details}`))
    return { rows: rows.map(([name, value]) => [name?.text, value?.number]), warnings }
  }
  const warning = 'POINTS_TRUNCATED 2 of 5 values of City'

  test('are left out of bars, the order stays', () => {
    expect(limited('bar', 2)).toEqual({
      rows: [
        ['B', 50],
        ['D', 40],
      ],
      warnings: [warning],
    })
  })
  test.each([
    ['bar', 'Showing the largest 2 of 5 values of City'],
    ['waterfall', 'Showing the largest 2 of 5 values of City'],
    ['radar', 'Showing the largest 2 of 5 values of City'],
    ['pie', null],
  ] as const)('the drawing of %s says so', async (kind, text) => {
    const chart = limitPoints(content(kind), 2, () => undefined)
    const svg = await chartSvg(chart, drawing)
    expect(svg).toStartWith('<svg role="img" aria-label="Title" width="720" height="400"')
    expect(/>(Showing[^<]*)</.exec(svg)?.[1] ?? null).toBe(text)
    expect((await svgToPng(svg, 1, fonts)).length).toBeGreaterThan(1000)
    expect(
      await chartSvg(
        limitPoints(content(kind), 5, () => undefined),
        drawing,
      ),
    ).not.toContain('Showing')
  })
  test('become Others in a pie, the largest first', () => {
    expect(limited('pie', 2)).toEqual({
      rows: [
        ['B', 50],
        ['D', 40],
        ['Others', 6],
      ],
      warnings: [warning],
    })
  })
  test.each(['pie', 'donut', 'treemap', 'funnel'] as const)(
    'negative values are no parts of a %s, which says so',
    async (kind) => {
      const rows = rowsOf([
        ['A', 1],
        ['B', -50],
        ['C', 3],
      ])
      const warnings: string[] = []
      const chart = limitPoints({ ...content(kind), rows }, 5, (code, details) => warnings.push(`${code} ${details}`))
      expect(chart.rows.map(([name]) => name?.text)).toEqual(['C', 'A'])
      expect(warnings).toEqual(['POINTS_TRUNCATED 2 of 3 values of City, as parts of a whole are positive'])
      expect(await chartSvg(chart, drawing)).toContain('Showing the largest 2 of 3 values of City')
    },
  )
  test.each(['pie', 'donut', 'treemap', 'funnel'] as const)('a zero is no mark of a %s either', async (kind) => {
    const drawn = async (...values: readonly number[]) => {
      const rows = rowsOf(values.map((value, index) => [`City ${index}`, value]))
      const chart = limitPoints({ ...content(kind), rows }, 5, () => undefined)
      const svg = await chartSvg(chart, drawing)
      expect(isNative(chart)).toBe(/pie|donut/.test(kind) && values.some((value) => value > 0))
      return [...svg.matchAll(/>((?:No|Showing)[^<]*)</g)].map(([, text]) => text)
    }
    expect(await drawn(0, 0)).toEqual(['No positive values'])
    expect(await drawn(0, -1)).toEqual(['No positive values', 'None of the 2 values of City is positive'])
    expect(await drawn(5, 0, -1, -2)).toEqual(['Showing the largest 1 of 4 values of City'])
    expect(await drawn()).toEqual(['No data'])
  })
  test('a negative part of a treemap of two dimensions is a value of both', () => {
    const rows = rowsOf([
      ['A', 'x', 1],
      ['A', 'y', -1],
      ['B', 'x', 2],
    ])
    const chart = limitPoints(
      { ...content('treemap'), dimensions: [column('d:City'), column('d:Shop')], rows },
      5,
      () => undefined,
    )
    expect(cutChartText(chart, 'en')).toBe('Showing the largest 2 of 3 values of City, Shop')
  })
  test('Others are written as the app writes the others', () => {
    const plainRows = content('pie').rows
    const rows = plainRows.map(([name, value]) => [
      name!,
      { text: `${value!.number! * 1000} kr`, number: value!.number! * 1000 },
    ])
    const limited = limitPoints({ ...content('pie'), rows }, 2, () => undefined)
    expect(limited.rows.at(-1)?.[1]).toEqual({ text: '6000 kr', number: 6000 })
  })
  test('no more values: nothing is left out', () => {
    expect(limited('bar', 5)).toEqual({
      rows: [
        ['A', 1],
        ['B', 50],
        ['C', 3],
        ['D', 40],
        ['E', 2],
      ],
      warnings: [],
    })
  })
  test('every value of the second dimension stays with its first', () => {
    const two = sampleChart('barStacked')
    const { rows } = limitPoints(two, 3, () => undefined)
    expect(new Set(rows.map(([month]) => month!.text)).size).toBe(3)
    expect(rows).toHaveLength(12)
  })
})

test.each([
  ['bar', 1, 8, null],
  ['bar', 2, 2, 'bar needs 1 measures with a second dimension, not 2'],
  ['gauge', 1, 1, 'gauge needs 0 dimensions, not 1'],
  ['sankey', 1, 1, 'sankey needs 2 dimensions, not 1'],
  ['bubble', 1, 2, 'bubble needs 3 measures, not 2'],
  ['radar', 2, 2, 'radar needs 1 measures with a second dimension, not 2'],
  ['radar', 1, 8, null],
  ['scatter', 2, 2, null],
  ['treemap', 2, 2, 'treemap needs 1 measures, not 2'],
  ['combo', 1, 1, 'combo needs 2 to 8 measures, not 1'],
] as const)('%s with %d dimensions and %d measures', (kind, dimensions, measures, problem) => {
  expect(chartProblem(kind, dimensions, measures)).toBe(problem)
})

test('box plots: quartiles, whiskers within 1.5 boxes, outliers', () => {
  expect(fiveNumbers([])).toBeNull()
  expect(fiveNumbers([7])).toEqual({ box: [7, 7, 7, 7, 7], outliers: [] })
  expect(fiveNumbers([1, 2, 3, 4, 5, 6, 7, 8, 100])).toEqual({ box: [1, 3, 5, 7, 8], outliers: [100] })
})

test.each([
  [0, 1],
  [0.734, 1],
  [1, 1],
  [21, 25],
  [260, 500],
  [-7, -10],
])('the round number above %d is %d', (value, above) => {
  expect(roundAbove(value)).toBeCloseTo(above, 10)
})

describe('pictures for templates', () => {
  const data = fakeReportData({
    tables: { 'Region|=Sum(Sales)': table(['d:Region', 'm:Sales'], [['Nord', 1]]) },
    objects: {
      pie: { visualization: 'piechart', table: table(['d:Region', 'm:Sales'], [['Nord', 1]]) },
      kpi: { visualization: 'kpi', table: table(['m:Sales'], [[12]]) },
      map: { visualization: 'map', table: table(['d:Place', 'm:Sales'], [['Nord', 1]]) },
    },
  })
  const picture = (chart: Parameters<typeof chartPicture>[0]['chart']) =>
    chartPicture({ chart, data, widthPx: 300, heightPx: 200, locale: 'en-GB', fonts, warn: () => undefined })
  const definition = {
    key: 'c',
    type: 'chart',
    chart: 'bar',
    dimension: 'Region',
    measures: ['=Sum(Sales)'],
    maxPoints: 200,
    legend: 'top',
    labels: false,
  } as const

  test.each([
    ['a defined chart', definition],
    ['an object', { objectId: 'pie' }],
    ['a KPI', { objectId: 'kpi' }],
  ])('%s is a PNG', async (_, chart) => {
    const png = await picture(chart as Parameters<typeof picture>[0])
    expect([...png.subarray(1, 4)].map((byte) => String.fromCharCode(byte)).join('')).toBe('PNG')
  })
  test('an object of another kind is refused', () => {
    expect(picture({ objectId: 'map' })).rejects.toThrow('object map (map) cannot be drawn as a chart')
  })
})

describe('no text leaves the picture', () => {
  /** Texts that are not turned, with the edges that they reach. */
  function outside(svg: string, width: number): string[] {
    const texts = svg.matchAll(/<text ([^>]*)>([^<]*)<\/text>/g)
    return [...texts].flatMap(([, attributes = '', text = '']) => {
      if (/rotate|matrix/.test(attributes)) return []
      const number = (pattern: RegExp) => Number(pattern.exec(attributes)?.[1] ?? 0)
      const x = number(/translate\((-?[\d.]+)/) + number(/\bx="(-?[\d.]+)"/)
      const bold = attributes.includes('font-weight:bold')
      const length = fonts.measure(text.replace(/&\w+;/g, '&'), number(/font-size:([\d.]+)px/), bold)
      const anchor = /text-anchor="(\w+)"/.exec(attributes)?.[1] ?? 'start'
      const left = anchor === 'end' ? x - length : anchor === 'middle' ? x - length / 2 : x
      return left < -1 || left + length > width + 1 ? [`${text} at ${left.toFixed(0)}`] : []
    })
  }
  const NAME = 'A rather long name of a customer Ltd. & Co.'
  const long = (kind: (typeof CHART_KINDS)[number]): ChartContent => {
    const chart = sampleChart(kind, { labels: true })
    const rows = chart.rows.map((row) =>
      row.map((own, index) => (index < chart.dimensions.length ? { ...own, text: `${own.text} ${NAME}` } : own)),
    )
    return { ...chart, rows }
  }

  test.each([...CHART_KINDS])('%s', async (kind) => {
    for (const [width, height] of [
      [720, 400],
      [360, 260],
    ] as const) {
      for (const legend of ['top', 'right', 'none'] as const) {
        const size = { ...drawing, width, height, title: `${NAME} ${NAME} ${NAME}` }
        expect(outside(await chartSvg({ ...long(kind), legend }, size), width)).toEqual([])
      }
    }
  })
})
