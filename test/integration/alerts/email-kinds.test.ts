/** One mail of every kind over SMTP: subject, headers, log line, both parts, and the user's own templates for it. */
import { afterEach, describe, expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createEmailDestination, emailRules } from '../../../src/alerts/butler-sections/email.ts'
import { sampleEvent } from '../../../src/alerts/sample-event.ts'
import type { RenderInput } from '../../../src/alerts/types.ts'
import { qlikSenseCloud } from '../../../src/events/config.ts'
import type { EventOutcome, EventType, TaskEvent } from '../../../src/events/types.ts'
import { emailConfig, fullEvent, renderInput, STOCKHOLM, templateEngine } from '../../support/alerts.ts'
import { TASK_ID } from '../../support/events.ts'
import { htmlFaults } from '../../support/html-lint.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { type SmtpSink, startSmtpSink } from '../../support/smtp-sink.ts'
import { tempDirectory } from '../../support/temp.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const FROM = 'Qlik Sense (no-reply) <qliksense-noreply@acme.example>'
const SECTIONS = [
  'reloadTaskFailure',
  'reloadTaskAborted',
  'reloadTaskSuccess',
  'distributeTaskFailure',
  'distributeTaskSuccess',
  'preloadTaskFailure',
  'preloadTaskSuccess',
  'serviceStopped',
  'serviceStarted',
]

/** Every section is on; `section` is merged into each of them. */
async function setup(section: object = {}) {
  const server = await startSmtpSink()
  cleanups.push(() => server.stop())
  const own = { fromAddress: FROM, recipients: ['ops@acme.example'], ...section }
  const task = { ...own, enable: true, alertEnableByCustomProperty: { enable: false } }
  const sections = Object.fromEntries(SECTIONS.map((name) => [name, name.startsWith('service') ? own : task]))
  const smtp = { host: '127.0.0.1', port: server.port, secure: false, tls: { requireTLS: false } }
  const tenant = { alert: { emailNotification: { reloadAppFailure: { ...own, enable: true } } } }
  const config = {
    ...emailConfig({ ...sections, smtp } as never),
    serviceMonitor: { enable: true, alertDestination: { email: { enable: true } } },
    qlikSenseCloud: qlikSenseCloud.parse({ enable: true, event: { mqtt: { tenant } } }),
  }
  const log = recordingLog()
  const deps = { clock: { now: Date.now }, log, engine: templateEngine(), times: STOCKHOLM }
  const destination = createEmailDestination(deps, config)
  cleanups.push(() => destination.close?.())
  const routes = emailRules(config)

  async function send(event: TaskEvent, changes: Partial<RenderInput> = {}): Promise<SmtpSink['mails'][number]> {
    const route = routes.find(({ when }) => when.types.includes(event.type) && when.outcomes.includes(event.outcome))
    const message = await destination.render(renderInput(route!, event, changes))
    const [result] = await destination.deliver([message], new AbortController().signal)
    expect(result).toMatchObject({ outcome: 'delivered' })
    return server.mails.at(-1)!
  }
  return { send, log }
}

function eventOf(type: EventType, outcome: EventOutcome): TaskEvent {
  return { ...sampleEvent('e1', outcome, Date.now(), type), test: false, host: 'qs-prod-1' }
}

const TASK = 'Sample task "A & B"'
const SERVICE = 'Qlik Sense Engine Service'

/** Type, outcome, section, subject by default, what the log says. */
const KINDS: readonly [EventType, EventOutcome, string, string, string][] = [
  [
    'reload',
    'failed',
    'reloadTaskFailure',
    `Qlik Sense reload failed: "${TASK}"`,
    `RELOAD TASK FAILED ALERT: Sending reload task failed notification email to ops@acme.example, for task "${TASK}"`,
  ],
  [
    'reload',
    'aborted',
    'reloadTaskAborted',
    `Qlik Sense reload aborted: "${TASK}"`,
    `RELOAD TASK ABORTED ALERT: Sending reload task aborted notification email to ops@acme.example, for task "${TASK}"`,
  ],
  [
    'reload',
    'success',
    'reloadTaskSuccess',
    `✅ Qlik Sense reload success: "${TASK}"`,
    `RELOAD TASK SUCCESS ALERT: Sending reload task success notification email to ops@acme.example, for task "${TASK}"`,
  ],
  [
    'distribute',
    'failed',
    'distributeTaskFailure',
    `❌ Qlik Sense distribute task failed: "${TASK}"`,
    `DISTRIBUTE TASK FAILED ALERT: Sending distribute task failed notification email to ops@acme.example, for task "${TASK}"`,
  ],
  [
    'distribute',
    'aborted',
    'distributeTaskFailure',
    `❌ Qlik Sense distribute task failed: "${TASK}"`,
    'DISTRIBUTE TASK FAILED ALERT: ',
  ],
  [
    'distribute',
    'success',
    'distributeTaskSuccess',
    `✅ Qlik Sense distribute task success: "${TASK}"`,
    'DISTRIBUTE TASK SUCCESS ALERT: ',
  ],
  [
    'preload',
    'failed',
    'preloadTaskFailure',
    `❌ Qlik Sense preload task failed: "${TASK}"`,
    'PRELOAD TASK FAILED ALERT: ',
  ],
  [
    'preload',
    'success',
    'preloadTaskSuccess',
    `✅ Qlik Sense preload task success: "${TASK}"`,
    'PRELOAD TASK SUCCESS ALERT: ',
  ],
  [
    'service',
    'stopped',
    'serviceStopped',
    `❌ Windows service stopped on host qs-prod-1: "${SERVICE}"`,
    `SERVICE MONITOR: Sending service stopped notification email to ops@acme.example, for service "${SERVICE}" on host "qs-prod-1"`,
  ],
  [
    'service',
    'started',
    'serviceStarted',
    `✅ Windows service started on host qs-prod-1: "${SERVICE}"`,
    'SERVICE MONITOR: Sending service started',
  ],
  [
    'cloudReload',
    'failed',
    'reloadAppFailure',
    '❌ Qlik Sense reload failed: "Sample app"',
    '[QSCLOUD] EMAIL ALERT - APP RELOAD FAILED: Sending app reload failed notification email to ops@acme.example, for app "Sample app"',
  ],
]

describe('a mail of every kind', () => {
  test.each(KINDS)('%s %s', async (type, outcome, section, subject, line) => {
    const { send, log } = await setup()
    const { raw, parsed } = await send(eventOf(type, outcome))
    expect(parsed.subject).toBe(subject)
    expect(raw).toContain(`X-Butler-Event: ${section}\r\n`)
    expect(htmlFaults(parsed.html!.trim())).toEqual([])
    expect(parsed.html).not.toContain('undefined')
    expect(parsed.text).not.toMatch(/undefined|\[object/)
    expect(log.of('info').join('\n')).toContain(line)
  })

  test('the headers stand in the usual order', async () => {
    const { send } = await setup()
    const { raw } = await send(fullEvent())
    const names = raw
      .slice(0, raw.indexOf('\r\n\r\n'))
      .replace(/\r\n[ \t]+/g, ' ')
      .split('\r\n')
      .map((line) => line.slice(0, line.indexOf(':')))
    const usual = [
      'From',
      'To',
      'Subject',
      'Message-ID',
      'X-Priority',
      'X-Msmail-Priority',
      'Importance',
      'Date',
      'MIME-Version',
      'Content-Type',
    ]
    expect(names.filter((name) => usual.includes(name))).toEqual(usual)
    expect(names.filter((name) => !usual.includes(name)).sort()).toEqual([
      'Auto-Submitted',
      'X-Butler-Event',
      'X-Butler-Task-ID',
    ])
    expect(raw).toContain(`X-Butler-Task-ID: ${TASK_ID}\r\n`)
  })

  test('what is not about a task names none', async () => {
    const { send } = await setup()
    expect((await send(eventOf('service', 'stopped'))).raw).not.toMatch(/X-Butler-Task-Id/i)
  })

  test('the user is written as always: as it came for distributions, with slashes for preloads', async () => {
    const { send } = await setup()
    expect((await send({ ...eventOf('distribute', 'failed'), user: 'ACME\\\\anna' })).parsed.text).toContain(
      ' ACME\\\\anna\n',
    )
    expect((await send({ ...eventOf('preload', 'failed'), user: 'ACME\\anna' })).parsed.text).toContain(' ACME/anna\n')
  })

  test('without anything from Qlik Sense every kind is sent all the same', async () => {
    const { send } = await setup()
    for (const [type, outcome] of KINDS) {
      const bare = {
        task: null,
        app: null,
        owner: null,
        execution: null,
        scriptLog: null,
        history: null,
        user: '',
        logMessage: '',
      }
      const details =
        type === 'cloudReload' ? { kind: 'cloudReload' as const, variables: {} } : eventOf(type, outcome).details
      const { parsed } = await send({ ...eventOf(type, outcome), ...bare, details })
      expect(parsed.text).not.toMatch(/undefined|null/)
    }
  })
})

describe('recoveries, fallbacks and tests', () => {
  const own = { subject: 'MINE {{taskName}}', bodyFileDirectory: '', htmlTemplateFile: 'x' }

  test('a recovery does not use the template of the failure', async () => {
    const { send } = await setup(own)
    const { parsed } = await send(fullEvent({ outcome: 'success' }), { kind: 'recovery' })
    expect(parsed.subject).toBe('Reload recovered: Sales DW - hourly')
    expect(parsed.html).toContain('All is well again.')
  })

  test('a fallback is plain text and names what could not be reached', async () => {
    const { send } = await setup(own)
    const { parsed, raw } = await send(fullEvent(), { kind: 'fallback', note: { failedDestination: 'ops-slack' } })
    expect(parsed.subject).toBe('Reload failed: Sales DW - hourly')
    expect(parsed.html).toBeUndefined()
    expect(raw).toContain('Content-Type: text/plain; charset=utf-8')
    expect(parsed.text).toContain('could not be delivered to ops-slack')
  })

  test('a test says so once', async () => {
    const { send } = await setup()
    expect((await send(fullEvent({ test: true }), { kind: 'test' })).parsed.subject).toBe(
      '[TEST] Qlik Sense reload failed: "Sales DW - hourly"',
    )
  })
})

describe('template files written for Butler 16', () => {
  /** In the style of the files that Butler 16 came with: every construct they use. */
  const FILES: Readonly<Record<string, string>> = {
    'failed-reload-qseow.handlebars': [
      '{{! Butler }}',
      '<h1>{{taskName}} failed</h1>',
      '<p>{{ executionDuration.hours }}h {{executionDuration.minutes}}m, {{executionStartTime.startTimeLocal1}}</p>',
      '{{#each taskCustomProperties}}',
      '<p>{{this.name}}={{this.value}}</p>',
      '{{/each}}',
      '{{#each genericUrls}}{{!-- {{#if (eq id "other")}} --}}{{#if (eq id "runbook")}}<a href="{{url}}">{{linkText}}</a>{{/if}}{{/each}}',
      '<pre>{{{scriptLogTail}}}</pre>',
    ].join('\n'),
    'failed-distribute.handlebars':
      '<p>{{executionStartTime.year}} {{executionStartTime.startTimeLocal1}} {{executionStatusText}}</p>',
    'success-preload.handlebars': '<p>{{hostName}} {{appName}} {{executingNodeName}} {{taskNextExecution}}</p>',
    'failed-preload.handlebars': '<p>{{#each emailRecipients.common}}{{this}};{{/each}} {{executionDetailsText}}</p>',
    'service-stopped.handlebars':
      '<p>{{serviceStatus}} {{serviceDisplayName}} {{servicePrevStatus}} {{serviceExePath}} {{host}}</p>',
    'failed-reload-qscloud.handlebars':
      '<p>{{appName}} {{errorMessage}} {{reloadTrigger}} {{tenantComment}} {{appOwnerName}}</p>',
  }

  test.each<[EventType, EventOutcome, readonly string[]]>([
    ['distribute', 'failed', ['2026 2026-01-15 07:00:01 FinishedFail']],
    ['preload', 'success', ['qs-prod-1 Sample app sample-node 2026-01-16T06:00:00.000Z']],
    ['preload', 'failed', ['ops@acme.example; 2026-01-15T06:00:01.120Z\tChanging task state to Triggered']],
    [
      'service',
      'stopped',
      ['STOPPED Qlik Sense Engine Service RUNNING &quot;C:\\Program Files\\Qlik', 'qs-prod-1</p>'],
    ],
    ['cloudReload', 'failed', ['Sample app error in app script or datasource chronos Sample tenant Anna Sample']],
    [
      'reload',
      'failed',
      [
        '<h1>Sample task &quot;A &amp; B&quot; failed</h1>\n<p>0h 3m, 2026-01-15 07:00:01</p>\n<p>SampleProperty=sample</p>\n',
        '>Runbook</a>',
        "Error: Field 'Amount' not found</pre>",
      ],
    ],
  ])('%s %s', async (type, outcome, expected) => {
    const directory = tempDirectory()
    cleanups.push(() => directory.remove())
    mkdirSync(directory.join('partials'))
    for (const [name, text] of Object.entries(FILES)) writeFileSync(directory.join(name), text)
    const { send } = await setup({ bodyFileDirectory: directory.path })
    const { parsed } = await send(eventOf(type, outcome))
    for (const text of expected) expect(parsed.html).toContain(text)
    expect(parsed.text).not.toBe('')
  })
})
