import { STATUS_NAMES, TASK_TYPE_NAMES } from '../scheduler/status.ts'

/**
 * Which properties the entities of QRS have, in the order in which QRS writes them. One table serves JSON (full and
 * condensed), filters (types and unknown properties), sorting and table columns.
 */

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

export type Scalar = 'guid' | 'string' | 'int' | 'number' | 'bool' | 'date' | 'json' | 'strings'

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
