import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { eventMatch } from '../../../../src/alerts/config-routes.ts'
import { compileFilter, compileMatch } from '../../../../src/alerts/rules/match.ts'
import { EVENT_OUTCOMES, EVENT_TYPES } from '../../../../src/events/kinds.ts'
import type { TaskEvent } from '../../../../src/events/types.ts'
import { createCalendars, createWindows } from '../../../../src/platform/calendar.ts'
import { fullEvent, scriptLog } from '../../../support/alerts.ts'
import { taskEvent } from '../../../support/events.ts'

const windows = createWindows({
  windows: { 'office-hours': { days: ['mon-fri'], from: '07:00', to: '18:00', timezone: 'Europe/Stockholm' } },
  calendars: createCalendars({ calendars: { 'month-end': { dates: ['2026-03-31'] } } }),
  timezone: 'Europe/Stockholm',
})
const context = { windows }
const parse = (match: object) => eventMatch.parse(match)
const verdict = (match: object, event: TaskEvent, at = event.receivedAt) =>
  compileMatch(parse({ outcome: '*', ...match }), context).test(event, at)

const AT = Date.parse('2026-03-02T06:03:11.520Z')
/** Tags hourly-reload; properties taskGroup=finance; app Sales DW in Finance, owned by ACME\anna. */
const known = fullEvent({
  receivedAt: AT,
  history: { consecutiveFailures: 3, lastSuccessAt: AT - 3 * 86_400_000 },
  execution: {
    id: 'r1',
    status: 8,
    executingNodeName: 'qs-node-2',
    startTime: '2026-03-02T06:00:01.120Z',
    stopTime: '2026-03-02T06:03:11.482Z',
    duration: 190_362,
    fileReferenceID: 'f1',
    scriptLogAvailable: true,
    scriptLogSize: 10,
    details: [],
  },
  scriptLog: scriptLog([
    ...Array.from({ length: 300 }, (_, i) => `line ${i}`),
    'Error: connection lost',
    'Execution Failed',
  ]),
})
/** QRS was silent. */
const degraded = taskEvent({ receivedAt: AT, missingParts: ['task', 'app', 'owner', 'execution', 'scriptLog'] })
const program = taskEvent({ type: 'externalProgram', appId: '', appName: '', receivedAt: AT })
const service = taskEvent({
  type: 'service',
  outcome: 'stopped',
  host: 'qs-2',
  user: '',
  taskId: '',
  taskName: '',
  appId: '',
  appName: '',
  details: {
    kind: 'service',
    serviceName: 'QlikSenseEngineService',
    displayName: 'Qlik Sense Engine Service',
    friendlyName: 'Engine',
    status: 'STOPPED',
    previousStatus: 'RUNNING',
    startType: 'Automatic',
    exePath: '',
    dependencies: [],
  },
})

describe('each field of a match', () => {
  const cases: readonly (readonly [string, object, TaskEvent, boolean | 'unknown'])[] = [
    ['type', { type: 'reload' }, known, true],
    ['type, another', { type: ['preload', 'distribute'] }, known, false],
    ['outcome', { outcome: ['failed', 'aborted'] }, known, true],
    ['outcome, another', { outcome: 'success' }, known, false],
    ['source', { source: 'udp' }, known, true],
    ['source, another', { source: ['watchdog'] }, known, false],
    ['severity', { severity: ['error', 'critical'] }, known, true],
    ['code of another type', { code: 'QRS_DOWN' }, known, false],
    ['code', { code: 'QRS_DOWN' }, taskEvent({ type: 'self', outcome: 'raised', code: 'QRS_DOWN' }), true],
    ['task', { task: 'sales*' }, known, true],
    ['task, several', { task: ['HR*', '*hourly'] }, known, true],
    ['task, no part of it', { task: 'sales' }, known, false],
    ['task of a service', { task: '*' }, service, false],
    ['app', { app: 'SALES D?' }, known, true],
    ['app of an external program', { app: '*' }, program, false],
    ['stream', { stream: 'fin*' }, known, true],
    ['stream, another', { stream: 'HR' }, known, false],
    ['stream, none wanted', { stream: '' }, known, false],
    ['stream, unpublished', { stream: '' }, fullEvent({ app: { ...known.app!, stream: null } }), true],
    [
      'stream, unpublished, some wanted',
      { stream: 'Finance' },
      fullEvent({ app: { ...known.app!, stream: null } }),
      false,
    ],
    ['stream, not known', { stream: 'Finance' }, degraded, 'unknown'],
    ['stream of an external program', { stream: 'Finance' }, program, false],
    ['owner', { owner: 'acme\\anna' }, known, true],
    ['owner with a slash', { owner: 'ACME/*' }, known, true],
    ['owner, another', { owner: 'ACME\\bo' }, known, false],
    ['owner, not known', { owner: 'ACME\\anna' }, degraded, 'unknown'],
    ['user with a slash', { user: 'INTERNAL\\sa_*' }, taskEvent({ user: 'INTERNAL/sa_scheduler' }), true],
    ['user, another', { user: 'LAB\\*' }, degraded, false],
    ['host that sends', { host: 'QS-PROD-1' }, known, true],
    ['host that executes', { host: 'qs-node-2' }, known, true],
    ['host, another', { host: 'qs-9' }, known, false],
    ['host, executing node not known', { host: 'qs-9' }, degraded, 'unknown'],
    ['host of a service', { host: 'qs-?' }, service, true],
    ['service by its friendly name', { service: 'engine' }, service, true],
    ['service by its own name', { service: 'QlikSenseEngine*' }, service, true],
    ['service, another', { service: 'Proxy' }, service, false],
    ['service of a task', { service: '*' }, known, false],
    ['taskId', { taskId: known.taskId.toUpperCase() }, known, true],
    ['taskId, another', { taskId: ['11111111-2222-4333-8444-555555555555'] }, known, false],
    ['appId', { appId: known.appId }, known, true],
    ['taskTag', { taskTag: 'hourly-*' }, known, true],
    ['taskTag, another', { taskTag: ['etl-*'] }, known, false],
    ['taskTag, all', { taskTag: { all: ['hourly-*', '*reload'] } }, known, true],
    ['taskTag, not all', { taskTag: { all: ['hourly-*', 'etl-*'] } }, known, false],
    ['taskTag, not known', { taskTag: 'etl-*' }, degraded, 'unknown'],
    ['appTag', { appTag: 'sales' }, known, true],
    ['taskProperty', { taskProperty: { taskgroup: ['hr', 'FIN*'] } }, known, true],
    ['taskProperty, another value', { taskProperty: { taskGroup: 'hr' } }, known, false],
    ['taskProperty, one of two', { taskProperty: { taskGroup: 'finance', priority: 'high' } }, known, false],
    ['taskProperty, not known', { taskProperty: { taskGroup: 'finance' } }, degraded, 'unknown'],
    ['appProperty', { appProperty: { department: '*' } }, known, false],
    ['message in the log message', { message: 'max retries*' }, known, true],
    ['message in the script log', { message: '/connection (lost|refused)/' }, known, true],
    ['message, whole line by a glob', { message: 'Error: connection *' }, known, true],
    ['message above the last 200 lines', { message: 'line 3' }, known, false],
    ['message, not known', { message: '/time.?out/' }, degraded, 'unknown'],
    ['manual', { manual: false }, known, true],
    ['manual, wanted', { manual: true }, known, false],
    ['manual of a service', { manual: false }, service, false],
    ['consecutiveFailures', { consecutiveFailures: '=3' }, known, true],
    ['consecutiveFailures, from', { consecutiveFailures: '>=3' }, known, true],
    ['consecutiveFailures, more', { consecutiveFailures: '>3' }, known, false],
    ['consecutiveFailures, not known', { consecutiveFailures: '=3' }, degraded, 'unknown'],
    ['duration', { duration: '>3m' }, known, true],
    ['duration, shorter', { duration: '<=3m' }, known, false],
    ['duration, not known', { duration: '>3m' }, degraded, 'unknown'],
    [
      'duration of what is stuck',
      { duration: '>1h' },
      taskEvent({
        outcome: 'stuck',
        details: { kind: 'watchdog', elapsedMs: 7_200_000, limitMs: 1, usualMs: null, dueAt: null },
      }),
      true,
    ],
    ['sinceSuccess', { sinceSuccess: '>2d' }, known, true],
    ['sinceSuccess, less', { sinceSuccess: '>4d' }, known, false],
    [
      'sinceSuccess, never',
      { sinceSuccess: '>3650d' },
      taskEvent({ history: { consecutiveFailures: 1, lastSuccessAt: null } }),
      true,
    ],
    ['during', { during: 'office-hours' }, known, true],
    ['during, an own window', { during: { on: ['month-end'] } }, known, false],
    ['during, any of several', { during: ['office-hours', { on: ['month-end'] }] }, known, true],
    ['all of several fields', { stream: 'Finance', task: 'Sales*', taskTag: 'hourly*' }, known, true],
    [
      'one that does not hold decides over one that is not known',
      { stream: 'Finance', type: 'preload' },
      degraded,
      false,
    ],
  ]
  test.each(cases)('%s', (_name, match, event, expected) => {
    expect(verdict(match, event)).toBe(expected)
  })
})

test('without outcomes a match is about what is bad', () => {
  const match = compileMatch(parse({}), context)
  const bad = EVENT_OUTCOMES.filter((outcome) => match.test(taskEvent({ outcome }), AT) === true)
  expect(bad).toEqual([
    ...([
      'failed',
      'aborted',
      'late',
      'stuck',
      'neverStarted',
      'stopped',
      'unreachable',
      'expiring',
      'expired',
      'raised',
    ] as const),
  ])
})

test('the needs of a match are those of its fields', () => {
  const needs = (match: object) => [...compileMatch(parse(match), context).needs].sort()
  expect(needs({ task: 'x', taskTag: 'y', during: 'office-hours', consecutiveFailures: '>2' })).toEqual([])
  expect(needs({ stream: 'Finance' })).toEqual(['app'])
  expect(needs({ owner: 'x', message: 'y', duration: '>1m' })).toEqual(['execution', 'owner', 'scriptLog'])
})

describe('match and except together', () => {
  const filter = (route: { match?: object | object[]; except?: object }) =>
    compileFilter(
      { match: route.match && [route.match].flat().map(parse), except: route.except && [parse(route.except)] },
      context,
    )

  test('what is not known counts for the alert, in both', () => {
    const route = filter({ match: { stream: 'Finance' }, except: { taskTag: 'nuisance' } })
    expect(route.matches(degraded, AT)).toBe(true)
  })

  test('an exception is about every outcome', () => {
    const route = filter({ match: { outcome: 'success' }, except: { during: 'office-hours' } })
    expect(route.matches(taskEvent({ outcome: 'success' }), AT)).toBe(false)
    expect(route.matches(taskEvent({ outcome: 'success' }), AT + 12 * 3_600_000)).toBe(true)
  })

  test('explaining names fields, wishes and finds, and says why not', () => {
    const route = filter({
      match: { outcome: ['failed', 'aborted'], stream: 'Finance' },
      except: { during: 'office-hours' },
    })
    expect(route.explain(degraded, AT)).toEqual({
      matched: false,
      because: 'an exception holds: during',
      fields: [
        { field: 'outcome', wanted: 'failed, aborted', found: 'failed', holds: true },
        { field: 'stream', wanted: 'Finance', found: null, holds: 'unknown' },
        { field: 'except.outcome', wanted: '*', found: 'failed', holds: true },
        { field: 'except.during', wanted: 'office-hours', found: '2026-03-02T06:03:11.520Z', holds: true },
      ],
    })
    const elsewhere = fullEvent({ app: { ...known.app!, stream: { id: 's', name: 'HR' } } })
    expect(route.explain(elsewhere, AT + 12 * 3_600_000)).toMatchObject({
      matched: false,
      because: 'stream is "HR", wanted Finance',
    })
  })

  describe('about a reload without a task', () => {
    const ofApp = fullEvent({ type: 'appReload', taskId: '', taskName: '', task: null, history: null, receivedAt: AT })
    const stream = { stream: 'Finance' }

    test.each([
      ['without conditions', {}, false],
      ['with a condition that holds', { match: stream }, false],
      ['of every outcome', { match: { outcome: '*' } }, false],
      ['that asks for it', { match: { type: 'appReload' } }, true],
      ['that asks for it among others', { match: { type: ['reload', 'appReload'], ...stream } }, true],
      ['in one of several matches', { match: [stream, { type: 'appReload' }] }, true],
      ['of another stream', { match: { type: 'appReload', stream: 'HR' } }, false],
      ['of its user', { match: { type: 'appReload', user: '*\\*', app: 'Sales*', owner: 'ACME\\*' } }, true],
      ['of a task', { match: { type: 'appReload', task: '*' } }, false],
      ['with an exception for its app', { match: { type: 'appReload' }, except: { app: '*' } }, false],
      ['with an exception for everything', { match: { type: 'appReload' }, except: {} }, false],
    ])('a rule %s', (_, rule, expected) => {
      const compiled = filter(rule)
      expect(compiled.matches(ofApp, AT)).toBe(expected)
      expect(compiled.explain(ofApp, AT).matched).toBe(expected)
      if (expected) expect(compiled.when.types).toContain('appReload')
    })

    test('says why a rule without types is not about it, and shows nothing of it elsewhere', () => {
      expect(filter({}).explain(ofApp, AT).because).toBe('type is "appReload", wanted all but appReload')
      expect(
        filter({})
          .explain(known, AT)
          .fields.map(({ field }) => field),
      ).toEqual(['outcome'])
      expect(filter({}).when.types).not.toContain('appReload')
    })
  })

  test('explaining and matching agree, whatever the event', () => {
    const route = filter({
      match: { type: ['reload', 'service'], stream: ['Fin*', ''], consecutiveFailures: '>1' },
      except: { task: '*b*', manual: true },
    })
    fc.assert(
      fc.property(
        fc.constantFrom(...EVENT_TYPES),
        fc.constantFrom(...EVENT_OUTCOMES),
        fc.string(),
        fc.option(fc.string()),
        fc.option(fc.nat(4)),
        fc.boolean(),
        (type, outcome, taskName, stream, failures, manual) => {
          const event = taskEvent({
            type,
            outcome,
            taskName,
            app: stream === null ? null : { ...known.app!, stream: { id: 's', name: stream } },
            task: manual ? { ...known.task!, isManuallyTriggered: true } : null,
            history: failures === null ? null : { consecutiveFailures: failures, lastSuccessAt: null },
          })
          expect(route.explain(event, AT).matched).toBe(route.matches(event, AT))
        },
      ),
    )
  })
})
