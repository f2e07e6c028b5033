/** Key figures as a picture. */
import { createDisplayText, type DisplayColumn, knownLocale, marksOf, partsWith } from '../../display.ts'
import type { Cell } from '../../types.ts'
import { FONT_FAMILY, fitted } from '../fonts.ts'
import { escapeText } from '../markup.ts'
import { BAD, type Canvas, EDGE, GOOD, GRID, INK, MUTED, SMALL, TITLE } from './style.ts'

export interface KpiItem {
  readonly label: string
  readonly value: Cell
  /** With the format of the figure and of its comparison; null when neither the report nor the app gives one. */
  readonly column: DisplayColumn
  readonly compare: {
    readonly value: Cell
    /** (value - compared) / |compared|: 0.12 is 12 % more; null without numbers or against 0. */
    readonly change: number | null
  } | null
}

export interface FigureTexts {
  readonly value: string
  /** `▲ 12.3%`, `▼ 4.0%`, `= 0%`, with the decimal separator of the value; '' without a change. */
  readonly change: string
  /** Null without a comparison. */
  readonly compared: string | null
}

/** The texts of a figure; `-` stands for a value that is not there. */
export function figureTexts({ value, column, compare }: KpiItem, locale: string): FigureTexts {
  const display = createDisplayText(locale)
  const shown = (cell: Cell): string => display(cell, column) || '-'
  return {
    value: shown(value),
    change: changeText(compare?.change ?? null, partsWith(marksOf(value, column)), locale),
    compared: compare && shown(compare.value),
  }
}

function changeText(change: number | null, write: ReturnType<typeof partsWith>, locale: string): string {
  if (change === null) return ''
  const percent = new Intl.NumberFormat(knownLocale(locale), {
    style: 'percent',
    minimumFractionDigits: 1,
    maximumFractionDigits: 1,
  })
  const mark = change > 0 ? '▲' : change < 0 ? '▼' : '='
  return `${mark} ${write(percent, Math.abs(change))}`
}

/** Boxes beside each other, in as many lines as needed. */
export function kpiSvg(items: readonly KpiItem[], canvas: Canvas): string {
  const { width, height, title, fonts } = canvas
  const top = title === '' ? EDGE : EDGE + TITLE + 12
  const columns = Math.max(1, Math.min(items.length, Math.floor((width - EDGE) / 150)))
  const lines = Math.ceil(items.length / columns)
  const boxWidth = (width - EDGE * (columns + 1)) / columns
  const boxHeight = Math.min(150, (height - top - EDGE * lines) / lines)
  // A number is drawn as small as it must be: a part of it would be another number.
  const size = (text: string, most: number, least: number): number =>
    Math.max(least, Math.min(most, (most * (boxWidth - 24)) / Math.max(1, fonts.measure(text, most, true))))
  const line = (x: number, y: number, text: string, fontSize: number, fill: string, bold = false) =>
    `<text x="${round(x)}" y="${round(y)}" font-family="${FONT_FAMILY}" font-size="${round(fontSize)}" fill="${fill}"${bold ? ' font-weight="bold"' : ''}>${escapeText(text)}</text>`
  const boxes = items.map((item, index) => {
    const x = EDGE + (index % columns) * (boxWidth + EDGE)
    const y = top + Math.floor(index / columns) * (boxHeight + EDGE)
    const { value, change, compared: other } = figureTexts(item, canvas.locale)
    const colour = change.startsWith('▲') ? GOOD : change.startsWith('▼') ? BAD : MUTED
    const compared = other === null ? '' : `${change}  (${other})`.trim()
    const valueSize = size(value, Math.min(30, boxHeight * 0.32), item.value.number === null ? 8 : 0)
    return [
      `<rect x="${round(x)}" y="${round(y)}" width="${round(boxWidth)}" height="${round(boxHeight)}" rx="4" fill="#f7f9fb" stroke="${GRID}"/>`,
      line(x + 12, y + boxHeight * 0.25, fitted(item.label, boxWidth - 24, 12, fonts), 12, MUTED),
      line(x + 12, y + boxHeight * 0.62, fitted(value, boxWidth - 24, valueSize, fonts, true), valueSize, INK, true),
      ...(compared
        ? [line(x + 12, y + boxHeight * 0.86, fitted(compared, boxWidth - 24, SMALL, fonts), SMALL, colour)]
        : []),
    ].join('')
  })
  const heading =
    title === '' ? '' : line(EDGE, EDGE + TITLE, fitted(title, width - 2 * EDGE, TITLE, fonts, true), TITLE, INK, true)
  return `<svg role="img" aria-label="${escapeText(title)}" width="${width}" height="${height}" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}">${heading}${boxes.join('')}</svg>`
}

const round = (value: number): number => Math.round(value * 100) / 100
