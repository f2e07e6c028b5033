/** `/v4/execution/{executionId}`, its script log, and `/v4/tasks`. */
import { type Refusal, refusedWithCode } from '../../http/endpoint/errors.ts'
import {
  integerParameter,
  keyCursorOf,
  keyCursorParameter,
  limitParameter,
  onlyParameters,
} from '../../http/endpoint/list-query.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer } from '../../http/endpoint/route.ts'
import { isGuid } from '../../platform/uuid.ts'
import { QrsError } from '../../qlik/qrs/errors.ts'
import { reasonOf } from '../../qlik/qrs/failure.ts'
import { EXECUTION_DESCRIPTION, LOG_DESCRIPTION, TASKS_DESCRIPTION, TASKS_PARAMETERS } from './description.ts'
import type { Executions } from './executions.ts'
import { excerpt } from './script-error.ts'
import { readTaskFilter } from './task-query.ts'
import type { TaskList } from './tasks.ts'

export interface ExecutionRoutesDeps {
  readonly executions: Executions
  readonly tasks: TaskList
  /** Aborts when Footman stops: calls that wait are answered with what is known. */
  readonly stopping: AbortSignal
}

const MAX_WAIT_SECONDS = 3600
const MAX_LINES = 1_000_000

export function executionRoutes(deps: ExecutionRoutesDeps): ApiRoute[] {
  return [
    {
      methods: ['GET'],
      path: '/v4/execution/{executionId}',
      endpoint: 'senseStartTask',
      scope: 'task:read',
      ...EXECUTION_DESCRIPTION,
      handle: (request) => execution(deps, request),
    },
    {
      methods: ['GET'],
      path: '/v4/execution/{executionId}/log',
      endpoint: null,
      scope: 'task:read',
      action: 'execution.log',
      audit: 'always',
      ...LOG_DESCRIPTION,
      handle: (request) => scriptLog(deps, request),
    },
    {
      methods: ['GET'],
      path: '/v4/tasks',
      endpoint: 'senseStartTask',
      scope: 'task:read',
      ...TASKS_DESCRIPTION,
      handle: (request) => tasks(deps, request),
    },
  ]
}

async function execution({ executions, stopping }: ExecutionRoutesDeps, request: ApiRequest): Promise<Response> {
  onlyParameters(request.query, ['wait'])
  const id = executionIdOf(request)
  const seconds = integerParameter(request.query, 'wait', 0, MAX_WAIT_SECONDS) ?? 0
  const signal =
    seconds === 0
      ? AbortSignal.abort()
      : AbortSignal.any([request.signal, stopping, AbortSignal.timeout(seconds * 1000)])
  const found = await executions.get(id, signal).catch(repositoryTrouble)
  if (!found) throw notFound(id)
  return jsonAnswer(200, found)
}

async function scriptLog({ executions }: ExecutionRoutesDeps, request: ApiRequest): Promise<Response> {
  onlyParameters(request.query, ['head', 'tail'])
  const id = executionIdOf(request)
  const head = integerParameter(request.query, 'head', 1, MAX_LINES)
  const tail = integerParameter(request.query, 'tail', 1, MAX_LINES)
  request.note({ target: [id] })
  const answer = await executions.scriptLog(id).catch(repositoryTrouble)
  if (answer.found) {
    const headers = { 'content-type': 'text/plain; charset=utf-8' }
    return new Response(excerpt(answer.log, head, tail), { headers })
  }
  if (!answer.execution) throw notFound(id)
  throw refusedWithCode(404, 'LOG_NOT_AVAILABLE', 'Script log not available', answer.reason)
}

async function tasks({ tasks: list }: ExecutionRoutesDeps, { query }: ApiRequest): Promise<Response> {
  onlyParameters(query, TASKS_PARAMETERS)
  const filter = readTaskFilter(query)
  const page = await list.page(filter, keyCursorParameter(query, 2), limitParameter(query)).catch(repositoryTrouble)
  return jsonAnswer(200, { tasks: page.tasks, nextCursor: page.next && keyCursorOf(page.next) })
}

function executionIdOf({ params }: ApiRequest): string {
  const { executionId = '' } = params
  if (isGuid(executionId)) return executionId.toLowerCase()
  throw refusedWithCode(400, 'INVALID_ID', 'Invalid execution ID', 'An execution ID is a GUID.')
}

function notFound(id: string): Refusal {
  const details = `Qlik Sense and Footman know no execution with the id ${id}. Qlik Sense removes old executions.`
  return refusedWithCode(404, 'EXECUTION_NOT_FOUND', 'Execution not found', details)
}

function repositoryTrouble(error: unknown): never {
  if (!(error instanceof QrsError)) throw error
  throw refusedWithCode(
    502,
    'REPOSITORY_UNREACHABLE',
    'Repository unreachable',
    `QRS request failed: ${reasonOf(error)}`,
  )
}
