/** Methods that select: in list boxes and charts, and in a field. */
import { type DataField, presentCodes } from '../data.ts'
import type { OpenDoc } from '../doc.ts'
import { engineError } from '../errors.ts'
import { asFlag, asList, asNumber, asObject, asText, type Json } from '../json.ts'
import { cubeAt, listAt } from '../layout/layout.ts'
import { searchCodes } from '../layout/list-object.ts'
import { matrixColumns } from '../layout/pages.ts'
import { codesWhere, isValue } from '../selections.ts'
import { type Call, type MethodTable, method, type TargetOf } from '../types.ts'

type GenericObject = TargetOf<'GenericObject'>
type Field = TargetOf<'Field'>

/** Methods of an object that select in a list box or a chart. */
export const SELECTION_METHODS: MethodTable<'GenericObject'> = {
  SelectListObjectValues: method('qPath qValues qToggleMode qSoftLock', (target, [path, values, toggle], call) =>
    selectInList(target, asText(path), () => codesOf(values), call, asFlag(toggle)),
  ),
  SelectListObjectAll: method('qPath qSoftLock', (target, [path], call) =>
    selectListStates(target, asText(path), ['O', 'S', 'A', 'X', 'XS'], call),
  ),
  SelectListObjectPossible: method('qPath qSoftLock', (target, [path], call) =>
    selectListStates(target, asText(path), ['O', 'S'], call),
  ),
  SelectListObjectAlternative: method('qPath qSoftLock', (target, [path], call) =>
    selectListStates(target, asText(path), ['A'], call),
  ),
  SelectListObjectExcluded: method('qPath qSoftLock', (target, [path], call) =>
    selectListStates(target, asText(path), ['A', 'X'], call),
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
    return answer(target.doc, field, codesOf(values), call, asFlag(toggle))
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
    lockFields(target, asText(path), asList(columns), true, call),
  ),
  Unlock: method('qPath qColIndices', (target, [path, columns], call) =>
    lockFields(target, asText(path), asList(columns), false, call),
  ),
  // Modal selections act at once here; the calls are accepted because clients make them in pairs.
  BeginSelections: method('qPaths', () => ({})),
  EndSelections: method('qAccept', () => ({})),
}

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
  { object, doc }: GenericObject,
  path: string,
  chosen: (field: string) => readonly number[],
  call: Call,
  toggle = false,
): Json {
  const field = listAt(object, path, doc).dimension?.fieldName
  return answer(doc, field, field ? chosen(field) : [], call, toggle)
}

const selectListStates = (target: GenericObject, path: string, states: readonly string[], call: Call): Json =>
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
  { object, doc }: GenericObject,
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
    const valid = codesOf(rows).filter((row) => row < cube.rowCount)
    const chosen = valid.map((row) => cube.code(row, index)).filter((code) => code >= 0)
    if (field && doc.context.selections.select(field, chosen)) qSuccess = true
  }
  if (qSuccess) call.session.selected()
  return { qSuccess }
}

/** The fields of the dimensions at a path; without column numbers all of them. */
function fieldsAt({ object, doc }: GenericObject, path: string, columns: readonly unknown[]): string[] {
  const dimensions = isList(path) ? [listAt(object, path, doc).dimension] : cubeAt(object, path, doc).dimensions
  const wanted = columns.length === 0 ? dimensions : columns.map((column) => dimensions[asNumber(column, -1)])
  return wanted.flatMap((dimension) => (dimension?.fieldName ? [dimension.fieldName] : []))
}

const codesOf = (values: unknown): number[] =>
  asList(values)
    .map((code) => asNumber(code, -1))
    .filter((code) => code >= 0)

function lockFields(
  target: GenericObject,
  path: string,
  columns: readonly unknown[],
  locked: boolean,
  { session }: Call,
): Json {
  for (const field of fieldsAt(target, path, columns)) target.doc.context.selections.lock(field, locked)
  session.selected()
  return {}
}

/** Methods of a field; most of them select in it. */
export const FIELD_METHODS: MethodTable<'Field'> = {
  GetCardinal: method('', (target) => ({
    qReturn: presentCodes(dataField(target)).reduce((sum, one) => sum + one, 0),
  })),
  SelectValues: method('qFieldValues qToggleMode qSoftLock', (target, [values, toggle], call) =>
    selectInField(target, codesOfValues(dataField(target), values), call, asFlag(toggle)),
  ),
  Select: method('qMatch qSoftLock qExcludedValuesMode', (target, [match], call) =>
    selectInField(target, searchCodes(dataField(target), asText(match), target.doc), call),
  ),
  ToggleSelect: method('qMatch qSoftLock qExcludedValuesMode', (target, [match], call) =>
    selectInField(target, searchCodes(dataField(target), asText(match), target.doc), call, true),
  ),
  LowLevelSelect: method('qValues qToggleMode qSoftLock', (target, [values, toggle], call) =>
    selectInField(target, codesOf(values), call, asFlag(toggle)),
  ),
  SelectAll: method('qSoftLock', (target, _args, call) => selectFieldStates(target, ['O', 'A', 'X', 'S', 'XS'], call)),
  SelectPossible: method('qSoftLock', (target, _args, call) => selectFieldStates(target, ['O', 'S'], call)),
  SelectExcluded: method('qSoftLock', (target, _args, call) => selectFieldStates(target, ['X', 'A'], call)),
  SelectAlternative: method('qSoftLock', (target, _args, call) => selectFieldStates(target, ['A'], call)),
  Clear: method('', ({ doc, field }, _args, call) => changed(doc.context.selections.clear(field), call)),
  ClearAllButThis: method('qSoftLock', ({ doc, field }, _args, call) => {
    doc.context.selections.clearAll(false, field)
    return changed(true, call)
  }),
  Lock: method('', ({ doc, field }, _args, call) => changed(doc.context.selections.lock(field, true), call)),
  Unlock: method('', ({ doc, field }, _args, call) => changed(doc.context.selections.lock(field, false), call)),
  GetNxProperties: method('', () => ({ qProperties: { qOneAndOnlyOne: false } })),
  GetAndMode: method('', () => ({ qReturn: false })),
}

/** The field in the present data; a reload may have removed it. */
function dataField({ doc, field }: Field): DataField {
  const found = doc.context.model.field(field)
  if (!found) throw engineError('NOT_FOUND', field)
  return found
}

function selectInField({ doc, field }: Field, chosen: readonly number[], call: Call, toggle = false): Json {
  return changed(doc.context.selections.select(field, chosen, toggle), call)
}

const selectFieldStates = (target: Field, states: readonly string[], call: Call): Json =>
  selectInField(target, codesInStates(dataField(target), states, target.doc), call)

/** Codes of given `FieldValue`s; values that do not exist are left out, as the engine does without an error. */
function codesOfValues(field: DataField, values: unknown): readonly number[] {
  const wanted = asList(values).map((value) => {
    const { qText, qIsNumeric, qNumber } = asObject(value)
    return { text: asText(qText), num: qIsNumeric === true ? asNumber(qNumber, Number.NaN) : Number.NaN }
  })
  return codesWhere(field, (symbol) => wanted.some((one) => isValue(symbol, one)))
}

/** The codes of a field that are in one of the states. */
function codesInStates(field: DataField, states: readonly string[], doc: OpenDoc): readonly number[] {
  return doc.context.selections.states(field).flatMap((state, code) => (state && states.includes(state) ? [code] : []))
}

/** `qReturn` says whether anything was selected. */
function changed(qReturn: boolean, { session }: Call): Json {
  if (qReturn) session.selected()
  return { qReturn }
}
