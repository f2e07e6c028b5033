/** The configured webhooks: which events they are called for, how they are named, and which cannot be called. */
import type { Outcome, TaskType } from '../../../events/types.ts'
import type { WebhookConfig, WebhookNotificationConfig } from '../../config-webhook.ts'
import type { UserForm } from '../../record.ts'

export interface WebhookDestinationConfig {
  readonly webhookNotification: WebhookNotificationConfig
}

export interface WebhookKind {
  readonly section: 'reloadTaskFailure' | 'reloadTaskAborted'
  readonly type: TaskType
  readonly outcome: Outcome
  readonly userForm: UserForm
  /** The field `event` of the payload. */
  readonly event: string
  /** In log lines: `[QSEOW] WEBHOOKOUT <label>: ...`. */
  readonly label: string
}

export const WEBHOOK_KINDS: readonly WebhookKind[] = [
  {
    section: 'reloadTaskFailure',
    type: 'reload',
    outcome: 'failed',
    userForm: 'collapsed',
    event: 'Qlik Sense reload failed',
    label: 'RELOAD TASK FAILED',
  },
  {
    section: 'reloadTaskAborted',
    type: 'reload',
    outcome: 'aborted',
    userForm: 'unchanged',
    event: 'Qlik Sense reload aborted',
    label: 'RELOAD TASK ABORTED',
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

/** Every section with its hooks, in the order of the configuration file. */
export function hookSections({ webhookNotification }: WebhookDestinationConfig): readonly HookSection[] {
  return WEBHOOK_KINDS.map((kind) => {
    const { rateLimit, webhooks } = webhookNotification[kind.section]
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
