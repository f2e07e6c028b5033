/** `Butler.incidentTool.newRelic.*`: what is sent about which event, and to which accounts. */
import type { Config } from '../../../config/schema.ts'
import type { EventOutcome, EventType, TaskEvent } from '../../../events/types.ts'
import { VERSION } from '../../../platform/version.ts'
import { propertyValues } from '../../gates.ts'
import { serviceOf } from '../chat/sections.ts'
import { ALL_ATTRIBUTES, type NameValue, type NewRelicSettings } from './payload.ts'

export type NewRelicConfig = Pick<Config, 'incidentTool' | 'serviceMonitor' | 'thirdPartyToolsCredentials'>
export type NewRelicKind = 'event' | 'log'

export interface NewRelicSection {
  /** Events and log entries of one section share it. */
  readonly routeName: string
  readonly kind: NewRelicKind
  readonly type: EventType
  readonly outcomes: readonly EventOutcome[]
  readonly rateLimitMs: number
  /** What a rate limit counts by. */
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
/** A host or service that cannot be reached is told like one that stands still. */
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
