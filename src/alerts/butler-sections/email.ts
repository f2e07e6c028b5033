/** The mail sections of Butler: the recipients of a mail about an event, the rules, and the settings of the mails. */
import type { Need, TaskEvent } from '../../events/types.ts'
import { splitAddresses, uniqueAddresses } from '../../platform/mail-addresses.ts'
import { createMailSender, type MailerDeps, type MailSender, type MailSettings } from '../destinations/email/mailer.ts'
import { hasProperty, ownerDecision, propertyValues } from '../gates.ts'
import { addressProblem } from '../recipients.ts'
import type { Destination, PlannedDelivery, Rule, Suppression } from '../types.ts'
import {
  type CloudOwnerSettings,
  type EmailDestinationConfig,
  type Mail,
  type MailFamily,
  mailsOf,
  whatOf,
} from './email-sections.ts'

export type EmailRulesConfig = Omit<EmailDestinationConfig, 'qlikSenseUrls' | 'genericUrls'>

const LANE = 'email'
/** Target of a row that says why there is no recipient. */
const NO_RECIPIENT = '(nobody)'

export interface Addressees {
  /** In order, each once. */
  readonly wanted: readonly string[]
  /** Addresses that would have got one. */
  readonly refused: readonly (Suppression & { readonly target: string })[]
  /** The reason to record when `wanted` is empty. */
  readonly ifEmpty: Suppression
}

const ADDRESSEES: Readonly<Record<MailFamily, (event: TaskEvent, mail: Mail) => Addressees>> = {
  task: ofTask,
  service: ofService,
  cloud: ofCloud,
}

/** The subject of a rate limit: the task, the service on its host, the app in Qlik Cloud. */
const LIMIT_SUBJECT: Readonly<Record<MailFamily, (event: TaskEvent) => string>> = {
  task: ({ taskId }) => taskId,
  service: ({ host, details }) => `${host}|${details?.kind === 'service' ? details.serviceName : ''}`,
  cloud: ({ appId }) => appId,
}

const EMPTY: Suppression = { reason: 'NO_RECIPIENT', detail: 'no recipients are configured' }

/** The addresses of the common list and of the task's own custom property, each once. */
function taskAddresses(event: TaskEvent, { settings }: Mail): { taskSpecific: string[]; common: string[] } {
  const property = settings.alertEnabledByEmailAddress?.customPropertyName ?? ''
  return {
    taskSpecific: [...uniqueAddresses(splitAddresses(propertyValues(event.task, property)))],
    common: [...uniqueAddresses(splitAddresses(settings.recipients))],
  }
}

/** Task-specific recipients first, then the common list, then the owner of the app. */
function ofTask(event: TaskEvent, mail: Mail): Addressees {
  const { taskSpecific, common } = taskAddresses(event, mail)
  const marked = isMarked(event, mail)
  const owner = ownerDecision(event, mail.settings.appOwnerAlert)
  const ownerAddresses = splitAddresses(owner?.owner?.emails ?? [])
  const wanted = uniqueAddresses([...taskSpecific, ...(marked ? common : []), ...(owner?.mail ? ownerAddresses : [])])
  const excluded =
    owner && !owner.mail && owner.owner ? { reason: 'OWNER_EXCLUDED' as const, detail: owner.detail } : null
  const others = uniqueAddresses([...wanted, ...ownerAddresses]).slice(wanted.length)
  return {
    wanted,
    refused: excluded ? others.map((target) => ({ target, ...excluded })) : [],
    ifEmpty: marked ? noneConfigured(owner && !owner.mail ? owner.detail : null) : unmarked(event, mail),
  }
}

/** Whether the common list gets mails about this task; of tests it does. */
function isMarked({ task, test }: TaskEvent, { settings, kind }: Mail): boolean {
  const gate = settings.alertEnableByCustomProperty
  return (
    test || !gate?.enable || (hasProperty(task, gate.customPropertyName, gate.enabledValue) ?? kind.sendWhenUnknown)
  )
}

function unmarked({ task }: TaskEvent, { settings }: Mail): Suppression {
  const { customPropertyName, enabledValue } = settings.alertEnableByCustomProperty!
  const detail = task
    ? `custom property ${customPropertyName} of the task is not ${enabledValue}`
    : 'the custom properties of the task could not be read'
  return { reason: 'CUSTOM_PROPERTY', detail, by: { property: { name: customPropertyName, value: enabledValue } } }
}

function noneConfigured(ownerDetail: string | null): Suppression {
  const detail = ['no recipients are configured for this task', ...(ownerDetail ? [ownerDetail] : [])].join('; ')
  return { reason: 'NO_RECIPIENT', detail }
}

function ofService(_event: TaskEvent, { settings }: Mail): Addressees {
  return { wanted: uniqueAddresses(splitAddresses(settings.recipients)), refused: [], ifEmpty: EMPTY }
}

/** The common list for apps with the tag, then the owner of the app. */
function ofCloud(event: TaskEvent, { settings, kind }: Mail): Addressees {
  const variables = event.details?.kind === 'cloudReload' ? event.details.variables : {}
  const { alertEnableByTag: gate } = settings
  const tags = Array.isArray(variables.appTags) ? (variables.appTags as unknown[]) : null
  const tagged = event.test || !gate?.enable || (tags?.includes(gate.tag) ?? kind.sendWhenUnknown)
  const owner = cloudOwner(String(variables.appOwnerEmail ?? '').trim(), settings.cloudOwnerAlert)
  const common = tagged ? splitAddresses(settings.recipients) : []
  const wanted = uniqueAddresses([...common, ...(owner?.mail ? [owner.address] : [])])
  return {
    wanted,
    refused: owner && !owner.mail ? [{ target: owner.address, reason: 'OWNER_EXCLUDED', detail: owner.detail }] : [],
    ifEmpty: tagged ? EMPTY : untagged(gate?.tag ?? ''),
  }
}

function untagged(name: string): Suppression {
  return { reason: 'TAG', detail: `the app has no tag "${name}"`, by: { tag: { name } } }
}

/** Null when owners are not mailed or the address of this one is not known. */
function cloudOwner(address: string, settings: CloudOwnerSettings | undefined) {
  if (!settings?.enable || !address) return null
  const lists = (users: readonly string[]) => users.some((user) => user.toLowerCase() === address.toLowerCase())
  const { includeOwner, excludeOwner } = settings
  if (lists(excludeOwner.user)) return { mail: false, address, detail: `${address} is in appOwnerAlert.excludeOwner` }
  if (includeOwner.includeAll || lists(includeOwner.user)) return { mail: true, address, detail: '' }
  return { mail: false, address, detail: `${address} is not in appOwnerAlert.includeOwner` }
}

/** One route per section that is switched on. */
export function emailRules(config: EmailRulesConfig): Rule[] {
  const { allowedDomains, attachScriptLog } = config.footman.email
  return mailsOf(config)
    .filter(({ on }) => on)
    .map((mail) => ({
      name: mail.routeName,
      destination: 'email',
      when: { types: [mail.kind.type], outcomes: mail.kind.outcomes },
      phase: 'enriched',
      needs: needsOf(mail, attachScriptLog),
      plan: (event) => plan(event, mail, allowedDomains),
    }))
}

/** The script log only when lines of it are wanted; tasks other than reloads have none. */
function needsOf({ kind, settings }: Mail, attachScriptLog: boolean): readonly Need[] {
  const { headScriptLogLines = 0, tailScriptLogLines = 0 } = settings
  const wanted = headScriptLogLines > 0 || tailScriptLogLines > 0 || attachScriptLog
  return kind.type === 'reload' && wanted ? [...kind.needs, 'scriptLog'] : kind.needs
}

function plan(event: TaskEvent, mail: Mail, allowedDomains: readonly string[]): readonly PlannedDelivery[] {
  const { wanted, refused, ifEmpty } = ADDRESSEES[mail.kind.family](event, mail)
  const rows = wanted.map((address) => delivery(event, mail, address, addressProblem(address, allowedDomains)))
  rows.push(...refused.map(({ target, ...suppress }) => ({ target, lane: LANE, suppress })))
  return wanted.length > 0 ? rows : [...rows, { target: NO_RECIPIENT, lane: LANE, suppress: ifEmpty }]
}

function delivery(event: TaskEvent, mail: Mail, target: string, problem: string | null): PlannedDelivery {
  if (problem) return { target, lane: LANE, suppress: { reason: 'RECIPIENT_INVALID', detail: problem } }
  const key = `${mail.routeName}|${LIMIT_SUBJECT[mail.kind.family](event)}|${target.toLowerCase()}`
  return { target, lane: LANE, limit: { key, windowMs: mail.settings.rateLimit * 1000 } }
}

export interface EmailDeps extends MailerDeps {
  /** Shared with other destinations; default: one of its own, closed with the destination. */
  readonly sender?: MailSender
}

export function createEmailDestination(deps: EmailDeps, config: EmailDestinationConfig): Destination {
  const sender = deps.sender ?? createMailSender(deps, config)
  const { attachScriptLog } = config.footman.email
  const mails = new Map(mailsOf(config).map((mail) => [mail.routeName, mail]))
  return {
    name: 'email',
    type: 'email',
    async render(input) {
      const mail = mails.get(input.rule.name)
      if (!mail) throw new Error(`rule ${input.rule.name} has no mail section in the configuration`)
      return sender.renderMail(input, settingsOf(mail, input.event, attachScriptLog))
    },
    deliver: (batch, signal) => Promise.all(batch.map((message) => sender.send(message, signal))),
    close: async () => (deps.sender ? undefined : sender.close()),
  }
}

function settingsOf(mail: Mail, event: TaskEvent, attachScriptLog: boolean): MailSettings {
  const { kind, settings, place } = mail
  const { headScriptLogLines = 0, tailScriptLogLines = 0, subject, fromAddress, priority } = settings
  const { prefix, words, userForm, name } = kind
  return {
    place,
    subject,
    fromAddress,
    priority,
    headScriptLogLines,
    tailScriptLogLines,
    attachScriptLog,
    userForm,
    body: { kind: 'folder', directory: settings.bodyFileDirectory, name: settings.htmlTemplateFile },
    eventHeader: name,
    recipients: taskAddresses(event, mail),
    announcement: (to) => `${prefix}: Sending ${words} notification email to ${to}, for ${whatOf(kind, event)}`,
  }
}
