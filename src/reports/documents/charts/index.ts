/** Charts as pictures: SVG by ECharts, PNG by resvg. */
import type { Binding } from '../../entities/report.ts'
import { EvaluationError, type ReportData, type Warn } from '../../types.ts'
import type { FontSet } from '../fonts.ts'
import { type ChartContent, isDefinition, loadChart } from './content.ts'
import { type KpiItem, kpiSvg } from './kpi.ts'
import { chartOfObject, isKpi, kpisOfObject } from './objects.ts'
import { svgToPng } from './png.ts'
import { drawSvg } from './svg.ts'

export { svgToPng }

interface ChartDrawing {
  /** Pixels of 1/96 inch; texts have 11 to 14 of them. */
  readonly width: number
  readonly height: number
  /** Above the chart; '' or absent: none. */
  readonly title?: string
  /** Begins the ids in the SVG: the key of the block, so that two charts of a page share none. */
  readonly idPrefix: string
  /** BCP 47; of the numbers at the axes. */
  readonly locale: string
  readonly fonts: FontSet
}

/** One `<svg>` element without scripts and styles; equal data and equal fonts give equal text. */
export function chartSvg(chart: ChartContent, drawing: ChartDrawing): Promise<string> {
  return drawSvg(chart, { ...drawing, title: drawing.title ?? '' }, drawing.idPrefix)
}

export interface ChartPictureRequest {
  /** The binding of a template, or an object of the app. */
  readonly chart: Extract<Binding, { readonly type: 'chart' }> | { readonly objectId: string }
  readonly data: ReportData
  readonly widthPx: number
  readonly heightPx: number
  /** Pixels of the picture for each pixel of the drawing; default 2. */
  readonly scale?: number
  /** Default: of objects their title, else none. */
  readonly title?: string
  readonly locale: string
  readonly fonts: FontSet
  readonly warn: Warn
}

/**
 * A chart with its data as PNG. Rejects with an `EvaluationError` when the engine cannot calculate it, or the object is of a
 * kind that cannot be drawn.
 */
export async function chartPicture(request: ChartPictureRequest): Promise<Uint8Array> {
  const { chart, data, fonts, locale, warn, scale = 2 } = request
  const drawing = { width: request.widthPx, height: request.heightPx, idPrefix: 'c', locale, fonts }
  if (isDefinition(chart)) {
    const content = await loadChart(chart, data, warn)
    return svgToPng(await chartSvg(content, { ...drawing, title: request.title }), scale, fonts)
  }
  const object = await data.object(chart.objectId)
  const title = request.title ?? object.title
  if (isKpi(object)) return svgToPng(kpiPicture(await kpisOfObject(object), { ...drawing, title }), scale, fonts)
  const content = await chartOfObject(object, warn)
  if (!content)
    throw new EvaluationError(`object ${object.objectId} (${object.visualization}) cannot be drawn as a chart`)
  return svgToPng(await chartSvg(content, { ...drawing, title }), scale, fonts)
}

/** Key figures as one `<svg>` element. */
export const kpiPicture = (items: readonly KpiItem[], drawing: ChartDrawing): string =>
  kpiSvg(items, { ...drawing, title: drawing.title ?? '' })
