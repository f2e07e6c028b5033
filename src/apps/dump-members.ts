/** What a dump of an app is made of, in the order in which it is written. */
import { EngineError, isRejected, QIX } from '../qlik/engine/errors.ts'
import type { EngineObject } from '../qlik/engine/types.ts'

export type Json = Readonly<Record<string, unknown>>

export type DumpMember =
  /** One value; `undefined` leaves the member out. */
  | { readonly name: string; readonly value: (doc: EngineObject) => Promise<unknown> }
  /** A list whose items are read one by one; `undefined` leaves an item out. */
  | {
      readonly name: string
      readonly list: (doc: EngineObject) => Promise<readonly Json[]>
      readonly item: (doc: EngineObject, item: Json) => Promise<unknown>
    }

export const DUMP_MEMBERS: readonly DumpMember[] = [
  { name: 'properties', value: (doc) => doc.value('qProp', 'GetAppProperties') },
  { name: 'loadScript', value: (doc) => doc.value('qScript', 'GetScript') },
  { name: 'lineage', value: lineage },
  appObjects('sheets', 'sheet'),
  appObjects('stories', 'story'),
  appObjects('masterobjects', 'masterobject'),
  appObjects('appprops', 'appprops'),
  {
    name: 'dataconnections',
    list: connections,
    item: dataConnection,
  },
  {
    name: 'dimensions',
    list: listed('qDimensionList', { qType: 'dimension', qData: { id: '/qInfo/qId' } }),
    item: async (doc, item) => properties(await doc.child('GetDimension', [idOf(item)])),
  },
  {
    name: 'measures',
    list: listed('qMeasureList', { qType: 'measure', qData: { id: '/qInfo/qId' } }),
    item: async (doc, item) => properties(await doc.child('GetMeasure', [idOf(item)])),
  },
  { name: 'bookmarks', list: bookmarksOf('bookmark'), item: bookmark },
  {
    name: 'embeddedmedia',
    list: listed('qMediaList', {}),
    item: async (_doc, item) => (String(item.qUrlDef ?? '').startsWith('/media/') ? item : undefined),
  },
  {
    name: 'snapshots',
    list: bookmarksOf('snapshot'),
    item: async (doc, item) => properties(await doc.child('GetBookmark', [idOf(item)])),
  },
  {
    name: 'fields',
    list: listed('qFieldList', { qShowSystem: true, qShowHidden: true, qShowSrcTables: true, qShowSemantic: true }),
    item: async (_doc, item) => item,
  },
  {
    name: 'variables',
    list: listed('qVariableList', { qType: 'variable', qShowReserved: true, qShowConfig: true }),
    item: variable,
  },
]

/** Sheets and the like: each with everything below it. */
function appObjects(name: string, qType: string): DumpMember {
  return {
    name,
    list: listed('qAppObjectList', { qType, qData: { id: '/qInfo/qId' } }),
    async item(doc, item) {
      const object = await doc.child('GetObject', [idOf(item)])
      return object?.value('qPropEntry', 'GetFullPropertyTree')
    },
  }
}

function bookmarksOf(qType: string): (doc: EngineObject) => Promise<readonly Json[]> {
  return listed('qBookmarkList', { qType, qData: { id: '/qInfo/qId' } })
}

/** Reads a list through a session object: `qDimensionListDef` in its properties becomes `qDimensionList` in its layout. */
function listed(member: string, definition: Json): (doc: EngineObject) => Promise<readonly Json[]> {
  const kind = String(definition.qType ?? member.replace(/^q|List$/g, '').toLowerCase())
  const qType = `${kind}List`
  return async (doc) => {
    const wanted = { qInfo: { qId: qType, qType }, [`${member}Def`]: definition, qMetaDef: {}, qExtendsId: '' }
    const list = await doc.child('CreateSessionObject', [wanted])
    const { qItems } = json(json(await list?.value('qLayout', 'GetLayout'))[member])
    // An empty list in its place would make the dump look complete.
    if (!Array.isArray(qItems)) throw new EngineError('invalid', 'GetLayout', `the layout has no ${member}`)
    return qItems.map(json)
  }
}

/** Not every engine tells it for every app. */
async function lineage(doc: EngineObject): Promise<unknown> {
  try {
    return await doc.value('qLineage', 'GetLineage')
  } catch (error) {
    if (isRejected(error)) return undefined
    throw error
  }
}

async function properties(object: EngineObject | null): Promise<unknown> {
  return object?.value('qProp', 'GetProperties')
}

/** Properties with the selections, which only the layout has. */
async function bookmark(doc: EngineObject, item: Json): Promise<unknown> {
  const object = await doc.child('GetBookmark', [idOf(item)])
  if (!object) return undefined
  const [own, layout] = await Promise.all([properties(object), object.value('qLayout', 'GetLayout')])
  const { qData } = json(own)
  return { ...json(own), qData: { ...json(qData), qBookMark: json(layout).qBookmark } }
}

const VARIABLE_FLAGS = ['qIsScriptCreated', 'qIsReserved', 'qIsConfig'] as const

/** Properties with what only the list says. */
async function variable(doc: EngineObject, item: Json): Promise<unknown> {
  const own = await properties(await doc.child('GetVariableById', [idOf(item)]))
  if (own === undefined) return undefined
  const flags = VARIABLE_FLAGS.filter((flag) => item[flag] === true).map((flag) => [flag, true] as const)
  return { ...json(own), ...Object.fromEntries(flags) }
}

async function connections(doc: EngineObject): Promise<readonly Json[]> {
  const list = await doc.value('qConnections', 'GetConnections')
  if (!Array.isArray(list)) throw new EngineError('invalid', 'GetConnections', 'a list was expected')
  return list.map(json)
}

/** Who may list a connection may not always read it; the list then says what can be known. */
async function dataConnection(doc: EngineObject, item: Json): Promise<unknown> {
  try {
    return await doc.value('qConnection', 'GetConnection', [item.qId])
  } catch (error) {
    if (isRejected(error, QIX.NOT_FOUND)) return undefined
    if (isRejected(error, QIX.ACCESS_DENIED)) return item
    throw error
  }
}

const idOf = (item: Json): unknown => json(item.qInfo).qId

const json = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {})
