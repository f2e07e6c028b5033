/** The facts of a mail as tables: which figures and rows each kind of event shows, in order. */
import type { EventType } from '../../../events/types.ts'
import { durationText, type MailContext } from './template-context.ts'

export type FactForm = 'text' | 'chips' | 'code'
type Value = string | readonly string[]
export type Row = readonly [label: string, value: (context: MailContext) => Value, form?: FactForm]

export interface FactTable {
  readonly title: string
  readonly rows: readonly Row[]
}

const yes = (flag: boolean | '') => (flag === true ? 'yes' : '')
const properties = (list: MailContext['taskCustomProperties']) => list.map(({ name, value }) => `${name} = ${value}`)
const result = ({ executionStatusText: text, executionStatusNum: number }: MailContext) =>
  text && number !== '' ? `${text} (${number})` : text
const owner = ({ appOwnerName, appOwnerUserId, appOwnerUserDirectory }: MailContext) => {
  const name = [appOwnerUserDirectory, appOwnerUserId].filter(Boolean).join('/')
  return [appOwnerName, name && `(${name})`].filter(Boolean).join(' ')
}

const TASK: FactTable = {
  title: 'Task',
  rows: [
    ['Task', (r) => r.taskName],
    ['Started by', (r) => (r.outcome === 'aborted' ? '' : r.user)],
    ['Stopped by', (r) => (r.outcome === 'aborted' ? r.user : '')],
    ['Result', result],
    ['Next run', (r) => r.taskNextExecutionLocal],
    ['Last success', (r) => (r.outcome === 'success' ? '' : r.lastSuccessLocal)],
    ['Partial reload', (r) => yes(r.taskIsPartialReload)],
    ['Tags', (r) => r.taskTags, 'chips'],
    ['Custom properties', (r) => properties(r.taskCustomProperties), 'chips'],
    ['Task id', (r) => r.taskId, 'code'],
    ['Execution id', (r) => r.executionId, 'code'],
  ],
}

const APP: FactTable = {
  title: 'App',
  rows: [
    ['App', (r) => r.appName],
    ['Description', (r) => r.appDescription],
    ['Stream', (r) => r.appStreamName || (r.appPublished === false ? 'not published' : '')],
    ['Owner', owner],
    ['Owner email', (r) => r.appOwnerEmail],
    ['Last good reload', (r) => (r.outcome === 'success' ? '' : r.appLastSuccessfulReloadLocal)],
    ['Tags', (r) => r.appTags, 'chips'],
    ['Custom properties', (r) => properties(r.appCustomProperties), 'chips'],
    ['App id', (r) => r.appId, 'code'],
  ],
}

const LOG_ENTRY: FactTable = {
  title: 'Log entry',
  rows: [
    ['Time', (r) => r.logTimeStamp],
    ['Level', (r) => r.logLevel],
    ['Message', (r) => r.logMessage],
    ['Host', (r) => r.hostName],
  ],
}

const SERVICE: FactTable = {
  title: 'Windows service',
  rows: [
    ['Host', (r) => r.host],
    ['Service', (r) => r.serviceDisplayName],
    ['Name', (r) => r.serviceName, 'code'],
    ['Known as', (r) => (r.serviceFriendlyName === r.serviceDisplayName ? '' : r.serviceFriendlyName)],
    ['Status', (r) => r.serviceStatus],
    ['Previous status', (r) => r.servicePrevStatus],
    ['Start mode', (r) => r.serviceStartType],
    ['Program', (r) => r.serviceExePath, 'code'],
    ['Depends on', (r) => r.serviceDependencies, 'chips'],
  ],
}

const LICENSE: FactTable = {
  title: 'License',
  rows: [
    ['Valid until', (r) => r.expiryDateStr || 'no end date'],
    ['Days left', (r) => String(r.daysUntilExpiry)],
    ['Expired', (r) => (r.outcome === 'expired' ? 'yes' : 'no')],
  ],
}

const CLOUD: FactTable = {
  title: 'Reload',
  rows: [
    ['Result', result],
    ['Error code', (r) => r.errorCode],
    ['Trigger', (r) => r.reloadTrigger],
    ['Peak memory', (r) => (r.peakMemoryBytes ? `${r.peakMemoryBytes} bytes` : '')],
    ['Memory limit hit', (r) => yes(r.endedWithMemoryConstraint)],
    ['Reload id', (r) => r.reloadId, 'code'],
    ['Tenant', (r) => [r.tenantId, r.tenantComment && `(${r.tenantComment})`].filter(Boolean).join(' ')],
    ['Log', (r) => r.logMessage],
  ],
}

const SELF: FactTable = {
  title: 'Footman',
  rows: [
    ['Condition', (r) => r.code, 'code'],
    ['Host', (r) => r.host],
  ],
}

const OF_TASK = [TASK, APP, LOG_ENTRY] as const

export const FACTS: Readonly<Record<EventType, readonly FactTable[]>> = {
  reload: OF_TASK,
  externalProgram: OF_TASK,
  userSync: OF_TASK,
  distribute: OF_TASK,
  preload: OF_TASK,
  cloudReload: [CLOUD, APP],
  service: [SERVICE],
  license: [LICENSE],
  self: [SELF],
}

/** A label, the value in large letters and a small line below it. */
export type Figure = readonly [
  label: string,
  value: (context: MailContext) => string,
  hint?: (context: MailContext) => string,
]

const dayOf = (local: string) => local.split(' ')[0] ?? ''
const timeOf = (local: string) => local.split(' ')[1] ?? local

const EXECUTION: readonly Figure[] = [
  ['Started', (r) => timeOf(r.executionStartTime.startTimeLocal1), (r) => dayOf(r.executionStartTime.startTimeLocal1)],
  ['Ended', (r) => timeOf(r.executionStopTime.stopTimeLocal1), (r) => dayOf(r.executionStopTime.stopTimeLocal1)],
  ['Duration', (r) => durationText(r.executionDuration)],
]
const RUN: readonly Figure[] = [
  ...EXECUTION,
  ['Due', (r) => timeOf(r.watchdogDueLocal), (r) => dayOf(r.watchdogDueLocal)],
  ['So far', (r) => durationText(r.watchdogElapsed)],
  ['Allowed', (r) => durationText(r.watchdogLimit)],
  ['Usually', (r) => durationText(r.watchdogUsual)],
  ['Node', (r) => r.executingNodeName || r.hostName],
]
const SEEN: Figure = ['Seen', (r) => timeOf(r.timestampLocal), (r) => dayOf(r.timestampLocal)]

export const FIGURES: Readonly<Record<EventType, readonly Figure[]>> = {
  reload: RUN,
  externalProgram: RUN,
  userSync: RUN,
  distribute: RUN,
  preload: RUN,
  cloudReload: [...EXECUTION, ['Trigger', (r) => r.reloadTrigger]],
  service: [
    SEEN,
    ['Status', (r) => r.serviceStatus, (r) => (r.servicePrevStatus ? `before: ${r.servicePrevStatus}` : '')],
    ['Start mode', (r) => r.serviceStartType],
    ['Host', (r) => r.host],
  ],
  license: [
    ['Valid until', (r) => r.expiryDateStr],
    ['Days left', (r) => String(r.daysUntilExpiry)],
  ],
  self: [SEEN, ['Host', (r) => r.host]],
}
