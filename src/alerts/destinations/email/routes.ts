/** `Butler.emailNotification.*` as routes: who gets a mail about an event, and why somebody doesn't. */
import type { TaskEvent } from '../../../events/types.ts'
import { hasProperty, ownerDecision, propertyValues } from '../../gates.ts'
import { isAllowedDomain, isEmailAddress, splitAddresses, uniqueAddresses } from '../../recipients.ts'
import type { Need, PlannedDelivery, Route, SuppressReason } from '../../types.ts'
import { type EmailDestinationConfig, type Mail, mailsOf } from './sections.ts'

export type EmailRoutesConfig = Pick<EmailDestinationConfig, 'emailNotification' | 'footman'>

const LANE = 'email'
/** Target of a row that says why nobody gets a mail. */
const NOBODY = '(nobody)'

/** One route per section that is switched on. */
export function emailRoutes(config: EmailRoutesConfig): Route[] {
  if (!config.emailNotification.enable) return []
  const { allowedDomains, attachScriptLog } = config.footman.email
  return mailsOf(config)
    .filter(({ settings }) => settings.enable)
    .map((mail) => ({
      name: mail.routeName,
      destination: 'email',
      when: { types: [mail.kind.type], outcomes: [mail.kind.outcome] },
      phase: 'enriched',
      needs: needsOf(mail, attachScriptLog),
      plan: (event) => plan(event, mail, allowedDomains),
    }))
}

/** Every reload mail shows app, owner and execution; the script log only when lines of it are wanted. */
function needsOf({ settings }: Mail, attachScriptLog: boolean): readonly Need[] {
  const { headScriptLogLines, tailScriptLogLines } = settings
  const log = headScriptLogLines > 0 || tailScriptLogLines > 0 || attachScriptLog
  return ['app', 'owner', 'execution', ...(log ? (['scriptLog'] as const) : [])]
}

/** The addresses of the common list and of the task's own custom property, each once. */
export function taskAddresses(event: TaskEvent, { settings }: Mail): { taskSpecific: string[]; common: string[] } {
  const property = settings.alertEnabledByEmailAddress.customPropertyName
  return {
    taskSpecific: [...uniqueAddresses(splitAddresses(propertyValues(event.task, property)))],
    common: [...uniqueAddresses(splitAddresses(settings.recipients))],
  }
}

/** Task-specific recipients first, then the common list, then the owner of the app; each address once. */
function plan(event: TaskEvent, mail: Mail, allowedDomains: readonly string[]): readonly PlannedDelivery[] {
  const { taskSpecific, common } = taskAddresses(event, mail)
  const marked = isMarked(event, mail)
  const owner = ownerDecision(event, mail.settings.appOwnerAlert)
  const ownerAddresses = splitAddresses(owner?.owner?.emails ?? [])
  const wanted = uniqueAddresses([...taskSpecific, ...(marked ? common : []), ...(owner?.mail ? ownerAddresses : [])])

  const rows = wanted.map((address) => delivery(event, mail, address, problemOf(address, allowedDomains)))
  if (owner && !owner.mail && owner.owner) {
    const others = uniqueAddresses([...wanted, ...ownerAddresses]).slice(wanted.length)
    rows.push(...others.map((target) => suppressed(target, 'OWNER_EXCLUDED', owner.detail)))
  }
  if (wanted.length > 0) return rows
  return [...rows, nobody(event, marked, mail, owner && !owner.mail ? owner.detail : null)]
}

/** Whether the common list gets mails about this task. */
function isMarked({ task }: TaskEvent, { settings, kind }: Mail): boolean {
  const { enable, customPropertyName, enabledValue } = settings.alertEnableByCustomProperty
  return !enable || (hasProperty(task, customPropertyName, enabledValue) ?? kind.sendWhenUnknown)
}

function nobody({ task }: TaskEvent, marked: boolean, { settings }: Mail, ownerDetail: string | null): PlannedDelivery {
  const { customPropertyName, enabledValue } = settings.alertEnableByCustomProperty
  if (!marked) {
    const detail = task
      ? `custom property ${customPropertyName} of the task is not ${enabledValue}`
      : 'the custom properties of the task could not be read'
    return suppressed(NOBODY, 'CUSTOM_PROPERTY', detail)
  }
  const detail = ['no recipients are configured for this task', ...(ownerDetail ? [ownerDetail] : [])].join('; ')
  return suppressed(NOBODY, 'NO_RECIPIENT', detail)
}

function problemOf(address: string, allowedDomains: readonly string[]): string | null {
  if (!isEmailAddress(address)) return 'not a valid e-mail address'
  if (!isAllowedDomain(address, allowedDomains)) return 'the domain is not in Butler.footman.email.allowedDomains'
  return null
}

function delivery(event: TaskEvent, mail: Mail, target: string, problem: string | null): PlannedDelivery {
  if (problem) return suppressed(target, 'RECIPIENT_INVALID', problem)
  const key = `${mail.routeName}|${event.taskId}|${target.toLowerCase()}`
  return { target, lane: LANE, limit: { key, windowMs: mail.settings.rateLimit * 1000 } }
}

function suppressed(target: string, reason: SuppressReason, detail: string): PlannedDelivery {
  return { target, lane: LANE, suppress: { reason, detail } }
}
