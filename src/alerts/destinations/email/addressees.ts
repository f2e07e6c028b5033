/** Who is to get a mail about an event, and why somebody is not: one function per family of mails. */
import type { TaskEvent } from '../../../events/types.ts'
import { hasProperty, ownerDecision, propertyValues } from '../../gates.ts'
import { splitAddresses, uniqueAddresses } from '../../recipients.ts'
import type { SuppressReason } from '../../types.ts'
import type { CloudOwnerSettings, Mail, MailFamily } from './kinds.ts'

export interface Refusal {
  readonly reason: SuppressReason
  readonly detail: string
}

export interface Addressees {
  /** In order, each once. */
  readonly wanted: readonly string[]
  /** Addresses that would have got one. */
  readonly refused: readonly (Refusal & { readonly target: string })[]
  /** Why there is nobody, told when there is. */
  readonly nobody: Refusal
}

export const ADDRESSEES: Readonly<Record<MailFamily, (event: TaskEvent, mail: Mail) => Addressees>> = {
  task: ofTask,
  service: ofService,
  cloud: ofCloud,
}

/** What one rate limit counts: the task, the service on its host, the app in Qlik Cloud. */
export const LIMIT_SUBJECT: Readonly<Record<MailFamily, (event: TaskEvent) => string>> = {
  task: ({ taskId }) => taskId,
  service: ({ host, details }) => `${host}|${details?.kind === 'service' ? details.serviceName : ''}`,
  cloud: ({ appId }) => appId,
}

const EMPTY: Refusal = { reason: 'NO_RECIPIENT', detail: 'no recipients are configured' }

/** The addresses of the common list and of the task's own custom property, each once. */
export function taskAddresses(event: TaskEvent, { settings }: Mail): { taskSpecific: string[]; common: string[] } {
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
    nobody: marked ? noneConfigured(owner && !owner.mail ? owner.detail : null) : unmarked(event, mail),
  }
}

/** Whether the common list gets mails about this task; of tests it does. */
function isMarked({ task, test }: TaskEvent, { settings, kind }: Mail): boolean {
  const gate = settings.alertEnableByCustomProperty
  return (
    test || !gate?.enable || (hasProperty(task, gate.customPropertyName, gate.enabledValue) ?? kind.sendWhenUnknown)
  )
}

function unmarked({ task }: TaskEvent, { settings }: Mail): Refusal {
  const { customPropertyName, enabledValue } = settings.alertEnableByCustomProperty!
  const detail = task
    ? `custom property ${customPropertyName} of the task is not ${enabledValue}`
    : 'the custom properties of the task could not be read'
  return { reason: 'CUSTOM_PROPERTY', detail }
}

function noneConfigured(ownerDetail: string | null): Refusal {
  const detail = ['no recipients are configured for this task', ...(ownerDetail ? [ownerDetail] : [])].join('; ')
  return { reason: 'NO_RECIPIENT', detail }
}

function ofService(_event: TaskEvent, { settings }: Mail): Addressees {
  return { wanted: uniqueAddresses(splitAddresses(settings.recipients)), refused: [], nobody: EMPTY }
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
    nobody: tagged ? EMPTY : { reason: 'TAG', detail: `the app has no tag "${gate?.tag ?? ''}"` },
  }
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
