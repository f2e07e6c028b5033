/** Word and PowerPoint templates made by code, and what becomes of them. */
import { readFile } from 'node:fs/promises'
import type { chartPicture } from '../../src/reports/documents/charts/index.ts'
import type { FontSet } from '../../src/reports/documents/fonts.ts'
import type { TemplateReport } from '../../src/reports/entities/report.ts'
import { checkDocument, fillDocument } from '../../src/reports/templates/document.ts'
import { createFindings, createNames, type Findings } from '../../src/reports/templates/names.ts'
import { openPackage, writePackage } from '../../src/reports/templates/package.ts'
import { checkPresentation, fillPresentation } from '../../src/reports/templates/presentation.ts'
import { createScope } from '../../src/reports/templates/scope.ts'
import type { DocumentNames, ReportData } from '../../src/reports/types.ts'
import { contentTypes, type Parts, relationships, unzip, zipOf } from './office.ts'
import { tempDirectory } from './temp.ts'
import { appData, templateReport } from './template-data.ts'

const XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
const OFFICE = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'
const DRAWING = 'http://schemas.openxmlformats.org/drawingml/2006'
const WORD_TYPE = 'application/vnd.openxmlformats-officedocument.wordprocessingml'
const WORD_NAMESPACES = `xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:r="${OFFICE}" xmlns:wp="${DRAWING}/wordprocessingDrawing" xmlns:a="${DRAWING}/main" xmlns:pic="${DRAWING}/picture" xmlns:w14="http://schemas.microsoft.com/office/word/2010/wordml" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"`

/** A red PNG picture of 2 x 3 pixels. */
export const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAIAAAA2iEnWAAAAEElEQVR4nGP4z8AARAwoFABE0AX7pM/egAAAAABJRU5ErkJggg==',
  'base64',
)

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

/** A run; `bold` for a format of its own. */
export const run = (text: string, bold = false): string =>
  `<w:r>${bold ? '<w:rPr><w:b/></w:rPr>' : ''}<w:t xml:space="preserve">${escaped(text)}</w:t></w:r>`
/** A paragraph of texts, each a run. */
export const paragraph = (...texts: readonly string[]): string =>
  `<w:p>${texts.map((text) => run(text)).join('')}</w:p>`
/** A table; a cell is one paragraph, or markup when it begins with `<`. */
export const table = (...rows: readonly (readonly string[])[]): string => {
  const cell = (text: string) =>
    `<w:tc><w:tcPr><w:tcW w:w="3000" w:type="dxa"/></w:tcPr>${text.startsWith('<') ? text : paragraph(text)}</w:tc>`
  const grid = (rows[0] ?? []).map(() => '<w:gridCol w:w="3000"/>').join('')
  return `<w:tbl><w:tblPr><w:tblStyle w:val="Grid"/></w:tblPr><w:tblGrid>${grid}</w:tblGrid>${rows
    .map((cells) => `<w:tr>${cells.map(cell).join('')}</w:tr>`)
    .join('')}</w:tbl>`
}
/** A paragraph with a picture of 300 x 200 pixels, which shows `rId90`. */
export const wordPicture = (alternative: string, id = 1): string =>
  `<w:p><w:r><w:drawing><wp:inline distT="0" distB="0" distL="0" distR="0"><wp:extent cx="2857500" cy="1905000"/><wp:docPr id="${id}" name="Picture ${id}" descr="${alternative}"/><a:graphic><a:graphicData uri="${DRAWING}/picture"><pic:pic><pic:nvPicPr><pic:cNvPr id="0" name="x.png"/><pic:cNvPicPr/></pic:nvPicPr><pic:blipFill><a:blip r:embed="rId90"/><a:stretch><a:fillRect/></a:stretch></pic:blipFill><pic:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="2857500" cy="1905000"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/></a:prstGeom></pic:spPr></pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing></w:r></w:p>`

const STYLES = `${XML}<w:styles ${WORD_NAMESPACES}><w:style w:type="table" w:styleId="Grid"><w:name w:val="Table Grid"/><w:tblPr><w:tblBorders>${[
  'top',
  'left',
  'bottom',
  'right',
  'insideH',
  'insideV',
]
  .map((side) => `<w:${side} w:val="single" w:sz="4" w:color="4472C4"/>`)
  .join('')}</w:tblBorders></w:tblPr></w:style></w:styles>`

/** A document with styles, a picture `word/media/image1.png` and, when given, a header and footnotes. */
export function wordTemplate(body: string, { header = '', footnotes = '', settings = '' } = {}): Parts {
  const related: (readonly [string, string])[] = [['styles', 'styles.xml']]
  if (header) related.push(['header', 'header1.xml'])
  if (footnotes) related.push(['footnotes', 'footnotes.xml'])
  if (settings) related.push(['settings', 'settings.xml'])
  const image = `<Relationship Id="rId90" Type="${OFFICE}/image" Target="media/image1.png"/></Relationships>`
  const section = header ? '<w:sectPr><w:headerReference w:type="default" r:id="rId2"/></w:sectPr>' : '<w:sectPr/>'
  return {
    '[Content_Types].xml': contentTypes({
      'word/document.xml': `${WORD_TYPE}.document.main+xml`,
      'word/styles.xml': `${WORD_TYPE}.styles+xml`,
      ...(header && { 'word/header1.xml': `${WORD_TYPE}.header+xml` }),
      ...(footnotes && { 'word/footnotes.xml': `${WORD_TYPE}.footnotes+xml` }),
      ...(settings && { 'word/settings.xml': `${WORD_TYPE}.settings+xml` }),
    }),
    '_rels/.rels': relationships(['officeDocument', 'word/document.xml']),
    'word/document.xml': `${XML}<w:document ${WORD_NAMESPACES}><w:body>${body}${section}</w:body></w:document>`,
    'word/_rels/document.xml.rels': relationships(...related).replace('</Relationships>', image),
    'word/styles.xml': STYLES,
    'word/media/image1.png': PNG,
    ...(header && { 'word/header1.xml': `${XML}<w:hdr ${WORD_NAMESPACES}>${header}</w:hdr>` }),
    ...(footnotes && { 'word/footnotes.xml': `${XML}<w:footnotes ${WORD_NAMESPACES}>${footnotes}</w:footnotes>` }),
    ...(settings && { 'word/settings.xml': `${XML}<w:settings ${WORD_NAMESPACES}>${settings}</w:settings>` }),
  }
}

/** Paragraphs as lines, table rows as `a | b`, line breaks as `/`, pictures as `[alternative text]`. */
export function wordText(xml: string): string[] {
  const flat = xml
    .replaceAll(/<mc:Fallback>.*?<\/mc:Fallback>/gs, '')
    .replaceAll(/<w:br w:type="page"\/>|<w:pageBreakBefore\/>/g, '<w:t>(page)</w:t>')
    .replaceAll('<w:br/>', '<w:t>/</w:t>')
    .replaceAll('<w:tab/>', '<w:t>(tab)</w:t>')
    .replaceAll(/<wp:docPr[^>]* descr="([^"]*)"[^>]*>/g, '<w:t>[$1]</w:t>')
  const textOf = (source: string) =>
    [...source.matchAll(/<w:t(?: [^>]*)?>([^<]*)<\/w:t>/g)]
      .map(([, text = '']) => text)
      .join('')
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll('&amp;', '&')
  const lines = (source: string) => [...source.matchAll(/<w:p(?:\/>|[ >].*?<\/w:p>)/gs)].map(([one]) => textOf(one))
  return [...flat.matchAll(/<w:tr[ >].*?<\/w:tr>|<w:p(?:\/>|[ >].*?<\/w:p>)/gs)].flatMap(([block]) =>
    block.startsWith('<w:tr')
      ? [
          block
            .split('</w:tc>')
            .slice(0, -1)
            .map((cell) => lines(cell).join('+'))
            .join(' | '),
        ]
      : lines(block),
  )
}

export const DOCUMENT_NAMES: DocumentNames = {
  task: 'Monday mail',
  project: 'Sales',
  report: 'Sales pack',
  key: 'pack',
  cycle: [{ field: 'Year', value: { text: '2024', number: 2024 } }],
  date: new Date('2025-11-20T23:30:00Z'),
  runId: 'run',
  seq: 1,
}

interface Options {
  readonly data?: ReportData
  readonly report?: TemplateReport
  readonly chartPicture?: typeof chartPicture
  /** With the files of image bindings; default: `logo.png` alone. */
  readonly templateDirectory?: string
}

/** The problems and tags of a template. */
export async function checkedTemplate(parts: Parts, report = templateReport()): Promise<Findings> {
  const opened = await openPackage(await zipOf(parts), { maxTemplateMb: 25 })
  const findings = createFindings()
  const check = opened.format === 'docx' ? checkDocument : checkPresentation
  await check(opened, createNames(report, opened.format), findings)
  return findings
}

export interface FilledTemplate {
  readonly parts: Awaited<ReturnType<typeof unzip>>
  readonly bytes: Uint8Array
  /** `CODE details` */
  readonly warnings: readonly string[]
  text(path: string): string
}

/** The document that a template gives; its check must find no problem. */
export async function filledTemplate(parts: Parts, options: Options = {}): Promise<FilledTemplate> {
  const { report = templateReport(), data = appData(), chartPicture = async () => new Uint8Array(PNG) } = options
  const { problems } = await checkedTemplate(parts, report)
  if (problems.length > 0) throw new Error(problems.map(({ place, details }) => `${place}: ${details}`).join('\n'))
  await using directory = tempDirectory()
  await Bun.write(directory.join('logo.png'), PNG)
  const opened = await openPackage(await zipOf(parts), { maxTemplateMb: 25 })
  const warnings: string[] = []
  const warn = (code: string, details: string) => void warnings.push(`${code} ${details}`)
  const scope = createScope({
    request: {
      report,
      data,
      names: DOCUMENT_NAMES,
      locale: 'en-GB',
      timezone: 'Europe/Stockholm',
      warn,
      signal: new AbortController().signal,
    },
    format: opened.format,
    templateDirectory: options.templateDirectory ?? directory.path,
    chartPicture,
    fonts: async () => ({}) as FontSet,
  })
  const changes =
    opened.format === 'docx'
      ? await fillDocument(opened, scope, await checkDocument(opened, scope.names, createFindings()), warn)
      : await fillPresentation(opened, scope, warn)
  const file = directory.join('filled')
  await writePackage(opened, file, changes)
  const bytes = new Uint8Array(await readFile(file))
  const filled = await unzip(bytes)
  return { parts: filled, bytes, warnings, text: (path) => filled.get(path)?.text ?? '' }
}
