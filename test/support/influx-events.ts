/** Executions whose lines of InfluxDB's line protocol were written by hand: `test/fixtures/influxdb/lines.json`. */
import { influxSections } from '../../src/alerts/destinations/influxdb.ts'
import type { TaskEvent } from '../../src/events/types.ts'
import { influxDb } from '../../src/metrics/config.ts'
import type { QrsExecutionResult, QrsTask } from '../../src/qlik/qrs/types.ts'
import { scriptLog, type Written } from './alerts.ts'
import { taskEvent } from './events.ts'

const NODE = 'pro2-win1.lab.company.net'
const named = (names: readonly string[]) => names.map((name) => ({ id: name, name }))

export function influxConfig(written: object = {}, storeAborted = false) {
  const on = { enable: true }
  return {
    influxDb: influxDb.parse({
      enable: true,
      hostIP: '127.0.0.1',
      tag: { static: [{ name: 'qs_env', value: 'prod' }] },
      reloadTaskFailure: { ...on, tailScriptLogLines: 3 },
      reloadTaskSuccess: { ...on, allReloadTasks: on, headScriptLogLines: 2, tailScriptLogLines: 1 },
      externalProgramTaskFailure: on,
      externalProgramTaskSuccess: on,
      userSyncTaskFailure: on,
      userSyncTaskSuccess: on,
      distributeTaskFailure: on,
      distributeTaskSuccess: on,
      preloadTaskFailure: on,
      preloadTaskSuccess: on,
      ...written,
    }),
    footman: { influxDb: { storeAborted } },
  }
}

export function sectionOf(event: TaskEvent, config = influxConfig()) {
  const found = influxSections(config).find(
    ({ kind, outcome }) => kind.type === event.type && outcome === event.outcome,
  )
  if (!found) throw new Error(`no section is about ${event.type} ${event.outcome}`)
  return found
}

function task(id: string, name: string, taskType: number, tags: readonly string[], app?: string): QrsTask {
  return {
    id,
    name,
    taskType,
    enabled: true,
    tags: named(tags),
    customProperties: [],
    ...(app && { app: { id: APP, name: app } }),
  }
}

function result(
  status: number,
  startTime: string,
  stopTime: string,
  duration: number,
  more: object = {},
): QrsExecutionResult {
  return {
    id: 'r',
    status,
    executingNodeName: NODE,
    startTime,
    stopTime,
    duration,
    fileReferenceID: 'f',
    scriptLogAvailable: false,
    scriptLogSize: 0,
    details: [],
    ...more,
  }
}

function details(...rows: readonly (readonly [string, string])[]) {
  return rows.map(([detailCreatedDate, message]) => ({ detailsType: 2, detailCreatedDate, message }))
}

const APP = '5d7ae888-61cd-4539-97b2-6cf5baaa6f9d'
const APP_NAME = '2021 sales targets'

type Changes = Written<TaskEvent> & Partial<TaskEvent>

function event(changes: Changes): TaskEvent {
  return taskEvent({
    host: 'pro2-win1',
    user: 'INTERNAL\\sa_scheduler',
    appId: '',
    appName: '',
    logLevel: 'INFO',
    logMessage: 'Execution State Change to FinishedSuccess',
    outcome: 'success',
    severity: 'info',
    ...changes,
  })
}

const FAILED_RELOAD: Changes = {
  receivedAt: 1712899985120,
  outcome: 'failed',
  severity: 'error',
  user: 'LAB\\goran',
  appId: '8f1d1ecf-97a6-4eb5-8f47-f9156300b854',
  appName: 'Test failing reloads 1',
  taskId: '22b106a8-e7ed-4466-b700-014f060bef16',
  taskName: 'Reload of Test failing reloads 1',
  executionId: 'c073f112-4318-4d1f-ae82-14492aa0c35f',
  logTimeStamp: '2024-04-12 07:33:03,508',
  logMessage: 'Max retries reached',
}

export const EVENTS: Readonly<Record<string, TaskEvent>> = {
  'reload failed': event({
    ...FAILED_RELOAD,
    task: task(FAILED_RELOAD.taskId!, FAILED_RELOAD.taskName!, 0, ['hourly']),
    app: {
      id: FAILED_RELOAD.appId!,
      name: FAILED_RELOAD.appName!,
      tags: named(['Finance daily']),
      customProperties: [],
    },
    execution: result(8, '2024-04-12T05:32:59.511Z', '2024-04-12T05:33:02.663Z', 3152, {
      executingNodeName: 'pro2-win2.lab.company.net',
      scriptLogSize: 3512,
      details: details(
        ['2024-04-12T05:32:59.511Z', 'Changing task state from Triggered to Started'],
        ['2024-04-12T05:32:58.937Z', 'Changing task state to Triggered'],
        [
          '2024-04-12T05:33:02.663Z',
          'Message from ReloadProvider: Reload failed in Engine. Check engine or script logs.',
        ],
        ['2024-04-12T05:33:02.663Z', 'Changing task state from Started to FinishedFail'],
      ),
    }),
    scriptLog: scriptLog([
      '20240412T073259.700+0200      Execution started.',
      '20240412T073301.175+0200      Error: The remote server returned an error: (404) Not Found.',
      '20240412T073301.175+0200      Execution Failed',
      '20240412T073301.180+0200      Execution finished.',
    ]),
  }),
  'reload failed without script log': event({
    ...FAILED_RELOAD,
    receivedAt: 1712899989120,
    task: task(FAILED_RELOAD.taskId!, FAILED_RELOAD.taskName!, 0, []),
    missingParts: ['app', 'execution', 'scriptLog'],
  }),
  'reload success': event({
    receivedAt: 1702703116286,
    appId: APP,
    appName: 'Performance review',
    taskId: '01ff990e-f315-475c-8391-7817082a8dc6',
    taskName: 'Reload of Performance review',
    executionId: '23461d23-840b-422b-a0a6-ea847693224e',
    logTimeStamp: '2023-12-16 06:05:15,019',
    task: task('01ff990e-f315-475c-8391-7817082a8dc6', 'Reload of Performance review', 0, []),
    app: { id: APP, name: 'Performance review', tags: named(['HR']), customProperties: [] },
    execution: result(7, '2023-12-16T05:05:01.876Z', '2023-12-16T05:05:15.081Z', 13_205, {
      scriptLogSize: 2048,
      details: details(
        ['2023-12-16T05:05:01.310Z', 'Changing task state to Triggered'],
        ['2023-12-16T05:05:01.876Z', 'Changing task state from Triggered to Started'],
        ['2023-12-16T05:05:15.081Z', 'Changing task state from Started to FinishedSuccess'],
      ),
    }),
    scriptLog: scriptLog([
      '20231216T060502.101+0100      Execution started.',
      '20231216T060502.103+0100      Qlik Sense Server Version 14.159.4',
      '20231216T060505.000+0100      LOAD * INLINE [a]',
      '20231216T060514.980+0100      Execution finished.',
    ]),
  }),
  'externalProgram failed': event({
    type: 'externalProgram',
    outcome: 'failed',
    receivedAt: 1772414109650,
    taskId: '6b3a1f0c-2d5e-4a77-9c1e-0f2d3b4c5d6e',
    taskName: 'Copy files to archive',
    executionId: '0f6f2c1e-9a43-4c8e-8d2b-7a1b2c3d4e5f',
    logTimeStamp: '2026-03-02 02:15:09,114',
    logMessage: 'Max retries reached',
    task: task('6b3a1f0c-2d5e-4a77-9c1e-0f2d3b4c5d6e', 'Copy files to archive', 1, ['nightly']),
  }),
  'externalProgram success': event({
    type: 'externalProgram',
    receivedAt: 1772500631002,
    taskId: '6b3a1f0c-2d5e-4a77-9c1e-0f2d3b4c5d6e',
    taskName: 'Copy files to archive',
    executionId: '1a2b3c4d-5e6f-4a1b-8c2d-9e0f1a2b3c4d',
    logTimeStamp: '2026-03-03 02:17:09,530',
    task: task('6b3a1f0c-2d5e-4a77-9c1e-0f2d3b4c5d6e', 'Copy files to archive', 1, ['nightly']),
    execution: result(7, '2026-03-03T01:15:03.120Z', '2026-03-03T01:17:09.020Z', 125_900),
  }),
  'userSync failed': event({
    type: 'userSync',
    outcome: 'failed',
    receivedAt: 1772416820400,
    logLevel: 'WARN',
    taskId: 'd1f3c5a7-0b2c-4d3e-9f10-a1b2c3d4e5f6',
    taskName: 'User directory connector AD sync',
    executionId: '9b8c7d6e-5f4a-4b3c-8d1e-0f9a8b7c6d5e',
    logTimeStamp: '2026-03-02 03:00:20,001',
    logMessage: 'Max retries reached',
    task: task('d1f3c5a7-0b2c-4d3e-9f10-a1b2c3d4e5f6', 'User directory connector AD sync', 2, []),
  }),
  'userSync success': event({
    type: 'userSync',
    receivedAt: 1772503243015,
    taskId: 'd1f3c5a7-0b2c-4d3e-9f10-a1b2c3d4e5f6',
    taskName: 'User directory connector AD sync',
    executionId: '2c3d4e5f-6a7b-4c8d-9e0f-1a2b3c4d5e6f',
    logTimeStamp: '2026-03-03 03:00:41,310',
    task: task('d1f3c5a7-0b2c-4d3e-9f10-a1b2c3d4e5f6', 'User directory connector AD sync', 2, ['ad']),
    execution: result(7, '2026-03-03T02:00:00.210Z', '2026-03-03T02:00:41.210Z', 41_000),
  }),
  'distribute failed': event({
    type: 'distribute',
    outcome: 'failed',
    receivedAt: 1772421031200,
    taskId: '3e4f5a6b-7c8d-4e9f-8a0b-1c2d3e4f5a6b',
    taskName: 'Distribute Sales app',
    executionId: '4f5a6b7c-8d9e-4f0a-9b1c-2d3e4f5a6b7c',
    logTimeStamp: '2026-03-02 04:10:00,120',
    logMessage: 'Exiting execute of Distribute task request.',
    task: task('3e4f5a6b-7c8d-4e9f-8a0b-1c2d3e4f5a6b', 'Distribute Sales app', 3, ['cloud'], APP_NAME),
  }),
  'distribute success': event({
    type: 'distribute',
    receivedAt: 1772507494900,
    taskId: '3e4f5a6b-7c8d-4e9f-8a0b-1c2d3e4f5a6b',
    taskName: 'Distribute Sales app',
    executionId: '5a6b7c8d-9e0f-4a1b-8c2d-3e4f5a6b7c8d',
    logTimeStamp: '2026-03-03 04:11:04,410',
    logMessage: 'Exiting execute of Distribute task request.',
    task: task('3e4f5a6b-7c8d-4e9f-8a0b-1c2d3e4f5a6b', 'Distribute Sales app', 3, ['cloud'], APP_NAME),
    execution: result(7, '2026-03-03T03:10:00.020Z', '2026-03-03T03:11:04.020Z', 64_000),
  }),
  'preload failed': event({
    type: 'preload',
    outcome: 'failed',
    receivedAt: 1772424003100,
    logLevel: 'ERROR',
    taskId: '7c8d9e0f-1a2b-4c3d-9e4f-5a6b7c8d9e0f',
    taskName: 'Preload Sales app',
    executionId: '8d9e0f1a-2b3c-4d4e-8f5a-6b7c8d9e0f1a',
    logTimeStamp: '2026-03-02 05:00:02,700',
    logMessage: 'Failed to start session',
    task: task('7c8d9e0f-1a2b-4c3d-9e4f-5a6b7c8d9e0f', 'Preload Sales app', 4, [], APP_NAME),
  }),
  'preload success': event({
    type: 'preload',
    receivedAt: 1772510410015,
    taskId: '7c8d9e0f-1a2b-4c3d-9e4f-5a6b7c8d9e0f',
    taskName: 'Preload Sales app',
    executionId: '9e0f1a2b-3c4d-4e5f-9a6b-7c8d9e0f1a2b',
    logTimeStamp: '2026-03-03 05:00:09,480',
    task: task('7c8d9e0f-1a2b-4c3d-9e4f-5a6b7c8d9e0f', 'Preload Sales app', 4, ['preload'], APP_NAME),
    execution: result(7, '2026-03-03T04:00:01.950Z', '2026-03-03T04:00:09.400Z', 7450),
  }),
}
