/** Makes the document of one request: loads the blocks and writes them in the format. */
import { writeFile } from 'node:fs/promises'
import { ReportError } from '../codes.ts'
import { knownLocale } from '../display.ts'
import type { Format } from '../entities/report.ts'
import { expandPattern, type PatternContext } from '../patterns.ts'
import type { RenderedDocument, RenderRequest, RenderSettings } from '../types.ts'
import { type BlockContent, type ContentOf, loadBlocks, pageMarks } from './blocks.ts'
import { chartSvg, kpiPicture, svgToPng } from './charts/index.ts'
import { type FontSet, isolated, loadFonts, reportCuts } from './fonts.ts'
import { formatProblem, MEDIA_TYPES, singleBlock } from './formats.ts'
import type { FooterPart } from './html-style.ts'

export interface Renderer {
  /**
   * Writes the file of the request. Rejects with a `ReportError`; the file is then removed. A document is made at a time:
   * missing glyphs and cut texts are counted for the whole renderer.
   */
  render(request: RenderRequest): Promise<RenderedDocument>
}

/** Fills the template of a request; the part of rendering that lies in `templates/`. */
export type FillTemplate = (request: RenderRequest, fonts: FontSet) => Promise<RenderedDocument>

type BlockRequest = RenderRequest & { readonly report: Extract<RenderRequest['report'], { readonly type: 'blocks' }> }

/** Formats whose text is drawn with our fonts. */
const DRAWN: ReadonlySet<Format> = new Set(['pdf', 'png', 'xlsx', 'docx', 'pptx'])

/** Fonts are loaded with the first document; one that cannot be read is left out (the start has warned). */
export function createRenderer(settings: RenderSettings, fillTemplate: FillTemplate): Renderer {
  let fonts: Promise<FontSet> | undefined
  return {
    async render(request) {
      fonts ??= loadFonts(settings.fonts)
      const set = await fonts
      set.takeMissing()
      set.takeCuts()
      const made = isBlocks(request) ? await renderBlocks(request, set, settings) : await fillTemplate(request, set)
      reportCuts(set, request.warn)
      const missing = set.takeMissing()
      if (missing.length > 0 && (DRAWN.has(made.format) || request.use.embed)) {
        request.warn('GLYPH_MISSING', `no font has ${missing.join(' ')}`)
      }
      return made
    },
  }
}

const isBlocks = (request: RenderRequest): request is BlockRequest => request.report.type === 'blocks'

async function renderBlocks(
  request: BlockRequest,
  fonts: FontSet,
  settings: RenderSettings,
): Promise<RenderedDocument> {
  const { report, use, data, warn, signal } = request
  const problem = formatProblem(report, use)
  if (problem !== null) throw new ReportError('DOCUMENT_FAILED', problem.message)
  const blocks = await loadBlocks({
    report,
    block: singleBlock(report, use)?.key,
    tablesOnly: use.format === 'csv',
    data,
    locale: request.locale,
    warn,
    maxRowsPerTable: settings.limits.maxRowsPerTable,
    signal,
  })
  const { bytes, ...more } = await WRITERS[use.format as BlockFormat]({ ...request, blocks, fonts })
  return { format: use.format, mediaType: MEDIA_TYPES[use.format], extension: use.format, bytes, ...more }
}

type BlockFormat = Exclude<Format, 'docx' | 'pptx'>
type WriteRequest = BlockRequest & { readonly blocks: readonly BlockContent[]; readonly fonts: FontSet }
type Written = Pick<RenderedDocument, 'bytes' | 'images'>

const WRITERS: Readonly<Record<BlockFormat, (request: WriteRequest) => Promise<Written>>> = {
  async csv({ blocks: [block], use, locale, file, signal }) {
    const { writeCsv } = await import('./csv.ts')
    if (block?.type !== 'table') throw new ReportError('DOCUMENT_FAILED', noteOf(block) ?? 'no table for csv')
    return { bytes: await writeCsv({ table: block.table, options: use.options.csv, locale, file, signal }) }
  },
  async json({ blocks, names, data, locale, file, signal }) {
    const { writeJson } = await import('./json.ts')
    return { bytes: await writeJson({ blocks, names, data, locale, file, signal }) }
  },
  async html(request) {
    const { report, blocks, names, locale, use, file, signal } = request
    const { writeHtml } = await import('./html.ts')
    const texts = await pageTexts(request)
    return writeHtml({
      report,
      blocks,
      title: texts.title === null ? names.report : plain(texts.title),
      subtitle: texts.subtitle,
      footer: texts.footer === null ? null : counters(texts.footer),
      locale,
      embed: use.embed,
      file,
      ...drawing(request),
      signal,
    })
  },
  async pdf(request) {
    const { report, blocks, names, data, fonts, locale, use, warn, file, signal } = request
    const { writePdf } = await import('./pdf.ts')
    const texts = await pageTexts(request)
    const numbered = (text: string) =>
      text === ''
        ? null
        : (page: number, pages: number) => text.replaceAll(PAGE, String(page)).replaceAll(PAGES, String(pages))
    const bytes = await writePdf({
      report,
      blocks,
      fonts,
      title: numbered(texts.title ?? names.report),
      subtitle: texts.subtitle,
      footer: numbered(texts.footer ?? `${PAGE} / ${PAGES}`),
      created: data.app.lastReload ?? new Date(0),
      locale,
      warn,
      compress: use.options.pdf.compress,
      archive: use.options.pdf.archive,
      password:
        use.protect?.pdfPassword === undefined
          ? undefined
          : request.secret(use.protect.pdfPassword.slice('secretRef:'.length)),
      file,
      ...drawing(request),
      signal,
    })
    return { bytes }
  },
  async xlsx(request) {
    const { report, blocks, data, fonts, locale, use, warn, file, signal } = request
    const { writeWorkbook } = await import('./xlsx.ts')
    const bytes = await writeWorkbook({
      report,
      blocks,
      autofilter: use.options.xlsx.autofilter,
      lastReload: data.app.lastReload,
      file,
      fonts,
      locale,
      warn,
      signal,
    })
    return { bytes }
  },
  async svg(request) {
    const svg = await picture(request, request.use.options.svg)
    return save(request.file, new TextEncoder().encode(`<?xml version="1.0" encoding="UTF-8"?>\n${svg}\n`))
  },
  async png(request) {
    const { widthPx, heightPx, scale } = request.use.options.png
    return save(request.file, await svgToPng(await picture(request, { widthPx, heightPx }), scale, request.fonts))
  },
}

async function save(file: string, bytes: Uint8Array): Promise<Written> {
  await writeFile(file, bytes, { mode: 0o600 })
  return { bytes: bytes.length }
}

const noteOf = (block: BlockContent | undefined): string | null => (block?.type === 'note' ? block.text : null)

/** The only block as SVG. */
async function picture(
  { blocks: [block], locale, fonts, warn }: WriteRequest,
  { widthPx, heightPx }: { readonly widthPx: number; readonly heightPx: number },
): Promise<string> {
  const canvas = { width: widthPx, height: heightPx, locale, fonts }
  if (block?.type !== 'chart' && block?.type !== 'kpi') {
    throw new ReportError('DOCUMENT_FAILED', noteOf(block) ?? `block ${block?.key ?? ''} cannot be drawn as a chart`)
  }
  const drawing = { ...canvas, title: block.title, idPrefix: block.key }
  const svg = block.type === 'chart' ? await chartSvg(block.chart, drawing) : kpiPicture(block.items, drawing)
  reportCuts(fonts, warn, block.key)
  return svg
}

const drawing = ({ locale, fonts, warn }: WriteRequest) => ({
  async chartSvg({ chart, title, key }: ContentOf<'chart'>, width: number, height: number): Promise<string> {
    const svg = await chartSvg(chart, { width, height, title, idPrefix: key, locale, fonts })
    reportCuts(fonts, warn, key)
    return svg
  },
  svgToPng: (svg: string, scale: number) => svgToPng(svg, scale, fonts),
})

/** Stand for the numbers of pages in expanded texts; from a plane of private use, which no data has. */
const PAGE = '\u{f0000}'
const PAGES = '\u{f0001}'

const plain = (text: string): string => text.replaceAll(PAGE, '').replaceAll(PAGES, '').trim()

const counters = (text: string): FooterPart[] =>
  text
    .split(/([\u{f0000}\u{f0001}])/u)
    .filter((part) => part !== '')
    .map((part) => (part === PAGE ? { counter: 'page' } : part === PAGES ? { counter: 'pages' } : part))

/** Title and footer with marks for page numbers, and the line below the title. */
async function pageTexts({ report, blocks, names, data, locale, timezone }: WriteRequest) {
  const context: PatternContext = {
    names,
    app: data.app,
    timezone,
    locale,
    marks: pageMarks(blocks),
    evaluate: (expression) => data.evaluate(expression),
    extra: { page: PAGE, pages: PAGES },
  }
  const expand = async (pattern: string | null) => (pattern === null ? null : expandPattern(pattern, context))
  const reload = data.app.lastReload
  const time = new Intl.DateTimeFormat(knownLocale(locale), {
    dateStyle: 'medium',
    timeStyle: 'short',
    timeZone: timezone,
  })
  return {
    title: await expand(report.page.title),
    footer: await expand(report.page.footer),
    subtitle: [data.app.name, reload && time.format(reload), data.filterText]
      .flatMap((part) => (part ? isolated(part) : []))
      .join(' · '),
  }
}
