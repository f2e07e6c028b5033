/** A workbook template made by code, with everything that follows the rows of a loop. */
import type { FontSet } from '../../src/reports/documents/fonts.ts'
import type { TemplateReport } from '../../src/reports/entities/report.ts'
import { createFindings } from '../../src/reports/templates/names.ts'
import { openPackage } from '../../src/reports/templates/package.ts'
import { TemplateError } from '../../src/reports/templates/problems.ts'
import { createScope } from '../../src/reports/templates/scope.ts'
import { checkWorkbook, fillWorkbook } from '../../src/reports/templates/workbook/index.ts'
import type { ReportData } from '../../src/reports/types.ts'
import { contentTypes, type Parts, relationships, SHEET_NAMESPACES, SPREADSHEET, unzip, zipOf } from './office.ts'
import { tempDirectory } from './temp.ts'
import { appData, type Facts, templateReport } from './template-data.ts'
import { DOCUMENT_NAMES, PNG } from './templates.ts'

const XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
const DRAWING = 'http://schemas.openxmlformats.org/drawingml/2006'
const OFFICE = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'
const DRAWING_NAMESPACES = `xmlns:xdr="${DRAWING}/spreadsheetDrawing" xmlns:a="${DRAWING}/main" xmlns:r="${OFFICE}" xmlns:c="${DRAWING}/chart"`

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')

export type CellSource =
  | string
  | number
  | { readonly f: string; readonly s?: number }
  | { readonly v: string; readonly s: number }
  | null

/** A row of cells from column A on: texts, numbers, `{f}` formulas, `{v, s}` texts with a style; null leaves a cell out. */
export function sheetRow(number: number, cells: readonly CellSource[], attributes = ''): string {
  const written = cells.map((cell, index) => {
    const reference = `${String.fromCharCode(65 + index)}${number}`
    if (cell === null) return ''
    if (typeof cell === 'number') return `<c r="${reference}"><v>${cell}</v></c>`
    if (typeof cell === 'string')
      return `<c r="${reference}" t="inlineStr"><is><t xml:space="preserve">${escaped(cell)}</t></is></c>`
    const style = cell.s === undefined ? '' : ` s="${cell.s}"`
    if ('f' in cell) return `<c r="${reference}"${style}><f>${escaped(cell.f)}</f><v>0</v></c>`
    return `<c r="${reference}"${style} t="inlineStr"><is><t xml:space="preserve">${escaped(cell.v)}</t></is></c>`
  })
  return `<row r="${number}"${attributes}>${written.join('')}</row>`
}

export const worksheet = (rows: string, after = '', before = ''): string =>
  `${XML}<worksheet ${SHEET_NAMESPACES} xmlns:x14="http://schemas.microsoft.com/office/spreadsheetml/2009/9/main" xmlns:xm="http://schemas.microsoft.com/office/excel/2006/main">${before}<sheetData>${rows}</sheetData>${after}</worksheet>`

/** Kind and target of relationships rId1, rId2, ... */
type Related = readonly (readonly [kind: string, target: string])[]

export interface SheetParts {
  readonly name: string
  readonly xml: string
  readonly related?: Related
}

/** Style 1 is a date, 2 a number with two decimals. */
const STYLES = `${XML}<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts><fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders><cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/><xf numFmtId="14" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/><xf numFmtId="4" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>`

/** A workbook of these sheets. `names`: content of `<definedNames>`; `types`: of further parts. */
export function workbook(
  sheets: readonly SheetParts[],
  {
    names = '',
    parts = {},
    types = {},
    related = [],
    after = '',
  }: {
    readonly names?: string
    readonly parts?: Parts
    readonly types?: Readonly<Record<string, string>>
    readonly related?: Related
    /** Behind the names in the workbook part. */
    readonly after?: string
  } = {},
): Parts {
  const path = (index: number) => `xl/worksheets/sheet${index + 1}.xml`
  const list = sheets.map(
    ({ name }, index) => `<sheet name="${escaped(name)}" sheetId="${index + 1}" r:id="rId${index + 1}"/>`,
  )
  return {
    '[Content_Types].xml': contentTypes({
      'xl/workbook.xml': `${SPREADSHEET}.sheet.main+xml`,
      'xl/styles.xml': `${SPREADSHEET}.styles+xml`,
      ...Object.fromEntries(sheets.map((_, index) => [path(index), `${SPREADSHEET}.worksheet+xml`])),
      ...types,
    }),
    '_rels/.rels': relationships(['officeDocument', 'xl/workbook.xml']),
    'xl/workbook.xml': `${XML}<workbook ${SHEET_NAMESPACES}><bookViews><workbookView activeTab="0"/></bookViews><sheets>${list.join('')}</sheets>${names ? `<definedNames>${names}</definedNames>` : ''}${after}</workbook>`,
    'xl/_rels/workbook.xml.rels': relationships(
      ...sheets.map((_, index) => ['worksheet', `worksheets/sheet${index + 1}.xml`] as const),
      ['styles', 'styles.xml'],
      ...related,
    ),
    'xl/styles.xml': STYLES,
    ...Object.fromEntries(
      sheets.flatMap(({ xml, related: own }, index) => [
        [path(index), xml],
        ...(own ? [[`xl/worksheets/_rels/sheet${index + 1}.xml.rels`, relationships(...own)]] : []),
      ]),
    ),
    ...parts,
  }
}

/** A drawing with a chart (`rId1`) at these rows from 0, or other anchors. */
export const drawing = (anchors: string): string => `${XML}<xdr:wsDr ${DRAWING_NAMESPACES}>${anchors}</xdr:wsDr>`

export const anchor = (fromRow: number, toRow: number, content: string): string =>
  `<xdr:twoCellAnchor><xdr:from><xdr:col>6</xdr:col><xdr:colOff>0</xdr:colOff><xdr:row>${fromRow}</xdr:row><xdr:rowOff>0</xdr:rowOff></xdr:from><xdr:to><xdr:col>13</xdr:col><xdr:colOff>0</xdr:colOff><xdr:row>${toRow}</xdr:row><xdr:rowOff>0</xdr:rowOff></xdr:to>${content}<xdr:clientData/></xdr:twoCellAnchor>`

export const chartFrame = (id: string): string =>
  `<xdr:graphicFrame macro=""><xdr:nvGraphicFramePr><xdr:cNvPr id="2" name="Chart 1"/><xdr:cNvGraphicFramePr/></xdr:nvGraphicFramePr><xdr:xfrm><a:off x="0" y="0"/><a:ext cx="0" cy="0"/></xdr:xfrm><a:graphic><a:graphicData uri="${DRAWING}/chart"><c:chart r:id="${id}"/></a:graphicData></a:graphic></xdr:graphicFrame>`

/** A picture of 300 x 200 pixels. */
export const picture = (description: string, id: string): string =>
  `<xdr:pic><xdr:nvPicPr><xdr:cNvPr id="3" name="Image 1" descr="${escaped(description)}"/><xdr:cNvPicPr/></xdr:nvPicPr><xdr:blipFill><a:blip r:embed="${id}"/><a:stretch><a:fillRect/></a:stretch></xdr:blipFill><xdr:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="2857500" cy="1905000"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/></a:prstGeom></xdr:spPr></xdr:pic>`

export const textBox = (...runs: readonly string[]): string =>
  `<xdr:sp macro="" textlink=""><xdr:nvSpPr><xdr:cNvPr id="4" name="TextBox 1"/><xdr:cNvSpPr txBox="1"/></xdr:nvSpPr><xdr:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="1905000" cy="381000"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/></a:prstGeom></xdr:spPr><xdr:txBody><a:bodyPr/><a:p>${runs.map((run, index) => `<a:r><a:rPr lang="en" b="${index === 0 ? 1 : 0}"/><a:t>${escaped(run)}</a:t></a:r>`).join('')}</a:p></xdr:txBody></xdr:sp>`

/** A column chart of one series, with cached values. */
export const chart = (categories: string, values: string, title = 'Sales'): string =>
  `${XML}<c:chartSpace ${DRAWING_NAMESPACES}><c:chart><c:title><c:tx><c:rich><a:bodyPr/><a:p><a:r><a:t>${escaped(title)}</a:t></a:r></a:p></c:rich></c:tx><c:overlay val="0"/></c:title><c:plotArea><c:layout/><c:barChart><c:barDir val="col"/><c:grouping val="clustered"/><c:varyColors val="0"/><c:ser><c:idx val="0"/><c:order val="0"/><c:cat><c:strRef><c:f>${categories}</c:f><c:strCache><c:ptCount val="1"/><c:pt idx="0"><c:v>{{Product}}</c:v></c:pt></c:strCache></c:strRef></c:cat><c:val><c:numRef><c:f>${values}</c:f><c:numCache><c:formatCode>General</c:formatCode><c:ptCount val="1"/><c:pt idx="0"><c:v>0</c:v></c:pt></c:numCache></c:numRef></c:val></c:ser><c:gapWidth val="50"/><c:axId val="1"/><c:axId val="2"/></c:barChart><c:catAx><c:axId val="1"/><c:scaling><c:orientation val="minMax"/></c:scaling><c:delete val="0"/><c:axPos val="b"/><c:crossAx val="2"/></c:catAx><c:valAx><c:axId val="2"/><c:scaling><c:orientation val="minMax"/></c:scaling><c:delete val="0"/><c:axPos val="l"/><c:crossAx val="1"/></c:valAx></c:plotArea><c:plotVisOnly val="1"/></c:chart></c:chartSpace>`

const PIVOT = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main'

/**
 * Detail: heading in row 5, loop over `detail` in row 6 (A: number, B: product, C: date, D: sales, E: formula), total in row 7; a
 * table over rows 5 and 6, data bars, merged cells, a validation, a print area, a native chart below. Summary: formulas to Detail.
 * Pivot: over the rows of Detail. Notes: a sheet without tags and formulas.
 */
export function salesWorkbook(): Parts {
  const detail = worksheet(
    [
      sheetRow(1, ['Sales of {{report.name}}']),
      sheetRow(5, ['No', 'Product', 'Date', 'Sales', 'Double']),
      sheetRow(
        6,
        [
          '{{#detail}}{{$index}}',
          '{{Product}}',
          { v: '{{Date}}', s: 1 },
          { v: '{{Sales}}{{/detail}}', s: 2 },
          { f: 'D6*2', s: 2 },
        ],
        ' ht="20" customHeight="1"',
      ),
      sheetRow(7, ['Total', null, null, { f: 'SUM(D6:D6)' }, { f: 'SUM(E6)' }]),
      sheetRow(9, ['below']),
    ].join(''),
    `<mergeCells count="1"><mergeCell ref="A9:C9"/></mergeCells><conditionalFormatting sqref="D6"><cfRule type="dataBar" priority="1"><dataBar><cfvo type="min"/><cfvo type="max"/><color rgb="FF638EC6"/></dataBar></cfRule></conditionalFormatting><dataValidations count="1"><dataValidation type="decimal" operator="greaterThan" allowBlank="1" sqref="D6"><formula1>$D$7*-1</formula1></dataValidation></dataValidations><pageMargins left="0.7" right="0.7" top="0.75" bottom="0.75" header="0.3" footer="0.3"/><headerFooter><oddHeader>&amp;L{{report.name}}&amp;R&amp;12{{revenue}}</oddHeader></headerFooter><drawing r:id="rId1"/><tableParts count="1"><tablePart r:id="rId2"/></tableParts>`,
  )
  const summary = worksheet(
    sheetRow(1, ['Revenue', '{{revenue}}']) +
      sheetRow(2, ['Rows', '{{detail.$count}}', { f: 'COUNTA(Detail!B6:B6)' }]) +
      sheetRow(3, ['Total', { f: 'Detail!D7' }, { f: 'SUM(sales_values)' }, { f: 'SUM(Sales[Sales])' }]),
  )
  const pivot = worksheet(
    sheetRow(3, ['Product', 'Sum of Sales']) + sheetRow(4, ['{{Product}}', 0]) + sheetRow(5, ['Total', 0]),
  )
  const notes = worksheet(sheetRow(1, ['Only text', 42]))
  return workbook(
    [
      { name: 'Summary', xml: summary },
      {
        name: 'Detail',
        xml: detail,
        related: [
          ['drawing', '../drawings/drawing1.xml'],
          ['table', '../tables/table1.xml'],
        ],
      },
      { name: 'Pivot', xml: pivot, related: [['pivotTable', '../pivotTables/pivotTable1.xml']] },
      { name: 'Notes', xml: notes },
    ],
    {
      names:
        '<definedName name="_xlnm.Print_Area" localSheetId="1">Detail!$A$1:$E$7</definedName><definedName name="sales_values">Detail!$D$6:$D$6</definedName>',
      after: '<calcPr calcId="191029"/><pivotCaches><pivotCache cacheId="1" r:id="rId6"/></pivotCaches>',
      related: [
        ['pivotCacheDefinition', 'pivotCache/pivotCacheDefinition1.xml'],
        ['calcChain', 'calcChain.xml'],
      ],
      types: {
        'xl/drawings/drawing1.xml': 'application/vnd.openxmlformats-officedocument.drawing+xml',
        'xl/charts/chart1.xml': 'application/vnd.openxmlformats-officedocument.drawingml.chart+xml',
        'xl/tables/table1.xml': `${SPREADSHEET}.table+xml`,
        'xl/pivotTables/pivotTable1.xml': `${SPREADSHEET}.pivotTable+xml`,
        'xl/pivotCache/pivotCacheDefinition1.xml': `${SPREADSHEET}.pivotCacheDefinition+xml`,
        'xl/pivotCache/pivotCacheRecords1.xml': `${SPREADSHEET}.pivotCacheRecords+xml`,
        'xl/calcChain.xml': `${SPREADSHEET}.calcChain+xml`,
      },
      parts: {
        'xl/drawings/drawing1.xml': drawing(anchor(10, 25, chartFrame('rId1'))),
        'xl/drawings/_rels/drawing1.xml.rels': relationships(['chart', '../charts/chart1.xml']),
        'xl/charts/chart1.xml': chart('Detail!$B$6:$B$6', 'Detail!$D$6', 'Sales of {{report.name}}'),
        'xl/tables/table1.xml': `${XML}<table xmlns="${PIVOT}" id="1" name="Sales" displayName="Sales" ref="A5:E6"><autoFilter ref="A5:E6"/><tableColumns count="5"><tableColumn id="1" name="No"/><tableColumn id="2" name="Product"/><tableColumn id="3" name="Date"/><tableColumn id="4" name="Sales"/><tableColumn id="5" name="Double"><calculatedColumnFormula>D6*2</calculatedColumnFormula></tableColumn></tableColumns><tableStyleInfo name="TableStyleMedium2" showRowStripes="1"/></table>`,
        'xl/pivotTables/pivotTable1.xml': `${XML}<pivotTableDefinition xmlns="${PIVOT}" name="Pivot1" cacheId="1" dataOnRows="0" applyNumberFormats="0" applyBorderFormats="0" applyFontFormats="0" applyPatternFormats="0" applyAlignmentFormats="0" applyWidthHeightFormats="1" dataCaption="Values" updatedVersion="6" minRefreshableVersion="3" createdVersion="6" indent="0" outline="1" outlineData="1"><location ref="A3:B5" firstHeaderRow="1" firstDataRow="1" firstDataCol="1"/><pivotFields count="5"><pivotField showAll="0"/><pivotField axis="axisRow" showAll="0"><items count="2"><item x="0"/><item t="default"/></items></pivotField><pivotField showAll="0"/><pivotField dataField="1" showAll="0"/><pivotField showAll="0"/></pivotFields><rowFields count="1"><field x="1"/></rowFields><rowItems count="2"><i><x/></i><i t="grand"><x/></i></rowItems><colItems count="1"><i/></colItems><dataFields count="1"><dataField name="Sum of Sales" fld="3" baseField="0" baseItem="0"/></dataFields></pivotTableDefinition>`,
        'xl/pivotTables/_rels/pivotTable1.xml.rels': relationships([
          'pivotCacheDefinition',
          '../pivotCache/pivotCacheDefinition1.xml',
        ]),
        'xl/pivotCache/pivotCacheDefinition1.xml': `${XML}<pivotCacheDefinition xmlns="${PIVOT}" xmlns:r="${OFFICE}" r:id="rId1" refreshedBy="x" refreshedDate="45000" createdVersion="6" refreshedVersion="6" minRefreshableVersion="3" recordCount="1"><cacheSource type="worksheet"><worksheetSource ref="A5:E6" sheet="Detail"/></cacheSource><cacheFields count="5"><cacheField name="No" numFmtId="0"><sharedItems/></cacheField><cacheField name="Product" numFmtId="0"><sharedItems count="1"><s v="{{Product}}"/></sharedItems></cacheField><cacheField name="Date" numFmtId="0"><sharedItems/></cacheField><cacheField name="Sales" numFmtId="0"><sharedItems/></cacheField><cacheField name="Double" numFmtId="0"><sharedItems/></cacheField></cacheFields></pivotCacheDefinition>`,
        'xl/pivotCache/_rels/pivotCacheDefinition1.xml.rels': relationships([
          'pivotCacheRecords',
          'pivotCacheRecords1.xml',
        ]),
        'xl/pivotCache/pivotCacheRecords1.xml': `${XML}<pivotCacheRecords xmlns="${PIVOT}" count="1"><r><n v="1"/><x v="0"/><n v="1"/><n v="1"/><n v="1"/></r></pivotCacheRecords>`,
        'xl/calcChain.xml': `${XML}<calcChain xmlns="${PIVOT}"><c r="D7" i="2"/></calcChain>`,
      },
    },
  )
}

interface FillOptions {
  readonly facts?: Facts
  readonly data?: ReportData
  readonly report?: TemplateReport
  readonly forPdf?: boolean
}

/** The report of `templateReport`, its table `detail` with the columns Product, Date, Sales. */
export function workbookReport(): TemplateReport {
  const base = templateReport()
  const column = (key: string, expr: string, kind: 'dimension' | 'measure' = 'dimension') => ({
    key,
    label: key,
    expr,
    kind,
  })
  const columns = [column('Product', 'Product'), column('Date', 'OrderDate'), column('Sales', '=Sum(Sales)', 'measure')]
  return { ...base, data: base.data.map((binding) => (binding.type === 'table' ? { ...binding, columns } : binding)) }
}

/** The report of `workbookReport` with the tables `few` and `groups` of two rows that look like the first of `detail`, and `nothing` without rows; with fields of their own. */
export function reportWithFew(): TemplateReport {
  const base = workbookReport()
  const like = (key: string, prefix: string) =>
    base.data.flatMap((binding) => {
      if (binding.type !== 'table') return []
      const columns = binding.columns.map((one) =>
        one.kind === 'dimension' ? { ...one, expr: `${prefix}${one.expr}` } : one,
      )
      return [{ ...binding, key, columns, maxRows: 2 }]
    })
  const nothing = like('nothing', 'No').map((binding) => ({ ...binding, maxRows: 0 }))
  return { ...base, data: [...base.data, ...like('few', 'Few'), ...like('groups', 'Group'), ...nothing] }
}

/** Loops over `detail` in A2:B2 and over `few` in D2:E2, a list of cities in G1:H5; totals below each, and one of all three. */
export const sideBySideWorkbook = (): Parts =>
  workbook([
    {
      name: 'Sales',
      xml: worksheet(
        [
          sheetRow(1, ['Sales', null, null, 'First two', null, null, 'City', 'People']),
          sheetRow(2, [
            '{{#detail}}{{Product}}',
            '{{Sales}}{{/detail}}',
            null,
            '{{#few}}{{Product}}',
            '{{Sales}}{{/few}}',
            null,
            'Rome',
            3,
          ]),
          sheetRow(3, ['Total', { f: 'SUM(B2:B2)' }, null, 'Total', { f: 'SUM(E2:E2)' }, null, 'Oslo', 1]),
          sheetRow(4, ['both', { f: 'B3+E3+H5' }, null, null, null, null, 'Bonn', 2]),
          sheetRow(5, [null, null, null, null, null, null, 'Total', { f: 'SUM(H2:H4)' }]),
        ].join(''),
      ),
    },
  ])

/** A loop in row 2 of Detail below a heading, fixed figures in rows 1 to 3 of Rates, and a chart over names on Detail. */
export function chartOverNames(categories: string, values: string): Parts {
  const name = (one: string, formula: string, sheet = '') =>
    `<definedName name="${one}"${sheet}>${formula}</definedName>`
  return workbook(
    [
      {
        name: 'Detail',
        xml: worksheet(
          sheetRow(1, ['Product', 'Sales']) + sheetRow(2, ['{{#detail}}{{Product}}', '{{Sales}}{{/detail}}']),
          '<drawing r:id="rId1"/>',
        ),
        related: [['drawing', '../drawings/drawing1.xml']],
      },
      { name: 'Rates', xml: worksheet(sheetRow(1, ['EUR', 1]) + sheetRow(2, ['USD', 2]) + sheetRow(3, ['GBP', 3])) },
    ],
    {
      names: [
        name('products', 'Detail!$A$2:$A$2'),
        name('sales', 'OFFSET(Detail!$B$1,1,0,COUNT(Detail!$B:$B),1)'),
        name('sold', 'Detail!$B$2:INDEX(Detail!$B:$B,COUNTA(Detail!$B:$B))'),
        name('heads', 'OFFSET(Detail!$A$1,0,0,COUNTA(Detail!$A:$A),1)'),
        name('chosen', 'CHOOSE(1,Detail!$B$2,Detail!$A$2)'),
        name('rates', 'Rates!$B$1:$B$3'),
        name('own', 'Detail!$B$2', ' localSheetId="0"'),
      ].join(''),
      types: {
        'xl/drawings/drawing1.xml': 'application/vnd.openxmlformats-officedocument.drawing+xml',
        'xl/charts/chart1.xml': 'application/vnd.openxmlformats-officedocument.drawingml.chart+xml',
      },
      parts: {
        'xl/drawings/drawing1.xml': drawing(anchor(5, 20, chartFrame('rId1'))),
        'xl/drawings/_rels/drawing1.xml.rels': relationships(['chart', '../charts/chart1.xml']),
        'xl/charts/chart1.xml': chart(categories, values),
      },
    },
  )
}

/** `count` rows of three regions: products P1, P2, ..., sales 10, 20, ... */
export const facts = (count: number): Facts =>
  Array.from({ length: count }, (_, index) => ({
    Region: ['Nord', 'Süd', 'West'][index % 3] ?? '',
    Product: `P${index + 1}`,
    FewProduct: `P${index + 1}`,
    GroupProduct: `P${index + 1}`,
    Sales: (index + 1) * 10,
    OrderDate: 45_658 + index,
    FewOrderDate: 45_658 + index,
  }))

/** The workbook that a template gives. `file` exists until `directory` is disposed. */
export async function filledWorkbook(parts: Parts, options: FillOptions = {}) {
  const { report = workbookReport(), data = appData(options.facts ?? facts(12)) } = options
  const directory = tempDirectory()
  await Bun.write(directory.join('logo.png'), PNG)
  const warnings: string[] = []
  const source = await openPackage(await zipOf(parts), { maxTemplateMb: 25 })
  const warn = (code: string, details: string) => void warnings.push(`${code} ${details}`)
  const scope = createScope({
    request: {
      report,
      data,
      names: DOCUMENT_NAMES,
      locale: 'en-GB',
      timezone: 'UTC',
      warn,
      signal: new AbortController().signal,
    },
    format: 'xlsx',
    templateDirectory: directory.path,
    chartPicture: async ({ data: { filterText }, widthPx, heightPx }) =>
      new TextEncoder().encode(`${filterText} ${widthPx}x${heightPx}`),
    fonts: async () => ({}) as FontSet,
  })
  const file = directory.join('filled.xlsx')
  const findings = createFindings()
  const book = await checkWorkbook(source, scope.names, findings)
  if (findings.problems.length > 0) throw new TemplateError(findings.problems)
  await fillWorkbook({
    source,
    book,
    scope,
    file,
    temporaryDirectory: directory.path,
    warn,
    forPdf: options.forPdf === true,
  })
  const filled = await unzip(new Uint8Array(await Bun.file(file).arrayBuffer()))
  return {
    file,
    warnings,
    parts: filled,
    text: (path: string): string => filled.get(path)?.text ?? '',
    /** Cells as `B6=P1`, formulas as `D7==SUM(D6:D17)`. */
    cells: (path: string): string[] => cellTexts(filled.get(path)?.text ?? ''),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  }
}

const cellTexts = (xml: string): string[] =>
  Array.from(xml.matchAll(/<c r="([A-Z]+\d+)"[^>]*?(?:\/>|>(.*?)<\/c>)/gs), ([, reference, content = '']) => {
    const formula = /<f[^>]*>([^<]*)</.exec(content)?.[1]
    const text = /<(?:v|t)[^>]*>([^<]*)</.exec(content)?.[1] ?? ''
    return `${reference}=${formula === undefined ? text : `=${formula}`}`
  })
