/** The sections of the configuration that make Slack and Teams messages, one row each. */
import type { QlikSenseCloudConfig } from '../../../events/config-cloud.ts'
import type { EventOutcome, EventType, TaskEvent } from '../../../events/types.ts'
import type { ServiceMonitorConfig } from '../../../monitors/types.ts'
import type { SlackNotificationConfig, TeamsNotificationConfig } from '../../config-chat.ts'
import type { GenericUrl, QlikSenseUrls } from '../../config-links.ts'
import { type RecordLinks, recordLinks } from '../../record.ts'
import type { SuppressReason } from '../../types.ts'

export type ChatChannel = 'slack' | 'teams'

export interface ChatConfig {
  readonly slackNotification: SlackNotificationConfig
  readonly teamsNotification: TeamsNotificationConfig
  readonly serviceMonitor: ServiceMonitorConfig
  readonly qlikSenseCloud: QlikSenseCloudConfig
  readonly qlikSenseUrls: QlikSenseUrls
  readonly genericUrls: GenericUrl[]
}

/** What every section has; Slack adds the sender. */
export interface ChatSectionSettings {
  readonly webhookURL: string
  readonly messageType: 'basic' | 'formatted'
  readonly basicMsgTemplate: string
  readonly rateLimit: number
  readonly templateFile: string
  readonly headScriptLogLines?: number
  readonly tailScriptLogLines?: number
  readonly channel?: string
  readonly fromUser?: string
  readonly iconEmoji?: string
}

export interface ChatSection {
  readonly routeName: string
  /** Key of the section, for people. */
  readonly place: string
  readonly settings: ChatSectionSettings
  readonly when: { readonly types: readonly EventType[]; readonly outcomes: readonly EventOutcome[] }
  /** What a rate limit counts by. */
  readonly subject: (event: TaskEvent) => string
  /** Why nothing is sent about an event; null when it is sent. */
  readonly gate: (event: TaskEvent) => { readonly reason: SuppressReason; readonly detail: string } | null
  /** Without script log, whatever the event has. */
  readonly basicContentOnly: boolean
  readonly links: RecordLinks
  /** In log lines: `[QSEOW] SLACK <label>: ...`. */
  readonly label: string
}

interface Row {
  readonly section: 'reloadTaskFailure' | 'reloadTaskAborted' | 'serviceStopped' | 'serviceStarted'
  readonly type: EventType
  readonly outcomes: readonly EventOutcome[]
  readonly label: string
}

/** A host or service that cannot be reached is told like one that stands still. */
const ROWS: readonly Row[] = [
  { section: 'reloadTaskFailure', type: 'reload', outcomes: ['failed'], label: 'RELOAD TASK FAILED' },
  { section: 'reloadTaskAborted', type: 'reload', outcomes: ['aborted'], label: 'RELOAD TASK ABORTED' },
  { section: 'serviceStopped', type: 'service', outcomes: ['stopped', 'unreachable'], label: 'SERVICE MONITOR' },
  { section: 'serviceStarted', type: 'service', outcomes: ['started'], label: 'SERVICE MONITOR' },
]

/** The sections that are switched on. */
export function chatSections(config: ChatConfig, channel: ChatChannel): readonly ChatSection[] {
  const notification = config[`${channel}Notification`]
  const own = notification.enable ? ROWS.filter((row) => isOn(config, channel, row)) : []
  return [...own.map((row) => ownSection(config, channel, row)), ...cloudSections(config, channel)]
}

function isOn(config: ChatConfig, channel: ChatChannel, { section, type }: Row): boolean {
  if (type === 'service') return config.serviceMonitor.alertDestination[channel].enable
  const settings = config[`${channel}Notification`][section]
  return 'enable' in settings && settings.enable
}

function ownSection(config: ChatConfig, channel: ChatChannel, { section, type, outcomes, label }: Row): ChatSection {
  return {
    routeName: `butler.${channel}Notification.${section}`,
    place: `Butler.${channel}Notification.${section}`,
    settings: config[`${channel}Notification`][section],
    when: { types: [type], outcomes },
    subject: type === 'service' ? serviceOf : ({ taskId }) => taskId,
    gate: () => null,
    basicContentOnly: false,
    links: recordLinks(config),
    label,
  }
}

/** Host and name; services of one name run on several hosts. */
export function serviceOf({ host, details }: TaskEvent): string {
  return `${host}|${details?.kind === 'service' ? details.serviceName : ''}`
}

function cloudSections(config: ChatConfig, channel: ChatChannel): readonly ChatSection[] {
  const { tenant } = config.qlikSenseCloud.event.mqtt
  const settings = tenant.alert[`${channel}Notification`].reloadAppFailure
  if (!config.qlikSenseCloud.enable || !settings.enable) return []
  return [
    {
      routeName: `butler.qlikSenseCloud.${channel}Notification.reloadAppFailure`,
      place: `Butler.qlikSenseCloud.event.mqtt.tenant.alert.${channel}Notification.reloadAppFailure`,
      settings,
      when: { types: ['cloudReload'], outcomes: ['failed'] },
      subject: ({ appId }) => appId,
      gate: (event) => tagGate(event, settings.alertEnableByTag),
      basicContentOnly: settings.basicContentOnly,
      links: recordLinks(config),
      label: 'APP RELOAD FAILED',
    },
  ]
}

/** When the tags could not be read the alert goes out: a message too many is better than a silent night. */
export function tagGate({ details }: TaskEvent, { enable, tag }: { readonly enable: boolean; readonly tag: string }) {
  if (!enable || details?.kind !== 'cloudReload') return null
  const tags = details.variables.appTags
  if (!Array.isArray(tags) || tags.includes(tag)) return null
  return { reason: 'TAG' as const, detail: `the app has no tag "${tag}"` }
}
