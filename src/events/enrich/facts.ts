/** Asks QRS for the data that the rules of one event need, round by round. A part that was answered is not asked for again. */
import { within } from '../../platform/deadline.ts'
import { isGuid } from '../../platform/uuid.ts'
import { executionOf } from '../../qlik/qrs/execution.ts'
import { definiteAnswer, isDown, statusAnswer } from '../../qlik/qrs/failure.ts'
import {
  type AppOwner,
  type QrsApp,
  type QrsClient,
  type QrsExecution,
  type QrsExecutionResult,
  type QrsTask,
  ZERO_GUID,
} from '../../qlik/qrs/types.ts'
import type { StoredEvent } from '../store.ts'
import { isUnfinished, outcomeOfStatus, taskTypeOf } from '../task-type.ts'
import type {
  EventOutcome,
  EventType,
  MissingPart,
  MissingReasons,
  Need,
  ScriptLog,
  TaskEvent,
  TaskType,
} from '../types.ts'

export interface FactsDeps {
  /** Answers may be a few seconds old. */
  readonly cached: QrsClient
  /** Always asks. */
  readonly fresh: QrsClient
  readonly needs: (type: EventType, outcome: EventOutcome) => ReadonlySet<Need>
  /** Parts of an event of this task that are wanted besides those that its rules need. */
  readonly alsoNeeds?: ((task: QrsTask, outcome: EventOutcome) => readonly Need[]) | undefined
  /** Whether the script log of an event about which all else is known is worth its requests. */
  readonly wantsLog: (event: StoredEvent, facts: Facts, signal: AbortSignal) => Promise<boolean>
  readonly now: () => number
}

/** The answers so far; `undefined` = not asked with success yet, null = QRS does not have it or refuses it. */
export interface Facts {
  task?: QrsTask | null
  app?: QrsApp | null
  owner?: AppOwner | null
  execution?: QrsExecution | null
  scriptLog?: ScriptLog | null
  /** No message is going to show the script log. */
  logSkipped?: boolean
  /** The status with which QRS settled a part that is null, or answered about one that is still open. */
  reasons?: Partial<Record<Need, string>>
  /** The executing node, known before the result is. */
  node?: string
}

export type Progress =
  | 'complete'
  | 'waiting'
  | 'taskNotFound'
  | 'appNotFound'
  | 'taskTypeUnknown'
  | 'noDistribution'
  | 'endUnknowable'

/** Without a file reference in a final result no script log is going to appear; this long we look all the same. */
const LOG_PATIENCE_MS = 15_000
/** A file that a node has just written may not have reached the central node: for this time "not found" may still change. */
const FILE_PATIENCE_MS = 6000
const NOT_FOUND = '404 Not Found'
/** The script log does not wait longer for the app and its owner, by which it may turn out to be of no use. */
const APP_PATIENCE_MS = 250

/**
 * One round of questions. Rejects with the error of QRS when one of them could not be asked; the facts found before and
 * beside it are kept. `onNews` is called while others are still open.
 */
export async function gatherFacts(
  deps: FactsDeps,
  event: StoredEvent,
  facts: Facts,
  signal: AbortSignal,
  onNews: () => void,
): Promise<Progress> {
  if (event.type === 'appReload') return gatherAppReload(deps, event, facts, signal)
  facts.task ??= await deps.cached.taskById(event.taskId, signal)
  if (facts.task === null) return 'taskNotFound'
  const type = taskTypeOf(facts.task.taskType)
  if (type === null) return 'taskTypeUnknown'
  if (event.announced === 'distribute' && type !== 'distribute') return 'noDistribution'

  const needs = wantedParts(deps, event, facts.task, type)
  onNews()
  const app = gatherApp(deps, event, facts, needs, signal).then(onNews)
  const task = facts.task
  const wantsLog = async () => {
    if (deps.alsoNeeds?.(task, event.outcome).includes('scriptLog')) return true
    await within(app, APP_PATIENCE_MS, () => undefined).catch(() => undefined)
    if (openParts(facts, needs).some((part) => part !== 'scriptLog')) return true
    return deps.wantsLog(event, facts, signal)
  }
  const rounds = await Promise.allSettled([
    app,
    gatherExecution(deps, event, facts, needs, signal, { onNews, wantsLog }),
  ])
  for (const round of rounds) if (round.status === 'rejected') throw round.reason
  return openParts(facts, needs).length === 0 ? 'complete' : 'waiting'
}

/** A reload without a task: only its app is asked for, which has to exist. */
async function gatherAppReload(
  deps: FactsDeps,
  event: StoredEvent,
  facts: Facts,
  signal: AbortSignal,
): Promise<Progress> {
  const needs = appReloadParts(deps, event)
  await gatherApp(deps, event, facts, needs, signal)
  const isGone = event.appId !== '' && facts.app === null && absentParts(facts, ['app']).length > 0
  if (isGone) return 'appNotFound'
  return openParts(facts, needs).length === 0 ? 'complete' : 'waiting'
}

/** The message does not name its app, so that the app is always read. There is no execution in QRS. */
function appReloadParts(deps: FactsDeps, event: StoredEvent): ReadonlySet<Need> {
  const needs = new Set<Need>(['app', ...deps.needs('appReload', event.outcome)])
  needs.delete('execution')
  needs.delete('scriptLog')
  return needs
}

/** The parts that are needed and may still come; null while the task of the event is not known. */
export function awaitedParts(deps: FactsDeps, event: StoredEvent, facts: Facts): ReadonlySet<Need> | null {
  if (event.type === 'appReload') return new Set(openParts(facts, appReloadParts(deps, event)))
  const type = taskTypeOf(facts.task?.taskType)
  if (!facts.task || type === null) return null
  return new Set(openParts(facts, wantedParts(deps, event, facts.task, type)))
}

function wantedParts(deps: FactsDeps, event: StoredEvent, task: QrsTask, type: TaskType): ReadonlySet<Need> {
  const needs = new Set([...deps.needs(type, event.outcome), ...(deps.alsoNeeds?.(task, event.outcome) ?? [])])
  if (isUnfinished(event.outcome)) {
    needs.delete('execution')
    needs.delete('scriptLog')
  }
  // Only the state of the execution shows how a distribution ended.
  if (event.announced === 'distribute') needs.add('execution')
  if (needs.has('scriptLog')) needs.add('execution')
  if (type !== 'reload') needs.delete('scriptLog')
  return needs
}

async function gatherApp(
  { cached }: FactsDeps,
  event: StoredEvent,
  facts: Facts,
  needs: ReadonlySet<Need>,
  signal: AbortSignal,
): Promise<void> {
  if (!needs.has('app') && !needs.has('owner')) return
  const appId = appOf(event, facts.task)?.id ?? ''
  if (facts.app === undefined) {
    facts.app = appId ? await answerOr(facts, 'app', () => cached.appById(appId, signal)) : null
  }
  if (!needs.has('owner') || facts.owner !== undefined) return
  const ownerId = facts.app?.owner?.id ?? ''
  facts.owner = ownerId ? await answerOr(facts, 'owner', () => cached.owner(ownerId, signal)) : null
  if (facts.owner || facts.reasons?.owner) return
  // Only the app names its owner.
  const reason = facts.reasons?.app ?? (isGuid(ownerId) ? NOT_FOUND : null)
  if (reason) settleWithout(facts, 'owner', reason)
}

/** Null, with the reason kept, when QRS refuses for good, or `isEnough`; errors that may pass are thrown, their status is kept. */
async function answerOr<T>(
  facts: Facts,
  part: Need,
  ask: () => Promise<T | null>,
  isEnough: () => boolean = () => false,
): Promise<T | null> {
  try {
    const found = await ask()
    // An answer before this one is over.
    const { [part]: _, ...others } = facts.reasons ?? {}
    facts.reasons = others
    return found
  } catch (error) {
    const answer = isDown(error) ? null : statusAnswer(error)
    const reason = definiteAnswer(error) ?? (isEnough() ? answer : null)
    if (reason !== null) {
      settleWithout(facts, part, reason)
      return null
    }
    if (answer !== null) facts.reasons = { ...facts.reasons, [part]: answer }
    throw error
  }
}

function settleWithout(facts: Facts, part: Need, reason: string): void {
  facts[part] = null
  facts.reasons = { ...facts.reasons, [part]: reason }
}

async function gatherExecution(
  { fresh, now }: FactsDeps,
  event: StoredEvent,
  facts: Facts,
  needs: ReadonlySet<Need>,
  signal: AbortSignal,
  { onNews, wantsLog }: { readonly onNews: () => void; readonly wantsLog: () => Promise<boolean> },
): Promise<void> {
  if (!needs.has('execution')) return
  const question = { ...event, endsLater: event.announced === 'distribute' }
  const waitedMs = () => now() - event.receivedAt
  // The reference to the script log is added later on some sites.
  const isBare = facts.execution?.fileReferenceID === ZERO_GUID && needs.has('scriptLog')
  if (facts.execution === undefined || (isBare && facts.scriptLog === undefined)) {
    const { result, node, refused } = await findExecution(fresh, question, signal)
    if (node) facts.node = node
    if (result) facts.execution = result
    else if (refused && !facts.execution && !question.endsLater && waitedMs() > FILE_PATIENCE_MS) {
      for (const part of ['execution', 'scriptLog'] as const) if (needs.has(part)) settleWithout(facts, part, refused)
    }
  }
  const result = facts.execution
  if (!result || !needs.has('scriptLog') || facts.scriptLog !== undefined) return

  onNews()
  const { id, fileReferenceID: reference } = result
  if (!isGuid(id) && !isGuid(reference)) {
    settleWithout(facts, 'scriptLog', `a malformed reference "${reference}"`)
    return
  }
  facts.logSkipped = !(await wantsLog())
  if (facts.logSkipped) return
  const readLog = () => fresh.scriptLog(event.taskId, result, signal)
  // An alert does not wait longer for a log that the repository fails to read.
  const text = await answerOr(facts, 'scriptLog', readLog, () => waitedMs() > LOG_PATIENCE_MS)
  if (text) facts.scriptLog = toScriptLog(text)
  else if (reference === ZERO_GUID && waitedMs() > LOG_PATIENCE_MS) facts.scriptLog = null
  else if (reference !== ZERO_GUID && facts.scriptLog === undefined && waitedMs() > FILE_PATIENCE_MS) {
    if (text === null) settleWithout(facts, 'scriptLog', NOT_FOUND)
    else facts.scriptLog = null
  }
}

/** Distributions and preloads carry their app in the task; the fields of their messages are not reliable. */
const APP_OF_TASK: readonly EventType[] = ['distribute', 'preload']

/** The app that the event is about, as far as known. */
export function appOf(
  event: { readonly type: EventType; readonly appId: string; readonly appName: string },
  task: QrsTask | null | undefined,
): { readonly id: string; readonly name: string } | null {
  const type = taskTypeOf(task?.taskType) ?? event.type
  const ofMessage = event.appId ? { id: event.appId, name: event.appName || task?.app?.name || '' } : null
  const ofTask = task?.app ?? null
  return APP_OF_TASK.includes(type) ? (ofTask ?? ofMessage) : (ofMessage ?? ofTask)
}

function toScriptLog(text: string): ScriptLog {
  return { lines: text.split(/\r?\n/), characters: text.length }
}

function openParts(facts: Facts, needs: ReadonlySet<Need>): readonly Need[] {
  return [...needs].filter((need) => facts[need] === undefined && !(need === 'scriptLog' && facts.logSkipped))
}

/** The outcome that the facts prove; else the announced one. A distribution without an end in time has failed. */
export function decidedOutcome(event: StoredEvent, facts: Facts, late: boolean): EventOutcome {
  if (event.announced !== 'distribute') return event.announced
  const decided = facts.execution && outcomeOfStatus(facts.execution.status)
  return decided ?? (late ? 'failed' : event.outcome)
}

/** The parts that an alert lacks. A part that a task of this kind never has is not missing. */
export function missingParts(event: StoredEvent, facts: Facts, needs: ReadonlySet<Need>): MissingPart[] {
  const isOfTask = event.type !== 'appReload'
  const missing: MissingPart[] = facts.task || !isOfTask ? [] : ['task']
  const type = taskTypeOf(facts.task?.taskType) ?? event.type
  const hasApp = event.appId !== '' || (isOfTask && (!facts.task || facts.task.app?.id !== undefined))
  const ended = isOfTask && !isUnfinished(event.outcome)
  const hasLog = ended && type === 'reload' && !facts.logSkipped
  const possible = { app: hasApp, owner: hasApp, execution: ended, scriptLog: hasLog }
  for (const need of ['app', 'owner', 'execution', 'scriptLog'] as const) {
    if (needs.has(need) && possible[need] && !facts[need]) missing.push(need)
  }
  return missing
}

/** No reason, or a status that says so. */
const GONE = /^(?:$|404|410)/

/** Those of the missing parts that Qlik Sense says it does not have; what it refuses to show may be there. */
export function absentParts(facts: Facts, missing: readonly MissingPart[]): MissingPart[] {
  return missing.filter((part) => facts[part] === null && GONE.test(reasonFor(facts, part) ?? ''))
}

/** The answers of QRS about the missing parts; undefined when it has settled none of them with a status. */
export function missingReasons(facts: Facts, missing: readonly MissingPart[]): MissingReasons | undefined {
  const known = missing.flatMap((part) => {
    const reason = reasonFor(facts, part)
    return reason ? [[part, reason] as const] : []
  })
  return known.length > 0 ? Object.fromEntries(known) : undefined
}

const reasonFor = (facts: Facts, part: MissingPart) => (part === 'task' ? undefined : facts.reasons?.[part])

/** The subject of an event in log lines: `task "Sales ETL"`, `app "Sales"`. */
export function subjectText(event: Pick<TaskEvent, 'type' | 'taskName' | 'appName' | 'appId'>): string {
  return event.type === 'appReload' ? `app "${event.appName || event.appId}"` : `task "${event.taskName}"`
}

// The result of exactly the execution that a message is about.

const NEVER_YEAR = '1753'
/** How far a stop time may lie from the arrival of the message when no execution id ties them together. */
const TOLERANCE_MS = 2 * 60_000

interface ExecutionQuestion {
  readonly taskId: string
  readonly executionId: string
  /** Milliseconds since 1970. */
  readonly receivedAt: number
  /** True when the message came while the execution went on, as for distributions. */
  readonly endsLater: boolean
}

interface ExecutionAnswer {
  /** The final result; null while QRS does not have it. */
  readonly result: QrsExecution | null
  /** The node that executes it, as far as QRS has named it. */
  readonly node: string
  /** The status with which QRS refused to look up results by execution id; null when it did not. */
  readonly refused: string | null
}

/**
 * Looks for the final result of an execution. Asks by execution id; where that finds nothing (no id sent, refused, or a
 * site that does not link them) the task's last result counts if it ended when the message came.
 */
async function findExecution(
  qrs: QrsClient,
  question: ExecutionQuestion,
  signal: AbortSignal,
): Promise<ExecutionAnswer> {
  let refused: string | null = null
  if (question.executionId) {
    try {
      const results = await qrs.executionResults(question.executionId, signal)
      // One result per retry: the last one is the one that was announced.
      const last = executionOf([...results].sort((a, b) => (a.startTime < b.startTime ? -1 : 1)))
      if (last) return { result: isFinal(last) ? last : null, node: last.executingNodeName, refused }
    } catch (error) {
      refused = definiteAnswer(error)
      if (refused === null) throw error
    }
  }
  const last = lastResultOf(await qrs.taskById(question.taskId, signal), question)
  return { result: last && isFinal(last) ? last : null, node: last?.executingNodeName ?? '', refused }
}

/** The task's last result unless it is known to belong to another execution. One that goes on is of this execution. */
export function lastResultOf(task: QrsTask | null | undefined, question: ExecutionQuestion): QrsExecutionResult | null {
  const last = task?.operational?.lastExecutionResult
  if (!last) return null
  return !isFinal(last) || isOfMessage(last, question) ? last : null
}

function isOfMessage(
  { startTime, stopTime }: QrsExecutionResult,
  { receivedAt, endsLater }: ExecutionQuestion,
): boolean {
  const after = Date.parse(stopTime) - receivedAt
  if (!endsLater) return Math.abs(after) <= TOLERANCE_MS
  return after >= -TOLERANCE_MS && Date.parse(startTime) <= receivedAt + TOLERANCE_MS
}

/** Those that never ran have no time of their end. */
const WITHOUT_END = [9, 12]

function isFinal(result: QrsExecutionResult): boolean {
  if (outcomeOfStatus(result.status) === null) return false
  return WITHOUT_END.includes(result.status) || !result.stopTime.startsWith(NEVER_YEAR)
}

/** `app, owner: not available in time; scriptLog: QRS answered 403 Forbidden` */
export function listOfMissing({ missingParts, absentParts, missingReasons }: TaskEvent): string {
  const why = (part: MissingPart) => {
    const reason = missingReasons?.[part]
    if (reason) return `QRS answered ${reason}`
    return absentParts?.includes(part) ? 'QRS has none' : 'not available in time'
  }
  const groups = Map.groupBy(missingParts, why)
  return [...groups].map(([reason, parts]) => `${parts.join(', ')}: ${reason}`).join('; ')
}
