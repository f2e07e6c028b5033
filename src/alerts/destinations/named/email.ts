/** Mails to fixed addresses, to the owner of the app, or to addresses in a custom property of the task. */
import type { Severity, TaskEvent } from '../../../events/types.ts'
import { propertyValues } from '../../gates.ts'
import { isAllowedDomain, isEmailAddress, splitAddresses, uniqueAddresses } from '../../recipients.ts'
import { isMarkup } from '../../texts/writer.ts'
import type { NamedDestination, PlannedDelivery, RenderInput } from '../../types.ts'
import type { MailBody } from '../email/content.ts'
import type { MailSettings } from '../email/mailer.ts'
import { type NamedDestinationDeps, type SettingsOf, TEXT_NEEDS } from './types.ts'

type Priority = NonNullable<SettingsOf<'email'>['priority']>

const LANE = 'email'
/** Target of a row that says why nobody gets a mail. */
const NOBODY = '(nobody)'
const PRIORITY: Readonly<Record<Severity, Priority>> = {
  critical: 'high',
  error: 'high',
  warning: 'normal',
  info: 'normal',
}

export function createNamedEmailDestination(
  { engine, mail }: NamedDestinationDeps,
  name: string,
  settings: SettingsOf<'email'>,
): NamedDestination {
  const { allowedDomains } = mail.settings
  const attachScriptLog = settings.attachScriptLog ?? mail.settings.attachScriptLog
  const sender = mail.sender()

  function targets(event: TaskEvent): readonly PlannedDelivery[] {
    const fromTask = propertyValues(event.task, settings.recipientProperty)
    const owner = settings.appOwner ? (event.owner?.emails ?? []) : []
    const all = uniqueAddresses(splitAddresses([...settings.recipients, ...fromTask, ...owner]))
    if (all.length > 0) return all.map((address) => recipient(address, allowedDomains))
    const detail = settings.appOwner && !event.owner ? 'the owner of the app is not known' : 'nobody is named'
    return [{ target: NOBODY, lane: LANE, suppress: { reason: 'NO_RECIPIENT', detail } }]
  }

  async function mailOf({ route, event, severity }: RenderInput): Promise<MailSettings> {
    const { headScriptLogLines, tailScriptLogLines } = settings
    return {
      ...{ headScriptLogLines, tailScriptLogLines, attachScriptLog },
      place: `route ${route.name}`,
      subject: route.texts?.title ?? '',
      body: await bodyOf(route.texts),
      fromAddress: settings.from || mail.from,
      priority: settings.priority ?? PRIORITY[severity],
      userForm: 'slash',
      eventHeader: `${event.type}.${event.outcome}`,
      announcement: (to) => `NOTIFY Sending a mail of route ${route.name} to ${to}`,
    }
  }

  /** A template of plain text stands in the frame of the built-in mail. */
  async function bodyOf(texts: RenderInput['route']['texts']): Promise<MailBody | null> {
    const { body, template } = texts ?? {}
    if (body) return { kind: 'text', text: body }
    if (!template) return null
    const found = await engine.findFile(template).catch(() => null)
    if (found?.kind !== 'found' || isMarkup(found)) return { kind: 'file', path: template }
    return { kind: 'text', text: found.source.text }
  }

  return {
    name,
    type: 'email',
    needs: TEXT_NEEDS,
    targets,
    render: async (input) => sender.renderMail(input, await mailOf(input)),
    deliver: (batch, signal) => Promise.all(batch.map((message) => sender.send(message, signal))),
    close: () => sender.close(),
  }
}

function recipient(target: string, allowedDomains: readonly string[]): PlannedDelivery {
  const lane = LANE
  if (!isEmailAddress(target)) {
    return { target, lane, suppress: { reason: 'RECIPIENT_INVALID', detail: 'not a valid e-mail address' } }
  }
  if (isAllowedDomain(target, allowedDomains)) return { target, lane }
  const detail = 'the domain is not in Butler.footman.email.allowedDomains'
  return { target, lane, suppress: { reason: 'RECIPIENT_INVALID', detail } }
}
