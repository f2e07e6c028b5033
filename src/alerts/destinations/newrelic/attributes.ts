/** What New Relic is told about an event: texts and numbers only, within its limits. */
import type { EventDetails, TaskEvent } from '../../../events/types.ts'
import { STATUS_TEXTS } from '../../../qlik/qrs/status.ts'
import type { QrsCustomProperty, QrsNamed } from '../../../qlik/qrs/types.ts'
import { formatUser } from '../../record.ts'
import { appIdOf, appNameOf, taskNameOf } from '../../texts/words.ts'

export type Attributes = Readonly<Record<string, string | number>>

/** Which attributes of Qlik Sense are wanted. */
export interface DynamicAttributes {
  readonly useTaskTags: boolean
  readonly useAppTags: boolean
}

/** Characters of a value. */
const MAX_VALUE = 4096
const MAX_NAME = 255
const MAX_ATTRIBUTES = 254

/** Message, custom properties and tags of a task, in the order of Butler 16. */
export function taskAttributes(event: TaskEvent, dynamic: DynamicAttributes): Attributes {
  const { task, app } = event
  return {
    qs_hostName: event.host,
    qs_user: formatUser(event.user, 'slash'),
    qs_taskName: taskNameOf(event),
    qs_taskId: event.taskId,
    qs_appName: appNameOf(event),
    qs_appId: appIdOf(event),
    qs_logTimeStamp: event.logTimeStamp,
    qs_logLevel: event.logLevel,
    qs_executionId: event.executionId,
    qs_logMessage: event.logMessage,
    ...propertyAttributes('qs_appCp_', app?.customProperties),
    ...propertyAttributes('qs_taskCp_', task?.customProperties),
    ...(dynamic.useTaskTags ? tagAttributes('qs_taskTag_', task?.tags) : {}),
    ...(dynamic.useAppTags ? tagAttributes('qs_appTag_', app?.tags) : {}),
  }
}

/** New Relic keeps no lists: several values of one property are one text. */
function propertyAttributes(prefix: string, properties: readonly QrsCustomProperty[] = []): Attributes {
  const values = new Map<string, string>()
  for (const { definition, value } of properties) {
    const known = values.get(definition.name)
    values.set(definition.name, known === undefined ? value : `${known}, ${value}`)
  }
  return Object.fromEntries([...values].map(([name, value]) => [`${prefix}${name}`, value]))
}

function tagAttributes(prefix: string, tags: readonly QrsNamed[] = []): Attributes {
  return Object.fromEntries(tags.map(({ name }) => [`${prefix}${name}`, 'true']))
}

/** Without a result only the node, where it is known. One name was misspelt in Butler 16; dashboards use it, so both spellings are sent. */
export function executionAttributes({ execution, scriptLog, node }: TaskEvent, tailLines: number): Attributes {
  if (!execution) return known({ qs_executingNodeName: node })
  const status = STATUS_TEXTS[execution.status] ?? ''
  return {
    qs_executingNodeName: execution.executingNodeName,
    qs_executionStartTimeUTC: execution.startTime,
    qs_executionStopTimeUTC: execution.stopTime,
    qs_executionDurationSeconds: Math.floor(execution.duration / 1000),
    qs_executionStatusNum: execution.status,
    qs_exeuctionStatusText: status,
    qs_executionStatusText: status,
    // QRS tells the size later than it hands out the log.
    qs_scriptLogSize: scriptLog ? execution.scriptLogSize || scriptLog.characters : 0,
    qs_scriptLogTailCount: tailLines,
  }
}

/** What is special about events that are no end of a task. */
export function detailAttributes(details: EventDetails | null): Attributes {
  if (details?.kind === 'license') {
    const { expired, expiryDate, daysRemaining } = details
    return known({
      qs_licenseExpired: String(expired),
      qs_licenseExpiryDate: expiryDate?.slice(0, 10),
      qs_licenseDaysUntilExpiry: daysRemaining,
    })
  }
  if (details?.kind === 'watchdog') {
    return known({ qs_elapsedSeconds: seconds(details.elapsedMs), qs_limitSeconds: seconds(details.limitMs) })
  }
  if (details?.kind === 'self') return { butler_text: details.text }
  if (details?.kind !== 'cloudReload') return {}
  const { tenantId, reloadId, reloadTrigger, errorCode, errorMessage } = details.variables
  return known({
    qs_tenantId: tenantId,
    qs_reloadId: reloadId,
    qs_reloadTrigger: reloadTrigger,
    qs_errorCode: errorCode,
    qs_errorMessage: errorMessage,
  })
}

const seconds = (ms: number) => Math.floor(ms / 1000)

/** Which attributes of a service are wanted. */
export interface ServiceAttributes {
  readonly serviceHost: boolean
  readonly serviceName: boolean
  readonly serviceDisplayName: boolean
  readonly serviceState: boolean
}

export function serviceAttributes({ host, details }: TaskEvent, wanted: ServiceAttributes): Attributes {
  if (details?.kind !== 'service') return {}
  return {
    ...(wanted.serviceHost ? { butler_serviceHost: host } : {}),
    ...(wanted.serviceName ? { butler_serviceName: details.serviceName } : {}),
    ...(wanted.serviceDisplayName ? { butler_serviceDisplayName: details.displayName } : {}),
    ...(wanted.serviceState ? { butler_serviceStatus: details.status } : {}),
  }
}

function known(values: Readonly<Record<string, unknown>>): Attributes {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== '')
  return Object.fromEntries(entries.map(([name, value]) => [name, typeof value === 'number' ? value : String(value)]))
}

/** What New Relic keeps: 254 attributes, names of 255, values of 4,096 characters. `last` is always among them. */
export function limited(attributes: Attributes, last: Attributes): Attributes {
  const room = MAX_ATTRIBUTES - Object.keys(last).length
  const kept = Object.entries({ ...attributes, ...last }).filter(([name]) => !(name in last))
  return Object.fromEntries(
    [...kept.slice(0, room), ...Object.entries(last)].map(([name, value]) => [
      name.slice(0, MAX_NAME).toWellFormed(),
      typeof value === 'string' ? value.slice(0, MAX_VALUE).toWellFormed() : value,
    ]),
  )
}
