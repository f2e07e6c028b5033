/**
 * The entities of QRS: their properties in the order in which QRS writes them, and how they are written as JSON. One table
 * serves JSON (full and condensed), filters (types and unknown properties), sorting and table columns.
 */
import { STATUS_NAMES, TASK_TYPE_NAMES } from '../scheduler/execution.ts'
import { ZERO_GUID } from '../site.ts'
import type { SimExecution, SimTask } from '../types.ts'

export const ENUMS: Readonly<Record<string, readonly string[]>> = {
  StatusEnum: STATUS_NAMES,
  TaskTypeEnum: TASK_TYPE_NAMES,
  DetailsTypeEnum: ['Error', 'Warning', 'Information'],
  AbortReasonEnum: ['Undefined', 'Manual', 'Timeout', 'DeletedTask'],
  ServiceTypeEnum: ['Repository', 'Proxy', 'Scheduler', 'Engine', 'AppMigration', 'Printing'],
  ServiceStateEnum: ['Initializing', 'CertificatesNotInstalled', 'Running', 'NoCommunication', 'Disabled', 'Unknown'],
  SchedulerServiceTypeEnum: ['Master', 'Slave', 'MasterAndSlave'],
  NodePurposeEnum: ['Production', 'Development', 'Both'],
  ChangeTypeEnum: ['Undefined', 'Add', 'Update', 'Delete'],
  EventTypeEnum: ['Schema', 'Composite'],
  IncrementOptionEnum: ['once', 'hourly', 'daily', 'weekly', 'monthly', 'custom'],
  DaylightSavingTimeEnum: ['ObserveDaylightSavingTime', 'PermanentStandardTime', 'PermanentDaylightSavingTime'],
  RuleStateEnum: ['Undefined', 'TaskSuccessful', 'TaskFail'],
  AvailabilityStatusEnum: ['NotApplicable'],
}

type Scalar = 'guid' | 'string' | 'int' | 'number' | 'bool' | 'date' | 'json' | 'strings'

export interface Field {
  readonly name: string
  readonly kind: Scalar | 'enum' | 'ref' | 'list'
  /** Enumeration of `enum`, shape of `ref` and `list`. */
  readonly of: string
  /** Nested objects are condensed unless this is set. */
  readonly nestedFull: boolean
  /** Only in the full form. */
  readonly fullOnly: boolean
}

export interface Shape {
  readonly name: string
  readonly fields: readonly Field[]
  /** By lower-case name. */
  readonly byName: ReadonlyMap<string, Field>
}

const COMMON = 'id:guid +createdDate:date +modifiedDate:date +modifiedByUserName:string'
const END = 'privileges:json +schemaPath:json'
const TASK =
  'name:string taskType:enum(TaskTypeEnum) enabled:bool taskSessionTimeout:int maxRetries:int +tags:list(Tag)'
const PROPERTIES = '+customProperties:list!(CustomPropertyValue)'
const RELOAD = '+app:ref(App) +isManuallyTriggered:bool +isPartialReload:bool +timeToLive:int +preloadNodes:json'
const PROGRAM = '+path:string +parameters:string +qlikUser:ref(User)'
const OPERATIONAL = 'operational:ref(TaskOperational)'
const OUTER = '+reloadTask:ref(TaskReference) +userSyncTask:ref(TaskReference) +externalProgramTask:ref(TaskReference)'
const RESULT =
  'executingNodeName:string status:enum(StatusEnum) startTime:date stopTime:date duration:int fileReferenceID:guid scriptLogAvailable:bool details:json scriptLogLocation:string scriptLogSize:int'
const ALLOCATION =
  'user:ref(User) lastUsed:date quarantined:bool quarantineEnd:date excess:bool deletedUserId:string deletedUserDirectory:string'

/** `+` = full form only, `!` = nested in full. */
const TABLE: Readonly<Record<string, string>> = {
  Task: `${COMMON} ${PROPERTIES} ${RELOAD} ${PROGRAM} +userDirectory:ref(UserDirectory) ${OPERATIONAL} ${TASK} ${END}`,
  ReloadTask: `${COMMON} ${PROPERTIES} ${RELOAD} ${OPERATIONAL} ${TASK} ${END}`,
  ExternalProgramTask: `${COMMON} ${PROPERTIES} ${PROGRAM} ${OPERATIONAL} ${TASK} ${END}`,
  UserSyncTask: `${COMMON} ${PROPERTIES} +userDirectory:ref(UserDirectory) ${OPERATIONAL} ${TASK} ${END}`,
  TaskReference:
    'id:guid name:string taskType:enum(TaskTypeEnum) enabled:bool taskSessionTimeout:int maxRetries:int privileges:json',
  TaskOperational: 'id:guid lastExecutionResult:ref(LastExecutionResult) nextExecution:date privileges:json',
  LastExecutionResult: `id:guid ${RESULT} privileges:json`,
  ExecutionResult: `${COMMON} taskID:guid executionID:guid appID:guid executingNodeID:guid ${RESULT} ${END}`,
  ExecutionSession: `${COMMON} executingNode:json executionResult:json abortAt:date abortReason:enum(AbortReasonEnum) reloadTask:ref(TaskReference) userSyncTask:ref(TaskReference) externalProgramTask:ref(TaskReference) ${END}`,
  App: `${COMMON} ${PROPERTIES} +owner:ref(User) name:string appId:string +sourceAppId:guid +targetAppId:guid publishTime:date published:bool +tags:list(Tag) +description:string stream:ref(Stream) +fileSize:int +lastReloadTime:date +thumbnail:string savedInProductVersion:string migrationHash:string +dynamicColor:string availabilityStatus:enum(AvailabilityStatusEnum) ${END}`,
  Stream: `${COMMON} +owner:ref(User) name:string ${END}`,
  User: `${COMMON} ${PROPERTIES} userId:string userDirectory:string userDirectoryConnectorName:string name:string +roles:strings +attributes:list!(UserAttribute) +inactive:bool +removedExternally:bool +blacklisted:bool +deleteProhibited:bool +tags:list(Tag) ${END}`,
  UserAttribute: `${COMMON} attributeType:string attributeValue:string externalId:string +schemaPath:json`,
  UserDirectory: `${COMMON} name:string +userDirectoryName:string type:string ${END}`,
  Tag: `${COMMON} name:string ${END}`,
  CustomPropertyDefinition: `${COMMON} name:string +description:string valueType:string choiceValues:strings +objectTypes:strings ${END}`,
  CustomPropertyValue: `${COMMON} value:string definition:ref(CustomPropertyDefinition) +schemaPath:json`,
  DataConnection: `${COMMON} +owner:ref(User) name:string connectionstring:string type:string ${END}`,
  ServerNodeConfiguration: `${COMMON} name:string hostName:string isCentral:bool nodePurpose:enum(NodePurposeEnum) engineEnabled:bool proxyEnabled:bool printingEnabled:bool schedulerEnabled:bool failoverCandidate:bool schedulerReloadEnabled:bool schedulerPreloadEnabled:bool ${END}`,
  NodeSummary: 'id:guid name:string hostName:string',
  SchedulerService: `${COMMON} settings:ref(SchedulerSettings) serverNodeConfiguration:ref(NodeSummary) ${END}`,
  SchedulerSettings:
    'id:guid schedulerServiceType:enum(SchedulerServiceTypeEnum) maxConcurrentEngines:int engineTimeout:int',
  ServiceStatus:
    'id:guid serviceType:enum(ServiceTypeEnum) serviceState:enum(ServiceStateEnum) timestamp:date serverNodeConfiguration:ref(NodeSummary) +schemaPath:json',
  SchemaEvent: `${COMMON} name:string enabled:bool eventType:enum(EventTypeEnum) timeZone:string daylightSavingTime:enum(DaylightSavingTimeEnum) startDate:date expirationDate:date schemaFilterDescription:strings incrementDescription:string incrementOption:enum(IncrementOptionEnum) ${OUTER} operational:ref(SchemaOperational) ${END}`,
  SchemaOperational: 'id:guid nextExecution:date timesTriggered:int privileges:json',
  CompositeEvent: `${COMMON} name:string enabled:bool eventType:enum(EventTypeEnum) timeConstraint:json compositeRules:list!(CompositeRule) ${OUTER} ${END}`,
  CompositeRule: `id:guid ruleState:enum(RuleStateEnum) ${OUTER} operational:ref(RuleOperational)`,
  RuleOperational: 'id:guid timeStamp:date currentState:enum(RuleStateEnum)',
  'License.ProfessionalAccessType': `${COMMON} ${ALLOCATION} ${END}`,
  'License.AnalyzerAccessType': `${COMMON} ${ALLOCATION} ${END}`,
  License: `${COMMON} lef:string serial:string check:string key:string keyDetails:string name:string organization:string product:int numberOfCores:int isExpired:bool expiredReason:string isBlacklisted:bool isInvalid:bool isSubscription:bool isCloudServices:bool isElastic:bool updated:date ${END}`,
}

export const SHAPES: Readonly<Record<string, Shape>> = Object.fromEntries(
  Object.entries(TABLE).map(([name, text]) => [name, parseShape(name, text)]),
)

function parseShape(name: string, text: string): Shape {
  const fields = text.split(/\s+/).map(parseField)
  return { name, fields, byName: new Map(fields.map((field) => [field.name.toLowerCase(), field])) }
}

function parseField(text: string): Field {
  const match = /^(\+?)(\w+):(\w+)(!?)(?:\(([\w.]+)\))?$/.exec(text)
  if (!match) throw new Error(`Bad field in the table of QRS entities: ${text}`)
  const [, plus, name = '', kind = '', full, of = ''] = match
  return { name, kind: kind as Field['kind'], of, nestedFull: full === '!', fullOnly: plus === '+' }
}

export type Form = 'condensed' | 'full'
type Json = Record<string, unknown>
type Getter = (entity: never) => unknown

/** Properties that are computed, because no object holds them under their name. */
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
