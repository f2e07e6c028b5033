import type { OpenDoc } from '../doc.ts'
import { asFlag, asList, asNumber, asText, type Json } from '../json.ts'
import { cubeAt, listAt } from '../layout/layout.ts'
import { matrixColumns } from '../layout/straight.ts'
import { codesInStates } from '../selecting.ts'
import { type Call, type MethodTable, method, type TargetOf } from '../types.ts'

type Target = TargetOf<'GenericObject'>

/** Selections made in a list box or a chart. */
export const SELECTION_METHODS: MethodTable<'GenericObject'> = {
  SelectListObjectValues: method('qPath qValues qToggleMode qSoftLock', (target, [path, values, toggle], call) =>
    selectInList(target, asText(path), () => codes(values), call, asFlag(toggle)),
  ),
  SelectListObjectAll: method('qPath qSoftLock', (target, [path], call) =>
    selectStates(target, asText(path), ['O', 'S', 'A', 'X', 'XS'], call),
  ),
  SelectListObjectPossible: method('qPath qSoftLock', (target, [path], call) =>
    selectStates(target, asText(path), ['O', 'S'], call),
  ),
  SelectListObjectAlternative: method('qPath qSoftLock', (target, [path], call) =>
    selectStates(target, asText(path), ['A'], call),
  ),
  SelectListObjectExcluded: method('qPath qSoftLock', (target, [path], call) =>
    selectStates(target, asText(path), ['A', 'X'], call),
  ),
  SearchListObjectFor: method('qPath qMatch', ({ object, doc }, [path, match], { session }) => {
    object.searches.set(asText(path), asText(match))
    session.dataChanged()
    return { qSuccess: listAt(object, asText(path), doc).codes.length > 0 }
  }),
  AbortListObjectSearch: method('qPath', ({ object }, [path], { session }) => {
    object.searches.delete(asText(path))
    session.dataChanged()
    return {}
  }),
  AcceptListObjectSearch: method('qPath qToggleMode qSoftLock', (target, [path, toggle], call) => {
    const found = listAt(target.object, asText(path), target.doc).codes
    target.object.searches.delete(asText(path))
    selectInList(target, asText(path), () => found, call, asFlag(toggle))
    return {}
  }),

  SelectHyperCubeValues: method('qPath qDimNo qValues qToggleMode', (target, [path, number, values, toggle], call) => {
    const field = cubeAt(target.object, asText(path), target.doc).dimensions[asNumber(number)]?.fieldName
    return answer(target.doc, field, codes(values), call, asFlag(toggle))
  }),
  SelectHyperCubeCells: method(
    'qPath qRowIndices qColIndices qSoftLock qDeselectOnlyOneSelected',
    (target, [path, rows, columns], call) => selectCells(target, asText(path), asList(rows), asList(columns), call),
  ),
  ClearSelections: method('qPath qColIndices', (target, [path, columns], call) => {
    for (const field of fieldsAt(target, asText(path), asList(columns))) target.doc.context.selections.clear(field)
    call.session.selected()
    return {}
  }),
  Lock: method('qPath qColIndices', (target, [path, columns], call) =>
    lock(target, asText(path), asList(columns), true, call),
  ),
  Unlock: method('qPath qColIndices', (target, [path, columns], call) =>
    lock(target, asText(path), asList(columns), false, call),
  ),
  // Modal selections act at once here; the calls are accepted because clients make them in pairs.
  BeginSelections: method('qPaths', () => ({})),
  EndSelections: method('qAccept', () => ({})),
}

const codes = (values: unknown): number[] =>
  asList(values)
    .map((code) => asNumber(code, -1))
    .filter((code) => code >= 0)

const isList = (path: string) => path.includes('qListObjectDef')

function answer(
  doc: OpenDoc,
  field: string | null | undefined,
  chosen: readonly number[],
  call: Call,
  toggle: boolean,
): Json {
  const qSuccess = field ? doc.context.selections.select(field, chosen, toggle) : false
  if (qSuccess) call.session.selected()
  return { qSuccess }
}

function selectInList(
  { object, doc }: Target,
  path: string,
  chosen: (field: string) => readonly number[],
  call: Call,
  toggle = false,
): Json {
  const field = listAt(object, path, doc).dimension?.fieldName
  return answer(doc, field, field ? chosen(field) : [], call, toggle)
}

const selectStates = (target: Target, path: string, states: readonly string[], call: Call): Json =>
  selectInList(
    target,
    path,
    (name) => {
      const field = target.doc.context.model.field(name)
      return field ? codesInStates(field, states, target.doc) : []
    },
    call,
  )

/** Selects the values of the dimension cells at the crossings of rows and columns. */
function selectCells(
  { object, doc }: Target,
  path: string,
  rows: readonly unknown[],
  columns: readonly unknown[],
  call: Call,
): Json {
  const cube = cubeAt(object, path, doc)
  const order = matrixColumns(cube)
  let qSuccess = false
  for (const column of columns) {
    const index = order[asNumber(column, -1)] ?? -1
    const field = cube.dimensions[index]?.fieldName
    const valid = codes(rows).filter((row) => row < cube.rowCount)
    const chosen = valid.map((row) => cube.code(row, index)).filter((code) => code >= 0)
    if (field && doc.context.selections.select(field, chosen)) qSuccess = true
  }
  if (qSuccess) call.session.selected()
  return { qSuccess }
}

/** The fields of the dimensions at a path; without column numbers all of them. */
function fieldsAt({ object, doc }: Target, path: string, columns: readonly unknown[]): string[] {
  const dimensions = isList(path) ? [listAt(object, path, doc).dimension] : cubeAt(object, path, doc).dimensions
  const wanted = columns.length === 0 ? dimensions : columns.map((column) => dimensions[asNumber(column, -1)])
  return wanted.flatMap((dimension) => (dimension?.fieldName ? [dimension.fieldName] : []))
}

function lock(target: Target, path: string, columns: readonly unknown[], locked: boolean, call: Call): Json {
  for (const field of fieldsAt(target, path, columns)) target.doc.context.selections.lock(field, locked)
  call.session.selected()
  return {}
}
