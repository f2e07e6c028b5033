/** The repository client: every question that Footman asks QRS about tasks, apps, users and executions. */
import type { Logger } from '../../platform/types.ts'
import { isGuid } from '../../platform/uuid.ts'
import { completeTaskIds, completeTaskList } from './complete-list.ts'
import { createCustomPropertyReader } from './custom-properties.ts'
import { QrsError } from './errors.ts'
import { byStartTime, createExecutionReader, createSiteReader, IDS_PER_REQUEST } from './executions.ts'
import { guid, or } from './filter.ts'
import { parseJson, toApp, toExecutionResult, toOwner, toTask, toValue } from './normalise.ts'
import { createScriptLogFetcher } from './script-log.ts'
import { createQrsTransport, type QrsObserver, type QrsSettings, type QrsTransport } from './transport.ts'
import { createTriggerReader, type TriggerReader } from './triggers.ts'
import {
  type ChainLink,
  type ChainReader,
  type CustomPropertyReader,
  type ExecutionReader,
  type QrsClient,
  type QrsNamed,
  type SiteReader,
  type StartResult,
  ZERO_GUID,
} from './types.ts'

/** `transport` may be shared with callers that need other endpoints; without it the client makes and owns one. */
export function createQrsClient(
  deps: { log: Logger; transport?: QrsTransport; observe?: QrsObserver },
  settings: QrsSettings,
): QrsClient & ExecutionReader & SiteReader & ChainReader & CustomPropertyReader & TriggerReader {
  const log = deps.log.child('qrs')
  const transport =
    deps.transport ?? createQrsTransport({ log, ...(deps.observe && { observe: deps.observe }) }, settings)

  const list = (path: string, filter: string, signal?: AbortSignal) =>
    transport.list({ path, query: { filter }, signal })

  /** The first element of a list filtered by id; ids that are none belong to nothing. */
  async function byId(path: string, id: string, signal?: AbortSignal): Promise<unknown> {
    return isGuid(id) ? (await list(path, guid('id', id), signal))[0] : undefined
  }

  /** A server that refuses a filter of many ids is asked for one after the other. */
  async function existing(path: string, ids: readonly string[], signal?: AbortSignal): Promise<readonly unknown[]> {
    try {
      return await list(path, or(...ids.map((id) => guid('id', id))), signal)
    } catch (error) {
      if (ids.length === 1 || !(error instanceof QrsError) || error.status !== 400) throw error
      log.verbose(`QRS: a filter of ${ids.length} ids is refused, asking for each one`)
      const found: unknown[] = []
      for (const id of ids) found.push(...(await list(path, guid('id', id), signal)))
      return found
    }
  }

  /** Those of the ids that exist, lower case. */
  async function existingIds(path: string, ids: readonly string[], signal?: AbortSignal): Promise<ReadonlySet<string>> {
    const wanted = [...new Set(ids.filter(isGuid).map((id) => id.toLowerCase()))]
    const found = new Set<string>()
    for (let from = 0; from < wanted.length; from += IDS_PER_REQUEST) {
      for (const entity of await existing(path, wanted.slice(from, from + IDS_PER_REQUEST), signal)) {
        found.add(String((entity as { id?: unknown } | null)?.id).toLowerCase())
      }
    }
    return found
  }

  return {
    ...createExecutionReader({ transport, log }),
    ...createCustomPropertyReader({ transport }),
    ...createSiteReader({ transport, log }),
    ...createTriggerReader({ transport }),
    taskById: async (taskId, signal) => toTask(await byId('task/full', taskId, signal)),
    async tasks(filter, signal) {
      return (await completeTaskList({ transport, log }, filter, signal)).flatMap((task) => toTask(task) ?? [])
    },
    existingTasks: (taskIds, signal) => existingIds('task', taskIds, signal),
    existingApps: (appIds, signal) => existingIds('app', appIds, signal),
    allTaskIds: (signal) => completeTaskIds(transport, signal),
    appById: async (appId, signal) => toApp(await byId('app/full', appId, signal)),
    async owner(userId, signal) {
      if (!isGuid(userId)) return null
      const path = `user/${userId}`
      const response = await transport.request({ path, expected: [200, 404], signal })
      if (response.status === 404) return null
      const owner = toOwner(parseJson(response.text()))
      if (!owner) throw transport.unusable({ path }, `a user was expected, not ${response.text().slice(0, 100)}`)
      return owner
    },
    async users(filter, signal) {
      const users = await transport.list({ path: 'user/full', query: { filter }, signal })
      return users.flatMap((user) => ((user as { inactive?: unknown }).inactive === true ? [] : (toOwner(user) ?? [])))
    },
    async executionResults(executionId, signal) {
      if (!isGuid(executionId)) return []
      const found = await list('executionresult/full', guid('executionID', executionId), signal)
      return found.flatMap((result) => toExecutionResult(result) ?? []).sort(byStartTime)
    },
    scriptLog: createScriptLogFetcher(transport),
    startTask: (taskId, signal) => startTask(transport, taskId, signal),
    async chainLinks(signal) {
      return (await transport.list({ path: 'compositeevent/full', signal })).flatMap(linksOf)
    },
    async ping(signal) {
      await transport.json({ path: 'about', signal })
    },
    close: transport.close,
  }
}

const refused = (reason: string): StartResult => ({ started: false, reason })

/**
 * Starts a task; an execution id proves the start where the server can give one. The request is never repeated: a start
 * without an answer may have been carried out.
 */
async function startTask(transport: QrsTransport, taskId: string, signal?: AbortSignal): Promise<StartResult> {
  if (!isGuid(taskId)) return refused('the task id is not a GUID')
  const request = {
    method: 'POST',
    path: `task/${taskId}/start/synchronous`,
    body: {},
    expected: [200, 201, 404, 405],
    signal,
  } as const
  const response = await transport.request(request)
  if (response.status === 404 || response.status === 405) return startWithoutProof(transport, taskId, signal)
  const executionId = readExecutionId(response.text())
  if (executionId === null) throw transport.unusable(request, 'the answer holds no execution id')
  if (executionId === ZERO_GUID) {
    return refused('Qlik Sense did not start the task (disabled, already running, or no scheduler is available)')
  }
  return { started: true, executionId }
}

/** For servers that lack the synchronous form; it also reports an unknown task. */
async function startWithoutProof(transport: QrsTransport, taskId: string, signal?: AbortSignal): Promise<StartResult> {
  const path = `task/${taskId}/start`
  const expected = [200, 201, 204, 404]
  const response = await transport.request({ method: 'POST', path, body: {}, expected, signal })
  return response.status === 404 ? refused('the task does not exist') : { started: true, executionId: null }
}

/** `{"value": "<guid>"}`, or the bare GUID in quotes. */
function readExecutionId(text: string): string | null {
  try {
    const json: unknown = JSON.parse(text)
    const id = typeof json === 'string' ? json : toValue(json)
    return id !== null && isGuid(id) ? id : null
  } catch {
    return null
  }
}

/** `ruleState` of a rule that waits for the success of its task. */
const TASK_SUCCESSFUL = 1
const TASKS = ['reloadTask', 'externalProgramTask', 'userSyncTask'] as const

/** Links between tasks of one composite event: one per rule; none of an event that is disabled or incomplete. */
function linksOf(event: unknown): ChainLink[] {
  if (!isRecord(event) || event.enabled === false) return []
  const task = taskOfEvent(event)
  if (!task || !Array.isArray(event.compositeRules)) return []
  return event.compositeRules.flatMap((rule: unknown) => {
    const after = isRecord(rule) && rule.ruleState === TASK_SUCCESSFUL ? taskOfEvent(rule) : null
    return after ? [{ after, task }] : []
  })
}

function taskOfEvent(holder: Record<string, unknown>): QrsNamed | null {
  for (const key of TASKS) {
    const task = holder[key]
    if (isRecord(task) && typeof task.id === 'string') {
      return { id: task.id.toLowerCase(), name: typeof task.name === 'string' ? task.name : '' }
    }
  }
  return null
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
