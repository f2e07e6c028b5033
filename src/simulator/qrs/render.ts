import { ZERO_GUID } from '../site.ts'
import type { SimExecution, SimTask } from '../types.ts'
import { type Field, SHAPES, type Shape } from './shapes.ts'

export type Form = 'condensed' | 'full'
type Json = Record<string, unknown>
type Getter = (entity: never) => unknown

/** Properties that no object holds under their name. */
const GETTERS: Readonly<Record<string, Readonly<Record<string, Getter>>>> = {
  App: {
    sourceAppId: () => ZERO_GUID,
    targetAppId: () => ZERO_GUID,
    thumbnail: () => '',
    savedInProductVersion: () => '12.2027.0',
    migrationHash: () => '21ecc792c56e18162f1785d3d41f28fdaced5c96',
    dynamicColor: () => '',
  },
  ExecutionResult: { details: renderDetails },
  LastExecutionResult: { details: renderDetails },
  ExecutionSession: {
    executingNode: ({ executingNode }: { executingNode: { id: string } }) => ({
      id: executingNode.id,
      privileges: null,
    }),
    executionResult: ({ execution }: { execution: SimExecution }) => ({
      Id: execution.id,
      ...render(execution, SHAPES.LastExecutionResult!, 'full'),
    }),
    ...taskGetters(),
  },
  SchemaEvent: { eventType: () => 0, ...taskGetters() },
  CompositeEvent: { eventType: () => 1, ...taskGetters() },
  CompositeRule: taskGetters(),
  License: {
    lef: () => '',
    check: () => '',
    product: () => 7,
    numberOfCores: () => -1,
    expiredReason: () => '',
    isBlacklisted: () => false,
    isInvalid: () => false,
    isSubscription: () => true,
    isCloudServices: () => false,
    isElastic: () => false,
    updated: ({ modifiedDate }: { modifiedDate: number }) => modifiedDate,
  },
}

/** Triggers and sessions name their task under the property of its type and leave the others null. */
function taskGetters(): Readonly<Record<string, Getter>> {
  const ofType =
    (wanted: string): Getter =>
    ({ task }: { task: SimTask }) =>
      shapeOfTask(task).name === wanted ? task : null
  return {
    reloadTask: ofType('ReloadTask'),
    userSyncTask: ofType('UserSyncTask'),
    externalProgramTask: ofType('ExternalProgramTask'),
  }
}

/** Distribute and preload tasks are reload tasks to QRS. */
export function shapeOfTask(task: SimTask): Shape {
  if (task.taskType === 1) return SHAPES.ExternalProgramTask!
  return task.taskType === 2 ? SHAPES.UserSyncTask! : SHAPES.ReloadTask!
}

const isTask = (entity: object): entity is SimTask => 'behaviour' in entity

/** The value of one property, before it is written as JSON. */
export function read(entity: object, shape: Shape, field: Field): unknown {
  const getter = GETTERS[shape.name]?.[field.name]
  return getter ? getter(entity as never) : (entity as Json)[field.name]
}

/** Writes an entity as QRS does; nested objects are condensed unless their field says otherwise. */
export function render(entity: object, general: Shape, form: Form): Json {
  const shape = general.name === 'Task' && isTask(entity) ? shapeOfTask(entity) : general
  const json: Json = {}
  for (const field of shape.fields) {
    if (field.fullOnly && form === 'condensed') continue
    json[field.name] = renderField(entity, shape, field)
  }
  return json
}

function renderField(entity: object, shape: Shape, field: Field): unknown {
  if (field.name === 'privileges') return null
  if (field.name === 'schemaPath') return shape.name
  const value = read(entity, shape, field)
  if (value === null || value === undefined) return null
  if (field.kind === 'date') return new Date(value as number).toISOString()
  const nested = SHAPES[field.of]
  const form = field.nestedFull ? 'full' : 'condensed'
  if (field.kind === 'ref') return render(value as object, nested!, form)
  if (field.kind === 'list') return (value as readonly object[]).map((element) => render(element, nested!, form))
  return value
}

/** Ids of details follow from the id of their execution result. */
function renderDetails(execution: SimExecution): Json[] {
  const tail = execution.id.slice(24)
  return execution.details.map(({ detailsType, message, at }, index) => ({
    id: `0e000000-0000-4000-8${String(index + 1).padStart(3, '0')}-${tail}`,
    detailsType,
    message,
    detailCreatedDate: new Date(at).toISOString(),
    privileges: null,
  }))
}
