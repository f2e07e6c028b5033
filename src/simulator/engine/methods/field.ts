import { type DataField, presentCodes } from '../data/column.ts'
import { engineError } from '../errors.ts'
import { asFlag, asList, asNumber, asText, type Json } from '../json.ts'
import { codesInStates, codesOfValues, searchCodes } from '../selecting.ts'
import { type Call, type MethodTable, method, type TargetOf } from '../types.ts'

type Field = TargetOf<'Field'>

/** Selections in one field. */
export const FIELD_METHODS: MethodTable<'Field'> = {
  GetCardinal: method('', (target) => ({
    qReturn: presentCodes(dataField(target)).reduce((sum, one) => sum + one, 0),
  })),
  SelectValues: method('qFieldValues qToggleMode qSoftLock', (target, [values, toggle], call) =>
    select(target, codesOfValues(dataField(target), values), call, asFlag(toggle)),
  ),
  Select: method('qMatch qSoftLock qExcludedValuesMode', (target, [match], call) =>
    select(target, searchCodes(dataField(target), asText(match), target.doc), call),
  ),
  ToggleSelect: method('qMatch qSoftLock qExcludedValuesMode', (target, [match], call) =>
    select(target, searchCodes(dataField(target), asText(match), target.doc), call, true),
  ),
  LowLevelSelect: method('qValues qToggleMode qSoftLock', (target, [values, toggle], call) =>
    select(
      target,
      asList(values)
        .map((code) => asNumber(code, -1))
        .filter((code) => code >= 0),
      call,
      asFlag(toggle),
    ),
  ),
  SelectAll: method('qSoftLock', (target, _args, call) => selectStates(target, ['O', 'A', 'X', 'S', 'XS'], call)),
  SelectPossible: method('qSoftLock', (target, _args, call) => selectStates(target, ['O', 'S'], call)),
  SelectExcluded: method('qSoftLock', (target, _args, call) => selectStates(target, ['X', 'A'], call)),
  SelectAlternative: method('qSoftLock', (target, _args, call) => selectStates(target, ['A'], call)),
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

/** The field in the data of the moment: a reload may have taken it away. */
function dataField({ doc, field }: Field): DataField {
  const found = doc.context.model.field(field)
  if (!found) throw engineError('NOT_FOUND', field)
  return found
}

function select({ doc, field }: Field, codes: readonly number[], call: Call, toggle = false): Json {
  return changed(doc.context.selections.select(field, codes, toggle), call)
}

const selectStates = (target: Field, states: readonly string[], call: Call): Json =>
  select(target, codesInStates(dataField(target), states, target.doc), call)

/** `qReturn` tells whether anything was selected. */
function changed(qReturn: boolean, { session }: Call): Json {
  if (qReturn) session.selected()
  return { qReturn }
}
