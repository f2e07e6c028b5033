/** An invented event with every part filled in: for checking templates and for test alerts. */
import type { Outcome, Severity, TaskEvent } from '../events/types.ts'
import type { QrsApp, QrsTask } from '../qlik/qrs/types.ts'

const TASK_ID = '11111111-2222-4333-8444-555555555555'
const APP_ID = '66666666-7777-4888-8999-aaaaaaaaaaaa'
const EXECUTION_ID = 'bbbbbbbb-cccc-4ddd-8eee-ffffffffffff'

const STATUS: Record<Outcome, { status: number; severity: Severity; last: string }> = {
  failed: { status: 8, severity: 'error', last: "2026-01-15 06:03:11  0042 Error: Field 'Amount' not found" },
  aborted: { status: 6, severity: 'warning', last: '2026-01-15 06:03:11      Execution Aborted' },
  success: { status: 7, severity: 'info', last: '2026-01-15 06:03:11      Execution finished.' },
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

/** A reload with this outcome; marked as a test. */
export function sampleEvent(id: string, outcome: Outcome, receivedAt: number): TaskEvent {
  const { status, severity, last } = STATUS[outcome]
  const lines = ['2026-01-15 06:00:01      Execution started.', '2026-01-15 06:00:02  0001 SET x=1', last]
  return {
    id,
    receivedAt,
    source: 'test',
    type: 'reload',
    outcome,
    severity,
    host: 'sample-host',
    taskName: TASK.name,
    appName: APP.name,
    user: 'SAMPLE\\anna',
    taskId: TASK_ID,
    appId: APP_ID,
    logTimeStamp: '2026-01-15 06:03:11,482',
    logLevel: 'INFO',
    executionId: EXECUTION_ID,
    logMessage: 'Sample message',
    task: TASK,
    app: APP,
    owner: {
      id: APP_ID,
      directory: 'SAMPLE',
      userId: 'anna',
      userName: 'Anna Sample',
      emails: ['anna@sample.example'],
    },
    execution: {
      id: EXECUTION_ID,
      status,
      executingNodeName: 'sample-node',
      startTime: '2026-01-15T06:00:01.120Z',
      stopTime: '2026-01-15T06:03:11.482Z',
      duration: 190_362,
      fileReferenceID: EXECUTION_ID,
      scriptLogAvailable: true,
      scriptLogSize: 48_213,
      details: [{ detailsType: 2, message: 'Sample detail', detailCreatedDate: '2026-01-15T06:00:01.120Z' }],
    },
    scriptLog: { lines, characters: lines.join('\r\n').length },
    missingParts: [],
    details: null,
    code: null,
    history: null,
    retry: null,
    test: true,
  }
}
