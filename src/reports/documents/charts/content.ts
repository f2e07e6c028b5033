/** What a chart shows: a kind, columns and rows. Loading reads the cube and limits its points. */
import type { ChartKind } from '../../entities/report.ts'
import type { Column, Row } from '../../types.ts'

export interface MeasureColumn extends Column {
  /** Of combinations; bars elsewhere. */
  readonly as: 'bar' | 'line'
  readonly axis: 'left' | 'right'
}

/** A chart with its data, ready to be drawn. */
export interface ChartContent {
  readonly kind: ChartKind
  readonly legend: 'top' | 'right' | 'none'
  /** Write the values beside the marks. */
  readonly labels: boolean
  /** 0 (gauge) to 2. */
  readonly dimensions: readonly Column[]
  readonly measures: readonly MeasureColumn[]
  /** A cell for each dimension, then for each measure; in the order of the chart. */
  readonly rows: readonly Row[]
}
