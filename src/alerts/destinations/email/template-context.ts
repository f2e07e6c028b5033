/** The template context of the built-in mail: the variables that it reads, with their types; missing ones are empty. */
import type { EventOutcome, EventType, MissingPart, MissingReasons } from '../../../events/types.ts'
import { durationText } from '../../../platform/duration-text.ts'
import type { TemplateContext } from '../../templates/engine.ts'
import type { DeliveryKind, DeliveryNote } from '../../types.ts'

interface Duration {
  readonly hours: number | ''
  readonly minutes: number | ''
  readonly seconds: number | ''
}

interface Property {
  readonly name: string
  readonly value: string
}

interface Detail {
  readonly timestampLocal1: string
  readonly message: string
  readonly detailsType: number
}

const NO_DURATION: Duration = { hours: '', minutes: '', seconds: '' }
const texts = <K extends string>(...names: K[]) => Object.fromEntries(names.map((n) => [n, ''])) as Record<K, string>
const lists = <K extends string>(...names: K[]) =>
  Object.fromEntries(names.map((n) => [n, []])) as unknown as Record<K, readonly string[]>

const EMPTY = {
  ...texts(
    'hostName',
    'host',
    'user',
    'taskName',
    'taskId',
    'executionId',
    'errorText',
    'logTimeZone',
    'butlerVersion',
    'eventId',
  ),
  ...texts(
    'logTimeStamp',
    'logLevel',
    'logMessage',
    'heading',
    'subjectName',
    'timestampLocal',
    'timeZone',
    'severity',
  ),
  ...texts('taskNextExecutionLocal', 'appId', 'appName', 'appUrl', 'appDescription', 'appStreamName'),
  ...texts('appLastSuccessfulReloadLocal', 'appOwnerName', 'appOwnerUserId', 'appOwnerUserDirectory', 'appOwnerEmail'),
  ...texts(
    'executingNodeName',
    'executionStatusText',
    'scriptLogHead',
    'scriptLogTail',
    'consoleUrl',
    'qlikSenseQMC',
    'qlikSenseHub',
  ),
  ...texts('lastSuccessLocal', 'retryNextAtLocal', 'retryRefused', 'failedDestination', 'code', 'selfText'),
  ...texts('serviceStatus', 'servicePrevStatus', 'serviceName', 'serviceDisplayName', 'serviceFriendlyName'),
  ...texts('serviceStartType', 'serviceExePath', 'expiryDateStr', 'watchdogDueLocal'),
  ...texts('tenantId', 'tenantComment', 'userName', 'reloadTrigger', 'reloadId', 'errorCode', 'peakMemoryBytes'),
  ...lists('taskTags', 'appTags', 'serviceDependencies'),
  taskType: 'reload' as EventType,
  outcome: 'failed' as EventOutcome,
  kind: 'alert' as DeliveryKind,
  test: false,
  taskIsPartialReload: '' as boolean | '',
  appPublished: '' as boolean | '',
  endedWithMemoryConstraint: '' as boolean | '',
  taskCustomProperties: [] as readonly Property[],
  appCustomProperties: [] as readonly Property[],
  executionDuration: NO_DURATION,
  watchdogElapsed: NO_DURATION,
  watchdogLimit: NO_DURATION,
  watchdogUsual: NO_DURATION,
  executionStartTime: { startTimeLocal1: '' },
  executionStopTime: { stopTimeLocal1: '' },
  executionStatusNum: '' as number | '',
  executionDetails: [] as readonly Detail[],
  scriptLogTailCount: 0,
  scriptLogSizeRows: '' as number | string,
  scriptLogSizeCharacters: '' as number | string,
  daysUntilExpiry: '' as number | '',
  consecutiveFailures: '' as number | '',
  retryAttempt: '' as number | '',
  retryMax: '' as number | '',
  suppressedCount: 0,
  missingParts: [] as readonly MissingPart[],
  absentParts: [] as readonly MissingPart[],
  missingReasons: {} as MissingReasons,
  genericUrls: [] as readonly { readonly linkText: string; readonly url: string }[],
  chain: { downstream: [] as readonly { readonly name: string; readonly usualStartLocal?: string }[] },
  summary: { title: '', lines: [] } as NonNullable<DeliveryNote['summary']>,
}

export type MailContext = typeof EMPTY

/** A local time of the context with its zone; `-`, `Never` and an unknown time as they are. */
export const zoned = ({ timeZone }: MailContext, local: string): string =>
  /^\d/.test(local) ? `${local} ${timeZone}`.trimEnd() : local

/** Members that are missing or null become empty, so that contexts of other versions can be shown too. */
export function mailContext(context: TemplateContext): MailContext {
  const known = Object.fromEntries(Object.entries(context).filter(([, value]) => value !== null && value !== undefined))
  return { ...EMPTY, ...known }
}

/** `4 min 12 s`; empty when unknown. */
export function partsText({ hours, minutes, seconds }: Duration): string {
  if (hours === '') return ''
  const whole = 3600 * hours + 60 * Number(minutes) + Number(seconds)
  return whole < 60 ? `${whole} s` : durationText(whole * 1000)
}
