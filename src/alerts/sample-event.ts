/** Invented events with every part filled in: for checking templates, for previews and for test alerts. */
import { severityOf } from '../events/kinds.ts'
import type { EventDetails, EventOutcome, EventType, TaskEvent, TaskMessage } from '../events/types.ts'
import type { CloudLook, ReloadNotice } from '../qlik/cloud/types.ts'
import { cloudVariables } from '../qlik/cloud/variables.ts'
import type { QrsApp, QrsExecutionResult, QrsTask } from '../qlik/qrs/types.ts'

const TASK_ID = '11111111-2222-4333-8444-555555555555'
const APP_ID = '66666666-7777-4888-8999-aaaaaaaaaaaa'
const EXECUTION_ID = 'bbbbbbbb-cccc-4ddd-8eee-ffffffffffff'
const MINUTE_MS = 60_000

/** The signs of an outcome in QRS and in the script log; outcomes that do not end a task have none. */
const ENDS: Partial<Record<EventOutcome, { status: number; last: string; message: string }>> = {
  failed: { status: 8, last: "0042 Error: Field 'Amount' not found", message: 'Max retries reached' },
  aborted: { status: 6, last: '     Execution Aborted', message: 'Execution State Change to Aborting' },
  success: { status: 7, last: '     Execution finished.', message: 'Reload complete' },
}

const TASK: QrsTask = {
  id: TASK_ID,
  name: 'Sample task "A & B"',
  taskType: 0,
  enabled: true,
  tags: [{ id: TASK_ID, name: 'sample-tag' }],
  customProperties: [{ value: 'sample', definition: { id: TASK_ID, name: 'SampleProperty' } }],
  isManuallyTriggered: false,
  isPartialReload: false,
  maxRetries: 0,
  modifiedByUserName: 'SAMPLE\\anna',
  modifiedDate: '2026-01-01T11:00:00.000Z',
  taskSessionTimeout: 1440,
  operational: { nextExecution: '2026-01-16T06:00:00.000Z' },
}

const APP: QrsApp = {
  id: APP_ID,
  name: 'Sample app',
  description: 'An invented app',
  fileSize: 1_234_567,
  lastReloadTime: '2026-01-14T06:03:10.000Z',
  modifiedDate: '2026-01-14T06:03:11.000Z',
  modifiedByUserName: 'SAMPLE\\anna',
  publishTime: '2026-01-01T00:00:00.000Z',
  published: true,
  stream: { id: APP_ID, name: 'Sample stream' },
  owner: { id: APP_ID, userId: 'anna', userDirectory: 'SAMPLE', name: 'Anna Sample' },
  tags: [{ id: APP_ID, name: 'sample-app-tag' }],
  customProperties: [],
}

const OWNER = {
  id: APP_ID,
  directory: 'SAMPLE',
  userId: 'anna',
  userName: 'Anna Sample',
  emails: ['anna@sample.example'],
}

const NOTHING = {
  taskName: '',
  appName: '',
  user: '',
  taskId: '',
  appId: '',
  logTimeStamp: '',
  logLevel: '',
  executionId: '',
  logMessage: '',
} as const

/** A reload with this outcome, or another kind of event; marked as a test. Times are of January 2026, whenever it came. */
export function sampleEvent(
  id: string,
  outcome: EventOutcome,
  receivedAt: number,
  type: EventType = 'reload',
): TaskEvent {
  return {
    id,
    receivedAt,
    source: 'test',
    type,
    outcome,
    severity: severityOf(outcome),
    host: 'sample-host',
    ...NOTHING,
    task: null,
    app: null,
    owner: null,
    execution: null,
    scriptLog: null,
    missingParts: [],
    details: null,
    code: null,
    history: null,
    retry: null,
    test: true,
    ...PARTS[type](type, outcome),
  }
}

/** A sample without the mail addresses of its invented owner: safe to be sent to destinations that also mail the owner. */
export function sampleToSend(id: string, outcome: EventOutcome, receivedAt: number, type: EventType): TaskEvent {
  const sample = sampleEvent(id, outcome, receivedAt, type)
  const { owner, details } = sample
  return {
    ...sample,
    owner: owner && { ...owner, emails: [] },
    details:
      details?.kind === 'cloudReload'
        ? { ...details, variables: { ...details.variables, appOwnerEmail: '' } }
        : details,
  }
}

type Parts = (type: EventType, outcome: EventOutcome) => Partial<TaskEvent>

const PARTS: Record<EventType, Parts> = {
  reload: (type, outcome) => ({ ...ofTask(0, outcome, 'app'), scriptLog: scriptLog(type, outcome) }),
  externalProgram: (_, outcome) => ofTask(1, outcome),
  userSync: (_, outcome) => ofTask(2, outcome),
  distribute: (_, outcome) => ofTask(3, outcome, 'app'),
  preload: (_, outcome) => ofTask(4, outcome, 'app'),
  cloudReload: (type, outcome) => ({
    appId: APP_ID,
    appName: APP.name,
    executionId: '670e1df04cf4e529c035c902',
    host: 'sample.eu.qlikcloud.com',
    user: '64e7f1sampleuser',
    logTimeStamp: '2026-01-15T06:03:11.482Z',
    logMessage: outcome === 'success' ? '' : 'error in app script or datasource',
    details: cloudDetails(outcome),
    scriptLog: scriptLog(type, outcome),
  }),
  appReload: () => ({
    appId: APP_ID,
    appName: APP.name,
    app: APP,
    owner: OWNER,
    user: 'SAMPLE\\anna',
    logTimeStamp: '2026-01-15 06:03:11,482',
    logLevel: 'ERROR',
    logMessage: "Reload failed: Field 'Amount' not found",
  }),
  service: (_, outcome) => ({ details: service(outcome) }),
  license: (_, outcome) => ({ details: LICENSES[outcome === 'expired' ? 'expired' : 'running'] }),
  self: () => ({
    code: 'QRS_DOWN',
    details: { kind: 'self', text: 'The repository service of sample-host has not answered for 5 minutes.' },
  }),
}

function ofTask(taskType: number, outcome: EventOutcome, app?: 'app'): Partial<TaskEvent> {
  const end = ENDS[outcome]
  const message: Partial<TaskMessage> = {
    taskName: TASK.name,
    taskId: TASK_ID,
    user: 'SAMPLE\\anna',
    executionId: EXECUTION_ID,
    logTimeStamp: '2026-01-15 06:03:11,482',
    logLevel: 'INFO',
    logMessage: end?.message ?? '',
  }
  return {
    ...message,
    ...(app ? { appName: APP.name, appId: APP_ID, app: APP, owner: OWNER } : {}),
    task: { ...TASK, taskType, ...(app ? { app: { id: APP_ID, name: APP.name } } : {}) },
    history: {
      consecutiveFailures: outcome === 'success' ? 0 : 2,
      lastSuccessAt: Date.parse('2026-01-14T06:03:10.000Z'),
    },
    ...(end ? { execution: execution(end.status) } : { details: watchdog(outcome) }),
  }
}

function execution(status: number): QrsExecutionResult {
  return {
    id: EXECUTION_ID,
    status,
    executingNodeName: 'sample-node',
    startTime: '2026-01-15T06:00:01.120Z',
    stopTime: '2026-01-15T06:03:11.482Z',
    duration: 190_362,
    fileReferenceID: EXECUTION_ID,
    scriptLogAvailable: true,
    scriptLogSize: 48_213,
    details: [
      { detailsType: 2, message: 'Changing task state to Triggered', detailCreatedDate: '2026-01-15T06:00:01.120Z' },
      { detailsType: 2, message: 'Sample detail', detailCreatedDate: '2026-01-15T06:03:11.482Z' },
    ],
  }
}

function scriptLog(type: EventType, outcome: EventOutcome): TaskEvent['scriptLog'] {
  const last = ENDS[outcome]?.last
  if (!last) return null
  const lines = [
    '2026-01-15 06:00:01      Execution started.',
    '2026-01-15 06:00:02  0001 SET x=1',
    `2026-01-15 06:03:11  ${last}`,
  ]
  return { lines, characters: lines.join(type === 'reload' ? '\r\n' : '\n').length }
}

function watchdog(outcome: EventOutcome): EventDetails {
  return {
    kind: 'watchdog',
    elapsedMs: 40 * MINUTE_MS,
    limitMs: 15 * MINUTE_MS,
    usualMs: 5 * MINUTE_MS,
    dueAt: outcome === 'stuck' ? null : Date.parse('2026-01-15T06:00:00.000Z'),
  }
}

function service(outcome: EventOutcome): EventDetails {
  const started = outcome === 'started'
  return {
    kind: 'service',
    serviceName: 'QlikSenseEngineService',
    displayName: 'Qlik Sense Engine Service',
    friendlyName: 'Engine',
    status: started ? 'RUNNING' : outcome === 'unreachable' ? 'UNREACHABLE' : 'STOPPED',
    previousStatus: started ? 'STOPPED' : 'RUNNING',
    startType: 'Automatic',
    exePath: '"C:\\Program Files\\Qlik\\Sense\\Engine\\Engine.exe" -service',
    dependencies: ['QlikSenseServiceDispatcher'],
  }
}

const LICENSES = {
  running: { kind: 'license', expired: false, expiryDate: '2026-02-25T00:00:00.000Z', daysRemaining: 41 },
  expired: { kind: 'license', expired: true, expiryDate: '2026-01-14T00:00:00.000Z', daysRemaining: -1 },
} as const satisfies Record<string, EventDetails>

/** The event and the tenant's answers about it; the way to variables is that of live events. */
function cloudDetails(outcome: EventOutcome): EventDetails {
  const isSuccess = outcome === 'success'
  const notice: ReloadNotice = {
    eventType: 'com.qlik.v1.app.reload.finished',
    eventTypeVersion: '1.0.0',
    source: 'com.qlik/engine',
    time: '2026-01-15T06:03:11.482Z',
    tenantId: 'sample.eu.qlikcloud.com',
    userId: '64e7f1sampleuser',
    ownerId: '64e7f1sampleuser',
    appId: APP_ID,
    appName: APP.name,
    reloadId: '670e1df04cf4e529c035c902',
    outcome: isSuccess ? 'success' : 'failed',
    status: isSuccess ? 'ok' : 'error',
    data: {
      endedWithMemoryConstraint: false,
      isDirectQueryMode: false,
      isPartialReload: false,
      isSessionApp: false,
      isSkipStore: false,
      peakMemoryBytes: 11_111_111,
      rowLimit: -1,
      statements: 12,
      duration: 190,
      size: { memory: 2_222_222 },
    },
  }
  const found = <T>(value: T) => ({ state: 'found', value }) as const
  const look: CloudLook = {
    reload: found({
      id: notice.reloadId,
      type: 'chronos',
      status: isSuccess ? 'SUCCEEDED' : 'FAILED',
      ...(!isSuccess && { errorCode: 'EngineReloadScriptError', errorMessage: 'error in app script or datasource' }),
      log: isSuccess ? 'Reload started\nReload finished' : 'Reload started\nReload failed',
      creationTime: '2026-01-15T06:00:00.480Z',
      startTime: '2026-01-15T06:00:01.120Z',
      endTime: '2026-01-15T06:03:11.482Z',
    }),
    app: found({
      name: APP.name,
      description: 'An invented app',
      thumbnail: 'https://sample.eu.qlikcloud.com/thumbnail.png',
      publishTime: '2026-01-01T00:00:00.000Z',
      hasSectionAccess: false,
    }),
    item: found({ tags: ['sample-app-tag'], fileSize: 1_234_567 }),
    owner: found({
      id: notice.ownerId,
      name: 'Anna Sample',
      email: 'anna@sample.example',
      picture: 'https://sample.eu.qlikcloud.com/anna.png',
    }),
  }
  const tenant = { id: notice.tenantId, tenantUrl: 'https://sample.eu.qlikcloud.com', comment: 'Sample tenant' }
  return { kind: 'cloudReload', variables: cloudVariables(notice, look, tenant) }
}
