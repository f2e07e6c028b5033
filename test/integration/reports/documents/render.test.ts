import { afterAll, describe, expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRenderer } from '../../../../src/reports/documents/render.ts'
import { parseXml } from '../../../../src/reports/templates/xml.ts'
import { unzip } from '../../../support/office.ts'
import { cell, fakeReportData, table } from '../../../support/report-data.ts'
import { HOSTILE, longBlock, packBlocks, packData } from '../../../support/report-pack.ts'
import { type Asked, RENDER_SETTINGS, renderRequest } from '../../../support/report-request.ts'
import { tempDirectory } from '../../../support/temp.ts'

const directory = tempDirectory()
afterAll(() => directory.remove())
const renderer = createRenderer(RENDER_SETTINGS, async () => {
  throw new Error('no templates here')
})

async function render(asked: Omit<Asked, 'data' | 'directory'> & Partial<Asked>) {
  const { request, warnings } = renderRequest({ data: packData, directory: directory.path, ...asked })
  const document = await renderer.render(request)
  const bytes = readFileSync(request.file)
  expect(document.bytes).toBe(bytes.length)
  return { document, warnings, bytes, text: bytes.toString() }
}

const page = { title: 'Sales {date:yyyy}', footer: 'Page {page} of {pages}' }

describe('documents of a report with every type of block', () => {
  test.each([
    ['html', 'text/html; charset=utf-8', '<!doctype html>'],
    ['pdf', 'application/pdf', '%PDF-1.7'],
    ['xlsx', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', 'PK'],
    ['json', 'application/json; charset=utf-8', '{ "meta"'],
  ])('%s: media type, warnings, equal bytes a second time', async (format, mediaType, beginning) => {
    const first = await render({ blocks: packBlocks, page, use: { format } })
    expect(first.document).toMatchObject({ format, mediaType, extension: format })
    // The title of a chart in a PDF has one line.
    const cut = first.warnings.filter((warning) => warning.startsWith('TEXT_TRUNCATED line no room for "Trend <script'))
    expect(cut).toHaveLength(format === 'pdf' ? 1 : 0)
    expect(first.warnings).toEqual(['BLOCK_ERROR broken cannot calculate Nope(', ...cut])
    expect(first.text).toStartWith(beginning)
    const second = await render({ blocks: packBlocks, page, use: { format }, fileName: `again.${format}` })
    expect(second.bytes.equals(first.bytes)).toBeTrue()
  })

  test.each([
    ['svg', '<?xml version="1.0" encoding="UTF-8"?>\n<svg '],
    ['png', '\ufffdPNG'],
    ['csv', '\ufeffProduct,Region,Date,Sales,Margin\r\nBikes,Nord,2023-03-15,12345.5,0.2\r\n'],
  ])('%s of one block', async (format, beginning) => {
    const block = format === 'csv' ? 'detail' : 'trend'
    const { text } = await render({ blocks: packBlocks, use: { format, block } })
    expect(text).toStartWith(beginning)
  })

  test('JSON holds numbers, texts, rows and totals', async () => {
    const { text } = await render({ blocks: packBlocks, use: { format: 'json' } })
    const { meta, blocks } = JSON.parse(text)
    expect(meta).toEqual({
      report: 'Sales pack',
      task: 'Weekly',
      app: 'Sales',
      appId: 'ccc1e1c1-6f4e-4a9d-8b3b-8a3d8a0e1c77',
      lastReload: '2025-11-21T05:12:44.000Z',
      filter: 'Region: Nord',
      cycle: {},
    })
    expect(blocks.map(({ key }: { key: string }) => key)).toEqual([
      'intro',
      'kpis',
      'trend',
      'line',
      'detail',
      'broken',
    ])
    expect(blocks[1].items[0]).toMatchObject({ label: 'Revenue', value: 1_234_567, text: '1,234,567 €' })
    expect(blocks[3].rows[1]).toEqual(['Feb', 49_000])
    expect(blocks[4].rows[0]).toEqual(['Bikes', 'Nord', '2023-03-15', 12_345.5, 0.2])
    expect(blocks[4]).toMatchObject({ totalRows: 12_345, totals: [null, null, null, 259_255.5, 0.248] })
  })
})

describe('characters that no document can hold', () => {
  const BAD = '\u0000\u0001\u000b\u001f\u007f\u0085\ud800\ufdd0\ufffe\uffff\u{1fffe}'
  const bad = (text: string) => `${BAD}${text.slice(0, 2)}${BAD}${text.slice(2)}${BAD}`
  /** Definitions are refused with control characters; the rest can be in them. */
  const named = (text: string) => `\ud800${text}\ufdd0\ufffe`
  const FOUND = /(?![\t\n\r])\p{Cc}|\p{Cs}|\p{Noncharacter_Code_Point}/u
  const data = fakeReportData({
    values: { Revenue: [5, bad('5 kr')], Last: [4, bad('4 kr')] },
    tables: {
      'City|=1': table([`d:${bad('City')}`, `m:${bad('Sales')}`], [[bad('Lund'), [1, bad('1 kr')]]], {
        totals: [cell(''), cell([1, bad('1 kr')])],
      }),
    },
  })
  const kpi = {
    key: 'k',
    type: 'kpi',
    title: named('Key'),
    items: [{ label: named('Label'), expr: '=Revenue', compareExpr: '=Last' }],
  }
  const columns = [
    { label: named('City'), expr: 'City', kind: 'dimension' },
    { label: named('Sales'), expr: '=1', kind: 'measure' },
  ]
  const detail = { key: 't', type: 'table', title: named('Table'), totals: true, columns }
  const chart = { key: 'c', type: 'chart', title: named('Chart'), chart: 'bar', dimension: 'City', measures: ['=1'] }
  const blocks = [{ key: 'x', type: 'text', markdown: `**${bad('Text')}** {{=Revenue}}` }, kpi, chart, detail]
  const plainPage = { title: named('Title'), footer: named('Footer') }

  test.each([
    ['html', blocks, ['Text', 'Key', 'Chart', 'Table', 'City', 'Lund', '1 kr', 'Title']],
    ['csv', [detail], ['City', 'Lund']],
    ['svg', [chart], ['Chart', 'Lund']],
  ] as const)('are left out: %s', async (format, asked, texts) => {
    const { text, warnings } = await render({ blocks: [...asked], page: plainPage, data, use: { format } })
    const at = text.search(FOUND)
    expect(at < 0 ? '' : JSON.stringify(text.slice(at - 80, at + 20))).toBe('')
    for (const one of texts) expect(text).toContain(one)
    expect(warnings).toEqual([])
  })

  test.each([
    ['png', [chart]],
    ['json', blocks],
    ['pdf', blocks],
    ['html', [chart, kpi]],
  ] as const)('do not end the document: %s', async (format, asked) => {
    const use = { format, ...(format === 'html' && { embed: true }) }
    expect((await render({ blocks: [...asked], page: plainPage, data, use })).warnings).toEqual([])
  })

  test('are left out of all parts of a workbook', async () => {
    const { bytes } = await render({ blocks, page: plainPage, data, use: { format: 'xlsx' } })
    const parts = [...(await unzip(bytes))].filter(([name]) => /\.(xml|rels)$/.test(name))
    expect(parts.length).toBeGreaterThan(6)
    for (const [name, { text }] of parts) {
      expect([name, FOUND.exec(text)]).toEqual([name, null])
      expect(() => parseXml(text, name)).not.toThrow()
    }
    expect(parts.some(([, { text }]) => text.includes('Lund'))).toBeTrue()
  })
})

describe('one block alone', () => {
  const object = (objectId: string) => [{ key: 'o', type: 'object', objectId }]
  test('an object of the app as a picture', async () => {
    const { text } = await render({
      blocks: object('pie1'),
      use: { format: 'svg', options: { svg: { widthPx: 300, heightPx: 200 } } },
    })
    expect(text).toContain('width="300" height="200"')
    expect(text).toContain('>Sales by region<')
  })
  test('a KPI of the app as a picture', async () => {
    const { text } = await render({ blocks: object('kpi1'), use: { format: 'svg' } })
    expect(text).toContain('>4 211<')
  })
  test('an object that is a chart in the app, as CSV', async () => {
    const { text } = await render({ blocks: object('pie1'), use: { format: 'csv' } })
    expect(text).toBe('\ufeffRegion,Sales\r\nNord,60\r\nSüd,40\r\n')
  })
  test.each([
    ['svg', 'map1', 'DOCUMENT_FAILED: block o cannot be drawn as a chart'],
    ['csv', 'text1', 'DOCUMENT_FAILED: The object text1 of the app has no data that could be shown here.'],
    ['docx', 'pie1', 'DOCUMENT_FAILED: A report of blocks does not make docx'],
  ])('%s of %s is refused', async (format, objectId, message) => {
    expect(render({ blocks: object(objectId), use: { format }, fileName: 'refused' })).rejects.toThrow(message)
    expect(existsSync(directory.join('refused'))).toBeFalse()
  })
})

test('characters that no font has are reported where we draw them', async () => {
  const data = fakeReportData({ tables: { 'City|=1': table(['d:City', 'm:A'], [['東京', 1]]) } })
  const chart = [{ key: 'c', type: 'chart', chart: 'pie', dimension: 'City', measures: ['=1'] }]
  expect((await render({ blocks: chart, data, use: { format: 'png' } })).warnings).toEqual([
    'GLYPH_MISSING no font has 東 京',
  ])
  expect((await render({ blocks: chart, data, use: { format: 'svg' } })).warnings).toEqual([])
  expect((await render({ blocks: chart, data, use: { format: 'html', embed: true } })).warnings).toHaveLength(1)
})

describe('the body of a mail', () => {
  test('has its styles in attributes, charts as pictures of the mail, and nothing of a page', async () => {
    const { document, text } = await render({ blocks: packBlocks, page, use: { format: 'html', embed: true } })
    expect(document.images?.map(({ cid, png }) => [cid, Buffer.from(png.subarray(1, 4)).toString()])).toEqual([
      ['chart-trend', 'PNG'],
      ['chart-line', 'PNG'],
    ])
    expect(text).toContain('<img src="cid:chart-trend" width="720"')
    expect(text).not.toMatch(/<svg|<style|class=|var\(|<script/)
    expect(text).not.toContain(HOSTILE)
  })
})

describe('a table of 100,000 rows', () => {
  test.each(['html', 'csv', 'json'])(
    '%s is written while it is read',
    async (format) => {
      const before = process.memoryUsage().rss
      const { document, text } = await render({ blocks: [longBlock], use: { format } })
      expect(text).toContain('Order 99999')
      expect(document.bytes).toBeGreaterThan(2_000_000)
      // The file itself is read for the comparison above: at most 3 x 20 MB.
      expect(process.memoryUsage().rss - before).toBeLessThan(200e6)
    },
    60_000,
  )
})

test('nothing but the documents is left in the folder', () => {
  expect(readdirSync(directory.path).filter((name) => !/^(document|again)\.\w+$/.test(name))).toEqual([])
})
