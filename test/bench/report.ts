/** What the bench prints, and what it holds the product to. */

export interface Measurement {
  readonly name: string
  /** Null: could not be measured; `note` says why. */
  readonly value: number | null
  readonly unit: string
  readonly atMost?: number
  readonly atLeast?: number
  readonly note?: string
}

/** True when the measurement has no budget or keeps it. A budgeted value that could not be measured is a miss. */
export function withinBudget({ value, atMost, atLeast }: Measurement): boolean {
  if (atMost === undefined && atLeast === undefined) return true
  if (value === null) return false
  return value <= (atMost ?? Number.POSITIVE_INFINITY) && value >= (atLeast ?? Number.NEGATIVE_INFINITY)
}

function budgetText({ atMost, atLeast }: Measurement): string {
  if (atMost !== undefined) return `<= ${atMost}`
  return atLeast === undefined ? '' : `>= ${atLeast}`
}

/** Three significant digits for small values, thousands separated for large ones. */
export function formatValue(value: number | null): string {
  if (value === null) return '-'
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US')
  return String(Number(value.toPrecision(3)))
}

/** The measurements as lines of a table, columns aligned. */
export function table(measurements: readonly Measurement[]): string[] {
  return aligned([
    ['what', 'value', 'unit', 'budget', '', 'note'],
    ...measurements.map((measurement) => [
      measurement.name,
      formatValue(measurement.value),
      measurement.unit,
      budgetText(measurement),
      budgetText(measurement) === '' ? '' : withinBudget(measurement) ? 'ok' : 'MISSED',
      measurement.note ?? '',
    ]),
  ])
}

/** Measurements of two executables made in turns, as a table of medians with the ratio and the spread of its rounds. */
export function comparisonTable(
  rounds: readonly { readonly own: readonly Measurement[]; readonly other: readonly Measurement[] }[],
): string[] {
  const rows = (rounds[0]?.own ?? []).map(({ name, unit }, index) => {
    const pairs = rounds.map(({ own, other }) => [own[index]?.value ?? Number.NaN, other[index]?.value ?? Number.NaN])
    const ratios = pairs.map(([own = Number.NaN, other = Number.NaN]) => own / other).filter(Number.isFinite)
    const median = (column: 0 | 1) => {
      const values = pairs.map((pair) => pair[column] ?? Number.NaN).filter(Number.isFinite)
      return formatValue(values.length > 0 ? quantile(values, 0.5) : null)
    }
    const [least, most] = [Math.min(...ratios), Math.max(...ratios)].map((ratio) => ratio.toFixed(2))
    const ratio = ratios.length > 0 ? [quantile(ratios, 0.5).toFixed(2), `${least} to ${most}`] : ['-', '']
    return [name, median(0), unit, median(1), ...ratio]
  })
  return aligned([['what', 'this', 'unit', 'other', 'ratio', 'spread'], ...rows])
}

/** Lines of a table whose second column holds numbers. */
function aligned(cells: readonly (readonly string[])[]): string[] {
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  return cells.map((row) =>
    row
      .map((cell, column) => (column === 1 ? cell.padStart(widths[1] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}

/** The value below which `fraction` (0-1) of the sorted copy lies. */
export function quantile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? Number.NaN
}
