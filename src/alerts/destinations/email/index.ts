/** Email: to fixed addresses, to the owner of the app, or to addresses in a custom property of the task. */
import { z } from 'zod'
import { flag, list, optionalChoice, text } from '../../../config/fields.ts'
import type { Severity, TaskEvent } from '../../../events/types.ts'
import { isEmailAddress, splitAddresses, uniqueAddresses } from '../../../platform/mail-addresses.ts'
import { PRIORITIES } from '../../config-email.ts'
import { propertyValues } from '../../gates.ts'
import { isMarkup } from '../../message-text/writer.ts'
import { addressProblem } from '../../recipients.ts'
import type { PlannedDelivery, RenderInput, TargetedDestination } from '../../types.ts'
import type { SettingsOf } from '../settings.ts'
import { type DestinationDeps, type DestinationType, TEXT_NEEDS } from '../types.ts'
import type { MailBody, MailSettings } from './mailer.ts'

type Priority = NonNullable<Settings['priority']>

const LANE = 'email'
/** Target of the suppressed delivery of an event without recipients. */
const NO_RECIPIENT = '(nobody)'
const PRIORITY: Readonly<Record<Severity, Priority>> = {
  critical: 'high',
  error: 'high',
  warning: 'normal',
  info: 'normal',
}

const config = () => ({
  recipients: list('Recipients.', z.string()).meta({
    label: 'To',
    hint: 'Mail addresses, one a line. The mail server is set in System > Features.',
  }),
  appOwner: flag('Also mail the owner of the app.').meta({
    label: 'Also the owner of the app',
    hint: 'The address is the one that Qlik Sense has of the owner.',
  }),
  recipientProperty: text('Custom property of tasks whose values are addresses.').meta({
    label: 'Addresses in a custom property',
    hint: 'Name of a custom property of tasks whose values are addresses.',
    advanced: true,
  }),
  from: text('Sender.', '', { defaultText: 'sender of emailNotification' }).meta({
    label: 'From',
    hint: 'Empty = the sender of the configuration file.',
    advanced: true,
  }),
  priority: optionalChoice('Priority of the mail.', PRIORITIES).meta({
    label: 'Priority',
    hint: 'Shown by mail programs.',
    texts: { '': 'by the severity of the event' },
    advanced: true,
  }),
  attachScriptLog: z
    .boolean()
    .optional()
    .meta({
      description: 'Attach the script log.',
      label: 'Attach the script log',
      hint: 'The whole script log as a file.',
      texts: { '': 'as with all mails', true: 'yes', false: 'no' },
      advanced: true,
    }),
})
type Settings = SettingsOf<typeof config>

export const email: DestinationType<typeof config> = {
  title: 'E-mail',
  about: 'Mails to fixed addresses, to owners of apps, or to both.',
  purpose: 'alert',
  config,
  problem: ({ recipients, appOwner, recipientProperty }) =>
    recipients.length > 0 || appOwner || recipientProperty !== ''
      ? null
      : ['', 'has no recipients: set recipients, appOwner or recipientProperty'],
  check: ({ recipients, from }, { config }) => [
    ...splitAddresses(recipients)
      .filter((address) => !isEmailAddress(address))
      .map((address) => ['recipients', `"${address}" is not a valid e-mail address`] as const),
    ...(from && !from.includes('@') ? ([['from', `"${from}" holds no e-mail address`]] as const) : []),
    ...(config.emailNotification.smtp.host
      ? []
      : ([['type', 'needs a mail server: set Butler.emailNotification.smtp']] as const)),
  ],
  server: () => null,
  create: createEmailDestination,
}

function createEmailDestination(
  settings: Settings,
  { engine, mail }: DestinationDeps,
  name: string,
): TargetedDestination {
  const { allowedDomains } = mail.settings
  const attachScriptLog = settings.attachScriptLog ?? mail.settings.attachScriptLog
  const sender = mail.sender()

  function targets(event: TaskEvent): readonly PlannedDelivery[] {
    const fromTask = propertyValues(event.task, settings.recipientProperty)
    const owner = settings.appOwner ? (event.owner?.emails ?? []) : []
    const all = uniqueAddresses(splitAddresses([...settings.recipients, ...fromTask, ...owner]))
    if (all.length > 0) return all.map((address) => recipient(address, allowedDomains))
    const detail = settings.appOwner && !event.owner ? 'the owner of the app is not known' : 'no recipient is named'
    return [{ target: NO_RECIPIENT, lane: LANE, suppress: { reason: 'NO_RECIPIENT', detail } }]
  }

  async function mailOf({ rule, event, severity }: RenderInput): Promise<MailSettings> {
    const { headScriptLogLines, tailScriptLogLines } = settings
    return {
      headScriptLogLines,
      tailScriptLogLines,
      attachScriptLog,
      place: `rule ${rule.name}`,
      subject: rule.texts?.title ?? '',
      body: await bodyOf(rule.texts),
      fromAddress: settings.from || mail.from,
      priority: settings.priority ?? PRIORITY[severity],
      userForm: 'slash',
      eventHeader: `${event.type}.${event.outcome}`,
    }
  }

  /** A template of plain text stands in the frame of the built-in mail. */
  async function bodyOf(texts: RenderInput['rule']['texts']): Promise<MailBody | null> {
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
  const detail = addressProblem(target, allowedDomains)
  return { target, lane: LANE, ...(detail !== null && { suppress: { reason: 'RECIPIENT_INVALID', detail } }) }
}
