/** The kinds of mail in the sections of Butler, one row each: `email.ts` and `email-check.ts` work from this table. */
import type { EventOutcome, EventType, Need, TaskEvent } from '../../events/types.ts'
import type { GenericUrl, QlikSenseUrls } from '../config.ts'
import type { EmailConfig, EmailNotificationConfig } from '../config-email.ts'
import type { OwnerAlertSettings } from '../gates.ts'
import type { QlikUrls, UserForm } from '../template-context.ts'

/** A section with the keys of its kind; what only some kinds have is optional. */
export interface MailSection {
  readonly rateLimit: number
  readonly priority: 'low' | 'normal' | 'high'
  readonly subject: string
  readonly bodyFileDirectory: string
  readonly htmlTemplateFile: string
  readonly fromAddress: string
  readonly recipients: readonly string[]
  readonly headScriptLogLines?: number
  readonly tailScriptLogLines?: number
  readonly alertEnableByCustomProperty?: {
    readonly enable: boolean
    readonly customPropertyName: string
    readonly enabledValue: string
  }
  readonly alertEnabledByEmailAddress?: { readonly customPropertyName: string }
  readonly appOwnerAlert?: OwnerAlertSettings
  readonly alertEnableByTag?: { readonly enable: boolean; readonly tag: string }
  /** In Qlik Cloud the address identifies the owner. */
  readonly cloudOwnerAlert?: CloudOwnerSettings
}

export interface CloudOwnerSettings {
  readonly enable: boolean
  readonly includeOwner: { readonly includeAll: boolean; readonly user: readonly string[] }
  readonly excludeOwner: { readonly user: readonly string[] }
}

interface CloudMailSection extends Omit<MailSection, 'appOwnerAlert' | 'cloudOwnerAlert'> {
  readonly enable: boolean
  readonly appOwnerAlert: CloudOwnerSettings
}

/** The part of the configuration that mails need. */
export interface EmailDestinationConfig {
  readonly emailNotification: EmailNotificationConfig
  readonly qlikSenseUrls: QlikSenseUrls
  readonly genericUrls: readonly GenericUrl[]
  readonly footman: { readonly email: EmailConfig }
  readonly serviceMonitor?: {
    readonly enable: boolean
    readonly alertDestination: { readonly email: { readonly enable: boolean } }
  }
  readonly qlikSenseCloud?: {
    readonly enable: boolean
    readonly event: {
      readonly mqtt: {
        readonly tenant: {
          readonly qlikSenseUrls: QlikUrls
          readonly alert: {
            readonly emailNotification: { readonly reloadAppFailure: CloudMailSection }
          }
        }
      }
    }
  }
}

type MailSources = Pick<EmailDestinationConfig, 'emailNotification' | 'serviceMonitor' | 'qlikSenseCloud'>

/** Decides how the recipients are found and what the rate limit counts. */
export type MailFamily = 'task' | 'service' | 'cloud'

export interface MailKind {
  /** Last part of the section; the header `X-Butler-Event`. */
  readonly name: string
  readonly family: MailFamily
  readonly type: EventType
  readonly outcomes: readonly EventOutcome[]
  readonly userForm: UserForm
  /** Qlik data that the mail shows, beside the script log. */
  readonly needs: readonly Need[]
  /**
   * With a gate on a property or a tag: what happens when its value is unknown. Failures go out, because a
   * superfluous alert is better than a lost one.
   */
  readonly sendWhenUnknown: boolean
  /** In log lines: `<prefix>: Sending <words> notification email to ...`. */
  readonly prefix: string
  readonly words: string
}

type TaskSection = Extract<keyof EmailNotificationConfig, `${string}Task${string}`>

const TASK_NEEDS: readonly Need[] = ['app', 'owner', 'execution']
const GOOD: readonly EventOutcome[] = ['success']

function taskMail(
  name: TaskSection,
  type: EventType,
  outcomes: readonly EventOutcome[],
  userForm: UserForm,
  words: string,
): MailKind {
  const prefix = `[QSEOW] EMAIL ${words.toUpperCase()} ALERT`
  return {
    name,
    family: 'task',
    type,
    outcomes,
    userForm,
    needs: TASK_NEEDS,
    prefix,
    words,
    sendWhenUnknown: outcomes !== GOOD,
  }
}

function serviceMail(name: string, outcomes: readonly EventOutcome[], words: string): MailKind {
  const prefix = '[QSEOW] EMAIL SERVICE MONITOR'
  return {
    name,
    family: 'service',
    type: 'service',
    outcomes,
    userForm: 'unchanged',
    needs: [],
    prefix,
    words,
    sendWhenUnknown: true,
  }
}

/** A distribution that was aborted is reported as a failed one, a service that cannot be reached as a stopped one. */
const MAIL_KINDS: readonly MailKind[] = [
  taskMail('reloadTaskFailure', 'reload', ['failed'], 'collapsed', 'reload task failed'),
  taskMail('reloadTaskAborted', 'reload', ['aborted'], 'unchanged', 'reload task aborted'),
  taskMail('reloadTaskSuccess', 'reload', GOOD, 'collapsed', 'reload task success'),
  taskMail('distributeTaskFailure', 'distribute', ['failed', 'aborted'], 'unchanged', 'distribute task failed'),
  taskMail('distributeTaskSuccess', 'distribute', GOOD, 'unchanged', 'distribute task success'),
  taskMail('preloadTaskFailure', 'preload', ['failed'], 'slash', 'preload task failed'),
  taskMail('preloadTaskSuccess', 'preload', GOOD, 'slash', 'preload task success'),
  serviceMail('serviceStopped', ['stopped', 'unreachable'], 'service stopped'),
  serviceMail('serviceStarted', ['started'], 'service started'),
  {
    name: 'reloadAppFailure',
    family: 'cloud',
    type: 'cloudReload',
    outcomes: ['failed'],
    userForm: 'unchanged',
    needs: [],
    sendWhenUnknown: true,
    prefix: '[QSCLOUD] EMAIL ALERT - APP RELOAD FAILED',
    words: 'app reload failed',
  },
]

export interface Mail {
  readonly kind: MailKind
  readonly settings: MailSection
  /** Switched on, the main switch of all mails included. */
  readonly on: boolean
  /** `Butler.emailNotification.reloadTaskFailure`: where the settings stand. */
  readonly place: string
  /** Also the prefix of the rate-limit key. */
  readonly routeName: string
}

/** Every kind of mail with its settings, switched on or not. */
export function mailsOf(config: MailSources): readonly Mail[] {
  return MAIL_KINDS.flatMap((kind) => SECTIONS[kind.family](kind, config) ?? [])
}

const SECTIONS: Readonly<Record<MailFamily, (kind: MailKind, config: MailSources) => Mail | null>> = {
  task(kind, { emailNotification }) {
    const settings = emailNotification[kind.name as TaskSection]
    return { ...butlerSection(kind, settings), on: emailNotification.enable && settings.enable }
  },
  service(kind, { emailNotification, serviceMonitor }) {
    const settings = emailNotification[kind.name as 'serviceStopped' | 'serviceStarted']
    const watched = serviceMonitor?.enable && serviceMonitor.alertDestination.email.enable
    return { ...butlerSection(kind, settings), on: emailNotification.enable && watched === true }
  },
  cloud(kind, { emailNotification, qlikSenseCloud }) {
    if (!qlikSenseCloud) return null
    const { appOwnerAlert, enable, ...section } =
      qlikSenseCloud.event.mqtt.tenant.alert.emailNotification.reloadAppFailure
    return {
      kind,
      settings: { ...section, cloudOwnerAlert: appOwnerAlert },
      on: emailNotification.enable && qlikSenseCloud.enable && enable,
      place: `Butler.qlikSenseCloud.event.mqtt.tenant.alert.emailNotification.${kind.name}`,
      routeName: `butler.qlikSenseCloud.emailNotification.${kind.name}`,
    }
  },
}

function butlerSection(kind: MailKind, settings: MailSection) {
  const section = `emailNotification.${kind.name}`
  return { kind, settings, place: `Butler.${section}`, routeName: `butler.${section}` }
}

/** `task "Sales DW - hourly"`, in log lines. */
export function whatOf({ family }: MailKind, { taskName, appName, host, details }: TaskEvent): string {
  if (family === 'cloud') return `app "${appName}"`
  if (details?.kind === 'service') return `service "${details.displayName}" on host "${host}"`
  return `task "${taskName}"`
}
