import { randomUUID } from 'node:crypto'
import type { SimApp, SimClock } from '../types.ts'
import type { AppStore, Versions } from './app-store.ts'
import type { CalcContext } from './calc/evaluate.ts'
import type { Access, AppContent, ObjectNode, VariableContent } from './content/app-content.ts'
import { createDataModel, type DataModel, reduceTable } from './data.ts'
import { engineError } from './errors.ts'
import { asObject, asText, type Json } from './json.ts'
import type { Library } from './layout/columns.ts'
import type { Cube } from './layout/cube.ts'
import { codesWhere, createSelections, type Selections } from './selections.ts'
import type { EngineUser } from './users.ts'

/** A generic object: of the app, or of this session alone. */
export interface ObjectState {
  readonly id: string
  readonly type: string
  properties: Json
  readonly children: readonly ObjectState[]
  readonly parent: ObjectState | null
  readonly isSession: boolean
  /** The last calculated cube of each path, good as long as selections and data stay the same. */
  readonly cubes: Map<string, { readonly stamp: string; readonly cube: Cube }>
  /** Search texts of list objects, by path. */
  readonly searches: Map<string, string>
}

export interface VariableState {
  readonly id: string
  readonly name: string
  properties: Json
  /** Value set in this session, instead of the definition. */
  value: string | null
  readonly content: VariableContent
}

/** An app as it is open in one session. */
export interface OpenDoc extends Library {
  readonly app: SimApp
  readonly content: AppContent
  readonly noData: boolean
  /** The data and settings that expressions are calculated against; the model is made on its first use. */
  readonly context: CalcContext
  readonly versions: Versions
  readonly hasUnsavedReload: boolean
  lastReloadTime: number
  /** Changes with the selections, the variables and the data. */
  stamp(): string
  objects(): readonly ObjectState[]
  sessionObjects(): readonly ObjectState[]
  object(id: string): ObjectState | null
  createSessionObject(properties: Json): ObjectState
  destroySessionObject(id: string): ObjectState | null
  variables(): readonly VariableState[]
  createSessionVariable(properties: Json): VariableState
  destroySessionVariable(test: (variable: VariableState) => boolean): boolean
  variableChanged(): void
  /** Takes over the data of a reload, unsaved; the selections are kept by value. */
  setVersions(versions: Versions, at: number): void
  markSaved(): void
}

interface DocDeps {
  readonly app: SimApp
  readonly store: AppStore
  readonly clock: SimClock
  readonly user: EngineUser
}

/** Opens an app for a user. Throws error 5 when its section access denies him everything. */
export function openDoc({ app, store, clock, user }: DocDeps, noData: boolean): OpenDoc {
  const content = store.content(app)
  const granted = content.access?.(user) ?? 'all'
  if (granted === 'none') throw engineError('ACCESS_DENIED', app.id)
  const access: Exclude<Access, 'none'> = granted
  const topObjects = lazily(() => content.objects.map((node) => objectState(node, null)))
  const byId = lazily(() => new Map(flatten(topObjects()).map((object) => [object.id, object])))
  const sessionObjects = new Map<string, ObjectState>()
  const variables = content.variables.map(variableState)
  let versions = store.versions(app)
  let unsaved = false
  let generation = 0
  let data: { readonly model: DataModel; readonly selections: Selections } | null = null

  function openData() {
    data ??= makeData(content, noData ? new Map() : versions, access)
    return data
  }

  const find = (list: readonly Json[], id: string) => list.find((one) => asText(asObject(one.qInfo).qId) === id) ?? null

  const context: CalcContext = {
    get model() {
      return openData().model
    },
    get selections() {
      return openData().selections
    },
    get now() {
      return clock.now()
    },
    get reloadTime() {
      return doc.lastReloadTime
    },
    variable: (name) => {
      const found = variables.find((one) => one.name === name)
      return found ? (found.value ?? asText(found.properties.qDefinition)) : null
    },
    valueCounts(name) {
      const field = openData().model.field(name)
      if (!field) return null
      const states = openData().selections.states(field)
      const selected = states.filter((state) => state === 'S' || state === 'L').length
      return { selected, possible: states.filter((state) => state === 'O' || state === 'S' || state === 'L').length }
    },
  }

  const doc: OpenDoc = {
    app,
    content,
    noData,
    context,
    lastReloadTime: app.lastReloadTime,
    get versions() {
      return versions
    },
    get hasUnsavedReload() {
      return unsaved
    },
    stamp: () => `${generation}.${openData().selections.version}`,
    dimension: (id) => find(content.dimensions, id),
    measure: (id) => find(content.measures, id),
    objects: topObjects,
    sessionObjects: () => [...sessionObjects.values()],
    object: (id) => sessionObjects.get(id) ?? byId().get(id) ?? null,
    createSessionObject(properties) {
      const info = asObject(properties.qInfo)
      const qId = asText(info.qId) || randomUUID()
      const node = { properties: { ...properties, qInfo: { ...info, qId, qType: asText(info.qType) } }, children: [] }
      const object = { ...objectState(node, null), isSession: true }
      sessionObjects.set(qId, object)
      return object
    },
    destroySessionObject(id) {
      const object = sessionObjects.get(id) ?? null
      sessionObjects.delete(id)
      return object
    },
    variables: () => variables,
    createSessionVariable(properties) {
      const name = asText(properties.qName)
      if (variables.some((one) => one.name === name)) throw engineError('VARIABLE_DUPLICATE_NAME', name)
      const info = asObject(properties.qInfo)
      const qInfo = { ...info, qId: asText(info.qId) || randomUUID(), qType: asText(info.qType) || 'variable' }
      const created = variableState({ properties: { ...properties, qInfo } })
      variables.push(created)
      generation += 1
      return created
    },
    destroySessionVariable(test) {
      const index = variables.findIndex((one) => !content.variables.includes(one.content) && test(one))
      if (index >= 0) variables.splice(index, 1)
      generation += 1
      return index >= 0
    },
    variableChanged: () => {
      generation += 1
    },
    setVersions(next, at) {
      const kept = data ? selectedTexts(data) : new Map<string, ReadonlySet<string>>()
      versions = next
      unsaved = true
      doc.lastReloadTime = at
      generation += 1
      data = null
      if (kept.size > 0) selectTexts(openData(), kept)
    },
    markSaved: () => {
      unsaved = false
    },
  }
  return doc
}

function makeData(content: AppContent, versions: Versions, access: Exclude<Access, 'none'>) {
  const tables = content.tables.flatMap((table) => {
    const version = versions.get(table.name)
    return version ? [table.build(version)] : []
  })
  const reduced =
    access === 'all'
      ? tables
      : tables.map((table) => {
          const column = table.columns.find((one) => one.name === access.field)
          return column
            ? reduceTable(table, (row) => access.values.includes(column.symbol(column.codeAt(row)).text))
            : table
        })
  const model = createDataModel(reduced)
  return { model, selections: createSelections(model) }
}

type Data = ReturnType<typeof makeData>

function selectedTexts({ model, selections }: Data): Map<string, ReadonlySet<string>> {
  return new Map(
    [...selections.current()].map(([name, codes]) => {
      const column = model.field(name)?.column
      return [name, new Set([...codes].map((code) => column?.symbol(code).text ?? ''))]
    }),
  )
}

function selectTexts({ model, selections }: Data, texts: ReadonlyMap<string, ReadonlySet<string>>) {
  for (const [name, wanted] of texts) {
    const field = model.field(name)
    if (field)
      selections.select(
        name,
        codesWhere(field, ({ text }) => wanted.has(text)),
      )
  }
}

function objectState({ properties, children }: ObjectNode, parent: ObjectState | null): ObjectState {
  const info = asObject(properties.qInfo)
  const own: ObjectState[] = []
  const object: ObjectState = {
    id: asText(info.qId),
    type: asText(info.qType),
    properties,
    children: own,
    parent,
    isSession: false,
    cubes: new Map(),
    searches: new Map(),
  }
  own.push(...children.map((child) => objectState(child, object)))
  return object
}

const flatten = (objects: readonly ObjectState[]): ObjectState[] =>
  objects.flatMap((object) => [object, ...flatten(object.children)])

function variableState(content: VariableContent): VariableState {
  const { properties } = content
  return {
    id: asText(asObject(properties.qInfo).qId),
    name: asText(properties.qName),
    properties,
    value: null,
    content,
  }
}

function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
