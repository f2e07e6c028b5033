/** Layouts of objects, and the lists of app entities in them. */
import { evaluate } from '../calc/evaluate.ts'
import { numberOf, type Value } from '../calc/functions.ts'
import { ExpressionError } from '../calc/parse.ts'
import { presentCodes, tagsOf } from '../data.ts'
import type { ObjectState, OpenDoc } from '../doc.ts'
import { engineError } from '../errors.ts'
import { asExpression, asFlag, asObject, asText, atPath, isObject, type Json, orNaN } from '../json.ts'
import { type Cube, calculateCube } from './cube.ts'
import { cubeLayout } from './cube-layout.ts'
import { calculateList, type FieldList, listLayout } from './list-object.ts'

/** The layout of an object: its properties with every definition replaced by its result. */
export function layoutOf(object: ObjectState, doc: OpenDoc): Json {
  const properties = effectiveProperties(object, doc)
  const rendered = render(properties, '', object, doc)
  const { qMetaDef: _definition, ...rest } = rendered as Record<string, unknown>
  return { ...rest, qInfo: properties.qInfo, qMeta: metaOf(properties), qSelectionInfo: {} }
}

/** An object that extends another one (`qExtendsId`) has its members too, where it has none of its own. */
export function effectiveProperties(object: ObjectState, doc: OpenDoc): Json {
  const { properties } = object
  const extended = doc.object(asText(properties.qExtendsId))
  return extended && extended !== object ? { ...extended.properties, ...properties } : properties
}

/** The cube at a path of an object, calculated once as long as nothing changes. Throws error 8 when there is none. */
export function cubeAt(object: ObjectState, path: string, doc: OpenDoc): Cube {
  const definition = atPath(effectiveProperties(object, doc), path || '/qHyperCubeDef')
  if (!isObject(definition)) throw engineError('INVALID_PARAMETERS', path)
  const stamp = doc.stamp()
  const known = object.cubes.get(path)
  if (known?.stamp === stamp && known.cube.definition === definition) return known.cube
  const cube = calculateCube(definition, doc, doc.context)
  object.cubes.set(path, { stamp, cube })
  return cube
}

/** The list object at a path. Throws error 8 when there is none. */
export function listAt(object: ObjectState, path: string, doc: OpenDoc): FieldList {
  const definition = atPath(effectiveProperties(object, doc), path || '/qListObjectDef')
  if (!isObject(definition)) throw engineError('INVALID_PARAMETERS', path)
  return calculateList(definition, doc, object.searches.get(path))
}

/** A value as `EvaluateEx` and value expressions write it. */
export function evaluateSafely(source: string, doc: OpenDoc): { readonly value: Value; readonly error: string | null } {
  try {
    return { value: evaluate(source, doc.context), error: null }
  } catch (problem) {
    if (!(problem instanceof ExpressionError)) throw problem
    return { value: null, error: `Error: ${problem.message}` }
  }
}

type Renderer = (definition: unknown, path: string, object: ObjectState, doc: OpenDoc) => Json

/** Layout members that the special members of properties become. */
const RENDERERS: Readonly<Record<string, Renderer>> = {
  qHyperCubeDef: (_definition, path, object, doc) => ({
    qHyperCube: cubeLayout(cubeAt(object, path, doc), doc.context),
  }),
  qListObjectDef: (_definition, path, object, doc) => ({
    qListObject: listLayout(listAt(object, path, doc), doc.context),
  }),
  qChildListDef: (definition, _path, object) => ({
    qChildList: {
      qItems: object.children.map(({ properties }) => ({
        qInfo: properties.qInfo,
        qMeta: metaOf(properties),
        qData: childData(properties, definition),
      })),
    },
  }),
  qSelectionObjectDef: (_definition, _path, _object, doc) => ({ qSelectionObject: currentSelections(doc) }),
}

function childData(properties: Json, definition: unknown): Json {
  const pointers = asObject(asObject(definition).qData)
  return Object.fromEntries(
    Object.entries(pointers).map(([name, pointer]) => [name, atPath(properties, String(pointer))]),
  )
}

function render(value: unknown, path: string, object: ObjectState, doc: OpenDoc): unknown {
  if (Array.isArray(value)) return value.map((item, index) => render(item, `${path}/${index}`, object, doc))
  if (!isObject(value)) return value
  const result: Record<string, unknown> = {}
  for (const [key, member] of Object.entries(value)) {
    Object.assign(result, renderMember(key, member, `${path}/${key}`, object, doc))
  }
  return result
}

function renderMember(key: string, member: unknown, path: string, object: ObjectState, doc: OpenDoc): Json {
  const list = LISTS[key]
  if (list) return { [list.member]: { qItems: list.items(doc, asObject(member)) } }
  const renderer = RENDERERS[key]
  if (renderer) return renderer(member, path, object, doc)
  if (isObject(member) && ('qStringExpression' in member || 'qValueExpression' in member)) {
    return { [key]: expressionValue(member, doc) }
  }
  if (key === 'qStringExpression' || key === 'qValueExpression')
    return { [key]: expressionValue({ [key]: member }, doc) }
  return { [key]: render(member, path, object, doc) }
}

function expressionValue(member: Json, doc: OpenDoc): unknown {
  const isText = 'qStringExpression' in member
  const source = asExpression(isText ? member.qStringExpression : member.qValueExpression)
  if (isText && !source.startsWith('=')) return source
  if (source === '') return isText ? '' : 'NaN'
  const { value, error } = evaluateSafely(source, doc)
  if (isText) return error ?? value?.text ?? ''
  return orNaN(numberOf(value))
}

function currentSelections(doc: OpenDoc): Json {
  const { selections, model } = doc.context
  const qSelections = [...selections.current()].map(([name, codes]) => {
    const column = model.field(name)?.column
    const texts = [...codes].map((code) => column?.symbol(code).text ?? '')
    return {
      qField: name,
      qSelectedCount: codes.size,
      qTotal: column?.cardinal ?? 0,
      qSelected: texts.join(', '),
      qSelectedFieldSelectionInfo: texts.map((qName) => ({ qName })),
      qLocked: selections.isLocked(name),
    }
  })
  return { qBackCount: 0, qForwardCount: 0, qSelections }
}

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
    items: (doc, definition) => doc.content.dimensions.map((one) => listItem(one, definition)),
  },
  qMeasureListDef: {
    member: 'qMeasureList',
    items: (doc, definition) => doc.content.measures.map((one) => listItem(one, definition)),
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
      const qTags = tagsOf(column)
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
