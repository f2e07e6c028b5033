import { visible } from '../../platform/visible.ts'

/** Rows as text, the columns aligned; the last one is as long as it is. Every row is one line, whatever its cells hold. */
export function table(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(visible))
  const widths: number[] = []
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  const lines = rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  '))
  return lines.map((line) => line.trimEnd()).join('\n')
}

/** `1.5 s`, `2 m 5 s`, `3 h 10 m`; nothing for what has no length yet. */
export function span(ms: number | null): string {
  if (ms === null) return ''
  if (ms < 60_000) return `${Number((ms / 1000).toFixed(1))} s`
  const seconds = Math.round(ms / 1000)
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)]
  return hours > 0 ? `${hours} h ${minutes} m` : `${minutes} m ${seconds % 60} s`
}
