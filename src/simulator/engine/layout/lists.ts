import { presentCodes } from '../data/column.ts'
import type { ObjectState, OpenDoc } from '../doc.ts'
import { asFlag, asObject, asText, atPath, type Json } from '../json.ts'

interface ListKind {
  /** Name of the layout's member. */
  readonly member: string
  items(doc: OpenDoc, definition: Json): readonly Json[]
}

/** List definitions of session objects and what each becomes in the layout. */
export const LISTS: Readonly<Record<string, ListKind>> = {
  qAppObjectListDef: { member: 'qAppObjectList', items: appObjects },
  qDimensionListDef: {
    member: 'qDimensionList',
    items: (doc, definition) => doc.content.dimensions.map((one) => libraryItem(one, definition)),
  },
  qMeasureListDef: {
    member: 'qMeasureList',
    items: (doc, definition) => doc.content.measures.map((one) => libraryItem(one, definition)),
  },
  qBookmarkListDef: { member: 'qBookmarkList', items: bookmarks },
  qVariableListDef: { member: 'qVariableList', items: variables },
  qFieldListDef: { member: 'qFieldList', items: fields },
  qMediaListDef: { member: 'qMediaList', items: (doc) => doc.content.media },
}

/** `{qInfo, qMeta, qData}` of an entity; `qData` is read with the pointers of the definition. */
export function listItem(properties: Json, definition: Json): Json {
  return { qInfo: properties.qInfo, qMeta: metaOf(properties), qData: picked(properties, asObject(definition.qData)) }
}

/** Published metadata of an entity. */
export const metaOf = (properties: Json): Json => ({
  privileges: ['read', 'update', 'delete', 'exportdata'],
  ...asObject(properties.qMetaDef),
})

function picked(properties: Json, pointers: Json): Json {
  return Object.fromEntries(
    Object.entries(pointers).map(([name, pointer]) => [
      name,
      typeof pointer === 'string' && pointer.startsWith('/') ? atPath(properties, pointer) : pointer,
    ]),
  )
}

function appObjects(doc: OpenDoc, definition: Json): Json[] {
  const type = asText(definition.qType)
  const all: readonly ObjectState[] = doc.objects()
  const wanted = all.filter((object) => type === '' || object.type === type)
  return wanted.map(({ properties }) => listItem(properties, definition))
}

const libraryItem = (properties: Json, definition: Json) => listItem(properties, definition)

function bookmarks(doc: OpenDoc, definition: Json): Json[] {
  const all = [...doc.content.bookmarks.map(({ properties }) => properties), ...doc.content.snapshots]
  const type = asText(definition.qType)
  return all
    .filter((one) => type === '' || asObject(one.qInfo).qType === type)
    .map((properties) => listItem(properties, definition))
}

function variables(doc: OpenDoc, definition: Json): Json[] {
  return doc.variables().flatMap(({ content, properties }) => {
    if (content.reserved && !asFlag(definition.qShowReserved)) return []
    const { qName, qDefinition } = properties
    const flags = {
      ...(content.scriptCreated ? { qIsScriptCreated: true } : {}),
      ...(content.reserved ? { qIsReserved: true } : {}),
    }
    return [{ ...listItem(properties, definition), qName, qDefinition, ...flags }]
  })
}

const SYSTEM_FIELDS = ['$Field', '$Table', '$Rows', '$Fields', '$FieldNo', '$Info'] as const

/** Without data there are no fields. */
function fields(doc: OpenDoc, definition: Json): Json[] {
  const { tables } = doc.context.model
  if (tables.length === 0) return []
  const own = tables.flatMap((table) =>
    table.columns.map((column) => {
      const qCardinal = presentCodes({ table, column }).reduce((sum, present) => sum + present, 0)
      const qTags = column.numeric ? ['$numeric'] : ['$ascii', '$text']
      return {
        qName: column.name,
        qCardinal,
        qTags,
        ...(asFlag(definition.qShowSrcTables) ? { qSrcTables: [table.name] } : {}),
      }
    }),
  )
  if (!asFlag(definition.qShowSystem)) return own
  const system = SYSTEM_FIELDS.map((qName) => ({
    qName,
    qCardinal: 0,
    qTags: ['$system'],
    qIsSystem: true,
    qIsHidden: true,
  }))
  return [...own, ...system]
}
