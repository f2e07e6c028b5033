/**
 * The objects of a simulated Qlik Sense site. They form a live graph (a task points to its app, an app to its stream and
 * owner), so a change is visible everywhere at once; `qrs/shapes.ts` says how each is written as JSON.
 * Every time is in milliseconds since 1970-01-01 UTC; `NEVER_MS` is QRS's "never" (1753-01-01).
 */

export const NEVER_MS = Date.UTC(1753, 0, 1)

export interface SimEntity {
  readonly id: string
  createdDate: number
  modifiedDate: number
  /** `LAB\anna`. */
  modifiedByUserName: string
}

export interface SimNode extends SimEntity {
  name: string
  hostName: string
  isCentral: boolean
  /** 0 production, 1 development, 2 both. */
  nodePurpose: number
  engineEnabled: boolean
  proxyEnabled: boolean
  printingEnabled: boolean
  schedulerEnabled: boolean
  failoverCandidate: boolean
  schedulerReloadEnabled: boolean
  schedulerPreloadEnabled: boolean
  /** 0 master, 1 slave, 2 both. */
  schedulerServiceType: number
  maxConcurrentEngines: number
}

export interface SimTag extends SimEntity {
  name: string
}

export interface SimCustomPropertyDefinition extends SimEntity {
  name: string
  description: string
  valueType: string
  choiceValues: string[]
  objectTypes: string[]
}

export interface SimCustomPropertyValue extends SimEntity {
  value: string
  definition: SimCustomPropertyDefinition
}

export interface SimStream extends SimEntity {
  name: string
  owner: SimUser
}

export interface SimUserAttribute extends SimEntity {
  attributeType: string
  attributeValue: string
  externalId: string
}

export interface SimUser extends SimEntity {
  userId: string
  userDirectory: string
  userDirectoryConnectorName: string
  name: string
  roles: string[]
  attributes: SimUserAttribute[]
  inactive: boolean
  removedExternally: boolean
  blacklisted: boolean
  deleteProhibited: boolean
  tags: SimTag[]
  customProperties: SimCustomPropertyValue[]
}

export interface SimUserDirectory extends SimEntity {
  name: string
  userDirectoryName: string
  type: string
}

export interface SimDataConnection extends SimEntity {
  name: string
  connectionstring: string
  type: string
  owner: SimUser
}

export interface SimApp extends SimEntity {
  name: string
  appId: string
  owner: SimUser
  /** Null while unpublished. */
  stream: SimStream | null
  published: boolean
  publishTime: number
  description: string
  /** Bytes. */
  fileSize: number
  lastReloadTime: number
  tags: SimTag[]
  customProperties: SimCustomPropertyValue[]
  availabilityStatus: number
  /** Simulation only: what a reload of this app does, in the scheduler and in the engine alike. */
  readonly sectionAccess: boolean
  /** Milliseconds a reload takes unless a task says otherwise. */
  reloadDurationMs: number
  /** Error text of the script, when every reload fails. */
  scriptError: string | null
}

/** 0 reload, 1 external program, 2 user sync, 3 distribute, 4 preload. */
export type TaskType = 0 | 1 | 2 | 3 | 4

export type TaskOutcome = 'success' | 'fail' | 'fail-then-success' | 'error' | 'hang' | 'skipped'

/** How a task behaves when it runs; settable while the simulator runs. */
export interface TaskBehaviour {
  outcome: TaskOutcome
  durationMs: number
  /** Extra time in the state Queued before the run begins. */
  queueMs: number
  /** With `fail-then-success`: how many attempts of one session fail. */
  failures: number
  /** Detail text of the failure and, for preload, the scheduler's log message. */
  failMessage: string | null
  /** A script log to serve instead of the produced one. */
  log: string | null
}

/** A task does this unless its data say otherwise. */
export const DEFAULT_BEHAVIOUR: TaskBehaviour = {
  outcome: 'success',
  durationMs: 1500,
  queueMs: 0,
  failures: 1,
  failMessage: null,
  log: null,
}

export interface ExecutionDetail {
  /** 0 error, 1 warning, 2 information. */
  readonly detailsType: 0 | 1 | 2
  readonly message: string
  readonly at: number
}

/** One attempt of one run; the `executionresult` of QRS. */
export interface SimExecution extends SimEntity {
  readonly taskID: string
  /** Id of the session; the same for all attempts, and the `ExecutionId` of the scheduler's messages. */
  readonly executionID: string
  readonly appID: string
  executingNodeID: string
  executingNodeName: string
  status: number
  startTime: number
  stopTime: number
  /** Milliseconds. */
  duration: number
  fileReferenceID: string
  scriptLogAvailable: boolean
  scriptLogLocation: string
  scriptLogSize: number
  details: ExecutionDetail[]
}

export interface SimTask extends SimEntity {
  name: string
  readonly taskType: TaskType
  enabled: boolean
  /** Minutes. */
  taskSessionTimeout: number
  maxRetries: number
  tags: SimTag[]
  customProperties: SimCustomPropertyValue[]
  app: SimApp | null
  isManuallyTriggered: boolean
  isPartialReload: boolean
  timeToLive: number
  preloadNodes: string[] | null
  path: string
  parameters: string
  qlikUser: SimUser | null
  userDirectory: SimUserDirectory | null
  operational: { readonly id: string; lastExecutionResult: SimExecution; nextExecution: number }
  behaviour: TaskBehaviour
}

/** A run that has not ended; the `executionsession` of QRS. */
export interface SimSession extends SimEntity {
  readonly task: SimTask
  execution: SimExecution
  /** `LAB\anna` or `INTERNAL\sa_scheduler`. */
  readonly user: string
  executingNode: SimNode
  abortAt: number
  /** 0 undefined, 1 manual, 2 time-out, 3 deleted task. */
  abortReason: number
}

export interface SimLicenceAllocation extends SimEntity {
  user: SimUser | null
  lastUsed: number
  quarantined: boolean
  quarantineEnd: number
  excess: boolean
  deletedUserId: string
  deletedUserDirectory: string
}

export interface SimServerLicence extends SimEntity {
  serial: string
  key: string
  keyDetails: string | null
  name: string
  organization: string
  isExpired: boolean
}

export interface SimSchemaEvent extends SimEntity {
  name: string
  enabled: boolean
  timeZone: string
  daylightSavingTime: number
  startDate: number
  expirationDate: number
  schemaFilterDescription: string[]
  incrementDescription: string
  incrementOption: number
  task: SimTask
  operational: { readonly id: string; nextExecution: number; timesTriggered: number }
}

export interface SimCompositeRule {
  readonly id: string
  /** 1 task successful, 2 task failed. */
  ruleState: number
  task: SimTask
  operational: { readonly id: string; timeStamp: number; currentState: number }
}

export interface SimCompositeEvent extends SimEntity {
  name: string
  enabled: boolean
  timeConstraint: { days: number; hours: number; minutes: number; seconds: number }
  compositeRules: SimCompositeRule[]
  task: SimTask
}
