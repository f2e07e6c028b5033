/** What is published about an event; key order is part of the contract with existing subscribers. */
import type { ServiceDetails, TaskEvent } from '../../../events/types.ts'
import type { QrsCustomProperty, QrsNamed } from '../../../qlik/qrs/types.ts'

/** The name of the task, plain text. */
export function shortPayload(event: TaskEvent): string {
  return event.taskName
}

/** The whole event as compact JSON. What Qlik Sense could not tell is an empty list or left out. */
export function fullPayload(event: TaskEvent): string {
  return JSON.stringify({
    hostName: event.host,
    user: event.user.replaceAll('\\\\', '\\'),
    taskName: event.taskName,
    taskId: event.taskId,
    appName: event.appName,
    appId: event.appId,
    logTimeStamp: event.logTimeStamp,
    logLevel: event.logLevel,
    executionId: event.executionId,
    logMessage: event.logMessage,
    qs_appTags: names(event.app?.tags),
    qs_appCustomProperties: properties(event.app?.customProperties),
    qs_taskTags: names(event.task?.tags),
    qs_taskCustomProperties: properties(event.task?.customProperties),
    qs_appMetadata: event.app ?? undefined,
    qs_taskMetadata: event.task ?? undefined,
  })
}

/** A service whose state has changed. The two names change places in the message about a service that runs. */
export function serviceChangePayload({ host, details, outcome }: TaskEvent): string {
  if (details?.kind !== 'service') throw new Error('the event says nothing about a service')
  const { friendlyName: serviceFriendlyName, displayName: serviceDisplayName } = details
  const names =
    outcome === 'started' ? { serviceDisplayName, serviceFriendlyName } : { serviceFriendlyName, serviceDisplayName }
  return JSON.stringify({
    serviceHost: host,
    serviceName: details.serviceName,
    ...names,
    ...restOf(details),
    servicePrevStatus: details.previousStatus,
    serviceStatusChanged: true,
  })
}

/** The state of a service, published at every check. */
export function serviceStatusPayload(host: string, details: ServiceDetails): string {
  return JSON.stringify({
    serviceHost: host,
    serviceName: details.serviceName,
    serviceDisplayName: details.displayName,
    serviceFriendlyName: details.friendlyName,
    ...restOf(details),
  })
}

function restOf({ dependencies, startType, exePath, status }: ServiceDetails) {
  return {
    serviceDependencies: dependencies,
    serviceStartType: startType,
    serviceExePath: exePath,
    serviceStatus: status,
  }
}

/** Date and days are null when the licence never ends. */
export function licenseStatusPayload({ details }: TaskEvent): string {
  if (details?.kind !== 'license') throw new Error('the event says nothing about a licence')
  const { expired, expiryDate, daysRemaining } = details
  const expiryDateStr = expiryDate?.slice(0, 10) ?? null
  return JSON.stringify({ licenseExpired: expired, expiryDateStr, daysUntilExpiry: daysRemaining })
}

/** Plain text. */
export function licenseAlertPayload({ details, outcome }: TaskEvent): string {
  if (details?.kind !== 'license') throw new Error('the event says nothing about a licence')
  const date = details.expiryDate?.slice(0, 10) ?? 'an unknown date'
  if (outcome === 'expired') return `Qlik Sense server license expired on ${date}`
  return `Qlik Sense server license is about to expire in ${details.daysRemaining} days, on ${date}`
}

const names = (tags: readonly QrsNamed[] = []) => tags.map((tag) => tag.name)
const properties = (list: readonly QrsCustomProperty[] = []) =>
  list.map(({ definition, value }) => ({ name: definition.name, value }))
