/** The fields of a match, one line each: what they are compared with and what has to be read for it. */
import type { EventType, Need, TaskEvent } from '../../events/types.ts'
import type { WindowReference, Windows } from '../../platform/calendar.ts'
import { formatDuration } from '../../platform/duration.ts'
import { globMatcher } from '../../platform/glob.ts'
import { runOf } from '../../qlik/qrs/execution.ts'
import type { QrsCustomProperty, QrsNamed } from '../../qlik/qrs/types.ts'
import type { MatchConfig } from '../config-routes.ts'
import { isTaskType } from './subjects.ts'

export interface FieldContext {
  readonly windows: Pick<Windows, 'contains'>
}

/** The answer of a field. `unknown` = the data could not be read; it counts as holding in `match` and as not holding in `except`. */
export type Verdict = true | false | 'unknown'

/** One compiled field of a match. */
export interface FieldTest {
  readonly field: string
  readonly wanted: string
  /** The parts that have to be read from Qlik Sense for it. */
  readonly needs: readonly Need[]
  /** `at` is the time of the event, milliseconds since 1970. */
  test(event: TaskEvent, at: number): Finding
}

interface Finding {
  readonly found: string | null
  readonly holds: Verdict
}

/** Texts of an event; `unknown` = could not be read, `none` = events of this type have no such thing. */
type Texts = readonly string[] | 'unknown' | 'none'

export const UNKNOWN: Finding = { found: null, holds: 'unknown' }
const NOTHING: Finding = { found: null, holds: false }

type Value<K extends keyof MatchConfig> = NonNullable<MatchConfig[K]>
type Compiled = Omit<FieldTest, 'field'>
type Compile<K extends keyof MatchConfig> = (value: Value<K>, context: FieldContext) => Compiled
type Comparison = Value<'duration'>
type Tags = Value<'taskTag'>

/** Lines of the script log that are searched, from its end. */
const LOG_LINES = 200

/** In the order in which they are asked: what is cheap and decides often comes first. */
export const FIELDS: { readonly [K in Exclude<keyof MatchConfig, 'type' | 'outcome'>]: Compile<K> } = {
  source: (wanted) => words(wanted, ({ source }) => source),
  severity: (wanted) => words(wanted, ({ severity }) => severity),
  code: (wanted) => words(wanted, ({ code }) => code),
  taskId: (wanted) => ids(wanted, taskIds),
  appId: (wanted) => ids(wanted, appIds),
  task: (wanted) => globs(wanted, taskNames),
  app: (wanted) => globs(wanted, appNames),
  user: (wanted) => globs(wanted.map(withBackslash), users),
  service: (wanted) => globs(wanted, services),
  host: hosts,
  stream: (wanted) => globs(wanted, streams, ['app']),
  owner: (wanted) => globs(wanted.map(withBackslash), owners, ['owner']),
  taskTag: (wanted) => tags(wanted, taskTags),
  appTag: (wanted) => tags(wanted, appTags, ['app']),
  taskProperty: (wanted) => properties(wanted, taskProperties),
  appProperty: (wanted) => properties(wanted, appProperties, ['app']),
  manual: (wanted) => ({ wanted: String(wanted), needs: [], test: (event) => isManual(event, wanted) }),
  consecutiveFailures: (wanted) => ({
    wanted: `${wanted.operator}${wanted.value}`,
    needs: [],
    test: (event) => ofHistory(event, ({ consecutiveFailures: n }) => finding(`${n}`, compares(wanted, n))),
  }),
  duration: (wanted) => ({
    wanted: `${wanted.operator}${formatDuration(wanted.value)}`,
    needs: ['execution'],
    test: (event) => runTime(event, wanted),
  }),
  sinceSuccess: (wanted) => ({
    wanted: `${wanted.operator}${formatDuration(wanted.value)}`,
    needs: [],
    test: (event, at) => ofHistory(event, ({ lastSuccessAt }) => sinceSuccess(lastSuccessAt, at, wanted)),
  }),
  during: (wanted, context) => during(wanted, context),
  message: (wanted) => message(wanted),
}

/** Holds when one of the texts passes. */
function findText(texts: Texts, passes: (text: string) => boolean): Finding {
  if (texts === 'unknown') return UNKNOWN
  if (texts === 'none') return NOTHING
  return { found: texts.length > 0 ? texts.join(', ') : null, holds: texts.some(passes) }
}

function finding(found: string | null, holds: Verdict): Finding {
  return { found, holds }
}

function words(wanted: readonly string[], of: (event: TaskEvent) => string | null): Compiled {
  const allowed = new Set(wanted.map((word) => word.toLowerCase()))
  return {
    wanted: wanted.join(', '),
    needs: [],
    test(event) {
      const found = of(event)
      return finding(found, found !== null && allowed.has(found.toLowerCase()))
    },
  }
}

function ids(wanted: readonly string[], of: (event: TaskEvent) => Texts): Compiled {
  const allowed = new Set(wanted.map((id) => id.trim().toLowerCase()))
  return {
    wanted: wanted.join(', '),
    needs: [],
    test: (event) => findText(of(event), (id) => allowed.has(id.toLowerCase())),
  }
}

function globs(wanted: readonly string[], of: (event: TaskEvent) => Texts, needs: readonly Need[] = []): Compiled {
  const matches = globMatcher(wanted)
  return { wanted: listed(wanted), needs, test: (event) => findText(of(event), matches) }
}

/** An empty text has a meaning as well: no stream. */
function listed(wanted: readonly string[]): string {
  return wanted.map((text) => (text === '' ? '""' : text)).join(', ')
}

/** The sending node is always known; the executing one only when the execution could be read. */
function hosts(wanted: readonly string[]): Compiled {
  const matches = globMatcher(wanted)
  return {
    wanted: listed(wanted),
    needs: ['execution'],
    test(event) {
      const node = event.execution?.executingNodeName ?? event.node
      const found = [...new Set([event.host, node ?? ''].filter((name) => name !== ''))]
      if (found.some(matches)) return finding(found.join(', '), true)
      const unknown = isTaskType(event.type) && node === undefined && event.missingParts.includes('execution')
      return finding(found.length > 0 ? found.join(', ') : null, unknown ? 'unknown' : false)
    },
  }
}

function tags(wanted: Tags, of: (event: TaskEvent) => Texts, needs: readonly Need[] = []): Compiled {
  if ('any' in wanted) return globs(wanted.any, of, needs)
  const each = wanted.all.map((glob) => globMatcher([glob]))
  return {
    wanted: `all of ${wanted.all.join(', ')}`,
    needs,
    test(event) {
      const texts = of(event)
      if (typeof texts === 'string') return findText(texts, () => false)
      return finding(
        texts.join(', ') || null,
        each.every((matches) => texts.some(matches)),
      )
    },
  }
}

function properties(
  wanted: Value<'taskProperty'>,
  of: (event: TaskEvent) => Properties,
  needs: readonly Need[] = [],
): Compiled {
  const entries = Object.entries(wanted).map(([name, values]) => ({
    name: name.toLowerCase(),
    matches: globMatcher(values),
  }))
  return {
    wanted: Object.entries(wanted)
      .map(([name, values]) => `${name}: ${listed(values)}`)
      .join('; '),
    needs,
    test(event) {
      const found = of(event)
      if (found === 'unknown') return UNKNOWN
      if (found === 'none') return NOTHING
      const holds = entries.every(({ name, matches }) =>
        found.some(({ definition, value }) => definition.name.toLowerCase() === name && matches(value)),
      )
      const asked = found.filter(({ definition }) => entries.some(({ name }) => name === definition.name.toLowerCase()))
      return finding(asked.map(({ definition, value }) => `${definition.name}: ${value}`).join('; ') || null, holds)
    },
  }
}

function isManual({ type, task }: TaskEvent, wanted: boolean): Finding {
  if (!isTaskType(type)) return NOTHING
  if (!task) return UNKNOWN
  const manual = task.isManuallyTriggered ?? false
  return finding(String(manual), manual === wanted)
}

function ofHistory(event: TaskEvent, test: (history: NonNullable<TaskEvent['history']>) => Finding): Finding {
  if (!isTaskType(event.type)) return NOTHING
  return event.history ? test(event.history) : UNKNOWN
}

/** The run time of an execution that goes on is what the watchdog has measured. */
function runTime({ type, execution, details, outcome }: TaskEvent, wanted: Comparison): Finding {
  if (!isTaskType(type)) return NOTHING
  const ms =
    outcome === 'stuck' && details?.kind === 'watchdog' ? details.elapsedMs : execution && runOf(execution).durationMs
  return ms === undefined || ms === null ? UNKNOWN : finding(formatDuration(ms), compares(wanted, ms))
}

/** A task that has never succeeded counts as infinitely long ago. */
function sinceSuccess(lastSuccessAt: number | null, at: number, wanted: Comparison): Finding {
  const ms = lastSuccessAt === null ? Number.POSITIVE_INFINITY : Math.max(at - lastSuccessAt, 0)
  return finding(lastSuccessAt === null ? 'never' : formatDuration(ms), compares(wanted, ms))
}

function compares({ operator, value }: Comparison, found: number): boolean {
  if (operator === '=') return found === value
  if (operator.startsWith('>')) return found > value || (operator === '>=' && found === value)
  return found < value || (operator === '<=' && found === value)
}

function during(wanted: readonly WindowReference[], { windows }: FieldContext): Compiled {
  return {
    wanted: wanted.map((window) => (typeof window === 'string' ? window : JSON.stringify(window))).join(', '),
    needs: [],
    test: (_event, at) =>
      finding(
        new Date(at).toISOString(),
        wanted.some((window) => windows.contains(window, at)),
      ),
  }
}

/** The log message, then the script log from its end; the first line that matches is shown. */
function message(wanted: string): Compiled {
  const matches = textTest(wanted)
  return {
    wanted,
    needs: ['scriptLog'],
    test(event) {
      const { logMessage, scriptLog } = event
      if (matches(logMessage)) return finding(logMessage, true)
      if (!scriptLog) {
        const unknown = event.missingParts.includes('scriptLog') || event.missingParts.includes('task')
        return finding(logMessage || null, unknown && event.type === 'reload' ? 'unknown' : false)
      }
      const line = scriptLog.lines.slice(-LOG_LINES).find(matches)
      return line === undefined ? finding(logMessage || null, false) : finding(line, true)
    },
  }
}

/** `/expression/` finds anywhere; a glob is compared with the whole text. Both ignore case. */
function textTest(wanted: string): (text: string) => boolean {
  if (wanted.length > 2 && wanted.startsWith('/') && wanted.endsWith('/')) {
    const expression = new RegExp(wanted.slice(1, -1), 'iu')
    return (text) => expression.test(text)
  }
  return globMatcher([wanted])
}

// The texts of an event that fields are compared with.

const APP_TYPES: readonly EventType[] = ['reload', 'distribute', 'preload', 'cloudReload', 'appReload']

/** Distinct texts that are not empty; without one it is not known. */
function known(...texts: readonly (string | null | undefined)[]): Texts {
  const found = [...new Set(texts.filter((text): text is string => Boolean(text)))]
  return found.length > 0 ? found : 'unknown'
}

function taskNames(event: TaskEvent): Texts {
  return isTaskType(event.type) ? known(event.taskName, event.task?.name) : 'none'
}

function taskIds({ type, taskId }: TaskEvent): Texts {
  return isTaskType(type) ? known(taskId) : 'none'
}

function appNames(event: TaskEvent): Texts {
  return hasApp(event) ? known(event.appName, event.app?.name, event.task?.app?.name) : 'none'
}

function appIds(event: TaskEvent): Texts {
  return hasApp(event) ? known(event.appId, event.app?.id, event.task?.app?.id) : 'none'
}

/** '' = the app is not published. */
function streams(event: TaskEvent): Texts {
  if (!hasApp(event) || event.type === 'cloudReload') return 'none'
  if (event.app) return [event.app.stream?.name ?? '']
  const stream = event.task?.app?.stream
  return stream === undefined ? 'unknown' : [stream?.name ?? '']
}

/** `DIR\id` */
function owners(event: TaskEvent): Texts {
  if (!hasApp(event) || event.type === 'cloudReload') return 'none'
  if (event.owner) return [`${event.owner.directory}\\${event.owner.userId}`]
  const owner = event.app?.owner
  return owner ? [`${owner.userDirectory}\\${owner.userId}`] : 'unknown'
}

/** `DIR\id`, however the datagram wrote it. */
function users({ user }: TaskEvent): Texts {
  return user === '' ? 'none' : [withBackslash(user)]
}

function withBackslash(user: string): string {
  return user.replaceAll('/', '\\').replaceAll('\\\\', '\\')
}

function services({ details }: TaskEvent): Texts {
  if (details?.kind !== 'service') return 'none'
  return known(details.friendlyName, details.serviceName, details.displayName)
}

function taskTags(event: TaskEvent): Texts {
  return isTaskType(event.type) ? namesOf(event.task?.tags) : 'none'
}

function appTags(event: TaskEvent): Texts {
  return hasQlikApp(event) ? namesOf(event.app?.tags) : 'none'
}

function namesOf(tags: readonly QrsNamed[] | undefined): Texts {
  return tags ? tags.map(({ name }) => name) : 'unknown'
}

type Properties = readonly QrsCustomProperty[] | 'unknown' | 'none'

function taskProperties(event: TaskEvent): Properties {
  return isTaskType(event.type) ? (event.task?.customProperties ?? 'unknown') : 'none'
}

function appProperties(event: TaskEvent): Properties {
  return hasQlikApp(event) ? (event.app?.customProperties ?? 'unknown') : 'none'
}

function hasApp({ type }: TaskEvent): boolean {
  return APP_TYPES.includes(type)
}

function hasQlikApp(event: TaskEvent): boolean {
  return hasApp(event) && event.type !== 'cloudReload'
}
