/** The configured webhooks: which events they are called for, how they are named, and which cannot be called. */

import type { EventOutcome, EventType, Need, TaskEvent } from '../../../events/types.ts'
import type { QlikSenseLicenseConfig, ServiceMonitorConfig } from '../../../monitors/types.ts'
import type { WebhookConfig, WebhookNotificationConfig } from '../../config-webhook.ts'
import { licenseFields, reloadFields, serviceFields, type WebhookFields } from './payload.ts'

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
  /** What else must be switched on beside `webhookNotification.enable`. */
  readonly gate: (config: WebhookDestinationConfig) => boolean
  /** What a rate limit counts by, within the section. */
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

/** A service that stops and one that starts have windows of their own: a quick restart tells both. */
function serviceOf({ host, outcome, details }: TaskEvent): string {
  const change = outcome === 'started' ? 'started' : 'stopped'
  return `${host}|${details?.kind === 'service' ? details.serviceName : ''}|${change}`
}

export const WEBHOOK_KINDS: readonly WebhookKind[] = [
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
  /** One lane per server, so that a dead one holds up nobody else. */
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
  const { protocol, host, hostname, port } = new URL(config.webhookURL)
  const lane = `webhook:${protocol}//${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`
  return { config, target: `${host} (${label})`, lane, problem }
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
