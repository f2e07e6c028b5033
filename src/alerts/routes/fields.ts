/** The fields of a match, one line each: what they are compared with and what has to be read for it. */
import type { Need, TaskEvent } from '../../events/types.ts'
import type { WindowReference, Windows } from '../../platform/calendar.ts'
import { formatDuration } from '../../platform/duration.ts'
import { globMatcher } from '../../platform/glob.ts'
import type { MatchConfig } from '../config-routes.ts'
import * as parts from './parts.ts'
import { isTaskType } from './subjects.ts'
import { type FieldTest, type Finding, findText, NOTHING, type Texts, UNKNOWN, type Verdict } from './verdict.ts'

export interface FieldContext {
  readonly windows: Pick<Windows, 'contains'>
}

type Value<K extends keyof MatchConfig> = NonNullable<MatchConfig[K]>
type Compiled = Omit<FieldTest, 'field'>
type Compile<K extends keyof MatchConfig> = (value: Value<K>, context: FieldContext) => Compiled
type Comparison = Value<'duration'>
type Tags = Value<'taskTag'>

/** How many lines of the script log are looked through, from its end. */
const LOG_LINES = 200

/** In the order in which they are asked: what is cheap and decides often comes first. */
export const FIELDS: { readonly [K in Exclude<keyof MatchConfig, 'type' | 'outcome'>]: Compile<K> } = {
  source: (wanted) => words(wanted, ({ source }) => source),
  severity: (wanted) => words(wanted, ({ severity }) => severity),
  code: (wanted) => words(wanted, ({ code }) => code),
  taskId: (wanted) => ids(wanted, parts.taskIds),
  appId: (wanted) => ids(wanted, parts.appIds),
  task: (wanted) => globs(wanted, parts.taskNames),
  app: (wanted) => globs(wanted, parts.appNames),
  user: (wanted) => globs(wanted.map(parts.withBackslash), parts.users),
  service: (wanted) => globs(wanted, parts.services),
  host: hosts,
  stream: (wanted) => globs(wanted, parts.streams, ['app']),
  owner: (wanted) => globs(wanted.map(parts.withBackslash), parts.owners, ['owner']),
  taskTag: (wanted) => tags(wanted, parts.taskTags),
  appTag: (wanted) => tags(wanted, parts.appTags, ['app']),
  taskProperty: (wanted) => properties(wanted, parts.taskProperties),
  appProperty: (wanted) => properties(wanted, parts.appProperties, ['app']),
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

/** An empty text means something too: no stream. */
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
  of: (event: TaskEvent) => parts.Properties,
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

/** Of a run that goes on, what the watchdog has measured. */
function runTime({ type, execution, details, outcome }: TaskEvent, wanted: Comparison): Finding {
  if (!isTaskType(type)) return NOTHING
  const ms = outcome === 'stuck' && details?.kind === 'watchdog' ? details.elapsedMs : execution?.duration
  return ms === undefined ? UNKNOWN : finding(formatDuration(ms), compares(wanted, ms))
}

/** Never is longer ago than any time. */
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
