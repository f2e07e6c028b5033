/** Enriched events and settings for tests of messages. */

import { genericUrls, qlikSenseUrls } from '../../src/alerts/config.ts'
import { type EmailNotificationConfig, email, emailNotification } from '../../src/alerts/config-email.ts'
import { webhookNotification } from '../../src/alerts/config-webhook.ts'
import type { ContextSettings } from '../../src/alerts/template-context.ts'
import { createTemplateEngine, type TemplateEngine } from '../../src/alerts/templates/engine.ts'
import { createTimeFormatter } from '../../src/alerts/times.ts'
import type { RenderInput, Rule } from '../../src/alerts/types.ts'
import type { ScriptLog, TaskEvent } from '../../src/events/types.ts'
import { qlikSenseLicense, serviceMonitor } from '../../src/monitors/config.ts'
import { APP_ID, TASK_ID, taskEvent } from './events.ts'

export const STOCKHOLM = createTimeFormatter({ timeZone: 'Europe/Stockholm', locale: 'en-US' })

export const LINKS = {
  qlikSenseUrls: {
    qmc: 'https://qs.acme.example/qmc',
    hub: 'https://qs.acme.example/hub',
    appBaseUrl: 'https://qs.acme.example/sense/app',
  },
  genericUrls: [{ id: 'runbook', linkText: 'Runbook', comment: '', url: 'https://wiki.acme.example/reloads?a=1&b=2' }],
}

export const CONTEXT: ContextSettings = {
  ...LINKS,
  version: '1.0.0',
  times: STOCKHOLM,
  now: Date.parse('2025-10-14T07:28:45.000Z'),
}

export function scriptLog(lines: readonly string[]): ScriptLog {
  return { lines, characters: lines.join('\r\n').length }
}

/** A failed reload of which everything is known. */
export function fullEvent(changes: Partial<TaskEvent> = {}): TaskEvent {
  return taskEvent({
    receivedAt: Date.parse('2025-10-14T07:28:43.200Z'),
    taskName: 'Sales DW - hourly',
    appName: 'Sales DW',
    host: 'qs-prod-1',
    user: 'ACME\\svc-qlik',
    logTimeStamp: '2025-10-14 09:28:43,099',
    task: {
      id: TASK_ID,
      name: 'Sales DW - hourly',
      taskType: 0,
      enabled: true,
      tags: [{ id: 't1', name: 'hourly-reload' }],
      customProperties: [
        { value: 'finance', definition: { id: 'd1', name: 'taskGroup' } },
        { value: 'Yes', definition: { id: 'd2', name: 'Butler_FailedAlertEnableEmail' } },
      ],
      isManuallyTriggered: false,
      isPartialReload: false,
      maxRetries: 0,
      modifiedByUserName: 'ACME\\anna',
      modifiedDate: '2025-09-01T11:00:00.000Z',
      taskSessionTimeout: 1440,
      operational: { nextExecution: '2025-10-14T08:00:00.000Z' },
    },
    app: {
      id: APP_ID,
      name: 'Sales DW',
      description: 'Daily sales',
      fileSize: 1234567,
      lastReloadTime: '2025-10-14T06:28:10.000Z',
      modifiedDate: '2025-10-14T06:28:11.000Z',
      modifiedByUserName: 'ACME\\anna',
      publishTime: '2025-01-01T00:00:00.000Z',
      published: true,
      stream: { id: 's1', name: 'Finance' },
      owner: { id: 'o1', userId: 'anna', userDirectory: 'ACME', name: 'Anna Larsson' },
      tags: [{ id: 't2', name: 'sales' }],
      customProperties: [],
    },
    owner: { id: 'o1', directory: 'ACME', userId: 'anna', userName: 'Anna Larsson', emails: ['anna@acme.example'] },
    execution: {
      id: 'e1',
      status: 8,
      executingNodeName: 'qs-sched-2',
      startTime: '2025-10-14T07:24:31.120Z',
      stopTime: '2025-10-14T07:28:43.099Z',
      duration: 252_000,
      fileReferenceID: 'f1',
      scriptLogAvailable: true,
      scriptLogSize: 48213,
      details: [
        { detailsType: 2, message: 'Started to FinishedFail', detailCreatedDate: '2025-10-14T07:28:43.099Z' },
        { detailsType: 2, message: 'Changing task state to Triggered', detailCreatedDate: '2025-10-14T07:24:31.120Z' },
      ],
    },
    scriptLog: scriptLog([
      '2025-10-14 09:24:31      Execution started.',
      '2025-10-14 09:24:31  0001 SET x = 1',
      "2025-10-14 09:28:43  0042 Error: Field 'Amount' not found",
      '2025-10-14 09:28:43      Execution Failed',
    ]),
    ...changes,
  })
}

/** A section with only these keys set, the others at their defaults. */
export type Written<T> = { readonly [K in keyof T]?: T[K] extends readonly unknown[] ? T[K] : Written<T[K]> }

export function emailConfig(written: Written<EmailNotificationConfig>, more: object = {}) {
  return {
    emailNotification: emailNotification.parse({ enable: true, ...written }),
    footman: { email: email.parse(more) },
    qlikSenseUrls: qlikSenseUrls.parse(LINKS.qlikSenseUrls),
    genericUrls: genericUrls.parse(LINKS.genericUrls),
  }
}

export function webhookConfig(written: object) {
  return {
    webhookNotification: webhookNotification.parse({ enable: true, ...written }),
    serviceMonitor: serviceMonitor.parse({}),
    qlikSenseLicense: qlikSenseLicense.parse({}),
  }
}

export function templateEngine(directories: readonly string[] = []): TemplateEngine {
  return createTemplateEngine({ candidates: (path) => directories.map((directory) => `${directory}/${path}`) })
}

/** A first alert without anything special about it. */
export const ALERT = { kind: 'alert', severity: 'error', note: null } as const

/** The input of `render` for the first delivery that a route plans. */
export function renderInput(rule: Rule, event: TaskEvent, changes: Partial<RenderInput> = {}): RenderInput {
  const target = rule.plan(event)[0]?.target ?? ''
  return {
    event,
    rule,
    target,
    deliveryId: '019cad24-c0ec-7b7c-b06b-c8fb46460cb1',
    suppressed: 0,
    ...ALERT,
    ...changes,
  }
}

/** A name with characters that break JSON, HTML and markup. */
export const NASTY_NAME = 'A "B" & <C> \\D'

/** A failed reload with hostile characters in every text, and a script log of 5,000 lines. */
export function nastyEvent(changes: Partial<TaskEvent> = {}): TaskEvent {
  const event = fullEvent()
  const line = (i: number) => `2025-10-14 09:24:31\t${i} LOAD "x" & 'y' <z> FROM C:\\new\\temp\\${i}.qvd; \`\`\` 🤪 åäö`
  return {
    ...event,
    taskName: NASTY_NAME,
    appName: NASTY_NAME,
    host: 'qs<1>&"2"\\3',
    logMessage: 'Line 1\r\nLine "2"\tC:\\new & <b>\u0000\u0007',
    task: { ...event.task!, name: NASTY_NAME },
    app: { ...event.app!, name: NASTY_NAME },
    owner: { ...event.owner!, userName: 'Anna "the <boss>" Lärsson', directory: 'A\\B' },
    execution: {
      ...event.execution!,
      executingNodeName: 'node<&>"\\n',
      details: [
        {
          detailsType: 2,
          message: 'Start by "ACME\\user" <x> & more',
          detailCreatedDate: '2025-10-14T07:24:31.120Z',
        },
      ],
    },
    scriptLog: scriptLog(Array.from({ length: 5000 }, (_, i) => line(i))),
    ...changes,
  }
}
