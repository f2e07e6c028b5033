/** Title and text of messages, built in and by templates of routes. */

import { afterAll, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import type { RenderInput } from '../../../../src/alerts/types.ts'
import type { TaskEvent } from '../../../../src/events/types.ts'
import { exampleEvent, inputFor, namedDeps, routeOf } from '../../../support/named.ts'
import { tempDirectory } from '../../../support/temp.ts'

const LINES = { headScriptLogLines: 15, tailScriptLogLines: 15 }
const directory = tempDirectory()
afterAll(() => directory.remove())

function write(event: TaskEvent, changes: Partial<RenderInput> = {}) {
  const { deps, log } = namedDeps({ directories: [directory.path] })
  return deps.texts.write(inputFor(event, changes), LINES).then((text) => ({ text, log }))
}

const DOWNSTREAM = [
  { id: '1', name: 'Preload Sales Dashboard', usualStart: null },
  { id: '2', name: 'Export', usualStart: null },
]

describe('the built-in text', () => {
  test('has a line for everything that is known', async () => {
    const event = exampleEvent({
      retry: { attempt: 2, max: 3, nextAt: null, refused: null },
      missingParts: ['scriptLog', 'owner'],
    })
    const note = { chain: { root: { id: '0', name: 'Financial Dashboard Reload' }, downstream: DOWNSTREAM } }
    const { text } = await write(event, { suppressed: 4, note })
    expect(text.title).toBe('Reload failed: Financial Dashboard Reload')
    expect(text.text).toBe(
      [
        'App: Sales Dashboard',
        'Host: qs-central',
        'Started by: INTERNAL/sa_scheduler',
        'Start: 2026-03-02 07:00:01 +01:00, duration 0:03:10',
        'Try: 2 of 3',
        'Failures in a row: 2',
        'Will not run: Preload Sales Dashboard, Export',
        'Suppressed since the last message: 4',
        'Missing: script log, owner of the app',
        '',
        "Error: Cannot open file: 'lib://ERP/orders.qvd' (Native Path: \\\\fs01\\erp\\orders.qvd)",
      ].join('\n'),
    )
  })

  test('is short when little is known', async () => {
    const nothing = { task: null, app: null, execution: null, scriptLog: null, history: null }
    const { text } = await write(exampleEvent({ ...nothing, appName: '', host: '', user: '', logMessage: 'Oops' }))
    expect(text.text).toBe('Oops')
  })

  test('says why no further try is made', async () => {
    const retry = { attempt: 0, max: 3, nextAt: null, refused: 'more than 10 a day' }
    const { text } = await write(exampleEvent({ retry }))
    expect(text.facts).toContainEqual({ name: 'No further try', value: 'more than 10 a day' })
    expect(text.text).not.toContain('Try: 0')
  })

  test('shows the local time and its distance to UTC, also in summer', async () => {
    const execution = { ...exampleEvent().execution!, startTime: '2026-07-01T22:59:59.000Z', duration: 45_296_000 }
    const { text } = await write(exampleEvent({ execution }))
    expect(text.facts).toContainEqual({ name: 'Start', value: '2026-07-02 00:59:59 +02:00, duration 12:34:56' })
  })

  test('leaves out times that Qlik Sense means as never', async () => {
    const never = '1753-01-01T00:00:00.000Z'
    const execution = { ...exampleEvent().execution!, startTime: never, stopTime: never }
    const { text } = await write(exampleEvent({ execution }))
    expect(text.text).not.toContain('Start:')
  })

  test.each<readonly [Partial<RenderInput>, string]>([
    [{ kind: 'recovery' }, 'Reload recovered: Financial Dashboard Reload'],
    [{ kind: 'test' }, '[TEST] Reload failed: Financial Dashboard Reload'],
    [{ kind: 'summary', note: { summary: { title: 'Maintenance is over', lines: [] } } }, 'Maintenance is over'],
  ])('title of %j', async (changes, title) => {
    expect((await write(exampleEvent(), changes)).text.title).toBe(title)
  })

  test('a test event is marked once', async () => {
    const { text } = await write(exampleEvent({ test: true, source: 'test' }), { kind: 'test' })
    expect(text.title).toBe('[TEST] Reload failed: Financial Dashboard Reload')
  })

  test('a fallback names the destination that failed', async () => {
    const { text } = await write(exampleEvent(), { kind: 'fallback', note: { failedDestination: 'on-call' } })
    expect(text.text).toContain('Could not be delivered to: on-call\n')
  })

  test('a summary is its lines', async () => {
    const summary = { title: 'Maintenance is over', lines: ['Sales: 3', 'Stock: 1'] }
    const { text } = await write(exampleEvent(), { kind: 'summary', note: { summary } })
    expect(text.text).toBe('Sales: 3\nStock: 1')
  })
})

describe('events that are no end of a task', () => {
  const base = { taskId: '', taskName: '', appId: '', appName: '', user: '', execution: null, scriptLog: null }
  const none = { task: null, app: null, history: null, executionId: '' }
  const service = {
    kind: 'service',
    serviceName: 'QlikSenseEngineService',
    displayName: 'Qlik Sense Engine Service',
    friendlyName: 'Engine',
    status: 'STOPPED',
    previousStatus: 'RUNNING',
    startType: 'Automatic',
    exePath: '',
    dependencies: [],
  } as const

  test('service', async () => {
    const event = exampleEvent({
      ...base,
      ...none,
      type: 'service',
      outcome: 'stopped',
      details: service,
      logMessage: '',
    })
    const { text } = await write(event)
    expect(text.title).toBe('Service stopped: Qlik Sense Engine Service on qs-central')
    expect(text.text).toBe(
      'Host: qs-central\nService: Qlik Sense Engine Service (QlikSenseEngineService)\nState: STOPPED, before that RUNNING\nStart type: Automatic',
    )
    expect(text.key).toBe('footman:service:qs-central/QlikSenseEngineService')
  })

  test('licence', async () => {
    const details = {
      kind: 'license',
      expired: false,
      expiryDate: '2026-05-01T00:00:00.000Z',
      daysRemaining: 12,
    } as const
    const event = exampleEvent({
      ...base,
      ...none,
      type: 'license',
      outcome: 'expiring',
      details,
      host: '',
      logMessage: '',
    })
    const { text } = await write(event)
    expect(text.title).toBe('License expiring: Qlik Sense server license')
    expect(text.text).toBe('Valid until: 2026-05-01\nDays left: 12')
    expect(text.key).toBe('footman:license:server')
  })

  test('watchdog', async () => {
    const dueAt = Date.parse('2026-03-02T05:00:00.000Z')
    const details = { kind: 'watchdog', elapsedMs: 3_600_000, limitMs: 1_800_000, usualMs: null, dueAt } as const
    const { text } = await write(exampleEvent({ outcome: 'late', details, execution: null, scriptLog: null }))
    expect(text.title).toBe('Reload late: Financial Dashboard Reload')
    expect(text.text).toContain('\nDue: 2026-03-02 06:00:00 +01:00\nElapsed: 1 h 00 min\nLimit: 30 min\n')
  })

  test('Footman itself', async () => {
    const details = { kind: 'self', text: 'QRS does not answer. Look at the repository service.' } as const
    const event = exampleEvent({ ...base, ...none, type: 'self', outcome: 'raised', code: 'QRS_DOWN', details })
    const { text } = await write(event)
    expect(text.title).toBe('Footman raised: QRS_DOWN')
    expect(text.main).toBe('QRS does not answer. Look at the repository service.')
    expect(text.key).toBe('footman:self:QRS_DOWN')
  })
})

describe('templates of the route', () => {
  const routed = (texts: object) => ({ rule: routeOf({ texts }) })

  test('title and body, in Handlebars or Eta', async () => {
    const title = '{{taskName}} is ready ({{executionDuration.minutes}} min)'
    const body =
      'Run <%= it.executionId.slice(0, 4) %> of <%= it.type %>: <%= it.kind %>, <%= it.severity %>, <%= it.key %>'
    const { text } = await write(exampleEvent(), routed({ title, body }))
    expect(text).toMatchObject({
      title: 'Financial Dashboard Reload is ready (3 min)',
      text: 'Run e500 of reload: alert, error, footman:reload:a8b4c123-def4-5678-9abc-def012345678',
      facts: [],
      custom: true,
      problem: null,
    })
  })

  test('a file; one of HTML becomes plain text', async () => {
    writeFileSync(directory.join('plain.hbs'), 'Task {{taskName}} & more')
    writeFileSync(directory.join('page.hbs'), '<!doctype html><p>Task {{taskName}}</p><p>Second</p>')
    const event = exampleEvent({ taskName: 'A <b> & C' })
    expect((await write(event, routed({ template: 'plain.hbs' }))).text.text).toBe('Task A <b> & C & more')
    expect((await write(event, routed({ template: 'page.hbs' }))).text.text).toMatch(/^Task A <b> & C\n+Second$/)
  })

  test.each([
    ['a body that fails', { body: '<%= it.nothing.here %>' }, /Template error: body of rule finance-ops/],
    ['a title that fails', { title: '{{#if}}' }, /Template error: title of rule finance-ops/],
    ['a file that is missing', { template: 'none.eta' }, /Template error: there is no template none\.eta/],
  ])('%s: the built-in text, with the problem in its last line', async (_, texts, problem) => {
    const { text, log } = await write(exampleEvent(), routed(texts))
    const lines = text.text.split('\n')
    expect(lines[0]).toBe('App: Sales Dashboard')
    expect(lines.at(-1)).toMatch(problem)
    expect(text.title).toBe('Reload failed: Financial Dashboard Reload')
    expect(log.of('error')).toHaveLength(1)
  })

  test('are not used for fallbacks', async () => {
    const { text } = await write(exampleEvent(), { ...routed({ title: 'Mine', body: 'Mine' }), kind: 'fallback' })
    expect([text.title, text.custom]).toEqual(['Reload failed: Financial Dashboard Reload', false])
  })
})

test('links: app, console, free links, at most five, only web addresses', async () => {
  const link = (n: number, url = `https://wiki.acme.example/${n}`) => ({
    id: `l${n}`,
    linkText: `Link ${n}`,
    comment: '',
    url,
  })
  const genericUrls = [link(1), link(2, 'file://server/share'), link(3), link(4), link(5)]
  const { deps } = namedDeps({ genericUrls })
  const { links } = await deps.texts.write(inputFor(exampleEvent()), LINES)
  expect(links.map(({ text }) => text)).toEqual(['Open app', 'Open QMC', 'Link 1', 'Link 3', 'Link 4'])
})

test('names of control characters and half signs come out clean', async () => {
  const event = exampleEvent({ taskName: 'A\u0000B\r\nC \ud800', logMessage: 'x\u0007y', scriptLog: null })
  const { text } = await write(event)
  expect(text.title).toBe('Reload failed: AB C \ufffd')
  expect(text.main).toBe('xy')
})
