/** The endpoints of executions, their script logs, and tasks. */
import { z } from 'zod'
import {
  integerParameter,
  keyCursorOf,
  keyCursorParameter,
  LIST_PARAMETERS,
  limitParameter,
  onlyParameters,
} from '../../http/endpoint/list-query.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer } from '../../http/endpoint/route.ts'
import { type Refusal, refusedWithCode } from '../../http/errors.ts'
import { isGuid } from '../../platform/uuid.ts'
import { QrsError } from '../../qlik/qrs/errors.ts'
import { reasonOf } from '../../qlik/qrs/failure.ts'
import type { ExecutionLookup } from './lookup.ts'
import { OUTCOMES, STATES, TASK_TYPES } from './status.ts'
import { readTaskFilter, type TaskList } from './tasks.ts'

export interface ExecutionRoutesDeps {
  readonly executions: ExecutionLookup
  readonly tasks: TaskList
  /** Aborts when Footman stops: calls that wait are answered with what is known. */
  readonly stopping: AbortSignal
}

const MAX_WAIT_SECONDS = 3600
const MAX_LINES = 1_000_000

const UNREACHABLE = { 502: 'Qlik Sense is unreachable or refuses.' }

const PARAMS = z.object({ executionId: z.string().describe('Execution id, or `queueId` of a queued start.') })

const text = z.string().nullable()
const ms = z.number().nullable()

const EXECUTION = z.object({
  executionId: z.string(),
  kind: z.enum(['task', 'appReload']),
  taskId: text,
  taskName: text,
  taskType: text,
  appId: text,
  appName: text,
  state: z.enum(STATES),
  outcome: z.enum(OUTCOMES).nullable().describe('Null until it is finished.'),
  statusNum: z.int().nullable(),
  statusText: z.string(),
  node: text,
  actor: z.string().describe('Who had Footman start it; absent when somebody else did.').optional(),
  triggeredAt: text,
  startedAt: text,
  stoppedAt: text,
  queueMs: ms,
  runMs: ms,
  attempts: z.int(),
  error: text,
  details: z.array(z.object({ at: z.string(), level: z.enum(['error', 'warn', 'info']), message: z.string() })),
})

const TASKS_QUERY = z.object({
  name: z
    .string()
    .describe('Glob over the name. Every filter may be given several times: any of the values.')
    .optional(),
  tag: z.string().optional(),
  customProperty: z.string().describe('`name:value`').optional(),
  type: z.enum(TASK_TYPES).optional(),
  outcome: z.enum(OUTCOMES).describe('Of the last run.').optional(),
  state: z.enum(STATES).describe('Of the last run.').optional(),
  app: z.string().describe('Glob over the name of the app.').optional(),
  stream: z.string().describe('Glob over the name of the stream.').optional(),
  enabled: z.enum(['true', 'false']).optional(),
  limit: LIST_PARAMETERS.limit,
  cursor: LIST_PARAMETERS.cursor,
})

const TASK = z.object({
  taskId: z.string(),
  taskName: z.string(),
  taskType: z.string(),
  enabled: z.boolean(),
  tags: z.array(z.string()),
  customProperties: z.array(z.object({ name: z.string(), value: z.string() })),
  appId: text,
  appName: text,
  stream: text,
  nextExecution: text,
  last: z
    .object({
      executionId: text,
      state: z.enum(STATES),
      outcome: z.enum(OUTCOMES).nullable(),
      stoppedAt: text,
      runMs: ms,
    })
    .nullable()
    .describe('Null when it never ran.'),
})

export function executionRoutes(deps: ExecutionRoutesDeps): ApiRoute[] {
  return [
    {
      methods: ['GET'],
      path: '/v4/execution/{executionId}',
      endpoint: 'senseStartTask',
      scope: 'task:read',
      summary: 'How an execution is doing',
      description:
        'Executions of tasks, reloads of apps begun over this API, and starts that wait in the start queue. What Qlik Sense says may be 10 seconds old, except at the end of `wait`.',
      schemas: {
        params: PARAMS,
        query: z.object({
          wait: z.int().min(0).max(3600).describe('Seconds that the answer may wait until it is final.').optional(),
        }),
        responses: { 200: EXECUTION.describe('The execution.') },
      },
      failures: UNREACHABLE,
      examples: [
        {
          name: 'failed-reload',
          params: { executionId: 'e5000000-0000-4000-8000-000000000001' },
          query: { wait: '1' },
          status: 200,
          answer: {
            executionId: 'e5000000-0000-4000-8000-000000000001',
            kind: 'task',
            ...{
              taskId: 'a8b4c123-def4-5678-9abc-def012345678',
              taskName: 'Financial Dashboard Reload',
              taskType: 'reload',
            },
            appId: 'a1000000-0000-4000-8000-000000000002',
            appName: 'Sales Dashboard',
            state: 'finished',
            outcome: 'failed',
            statusNum: 8,
            statusText: 'FinishedFail',
            node: 'qs-central',
            actor: 'key:erp',
            triggeredAt: '2026-03-02T06:00:01.120Z',
            startedAt: '2026-03-02T06:00:01.902Z',
            stoppedAt: '2026-03-02T06:03:11.482Z',
            queueMs: 782,
            runMs: 189580,
            attempts: 1,
            error: "Error: Cannot open file: 'lib://ERP/orders.qvd' (Native Path: \\\\fs01\\erp\\orders.qvd)",
            details: [{ at: '2026-03-02T06:00:01.120Z', level: 'info', message: 'Changing task state to Triggered' }],
          },
        },
      ],
      handle: (request) => execution(deps, request),
    },
    {
      methods: ['GET'],
      path: '/v4/execution/{executionId}/log',
      endpoint: null,
      scope: 'task:read',
      action: 'execution.log',
      audit: 'always',
      summary: 'The script log of an execution',
      schemas: {
        params: PARAMS,
        query: z.object({
          head: z.int().min(1).describe('Only the first lines.').optional(),
          tail: z.int().min(1).describe('Only the last lines.').optional(),
        }),
        responses: { 200: z.string().describe('The log.') },
      },
      failures: UNREACHABLE,
      examples: [
        {
          name: 'last-lines',
          params: { executionId: 'e5000000-0000-4000-8000-000000000001' },
          query: { tail: '2' },
          status: 200,
          answer:
            '20260302T070310.804+0100      Execution Failed\r\n20260302T070310.804+0100      Execution finished.\r\n',
        },
      ],
      handle: (request) => scriptLog(deps, request),
    },
    {
      methods: ['GET'],
      path: '/v4/tasks',
      endpoint: 'senseStartTask',
      scope: 'task:read',
      summary: 'List tasks',
      description:
        'Tasks of all types, sorted by name, with their last run. What Qlik Sense says may be 10 seconds old.',
      schemas: {
        query: TASKS_QUERY,
        responses: { 200: z.object({ tasks: z.array(TASK), nextCursor: text }).describe('The tasks.') },
      },
      failures: UNREACHABLE,
      examples: [
        {
          name: 'by-tag',
          query: { tag: 'hourly-reload', enabled: 'true' },
          status: 200,
          answer: {
            tasks: [
              {
                taskId: '70000000-0000-4000-8000-000000000001',
                taskName: 'Sales ETL hourly',
                taskType: 'reload',
                enabled: true,
                tags: ['hourly-reload'],
                customProperties: [{ name: 'department', value: 'finance' }],
                appId: 'a1000000-0000-4000-8000-000000000001',
                appName: 'Sales ETL',
                stream: null,
                nextExecution: '2026-03-02T07:00:00.000Z',
                last: {
                  executionId: 'e5000000-0000-4000-8000-000000000002',
                  state: 'finished',
                  outcome: 'success',
                  stoppedAt: '2026-03-02T06:00:03.500Z',
                  runMs: 1500,
                },
              },
            ],
            nextCursor: null,
          },
        },
      ],
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
  const found = await executions.get(id, signal).catch(repositoryFailure)
  if (!found) throw notFound(id)
  return jsonAnswer(200, found)
}

async function scriptLog({ executions }: ExecutionRoutesDeps, request: ApiRequest): Promise<Response> {
  onlyParameters(request.query, ['head', 'tail'])
  const id = executionIdOf(request)
  const head = integerParameter(request.query, 'head', 1, MAX_LINES)
  const tail = integerParameter(request.query, 'tail', 1, MAX_LINES)
  request.note({ target: [id] })
  const answer = await executions.scriptLog(id).catch(repositoryFailure)
  if (answer.found) {
    const headers = { 'content-type': 'text/plain; charset=utf-8' }
    return new Response(excerpt(answer.log, head, tail), { headers })
  }
  if (!answer.execution) throw notFound(id)
  throw refusedWithCode(404, 'LOG_NOT_AVAILABLE', 'Script log not available', answer.reason)
}

async function tasks({ tasks: list }: ExecutionRoutesDeps, { query }: ApiRequest): Promise<Response> {
  onlyParameters(query, Object.keys(TASKS_QUERY.shape))
  const filter = readTaskFilter(query)
  const page = await list.page(filter, keyCursorParameter(query, 2), limitParameter(query)).catch(repositoryFailure)
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

function repositoryFailure(error: unknown): never {
  if (!(error instanceof QrsError)) throw error
  throw refusedWithCode(
    502,
    'REPOSITORY_UNREACHABLE',
    'Repository unreachable',
    `QRS request failed: ${reasonOf(error)}`,
  )
}

/** The first and the last lines of a text with their line breaks; null = no such part. Both null = the whole text. */
export function excerpt(text: string, head: number | null, tail: number | null): string {
  if (head === null && tail === null) return text
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? []
  const first = lines.slice(0, head ?? 0)
  const rest = lines.slice(first.length)
  return [...first, ...(tail ? rest.slice(-tail) : [])].join('')
}
