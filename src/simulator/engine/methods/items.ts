import { numberOf } from '../calc/functions.ts'
import { codesWhere } from '../calc/search.ts'
import type { OpenDoc } from '../doc.ts'
import { numberText } from '../format/numbers.ts'
import { asNumber, asObject, asText, type Json, orNaN } from '../json.ts'
import { evaluateSafely } from '../layout/layout.ts'
import { metaOf } from '../layout/lists.ts'
import { type Call, calculation, type MethodTable, method, type TargetOf } from '../types.ts'

const infoOf = (properties: Json) => properties.qInfo

/** Layout of an entity that holds no data: its properties with `qMeta` in place of `qMetaDef`. */
function plainLayout(properties: Json): Json {
  const { qMetaDef: _definition, ...rest } = properties as Record<string, unknown>
  return { ...rest, qMeta: metaOf(properties) }
}

export const DIMENSION_METHODS: MethodTable<'GenericDimension'> = {
  GetProperties: method('', ({ properties }) => ({ qProp: properties })),
  GetLayout: method('', ({ properties }) => ({ qLayout: plainLayout(properties) })),
  GetInfo: method('', ({ properties }) => ({ qInfo: infoOf(properties) })),
  GetDimension: method('', ({ properties }) => ({ qDim: properties.qDim })),
  GetLinkedObjects: method('', () => ({ qItems: [] })),
}

export const MEASURE_METHODS: MethodTable<'GenericMeasure'> = {
  GetProperties: method('', ({ properties }) => ({ qProp: properties })),
  GetLayout: method('', ({ properties }) => ({ qLayout: plainLayout(properties) })),
  GetInfo: method('', ({ properties }) => ({ qInfo: infoOf(properties) })),
  GetMeasure: method('', ({ properties }) => ({ qMeasure: properties.qMeasure })),
  GetLinkedObjects: method('', () => ({ qItems: [] })),
}

export const BOOKMARK_METHODS: MethodTable<'GenericBookmark'> = {
  GetProperties: method('', ({ properties }) => ({ qProp: properties })),
  GetLayout: method('', (target) => ({ qLayout: bookmarkLayout(target) })),
  GetInfo: method('', ({ properties }) => ({ qInfo: infoOf(properties) })),
  Apply: method('', ({ doc, properties }, _args, call) => ({
    qSuccess: applyBookmark(doc, asText(asObject(properties.qInfo).qId), call),
  })),
}

export const VARIABLE_METHODS: MethodTable<'GenericVariable'> = {
  GetProperties: method('', ({ variable }) => ({ qProp: variable.properties })),
  SetProperties: method('qProp', ({ doc, variable }, [properties], call) => {
    variable.properties = { ...asObject(properties), qInfo: variable.properties.qInfo, qName: variable.name }
    return variableSet(doc, null, variable, call)
  }),
  GetInfo: method('', ({ variable }) => ({ qInfo: infoOf(variable.properties) })),
  GetLayout: calculation('', ({ doc, variable }) => {
    const source = variable.value ?? asText(variable.properties.qDefinition)
    const value = source.startsWith('=') ? evaluateSafely(source, doc).value : null
    const qText = source.startsWith('=') ? (value?.text ?? '-') : source
    const num = source.startsWith('=') ? numberOf(value) : asNumber(source, Number.NaN)
    return {
      qLayout: { qInfo: infoOf(variable.properties), qMeta: metaOf(variable.properties), qText, qNum: orNaN(num) },
    }
  }),
  GetRawContent: method('', ({ variable }) => ({ qReturn: variable.value ?? asText(variable.properties.qDefinition) })),
  SetStringValue: method('qVal', ({ doc, variable }, [value], call) => variableSet(doc, asText(value), variable, call)),
  SetNumValue: method('qVal', ({ doc, variable }, [value], call) =>
    variableSet(doc, numberText(asNumber(value)), variable, call),
  ),
  SetDualValue: method('qText qNum', ({ doc, variable }, [text], call) =>
    variableSet(doc, asText(text), variable, call),
  ),
}

function variableSet(
  doc: OpenDoc,
  value: string | null,
  variable: TargetOf<'GenericVariable'>['variable'],
  { session }: Call,
): Json {
  variable.value = value
  doc.variableChanged()
  session.selected()
  return {}
}

/** Replaces the selections by those of a bookmark; false when there is none with this id. */
export function applyBookmark(doc: OpenDoc, id: string, { session }: Call): boolean {
  const bookmark = doc.content.bookmarks.find(({ properties }) => asObject(properties.qInfo).qId === id)
  if (!bookmark) return false
  const { model, selections } = doc.context
  const wanted = Object.entries(bookmark.selections).flatMap(([name, texts]) => {
    const field = model.field(name)
    return field ? [[name, new Set(codesWhere(field, ({ text }) => texts.includes(text)))] as const] : []
  })
  selections.replace(new Map(wanted))
  session.selected()
  return true
}

function bookmarkLayout({ doc, properties }: TargetOf<'GenericBookmark'>): Json {
  const id = asText(asObject(properties.qInfo).qId)
  const bookmark = doc.content.bookmarks.find((one) => asObject(one.properties.qInfo).qId === id)
  const plain = plainLayout(properties)
  if (!bookmark) return plain
  const qFieldItems = Object.entries(bookmark.selections).map(([qName, values]) => ({
    qDef: { qName, qType: 'PRESENT' },
    qSelectInfo: {
      qTextSearch: '',
      qRangeLo: 'NaN',
      qRangeHi: 'NaN',
      qNumberFormat: {},
      qRangeInfo: [],
      qContinuousRangeInfo: [],
    },
    qValues: values,
    qExcludedValues: [],
    qAndMode: false,
    qOneAndOnlyOne: false,
  }))
  return {
    ...plain,
    qBookmark: {
      qTimeStamp: bookmark.createdAt,
      qInputFieldItems: [],
      qStateData: [{ qStateName: '$', qFieldItems }],
      qForcedInterpretation: false,
      qVariableItems: [],
    },
  }
}
