import { describe, expect, test } from 'bun:test'
import { appUrl, eventName, formatUser, templateRecord } from '../../../src/alerts/record.ts'
import { CONTEXT, fullEvent, LINKS, scriptLog } from '../../support/alerts.ts'
import { APP_ID, TASK_ID, taskEvent } from '../../support/events.ts'

const record = (event = fullEvent(), head = 2, tail = 2) =>
  templateRecord(event, CONTEXT, { headLines: head, tailLines: tail }, 'collapsed')

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
