import type { SimDataConnection } from '../../types.ts'
import type { ObjectState } from '../doc.ts'
import { engineError } from '../errors.ts'
import { asList, asObject, asText, type Json } from '../json.ts'
import { LISTS, listItem } from '../layout/lists.ts'
import { type Call, type MethodTable, method, NOTHING, type TargetOf } from '../types.ts'
import { applyBookmark } from './items.ts'

type Doc = TargetOf<'Doc'>

const infoOf = (properties: Json) => asObject(properties.qInfo)
const idOf = (properties: Json) => asText(infoOf(properties).qId)

/** What is in the app: objects, master items, bookmarks, variables, fields, connections. */
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

/** Handle of a generic object; a new one is announced as changed, as the engine does. */
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

function variableHandle({ doc }: Doc, test: Parameters<OpenDocVariables['find']>[0], { session }: Call): Json {
  const variable = doc.variables().find(test)
  if (!variable) throw engineError('NOT_FOUND')
  return session.handleOf({ type: 'GenericVariable', doc, variable }, variable.id, 'variable')
}
type OpenDocVariables = ReturnType<Doc['doc']['variables']>

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
