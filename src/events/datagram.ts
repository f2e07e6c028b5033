/**
 * From the text of a datagram to a task message. Scheduler messages are recognised by their machine-made middle part
 * (task id, app id, time, level, execution id) and not by counting fields, because names and messages may hold `;`.
 */
import { isGuid } from '../platform/uuid.ts'
import { withoutActing } from '../platform/visible.ts'
import type { Outcome, TaskMessage } from './types.ts'

/** A distribution's outcome is decided later, by the task's state in QRS. */
export type AnnouncedOutcome = Outcome | 'distribute'

export type ParsedDatagram =
  | {
      readonly kind: 'task'
      /** `appReload`: a reload without a task, as the engine reports it. Null: the scheduler's message about a task. */
      readonly type: 'appReload' | null
      readonly outcome: AnnouncedOutcome
      readonly message: TaskMessage
      /** Set when a `;` in a name leaves open where the task name ends: settled with the names that QRS knows. */
      readonly nameTokens: readonly string[] | null
      /** True when control characters or over-long fields were cleaned. */
      readonly sanitized: boolean
    }
  /** The engine about the reload of a task, which the scheduler reports itself. */
  | { readonly kind: 'taskReload'; readonly host: string; readonly appId: string }
  | {
      readonly kind: 'rejected'
      readonly reason: 'INVALID' | 'UNKNOWN_TYPE'
      readonly detail: string
      /** True for messages of a log appender that has to be replaced. */
      readonly outdated?: boolean
    }

/** Every generation of the log appender, after slashes are collapsed. */
const OUTCOME_OF_TYPE: Readonly<Record<string, AnnouncedOutcome>> = {
  '/scheduler-task-failed/': 'failed',
  '/scheduler-reload-failed/': 'failed',
  '/scheduler-reloadtask-failed/': 'failed',
  '/scheduler-task-aborted/': 'aborted',
  '/scheduler-reload-aborted/': 'aborted',
  '/scheduler-task-success/': 'success',
  '/scheduler-reloadtask-success/': 'success',
  '/scheduler-distribute/': 'distribute',
}
const ENGINE_TYPE = '/engine-reload-failed/'
const ENGINE_FIELDS = 9
/** The account that the scheduler reloads apps with. */
const SCHEDULER_USER = 'internal\\sa_scheduler'
const SCHEDULER_FIELDS = 11

const DATE = /^\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d/
const LEVEL = /^[A-Za-z]+$/
const HOST_NAME = /^[\w.-]{1,255}$/
const OUTDATED =
  'it has the form of log appenders of Butler 1.1 to 4.1, without the ids of task and execution. Replace LocalLogConfig.xml on that server: take the file that "footman log-appender" writes'
const ZERO_GUID = '00000000-0000-0000-0000-000000000000'

/** Never throws: a datagram that cannot be parsed is `rejected`, with the reason and the expected form. */
export function parseDatagram(text: string): ParsedDatagram {
  const fields = text.split(';')
  const type = normalizeType(fields[0] ?? '')

  const outcome = OUTCOME_OF_TYPE[type]
  if (outcome) return parseScheduler(fields, outcome)
  if (type === ENGINE_TYPE) return parseEngine(fields)
  if (isFirstGeneration(fields)) return parseScheduler(['/scheduler-task-failed/', ...fields], 'failed')
  if (isOutdated(fields)) return { kind: 'rejected', reason: 'UNKNOWN_TYPE', detail: OUTDATED, outdated: true }
  return { kind: 'rejected', reason: 'UNKNOWN_TYPE', detail: `unknown message type "${type.slice(0, 200)}"` }
}

/** Lower case, without control characters and surrounding blanks, with exactly one slash at the end. */
function normalizeType(raw: string): string {
  const type = sanitizeField(raw)
    .replace(/^ +| +$/g, '')
    .toLowerCase()
  return type.replace(/\/+$/, '/')
}

/** Butler 4.2 and 4.3 had no type: ten fields, always a failed reload. */
function isFirstGeneration(fields: readonly string[]): boolean {
  if ((fields[0] ?? '').trimStart().startsWith('/')) return false
  return fields.length >= SCHEDULER_FIELDS - 1 && isGuid(fields[4] ?? '') && DATE.test(fields[6] ?? '')
}

/** Butler 1.1 to 4.1 had four fields, more of them with a `;` in a name, and neither type nor ids. */
function isOutdated(fields: readonly string[]): boolean {
  return fields.length >= 4 && fields.length < SCHEDULER_FIELDS - 1 && HOST_NAME.test(fields[0] ?? '')
}

function parseScheduler(fields: readonly string[], outcome: AnnouncedOutcome): ParsedDatagram {
  if (fields.length < SCHEDULER_FIELDS) {
    return rejected(`expected at least ${SCHEDULER_FIELDS} fields separated by ";", got ${fields.length}`)
  }
  const anchor = findAnchor(fields)
  if (anchor === null) {
    return rejected('found no task id (a GUID) followed by app id, time, level and execution id')
  }
  return taskMessage(fields, anchor, outcome)
}

/** Index of the task id, or null. */
function findAnchor(fields: readonly string[]): number | null {
  // The plain form is accepted with any time and level.
  if (fields.length === SCHEDULER_FIELDS && isTaskAndApp(fields, 5)) return 5

  for (let index = 5; index <= fields.length - 6; index += 1) {
    if (!isTaskAndApp(fields, index)) continue
    if (!DATE.test(fields[index + 2]!.trim()) || !LEVEL.test(fields[index + 3]!.trim())) continue
    const executionId = fields[index + 4]!.trim()
    if (isGuid(executionId) || isAbsent(executionId)) return index
  }
  return null
}

function isTaskAndApp(fields: readonly string[], index: number): boolean {
  const taskId = fields[index]!.trim()
  const appId = fields[index + 1]!.trim()
  return isGuid(taskId) && taskId !== ZERO_GUID && (isGuid(appId) || isAbsent(appId))
}

function taskMessage(fields: readonly string[], anchor: number, outcome: AnnouncedOutcome): ParsedDatagram {
  const cleaner = createCleaner()
  const { clean } = cleaner
  const names = fields.slice(2, anchor - 1).map((name) => clean(name))
  const message: TaskMessage = {
    host: clean(fields[1]!),
    taskName: names[0] ?? '',
    appName: names.slice(1).join(';'),
    user: clean(fields[anchor - 1]!),
    taskId: clean(fields[anchor]!).trim().toLowerCase(),
    appId: clean(fields[anchor + 1]!)
      .trim()
      .toLowerCase(),
    logTimeStamp: clean(fields[anchor + 2]!),
    logLevel: clean(fields[anchor + 3]!).trim(),
    executionId: clean(fields[anchor + 4]!)
      .trim()
      .toLowerCase(),
    logMessage: clean(fields.slice(anchor + 5).join(';'), MESSAGE_LIMIT).trimEnd(),
  }
  const { sanitized } = cleaner
  return { kind: 'task', type: null, outcome, message, nameTokens: names.length > 2 ? names : null, sanitized }
}

/** `sanitized` becomes true when a field had to be changed. */
function createCleaner() {
  let sanitized = false
  return {
    get sanitized() {
      return sanitized
    },
    clean(raw: string, limit = FIELD_LIMIT): string {
      const text = sanitizeField(raw, limit)
      if (text !== raw) sanitized = true
      return isAbsent(text.trim()) ? '' : text
    },
  }
}

/** Host, app id, session, user directory, user id, time, level, message; only the message may hold a `;`. */
function parseEngine(fields: readonly string[]): ParsedDatagram {
  if (fields.length < ENGINE_FIELDS) {
    return rejected(`an engine message has ${ENGINE_FIELDS} fields separated by ";", got ${fields.length}`)
  }
  // The plain form is accepted with any time.
  if (fields.length > ENGINE_FIELDS && !DATE.test(fields[6]!.trim())) {
    return rejected(`found no time in field 7 of an engine message of ${fields.length} fields`)
  }
  const cleaner = createCleaner()
  const { clean } = cleaner
  const appId = clean(fields[2]!).trim().toLowerCase()
  if (appId !== '' && !isGuid(appId)) return rejected(`the app id "${appId}" is not a GUID`)
  const host = clean(fields[1]!)
  const user = [clean(fields[4]!).trim(), clean(fields[5]!).trim()].filter((part) => part !== '').join('\\')
  if (user.toLowerCase() === SCHEDULER_USER) return { kind: 'taskReload', host, appId }
  const message: TaskMessage = {
    host,
    taskName: '',
    appName: '',
    user,
    taskId: '',
    appId,
    logTimeStamp: clean(fields[6]!),
    logLevel: clean(fields[7]!).trim(),
    executionId: '',
    logMessage: clean(fields.slice(8).join(';'), MESSAGE_LIMIT).trimEnd(),
  }
  const { sanitized } = cleaner
  return { kind: 'task', type: 'appReload', outcome: 'failed', message, nameTokens: null, sanitized }
}

/** log4net prints unset properties as `(null)`; the scheduler uses the zero GUID for "no reference". */
function isAbsent(text: string): boolean {
  return text === '' || text === '(null)' || text === ZERO_GUID
}

function rejected(detail: string): ParsedDatagram {
  return { kind: 'rejected', reason: 'INVALID', detail }
}

// Encoding.

interface Decoded {
  readonly text: string
  readonly encoding: 'utf-8' | 'windows-1252'
}

const utf8 = new TextDecoder('utf-8', { fatal: true })
// An appender without `encoding=utf-8` sends in the Windows code page of its server.
const ansi = new TextDecoder('windows-1252')

/** Strict UTF-8 first, windows-1252 when that fails; a leading byte-order mark is dropped. */
export function decodeDatagram(bytes: Uint8Array): Decoded {
  try {
    return { text: utf8.decode(bytes), encoding: 'utf-8' }
  } catch {
    return { text: ansi.decode(bytes), encoding: 'windows-1252' }
  }
}

// Cleaning of text from an unauthenticated socket.

/** Longest name, id, host or user, in UTF-16 code units. */
const FIELD_LIMIT = 500
/** Longest log message kept; destinations cut further where they need to. */
const MESSAGE_LIMIT = 10_000

const LINE_BREAKS_AND_TABS = /[\t\r\n]+/g
/** Line breaks and tabs become one blank, other control characters vanish, the rest is cut to `limit` code units. */
export function sanitizeField(text: string, limit: number = FIELD_LIMIT): string {
  return cutText(withoutActing(text.replace(LINE_BREAKS_AND_TABS, ' ')).replaceAll('\n', ''), limit)
}

/** Cuts to `limit` UTF-16 code units, never inside a surrogate pair. */
export function cutText(text: string, limit: number): string {
  if (text.length <= limit) return text
  const last = text.charCodeAt(limit - 1)
  const splitsPair = last >= 0xd800 && last <= 0xdbff
  return text.slice(0, splitsPair ? limit - 1 : limit)
}

// Names that contain `;`.

interface Names {
  readonly taskName: string
  readonly appName: string
}

/**
 * Chooses the split of `tokens` whose left part is the task name known to QRS, or whose right part is its app name.
 * Without a fit the first token is the task name and the rest the app name.
 */
export function resolveNames(tokens: readonly string[], known: Partial<Names>): Names {
  const splits = tokens.slice(1).map((_, index) => ({
    taskName: tokens.slice(0, index + 1).join(';'),
    appName: tokens.slice(index + 1).join(';'),
  }))
  const fit = splits.find((split) => split.taskName === known.taskName || split.appName === known.appName)
  return fit ?? splits[0] ?? { taskName: tokens[0] ?? '', appName: '' }
}
