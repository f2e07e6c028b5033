/** Charts as pictures: SVG by ECharts, PNG by resvg. */
import type { Binding } from '../../entities/report.ts'
import type { ReportData, Warn } from '../../types.ts'
import type { FontSet } from '../fonts.ts'
import type { ChartContent } from './content.ts'

export interface ChartDrawing {
  /** Pixels of 1/96 inch; texts have 11 to 13 of them. */
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

export type ChartSvg = (chart: ChartContent, drawing: ChartDrawing) => Promise<string>
export type SvgToPng = (svg: string, scale: number, fonts: FontSet) => Promise<Uint8Array>

export interface ChartPictureRequest {
  /** Of a template, or an object of the app. */
  readonly chart: Extract<Binding, { readonly type: 'chart' }> | { readonly objectId: string }
  readonly data: ReportData
  readonly widthPx: number
  readonly heightPx: number
  /** Pixels of the picture for each pixel of the drawing; default 2. */
  readonly scale?: number
  /** Default: none, of objects their title. */
  readonly title?: string
  readonly locale: string
  readonly fonts: FontSet
  readonly warn: Warn
}
/** Rejects with an `EvaluationError` when the object is of a kind that cannot be drawn. */
export type ChartPicture = (request: ChartPictureRequest) => Promise<Uint8Array>
