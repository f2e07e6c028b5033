/** HTML of all blocks: a self-contained page, or the body of a mail. No script, no request, all data escaped. */

import { createDisplayText, knownLocale } from '../display.ts'
import type { BlockReport } from '../entities/report.ts'
import type { Column, Row } from '../types.ts'
import type { BlockContent, ContentOf, KpiItem } from './blocks.ts'
import { figureTexts } from './charts/kpi.ts'
import {
  classAttribute,
  type FooterPart,
  pageFooter,
  type StyleName,
  styleAttribute,
  styleSheet,
} from './html-style.ts'
import { markdownToHtml } from './markdown.ts'
import { escapeText } from './markup.ts'
import { type TextFile, writeTextFile } from './text-file.ts'
import { cutText, totalRow } from './values.ts'

interface HtmlRequest {
  readonly report: Pick<BlockReport, 'page'>
  readonly blocks: readonly BlockContent[]
  readonly title: string
  /** Below the title: app, state of the data, selections. */
  readonly subtitle: string
  /** Printed at the foot of each page. Null: none. */
  readonly footer: readonly FooterPart[] | null
  readonly locale: string
  /** For the body of a mail: styles in attributes, layout by tables, charts as pictures. */
  readonly embed: boolean
  readonly file: string
  /** SVG of a chart. */
  readonly chartSvg: (block: ContentOf<'chart'>, width: number, height: number) => Promise<string>
  readonly svgToPng: (svg: string, scale: number) => Promise<Uint8Array>
  readonly signal?: AbortSignal
}

interface MailImage {
  readonly cid: string
  readonly png: Uint8Array
}

const CHART_WIDTH = 720
const PIXELS_PER_MM = 96 / 25.4
const KPIS_IN_LINE = 4

/** Writes the document; resolves with its size in bytes and the pictures that a mail has to bring. */
export async function writeHtml(
  request: HtmlRequest,
): Promise<{ readonly bytes: number; readonly images: readonly MailImage[] }> {
  const images: MailImage[] = []
  const writer = createWriter(request, images)
  const bytes = await writeTextFile(request.file, async (out) => {
    await out.write(writer.head())
    for (const block of request.blocks) {
      request.signal?.throwIfAborted()
      await writer.block(out, block)
    }
    await out.write(writer.foot())
  })
  return { bytes, images }
}

function createWriter(request: HtmlRequest, images: MailImage[]) {
  const { embed, locale, title, subtitle, footer, report } = request
  const look = embed ? styleAttribute : classAttribute
  const s = (name: StyleName): string => look(name)
  const display = createDisplayText(locale)

  function head(): string {
    const print = footer ? pageFooter(footer) : ''
    // Inside a mail reader the title is no banner of the page.
    const top = embed ? 'div' : 'header'
    const style = embed ? '' : `<style>\n${styleSheet(report.page)}\n${print}\n</style>\n`
    const policy = embed
      ? ''
      : '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src \'unsafe-inline\'">\n'
    return [
      `<!doctype html>\n<html lang="${escapeText(knownLocale(locale))}">\n<head>\n<meta charset="utf-8">\n`,
      `${policy}<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>${escapeText(title)}</title>\n${style}</head>\n`,
      embed ? `<body style="margin:0;padding:0">\n<div role="main"${s('report')}>\n` : `<body>\n<main${s('report')}>\n`,
      `<${top}${s('head')}><h1${s('title')}>${escapeText(title)}</h1>`,
      subtitle === '' ? '' : `<p${s('about')}>${escapeText(subtitle)}</p>`,
      `</${top}>\n`,
    ].join('')
  }

  const foot = (): string => `${embed ? '</div>' : '</main>'}\n</body>\n</html>\n`

  async function block(out: TextFile, content: BlockContent): Promise<void> {
    if (content.type === 'pageBreak') return
    const heading =
      content.title === '' || content.type === 'chart' ? '' : `<h2${s('h2')}>${escapeText(content.title)}</h2>\n`
    await out.write(`<section${s('block')}>\n${heading}`)
    if (content.type === 'text') await out.write(await markdownToHtml(content.markdown, look))
    else if (content.type === 'note') await out.write(`<p${s('note')}>${escapeText(content.text)}</p>\n`)
    else if (content.type === 'kpi') await out.write(kpis(content.items))
    else if (content.type === 'chart') await out.write(await chart(content))
    else await table(out, content)
    await out.write('</section>\n')
  }

  function kpis(items: readonly KpiItem[]): string {
    const columns = Math.min(KPIS_IN_LINE, items.length)
    const lines: string[] = []
    for (let start = 0; start < items.length; start += columns) {
      const line = items.slice(start, start + columns)
      const empty = lines.length > 0 ? `<td></td>`.repeat(columns - line.length) : ''
      lines.push(`<tr>${line.map((item) => kpi(item, columns)).join('')}${empty}</tr>`)
    }
    return `<table role="presentation"${s('kpis')}><tbody>${lines.join('\n')}</tbody></table>\n`
  }

  function kpi(item: KpiItem, columns: number): string {
    const { value, change, compared: other } = figureTexts(item, locale)
    const direction = change.startsWith('▲') ? 'up' : change.startsWith('▼') ? 'down' : 'same'
    const compared = other === null ? '' : `${change} (${other})`.trim()
    return [
      `<td width="${Math.floor(100 / columns)}%"${s('kpi')}><div${s('label')}>${escapeText(item.label)}</div>`,
      `<div${s('value')}>${escapeText(value)}</div>`,
      compared === '' ? '' : `<div${s(direction)}>${escapeText(compared)}</div>`,
      '</td>',
    ].join('')
  }

  async function chart(content: ContentOf<'chart'>): Promise<string> {
    const height = Math.round(content.heightMm * PIXELS_PER_MM)
    const svg = await request.chartSvg(content, CHART_WIDTH, height)
    if (!embed) return `<figure${s('figure')}>${svg}</figure>\n`
    const cid = `chart-${content.key}`
    images.push({ cid, png: await request.svgToPng(svg, 2) })
    return `<img src="cid:${cid}" width="${CHART_WIDTH}" height="${height}" alt="${escapeText(content.title || content.key)}"${s('picture')}>\n`
  }

  async function table(out: TextFile, { title, key, table: data }: ContentOf<'table'>): Promise<void> {
    const { columns, totals } = data
    const numeric = columns.map(isNumeric)
    const label = escapeText(title || key)
    const [th, thn] = [`<th scope="col"${s('th')}>`, `<th scope="col"${s('thn')}>`]
    const cells = [`<td${s('td')}>`, `<td${s('tdn')}>`]
    const heads = columns
      .map((column, index) => `${numeric[index] ? thn : th}${escapeText(column.label)}</th>`)
      .join('')
    const open = embed ? '' : `<div class="scroll" tabindex="0" role="region" aria-label="${label}">`
    await out.write(`${open}<table${s('table')}>\n<thead><tr>${heads}</tr></thead>\n<tbody>\n`)
    for await (const page of data.pages()) {
      request.signal?.throwIfAborted()
      for (const row of page) await out.write(rowOf(row, columns, cells[0]!, cells[1]!))
    }
    await out.write('</tbody>\n')
    if (totals) {
      const row = totalRow(totals, data, locale)
      await out.write(`<tfoot>${rowOf(row, columns, `<td${s('total')}>`, `<td${s('totaln')}>`)}</tfoot>\n`)
    }
    await out.write(`</table>${embed ? '' : '</div>'}\n`)
    const cut = cutText(data, locale, totals)
    if (cut !== null) await out.write(`<p${s('cut')}>${escapeText(cut)}</p>\n`)
  }

  const rowOf = (row: Row, columns: readonly Column[], text: string, number: string): string => {
    const cells = row.map((cell, index) => {
      const column = columns[index] ?? null
      return `${column && isNumeric(column) ? number : text}${escapeText(display(cell, column))}</td>`
    })
    return `<tr>${cells.join('')}</tr>\n`
  }

  return { head, foot, block }
}

const isNumeric = ({ kind, type }: Column): boolean => kind === 'measure' && type !== 'text'
