/** The kinds of mail, one row each: every other file of this folder works from this table. */
import type { Outcome, TaskEvent, TaskType } from '../../../events/types.ts'
import type { EmailConfig, EmailNotificationConfig } from '../../config-email.ts'
import type { GenericUrl, QlikSenseUrls } from '../../config-links.ts'
import type { OwnerAlertSettings } from '../../gates.ts'
import type { UserForm } from '../../record.ts'

/** The part of the configuration that mails need. */
export interface EmailDestinationConfig {
  readonly emailNotification: EmailNotificationConfig
  readonly qlikSenseUrls: QlikSenseUrls
  readonly genericUrls: readonly GenericUrl[]
  readonly footman: { readonly email: EmailConfig }
}

export type SectionName = 'reloadTaskFailure' | 'reloadTaskAborted' | 'reloadTaskSuccess'

export interface MailKind {
  readonly section: SectionName
  readonly type: TaskType
  readonly outcome: Outcome
  readonly userForm: UserForm
  /**
   * With `alertEnableByCustomProperty`: what happens when Qlik Sense could not tell the task's properties. Failures go
   * out, because a superfluous alert is better than a lost one.
   */
  readonly sendWhenUnknown: boolean
  /** In log lines: `[QSEOW] EMAIL <label> ALERT: Sending <words> notification email to ...`. */
  readonly label: string
  readonly words: string
}

export const MAIL_KINDS: readonly MailKind[] = [
  {
    section: 'reloadTaskFailure',
    type: 'reload',
    outcome: 'failed',
    userForm: 'collapsed',
    sendWhenUnknown: true,
    label: 'RELOAD TASK FAILED',
    words: 'reload task failed',
  },
  {
    section: 'reloadTaskAborted',
    type: 'reload',
    outcome: 'aborted',
    userForm: 'unchanged',
    sendWhenUnknown: true,
    label: 'RELOAD TASK ABORTED',
    words: 'reload task aborted',
  },
  {
    section: 'reloadTaskSuccess',
    type: 'reload',
    outcome: 'success',
    userForm: 'collapsed',
    sendWhenUnknown: false,
    label: 'RELOAD TASK SUCCESS',
    words: 'reload task success',
  },
]

/** What all mail sections have, and what only some have. */
export type MailSection = EmailNotificationConfig['reloadTaskSuccess'] & { readonly appOwnerAlert?: OwnerAlertSettings }

export interface Mail {
  readonly kind: MailKind
  readonly settings: MailSection
  /** Also the prefix of the rate-limit key. */
  readonly routeName: string
}

/** Every kind of mail with its settings, switched on or not. */
export function mailsOf(config: Pick<EmailDestinationConfig, 'emailNotification'>): readonly Mail[] {
  return MAIL_KINDS.map((kind) => ({
    kind,
    settings: config.emailNotification[kind.section],
    routeName: `butler.emailNotification.${kind.section}`,
  }))
}

export function isKindOf(event: TaskEvent, kind: MailKind): boolean {
  return event.type === kind.type && event.outcome === kind.outcome
}
