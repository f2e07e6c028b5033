/**
 * Executions of tasks as points in InfluxDB: the task sections of `Butler.influxDb` as rules, the destination that writes
 * their points, and the points themselves, with the names, types and spellings that dashboards query.
 */
import type { Need, Outcome, ScriptLog, TaskEvent, TaskType } from '../../events/types.ts'
import type { InfluxDbConfig, InfluxPoint, InfluxServer, WritableLine } from '../../metrics/influxdb/types.ts'
import { STATUS_TEXTS } from '../../qlik/qrs/status.ts'
import type { QrsExecutionResult, QrsNamed } from '../../qlik/qrs/types.ts'
import { excerpts, shownLines } from '../script-log.ts'
import { durationParts, type TimeFormatter, utcParts } from '../times.ts'
import type { Destination, Message, PlannedDelivery, RenderInput, Rule, Suppression } from '../types.ts'
import { gathered } from './gather.ts'

interface InfluxRulesConfig {
  readonly influxDb: InfluxDbConfig
  readonly footman: { readonly influxDb: { readonly storeAborted: boolean } }
}

const LANE = 'influxdb'

/** One rule per task section that is on, each with one point per event. */
export function influxRules(config: InfluxRulesConfig): Rule[] {
  return influxSections(config).map((section) => ({
    name: section.routeName,
    destination: 'influxdb',
    when: { types: [section.kind.type], outcomes: [section.outcome] },
    phase: 'enriched',
    needs: section.needs,
    plan: (event) => plan(event, section),
  }))
}

/** A test event makes no point. */
function plan(event: TaskEvent, section: InfluxSection): readonly PlannedDelivery[] {
  if (event.test) return []
  const suppress = section.excluded(event)
  const delivery: PlannedDelivery = { target: section.measurement, lane: LANE }
  return [suppress === null ? delivery : { ...delivery, suppress }]
}

interface InfluxDestinationDeps {
  readonly server: InfluxServer
  readonly times: TimeFormatter
  /** Events of the same task and outcome that arrived in the same millisecond, before this one. */
  readonly earlierTwins: (event: TaskEvent) => number
}

/** Making a point reads the whole script log of its event: larger batches cost memory and delay other work. */
const BATCH_SIZE = 25
const NANOSECONDS = 1_000_000n

export function createInfluxDestination(deps: InfluxDestinationDeps, config: InfluxRulesConfig): Destination {
  const { server, times, earlierTwins } = deps
  const sections = new Map(influxSections(config).map((section) => [section.routeName, section]))

  async function render({ event, rule, target, deliveryId }: RenderInput): Promise<Message> {
    const section = sections.get(rule.name)
    if (!section) throw new Error(`${rule.name} is no longer in the configuration`)
    // The same time in every attempt: InfluxDB keeps one point when it is written twice.
    const at = BigInt(event.receivedAt) * NANOSECONDS + BigInt(earlierTwins(event))
    const line = server.lineOf(taskPoint(event, section, times), at)
    if (line === null) throw new Error('the point has no fields')
    const payload: WritableLine = { line, bare: () => server.lineOf(taskPoint(event, section, times, false), at) }
    return { deliveryId, target, subject: null, body: line, payload }
  }

  return gathered({
    name: 'influxdb',
    type: 'influxdb',
    batchSize: BATCH_SIZE,
    render,
    deliver: (batch, signal) =>
      server.write(
        batch.map(({ payload }) => payload as WritableLine),
        signal,
      ),
  })
}

/** A task section of `Butler.influxDb`: which executions become points, in which measurement, with which tags. */
interface InfluxSection {
  readonly routeName: string
  readonly measurement: string
  readonly kind: TaskKind
  readonly outcome: Outcome
  readonly staticTags: readonly { readonly name: string; readonly value: string }[]
  readonly useTaskTags: boolean
  readonly useAppTags: boolean
  /** Lines of the script log; null = these points have none. */
  readonly scriptLog: { readonly headLines: number; readonly tailLines: number } | null
  readonly needs: readonly Need[]
  /** The reason why an event is not stored; null = it is stored. */
  readonly excluded: (event: Pick<TaskEvent, 'task'>) => Suppression | null
}

interface TaskKind {
  readonly type: TaskType
  /** Beginning of the sections' names: `reloadTaskFailure`. */
  readonly section: string
  /** Beginning of the measurements' names: `reload_task_failed`. */
  readonly prefix: string
  /** Where the app of the tags comes from; null = these tasks have none. */
  readonly app: 'message' | 'task' | null
  /** The shape of start and stop times, as dashboards know it: texts in several forms, or the parts of the UTC time. */
  readonly times: 'texts' | 'parts'
}

const KINDS: readonly TaskKind[] = [
  { type: 'reload', section: 'reloadTask', prefix: 'reload_task', app: 'message', times: 'texts' },
  {
    type: 'externalProgram',
    section: 'externalProgramTask',
    prefix: 'external_program_task',
    app: null,
    times: 'parts',
  },
  { type: 'userSync', section: 'userSyncTask', prefix: 'user_sync_task', app: null, times: 'texts' },
  { type: 'distribute', section: 'distributeTask', prefix: 'distribute_task', app: 'task', times: 'parts' },
  { type: 'preload', section: 'preloadTask', prefix: 'preload_task', app: 'task', times: 'texts' },
]

/** Aborted tasks have no sections; where they are stored at all, they are stored like failed ones. */
const OUTCOMES = [
  { outcome: 'failed', name: 'Failure', settings: 'Failure', suffix: 'failed' },
  { outcome: 'success', name: 'Success', settings: 'Success', suffix: 'success' },
  { outcome: 'aborted', name: 'Aborted', settings: 'Failure', suffix: 'aborted' },
] as const

/** The keys of a section; those of the script log exist only for reloads. */
interface Settings {
  readonly enable: boolean
  readonly headScriptLogLines?: number
  readonly tailScriptLogLines?: number
  readonly tag: {
    readonly static: InfluxSection['staticTags']
    readonly dynamic: { readonly useTaskTags: boolean; readonly useAppTags?: boolean }
  }
}

/** The sections that are switched on. */
export function influxSections({ influxDb, footman }: InfluxRulesConfig): readonly InfluxSection[] {
  if (!influxDb.enable) return []
  const sections = influxDb as unknown as Readonly<Record<string, Settings>>
  return KINDS.flatMap((kind) =>
    OUTCOMES.flatMap(({ outcome, name, settings: key, suffix }) => {
      const settings = sections[`${kind.section}${key}`]!
      const isOn = outcome === 'aborted' ? footman.influxDb.storeAborted : settings.enable
      const isMarked = kind.type === 'reload' && outcome === 'success'
      if (!isOn || (isMarked && !selects(influxDb.reloadTaskSuccess))) return []
      const scriptLog = scriptLogOf(kind, outcome, settings)
      const { useTaskTags, useAppTags = false } = settings.tag.dynamic
      const section: InfluxSection = {
        kind,
        outcome,
        scriptLog,
        useTaskTags,
        useAppTags,
        staticTags: settings.tag.static,
        routeName: `butler.influxDb.${kind.section}${name}`,
        measurement: `${kind.prefix}_${suffix}`,
        needs: ['execution', ...(useAppTags ? (['app'] as const) : []), ...(scriptLog ? (['scriptLog'] as const) : [])],
        excluded: isMarked ? markedOnly(influxDb.reloadTaskSuccess) : () => null,
      }
      return [section]
    }),
  )
}

/** Points about successful reloads hold lines of the script log only when the section asks for some. */
function scriptLogOf({ type }: TaskKind, outcome: Outcome, settings: Settings): InfluxSection['scriptLog'] {
  if (type !== 'reload') return null
  const { headScriptLogLines: headLines = 0, tailScriptLogLines: tailLines = 0 } = settings
  if (outcome === 'success' && headLines === 0 && tailLines === 0) return null
  return { headLines, tailLines }
}

type Selection = InfluxDbConfig['reloadTaskSuccess']

const selects = ({ allReloadTasks, byCustomProperty }: Selection) => allReloadTasks.enable || byCustomProperty.enable

function markedOnly({ allReloadTasks, byCustomProperty }: Selection) {
  const { customPropertyName: name, enabledValue } = byCustomProperty
  return ({ task }: Pick<TaskEvent, 'task'>): Suppression | null => {
    if (allReloadTasks.enable) return null
    const values = (task?.customProperties ?? []).filter(({ definition }) => definition.name === name)
    if (values.some(({ value }) => value === enabledValue)) return null
    const detail = task ? `custom property ${name} is not ${enabledValue}` : `custom property ${name} is not known`
    return { reason: 'CUSTOM_PROPERTY', detail, by: { property: { name, value: enabledValue } } }
  }
}

type Tags = Record<string, string | number | null | undefined>
type Fields = InfluxPoint['fields']

/** The point about one execution. `withDynamicTags`: false for databases that take no new tags. */
export function taskPoint(
  event: TaskEvent,
  section: InfluxSection,
  times: TimeFormatter,
  withDynamicTags = true,
): InfluxPoint {
  const tags: Tags = {
    ...messageTags(event),
    ...appTags(event, section.kind),
    ...executionTags(event, section),
    ...(withDynamicTags ? dynamicTags(event, section) : {}),
  }
  for (const { name, value } of section.staticTags) if (value !== '') tags[name] = value
  return {
    measurement: section.measurement,
    tags,
    fields: {
      log_timestamp: event.logTimeStamp,
      execution_id: event.executionId,
      log_message: event.logMessage,
      ...(event.execution ? executionFields(event.execution, section.kind, times) : {}),
      ...logFields(event, section),
    },
    time: event.receivedAt,
  }
}

function messageTags({ host, user, taskId, taskName, logLevel }: TaskEvent): Tags {
  return { host, user: user.replaceAll('\\', '/'), task_id: taskId, task_name: taskName, log_level: logLevel }
}

function appTags({ appId, appName, task }: TaskEvent, { app }: TaskKind): Tags {
  if (app === null) return {}
  return app === 'message' ? { app_id: appId, app_name: appName } : { app_id: task?.app?.id, app_name: task?.app?.name }
}

/** The misspelled name is the one that published dashboards use. */
function statusText(text: string): Tags {
  return { task_exeuctionStatusText: text, task_executionStatusText: text }
}

function executionTags({ execution }: TaskEvent, { kind, outcome }: InfluxSection): Tags {
  if (execution) {
    return {
      task_executingNodeName: execution.executingNodeName,
      task_executionStatusNum: execution.status,
      ...statusText(STATUS_TEXTS[execution.status] ?? ''),
    }
  }
  if (kind.type !== 'reload' || outcome === 'success') return {}
  return { task_executingNodeName: 'unknown', task_executionStatusNum: -1, ...statusText(NO_LOG) }
}

function dynamicTags({ app, task }: TaskEvent, { useAppTags, useTaskTags }: InfluxSection): Tags {
  const flags = (prefix: string, named: readonly QrsNamed[] | undefined) =>
    Object.fromEntries((named ?? []).map(({ name }) => [`${prefix}_${name}`, 'true']))
  return { ...(useAppTags ? flags('appTag', app?.tags) : {}), ...(useTaskTags ? flags('taskTag', task?.tags) : {}) }
}

function executionFields(
  { startTime, stopTime, duration }: QrsExecutionResult,
  { times: shape }: TaskKind,
  times: TimeFormatter,
): Fields {
  const instant = (name: string, iso: string) =>
    JSON.stringify(shape === 'texts' ? times.variants(name, iso) : utcParts(iso))
  return {
    task_executionStartTime_json: instant('startTime', startTime),
    task_executionStopTime_json: instant('stopTime', stopTime),
    ...durationFields(duration),
  }
}

function durationFields(duration: number): Fields {
  const { hours, minutes, seconds } = durationParts(duration)
  if (hours === '' || minutes === '' || seconds === '') return {}
  return {
    task_executionDuration_json: JSON.stringify({ hours, minutes, seconds }),
    task_executionDuration_sec: hours * 3600 + minutes * 60 + seconds,
    task_executionDuration_min: hours * 60 + minutes + seconds / 60,
    task_executionDuration_h: hours + minutes / 60 + seconds / 3600,
  }
}

function logFields(event: TaskEvent, section: InfluxSection): Fields {
  if (section.kind.type !== 'reload') return {}
  return section.outcome === 'success' ? successLogFields(event, section) : failureLogFields(event, section)
}

/** The text stands in two fields, as older dashboards read one of them and newer ones the other. */
function failureLogFields({ execution, scriptLog }: TaskEvent, { scriptLog: lines }: InfluxSection): Fields {
  if (!execution || !lines) return { task_scriptLogSize: 0, task_scriptLogTailCount: 0, scriptLog: NO_LOG }
  const text = failureText(execution, scriptLog, lines)
  return {
    task_scriptLogSize: scriptLog ? execution.scriptLogSize || scriptLog.characters : 0,
    task_scriptLogTailCount: lines.tailLines,
    scriptLog: text,
    reload_log: text,
  }
}

function successLogFields({ execution, scriptLog }: TaskEvent, { scriptLog: lines }: InfluxSection): Fields {
  const counts = (headLines: number, tailLines: number, size: number) => ({
    task_scriptLogSize: size,
    task_scriptLogHeadCount: headLines,
    task_scriptLogTailCount: tailLines,
  })
  if (!lines) return counts(0, 0, execution?.scriptLogSize ?? 0)
  if (!scriptLog) return { ...counts(0, 0, 0), scriptLog: NO_LOG }
  const text = successText(execution, scriptLog, lines)
  const size = execution?.scriptLogSize || scriptLog.characters
  return { ...counts(lines.headLines, lines.tailLines, size), scriptLog: text, reload_log: text }
}

const LINE_BREAK = '\r\n'
const RULE = '-'.repeat(31)
/** InfluxDB 1 and 2 refuse strings of more than 64 KB. */
const MAX_BYTES = 65_000

const NO_LOG = 'Script log not available'

type Lines = NonNullable<InfluxSection['scriptLog']>

/** The text of a point about a failed reload: the steps of the execution, then the last lines of the script log. */
function failureText(execution: QrsExecutionResult, log: ScriptLog | null, { tailLines }: Lines): string {
  const { tail } = excerpts(log, 0, tailLines)
  return keepEnd([detailsText(execution), RULE, '', tail].join(LINE_BREAK))
}

/** The same about a successful reload. A part with no lines is left out with its caption. */
function successText(execution: QrsExecutionResult | null, log: ScriptLog, lines: Lines): string {
  const { headLines, tailLines } = shownLines(log, lines)
  const { head, tail } = excerpts(log, headLines, tailLines)
  const parts = [
    ...(headLines > 0 ? [caption('HEAD', headLines) + LINE_BREAK + head] : []),
    ...(tailLines > 0 ? [caption('TAIL', tailLines) + LINE_BREAK + tail] : []),
  ]
  const details = execution ? detailsText(execution) : ''
  return keepEnd(details + LINE_BREAK + parts.join(LINE_BREAK + LINE_BREAK))
}

function caption(part: string, count: number): string {
  return `---------- SCRIPT LOG ${part} (${count} lines) ----------`
}

function detailsText({ details }: QrsExecutionResult): string {
  return [...details]
    .sort((a, b) => (Date.parse(a.detailCreatedDate) || 0) - (Date.parse(b.detailCreatedDate) || 0))
    .map(({ detailCreatedDate, message }) => `${detailCreatedDate}\t${message}\n`)
    .join('')
}

/** Keeps the end of a text that is too long: the error stands there. */
function keepEnd(text: string): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= MAX_BYTES) return text
  let start = bytes.length - MAX_BYTES
  // Not in the middle of a character.
  while ((bytes[start]! & 0xc0) === 0x80) start += 1
  return bytes.subarray(start).toString('utf8')
}
