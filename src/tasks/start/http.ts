/** The start endpoint and those of the start queue: what they take and answer, and waiting until the started tasks are final. */
import type { Answered, AnswerWith } from '../../http/endpoint/contract.ts'
import { type ApiRequest, type ApiRoute, type RouteExample, route } from '../../http/endpoint/route.ts'
import { isObject } from '../../http/endpoint/validation.ts'
import { refusal } from '../../http/errors.ts'
import { within } from '../../platform/deadline.ts'
import type { Logger } from '../../platform/types.ts'
import type { ExecutionSummary } from '../executions/contract.ts'
import type { ExecutionFollower, RunningStarts } from '../executions/types.ts'
import { auditNote, START_ACTION, startAnswer, startRefusal } from './answers.ts'
import { REMOVE_QUEUED, START_QUEUE, START_TASKS, startBody, startQuery } from './contract.ts'
import { readStart, SCOPE } from './parse.ts'
import type { StartPreview } from './preview.ts'
import type { StartQueue } from './queue.ts'
import type { Followed, QueuedTask, StartOutcome, StartTask, TaskResult } from './types.ts'

export interface StartTaskRoutesDeps {
  readonly start: StartTask
  /** Answers dry runs. */
  readonly preview: StartPreview
  /** Gets warnings about members of the body that look misspelt. */
  readonly log?: Logger
  /** Needed by calls that wait. */
  readonly executions?: ExecutionFollower
  /** Aborts when Footman stops: calls that wait are answered with what is known. */
  readonly stopping?: AbortSignal
  /** Whether the limit of the start queue is for all starts. */
  readonly limited?: boolean
}

const DASHBOARD = { taskId: 'a8b4c123-def4-5678-9abc-def012345678', taskName: 'Financial Dashboard Reload' }
const SALES_REPORT = { taskId: 'b9c5d234-efe5-6789-abcd-ef0123456789', taskName: 'Sales Report Update' }
const THREE_VALUES = { taskId: '70000000-0000-4000-8000-000000000012', taskName: 'Task with 3 values of one property' }

const started = (...tasks: readonly (typeof DASHBOARD)[]) => ({
  tasksStarted: tasks.map((one) => ({ ...one, status: 'started' })),
  tasksNotFound: [],
  totalTasksStarted: tasks.length,
})

const BY_BODY: readonly RouteExample[] = [
  {
    name: 'by-id',
    params: { taskId: '-' },
    body: { taskId: [DASHBOARD.taskId, SALES_REPORT.taskId] },
    status: 200,
    answer: started(DASHBOARD, SALES_REPORT),
  },
  {
    name: 'by-tag-and-property',
    params: { taskId: '-' },
    body: { tag: ['financial-reports'], customProperty: [{ name: 'taskGroup', value: 'financial-reports' }] },
    status: 200,
    answer: started(DASHBOARD, SALES_REPORT, THREE_VALUES),
  },
  {
    name: 'array-form',
    params: { taskId: '-' },
    query: { allTaskIdsMustExist: 'true' },
    body: [
      { type: 'starttaskid', payload: { taskId: SALES_REPORT.taskId } },
      { type: 'starttasktag', payload: { tag: 'financial-reports' } },
    ],
    status: 200,
    answer: {
      tasksId: { started: [SALES_REPORT], invalid: [], denied: [] },
      tasksTag: [DASHBOARD, SALES_REPORT],
      tasksTagDenied: [],
      tasksCP: [],
      tasksCPDenied: [],
    },
  },
]

const WAITING: RouteExample = {
  name: 'by-name-and-wait',
  params: { taskId: '-' },
  query: { wait: '60', maxConcurrent: '2' },
  body: { taskName: ['Financial Dash*'] },
  status: 200,
  answer: {
    tasksStarted: [
      {
        ...DASHBOARD,
        status: 'started',
        executionId: 'e5000001-0000-4000-8000-000000000000',
        execution: { state: 'finished', outcome: 'failed', statusText: 'FinishedFail', queueMs: 782, runMs: 189580 },
      },
    ],
    tasksNotFound: [],
    totalTasksStarted: 1,
  },
}

const BY_URL: RouteExample = {
  name: 'by-url',
  params: { taskId: DASHBOARD.taskId },
  body: {},
  status: 200,
  answer: started(DASHBOARD),
}

const DRY_RUN: RouteExample = {
  name: 'dry-run',
  params: { taskId: '-' },
  query: { dryRun: 'true' },
  body: { tag: ['financial-reports'] },
  status: 200,
  answer: {
    tasksStarted: [
      { ...DASHBOARD, status: 'would start' },
      { ...SALES_REPORT, status: 'would start' },
    ],
    tasksDenied: [],
    tasksDisabled: [],
    tasksRunning: [],
    tasksNotFound: [],
    follows: 1,
  },
}

const MALFORMED: RouteExample = {
  name: 'malformed-id',
  params: { taskId: '-' },
  body: { taskId: ['no-guid'] },
  status: 400,
  answer: { error: 'Invalid task ID format', details: 'Task ID must be a valid GUID' },
}

/** `-`, an empty segment and no segment at all mean that only the body selects tasks. */
const PATHS = ['/v4/reloadtask/{taskId}/start', '/v4/reloadtask//start', '/v4/reloadtask/start']

/** `POST|PUT /v4/reloadtask/{taskId}/start`: starts tasks by id, tag, custom property and name. */
export function startTaskRoutes(deps: StartTaskRoutesDeps): ApiRoute[] {
  return PATHS.flatMap((path) => {
    const named = path.includes('{taskId}')
    return (['POST', 'PUT'] as const).map((method) =>
      route({
        ...START_TASKS,
        method,
        path,
        switch: 'senseStartTask',
        butler: true,
        scope: SCOPE,
        action: START_ACTION,
        alone: (request) => !deps.limited && needsNoOther(request),
        summary: 'Start tasks by id, tag, custom property and name',
        description:
          'The body decides about the form of the answer. Everything is looked up before the first task is started; until then an error means that nothing was started or stored. A task is reported as started when Qlik Sense has confirmed it. A single item of the array form is taken as an array of one.\n\nWith `Idempotency-Key` a repeat of a call that was answered with 5xx, or not at all, starts what the first one has not: each start is noted before Qlik Sense is asked, and a task that shows a new run since is reported as started. While that cannot be seen yet, it is in `tasksFailed` with `perhapsStarted: true`; repeat the call once more.',
        params: named ? START_TASKS.params : undefined,
        // The body has two forms, of which each has its own errors, and they come before those of the query.
        query: undefined,
        body: undefined,
        readByHandler: () => ({ query: startQuery(), body: startBody() }),
        examples: [...(named ? [BY_URL] : []), ...BY_BODY, WAITING, DRY_RUN, MALFORMED],
        eachTime: isDryRun,
        handle: (request, answer) => handle(deps, request, answer),
      }),
    )
  })
}

/** Starts of other nodes count for limits, and pairs belong to all nodes. */
function needsNoOther({ query, body }: ApiRequest): boolean {
  const items = Array.isArray(body) ? body : [body]
  const hasPairs = items.some(
    (one) => isObject(one) && (one.keyValueStore !== undefined || one.type === 'keyvaluestore'),
  )
  return query.maxConcurrent === undefined && !hasPairs
}

const isDryRun = ({ query }: ApiRequest): boolean => query.dryRun === 'true'

type Answer = AnswerWith<ReturnType<typeof START_TASKS.answers>>

async function handle(deps: StartTaskRoutesDeps, request: ApiRequest, answer: Answer): Promise<Answered> {
  const { start, executions, log } = deps
  const { wanted, waitMs, dryRun, warnings } = readStart(request)
  if (dryRun) {
    request.note({ detail: 'dry run' })
    const preview = await deps.preview(wanted).catch((error: unknown) => {
      throw startRefusal(error, wanted)
    })
    return answer(200, preview)
  }
  for (const warning of warnings) log?.warn(`STARTTASK: rest request from ${wanted.requestedBy}: ${warning}`)
  // It stays the same when a call with an idempotency key is repeated.
  const id = request.onceId
  const outcome = await start(id == null ? wanted : { ...wanted, id }).catch((error: unknown) => {
    throw startRefusal(error, wanted)
  })
  request.note(auditNote(outcome))
  if (waitMs === null || !executions) return startAnswer(answer, outcome, wanted, { warnings })
  const followed = await waitForAll(outcome, executions, endOfWait(deps, request, waitMs))
  request.note(auditNote(followed.outcome))
  return startAnswer(answer, followed.outcome, wanted, { followed, warnings })
}

function endOfWait({ stopping }: StartTaskRoutesDeps, { signal }: ApiRequest, waitMs: number): AbortSignal {
  const signals = [signal, ...(stopping ? [stopping] : [])]
  return waitMs === 0 ? AbortSignal.abort() : AbortSignal.any([...signals, AbortSignal.timeout(waitMs)])
}

/** Resolves when everything is final, or when the signal aborts. A task without an execution id cannot be followed. */
async function waitForAll(
  outcome: StartOutcome,
  executions: ExecutionFollower,
  signal: AbortSignal,
): Promise<Followed> {
  const queued = outcome.queued ?? []
  const results = new Map<string, TaskResult>()
  const summaries = new Map<string, ExecutionSummary>()

  async function follow(taskId: string, executionId: string | null): Promise<void> {
    if (executionId !== null) summaries.set(taskId, await executions.untilFinal(executionId, signal))
  }

  async function followQueued({ taskId, settled }: QueuedTask): Promise<void> {
    const result = await unlessAborted(settled, signal)
    if (!result) return
    results.set(taskId, result)
    if ('executionId' in result) await follow(taskId, result.executionId)
  }

  await Promise.all([
    ...outcome.started.map(({ taskId, executionId }) => follow(taskId, executionId)),
    ...queued.map(followQueued),
  ])
  const now = advanced(outcome, results)
  const isFinal = ({ taskId }: { taskId: string }) => summaries.get(taskId)?.state === 'finished'
  return {
    outcome: now,
    executions: summaries,
    allFinal: (now.queued ?? []).length === 0 && now.started.every(isFinal),
  }
}

/** The outcome with what has become of the queued tasks. */
function advanced(outcome: StartOutcome, results: ReadonlyMap<string, TaskResult>): StartOutcome {
  const { queued = [], ...rest } = outcome
  const started = [...outcome.started]
  const failed = [...outcome.failed]
  for (const { taskId, taskName } of queued) {
    const result = results.get(taskId)
    if (result && 'error' in result) failed.push({ taskId, taskName, error: result.error })
    else if (result) started.push({ taskId, taskName, executionId: result.executionId })
  }
  const still = queued.filter(({ taskId }) => !results.has(taskId))
  return { ...rest, started, failed, ...(still.length > 0 && { queued: still }) }
}

/** Null when the signal was faster. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | null> {
  if (signal.aborted) return Promise.resolve(null)
  return new Promise((resolve) => {
    const abort = () => resolve(null)
    signal.addEventListener('abort', abort, { once: true })
    void promise.then((value) => {
      signal.removeEventListener('abort', abort)
      resolve(value)
    })
  })
}

export interface QueueRoutesDeps {
  readonly queue: StartQueue
  readonly running: Pick<RunningStarts, 'open' | 'refresh'>
}

/** Largest age of the states of running tasks. */
const CACHE_MS = 10_000
/** QRS may be away; the queue is shown all the same. */
const PATIENCE_MS = 2000

/** `/v4/startqueue`: what waits to be started. */
export function queueRoutes({ queue, running }: QueueRoutesDeps): ApiRoute[] {
  return [
    route({
      ...START_QUEUE,
      // The node that starts the tasks has it in memory.
      at: 'leader',
      switch: 'senseStartTask',
      scope: 'task:read',
      summary: 'List the tasks that wait to be started',
      description: 'First in, first out.',
      examples: [{ name: 'nothing-waits', status: 200, answer: { running: 0, maxConcurrent: 0, queue: [] } }],
      async handle(_, answer) {
        await within(running.refresh(CACHE_MS), PATIENCE_MS, () => undefined).catch(() => undefined)
        const entries = queue.list().map(({ id, taskId, taskName, actor, queuedAt }, index) => ({
          queueId: id,
          position: index + 1,
          taskId,
          taskName,
          actor,
          queuedAt: new Date(queuedAt).toISOString(),
        }))
        return answer(200, { running: running.open().length, maxConcurrent: queue.maxConcurrent, queue: entries })
      },
    }),
    route({
      ...REMOVE_QUEUED,
      switch: 'senseStartTask',
      scope: 'task:run',
      action: 'startqueue.delete',
      summary: 'Remove a task from the start queue',
      description: 'Its task is not started. `-` removes all entries.',
      examples: [{ name: 'all', params: { queueId: '-' }, status: 204 }],
      async handle({ params: { queueId }, note }, answer) {
        const ids = queueId === '-' ? queue.list().map(({ id }) => id) : [queueId]
        const targets = new Map(queue.list().map(({ id, taskId }) => [id, taskId]))
        const removed: string[] = []
        for (const id of ids) if (await queue.remove(id)) removed.push(targets.get(id.toLowerCase()) ?? id)
        note({ target: removed, detail: `${removed.length} removed` })
        if (queueId !== '-' && removed.length === 0) {
          const details = `The start queue has no entry with the id ${queueId}, or its task is just being started.`
          throw refusal('QUEUE_ENTRY_NOT_FOUND', details)
        }
        return answer(204)
      },
    }),
  ]
}
