/** The mail sections of Butler as routes: who gets a mail about an event, and why somebody doesn't. */
import type { Need, TaskEvent } from '../../../events/types.ts'
import { isAllowedDomain, isEmailAddress } from '../../recipients.ts'
import type { PlannedDelivery, Route, SuppressReason } from '../../types.ts'
import { ADDRESSEES, LIMIT_SUBJECT } from './addressees.ts'
import { type EmailDestinationConfig, type Mail, mailsOf } from './kinds.ts'

export type EmailRoutesConfig = Omit<EmailDestinationConfig, 'qlikSenseUrls' | 'genericUrls'>

const LANE = 'email'
/** Target of a row that says why nobody gets a mail. */
const NOBODY = '(nobody)'

/** One route per section that is switched on. */
export function emailRoutes(config: EmailRoutesConfig): Route[] {
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
  const { wanted, refused, nobody } = ADDRESSEES[mail.kind.family](event, mail)
  const rows = wanted.map((address) => delivery(event, mail, address, addressProblem(address, allowedDomains)))
  rows.push(...refused.map(({ target, reason, detail }) => suppressed(target, reason, detail)))
  return wanted.length > 0 ? rows : [...rows, suppressed(NOBODY, nobody.reason, nobody.detail)]
}

/** Why no mail may go to this address; null when it may. */
export function addressProblem(address: string, allowedDomains: readonly string[]): string | null {
  if (!isEmailAddress(address)) return 'not a valid e-mail address'
  if (!isAllowedDomain(address, allowedDomains)) return 'the domain is not in Butler.footman.email.allowedDomains'
  return null
}

function delivery(event: TaskEvent, mail: Mail, target: string, problem: string | null): PlannedDelivery {
  if (problem) return suppressed(target, 'RECIPIENT_INVALID', problem)
  const key = `${mail.routeName}|${LIMIT_SUBJECT[mail.kind.family](event)}|${target.toLowerCase()}`
  return { target, lane: LANE, limit: { key, windowMs: mail.settings.rateLimit * 1000 } }
}

function suppressed(target: string, reason: SuppressReason, detail: string): PlannedDelivery {
  return { target, lane: LANE, suppress: { reason, detail } }
}
