/** Sections of Slack and Teams: rules, settings of the messages, and problems for `footman check`. */

import type { QlikSenseCloudConfig } from '../../events/config.ts'
import type { EventOutcome, EventType, Need, TaskEvent } from '../../events/types.ts'
import type { ServiceMonitorConfig } from '../../monitors/types.ts'
import { errorText } from '../../platform/errors.ts'
import { VERSION } from '../../platform/version.ts'
import type { GenericUrl, QlikSenseUrls } from '../config.ts'
import type { SlackNotificationConfig, TeamsNotificationConfig } from '../config-chat.ts'
import { type ChatDeps, type ChatSettings, chatVariables, renderObject } from '../destinations/chat.ts'
import { secretsOfUrl } from '../destinations/http.ts'
import type { SettingProblem } from '../destinations/settings.ts'
import { slackCall, slackResult, slackSecond } from '../destinations/slack.ts'
import { teamsCall, teamsResult } from '../destinations/teams.ts'
import type { HttpCall, HttpParts } from '../destinations/types.ts'
import { sampleEvent } from '../sample-event.ts'
import { type ContextLinks, contextLinks, templateContext } from '../template-context.ts'
import { SLACK_TEMPLATE, TEAMS_TEMPLATE } from '../templates/builtin.ts'
import type { TemplateContext, TemplateEngine } from '../templates/engine.ts'
import { isPlainText } from '../templates/source.ts'
import { type TimeFormatter, TRIAL_TIMES } from '../times.ts'
import type { Destination, PlannedDelivery, RenderInput, Rule, SuppressReason } from '../types.ts'
import { addressProblem, hostOfAddress, laneOfAddress, type SectionDeps, sectionDestination } from './http.ts'

export type ChatChannel = 'slack' | 'teams'

export interface ChatConfig {
  readonly slackNotification: SlackNotificationConfig
  readonly teamsNotification: TeamsNotificationConfig
  readonly serviceMonitor: ServiceMonitorConfig
  readonly qlikSenseCloud: QlikSenseCloudConfig
  readonly qlikSenseUrls: QlikSenseUrls
  readonly genericUrls: GenericUrl[]
}

/** The settings that every section has; Slack adds the sender. */
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
  /** Key of the rate limit. */
  readonly subject: (event: TaskEvent) => string
  /** Why nothing is sent about an event; null when it is sent. */
  readonly gate: (event: TaskEvent) => { readonly reason: SuppressReason; readonly detail: string } | null
  /** Sends no script log, even when the event has one. */
  readonly basicContentOnly: boolean
  readonly links: ContextLinks
  /** In log lines: `[QSEOW] SLACK <label>: ...`. */
  readonly label: string
}

interface Row {
  readonly section: 'reloadTaskFailure' | 'reloadTaskAborted' | 'serviceStopped' | 'serviceStarted'
  readonly type: EventType
  readonly outcomes: readonly EventOutcome[]
  readonly label: string
}

/** A host or service that cannot be reached is reported as stopped. */
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
    links: contextLinks(config),
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
      links: contextLinks(config),
      label: 'APP RELOAD FAILED',
    },
  ]
}

/** When the tags could not be read the alert goes out: a message too many is better than a silent night. */
function tagGate({ details }: TaskEvent, { enable, tag }: { readonly enable: boolean; readonly tag: string }) {
  if (!enable || details?.kind !== 'cloudReload') return null
  const tags = details.variables.appTags
  if (!Array.isArray(tags) || tags.includes(tag)) return null
  return { reason: 'TAG' as const, detail: `the app has no tag "${tag}"`, by: { tag: { name: tag } } }
}

export const slackRules = (config: ChatConfig): Rule[] => chatRoutes(config, 'slack')
export const teamsRules = (config: ChatConfig): Rule[] => chatRoutes(config, 'teams')

function chatRoutes(config: ChatConfig, channel: ChatChannel): Rule[] {
  return chatSections(config, channel).map((section) => ({
    name: section.routeName,
    destination: channel,
    when: section.when,
    phase: 'enriched',
    needs: needsOf(section),
    plan: (event) => [plan(event, section, channel)],
  }))
}

/** The script log is fetched only when lines of it are shown. */
function needsOf({ settings, when }: ChatSection): readonly Need[] {
  if (!when.types.includes('reload')) return []
  const { messageType, basicMsgTemplate, headScriptLogLines = 0, tailScriptLogLines = 0 } = settings
  const shows = messageType === 'formatted' || basicMsgTemplate.includes('scriptLog')
  const log = shows && headScriptLogLines + tailScriptLogLines > 0
  return ['app', 'owner', 'execution', ...(log ? (['scriptLog'] as const) : [])]
}

function plan(event: TaskEvent, section: ChatSection, channel: ChatChannel): PlannedDelivery {
  const { settings, routeName, subject } = section
  const target = settings.channel || hostOfAddress(settings.webhookURL)
  const lane = laneOfAddress(channel, settings.webhookURL)
  const suppress = section.gate(event) ?? addressProblem(settings.webhookURL, 'webhookURL')
  if (suppress) return { target, lane, suppress }
  return { target, lane, limit: { key: `${routeName}|${subject(event)}`, windowMs: settings.rateLimit * 1000 } }
}

export type ChatDestinationDeps = SectionDeps & ChatDeps & { readonly times: TimeFormatter }

/** A message as the type of destination makes it, with the address of the section. */
type MakeCall = (
  deps: ChatDeps,
  settings: ChatSettings & ChatSectionSettings,
  variables: TemplateContext,
) => Promise<HttpCall & { readonly body: string }>

export const createSlackDestination = (deps: ChatDestinationDeps, config: ChatConfig): Destination =>
  chatDestination(deps, config, 'slack', slackCall, { result: slackResult, second: slackSecond })

export const createTeamsDestination = (deps: ChatDestinationDeps, config: ChatConfig): Destination =>
  chatDestination(deps, config, 'teams', teamsCall, { result: teamsResult })

function chatDestination(
  deps: ChatDestinationDeps,
  config: ChatConfig,
  channel: ChatChannel,
  makeCall: MakeCall,
  parts: Pick<HttpParts, 'result' | 'second'>,
): Destination {
  const { clock, times } = deps
  const sections = new Map(chatSections(config, channel).map((section) => [section.routeName, section]))
  const secrets = [...sections.values()].flatMap(({ settings }) => secretsOfUrl(settings.webhookURL))

  function variablesOf(input: RenderInput, { settings, links, basicContentOnly }: ChatSection): TemplateContext {
    const { headScriptLogLines: headLines = 0, tailScriptLogLines: tailLines = 0 } = settings
    const event = basicContentOnly ? { ...input.event, scriptLog: null } : input.event
    const context = { ...links, version: VERSION, times, now: clock.now() }
    return templateContext(event, context, { headLines, tailLines }, 'slash', input)
  }

  return sectionDestination(deps, channel, { secrets, ...parts }, async (input) => {
    const { event, rule } = input
    const section = sections.get(rule.name)
    if (!section) throw new Error(`rule ${rule.name} has no section in the configuration`)
    const call = await makeCall(deps, settingsFor(input, section), variablesOf(input, section))
    const text = announce(channel, section, event.taskName || event.appName)
    const announcement = { level: 'verbose', text } as const
    return { call: { ...call, announcement }, shown: JSON.parse(call.body) }
  })
}

/** The texts of a section are about its event; a recovery or a summary has the built-in ones. */
function settingsFor({ kind }: RenderInput, { settings, place }: ChatSection): ChatSettings & ChatSectionSettings {
  if (kind === 'alert' || kind === 'test') return { ...settings, name: place }
  return { ...settings, name: place, basicMsgTemplate: '', templateFile: '' }
}

function announce(channel: ChatChannel, { label, when }: ChatSection, subject: string): string {
  const name = channel.toUpperCase()
  const prefix = when.types.includes('cloudReload') ? `[QSCLOUD] ${name} ALERT - ${label}` : `[QSEOW] ${name} ${label}`
  return subject ? `${prefix}: Sending alert about "${subject}"` : `${prefix}: Sending alert`
}

const CHANNELS: readonly ChatChannel[] = ['slack', 'teams']
const BUILTIN = { slack: SLACK_TEMPLATE, teams: TEAMS_TEMPLATE } as const

/** Problems of the sections that are switched on; none of them stops an alert from being sent in plain words. */
export async function chatProblems(engine: TemplateEngine, config: ChatConfig): Promise<readonly SettingProblem[]> {
  const sections = CHANNELS.flatMap((channel) =>
    chatSections(config, channel).map((section) => problemsOf(engine, channel, section)),
  )
  return (await Promise.all(sections)).flat()
}

async function problemsOf(
  engine: TemplateEngine,
  channel: ChatChannel,
  section: ChatSection,
): Promise<SettingProblem[]> {
  const { settings, place } = section
  const record = sampleRecord(section)
  if (settings.messageType === 'basic') return basicProblems(engine, `${place}.basicMsgTemplate`, settings, record)
  if (!settings.templateFile) return []
  const path = `${place}.templateFile`
  const hint = 'the basic message is sent until this is repaired'
  try {
    const ref = await engine.findFile(settings.templateFile)
    if (ref?.kind !== 'found') {
      const { templateFile } = settings
      const isTemplate = /\.(handlebars|hbs|eta)$/i.test(templateFile)
      const searched = engine.searched(templateFile, true).join(', ')
      const what = isTemplate
        ? `there is no template "${templateFile}" (looked for ${searched})`
        : `"${templateFile}" is no name of a template`
      const hint = isTemplate ? 'put the file there, or correct the path' : 'it must end in .handlebars, .hbs or .eta'
      return [{ severity: 'warning', path, message: `${what}; the built-in one is used`, hint }]
    }
    renderObject(engine, { ...BUILTIN[channel], ref, file: ref.source.file }, record, channel)
    return []
  } catch (error) {
    return [{ severity: 'error', path, message: errorText(error), hint }]
  }
}

function basicProblems(
  engine: TemplateEngine,
  path: string,
  { basicMsgTemplate: text }: ChatSection['settings'],
  record: TemplateContext,
): SettingProblem[] {
  if (isPlainText(text, record)) return []
  try {
    engine.render({ kind: 'inline', name: path, text }, record, 'line')
    return []
  } catch (error) {
    return [{ severity: 'error', path, message: errorText(error), hint: 'the title of the event is sent instead' }]
  }
}

function sampleRecord({ when, settings, links }: ChatSection): TemplateContext {
  const { headScriptLogLines: headLines = 0, tailScriptLogLines: tailLines = 0 } = settings
  const context = { ...links, version: '', times: TRIAL_TIMES, now: 0 }
  const event = sampleEvent('sample', when.outcomes[0]!, 0, when.types[0])
  return chatVariables(templateContext(event, context, { headLines, tailLines }, 'slash'))
}
