/**
 * Writes `src/cli/demo/assets/sales-by-region.xlsx`, the Office template of the demo: an overview with a native chart and totals, and
 * a sheet for each region. Equal runs give equal bytes.
 */
import { writeFile } from 'node:fs/promises'
import { contentTypes, relationships, SHEET_NAMESPACES, SPREADSHEET, zipOf } from '../test/support/office.ts'

const TARGET = new URL('../src/cli/demo/assets/sales-by-region.xlsx', import.meta.url)

const XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
const MAIN = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main'
const DRAWING = 'http://schemas.openxmlformats.org/drawingml/2006'
const OFFICE = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'
const CHARTS = `xmlns:xdr="${DRAWING}/spreadsheetDrawing" xmlns:a="${DRAWING}/main" xmlns:r="${OFFICE}" xmlns:c="${DRAWING}/chart"`
const [DARK, MIDDLE, LIGHT, GREY] = ['1F3A5F', '2F6690', 'E8EEF4', '6B7785']

const font = (size: number, colour: string, bold = false) =>
  `<font>${bold ? '<b/>' : ''}<sz val="${size}"/><color rgb="FF${colour}"/><name val="Calibri"/></font>`
const fill = (colour: string) =>
  `<fill><patternFill patternType="solid"><fgColor rgb="FF${colour}"/></patternFill></fill>`
const edge = (side: string, colour: string) => `<${side} style="thin"><color rgb="FF${colour}"/></${side}>`

/** Number format, font, fill, border, alignment; the index is the style of a cell. */
const STYLES = [
  [0, 0, 0, 0, ''],
  [0, 1, 2, 0, 'vertical="center"'],
  [0, 2, 2, 0, 'vertical="center"'],
  [0, 3, 3, 0, 'horizontal="left"'],
  [3, 4, 3, 0, 'horizontal="left"'],
  [0, 5, 4, 0, ''],
  [0, 5, 4, 0, 'horizontal="right"'],
  [0, 0, 0, 1, ''],
  [3, 0, 0, 1, ''],
  [164, 0, 0, 1, ''],
  [0, 6, 0, 2, ''],
  [3, 6, 0, 2, ''],
  [164, 6, 0, 2, ''],
  [164, 4, 3, 0, 'horizontal="left"'],
] as const
const [
  TITLE,
  SUBTITLE,
  LABEL,
  FIGURE,
  HEAD,
  HEAD_RIGHT,
  TEXT,
  NUMBER,
  PERCENT,
  TOTAL,
  TOTAL_NUMBER,
  TOTAL_PERCENT,
  RATIO,
] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]

const styles = `${XML}<styleSheet xmlns="${MAIN}"><numFmts count="1"><numFmt numFmtId="164" formatCode="0.0%"/></numFmts><fonts count="7">${[
  font(11, '1C2430'),
  font(20, 'FFFFFF', true),
  font(11, 'D5E0EA'),
  font(10, GREY),
  font(18, DARK, true),
  font(11, 'FFFFFF', true),
  font(11, DARK, true),
].join(
  '',
)}</fonts><fills count="5"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>${[DARK, LIGHT, MIDDLE].map((colour) => fill(colour)).join('')}</fills><borders count="3"><border><left/><right/><top/><bottom/><diagonal/></border><border><left/><right/><top/>${edge('bottom', 'D5DDE5')}<diagonal/></border><border><left/><right/>${edge('top', DARK)}<bottom/><diagonal/></border></borders><cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="${STYLES.length}">${STYLES.map(
  ([number, ownFont, ownFill, border, alignment]) =>
    `<xf numFmtId="${number}" fontId="${ownFont}" fillId="${ownFill}" borderId="${border}" xfId="0" applyNumberFormat="1" applyFont="1" applyFill="1" applyBorder="1" applyAlignment="1">${alignment ? `<alignment ${alignment}/>` : ''}</xf>`,
).join('')}</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>`

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

/** Text, or a formula with `=`, in a style; without text an empty cell. */
type Cell = readonly [style: number, text?: string]

function row(number: number, cells: readonly Cell[], height?: number): string {
  const written = cells.map(([style, text = ''], index) => {
    const place = `r="${String.fromCharCode(65 + index)}${number}" s="${style}"`
    if (text === '') return `<c ${place}/>`
    if (text.startsWith('=')) return `<c ${place}><f>${escaped(text.slice(1))}</f></c>`
    return `<c ${place} t="inlineStr"><is><t>${escaped(text)}</t></is></c>`
  })
  const size = height ? ` ht="${height}" customHeight="1"` : ''
  return `<row r="${number}"${size}>${written.join('')}</row>`
}

const WIDTHS = [26, 16, 16, 16, 4, 12, 12, 12, 12, 12]

const sheet = (rows: readonly string[], bars: string) =>
  `${XML}<worksheet ${SHEET_NAMESPACES}><sheetPr><pageSetUpPr fitToPage="1"/></sheetPr><sheetViews><sheetView showGridLines="0" workbookViewId="0"/></sheetViews><sheetFormatPr defaultRowHeight="16"/><cols>${WIDTHS.map((width, index) => `<col min="${index + 1}" max="${index + 1}" width="${width}" customWidth="1"/>`).join('')}</cols><sheetData>${rows.join('')}</sheetData><conditionalFormatting sqref="${bars}"><cfRule type="dataBar" priority="1"><dataBar><cfvo type="min"/><cfvo type="max"/><color rgb="FF9DB8D2"/></dataBar></cfRule></conditionalFormatting><pageMargins left="0.5" right="0.5" top="0.5" bottom="0.6" header="0.3" footer="0.3"/><pageSetup paperSize="9" orientation="landscape" fitToHeight="0"/><headerFooter><oddFooter>&amp;L{{report.name}}&amp;RPage &amp;P of &amp;N</oddFooter></headerFooter><drawing r:id="rId1"/></worksheet>`

const band = (title: string, subtitle: string) => [
  row(1, [[TITLE, title], ...Array.from({ length: 9 }, (): Cell => [TITLE])], 34),
  row(2, [[SUBTITLE, subtitle], ...Array.from({ length: 9 }, (): Cell => [SUBTITLE])], 20),
]

const KPIS = [
  row(
    4,
    [
      [LABEL, 'Sales'],
      [LABEL, 'Margin'],
      [LABEL, 'Orders'],
      [LABEL, 'Backlog'],
    ],
    18,
  ),
  row(
    5,
    [
      [FIGURE, '{{sales}}'],
      [RATIO, '{{margin}}'],
      [FIGURE, '{{orders}}'],
      [FIGURE, '{{backlog}}'],
    ],
    28,
  ),
]

function table(name: string, first: string): string[] {
  return [
    row(
      7,
      [
        [HEAD, first],
        [HEAD_RIGHT, 'Sales'],
        [HEAD_RIGHT, 'Margin'],
        [HEAD_RIGHT, 'Share'],
      ],
      20,
    ),
    row(8, [
      [TEXT, `{{#${name}}}{{Name}}`],
      [NUMBER, '{{Sales}}'],
      [PERCENT, `{{Margin}}{{/${name}}}`],
      [PERCENT, '=B8/B$9'],
    ]),
    row(
      9,
      [
        [TOTAL, 'Total'],
        [TOTAL_NUMBER, '=SUM(B8:B8)'],
        [TOTAL_PERCENT, '{{margin}}'],
        [TOTAL_PERCENT, '=SUM(D8:D8)'],
      ],
      20,
    ),
  ]
}

const axis = (kind: string, id: number, other: number, position: string, more: string) =>
  `<c:${kind}><c:axId val="${id}"/><c:scaling><c:orientation val="minMax"/></c:scaling><c:delete val="0"/><c:axPos val="${position}"/>${more}<c:majorTickMark val="none"/><c:minorTickMark val="none"/><c:tickLblPos val="low"/><c:spPr><a:ln><a:noFill/></a:ln></c:spPr><c:crossAx val="${other}"/></c:${kind}>`

const chart = (sheetName: string, title: string) =>
  `${XML}<c:chartSpace ${CHARTS}><c:chart><c:title><c:tx><c:rich><a:bodyPr/><a:p><a:pPr><a:defRPr sz="1300" b="1"/></a:pPr><a:r><a:rPr lang="en" sz="1300" b="1"><a:solidFill><a:srgbClr val="${DARK}"/></a:solidFill></a:rPr><a:t>${title}</a:t></a:r></a:p></c:rich></c:tx><c:overlay val="0"/></c:title><c:autoTitleDeleted val="0"/><c:plotArea><c:layout/><c:barChart><c:barDir val="col"/><c:grouping val="clustered"/><c:varyColors val="0"/><c:ser><c:idx val="0"/><c:order val="0"/><c:tx><c:v>Sales</c:v></c:tx><c:spPr><a:solidFill><a:srgbClr val="${MIDDLE}"/></a:solidFill></c:spPr><c:invertIfNegative val="0"/><c:cat><c:strRef><c:f>${sheetName}!$A$8:$A$8</c:f></c:strRef></c:cat><c:val><c:numRef><c:f>${sheetName}!$B$8:$B$8</c:f></c:numRef></c:val></c:ser><c:gapWidth val="60"/><c:axId val="1"/><c:axId val="2"/></c:barChart>${axis('catAx', 1, 2, 'b', '')}${axis('valAx', 2, 1, 'l', `<c:majorGridlines><c:spPr><a:ln w="6350"><a:solidFill><a:srgbClr val="D5DDE5"/></a:solidFill></a:ln></c:spPr></c:majorGridlines><c:numFmt formatCode="#,##0" sourceLinked="0"/>`)}</c:plotArea><c:plotVisOnly val="1"/></c:chart><c:spPr><a:solidFill><a:srgbClr val="FFFFFF"/></a:solidFill><a:ln><a:solidFill><a:srgbClr val="D5DDE5"/></a:solidFill></a:ln></c:spPr></c:chartSpace>`

const drawing = `${XML}<xdr:wsDr ${CHARTS}><xdr:oneCellAnchor><xdr:from><xdr:col>5</xdr:col><xdr:colOff>0</xdr:colOff><xdr:row>3</xdr:row><xdr:rowOff>0</xdr:rowOff></xdr:from><xdr:ext cx="4300000" cy="3000000"/><xdr:graphicFrame macro=""><xdr:nvGraphicFramePr><xdr:cNvPr id="2" name="Sales"/><xdr:cNvGraphicFramePr/></xdr:nvGraphicFramePr><xdr:xfrm><a:off x="0" y="0"/><a:ext cx="0" cy="0"/></xdr:xfrm><a:graphic><a:graphicData uri="${DRAWING}/chart"><c:chart r:id="rId1"/></a:graphicData></a:graphic></xdr:graphicFrame><xdr:clientData/></xdr:oneCellAnchor></xdr:wsDr>`

const SHEETS = [
  {
    name: 'Overview',
    title: 'Sales by region',
    rows: [
      ...band('Sales by region', 'Figures of {{app.lastReload}}, made on {{run.date}}'),
      ...KPIS,
      ...table('regions', 'Region'),
    ],
  },
  {
    name: '{{@region}}',
    title: 'Sales by country',
    rows: [...band('{{region}}', 'Sales by country'), ...KPIS, ...table('countries', 'Country')],
  },
]

const bytes = await zipOf({
  '[Content_Types].xml': contentTypes({
    'xl/workbook.xml': `${SPREADSHEET}.sheet.main+xml`,
    'xl/styles.xml': `${SPREADSHEET}.styles+xml`,
    ...Object.fromEntries(
      SHEETS.flatMap((_, index) => [
        [`xl/worksheets/sheet${index + 1}.xml`, `${SPREADSHEET}.worksheet+xml`],
        [`xl/drawings/drawing${index + 1}.xml`, 'application/vnd.openxmlformats-officedocument.drawing+xml'],
        [`xl/charts/chart${index + 1}.xml`, 'application/vnd.openxmlformats-officedocument.drawingml.chart+xml'],
      ]),
    ),
  }),
  '_rels/.rels': relationships(['officeDocument', 'xl/workbook.xml']),
  'xl/workbook.xml': `${XML}<workbook ${SHEET_NAMESPACES}><bookViews><workbookView activeTab="0"/></bookViews><sheets>${SHEETS.map(({ name }, index) => `<sheet name="${name}" sheetId="${index + 1}" r:id="rId${index + 1}"/>`).join('')}</sheets></workbook>`,
  'xl/_rels/workbook.xml.rels': relationships(
    ['worksheet', 'worksheets/sheet1.xml'],
    ['worksheet', 'worksheets/sheet2.xml'],
    ['styles', 'styles.xml'],
  ),
  'xl/styles.xml': styles,
  ...Object.fromEntries(
    SHEETS.flatMap(({ name, title, rows }, index) => [
      [`xl/worksheets/sheet${index + 1}.xml`, sheet(rows, 'B8')],
      [
        `xl/worksheets/_rels/sheet${index + 1}.xml.rels`,
        relationships(['drawing', `../drawings/drawing${index + 1}.xml`]),
      ],
      [`xl/drawings/drawing${index + 1}.xml`, drawing],
      [`xl/drawings/_rels/drawing${index + 1}.xml.rels`, relationships(['chart', `../charts/chart${index + 1}.xml`])],
      [`xl/charts/chart${index + 1}.xml`, chart(/\W/.test(name) ? `'${name}'` : name, title)],
    ]),
  ),
})
await writeFile(TARGET, bytes)
console.log(`${TARGET.pathname}: ${bytes.length} bytes`)
