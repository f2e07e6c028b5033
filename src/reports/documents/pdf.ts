/** PDF of block reports, laid out by us on PDFKit with embedded fonts. */
import { createWriteStream } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import type { Font } from 'fontkit'
import { readAsset } from '../../platform/assets.ts'
import type { BlockReport } from '../entities/report.ts'
import type { Warn } from '../types.ts'
import type { BlockContent, ContentOf } from './blocks.ts'
import { chartSvg, svgToPng } from './charts/index.ts'
import { figureTexts, type KpiItem } from './charts/kpi.ts'
import { type FontSet, needsLayout, reportCuts } from './fonts.ts'
import { drawMarkdown } from './pdf-markdown.ts'
import { COLOR, createPages, ellipsis, fittingSize, type Pages, type PageText, wrap } from './pdf-page.ts'
import { drawTable, drawTitle } from './pdf-table.ts'
import { escapeXml } from './xlsx-parts.ts'

export interface PdfRequest {
  readonly report: Pick<BlockReport, 'name' | 'page'>
  readonly blocks: readonly BlockContent[]
  readonly fonts: FontSet
  /** Null: none. */
  readonly title: PageText | null
  /** Below the title of the first page: app, state of the data, selections; '' = none. */
  readonly subtitle: string
  readonly footer: PageText | null
  /** Creation date of the document; equal data gives equal bytes. */
  readonly created: Date
  readonly locale: string
  readonly warn: Warn
  readonly compress: boolean
  /** PDF/A-3b. Not together with a password. */
  readonly archive: boolean
  /** Opens the document (AES-256). The bytes then differ from run to run. */
  readonly password?: string
  /** Path of the file to write. */
  readonly file: string
  readonly signal?: AbortSignal
}

const POINTS_PER_MM = 72 / 25.4
const POINTS_PER_PIXEL = 0.75

/** Writes the document and resolves with its size in bytes. Removes the file when it fails. */
export async function writePdf(request: PdfRequest): Promise<number> {
  const { file, fonts, report, signal } = request
  const doc = await openDocument(request)
  const written = pipeline(doc, createWriteStream(file, { mode: 0o600 }), { signal })
  // The error is thrown below; without a handler it would count as unhandled while pages are drawn.
  written.catch(() => undefined)
  try {
    const pages = createPages({
      doc,
      fonts,
      marginPt: report.page.marginMm * POINTS_PER_MM,
      title: request.title,
      subtitle: request.subtitle,
      footer: request.footer,
      signal,
    })
    reportCuts(fonts, request.warn)
    for (const [index, block] of request.blocks.entries()) {
      signal?.throwIfAborted()
      if (index > 0 && !pages.atTop) pages.y += 10
      await drawBlock(pages, block, request)
      reportCuts(fonts, request.warn, block.key)
    }
    pages.finish()
    reportCuts(fonts, request.warn)
    await written
    return (await stat(file)).size
  } catch (error) {
    // A full disk ends the stream; drawing then stops with an error of its own.
    const streamFailed = doc.destroyed && !signal?.aborted
    doc.destroy()
    const reason = await written.then(
      () => error,
      (failure) => (streamFailed ? failure : error),
    )
    await rm(file, { force: true }).catch(() => {})
    throw reason
  }
}

async function openDocument(request: PdfRequest): Promise<PDFKit.PDFDocument> {
  const { report, created, archive, password } = request
  const { default: PDFDocument } = await import('pdfkit')
  const doc = new PDFDocument({
    size: report.page.size.toUpperCase(),
    layout: report.page.orientation,
    margin: 0,
    // PDFKit would look for a standard font on disk.
    font: '',
    fontLayoutCache: false,
    autoFirstPage: false,
    compress: request.compress,
    lang: request.locale,
    displayTitle: true,
    pdfVersion: password === undefined ? '1.7' : '1.7ext3',
    ...(archive && { subset: 'PDF/A-3b' as const }),
    ...(password !== undefined && {
      userPassword: password,
      permissions: { printing: 'highResolution' as const, copying: true, contentAccessibility: true },
    }),
    info: { Title: report.name, Producer: 'Footman', Creator: 'Footman', CreationDate: created },
  })
  for (const { name, bytes, font } of request.fonts.faces) {
    // Each document parses the font anew: fontkit keeps glyphs, and loses the characters of those that another document
    // used as parts of letters (the O of Ö), which then could not be searched or copied.
    doc.registerFont(name, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), collectionMember(bytes, font))
  }
  completeMetadata(doc, archive ? await colorProfile() : null)
  return doc
}

const collectionMember = (bytes: Uint8Array, font: Font): string | undefined =>
  Buffer.from(bytes.subarray(0, 4)).toString('latin1') === 'ttcf' ? font.postscriptName : undefined

/** sRGB2014 of the International Color Consortium, unaltered; its terms are in `scripts/release/licences.ts`. */
const colorProfile = () =>
  readAsset(
    () => import('./srgb.icc', { with: { type: 'file' } }),
    () => import.meta.resolve('./srgb.icc'),
  )

/** Members of PDFKit's document that its types leave out. */
interface Internals {
  info: Record<string, unknown>
  _root: { data: Record<string, unknown> }
  _addInfo(): void
  _addColorOutputIntent(): void
}

/** PDFKit writes the title into XML as it is, and reads the colour profile from a file that an executable does not have. */
function completeMetadata(doc: PDFKit.PDFDocument, profile: Uint8Array | null): void {
  const internals = doc as unknown as Internals
  const addInfo = internals._addInfo.bind(doc)
  internals._addInfo = () => {
    const { info } = internals
    internals.info = { ...info, Title: escapeXml(String(info.Title)) }
    addInfo()
    internals.info = info
  }
  if (profile === null) return
  internals._addColorOutputIntent = () => {
    const stream = doc.ref({ N: 3 })
    stream.end(profile)
    const name = 'sRGB IEC61966-2.1'
    const intent = doc.ref({
      Type: 'OutputIntent',
      S: 'GTS_PDFA1',
      Info: new String(name),
      OutputConditionIdentifier: new String(name),
      DestOutputProfile: stream,
    })
    intent.end('')
    internals._root.data.OutputIntents = [intent]
  }
}

async function drawBlock(pages: Pages, block: BlockContent, request: PdfRequest): Promise<void> {
  if (block.type === 'pageBreak') {
    if (!pages.atTop) await pages.newPage()
    return
  }
  const following = block.type === 'chart' ? Math.min(chartHeight(block), pages.bodyHeight - 30) : 60
  await drawTitle(pages, block.title, following)
  reportCuts(pages.fonts, request.warn, block.key)
  if (block.title !== '') pages.doc.outline.addItem(block.title)
  if (block.type === 'text') await drawMarkdown(pages, block.markdown)
  else if (block.type === 'kpi') await drawKpis(pages, block.items, request.locale)
  else if (block.type === 'chart') await drawChart(pages, block, request.locale)
  else if (block.type === 'note') await drawNote(pages, block.text)
  else
    await drawTable(pages, block.table, {
      title: block.title,
      locale: request.locale,
      onCut: (details) => request.warn('TEXT_TRUNCATED', details, block.key),
    })
}

async function drawNote(pages: Pages, text: string): Promise<void> {
  const lines = wrap(pages.fonts, text, pages.width - 24, { size: 9 }, 12)
  const height = lines.length * 13 + 12
  await pages.ensure(height)
  pages.rect(pages.left, pages.y, pages.width, height, COLOR.noteFill)
  pages.rect(pages.left, pages.y, 3, height, COLOR.noteLine)
  for (const [index, line] of lines.entries()) {
    pages.text(line, pages.left + 14, pages.y + 15.5 + index * 13, { size: 9 })
  }
  pages.y += height + 6
}

// --- Figures ---

const BOX_GAP = 10
const MAX_BOXES = 4
const LEAST_BOX = 105

async function drawKpis(pages: Pages, items: readonly KpiItem[], locale: string): Promise<void> {
  const fitting = Math.max(1, Math.floor((pages.width + BOX_GAP) / (LEAST_BOX + BOX_GAP)))
  const most = Math.min(fitting, pages.width > 600 ? MAX_BOXES + 2 : MAX_BOXES)
  const rows = Math.ceil(items.length / most)
  // Rows of about equal length: five boxes are three and two, not four and one.
  const columns = Math.max(Math.ceil(items.length / rows), Math.min(3, most))
  const width = (pages.width - (columns - 1) * BOX_GAP) / columns
  const height = items.some(({ compare }) => compare !== null) ? 62 : 48
  for (let first = 0; first < items.length; first += columns) {
    await pages.ensure(height)
    for (const [index, item] of items.slice(first, first + columns).entries()) {
      drawKpi(pages, item, pages.left + index * (width + BOX_GAP), width, height, locale)
    }
    pages.y += height + BOX_GAP
  }
}

function drawKpi(pages: Pages, item: KpiItem, x: number, width: number, height: number, locale: string): void {
  const { fonts, y } = pages
  const room = width - 22
  pages.rect(x, y, width, height, COLOR.zebra)
  pages.rect(x, y, 3, height, COLOR.accent)
  const label = { size: 8, color: COLOR.muted }
  pages.text(ellipsis(fonts, item.label, room, label), x + 12, y + 15, label)
  const { value, change, compared } = figureTexts(item, locale)
  // A number is drawn as small as it must be: a part of it would be another number.
  const size = fittingSize(fonts, value, room, 18, item.value.number === null ? 9 : 0)
  pages.text(ellipsis(fonts, value, room, { size, bold: true }), x + 12, y + 37, { size, bold: true })
  if (compared === null) return
  let at = x + 12
  if (change !== '') {
    const { up, down, muted } = COLOR
    const color = change.startsWith('▲') ? up : change.startsWith('▼') ? down : muted
    pages.text(change, at, y + 53, { size: 8, bold: true, color })
    at += fonts.measure(change, 8, true) + 6
  }
  const rest = `vs ${compared}`
  pages.text(ellipsis(fonts, rest, x + width - 10 - at, { size: 8 }), at, y + 53, { size: 8, color: COLOR.muted })
}

// --- Charts ---

const chartHeight = ({ heightMm }: ContentOf<'chart'>): number => heightMm * POINTS_PER_MM

async function drawChart(pages: Pages, block: ContentOf<'chart'>, locale: string): Promise<void> {
  const height = Math.min(chartHeight(block), pages.bodyHeight - (block.title === '' ? 0 : 20))
  await pages.ensure(height)
  const { width } = pages
  const svg = await chartSvg(block.chart, {
    width: Math.round(width / POINTS_PER_PIXEL),
    height: Math.round(height / POINTS_PER_PIXEL),
    idPrefix: block.key,
    locale,
    fonts: pages.fonts,
  })
  pages.flush()
  const drawn = hasOnlyBuiltInGlyphs(svg, pages.fonts) && (await drawSvg(pages, svg, width, height))
  if (!drawn) {
    pages.doc.image(Buffer.from(await svgToPng(svg, 3, pages.fonts)), pages.left, pages.y, { width, height })
  }
  pages.y += height + 6
}

/** The vectors show each text in one font; the picture has the additional fonts. */
const hasOnlyBuiltInGlyphs = (svg: string, fonts: FontSet): boolean => {
  const texts = [...svg.matchAll(/>([^<]+)</g)].map(([, text]) => text).join('')
  return (
    !needsLayout(texts) &&
    [...new Set(texts)].every((char) => [fonts.regular, fonts.bold].includes(fonts.fontFor(char)))
  )
}

/** False when the SVG holds something that cannot be drawn; the page is then as before. */
async function drawSvg(pages: Pages, svg: string, width: number, height: number): Promise<boolean> {
  const { default: svgToPdf } = await import('svg-to-pdfkit')
  const { doc, fonts } = pages
  // The size in the root element would win over the size asked for.
  const [root = ''] = /<svg[^>]*>/.exec(svg) ?? []
  const sized = svg.replace(root, root.replaceAll(/\s(?:width|height)="[^"]*"/g, ''))
  const content = (doc.page as unknown as { content: { buffer: Uint8Array[]; uncompressedLength: number } }).content
  const before = content.buffer.length
  try {
    svgToPdf(doc, sized, pages.left, pages.y, {
      width,
      height,
      preserveAspectRatio: 'xMidYMid meet',
      fontCallback: (_family: string, bold: boolean) => (bold ? fonts.bold.name : fonts.regular.name),
      warningCallback: () => undefined,
    })
    return true
  } catch {
    content.buffer.length = before
    return false
  }
}
