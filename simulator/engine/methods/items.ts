/** Items of an app: the methods that hand them out, and those of master items, bookmarks and variables. */
import type { SimDataConnection } from '../../types.ts'
import { ownNumber } from '../calc/functions.ts'
import type { ObjectState, OpenDoc, VariableState } from '../doc.ts'
import { engineError } from '../errors.ts'
import { numberText } from '../format.ts'
import { asList, asNumber, asObject, asText, type Json, orNaN } from '../json.ts'
import { evaluateSafely, LISTS, listItem, metaOf } from '../layout/layout.ts'
import { codesWhere } from '../selections.ts'
import { type Call, calculation, type MethodTable, method, NOTHING, type TargetOf } from '../types.ts'

type Doc = TargetOf<'Doc'>

const infoOf = (properties: Json) => asObject(properties.qInfo)
const idOf = (properties: Json) => asText(infoOf(properties).qId)

/** Methods of an app that hand out its items: objects, master items, bookmarks, variables, fields, connections. */
export const DOC_ITEM_METHODS: MethodTable<'Doc'> = {
  CreateSessionObject: method('qProp', ({ doc }, [properties], { session }) => {
    const given = asObject(properties)
    if (asText(infoOf(given).qType) === '') throw engineError('INVALID_PARAMETERS', 'qInfo.qType')
    if (doc.destroySessionObject(idOf(given))) session.release(idOf(given))
    return objectHandle(doc.createSessionObject(given), { type: 'Doc', doc }, { session }, true)
  }),
  DestroySessionObject: method('qId', ({ doc }, [id], { session }) => {
    const object = doc.destroySessionObject(asText(id))
    if (object) session.release(object.id)
    return { qSuccess: object !== null }
  }),
  GetObject: method('qId', (target, [id], call) => {
    const object = target.doc.object(asText(id))
    return object ? objectHandle(object, target, call) : NOTHING
  }),
  GetObjects: method('qOptions', ({ doc }, [options]) => {
    const wanted = asObject(options)
    const types = asList(wanted.qTypes)
      .map((type) => asText(type))
      .filter((type) => type !== '')
    const objects = [...doc.objects(), ...(wanted.qIncludeSessionObjects === true ? doc.sessionObjects() : [])]
    const found = objects.filter(({ type }) => types.length === 0 || types.includes(type))
    return { qList: found.map(({ properties }) => listItem(properties, wanted)) }
  }),
  GetBookmarks: method('qOptions', ({ doc }, [options]) => {
    const types = asList(asObject(options).qTypes).map((type) => asText(type))
    const qType = types.length === 1 ? (types[0] ?? '') : ''
    return { qList: LISTS.qBookmarkListDef?.items(doc, { ...asObject(options), qType }) ?? [] }
  }),
  GetVariables: method('qListDef', ({ doc }, [definition]) => ({
    qList: LISTS.qVariableListDef?.items(doc, asObject(definition)) ?? [],
  })),
  GetAllInfos: method('', ({ doc }) => ({ qInfos: allInfos({ type: 'Doc', doc }) })),
  GetMediaList: method('', ({ doc }) => ({ qList: { qItems: doc.content.media } })),

  GetDimension: method('qId', ({ doc }, [id], { session }) => {
    const properties = doc.dimension(asText(id))
    if (!properties) return NOTHING
    return session.handleOf({ type: 'GenericDimension', doc, properties }, asText(id), 'dimension')
  }),
  GetMeasure: method('qId', ({ doc }, [id], { session }) => {
    const properties = doc.measure(asText(id))
    return properties ? session.handleOf({ type: 'GenericMeasure', doc, properties }, asText(id), 'measure') : NOTHING
  }),
  GetBookmark: method('qId', ({ doc }, [id], { session }) => {
    const all = [...doc.content.bookmarks.map((one) => one.properties), ...doc.content.snapshots]
    const properties = all.find((one) => idOf(one) === asText(id))
    if (!properties) return NOTHING
    return session.handleOf({ type: 'GenericBookmark', doc, properties }, asText(id), asText(infoOf(properties).qType))
  }),
  ApplyBookmark: method('qId', ({ doc }, [id], call) => ({ qSuccess: applyBookmark(doc, asText(id), call) })),

  GetVariableById: method('qId', (target, [id], call) =>
    variableHandle(target, ({ id: own }) => own === asText(id), call),
  ),
  GetVariableByName: method('qName', (target, [name], call) =>
    variableHandle(target, ({ name: own }) => own === asText(name), call),
  ),
  CreateSessionVariable: method('qProp', ({ doc }, [properties], { session }) => {
    const variable = doc.createSessionVariable(asObject(properties))
    return session.handleOf({ type: 'GenericVariable', doc, variable }, variable.id, 'variable')
  }),
  DestroySessionVariable: method('qId', ({ doc }, [id]) => ({
    qSuccess: doc.destroySessionVariable((variable) => variable.id === asText(id)),
  })),

  GetField: method('qFieldName qStateName', ({ doc }, [name], { session }) => {
    const field = doc.context.model.field(asText(name))
    if (!field) return NOTHING
    return session.handleOf({ type: 'Field', doc, field: field.column.name }, field.column.name)
  }),

  GetConnections: method('', (_target, _args, { server }) => ({
    qConnections: [...server.site.dataConnections.values()].map(connectionShape),
  })),
  GetConnection: method('qConnectionId', (_target, [id], { server }) => {
    const connection = server.site.dataConnections.get(asText(id))
    if (!connection) throw engineError('NOT_FOUND', asText(id))
    return { qConnection: connectionShape(connection) }
  }),
}

/** Handle of a generic object; a new one is reported as changed, as the engine does. */
export function objectHandle(
  object: ObjectState,
  { doc }: Doc,
  { session }: Pick<Call, 'session'>,
  isNew = false,
): Json {
  const answer = session.handleOf({ type: 'GenericObject', doc, object }, object.id, object.type)
  const { qHandle } = answer.qReturn as { qHandle: number }
  if (isNew) session.changed(qHandle)
  return answer
}

function variableHandle({ doc }: Doc, test: (variable: VariableState) => boolean, { session }: Call): Json {
  const variable = doc.variables().find(test)
  if (!variable) throw engineError('NOT_FOUND')
  return session.handleOf({ type: 'GenericVariable', doc, variable }, variable.id, 'variable')
}

function allInfos({ doc }: Doc): Json[] {
  const objects = (list: readonly ObjectState[]): Json[] =>
    list.flatMap(({ properties, children }) => [infoOf(properties), ...objects(children)])
  const { dimensions, measures, bookmarks, snapshots } = doc.content
  const items = [...dimensions, ...measures, ...bookmarks.map(({ properties }) => properties), ...snapshots]
  return [
    ...objects(doc.objects()),
    ...items.map(infoOf),
    ...doc.variables().map(({ properties }) => infoOf(properties)),
  ]
}

function connectionShape(connection: SimDataConnection): Json {
  return {
    qId: connection.id,
    qName: connection.name,
    qConnectionString: connection.connectionstring,
    qType: connection.type,
    qUserName: '',
    qPassword: '',
    qModifiedDate: new Date(connection.modifiedDate).toISOString(),
    qMeta: { qName: '' },
    qLogOn: 'LOG_ON_SERVICE_USER',
  }
}

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
    qSuccess: applyBookmark(doc, idOf(properties), call),
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
    const num = source.startsWith('=') ? ownNumber(value) : asNumber(source, Number.NaN)
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

function variableSet(doc: OpenDoc, value: string | null, variable: VariableState, { session }: Call): Json {
  variable.value = value
  doc.variableChanged()
  session.selected()
  return {}
}

/** Replaces the selections by those of a bookmark; false when there is none with this id. */
function applyBookmark(doc: OpenDoc, id: string, { session }: Call): boolean {
  const bookmark = doc.content.bookmarks.find(({ properties }) => idOf(properties) === id)
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
  const id = idOf(properties)
  const bookmark = doc.content.bookmarks.find((one) => idOf(one.properties) === id)
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
    qValues: values.map((qText) => ({ qText, qIsNumeric: false, qNumber: 'NaN' })),
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
