/** Moves references to where their cells lie in the filled workbook. */
import { columnLetters, formatReference, type Reference, sheetPrefix, type Token, tokenize } from './formula.ts'
import {
  type Area,
  areaOf,
  type Block,
  type Iterations,
  isWholeColumns,
  type Layout,
  moveCorners,
  NO_ITERATIONS,
  overlap,
  referredRow,
  splitBy,
} from './layout.ts'

/** A sheet of the filled workbook, as references see it. */
export interface SheetPlace {
  /** Name in the template; tags included. */
  readonly templateName: string
  readonly name: string
  readonly layout: Layout
  /** Level that the sheet is repeated for, and the number of its value; null for plain sheets. */
  readonly level: string | null
  readonly index: number
  /** New names of tables that were copied with the sheet, by their old ones in lower case. */
  readonly tables: ReadonlyMap<string, string>
}

export interface Moves {
  /**
   * The formula as it is written on the sheet `here`; null: in the workbook. `grow`: single cells in a loop become ranges.
   * Tokens may be given instead of the text.
   */
  formula(
    source: string | readonly Token[],
    here: SheetPlace | null,
    options?: { readonly within?: Iterations; readonly grow?: boolean },
  ): string
  /** The sheets that a sheet of the template became. */
  placesOf(templateName: string): readonly SheetPlace[]
}

/** @param ambiguous called with a formula that refers to a repeated sheet from outside, so that it keeps its first copy */
export function createMoves(sheets: readonly SheetPlace[], ambiguous: (details: string) => void): Moves {
  const byName = new Map<string, SheetPlace[]>()
  for (const sheet of sheets) {
    const key = sheet.templateName.toLowerCase()
    byName.set(key, [...(byName.get(key) ?? []), sheet])
  }
  const placesOf = (name: string) => byName.get(name.toLowerCase()) ?? []

  /** The sheet that a reference means; null when it is not in the workbook any more. */
  function target(name: string, here: SheetPlace | null): SheetPlace | null {
    const places = placesOf(name)
    if (here && here.level !== null) {
      const own =
        places.find((place) => place === here) ??
        places.find((place) => place.level === here.level && place.index === here.index)
      if (own) return own
    }
    const [first = null] = places
    if (!first || first.level !== null)
      ambiguous(first ? `${name}: the reference keeps the first copy` : `${name}: the sheet is left out`)
    return first
  }

  function move(reference: Reference, here: SheetPlace | null, within: Iterations, grow: boolean): string {
    if (reference.sheet?.includes(':')) return severalSheets(reference)
    const place = reference.sheet === null ? here : target(reference.sheet, here)
    if (!place) return reference.sheet === null ? formatReference(reference) : '#REF!'
    const corners = moveCorners(reference, place.layout, place === here ? within : NO_ITERATIONS, grow)
    const renamed = reference.sheet !== null && place.name !== reference.sheet && place.name !== place.templateName
    return formatReference({ ...corners, prefix: renamed ? sheetPrefix(place.name) : reference.prefix })
  }

  /** The sheet before a name of its own: `'{{@region}}'!rates`. */
  function movedPrefix(prefix: string, here: SheetPlace | null): string {
    const sheet = prefix.startsWith("'") ? prefix.slice(1, -2).replaceAll("''", "'") : prefix.slice(0, -1)
    const name = placesOf(sheet).length > 0 ? target(sheet, here)?.name : undefined
    return name === undefined || name === sheet ? prefix : sheetPrefix(name)
  }

  function severalSheets(reference: Reference): string {
    const names = reference.sheet?.split(':') ?? []
    const moved = names.some((name) => {
      const [place] = placesOf(name)
      return !place || place.level !== null || place.layout.blocks.length > 0
    })
    if (moved) ambiguous(`${formatReference(reference)}: a reference over several sheets is not moved`)
    return formatReference(reference)
  }

  return {
    placesOf,
    formula(source, here, { within = NO_ITERATIONS, grow = false } = {}) {
      const tokens = typeof source === 'string' ? tokenize(source) : source
      const written = tokens.map((token) => {
        if (token.kind === 'reference') return move(token, here, within, grow)
        if (token.kind === 'name') return here?.tables.get(token.text.toLowerCase()) ?? token.text
        return token.kind === 'other' && /[^!]!$/.test(token.text) ? movedPrefix(token.text, here) : token.text
      })
      return written.join('')
    },
  }
}

/** Reads `A6:F6`; whole rows and columns reach to the edge of the sheet. Null when it is no area. */
export function readArea(source: string): Area | null {
  const [token, more] = tokenize(source)
  return token?.kind === 'reference' && !more ? areaOf(token) : null
}

/** `A6:F6` as attributes of sheets have it: whole columns as `A1:C1048576`, which other programs than Excel read only so. */
export function formatArea({ top, left, bottom, right }: Area): string {
  const start = `${columnLetters(left)}${top}`
  return top === bottom && left === right ? start : `${start}:${columnLetters(right)}${bottom}`
}

/** The area in the filled sheet; over a loop it covers all rows of it, and where its columns move apart the rows of all of them. */
export function growArea(area: Area, layout: Layout, within: Iterations = NO_ITERATIONS): Area {
  if (isWholeColumns(area)) return area
  return {
    ...area,
    top: layout.rowOf(area.top, area, 'first', within),
    bottom: referredRow(layout, area.bottom, area, 'last', within),
  }
}

/** Rows that a cell or the upper edge of an area moves down. A cell of a loop moves with the first iteration. */
export const movedBy = (area: Area, layout: Layout): number => layout.rowOf(area.top, area, 'first') - area.top

/** The cell, with rows and columns counted from 0 as in drawings. */
export const cellAt = (row: number, column: number): Area => ({
  top: row + 1,
  bottom: row + 1,
  left: column + 1,
  right: column + 1,
})

/** The area once for each iteration of the blocks that it lies in; once where it lies in none. */
export function* repeatArea(
  area: Area,
  layout: Layout,
): Generator<{ readonly area: Area; readonly within: Iterations }> {
  for (const within of iterationsOf(commonBlocks(area, layout))) yield { area: growArea(area, layout, within), within }
}

function commonBlocks(area: Area, layout: Layout): readonly Block[] {
  return layout.blocksAt(area.top, area).filter(({ first, last }) => first <= area.top && area.bottom <= last)
}

function* iterationsOf(blocks: readonly Block[], within: Iterations = NO_ITERATIONS): Generator<Iterations> {
  const [block, ...inner] = blocks
  if (!block) {
    yield within
    return
  }
  for (let index = 0; index < block.count; index++) yield* iterationsOf(inner, new Map([...within, [block, index]]))
}

/** Lists of areas longer than this become one area, which then covers rows between them too. */
const MAX_AREAS = 1000

/**
 * The areas of a rule (`sqref`): one area where it covers whole iterations, else one for each of them, so that a rule for one of two
 * rows of a loop does not reach the other.
 */
export function ruleAreas(sqref: string, layout: Layout): string {
  const moved = sqref
    .split(/\s+/)
    .filter((part) => part !== '')
    .flatMap((part) => {
      const area = readArea(part)
      return area ? splitArea(area, layout).flatMap((piece) => ruleArea(piece, layout)) : [part]
    })
  return moved.join(' ')
}

function ruleArea(area: Area, layout: Layout): string[] {
  const blocks = commonBlocks(area, layout)
  const inner = blocks.at(-1)
  const covers = inner !== undefined && area.top === inner.first && area.bottom === inner.last
  const repeated = covers ? blocks.slice(0, -1) : blocks
  const count = repeated.reduce((product, block) => product * block.count, 1)
  if (count > MAX_AREAS) return [formatArea(growArea(area, layout))]
  return Array.from(iterationsOf(repeated), (within) => formatArea(growArea(area, layout, within)))
}

/** The area, or its pieces where its columns move apart. */
function splitArea(area: Area, layout: Layout): readonly Area[] {
  if (!splitBy(area, layout.blocks)) return [area]
  return layout.bands
    .filter((band) => overlap(band, area))
    .map((band) => ({ ...area, left: Math.max(area.left, band.left), right: Math.min(area.right, band.right) }))
}

/** The first iteration of the blocks at the first row of an area: the base of formulas in rules. */
export const firstIteration = (area: Area, layout: Layout): Iterations =>
  new Map(layout.blocksAt(area.top, area).map((block) => [block, 0]))
