/** Shapes that show cells: linked text boxes, pictures of ranges, controls. They follow their cells as formulas do. */
import { expect, test } from 'bun:test'
import { checkTemplate } from '../../../../../src/reports/templates/index.ts'
import { relationships, zipOf } from '../../../../support/office.ts'
import {
  anchor,
  chart,
  chartFrame,
  drawing,
  facts,
  filledWorkbook,
  reportWithFew,
  sheetRow,
  textBox,
  workbook,
  worksheet,
} from '../../../../support/workbook.ts'

const TYPES = {
  'xl/drawings/drawing1.xml': 'application/vnd.openxmlformats-officedocument.drawing+xml',
  'xl/drawings/drawing2.xml': 'application/vnd.openxmlformats-officedocument.drawingml.chartshapes+xml',
  'xl/drawings/vmlDrawing1.vml': 'application/vnd.openxmlformats-officedocument.vmlDrawing',
  'xl/charts/chart1.xml': 'application/vnd.openxmlformats-officedocument.drawingml.chart+xml',
}

const linked = (cell: string) =>
  textBox()
    .replace('textlink=""', `textlink="${cell}"`)
    .replace('<a:p>', '<a:p><a:fld id="{1}" type="TxLink"><a:t>42</a:t></a:fld>')
const camera = (range: string) =>
  `<xdr:pic><xdr:nvPicPr><xdr:cNvPr id="9" name="Picture"/><xdr:cNvPicPr><a:extLst><a:ext uri="{84589F7E}"><a14:cameraTool xmlns:a14="http://schemas.microsoft.com/office/drawing/2010/main" cellRange="${range}"/></a:ext></a:extLst></xdr:cNvPicPr></xdr:nvPicPr></xdr:pic>`
const SHAPES = `<c:userShapes xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart" xmlns:cdr="http://schemas.openxmlformats.org/drawingml/2006/chartDrawing"><cdr:sp textlink="$B$3"/></c:userShapes>`
const HIDDEN = `<c:extLst><c:ext uri="{02D57815}"><c15:filteredBarSeries xmlns:c15="http://schemas.microsoft.com/office/drawing/2012/chart"><c15:ser><c:val><c:numRef><c:extLst><c:ext uri="{02D57815}"><c15:formulaRef><c15:sqref>$B$2:$B$2</c15:sqref></c15:formulaRef></c:ext></c:extLst></c:numRef></c:val></c15:ser></c15:filteredBarSeries></c:ext></c:extLst>`

/** A list with its total in B3, and shapes about it on this sheet (`name`) or another one. */
function bookWith(shapes: string, { name = 'N', isBeside = false } = {}) {
  const list = [
    ['Product', 'Sales'],
    ['{{#detail}}{{Product}}', '{{Sales}}{{/detail}}'],
    ['Total', { f: 'SUM(B2)' }],
  ]
  const frame = '<drawing r:id="rId1"/><legacyDrawing r:id="rId2"/>'
  const related = [
    ['drawing', '../drawings/drawing1.xml'],
    ['vmlDrawing', '../drawings/vmlDrawing1.vml'],
  ] as const
  const rows = list.map((cells, index) => sheetRow(index + 1, cells)).join('')
  return workbook(
    [
      { name, xml: worksheet(rows, isBeside ? '' : frame), related: isBeside ? [] : related },
      ...(isBeside ? [{ name: 'S', xml: worksheet('', frame), related }] : []),
    ],
    {
      types: TYPES,
      parts: {
        'xl/drawings/drawing1.xml': drawing(anchor(9, 12, shapes) + anchor(13, 20, chartFrame('rId1'))),
        'xl/drawings/_rels/drawing1.xml.rels': relationships(['chart', '../charts/chart1.xml']),
        'xl/charts/chart1.xml': chart('$A$2:$A$2', '$B$2:$B$2').replace('<c:gapWidth', `${HIDDEN}<c:gapWidth`),
        'xl/charts/_rels/chart1.xml.rels': relationships(['chartUserShapes', '../drawings/drawing2.xml']),
        'xl/drawings/drawing2.xml': SHAPES,
        'xl/drawings/vmlDrawing1.vml':
          '<xml xmlns:x="urn:schemas-microsoft-com:office:excel"><x:ClientData ObjectType="Drop"><x:Anchor>1, 0, 9, 0, 3, 0, 10, 0</x:Anchor><x:FmlaLink>$B$3</x:FmlaLink><x:FmlaRange>$A$2:$A$2</x:FmlaRange></x:ClientData></xml>',
      },
    },
  )
}

async function filled(parts: ReturnType<typeof workbook>, rows = 3) {
  const { problems } = await checkTemplate(await zipOf(parts), 'a.xlsx', reportWithFew(), { maxTemplateMb: 25 })
  expect(problems).toEqual([])
  return filledWorkbook(parts, { facts: facts(rows), report: reportWithFew() })
}

test.each([
  ['$B$3', '$B$5'],
  ['N!$B$3', 'N!$B$5'],
  ['N!B3', 'N!B5'],
  ['$B$2', '$B$2'],
])('a text box linked to %s shows %s, and not the text of the template', async (link, expected) => {
  await using book = await filled(bookWith(linked(link)))
  const text = book.text('xl/drawings/drawing1.xml')
  expect(text).toContain(`textlink="${expected}"`)
  expect(text).not.toContain('42')
  expect(book.warnings).toEqual([])
})

test('from another sheet, too; a picture of cells grows with them', async () => {
  await using book = await filled(bookWith(linked('N!$B$3') + camera('N!$A$1:$B$3'), { isBeside: true }))
  const text = book.text('xl/drawings/drawing1.xml')
  expect(text).toContain('textlink="N!$B$5"')
  expect(text).toContain('cellRange="N!$A$1:$B$5"')
})

test('a text box linked to a sheet that nothing is filled into keeps its text', async () => {
  await using book = await filled(bookWith(linked('$B$3'), { isBeside: true }))
  expect(book.text('xl/drawings/drawing1.xml')).toContain('42')
})

test('shapes in a chart, hidden series and old controls follow their cells', async () => {
  await using book = await filled(bookWith(''))
  expect(book.text('xl/drawings/drawing2.xml')).toContain('textlink="$B$5"')
  expect(book.text('xl/charts/chart1.xml')).toContain('<c15:sqref>$B$2:$B$4</c15:sqref>')
  const controls = book.text('xl/drawings/vmlDrawing1.vml')
  expect(controls).toContain('<x:FmlaLink>$B$5</x:FmlaLink><x:FmlaRange>$A$2:$A$4</x:FmlaRange>')
})

test('dates of sparklines, ranges of a consolidated pivot table, filters of views and results of scenarios follow, too', async () => {
  const rows = [['Day', 'Sales'], ['{{#detail}}{{Product}}', '{{Sales}}{{/detail}}'], [], ['Total']]
  const after =
    '<scenarios sqref="A4"/><extLst><ext uri="{05C60535}"><x14:sparklineGroups><x14:sparklineGroup dateAxis="1"><xm:f>N!$A$2:$A$2</xm:f><x14:sparklines><x14:sparkline><xm:f>N!B2:B2</xm:f><xm:sqref>C1</xm:sqref></x14:sparkline></x14:sparklines></x14:sparklineGroup></x14:sparklineGroups></ext></extLst>'
  const views =
    '<namedSheetViews xmlns="http://schemas.microsoft.com/office/spreadsheetml/2019/namedsheetviews"><namedSheetView name="V" id="{1}"><nsvFilter filterId="{2}" ref="A1:B2"/></namedSheetView></namedSheetViews>'
  const cache =
    '<pivotCacheDefinition xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><cacheSource type="consolidation"><consolidation><rangeSets count="1"><rangeSet ref="A1:B2" sheet="N"/></rangeSets></consolidation></cacheSource></pivotCacheDefinition>'
  await using book = await filled(
    workbook(
      [
        {
          name: 'N',
          xml: worksheet(rows.map((cells, index) => sheetRow(index + 1, cells)).join(''), after),
          related: [['namedSheetView', '../namedSheetViews/namedSheetView1.xml']],
        },
      ],
      {
        related: [['pivotCacheDefinition', 'pivotCache/pivotCacheDefinition1.xml']],
        parts: {
          'xl/namedSheetViews/namedSheetView1.xml': views,
          'xl/pivotCache/pivotCacheDefinition1.xml': cache,
        },
      },
    ),
  )
  const sheet = book.text('xl/worksheets/sheet1.xml')
  expect(sheet.match(/(?<=<xm:f>)[^<]*/g)).toEqual(['N!$A$2:$A$4', 'N!B2:B4'])
  expect(sheet).toContain('<scenarios sqref="A6"')
  expect(book.text('xl/namedSheetViews/namedSheetView1.xml')).toContain('ref="A1:B4"')
  expect(book.text('xl/pivotCache/pivotCacheDefinition1.xml')).toContain('ref="A1:B4"')
})

test('each copy of a sheet shows its own cells', async () => {
  const name = '{{@region}}'
  await using book = await filled(bookWith(linked(`'${name}'!$B$3`), { name }), 6)
  expect(book.text('xl/drawings/drawing1.xml')).toContain('textlink="Nord!$B$')
  const copies = [...book.parts].flatMap(([path, { text }]) => (/drawings\/drawing\d+\.xml$/.test(path) ? [text] : []))
  expect(copies.flatMap((text) => text.match(/(?<=<xdr:sp macro="" textlink=")[^"]*/g) ?? []).sort()).toEqual([
    'Nord!$B$4',
    'Süd!$B$4',
    'West!$B$4',
  ])
  expect(copies.filter((text) => text.includes('<cdr:sp textlink="$B$4"'))).toHaveLength(3)
})

test('what a link shows is the text of its cell, also where the file has it a second time', async () => {
  const rows = [['Product'], ['{{#detail}}{{Product}}{{/detail}}'], ['Total']]
  const links = '<hyperlinks><hyperlink ref="A2" location="N!A3" display="{{Product}}"/></hyperlinks>'
  const book = (after: string) =>
    workbook([{ name: 'N', xml: worksheet(rows.map((cells, index) => sheetRow(index + 1, cells)).join(''), after) }])
  await using one = await filled(book(links))
  expect(one.text('xl/worksheets/sheet1.xml').match(/<hyperlink [^>]*>/g)).toEqual([
    '<hyperlink ref="A2" location="N!A5"/>',
    '<hyperlink ref="A3" location="N!A5"/>',
    '<hyperlink ref="A4" location="N!A5"/>',
  ])
  const hint = links.replace('display', 'tooltip')
  const { problems } = await checkTemplate(await zipOf(book(hint)), 'a.xlsx', reportWithFew(), { maxTemplateMb: 25 })
  expect(problems).toEqual([
    { code: 'TEMPLATE_UNSUPPORTED', place: 'N!A2', details: 'tags in <hyperlink tooltip> are not filled' },
  ])
})
