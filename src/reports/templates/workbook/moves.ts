/** Moves references to where their cells lie in the filled workbook. */
import {
  columnLetters,
  formatReference,
  type NameToken,
  type Reference,
  sheetPrefix,
  type Token,
  tokenize,
} from './formula.ts'
import {
  type Area,
  areaOf,
  type Block,
  type Iterations,
  isWholeColumns,
  type Layout,
  NO_ITERATIONS,
  overlap,
  referredRow,
  splitBy,
} from './layout.ts'
import { type MovedReference, writeFormula } from './lists.ts'
import { effectsOfNoRows } from './no-rows.ts'
import { hasNoRows, referTo, type Standpoint } from './references.ts'

/** A sheet of the filled workbook, as references see it. */
export interface SheetPlace {
  /** Name in the template; tags included. */
  readonly templateName: string
  readonly name: string
  readonly layout: Layout
  /** Level that the sheet is repeated for, and the number of its value; null for plain sheets. */
  readonly level: string | null
  readonly index: number
  /** The tables of the sheet, by their names in the template in lower case. */
  readonly tables: ReadonlyMap<string, PlacedTable>
}

interface PlacedTable {
  /** A new one where the table was copied with the sheet. */
  readonly name: string
  /** Its rows are those of a loop without any. */
  readonly isEmpty: boolean
}

interface MoveOptions extends Standpoint {
  /**
   * The form of a reference: cells of a `formula`; a `list` of ranges, of a chart or a name, where single cells of a loop become ranges; one
   * `area`, also where it takes in rows between its own.
   */
  readonly as?: 'formula' | 'list' | 'area'
  /** Names what holds the formula where it is no cell: `chart on Detail`. */
  readonly at?: string
}

/**
 * Says that a reference may mean something else, or that a formula has no room for it.
 * @param place of the formula in the template: `Detail!C5`, `name "sales"`
 */
export type Ambiguous = (details: string, place: string) => void

export interface Moves {
  /** The formula as it is written on the sheet `here`; null: in the workbook. Tokens may be given instead of the text. */
  formula(source: string | readonly Token[], here: SheetPlace | null, options?: MoveOptions): string
  /** The sheets that a sheet of the template became. */
  placesOf(templateName: string): readonly SheetPlace[]
}

/** Functions that show something else in the place of an error. */
const GUARDS = /^(_xlfn\.)?(IFERROR|IFNA|ISERROR|ISERR|ISNUMBER|AGGREGATE)\($/i

/** @param namedCells the formula of a defined name, as a sheet of the template sees it; null when there is none */
export function createMoves(
  sheets: readonly SheetPlace[],
  ambiguous: Ambiguous,
  namedCells: (name: string, sheet: string) => string | null,
): Moves {
  const byName = new Map<string, SheetPlace[]>()
  for (const sheet of sheets) {
    const key = sheet.templateName.toLowerCase()
    byName.set(key, [...(byName.get(key) ?? []), sheet])
  }
  const isAnyEmpty = sheets.some(({ layout }) => layout.blocks.some(isEmptied))
  const placesOf = (name: string) => byName.get(name.toLowerCase()) ?? []

  /** The sheet that a reference means; null when it is not in the workbook any more. */
  function target(name: string, here: SheetPlace | null, warn: (details: string) => void): SheetPlace | null {
    const places = placesOf(name)
    if (here && here.level !== null) {
      const own =
        places.find((place) => place === here) ??
        places.find((place) => place.level === here.level && place.index === here.index)
      if (own) return own
    }
    const [first = null] = places
    if (!first || first.level !== null)
      warn(first ? `the reference to ${name} keeps the first copy` : `the sheet ${name} is left out`)
    return first
  }

  /** The pieces of the reference in the filled workbook; null when they are more than a formula has room for. */
  function move(
    reference: Reference,
    here: SheetPlace | null,
    options: MoveOptions,
    warn: (details: string) => void,
  ): string | MovedReference['pieces'] {
    if (reference.sheet?.includes(':')) return severalSheets(reference, warn)
    const place = reference.sheet === null ? here : target(reference.sheet, here, warn)
    if (!place) return reference.sheet === null ? formatReference(reference) : '#REF!'
    const { cell, as = 'formula', within = NO_ITERATIONS } = options
    const from = place === here ? options : { cell: cell && null }
    const fixed = () => formatReference({ ...reference, start: { ...reference.start, rowAbsolute: true } })
    const { areas, kept } = referTo(reference, place.layout, from, as === 'list')
    if (kept) {
      const own = formatReference(reference)
      const remedy =
        kept.which === 'first'
          ? `${fixed()} says so without a warning`
          : `write ${own}:${formatReference({ ...reference, prefix: '' })} for all of them, or take the value of =${own} from a cell of its own`
      warn(`${own} takes the ${kept.which} of ${kept.of} rows of a loop; ${remedy}`)
    }
    if (reference.neighbour === 'figure' && [...within.keys()].some(({ count }) => count > 1)) {
      warn(
        `${formatReference(reference)} means the row next to each in further rows of the loop; ${fixed()} keeps the cell`,
      )
    }
    const renamed = reference.sheet !== null && place.name !== reference.sheet && place.name !== place.templateName
    const prefix = renamed ? sheetPrefix(place.name) : reference.prefix
    const [first, last] = [areas?.[0], areas?.at(-1)]
    if (!areas || !first || !last) return null
    if (as === 'area')
      return formatReference({ start: first.start, end: first === last ? first.end : (last.end ?? last.start), prefix })
    if (areas.length === 1) return formatReference({ ...first, prefix })
    return areas.map((area) => ({ ...area, prefix }))
  }

  /** The sheet before a name of its own: `'{{@region}}'!rates`. */
  function movedPrefix(prefix: string, here: SheetPlace | null, warn: (details: string) => void): string {
    const sheet = prefix.startsWith("'") ? prefix.slice(1, -2).replaceAll("''", "'") : prefix.slice(0, -1)
    const name = placesOf(sheet).length > 0 ? target(sheet, here, warn)?.name : undefined
    return name === undefined || name === sheet ? prefix : sheetPrefix(name)
  }

  /** A text that is the address of cells: of a link it moves with them; other addresses stay, with a warning where the cells move. */
  function addressed(
    text: string,
    before: Token | undefined,
    here: SheetPlace | null,
    options: MoveOptions,
    warn: (details: string) => void,
  ): string {
    const call =
      before?.kind === 'function' ? /^(HYPERLINK|INDIRECT)\($/i.exec(before.text)?.[1]?.toUpperCase() : undefined
    if (call === undefined) return text
    const whole = text.slice(1, -1).replaceAll('""', '"')
    const address = call === 'INDIRECT' ? whole : /^#(.*)$/s.exec(whole)?.[1]
    const [reference, more] = tokenize(address ?? '')
    if (reference?.kind !== 'reference' || more) return text
    const moved = move(reference, here, { ...options, as: 'area' }, () => {})
    if (typeof moved !== 'string' || moved === address) return text
    if (call === 'HYPERLINK') return `"#${moved.replaceAll('"', '""')}"`
    warn(
      `INDIRECT(${text}) keeps the address of the template, where these cells lie in ${moved} now; write the cells without INDIRECT`,
    )
    return text
  }

  function severalSheets(reference: Reference, warn: (details: string) => void): string {
    const names = reference.sheet?.split(':') ?? []
    const moved = names.some((name) => {
      const [place] = placesOf(name)
      return !place || place.level !== null || place.layout.blocks.length > 0
    })
    if (moved) warn(`${formatReference(reference)} is not moved, as it is over several sheets`)
    return formatReference(reference)
  }

  const isEmptyArea = (reference: Reference, here: SheetPlace | null): boolean => {
    const place = reference.sheet === null ? here : placesOf(reference.sheet)[0]
    return place !== null && place !== undefined && hasNoRows(areaOf(reference), place.layout)
  }

  /** That of the same sheet, else of the first that has it. */
  const tableOf = (name: string, here: SheetPlace | null): PlacedTable | undefined => {
    const key = name.toLowerCase()
    return here?.tables.get(key) ?? sheets.find(({ tables }) => tables.has(key))?.tables.get(key)
  }

  function tableName(
    name: string,
    next: Token | undefined,
    here: SheetPlace | null,
    warn: (details: string) => void,
  ): string {
    const key = name.toLowerCase()
    const own = here?.tables.get(key)
    if (own) return own.name
    const isTable = next?.kind === 'other' && next.text.startsWith('[')
    if (isTable && sheets.some(({ level, tables }) => level !== null && tables.has(key)))
      warn(`the reference to the table ${name} keeps the first copy`)
    return name
  }

  /** Whether the cells, the name or the column of a table at `index` hold nothing, as their loop has no rows. */
  function isEmpty(token: Reference | NameToken, next: Token | undefined, here: SheetPlace): boolean {
    if (token.kind === 'reference') return isEmptyArea(token, here)
    const column = next?.kind === 'other' && next.text.startsWith('[') ? next.text : null
    if (column !== null) {
      return !/#(?!Data)|@/i.test(column) && tableOf(token.text, here)?.isEmpty === true
    }
    const [cells, more] = tokenize(namedCells(token.text, here.templateName) ?? '')
    return cells?.kind === 'reference' && !more && isEmptyArea(cells, here)
  }

  return {
    placesOf,
    formula(source, here, options = {}) {
      const tokens = typeof source === 'string' ? tokenize(source) : source
      const warn = (details: string) => ambiguous(details, placeOf(here, options))
      let isPlain = true
      const isGuarded = tokens.some((token) => token.kind === 'function' && GUARDS.test(token.text))
      if (isAnyEmpty && here && options.cell && !isGuarded)
        effectsOfNoRows(tokens, (cells, index) => isEmpty(cells, tokens[index + 1], here)).forEach(warn)
      const moved = tokens.map((token, index): string | MovedReference => {
        if (token.kind === 'reference') {
          const one = move(token, here, options, warn)
          if (typeof one === 'string') return one
          isPlain = false
          return { reference: token, pieces: one }
        }
        if (token.kind === 'name') return tableName(token.text, tokens[index + 1], here, warn)
        if (token.kind === 'string') return addressed(token.text, tokens[index - 1], here, options, warn)
        return token.kind === 'other' && /[^!]!$/.test(token.text) ? movedPrefix(token.text, here, warn) : token.text
      })
      if (isPlain) return moved.join('')
      return writeFormula(moved, options.as === 'list', (reference) => {
        warn(`the formula has no room for the rows of ${formatReference(reference)} and shows #N/A`)
      })
    },
  }
}

const isEmptied = ({ collapsed, children }: Block): boolean => collapsed || children.some(isEmptied)

const placeOf = (here: SheetPlace | null, { cell, at }: MoveOptions): string =>
  here && cell
    ? `${sheetPrefix(here.templateName)}${columnLetters(cell.column)}${cell.row}`
    : (at ?? here?.templateName ?? 'names')

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

/** Each iteration of blocks that lie in each other, outermost first. */
export function* iterationsOf(blocks: readonly Block[], within: Iterations = NO_ITERATIONS): Generator<Iterations> {
  const [block, ...inner] = blocks
  if (!block) {
    yield within
    return
  }
  for (let index = 0; index < block.count; index++) yield* iterationsOf(inner, new Map([...within, [block, index]]))
}

/** A longer list of areas becomes one area for each, which then covers rows between them too. */
const MAX_AREAS = 65_536
/** Excel finds no highest and lowest value over more areas. */
const MAX_COMPARED = 253

/**
 * The areas of a rule (`sqref`): one area where it covers whole iterations, else one for each of them, so that a rule for one of two
 * rows of a loop does not reach the other.
 * @param compares the rule compares its cells with one another, as a colour scale does
 */
export function ruleAreas(
  sqref: string,
  layout: Layout,
  compares: boolean,
): { readonly sqref: string; readonly coversOthers: boolean } {
  const parts = sqref.split(/\s+/).filter((part) => part !== '')
  const pieces = parts.flatMap((part): readonly (Area | string)[] => {
    const area = readArea(part)
    return area ? splitArea(area, layout) : [part]
  })
  const blocks = pieces.map((piece) => (typeof piece === 'string' ? [] : repeatedFor(piece, layout)))
  const count = blocks.reduce((sum, list) => sum + list.reduce((product, block) => product * block.count, 1), 0)
  const coversOthers = count > (compares ? MAX_COMPARED : MAX_AREAS)
  const moved = pieces.flatMap((piece, index) => {
    if (typeof piece === 'string') return [piece]
    if (coversOthers) return [formatArea(growArea(piece, layout))]
    return Array.from(iterationsOf(blocks[index]!), (within) => formatArea(growArea(piece, layout, within)))
  })
  return { sqref: moved.join(' '), coversOthers }
}

/** The blocks that an area is repeated for; those whose iterations it covers as a whole grow. */
function repeatedFor(area: Area, layout: Layout): readonly Block[] {
  const blocks = commonBlocks(area, layout)
  const inner = blocks.at(-1)
  const covers = inner !== undefined && area.top === inner.first && area.bottom === inner.last
  return covers ? blocks.slice(0, -1) : blocks
}

/** The area, or its pieces where its columns move apart. */
function splitArea(area: Area, layout: Layout): readonly Area[] {
  if (!splitBy(area, layout.blocks)) return [area]
  return layout.bands
    .filter((band) => overlap(band, area))
    .map((band) => ({ ...area, left: Math.max(area.left, band.left), right: Math.min(area.right, band.right) }))
}

/** The first iteration of the blocks at the first cell of an area: the base of formulas in rules. */
export const firstIteration = ({ top, left }: Area, layout: Layout): Iterations =>
  new Map(layout.blocksAt(top, { left, right: left }).map((block) => [block, 0]))
