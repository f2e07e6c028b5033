/** `Butler.webhookNotification`: the configured webhooks, when they are called, with what, and which cannot be called. */

import type { EventOutcome, EventType, Need, TaskEvent } from '../../events/types.ts'
import type { QlikSenseLicenseConfig, ServiceMonitorConfig } from '../../monitors/types.ts'
import type { Logger } from '../../platform/types.ts'
import type { WebhookConfig, WebhookNotificationConfig } from '../config-webhook.ts'
import { secretsOfUrl } from '../destinations/http.ts'
import type { SettingProblem } from '../destinations/settings.ts'
import type { HttpCall } from '../destinations/types.ts'
import { formatUser, type UserForm } from '../template-context.ts'
import type { Destination, PlannedDelivery, Rule } from '../types.ts'
import { laneOfAddress, type SectionDeps, sectionDestination } from './http.ts'

export type WebhookFields = Readonly<Record<string, string | number | boolean | null>>

/** A reload of a task: the same for GET (query) and POST/PUT (JSON); what is unknown is an empty text. */
function reloadFields(event: TaskEvent, what: string, userForm: UserForm): WebhookFields {
  const { owner, app } = event
  return {
    event: what,
    hostName: event.host,
    user: formatUser(event.user, userForm),
    taskName: event.taskName || event.task?.name || '',
    taskId: event.taskId,
    appName: event.appName || app?.name || '',
    appId: event.appId || app?.id || '',
    appOwnerName: owner?.userName ?? app?.owner?.name ?? '',
    appOwnerUserDirectory: owner?.directory ?? app?.owner?.userDirectory ?? '',
    appOwnerUserId: owner?.userId ?? app?.owner?.userId ?? '',
    appOwnerEmail: owner?.emails[0] ?? '',
    logTimeStamp: event.logTimeStamp,
    logLevel: event.logLevel,
    executionId: event.executionId,
    logMessage: event.logMessage,
  }
}

/** A Windows service whose state has changed. */
function serviceFields({ host, details }: TaskEvent): WebhookFields {
  if (details?.kind !== 'service') throw new Error('the event says nothing about a service')
  return {
    event: 'Windows service monitor',
    host,
    serviceStatus: details.status,
    serviceName: details.serviceName,
    serviceDisplayName: details.displayName,
    serviceStartType: details.startType,
    prevState: details.previousStatus,
    currState: details.status,
    stateChanged: details.previousStatus !== details.status,
  }
}

/** The licence of the Qlik Sense server; date and days are null when it never ends. */
function licenseFields({ details }: TaskEvent, what: string): WebhookFields {
  if (details?.kind !== 'license') throw new Error('the event says nothing about a licence')
  const { expired, expiryDate, daysRemaining } = details
  return {
    event: what,
    licenseExpired: expired,
    expiryDateStr: expiryDate?.slice(0, 10) ?? null,
    daysUntilExpiry: daysRemaining,
  }
}

/** The configured address with the payload appended to its query; blanks become `+`. */
function withQuery(address: string, fields: WebhookFields, lowerCase = false): string {
  const url = new URL(address)
  const own = url.search.replace(/^\?/, '')
  const texts = Object.entries(fields).map(([name, value]) => [lowerCase ? name.toLowerCase() : name, `${value ?? ''}`])
  url.search = [own, new URLSearchParams(texts).toString()].filter(Boolean).join('&')
  return url.href
}

export interface WebhookDestinationConfig {
  readonly webhookNotification: WebhookNotificationConfig
  readonly serviceMonitor: ServiceMonitorConfig
  readonly qlikSenseLicense: QlikSenseLicenseConfig
}

export interface WebhookKind {
  readonly section:
    | 'reloadTaskFailure'
    | 'reloadTaskAborted'
    | 'serviceMonitor'
    | 'qlikSenseServerLicenseMonitor'
    | 'qlikSenseServerLicenseExpiryAlert'
  readonly type: EventType
  readonly outcomes: readonly EventOutcome[]
  readonly needs: readonly Need[]
  /** The switch besides `webhookNotification.enable` that must be on. */
  readonly gate: (config: WebhookDestinationConfig) => boolean
  /** Key of the rate limit within the section. */
  readonly subject: (event: TaskEvent) => string
  readonly fields: (event: TaskEvent) => WebhookFields
  /** Names of the fields in a query are in lower case. */
  readonly lowerCaseQuery?: boolean
  /** In log lines: `[QSEOW] WEBHOOKOUT <label>: ...`. */
  readonly label: string
}

const taskOf = ({ taskId }: TaskEvent) => taskId
const always = () => true
const licenseDestination = ({ qlikSenseLicense }: WebhookDestinationConfig) =>
  qlikSenseLicense.serverLicenseMonitor.destination.webhook

/** A service that stops and one that starts have windows of their own: a quick restart reports both. */
function serviceOf({ host, outcome, details }: TaskEvent): string {
  const change = outcome === 'started' ? 'started' : 'stopped'
  return `${host}|${details?.kind === 'service' ? details.serviceName : ''}|${change}`
}

const WEBHOOK_KINDS: readonly WebhookKind[] = [
  {
    section: 'reloadTaskFailure',
    type: 'reload',
    outcomes: ['failed'],
    needs: ['app', 'owner'],
    gate: always,
    subject: taskOf,
    fields: (event) => reloadFields(event, 'Qlik Sense reload failed', 'collapsed'),
    label: 'RELOAD TASK FAILED',
  },
  {
    section: 'reloadTaskAborted',
    type: 'reload',
    outcomes: ['aborted'],
    needs: ['app', 'owner'],
    gate: always,
    subject: taskOf,
    fields: (event) => reloadFields(event, 'Qlik Sense reload aborted', 'unchanged'),
    label: 'RELOAD TASK ABORTED',
  },
  {
    section: 'serviceMonitor',
    type: 'service',
    outcomes: ['stopped', 'started', 'unreachable'],
    needs: [],
    gate: ({ serviceMonitor }) => serviceMonitor.alertDestination.webhook.enable,
    subject: serviceOf,
    fields: serviceFields,
    lowerCaseQuery: true,
    label: 'SERVICE MONITOR',
  },
  {
    section: 'qlikSenseServerLicenseMonitor',
    type: 'license',
    outcomes: ['status'],
    needs: [],
    gate: (config) => licenseDestination(config).enable && licenseDestination(config).sendRecurring.enable,
    subject: () => 'license-monitor',
    fields: (event) => licenseFields(event, 'server license status'),
    label: 'QLIK SENSE SERVER LICENSE MONITOR',
  },
  {
    section: 'qlikSenseServerLicenseExpiryAlert',
    type: 'license',
    outcomes: ['expiring', 'expired'],
    needs: [],
    gate: (config) => licenseDestination(config).enable && licenseDestination(config).sendAlert.enable,
    subject: () => 'license-alert',
    fields: (event) =>
      licenseFields(
        event,
        event.outcome === 'expired' ? 'server license has expired alert' : 'server license about to expire alert',
      ),
    label: 'QLIK SENSE SERVER LICENSE EXPIRY ALERT',
  },
]

export interface Hook {
  readonly config: WebhookConfig
  /** Host and description; unique within the section. Addresses may hold secrets, so they are never shown. */
  readonly target: string
  /** One lane per server, so that a dead one does not delay the others. */
  readonly lane: string
  /** Why it cannot be called; null when it can. */
  readonly problem: string | null
}

export interface HookSection {
  readonly kind: WebhookKind
  readonly routeName: string
  readonly rateLimitMs: number
  readonly hooks: readonly Hook[]
}

const METHODS: readonly string[] = ['GET', 'POST', 'PUT']

/** Every section that is switched on with its hooks, in the order of the configuration file. */
export function hookSections(config: WebhookDestinationConfig): readonly HookSection[] {
  return WEBHOOK_KINDS.filter(({ gate }) => gate(config)).map((kind) => {
    const { rateLimit, webhooks } = config.webhookNotification[kind.section]
    const routeName = `butler.webhookNotification.${kind.section}`
    return { kind, routeName, rateLimitMs: rateLimit * 1000, hooks: named(webhooks.map(hookOf)) }
  })
}

function hookOf(config: WebhookConfig, index: number): Hook {
  const label = config.description.trim() || `#${index + 1}`
  const problem = problemOf(config)
  if (!URL.canParse(config.webhookURL)) return { config, target: `(${label})`, lane: 'webhook', problem }
  const { host } = new URL(config.webhookURL)
  return { config, target: `${host} (${label})`, lane: laneOfAddress('webhook', config.webhookURL), problem }
}

function problemOf({ webhookURL, httpMethod, cert }: WebhookConfig): string | null {
  if (!URL.canParse(webhookURL)) return 'webhookURL is not a valid address'
  if (!/^https?:/i.test(webhookURL)) return 'webhookURL must start with http:// or https://'
  if (!METHODS.includes(httpMethod)) return 'httpMethod must be GET, POST or PUT'
  if (cert.enable && !cert.certCA) return 'cert.enable is true but cert.certCA names no file'
  return null
}

/** Hooks that would have the same name get the position in the list appended. */
function named(hooks: readonly Hook[]): readonly Hook[] {
  return hooks.map((hook, i) => {
    const alike = hooks.filter(({ target }) => target === hook.target).length > 1
    return alike ? { ...hook, target: `${hook.target} #${i + 1}` } : hook
  })
}

/** One route per section that has webhooks. All URLs of a section share one rate-limit slot per subject. */
export function webhookRules(config: WebhookDestinationConfig): Rule[] {
  if (!config.webhookNotification.enable) return []
  return hookSections(config)
    .filter(({ hooks }) => hooks.length > 0)
    .map((section) => ({
      name: section.routeName,
      destination: 'webhook',
      when: { types: [section.kind.type], outcomes: section.kind.outcomes },
      phase: 'enriched',
      needs: section.kind.needs,
      plan: (event) => section.hooks.map((hook) => delivery(event, section, hook)),
    }))
}

function delivery(event: TaskEvent, section: HookSection, { target, lane, problem }: Hook): PlannedDelivery {
  if (problem) return { target, lane, suppress: { reason: 'RECIPIENT_INVALID', detail: problem } }
  const key = `${section.routeName}|${section.kind.subject(event)}`
  return { target, lane, limit: { key, windowMs: section.rateLimitMs } }
}

const MAX_REDIRECTS = 5
const ACCEPT = 'application/json, text/plain, */*'

/** Every webhook is a delivery of its own: a bad one never stops the others. */
export function createWebhookDestination(deps: SectionDeps, config: WebhookDestinationConfig): Destination {
  const sections = hookSections(config)
  const byRoute = new Map(sections.map((section) => [section.routeName, section]))
  const secrets = sections.flatMap(({ hooks }) => hooks.flatMap((hook) => secretsOfUrl(hook.config.webhookURL)))
  if (config.webhookNotification.enable) reportProblems(deps.log, sections)
  return sectionDestination(deps, 'webhook', { secrets }, ({ event, rule, target }) => {
    const section = byRoute.get(rule.name)
    const hook = section?.hooks.find((candidate) => candidate.target === target)
    if (!section || !hook) throw new Error(`the webhook ${target} is no longer in the configuration`)
    const shown = section.kind.fields(event)
    return { call: callOf(hook, section.kind, shown), shown }
  })
}

function callOf({ config }: Hook, { section, lowerCaseQuery }: WebhookKind, fields: WebhookFields): HttpCall {
  const { httpMethod: method, webhookURL: url, description, cert } = config
  const { certCA: caFile, rejectUnauthorized } = cert
  const common = {
    method,
    headers: { Accept: ACCEPT },
    redirects: MAX_REDIRECTS,
    key: `Butler.webhookNotification.${section}.webhooks`,
    announcement: { level: 'info', text: `[QSEOW] WEBHOOKOUT: Processing webhook "${description}"` } as const,
    ...(cert.enable && { tls: { caFile, caName: 'the file of cert.certCA', rejectUnauthorized } }),
  }
  if (method === 'GET') return { ...common, url: withQuery(url, fields, lowerCaseQuery) }
  const headers = { ...common.headers, 'Content-Type': 'application/json' }
  return { ...common, headers, url, body: JSON.stringify(fields) }
}

function reportProblems(log: Logger, sections: readonly HookSection[]): void {
  for (const { kind, hooks } of sections) {
    for (const { target, problem } of hooks) {
      if (problem) log.error(`[QSEOW] WEBHOOKOUT ${kind.label}: Invalid outgoing webhook config: ${target}: ${problem}`)
    }
  }
}

export function webhookProblems(config: WebhookDestinationConfig): readonly SettingProblem[] {
  if (!config.webhookNotification.enable) return []
  return hookSections(config).flatMap(({ kind, hooks }) =>
    hooks.flatMap(({ problem }, index) => {
      if (!problem) return []
      const path = `Butler.webhookNotification.${kind.section}.webhooks[${index}]`
      return [{ severity: 'error' as const, path, message: problem, hint: 'this webhook is never called' }]
    }),
  )
}
