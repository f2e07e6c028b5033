/** The variables of events that are no end of a task: services, licence, Qlik Cloud, watchdog, Footman itself. */
import type { EventDetails, TaskEvent } from '../../events/types.ts'
import { durationParts, type TimeFormatter, utcParts } from '../times.ts'

type Variables = Record<string, unknown>
type OfKind<K extends EventDetails['kind']> = Extract<EventDetails, { kind: K }>

/** Every variable that only Qlik Cloud has; empty in all other events, so that no template expression can fail. */
const CLOUD_TEXTS = [
  ...['tenantId', 'tenantComment', 'tenantUrl', 'userId', 'userName', 'appThumbnail', 'appHasSectionAccess'],
  ...['appIsPublished', 'reloadTrigger', 'source', 'eventTypeVersion', 'endedWithMemoryConstraint'],
  ...['isDirectQueryMode', 'isPartialReload', 'isSessionApp', 'isSkipStore', 'peakMemoryBytes', 'rowLimit'],
  ...['sizeMemoryBytes', 'reloadId', 'status', 'statements', 'usageDuration', 'errorCode', 'errorMessage'],
  ...['appOwnerPicture'],
] as const

const EMPTY: Readonly<Variables> = {
  ...Object.fromEntries(CLOUD_TEXTS.map((name) => [name, ''])),
  serviceStatus: '',
  servicePrevStatus: '',
  serviceName: '',
  serviceDisplayName: '',
  serviceFriendlyName: '',
  serviceStartType: '',
  serviceExePath: '',
  serviceDependencies: [],
  licenseExpired: '',
  expiryDateStr: '',
  daysUntilExpiry: '',
  watchdogElapsed: durationParts(null),
  watchdogLimit: durationParts(null),
  watchdogUsual: durationParts(null),
  watchdogDueLocal: '',
  code: '',
  selfText: '',
}

const VARIABLES: {
  [K in EventDetails['kind']]: (details: OfKind<K>, event: TaskEvent, times: TimeFormatter) => Variables
} = {
  service: (details) => ({
    serviceStatus: details.status,
    servicePrevStatus: details.previousStatus,
    serviceName: details.serviceName,
    serviceDisplayName: details.displayName,
    serviceFriendlyName: details.friendlyName,
    serviceStartType: details.startType,
    serviceExePath: details.exePath,
    serviceDependencies: [...details.dependencies],
  }),
  license: ({ expired, expiryDate, daysRemaining }) => ({
    licenseExpired: expired,
    expiryDateStr: expiryDate?.slice(0, 10) ?? '',
    daysUntilExpiry: daysRemaining ?? '',
  }),
  // Samples of Butler 16 use `taskName` in the subject although no reload in Qlik Cloud has a task.
  cloudReload: ({ variables }, { appName, scriptLog }, times) => ({
    taskName: variables.appName ?? appName,
    ...known(variables),
    ...cloudTimes(variables, times),
    ...cloudLogSize(scriptLog),
  }),
  watchdog: ({ elapsedMs, limitMs, usualMs, dueAt }, _event, times) => ({
    watchdogElapsed: durationParts(elapsedMs),
    watchdogLimit: durationParts(limitMs),
    watchdogUsual: durationParts(usualMs),
    watchdogDueLocal: dueAt === null ? '' : times.sortable(dueAt),
  }),
  self: ({ text }, { code }) => ({ code: code ?? '', selfText: text }),
}

export function detailVariables(event: TaskEvent, times: TimeFormatter): Variables {
  const { details } = event
  if (details === null) return EMPTY
  const variables = VARIABLES[details.kind] as (
    details: EventDetails,
    event: TaskEvent,
    times: TimeFormatter,
  ) => Variables
  return { ...EMPTY, ...variables(details, event, times) }
}

/** The event holds ISO times. */
function cloudTimes(variables: Variables, times: TimeFormatter): Variables {
  const expanded = CLOUD_TIMES.filter(([name]) => typeof variables[name] === 'string').map(([name, prefix]) => {
    const iso = variables[name] as string
    return [name, { ...times.variants(prefix, iso), ...utcParts(iso) }]
  })
  return Object.fromEntries(expanded)
}

const CLOUD_TIMES = [
  ['executionCreationTime', 'creationTime'],
  ['executionStartTime', 'startTime'],
  ['executionStopTime', 'stopTime'],
] as const

/** In Qlik Cloud the size of a script log is its number of lines, and line breaks are no characters. */
function cloudLogSize(scriptLog: TaskEvent['scriptLog']): Variables {
  if (!scriptLog) return {}
  const rows = scriptLog.lines.length.toLocaleString()
  const characters = scriptLog.lines.reduce((sum, { length }) => sum + length, 0)
  return { scriptLogSize: rows, scriptLogSizeRows: rows, scriptLogSizeCharacters: characters.toLocaleString() }
}

/** What Qlik Cloud did not tell stays at the empty value of its variable. */
function known(variables: Variables): Variables {
  return Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== null && value !== undefined))
}
