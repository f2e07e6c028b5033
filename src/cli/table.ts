/** Listings and tables on the terminal. Every row is one line: control characters of its cells are escaped. */
import { visible } from '../platform/visible.ts'
import type { ZoneTimes } from '../platform/zone-times.ts'
import { proseText, timeText } from './time.ts'

/** Width of a listing where there is no terminal. */
export const DEFAULT_WIDTH = 100
const GAP = '  '

export interface Column<Row> {
  readonly head: string
  readonly cell: (row: Row) => string
  /** Shown with `--wide` only. */
  readonly wide?: true
  /** Left out when no row has a text in it. */
  readonly optional?: true
  /** The column may be cut to this many characters when the line is too long. Absent = never cut. */
  readonly least?: number
  /** `time`: an ISO time, shown to the second; `prose`: a text with such times. `id`: a UUID, shown as its shortest unique beginning. */
  readonly form?: 'time' | 'prose' | 'id'
}

export interface ListingForm {
  /** All columns, nothing cut. */
  readonly wide?: boolean | undefined
  /** Columns of the terminal; default 100. */
  readonly width?: number | undefined
  /** The clock that shows times; absent = UTC. */
  readonly times?: ZoneTimes | undefined
}

/** The form of a listing by the options of its command and the terminal, with times on the clock of the site. */
export const formOf = async (
  remote: { readonly times: () => Promise<ZoneTimes> },
  { wide, utc }: { readonly wide?: boolean; readonly utc?: boolean },
  { columns }: { readonly columns?: number | undefined },
): Promise<ListingForm> => ({ wide, times: utc ? undefined : await remote.times(), width: columns })

/** The zone of the times above it; none for those in UTC, which name it. */
export const zoneLine = ({ timezone }: ZoneTimes): string => `Times are in the zone ${timezone}.`

/** A head line and a line for each row, the columns aligned and fitted into the width; then the zone of the times. */
export function listing<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { wide = false, width = DEFAULT_WIDTH, times }: ListingForm = {},
): string {
  const shown = columns.filter(
    (column) => (wide || !column.wide) && !(column.optional && rows.every((row) => column.cell(row) === '')),
  )
  const zone = times && shown.some(({ form }) => form === 'time') ? `\n\n${zoneLine(times)}` : ''
  if (wide) {
    const cells = rows.map((row) => shown.map(({ cell, form }) => onClock(cell(row), form, times)))
    return `${table([shown.map(({ head }) => head), ...cells])}${zone}`
  }
  const cells = shown.map((column) => [column.head, ...shortened(column, rows, times)].map(visible))
  const widths = fitted(shown, cells, width)
  const lines = [-1, ...rows.keys()].map((row) => cells.map((column, i) => fit(column[row + 1]!, widths[i]!)).join(GAP))
  return lines.map((line) => line.trimEnd()).join('\n') + zone
}

function shortened<Row>(
  { cell, form }: Column<Row>,
  rows: readonly Row[],
  times: ZoneTimes | undefined,
): readonly string[] {
  const texts = rows.map(cell)
  return form === 'id' ? shortIds(texts) : texts.map((text) => onClock(text, form, times))
}

function onClock(text: string, form: Column<never>['form'], times: ZoneTimes | undefined): string {
  if (form === 'time') return timeText(text, times)
  return form === 'prose' ? proseText(text, times) : text
}

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f])[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/**
 * The beginnings by which the ids of a list differ. UUIDs of version 7 begin with a time in milliseconds, which is shown
 * whole: others of the same minute would begin in the same way. Other ids stay as they are.
 */
export function shortIds(ids: readonly string[]): readonly string[] {
  const guids = new Set(ids.filter((id) => GUID.test(id)))
  const least = [...guids].some((id) => GUID.exec(id)?.[1] === '7') ? 13 : 8
  const beginning = (id: string, length: number) => id.slice(0, length).replace(/-$/, '')
  let length = least
  while (new Set([...guids].map((id) => beginning(id, length))).size < guids.size) length += 1
  return ids.map((id) => (guids.has(id) ? beginning(id, length) : id))
}

/** The widths of the columns; the widest one that may be cut gives way first. */
function fitted<Row>(columns: readonly Column<Row>[], cells: readonly (readonly string[])[], width: number): number[] {
  const widths = cells.map((column, i) => {
    const natural = Math.max(...column.map(widthOf))
    return columns[i]!.least === undefined ? natural : Math.min(natural, width)
  })
  const floor = columns.map(({ head, least }) => (least === undefined ? Infinity : Math.max(least, head.length)))
  let over = widths.reduce((sum, one) => sum + one, GAP.length * (columns.length - 1)) - width
  for (; over > 0; over -= 1) {
    const spare = widths.map((one, i) => (one > floor[i]! ? one : -1))
    const widest = spare.indexOf(Math.max(...spare))
    if (spare[widest] === -1) break
    widths[widest]! -= 1
  }
  return widths
}

/** Rows as text, the columns aligned; the last one is as long as it is. */
export function table(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(visible))
  const widths: number[] = []
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, widthOf(cell))
  return rows
    .map((row) =>
      row
        .map((cell, i) => padded(cell, widths[i]!))
        .join(GAP)
        .trimEnd(),
    )
    .join('\n')
}

/** Names and values of one thing; those without a value are left out. */
export function facts(rows: readonly (readonly [name: string, value: string | null])[]): string {
  return table(rows.flatMap(([name, value]) => (value ? [[name, value]] : [])))
}

const padded = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - widthOf(text)))

/** One line of exactly this width: cut, or filled with blanks on the right. */
export function fit(text: string, width: number, keep?: 'start' | 'end'): string {
  return padded(cut(text, width, keep), width)
}

/** One line of at most this width, an ellipsis where something is missing. */
export function cut(text: string, width: number, keep: 'start' | 'end' = 'start'): string {
  const shown = visible(text)
  if (widthOf(shown) <= width) return shown
  const characters = keep === 'start' ? [...shown] : [...shown].reverse()
  const kept: string[] = []
  let used = 0
  for (const character of characters) {
    used += widthOf(character)
    if (used > width - 1) break
    kept.push(character)
  }
  if (width < 1) return ''
  return keep === 'start' ? `${kept.join('')}…` : `…${kept.reverse().join('')}`
}

/** East Asian characters and pictographs take two columns of a terminal, combining marks none. */
const DOUBLE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/gu
const NONE = /[\p{Mn}\p{Me}\u200c\u200d]/gu

function widthOf(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length
  return [...text.replace(NONE, '')].length + (text.match(DOUBLE)?.length ?? 0)
}

/** `1.5 s`, `2 m 5 s`, `3 h 10 m`; nothing for what has no length yet. */
export function span(ms: number | null): string {
  if (ms === null) return ''
  if (ms < 60_000) return `${Number((ms / 1000).toFixed(1))} s`
  const seconds = Math.round(ms / 1000)
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)]
  return hours > 0 ? `${hours} h ${minutes} m` : `${minutes} m ${seconds % 60} s`
}

/** `suppressed (RATE_LIMITED)`. */
export const stateText = ({ state, reason }: { readonly state: string; readonly reason: string | null }): string =>
  reason ? `${state} (${reason})` : state
