/** Fields of an app: their values with the state of each, and selections in them. */
import type { EngineObject } from '../../qlik/engine/types.ts'
import { ReportError } from '../codes.ts'
import { type Cell, EvaluationError } from '../types.ts'
import { asList, asObject, asText, cellOf, MAX_CELLS, type OpenApp } from './app.ts'

/** Values of a field by the number that the engine gives each of them. */
export type ValueSet = ReadonlyMap<number, Cell>

interface FieldSelection {
  /** Selected, also those that selections in other fields exclude. */
  readonly values: ValueSet
  /** Number of them, null included. */
  readonly count: number
  /** Number of values that the selections allow. */
  readonly possible: number
}

export interface Field {
  readonly name: string
  /** `Select`, `SelectValues`, `Clear`. */
  readonly handle: EngineObject
  /** Every value that is not null, regardless of the selections; as read first, unless `again`. */
  all(options?: { readonly again: boolean }): Promise<ValueSet>
  /** Values that are selected, also those that selections in other fields exclude. */
  selected(): Promise<ValueSet>
  selection(): Promise<FieldSelection>
  /** Values that the selections allow, in load order. */
  possible(): Promise<ValueSet>
  /** Replaces the selection in this field. */
  select(elements: readonly number[]): Promise<void>
}

export interface Fields {
  /** Null when the app has no field of this name; names are case-sensitive. */
  find(name: string): Promise<Field | null>
  /** Rejects with `FILTER_FIELD_UNKNOWN`. */
  need(name: string): Promise<Field>
}

/** `[Order Date]`. */
export const quotedField = (name: string): string => `[${name.replaceAll(']', ']]')}]`

const PATH = '/qListObjectDef'
const SELECTED = new Set(['S', 'L', 'XS', 'XL'])
const POSSIBLE = new Set(['S', 'L', 'O'])

export function createFields(app: OpenApp): Fields {
  const known = new Map<string, Field>()

  async function find(name: string): Promise<Field | null> {
    const found = known.get(name)
    if (found) return found
    const handle = await app.doc.child('GetField', [name])
    if (!handle) return null
    const field = fieldOf(name, handle, await listOf(app, name))
    known.set(name, field)
    return field
  }

  return {
    find,
    async need(name) {
      const field = await find(name)
      if (field) return field
      throw new ReportError('FILTER_FIELD_UNKNOWN', `the app "${app.name}" has no field "${name}"`)
    },
  }
}

/** The list of values of a field: possible ones first, then in load order. */
async function listOf(app: OpenApp, name: string): Promise<EngineObject> {
  const { object } = await app.create('report-field', {
    qListObjectDef: {
      qStateName: '$',
      qDef: {
        qFieldDefs: [quotedField(name)],
        qSortCriterias: [{ qSortByState: 1, qSortByLoadOrder: 1 }],
      },
      qShowAlternatives: true,
      qInitialDataFetch: [],
    },
  })
  return object
}

function fieldOf(name: string, handle: EngineObject, list: EngineObject): Field {
  let everything: ValueSet | null = null

  async function layout() {
    const { qSize, qDimensionInfo, qError } = asObject(asObject(await list.value('qLayout', 'GetLayout')).qListObject)
    const info = asObject(qDimensionInfo)
    const problem = qError ?? info.qError
    if (problem) throw new EvaluationError(`field "${name}": ${JSON.stringify(problem)}`)
    const count = (member: string) => Number(asObject(info.qStateCounts)[member] ?? 0)
    const selected = count('qSelected') + count('qLocked')
    return {
      rows: Number(asObject(qSize).qcy ?? 0),
      selected: selected + count('qSelectedExcluded') + count('qLockedExcluded'),
      possible: selected + count('qOption'),
    }
  }

  async function read(wanted: ReadonlySet<string> | null, expected: number, rows: number): Promise<ValueSet> {
    const values = new Map<number, Cell>()
    let left = expected
    for (let top = 0; top < rows && left > 0; ) {
      const area = { qLeft: 0, qTop: top, qWidth: 1, qHeight: Math.min(MAX_CELLS, rows - top) }
      const [page] = asList(await list.value('qDataPages', 'GetListObjectData', [PATH, [area]]))
      const matrix = asList(asObject(page).qMatrix)
      if (matrix.length === 0) break
      for (const row of matrix) {
        const { qText, qNum, qElemNumber, qState, qIsNull } = asObject(asList(row)[0])
        if (wanted && !wanted.has(asText(qState))) continue
        left -= 1
        if (qIsNull !== true && Number(qElemNumber) >= 0) values.set(Number(qElemNumber), cellOf(qText, qNum, false))
      }
      top += matrix.length
    }
    if (left > 0)
      throw new ReportError('ENGINE_UNREACHABLE', `field "${name}": ${left} of ${expected} values were not sent`)
    return values
  }

  async function selection(): Promise<FieldSelection> {
    const { rows, selected, possible } = await layout()
    return { values: await read(SELECTED, selected, rows), count: selected, possible }
  }

  return {
    name,
    handle,
    async all({ again } = { again: false }) {
      if (everything && !again) return everything
      const { rows } = await layout()
      everything = await read(null, rows, rows)
      return everything
    },
    selection,
    selected: async () => (await selection()).values,
    async possible() {
      const { rows, possible } = await layout()
      return read(POSSIBLE, possible, rows)
    },
    async select(elements) {
      await list.call('SelectListObjectValues', [PATH, elements, false])
    },
  }
}
