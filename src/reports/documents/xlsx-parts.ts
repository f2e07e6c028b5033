/** The parts of a workbook around its sheets, and the rules for names and texts in them. */
import { allowedText } from './markup.ts'
import type { ZipEntry } from './zip.ts'

export const XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'

/** Members of a sheet that the workbook part repeats; complete once the sheet has been written. */
export interface SheetFacts {
  readonly name: string
  columns: number
  /** With the header, without totals. */
  rows: number
  filter: boolean
  drawing: 'none' | 'picture' | 'chart'
}

interface Workbook {
  readonly title: string
  readonly created: Date | null
  readonly sheets: readonly SheetFacts[]
}

const PACKAGE = 'http://schemas.openxmlformats.org/package/2006'
const DOCUMENT = 'http://schemas.openxmlformats.org/officeDocument/2006'
const MAIN = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main'
const SHEET_TYPES = 'application/vnd.openxmlformats-officedocument.spreadsheetml'

export const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'utf8')

/** Parts that stand before the sheets and after them. */
export function packageParts(workbook: Workbook): { first(): Iterable<ZipEntry>; last(): Iterable<ZipEntry> } {
  const { sheets } = workbook
  return {
    *first() {
      yield { name: '[Content_Types].xml', content: bytesOf(contentTypes(sheets)) }
      yield {
        name: '_rels/.rels',
        content: relationships([
          [`${DOCUMENT}/relationships/officeDocument`, 'xl/workbook.xml'],
          [`${PACKAGE}/relationships/metadata/core-properties`, 'docProps/core.xml'],
        ]),
      }
      yield { name: 'docProps/core.xml', content: bytesOf(coreProperties(workbook)) }
      yield {
        name: 'xl/_rels/workbook.xml.rels',
        content: relationships([
          ...sheets.map(
            (_, index) => [`${DOCUMENT}/relationships/worksheet`, `worksheets/sheet${index + 1}.xml`] as const,
          ),
          [`${DOCUMENT}/relationships/styles`, 'styles.xml'],
        ]),
      }
      for (const [index, { drawing }] of sheets.entries()) {
        if (drawing === 'none') continue
        const number = index + 1
        yield {
          name: `xl/worksheets/_rels/sheet${number}.xml.rels`,
          content: relationships([[`${DOCUMENT}/relationships/drawing`, `../drawings/drawing${number}.xml`]]),
        }
        yield {
          name: `xl/drawings/_rels/drawing${number}.xml.rels`,
          content: relationships([
            drawing === 'chart'
              ? [`${DOCUMENT}/relationships/chart`, `../charts/chart${number}.xml`]
              : [`${DOCUMENT}/relationships/image`, `../media/image${number}.png`],
          ]),
        }
      }
    },
    *last() {
      yield { name: 'xl/workbook.xml', content: bytesOf(workbookXml(sheets)) }
    },
  }
}

function contentTypes(sheets: readonly SheetFacts[]): string {
  const parts = [
    ['/xl/workbook.xml', `${SHEET_TYPES}.sheet.main+xml`],
    ['/xl/styles.xml', `${SHEET_TYPES}.styles+xml`],
    ['/docProps/core.xml', 'application/vnd.openxmlformats-package.core-properties+xml'],
    ...sheets.flatMap(({ drawing }, index) => [
      [`/xl/worksheets/sheet${index + 1}.xml`, `${SHEET_TYPES}.worksheet+xml`],
      ...(drawing !== 'none'
        ? [[`/xl/drawings/drawing${index + 1}.xml`, 'application/vnd.openxmlformats-officedocument.drawing+xml']]
        : []),
      ...(drawing === 'chart'
        ? [[`/xl/charts/chart${index + 1}.xml`, 'application/vnd.openxmlformats-officedocument.drawingml.chart+xml']]
        : []),
    ]),
  ]
  const overrides = parts.map(([name, type]) => `<Override PartName="${name}" ContentType="${type}"/>`).join('')
  return `${XML}<Types xmlns="${PACKAGE}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Default Extension="png" ContentType="image/png"/>${overrides}</Types>`
}

function relationships(targets: readonly (readonly [type: string, target: string])[]): Uint8Array {
  const items = targets.map(
    ([type, target], index) => `<Relationship Id="rId${index + 1}" Type="${type}" Target="${target}"/>`,
  )
  return bytesOf(`${XML}<Relationships xmlns="${PACKAGE}/relationships">${items.join('')}</Relationships>`)
}

function coreProperties({ title, created }: Workbook): string {
  const date = created === null ? '' : created.toISOString().replace(/\.\d+Z$/, 'Z')
  const dates = ['created', 'modified'].map(
    (name) => `<dcterms:${name} xsi:type="dcterms:W3CDTF">${date}</dcterms:${name}>`,
  )
  return `${XML}<cp:coreProperties xmlns:cp="${PACKAGE}/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><dc:title>${escapeXml(title)}</dc:title><dc:creator>Footman</dc:creator>${date === '' ? '' : dates.join('')}</cp:coreProperties>`
}

function workbookXml(sheets: readonly SheetFacts[]): string {
  const list = sheets.map(
    ({ name }, index) => `<sheet name="${escapeXml(name)}" sheetId="${index + 1}" r:id="rId${index + 1}"/>`,
  )
  const names = sheets.flatMap(({ name, columns, rows, filter }, index) => {
    if (columns === 0) return []
    const sheet = `'${escapeXml(name).replaceAll("'", "''")}'`
    const titles = `<definedName name="_xlnm.Print_Titles" localSheetId="${index}">${sheet}!$1:$1</definedName>`
    const area = `$A$1:$${lettersOf(columns)}$${rows}`
    return filter
      ? [
          `<definedName name="_xlnm._FilterDatabase" localSheetId="${index}" hidden="1">${sheet}!${area}</definedName>`,
          titles,
        ]
      : [titles]
  })
  const defined = names.length > 0 ? `<definedNames>${names.join('')}</definedNames>` : ''
  return `${XML}<workbook xmlns="${MAIN}" xmlns:r="${DOCUMENT}/relationships"><bookViews><workbookView activeTab="0"/></bookViews><sheets>${list.join('')}</sheets>${defined}</workbook>`
}

/** 1 is A, 27 is AA. */
export function lettersOf(column: number): string {
  const rest = Math.floor((column - 1) / 26)
  return `${rest > 0 ? lettersOf(rest) : ''}${String.fromCharCode(65 + ((column - 1) % 26))}`
}

/** `formats`: number formats; each becomes two cell formats, for rows and for totals, after the fixed ones. */
export function stylesXml(formats: readonly string[]): string {
  const numberFormats = formats
    .map((format, index) => `<numFmt numFmtId="${164 + index}" formatCode="${escapeXml(format)}"/>`)
    .join('')
  const cellFormats = formats.map((format, index) => {
    const id = format === 'General' ? 0 : 164 + index
    return `<xf numFmtId="${id}" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/><xf numFmtId="${id}" fontId="1" fillId="0" borderId="2" xfId="0" applyNumberFormat="1" applyFont="1" applyBorder="1"/>`
  })
  const side = (name: string, style = '') =>
    style === '' ? `<${name}/>` : `<${name} style="${style}"><color rgb="FF8A94A0"/></${name}>`
  const border = (top: string, bottom: string) =>
    `<border>${side('left')}${side('right')}${side('top', top)}${side('bottom', bottom)}${side('diagonal')}</border>`
  const font = (size: number, bold: boolean) =>
    `<font>${bold ? '<b/>' : ''}<sz val="${size}"/><color rgb="FF1F2933"/><name val="Calibri"/><family val="2"/></font>`
  const fixed = [
    '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>',
    '<xf numFmtId="49" fontId="1" fillId="2" borderId="1" xfId="0" applyNumberFormat="1" applyFont="1" applyFill="1" applyBorder="1" applyAlignment="1"><alignment vertical="center"/></xf>',
    '<xf numFmtId="49" fontId="1" fillId="2" borderId="1" xfId="0" applyNumberFormat="1" applyFont="1" applyFill="1" applyBorder="1" applyAlignment="1"><alignment horizontal="right" vertical="center"/></xf>',
    '<xf numFmtId="0" fontId="2" fillId="0" borderId="0" xfId="0" applyFont="1"/>',
    '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0" applyAlignment="1"><alignment vertical="top" wrapText="1"/></xf>',
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="2" xfId="0" applyFont="1" applyBorder="1"/>',
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1" applyAlignment="1"><alignment vertical="top" wrapText="1"/></xf>',
  ]
  const cells = [...fixed, ...cellFormats]
  return [
    `${XML}<styleSheet xmlns="${MAIN}">`,
    formats.length > 0 ? `<numFmts count="${formats.length}">${numberFormats}</numFmts>` : '',
    `<fonts count="3">${font(11, false)}${font(11, true)}${font(15, true)}</fonts>`,
    '<fills count="3"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill><fill><patternFill patternType="solid"><fgColor rgb="FFE8EDF2"/><bgColor indexed="64"/></patternFill></fill></fills>',
    `<borders count="3">${border('', '')}${border('', 'thin')}${border('thin', '')}</borders>`,
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>',
    `<cellXfs count="${cells.length + formats.length}">${cells.join('')}</cellXfs>`,
    // Readers warn about a workbook without this style.
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>',
    '</styleSheet>',
  ].join('')
}

/** Names of sheets: at most 31 characters, without the forbidden ones, unique regardless of case. */
export function sheetNames(titles: readonly string[]): readonly string[] {
  const taken = new Set<string>()
  return titles.map((title) => {
    const base = cleanSheetName(title)
    let name = base
    for (let copy = 2; taken.has(name.toLowerCase()); copy += 1) {
      const suffix = `~${copy}`
      name = `${cut(base, 31 - suffix.length)}${suffix}`
    }
    taken.add(name.toLowerCase())
    return name
  })
}

function cleanSheetName(title: string): string {
  const clean = allowedText(title)
    .replaceAll(/[[\]:*?/\\]/g, '_')
    .replaceAll(/\s+/gu, ' ')
    .trim()
  const name = cut(clean, 31).replace(/^'+/, '').replace(/'+$/, '').trim()
  // Excel keeps the name History for itself.
  if (name === '' || name.toLowerCase() === 'history') return name === '' ? 'Sheet' : `${name}_`
  return name
}

/** Never cuts a surrogate pair in two. */
const cut = (text: string, units: number): string => {
  if (text.length <= units) return text
  return text.slice(0, /[\ud800-\udbff]/.test(text.charAt(units - 1)) ? units - 1 : units)
}

const SUSPECT = /[^\t\n\u0020-\u007e\u00a0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd]|[&<>"_]/
const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/** Text for an element or attribute. `_x000D_` and its like mean a character to Office, so their `_` is escaped. */
export function escapeXml(text: string): string {
  if (!SUSPECT.test(text)) return text
  return allowedText(text)
    .replaceAll(/\r\n?/g, '\n')
    .replaceAll(/_(?=x[0-9a-fA-F]{4}_)/g, '_x005F_')
    .replaceAll(/[&<>"]/g, (character) => ENTITIES[character]!)
}
