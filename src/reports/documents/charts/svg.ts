/** Draws a chart as SVG by ECharts in server mode, and makes the text independent of the process. */
import type { ChartKind } from '../../entities/report.ts'
import { FONT_FAMILY, type FontSet, fitted } from '../fonts.ts'
import { allowedText, escapeText } from '../markup.ts'
import { cutChartText } from '../values.ts'
import { bars, combination, lines, waterfall } from './cartesian.ts'
import { type ChartContent, emptyText } from './content.ts'
import { frame, type Option } from './frame.ts'
import { caption, funnel, gauge, pie, radar, sankey, treemap } from './parts.ts'
import { boxes, heatmap, points } from './points.ts'
import { type Canvas, EDGE, MUTED, nameOf, SMALL } from './style.ts'

const BUILDERS: Readonly<Record<ChartKind, (content: ChartContent, canvas: Canvas) => Option>> = {
  bar: bars,
  barHorizontal: bars,
  barStacked: bars,
  barGrouped: bars,
  barPercent: bars,
  line: lines,
  area: lines,
  areaStacked: lines,
  combo: combination,
  pie,
  donut: pie,
  scatter: points,
  bubble: points,
  gauge,
  treemap,
  heatmap,
  waterfall,
  boxplot: boxes,
  funnel,
  radar,
  sankey,
}

/** The chart as one `<svg>` element, whose ids begin with `idPrefix`. */
export async function drawSvg(content: ChartContent, canvas: Canvas, idPrefix: string): Promise<string> {
  const note = cutChartText(content, canvas.locale)
  if (note === null) return drawMarks(content, canvas, idPrefix)
  const height = canvas.height - NOTE_HEIGHT
  const svg = await drawMarks(content, { ...canvas, height }, idPrefix)
  const shown = escapeText(fitted(note, canvas.width - 2 * EDGE, SMALL, canvas.fonts))
  return svg
    .replace(` height="${height}"`, ` height="${canvas.height}"`)
    .replace(`viewBox="0 0 ${canvas.width} ${height}"`, `viewBox="0 0 ${canvas.width} ${canvas.height}"`)
    .replace(
      /<\/svg>$/,
      `<text x="${EDGE}" y="${canvas.height - 6}" font-family="${FONT_FAMILY}" font-size="${SMALL}" fill="${MUTED}">${shown}</text></svg>`,
    )
}

/** Below the marks, for the line that says what was left out. */
const NOTE_HEIGHT = 18

async function drawMarks(content: ChartContent, canvas: Canvas, idPrefix: string): Promise<string> {
  const echarts = await import('./echarts.ts')
  useWidthsOf(echarts, canvas.fonts)
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: canvas.width, height: canvas.height })
  try {
    const reason = emptyText(content)
    chart.setOption(reason === null ? BUILDERS[content.kind](content, canvas) : empty(reason, canvas))
    const svg = chart.renderToSVGString()
    if (content.kind === 'treemap') noteShortened(svg, content, canvas.fonts)
    return canonical(svg, idPrefix, canvas.title)
  } finally {
    // Ends its timers.
    chart.dispose()
  }
}

/** ECharts itself shortens the names of a treemap, whose boxes it lays out. */
function noteShortened(svg: string, { rows, dimensions }: ChartContent, fonts: FontSet): void {
  const names = new Set(dimensions.flatMap((_, at) => rows.map((row) => nameOf(row[at]))))
  for (const [, shown = ''] of svg.matchAll(/>([^<]*…)</g)) {
    const name = [...names].find((one) => escapeText(one).startsWith(shown.slice(0, -1)))
    if (name !== undefined && !names.has(shown)) fonts.noteCut(name)
  }
}

/** Title and a note instead of axes without marks. */
const empty = (reason: string, canvas: Canvas): Option => ({
  ...frame({ legend: 'none' }, canvas, []).base,
  graphic: [caption(reason, canvas.width / 2, canvas.height / 2)],
})

type ECharts = typeof import('./echarts.ts')

/** Text widths of our font: those built into ECharts know ASCII only. */
function useWidthsOf(echarts: ECharts, fonts: FontSet): void {
  echarts.setPlatformAPI({
    measureText: (text: string, font = '') => {
      const size = Number(/([\d.]+)px/.exec(font)?.[1] ?? 12)
      return { width: fonts.measure(text ?? '', size, /\b(bold|[6-9]00)\b/.test(font)) }
    },
  } as Parameters<ECharts['setPlatformAPI']>[0])
}

/** Attributes for the pointer, and classes of the hover style. */
const POINTER = / (?:pointer-events|class|cursor|ecmeta_\w+)="[^"]*"/g
/** Areas that only catch the pointer. */
const UNSEEN = /<(path|rect)(?=[^>]* fill="none")(?![^>]* stroke=)[^>]*><\/\1>\n?/g
const TRANSPARENT = /<(path|rect)(?=[^>]* fill-opacity="0")(?=[^>]* stroke-width="0")[^>]*><\/\1>\n?/g
const STYLE = /<style[^>]*>[\s\S]*?<\/style>\n?/g
const ID = /\bid="([^"]+)"/g

/**
 * Removes what is only for the pointer, and numbers the ids from 0 with the prefix: the counters of ECharts go on over the
 * life of the process.
 */
export function canonical(svg: string, idPrefix: string, title: string): string {
  const still = allowedText(svg)
    .replace(STYLE, '')
    .replace(POINTER, '')
    .replace(UNSEEN, '')
    .replace(TRANSPARENT, '')
    .replace(' version="1.1" baseProfile="full"', '')
    .replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', svg.includes('xlink:href') ? '$&' : '')
    .replace('<svg ', `<svg role="img" aria-label="${escapeText(title)}" `)
  const names = new Map<string, string>()
  for (const [, id] of still.matchAll(ID)) {
    if (id !== undefined && !names.has(id)) names.set(id, `${idPrefix}-${names.size}`)
  }
  let text = still
  for (const [id, name] of names)
    text = text
      .replaceAll(`"${id}"`, `"${name}"`)
      .replaceAll(`#${id})`, `#${name})`)
      .replaceAll(`"#${id}"`, `"#${name}"`)
  return text.trim()
}
