/** Template reports: an Office file with tags is checked, and filled with the data of a document. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import type { Blobs } from '../../platform/blobs.ts'
import { ReportError } from '../codes.ts'
import { chartPicture } from '../documents/charts/index.ts'
import type { FontSet } from '../documents/fonts.ts'
import { MEDIA_TYPES } from '../documents/formats.ts'
import type { TemplateReport } from '../entities/report.ts'
import type { RenderedDocument, RenderRequest, RenderSettings, Warn } from '../types.ts'
import type { TemplateCheck } from './contract.ts'
import { createFindings, createNames, type Findings } from './names.ts'
import { type OfficeFormat, type OfficePackage, openPackage, writePackage } from './package.ts'
import { TemplateError, templateError } from './problems.ts'
import { createScope, type Scope } from './scope.ts'

/** Makes a PDF of an Office file: `toPdf` of the converter. */
export type ConvertToPdf = (source: string, format: OfficeFormat, target: string, signal: AbortSignal) => Promise<void>

type Limits = Pick<RenderSettings['limits'], 'maxTemplateMb'>
type Definition = Pick<TemplateReport, 'data' | 'levels'>

/** Extensions of documents and of the kinds that Office calls templates. */
const EXTENSIONS: Readonly<Record<string, OfficeFormat>> = {
  '.xlsx': 'xlsx',
  '.xltx': 'xlsx',
  '.docx': 'docx',
  '.dotx': 'docx',
  '.pptx': 'pptx',
  '.potx': 'pptx',
}

/** Checks a template for a report: all problems at once, each with its place. Rejects only when something else fails. */
export async function checkTemplate(
  bytes: Uint8Array<ArrayBuffer>,
  fileName: string,
  report: Definition,
  limits: Limits,
): Promise<TemplateCheck> {
  const facts = { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
  try {
    const source = await openNamed(bytes, fileName, limits)
    const { tags, problems, warnings, used } = (await checkTags(source, report)).findings
    const unused = [...report.data, ...report.levels].map(({ key }) => key).filter((key) => !used.has(key))
    const { format, dropped } = source
    return { ok: problems.length === 0, format, ...facts, tags, unused, dropped, problems, warnings }
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    const { problems } = error
    return { ok: false, format: 'unknown', ...facts, tags: [], unused: [], dropped: [], problems, warnings: [] }
  }
}

/** Opens a template whose name has to say its format. */
async function openNamed(bytes: Uint8Array<ArrayBuffer>, fileName: string, limits: Limits): Promise<OfficePackage> {
  const extension = extname(fileName).toLowerCase()
  const named = EXTENSIONS[extension]
  if (/^\.(xlsm|xltm|xlam|docm|dotm|pptm|potm|ppsm)$/.test(extension)) {
    throw templateError('TEMPLATE_UNSAFE', fileName, 'the file may hold macros; save it without them')
  }
  if (!named) {
    throw templateError('TEMPLATE_INVALID', fileName, `expected one of ${Object.keys(EXTENSIONS).join(' ')}`)
  }
  const source = await openPackage(bytes, limits)
  if (source.format !== named) throw templateError('TEMPLATE_INVALID', fileName, `the file is a ${source.format} file`)
  return source
}

/** Where and with what a checked template is filled. */
interface Filling {
  readonly scope: Scope
  readonly file: string
  readonly temporaryDirectory: string
  readonly warn: Warn
  /** The file becomes a PDF. */
  readonly forPdf: boolean
}

interface Checked {
  readonly findings: Findings
  /** Fills the template, once and when there are no problems. */
  fill(filling: Filling): Promise<void>
}

async function checkTags(source: OfficePackage, report: Definition): Promise<Checked> {
  const findings = createFindings()
  const names = createNames(report, source.format)
  switch (source.format) {
    case 'xlsx': {
      const { checkWorkbook, fillWorkbook } = await import('./workbook/index.ts')
      const book = await checkWorkbook(source, names, findings)
      return { findings, fill: (filling) => fillWorkbook({ source, book, ...filling }) }
    }
    case 'docx': {
      const { checkDocument, fillDocument } = await import('./document.ts')
      const checked = await checkDocument(source, names, findings)
      return {
        findings,
        fill: async ({ scope, file, warn }) =>
          writePackage(source, file, await fillDocument(source, scope, checked, warn)),
      }
    }
    case 'pptx': {
      const { checkPresentation, fillPresentation } = await import('./presentation.ts')
      await checkPresentation(source, names, findings)
      return {
        findings,
        fill: async ({ scope, file, warn }) => writePackage(source, file, await fillPresentation(source, scope, warn)),
      }
    }
  }
}

/** Where the file of a template lies, and its name with the extension. `blobs`: of uploaded templates. */
export function locateTemplate(
  template: NonNullable<TemplateReport['template']>,
  templateDirectory: string,
  blobs: Pick<Blobs, 'path'>,
): { readonly path: string; readonly fileName: string } {
  if (template.source === 'upload') return { path: blobs.path(template.sha256), fileName: template.fileName }
  return { path: join(templateDirectory, basename(template.file)), fileName: template.file }
}

export interface TemplateFile {
  readonly bytes: Uint8Array<ArrayBuffer>
  /** With its extension. */
  readonly fileName: string
}

/** Means of filling, beside the settings. */
interface FillTools {
  readonly fonts: FontSet
  /** Null when there is no converter. */
  readonly convertToPdf: ConvertToPdf | null
}

/**
 * Fills the template of a request and writes it to the file of the request, for the format `pdf` by way of the converter. The template
 * is checked anew, because its file may have changed. Rejects with a `TemplateError` that has all its problems, and with a
 * `ReportError`.
 */
export async function fillTemplate(
  request: RenderRequest,
  template: TemplateFile,
  settings: Pick<RenderSettings, 'templateDirectory' | 'temporaryDirectory' | 'limits'>,
  { fonts, convertToPdf }: FillTools,
): Promise<RenderedDocument> {
  const { report, use, file, signal, warn } = request
  if (report.type !== 'template') throw new ReportError('INTERNAL', 'the report has no template')
  const source = await openNamed(template.bytes, template.fileName, settings.limits)
  const checked = await checkTags(source, report)
  const { problems } = checked.findings
  if (problems.length > 0) throw new TemplateError(problems)
  if (use.format !== source.format && use.format !== 'pdf') {
    throw new ReportError(
      'DOCUMENT_FAILED',
      `a ${source.format} template gives ${source.format} or pdf, not ${use.format}`,
    )
  }
  const scope = createScope({
    request: { ...request, report, signal },
    format: source.format,
    templateDirectory: settings.templateDirectory,
    chartPicture,
    fonts: async () => fonts,
  })
  const { temporaryDirectory } = settings
  if (use.format !== 'pdf') {
    await checked.fill({ scope, file, temporaryDirectory, warn, forPdf: false })
    return {
      format: use.format,
      mediaType: MEDIA_TYPES[use.format],
      extension: use.format,
      bytes: (await stat(file)).size,
    }
  }
  if (!convertToPdf)
    throw new ReportError('CONVERTER_MISSING', 'PDF of an Office template needs LibreOffice (officeConverter)')
  const office = `${file}.${source.format}`
  try {
    await checked.fill({ scope, file: office, temporaryDirectory, warn, forPdf: true })
    const sourceSha256 = await hashOf(office)
    await convertToPdf(office, source.format, file, signal)
    return {
      format: 'pdf',
      mediaType: MEDIA_TYPES.pdf,
      extension: 'pdf',
      bytes: (await stat(file)).size,
      sourceSha256,
    }
  } finally {
    await rm(office, { force: true })
  }
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(file)) hash.update(piece)
  return hash.digest('hex')
}
