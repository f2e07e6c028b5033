/** `Butler.footman.destinations`: named places to which routes send. */
import { z } from 'zod'
import {
  choice,
  count,
  durationText,
  file,
  flag,
  httpUrl,
  list,
  map,
  nameText,
  object,
  optionalChoice,
  requiredHttpUrl,
  requiredText,
  text,
} from '../config/fields.ts'
import { MESSAGE_TYPES } from './config-chat.ts'
import { PRIORITIES } from './config-email.ts'

const common = {
  enable: flag('Send to it.', true),
  timeout: durationText({ min: 1000, max: 600_000 })
    .prefault('10s')
    .meta({ description: 'Time-out of one attempt.', format: 'duration' }),
  rejectUnauthorized: flag('Refuse a server certificate that cannot be verified.', true),
  caFile: file('Certificate authority of the server (PEM).'),
  headScriptLogLines: count('First lines of the script log in messages about reloads.', 15),
  tailScriptLogLines: count('Last lines of the script log in messages about reloads.', 15),
}

const messageType = choice('basic: one line of text; formatted: with details.', MESSAGE_TYPES, 'formatted')
const token = z.string().default('')
const serverUrl = (description: string, fallback: string) =>
  httpUrl(description, fallback).refine((value) => value !== '', { error: 'must be an address' })
const headers = map(
  'HTTP headers.',
  z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, { error: 'must be one line of plain text' }),
  z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, {
    error: (issue) => `must be the name of an HTTP header, found "${issue.input}"`,
  }),
)
/** Names that routes made of Butler's sections use. */
const RESERVED = ['email', 'slack', 'teams', 'webhook', 'signl4', 'newrelic', 'mqtt', 'influxdb', 'scriptlog']
const destinationName = nameText.refine((value) => !RESERVED.includes(value), {
  error: (issue) => `is the name of what the sections of Butler send to, choose another one than "${issue.input}"`,
})

/** The settings of each type beside the common ones; one line of the registry per type. */
const kinds = {
  email: {
    recipients: list('Recipients.', z.string()),
    appOwner: flag('Also mail the owner of the app.'),
    recipientProperty: text('Custom property of tasks whose values are addresses.'),
    from: text('Sender.', '', { defaultText: 'sender of emailNotification' }),
    priority: optionalChoice('Priority of the mail.', PRIORITIES),
    attachScriptLog: z.boolean().optional().meta({ description: 'Attach the script log.' }),
  },
  slack: {
    webhookURL: requiredHttpUrl('Address to post to.'),
    channel: text('Channel.'),
    fromUser: text('Name of the sender.', 'Qlik Sense'),
    iconEmoji: text('Icon of the sender.', ':ghost:'),
    messageType,
  },
  teams: { webhookURL: requiredHttpUrl('Address to post to.'), messageType },
  signl4: {
    url: requiredHttpUrl('Webhook of the team; a secret.'),
    serviceName: text('Service named in the alert.', 'Qlik Sense'),
  },
  newrelic: {
    account: list('Names of New Relic accounts.', z.string(), { min: 1 }),
    as: choice('Send as event or log entry.', ['event', 'log'], 'event'),
  },
  mqtt: {
    topic: requiredText('Template of the topic.'),
    message: choice('What is published.', ['full', 'short', 'body'], 'full'),
    retain: flag('Let the broker keep the message.'),
  },
  webhook: {
    url: requiredHttpUrl('Address to call.'),
    method: choice('HTTP method.', ['POST', 'PUT', 'PATCH'], 'POST'),
    headers,
    contentType: text('Content type of the body.', 'application/json'),
    body: text('Template of the body.', '', { defaultText: 'the whole event as JSON' }),
    template: file('File with the template of the body.'),
    signingSecret: z
      .string()
      .refine((value) => value === '' || /^whsec_[A-Za-z0-9+/]+=*$/.test(value), {
        error: 'must be whsec_ followed by base64',
      })
      .default('')
      .meta({ description: 'Secret of the Standard Webhooks signature.' }),
  },
  ntfy: {
    topic: requiredText('Topic.'),
    server: serverUrl('Server.', 'https://ntfy.sh'),
    token: token.meta({ description: 'Access token.' }),
    username: text('User name, when there is no token.'),
    password: text('Password.'),
  },
  pagerduty: {
    routingKey: z
      .string()
      .length(32, { error: 'must be the integration key of 32 characters' })
      .meta({ description: 'Integration key, 32 characters.' }),
    region: choice('Region of the account.', ['us', 'eu'], 'us'),
  },
  opsgenie: {
    apiKey: requiredText('API key.'),
    region: choice('Region, or jsm for Jira Service Management.', ['us', 'eu', 'jsm'], 'us'),
    responders: list(
      'Who is alerted.',
      object(() => ({
        type: z.string().meta({ description: 'Like team or user.' }),
        name: z.string().optional().meta({ description: 'Name.' }),
        id: z.string().optional().meta({ description: 'Id, instead of the name.' }),
      })),
    ),
    tags: list('Extra tags.', z.string()),
  },
  discord: {
    webhookURL: requiredHttpUrl('Address to post to.'),
    username: text('Name of the sender.', 'Footman'),
    threadId: text('Thread.'),
    mentionRoles: list('Ids of roles to mention.', z.string()),
  },
  telegram: {
    botToken: requiredText('Token of the bot.'),
    chatId: z.union([z.number(), z.string().min(1)]).meta({ description: 'Id of the chat (a number) or @channel.' }),
    threadId: z.int().optional().meta({ description: 'Thread.' }),
  },
  otlp: {
    endpoint: serverUrl('Address of the collector; /v1/logs is appended.', 'http://localhost:4318'),
    headers,
    resource: map('Extra resource attributes.', z.string()),
  },
} as const

/** The types of destinations. */
export const DESTINATION_TYPES = Object.keys(kinds) as (keyof typeof kinds)[]

function kind<K extends keyof typeof kinds>(type: K) {
  return object(() => ({
    type: z.literal(type).meta({ description: 'Type of the destination.' }),
    ...common,
    ...kinds[type],
  }))
}

const anyDestination = z.discriminatedUnion('type', [
  kind('email'),
  kind('slack'),
  kind('teams'),
  kind('signl4'),
  kind('newrelic'),
  kind('mqtt'),
  kind('webhook'),
  kind('ntfy'),
  kind('pagerduty'),
  kind('opsgenie'),
  kind('discord'),
  kind('telegram'),
  kind('otlp'),
])

const destination = anyDestination.superRefine((value, context) => {
  const problem = problemOf(value)
  if (!problem) return
  const [key, message] = problem
  context.addIssue({ code: 'custom', input: value, message, path: key ? [key] : [] })
})

type Settings = z.output<typeof anyDestination>

/** What is wrong although every key alone is fine: the key, or '' for the destination as a whole, and why. */
function problemOf(value: Settings): readonly [key: string, message: string] | null {
  switch (value.type) {
    case 'email':
      return value.recipients.length > 0 || value.appOwner || value.recipientProperty !== ''
        ? null
        : ['', 'reaches nobody: set recipients, appOwner or recipientProperty']
    case 'mqtt':
      return /[+#]/.test(value.topic.replace(/\{\{.*?\}\}|<%.*?%>/gs, ''))
        ? ['topic', 'must not hold the wildcards + and #']
        : null
    case 'webhook':
      return value.body && value.template ? ['template', 'is not used beside body: remove one of them'] : null
    case 'opsgenie':
      return value.responders.every(({ name, id }) => Boolean(name) !== Boolean(id))
        ? null
        : ['responders', 'need a name or an id each']
    default:
      return null
  }
}

/** Of one setting that a route changes: what is wrong with it. */
export interface OverrideProblem {
  readonly key: string
  readonly message: string
}

/**
 * The settings of a destination with what a route changes of them, as `{destination: name, <setting>: value}` has it.
 * Keys that are wrong keep the value of the destination.
 */
export function overriddenDestination(
  base: DestinationConfig,
  changes: Readonly<Record<string, unknown>>,
): { readonly settings: DestinationConfig; readonly problems: readonly OverrideProblem[] } {
  const schemas: Readonly<Record<string, z.ZodType>> = { ...common, ...kinds[base.type] }
  const problems: OverrideProblem[] = []
  const changed: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(changes)) {
    const schema = Object.hasOwn(schemas, key) ? schemas[key] : undefined
    const parsed = schema?.safeParse(value)
    if (parsed?.success) changed[key] = parsed.data
    else problems.push({ key, message: parsed?.error.issues[0]?.message ?? `is no setting of the type ${base.type}` })
  }
  const settings = { ...base, ...changed } as DestinationConfig
  const whole = problemOf(settings)
  if (!whole) return { settings, problems }
  return { settings: base, problems: [...problems, { key: whole[0], message: whole[1] }] }
}

export const destinations = map('Places to which alert routes send, by name.', destination, destinationName)

export type DestinationConfig = z.output<typeof destination>
