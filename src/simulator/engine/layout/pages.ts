import { engineError } from '../errors.ts'
import { asList, asNumber, asObject } from '../json.ts'

/** A rectangle of cells, as `NxPage` and `NxDataAreaPage` name it. */
export interface Area {
  readonly qLeft: number
  readonly qTop: number
  readonly qWidth: number
  readonly qHeight: number
}

/** The engine hands out at most so many cells in one call. */
const MAX_CELLS = 10_000

/** The areas of a request. Throws error 7009 when they hold more than 10,000 cells together. */
export function readPages(pages: unknown): readonly Area[] {
  const areas = asList(pages).map((page) => {
    const { qLeft, qTop, qWidth, qHeight } = asObject(page)
    const whole = (value: unknown) => Math.max(0, Math.floor(asNumber(value)))
    return { qLeft: whole(qLeft), qTop: whole(qTop), qWidth: whole(qWidth), qHeight: whole(qHeight) }
  })
  const cells = areas.reduce((sum, area) => sum + area.qWidth * area.qHeight, 0)
  if (cells > MAX_CELLS) throw engineError('CALC_PAGES_TOO_LARGE')
  return areas
}

/** The part of an area that lies inside a table of the given size. */
export function clip(area: Area, columns: number, rows: number): Area {
  const qLeft = Math.min(area.qLeft, columns)
  const qTop = Math.min(area.qTop, rows)
  return {
    qLeft,
    qTop,
    qWidth: Math.min(area.qWidth, columns - qLeft),
    qHeight: Math.min(area.qHeight, rows - qTop),
  }
}

/** `[from, from + 1, ...]` of the given length. */
export const span = (from: number, length: number): number[] => Array.from({ length }, (_, index) => from + index)
