import { describe, expect, test } from 'bun:test'
import { sampleEvent } from '../../../src/alerts/sample-event.ts'
import {
  appUrl,
  type ContextDelivery,
  eventName,
  formatUser,
  templateContext,
} from '../../../src/alerts/template-context.ts'
import type { EventOutcome, EventType, TaskEvent } from '../../../src/events/types.ts'
import { CONTEXT, fullEvent, LINKS, scriptLog } from '../../support/alerts.ts'
import { APP_ID, TASK_ID, taskEvent } from '../../support/events.ts'

const record = (event = fullEvent(), head = 2, tail = 2) =>
  templateContext(event, CONTEXT, { headLines: head, tailLines: tail }, 'collapsed')

describe('template variables', () => {
  test('of a failed reload', () => {
    expect(record()).toMatchObject({
      hostName: 'qs-prod-1',
      user: 'ACME\\svc-qlik',
      taskName: 'Sales DW - hourly',
      taskId: TASK_ID,
      taskCustomProperties: [
        { name: 'taskGroup', value: 'finance' },
        { name: 'Butler_FailedAlertEnableEmail', value: 'Yes' },
      ],
      taskTags: ['hourly-reload'],
      taskIsManuallyTriggered: false,
      taskIsPartialReload: false,
      taskMaxRetries: 0,
      taskModifiedByUsername: 'ACME\\anna',
      taskModifiedDate: '2025-09-01T11:00:00.000Z',
      taskSessionTimeout: 1440,
      taskNextExecution: '2025-10-14T08:00:00.000Z',
      appName: 'Sales DW',
      appId: APP_ID,
      appUrl: `https://qs.acme.example/sense/app/${APP_ID}`,
      appDescription: 'Daily sales',
      appFileSize: 1234567,
      appLastSuccessfulReload: '2025-10-14T06:28:10.000Z',
      appLastModifiedDate: '2025-10-14T06:28:11.000Z',
      appLastModifiedByUserName: 'ACME\\anna',
      appPublishTime: '2025-01-01T00:00:00.000Z',
      appPublished: true,
      appStreamName: 'Finance',
      appStream: { id: 's1', name: 'Finance' },
      appCustomProperties: [],
      appTags: ['sales'],
      logTimeStamp: '2025-10-14 09:28:43,099',
      logLevel: 'INFO',
      logMessage: 'Max retries reached',
      executingNodeName: 'qs-sched-2',
      executionDuration: { hours: 0, minutes: 4, seconds: 12 },
      executionStatusNum: 8,
      executionStatusText: 'FinishedFail',
      scriptLogSize: 48213,
      scriptLogSizeRows: 4,
      scriptLogHeadCount: 2,
      scriptLogTailCount: 2,
      qlikSenseQMC: 'https://qs.acme.example/qmc',
      qlikSenseHub: 'https://qs.acme.example/hub',
      qliksSenseQMC: 'https://qs.acme.example/qmc',
      qliksSenseHub: 'https://qs.acme.example/hub',
      genericUrls: LINKS.genericUrls,
      appOwnerName: 'Anna Larsson',
      appOwnerUserId: 'anna',
      appOwnerUserDirectory: 'ACME',
      appOwnerEmail: 'anna@acme.example',
      executionId: 'e5000000-0000-4000-8000-000000000001',
      butlerVersion: '1.0.0',
      eventType: 'reloadTaskFailure',
      now: '2025-10-14T07:28:45.000Z',
      missingParts: [],
    })
  })

  test('times and history, oldest first', () => {
    const found = record()
    expect(found.executionStartTime).toMatchObject({
      startTimeUTC: '2025-10-14T07:24:31.120Z',
      startTimeLocal1: '2025-10-14 09:24:31',
      year: 2025,
      hour: 7,
    })
    expect(found.executionStopTime).toMatchObject({ stopTimeLocal1: '2025-10-14 09:28:43' })
    expect(found.executionDetails).toMatchObject([
      { timestampLocal1: '2025-10-14 09:24:31', message: 'Changing task state to Triggered', detailsType: 2 },
      { timestampUTC: '2025-10-14T07:28:43.099Z', message: 'Started to FinishedFail' },
    ])
    expect(found.executionDetailsConcatenated).toBe(
      '2025-10-14T07:24:31.120Z\tChanging task state to Triggered\n2025-10-14T07:28:43.099Z\tStarted to FinishedFail\n',
    )
  })

  test.each([
    [1, 1, 'a', 'd'],
    [2, 3, 'a\r\nb', 'b\r\nc\r\nd'],
    [9, 9, 'a\r\nb\r\nc\r\nd', 'a\r\nb\r\nc\r\nd'],
    [0, 0, '', ''],
  ])('the first %d and last %d lines of the script log', (head, tail, first, last) => {
    const found = record(fullEvent({ scriptLog: scriptLog(['a', 'b', 'c', 'd']) }), head, tail)
    expect([found.scriptLogHead, found.scriptLogTail]).toEqual([first, last])
  })

  test('without a script log the excerpts are empty and the size is 0', () => {
    expect(record(fullEvent({ scriptLog: null }))).toMatchObject({
      scriptLogHead: '',
      scriptLogTail: '',
      scriptLogSize: 0,
      scriptLogSizeRows: '',
      scriptLogSizeCharacters: '',
    })
  })

  test('the error text is the last error of the script log, else the log message', () => {
    expect(record().errorText).toBe("Error: Field 'Amount' not found")
    expect(record(fullEvent({ scriptLog: null })).errorText).toBe('Max retries reached')
    const iso = scriptLog(['20251014T092843.099+0200      Error: x', 'done'])
    expect(record(fullEvent({ scriptLog: iso })).errorText).toBe('Error: x')
  })

  test('a task without a next run says Never', () => {
    const { task } = fullEvent()
    const never = { ...task!, operational: { nextExecution: '1753-01-01T00:00:00.000Z' } }
    expect(record(fullEvent({ task: never }))).toMatchObject({ taskNextExecution: 'Never' })
  })

  test.each([
    [6, 'Aborted'],
    [12, 'Reset'],
    [13, 'DistributionQueue'],
    [14, 'DistributionRunning'],
    [99, ''],
  ])('execution status %d is called %p', (status, text) => {
    const { execution } = fullEvent()
    const found = record(fullEvent({ execution: { ...execution!, status } }))
    expect(found).toMatchObject({ executionStatusNum: status, executionStatusText: text })
  })

  test('an execution of several attempts lasts from the first to the last, and its reason is that of the last', () => {
    const { execution } = fullEvent()
    const error = (message: string, detailCreatedDate: string) => ({ detailsType: 0, message, detailCreatedDate })
    const first = {
      ...execution!,
      startTime: '2025-10-14T07:20:00.000Z',
      details: [error('first', '2025-10-14T07:20:01.000Z')],
    }
    const last = {
      ...execution!,
      stopTime: '2025-10-14T07:30:05.000Z',
      details: [error('last', '2025-10-14T07:30:00.000Z')],
      earlierAttempts: [first],
    }
    expect(record(fullEvent({ scriptLog: null, execution: last }))).toMatchObject({
      executionDuration: { hours: 0, minutes: 10, seconds: 5 },
      executionStartTime: { hour: 7, minute: 20 },
      errorText: 'last',
    })
  })

  test('an unpublished app has an empty stream name', () => {
    const { app } = fullEvent()
    expect(record(fullEvent({ app: { ...app!, stream: null } }))).toMatchObject({ appStreamName: '', appStream: {} })
  })

  test('the owner is named by the app when the owner itself could not be read', () => {
    expect(record(fullEvent({ owner: null }))).toMatchObject({ appOwnerName: 'Anna Larsson', appOwnerEmail: '' })
  })
})

describe('what only the datagram tells', () => {
  const degraded = record(taskEvent({ missingParts: ['task', 'app', 'execution', 'scriptLog'] }))

  test('is there, and what is missing is named', () => {
    expect(degraded).toMatchObject({
      hostName: 'qs-central',
      taskName: 'Financial Dashboard Reload',
      appId: APP_ID,
      logMessage: 'Max retries reached',
      executionId: 'e5000000-0000-4000-8000-000000000001',
      qlikSenseQMC: 'https://qs.acme.example/qmc',
      missingParts: ['task', 'app', 'execution', 'scriptLog'],
    })
  })

  test('no variable of the full record is missing, at any depth', () => {
    const paths = (value: unknown, prefix = ''): string[] =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.entries(value).flatMap(([key, member]) => paths(member, `${prefix}.${key}`))
        : [prefix]
    expect(paths(degraded).sort()).toEqual(paths(record()).sort())
  })

  test('nothing is null or undefined; lists are lists', () => {
    const full = record() as Record<string, unknown>
    for (const [name, value] of Object.entries(degraded)) {
      expect(value, name).not.toBeNull()
      expect(value, name).not.toBeUndefined()
      expect(Array.isArray(value), name).toBe(Array.isArray(full[name]))
    }
  })
})

describe('events that are no end of a reload', () => {
  const of = (type: EventType, outcome: EventOutcome, changes: Partial<TaskEvent> = {}) =>
    record({
      ...sampleEvent('e1', outcome, Date.parse('2025-10-14T07:28:43.200Z'), type),
      host: 'qs-prod-1',
      ...changes,
    })

  test('a Windows service', () => {
    expect(of('service', 'stopped')).toMatchObject({
      eventType: 'serviceStopped',
      host: 'qs-prod-1',
      serviceStatus: 'STOPPED',
      servicePrevStatus: 'RUNNING',
      serviceName: 'QlikSenseEngineService',
      serviceDisplayName: 'Qlik Sense Engine Service',
      serviceFriendlyName: 'Engine',
      serviceStartType: 'Automatic',
      serviceExePath: '"C:\\Program Files\\Qlik\\Sense\\Engine\\Engine.exe" -service',
      serviceDependencies: ['QlikSenseServiceDispatcher'],
      genericUrls: LINKS.genericUrls,
      qlikSenseQMC: 'https://qs.acme.example/qmc',
      qlikSenseHub: 'https://qs.acme.example/hub',
      timestamp: '2025-10-14T07:28:43.200Z',
      timestampLocal: '2025-10-14 09:28:43',
      title: '[TEST] Service stopped: Qlik Sense Engine Service on qs-prod-1',
    })
  })

  test.each([
    ['expiring', { licenseExpired: false, expiryDateStr: '2026-02-25', daysUntilExpiry: 41 }],
    ['expired', { licenseExpired: true, expiryDateStr: '2026-01-14', daysUntilExpiry: -1 }],
  ] as const)('a licence that is %s', (outcome, expected) => {
    expect(of('license', outcome)).toMatchObject({
      ...expected,
      eventType: `license${outcome === 'expired' ? 'Expired' : 'Expiring'}`,
    })
  })

  test('a licence without end has neither date nor days', () => {
    const details = { kind: 'license', expired: false, expiryDate: null, daysRemaining: null } as const
    expect(of('license', 'status', { details })).toMatchObject({ expiryDateStr: '', daysUntilExpiry: '' })
  })

  test('a reload in Qlik Cloud: its own variables, and the app where subjects name a task', () => {
    expect(of('cloudReload', 'failed')).toMatchObject({
      taskName: 'Sample app',
      appName: 'Sample app',
      appUrl: 'https://sample.eu.qlikcloud.com/sense/app/66666666-7777-4888-8999-aaaaaaaaaaaa',
      tenantId: 'sample.eu.qlikcloud.com',
      reloadTrigger: 'chronos',
      errorCode: 'EngineReloadScriptError',
      executionStatusText: 'FAILED',
      appOwnerEmail: 'anna@sample.example',
      scriptLogSizeRows: '3',
    })
  })

  test('a reload in Qlik Cloud of which nothing could be read: empty, never null', () => {
    const details = { kind: 'cloudReload', variables: { appOwnerEmail: null, errorMessage: undefined } } as const
    const found = of('cloudReload', 'failed', { details, scriptLog: null, logMessage: 'failed', appName: 'App' })
    expect(found).toMatchObject({
      appOwnerEmail: '',
      errorMessage: '',
      tenantUrl: '',
      errorText: 'failed',
      taskName: 'App',
    })
  })

  test.each(['distribute', 'preload'] as const)(
    'a %s task has its app, times in both shapes and details as text',
    (type) => {
      for (const outcome of ['failed', 'success'] as const) {
        expect(of(type, outcome)).toMatchObject({
          appName: 'Sample app',
          appId: '66666666-7777-4888-8999-aaaaaaaaaaaa',
          hostName: 'qs-prod-1',
          executionStatusNum: outcome === 'failed' ? 8 : 7,
          executionDuration: { hours: 0, minutes: 3, seconds: 10 },
          executionStartTime: {
            startTimeLocal1: '2026-01-15 07:00:01',
            year: 2026,
            month: 1,
            day: 15,
            hour: 6,
            second: 1,
          },
          executionStopTime: { stopTimeUTC: '2026-01-15T06:03:11.482Z', millisecond: 482 },
          executionDetailsText:
            '2026-01-15T06:00:01.120Z\tChanging task state to Triggered\n2026-01-15T06:03:11.482Z\tSample detail',
          taskNextExecution: '2026-01-16T06:00:00.000Z',
        })
      }
    },
  )

  test('the watchdog and Footman itself', () => {
    expect(of('reload', 'late')).toMatchObject({
      watchdogElapsed: { hours: 0, minutes: 40, seconds: 0 },
      watchdogLimit: { minutes: 15 },
      watchdogUsual: { minutes: 5 },
      watchdogDueLocal: '2026-01-15 07:00:00',
    })
    const self = of('self', 'raised')
    expect(self).toMatchObject({ code: 'QRS_DOWN', title: '[TEST] Footman raised: QRS_DOWN' })
    expect(self.errorText).toBe(self.selfText)
  })
})

describe('what a message tells beyond its event', () => {
  const delivered = (event: TaskEvent, delivery: ContextDelivery) =>
    templateContext(event, CONTEXT, { headLines: 2, tailLines: 2 }, 'slash', delivery)

  test('history and retries', () => {
    const history = { consecutiveFailures: 3, lastSuccessAt: Date.parse('2025-10-14T04:28:10.000Z') }
    const retry = { attempt: 1, max: 3, nextAt: Date.parse('2025-10-14T07:33:43.000Z'), refused: null }
    expect(record(fullEvent({ history, retry }))).toMatchObject({
      consecutiveFailures: 3,
      lastSuccess: '2025-10-14T04:28:10.000Z',
      lastSuccessLocal: '2025-10-14 06:28:10',
      retryAttempt: 1,
      retryMax: 3,
      retryNextAt: '2025-10-14T07:33:43.000Z',
      retryNextAtLocal: '2025-10-14 09:33:43',
      retryRefused: '',
    })
    expect(record()).toMatchObject({ consecutiveFailures: '', retryAttempt: '', retryNextAt: '', lastSuccess: '' })
  })

  test('kind, severity, what was held back, the broken chain, the destination that failed', () => {
    const root = { id: 'r', name: 'Root' }
    const downstream = [{ id: 'd', name: 'Down', usualStart: '2025-10-14T07:35:12.000Z' }]
    const note = { chain: { root, downstream }, failedDestination: 'ops-slack' }
    expect(delivered(fullEvent(), { kind: 'fallback', severity: 'critical', suppressed: 4, note })).toMatchObject({
      kind: 'fallback',
      severity: 'critical',
      suppressedCount: 4,
      failedDestination: 'ops-slack',
      chain: { root, downstream: [{ ...downstream[0], usualStartLocal: '2025-10-14 09:35' }] },
    })
    expect(delivered(fullEvent(), {})).toMatchObject({ kind: 'alert', severity: 'error', chain: { downstream: [] } })
  })

  test('a recovery is called one', () => {
    const event = fullEvent({ outcome: 'success' })
    expect(delivered(event, { kind: 'recovery' })).toMatchObject({
      heading: 'Reload recovered',
      title: 'Reload recovered: Sales DW - hourly',
    })
  })

  test('what Qlik Sense does not have is told from what it did not answer', () => {
    const event = fullEvent({ missingParts: ['app', 'scriptLog'], absentParts: ['app'] })
    expect(record(event)).toMatchObject({ missingParts: ['app', 'scriptLog'], absentParts: ['app'] })
  })
})

test.each([
  ['slash', 'ACME\\\\anna', 'ACME//anna'],
  ['collapsed', 'ACME\\\\anna', 'ACME\\anna'],
  ['collapsed', 'ACME\\anna', 'ACME\\anna'],
  ['unchanged', 'ACME\\\\anna', 'ACME\\\\anna'],
] as const)('the form %s of the user %s', (form, user, expected) => {
  expect(formatUser(user, form)).toBe(expected)
})

test.each([
  ['reload', 'failed', 'reloadTaskFailure'],
  ['reload', 'aborted', 'reloadTaskAborted'],
  ['preload', 'success', 'preloadTaskSuccess'],
] as const)('%s %s is called %s', (type, outcome, name) => {
  expect(eventName(type, outcome)).toBe(name)
})

test.each([
  ['https://qs/sense/app', 'a1', 'https://qs/sense/app/a1'],
  ['https://qs/sense/app/', 'a1', 'https://qs/sense/app/a1'],
  ['', 'a1', ''],
  ['https://qs/sense/app', '', ''],
])('the address of an app below %p', (base, id, expected) => {
  expect(appUrl(base, id)).toBe(expected)
})
