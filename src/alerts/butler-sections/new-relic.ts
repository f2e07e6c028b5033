/** `Butler.incidentTool.newRelic.*`: what is sent about which event, and to which accounts. */

import type { EventOutcome, EventType, Need, TaskEvent } from '../../events/types.ts'
import type { ServiceMonitorConfig } from '../../monitors/types.ts'
import type { Logger } from '../../platform/types.ts'
import { VERSION } from '../../platform/version.ts'
import type { IncidentToolConfig, NewRelicAccount } from '../config-incident.ts'
import {
  ALL_ATTRIBUTES,
  type NameValue,
  type NewRelicSettings,
  newRelicEvent,
  newRelicEventUrl,
  newRelicHeaders,
  newRelicLog,
  targetOf,
} from '../destinations/newrelic.ts'
import { propertyValues } from '../gates.ts'
import type { Destination, PlannedDelivery, Rule } from '../types.ts'
import { serviceOf } from './chat.ts'
import { type SectionDeps, sectionDestination } from './http.ts'

export interface NewRelicConfig {
  readonly incidentTool: IncidentToolConfig
  readonly serviceMonitor: ServiceMonitorConfig
  readonly thirdPartyToolsCredentials: { readonly newRelic: readonly NewRelicAccount[] }
}
export type NewRelicKind = 'event' | 'log'

export interface NewRelicSection {
  /** Events and log entries of one section share it. */
  readonly routeName: string
  readonly kind: NewRelicKind
  readonly type: EventType
  readonly outcomes: readonly EventOutcome[]
  readonly rateLimitMs: number
  /** Key of the rate limit. */
  readonly subject: (event: TaskEvent) => string
  /** Names of accounts, each once, in this order. */
  readonly accounts: (event: Pick<TaskEvent, 'task'>) => readonly string[]
  readonly headers: readonly NameValue[]
  readonly settings: NewRelicSettings
  /** At the beginning of log lines. */
  readonly label: string
}

const KINDS = ['event', 'log'] as const
const RELOADS = [
  { section: 'reloadTaskFailure', outcome: 'failed', label: '[QSEOW] TASK FAILED NEWRELIC' },
  { section: 'reloadTaskAborted', outcome: 'aborted', label: '[QSEOW] TASK ABORT NEWRELIC' },
] as const
/** A host or service that cannot be reached is reported as stopped. */
const SERVICES = [
  { state: 'stopped', outcomes: ['stopped', 'unreachable'] },
  { state: 'running', outcomes: ['started'] },
] as const

/** The sections that are switched on. */
export function newRelicSections(config: NewRelicConfig): readonly NewRelicSection[] {
  if (!config.incidentTool.newRelic.enable) return []
  return KINDS.flatMap((kind) => [
    ...RELOADS.flatMap((row) => reloadSection(config, kind, row) ?? []),
    ...SERVICES.flatMap((row) => serviceSection(config, kind, row) ?? []),
  ])
}

function reloadSection(
  { incidentTool: { newRelic } }: NewRelicConfig,
  kind: NewRelicKind,
  row: (typeof RELOADS)[number],
) {
  const { destination, sharedSettings } = newRelic[row.section]
  const { enable, attribute, sendToAccount } = destination[kind]
  if (!enable) return null
  const { always, byCustomProperty } = sendToAccount
  const fixed = always.enable ? always.account : []
  const property = byCustomProperty.enable ? byCustomProperty.customPropertyName : ''
  return {
    routeName: `butler.incidentTool.newRelic.${row.section}`,
    kind,
    type: 'reload' as const,
    outcomes: [row.outcome],
    label: row.label,
    rateLimitMs: sharedSettings.rateLimit * 1000,
    subject: ({ taskId }: TaskEvent) => taskId,
    accounts: ({ task }: Pick<TaskEvent, 'task'>) => [
      ...new Set([...fixed, ...propertyValues(task, property), ...newRelic.destinationAccount[kind]]),
    ],
    headers: sharedSettings.header,
    settings: {
      attributes: [...sharedSettings.attribute.static, ...attribute.static],
      dynamic: { ...ALL_ATTRIBUTES, ...attribute.dynamic },
      version: VERSION,
      tailScriptLogLines: destination.log.tailScriptLogLines,
    },
  }
}

function serviceSection(config: NewRelicConfig, kind: NewRelicKind, { state, outcomes }: (typeof SERVICES)[number]) {
  const { destination, monitorServiceState, sharedSettings } = config.incidentTool.newRelic.serviceMonitor
  const { enable, sendToAccount, attribute } = destination[kind]
  const isOn = config.serviceMonitor.alertDestination.newRelic.enable && monitorServiceState[state].enable && enable
  if (!isOn) return null
  return {
    routeName: `butler.incidentTool.newRelic.serviceMonitor`,
    kind,
    type: 'service' as const,
    outcomes,
    label: 'SERVICE MONITOR NEWRELIC',
    rateLimitMs: sharedSettings.rateLimit * 1000,
    subject: serviceOf,
    accounts: () => [...new Set(sendToAccount)],
    headers: sharedSettings.header,
    settings: {
      attributes: [...sharedSettings.attribute.static, ...attribute.static],
      dynamic: { ...ALL_ATTRIBUTES, ...attribute.dynamic },
      version: VERSION,
      tailScriptLogLines: 0,
    },
  }
}

/** Target of a row that says why no account gets anything. */
const NO_ACCOUNT = '(no account)'

export function newRelicRules(config: NewRelicConfig): Rule[] {
  const usable = usableAccounts(config)
  const byRoute = Map.groupBy(newRelicSections(config), ({ routeName }) => routeName)
  return [...byRoute].map(([name, sections]) => ({
    name,
    destination: 'newrelic',
    when: { types: [sections[0]!.type], outcomes: [...new Set(sections.flatMap(({ outcomes }) => outcomes))] },
    phase: 'enriched',
    needs: [...new Set(sections.flatMap(needsOf))],
    plan: (event) =>
      sections
        .filter(({ outcomes }) => outcomes.includes(event.outcome))
        .flatMap((section) => plan(event, section, usable)),
  }))
}

/** Names of the accounts that have a key. */
function usableAccounts({ thirdPartyToolsCredentials }: NewRelicConfig): ReadonlySet<string> {
  const accounts = thirdPartyToolsCredentials.newRelic.filter(({ insertApiKey }) => insertApiKey !== '')
  return new Set(accounts.map(({ accountName }) => accountName))
}

function needsOf({ type, kind }: NewRelicSection): readonly Need[] {
  if (type !== 'reload') return []
  return kind === 'event' ? ['app'] : ['app', 'execution', 'scriptLog']
}

function plan(event: TaskEvent, section: NewRelicSection, usable: ReadonlySet<string>): readonly PlannedDelivery[] {
  const accounts = section.accounts(event)
  if (accounts.length === 0) {
    const detail = 'no New Relic account is configured for this event'
    return [
      { target: targetOf(NO_ACCOUNT, section.kind), lane: 'newrelic', suppress: { reason: 'NO_RECIPIENT', detail } },
    ]
  }
  return accounts.map((account) => delivery(event, section, account, usable.has(account)))
}

/** One lane per account: a refused key does not delay the other accounts. */
function delivery(event: TaskEvent, section: NewRelicSection, account: string, isUsable: boolean): PlannedDelivery {
  const target = targetOf(account, section.kind)
  const lane = `newrelic:${account}`
  if (!isUsable) {
    const detail = `New Relic account name "${account}" does not exist in the Butler config file, or has no insertApiKey`
    return { target, lane, suppress: { reason: 'RECIPIENT_INVALID', detail } }
  }
  const key = `${section.routeName}|${section.kind}|${section.outcomes[0]}|${section.subject(event)}`
  return { target, lane, limit: { key, windowMs: section.rateLimitMs } }
}

export function createNewRelicDestination(deps: SectionDeps, config: NewRelicConfig): Destination {
  const { url } = config.incidentTool.newRelic
  const sections = newRelicSections(config)
  const accounts = config.thirdPartyToolsCredentials.newRelic
  const secrets = accounts.map(({ insertApiKey }) => insertApiKey)
  reportUnknown(deps.log, config)
  return sectionDestination(deps, 'newrelic', { secrets }, ({ event, rule, target }) => {
    const matching = sections.filter(
      ({ routeName, outcomes }) => routeName === rule.name && outcomes.includes(event.outcome),
    )
    const section = matching.find(({ kind }) =>
      accounts.some(({ accountName }) => target === targetOf(accountName, kind)),
    )
    const account = accounts.find(({ accountName }) => section && target === targetOf(accountName, section.kind))
    if (!section || !account) throw new Error(`the New Relic account of ${target} is no longer in the configuration`)
    const { kind, settings, headers } = section
    const shown = kind === 'event' ? newRelicEvent(event, settings) : newRelicLog(event, settings)
    const call = {
      key: `Butler.incidentTool.newRelic.url.${kind}`,
      announcement: {
        level: 'verbose',
        text: `${section.label}: Sending ${kind} to account "${account.accountName}"`,
      } as const,
      url: kind === 'event' ? newRelicEventUrl(url.event, account.accountId) : url.log,
      headers: newRelicHeaders(headers, account.insertApiKey),
      body: JSON.stringify(shown),
    }
    return { call, shown }
  })
}

/** Accounts that the configuration names without their credentials. */
function reportUnknown(log: Logger, config: NewRelicConfig): void {
  const usable = usableAccounts(config)
  const named = newRelicSections(config).flatMap(({ accounts, kind }) =>
    accounts({ task: null })
      .filter((account) => !usable.has(account))
      .map((account) => `NEW RELIC ${kind.toUpperCase()}: New Relic account name "${account}"`),
  )
  for (const what of new Set(named)) log.error(`${what} does not exist in the Butler config file.`)
}
