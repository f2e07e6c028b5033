/** The endpoints of executions, their script logs, and tasks. */
import { DEFAULT_LIMIT, invalidQuery, keyCursorOf, keyInCursor } from '../../http/endpoint/list-query.ts'
import { type ApiRoute, route } from '../../http/endpoint/route.ts'
import { type Refusal, refusal } from '../../http/errors.ts'
import { isGuid } from '../../platform/uuid.ts'
import { QrsError } from '../../qlik/qrs/errors.ts'
import { reasonOf } from '../../qlik/qrs/failure.ts'
import { EXECUTION, EXECUTION_LOG, TASKS, type TasksQuery } from './contract.ts'
import type { ExecutionLookup } from './lookup.ts'
import type { TaskFilter, TaskList } from './tasks.ts'

export interface ExecutionRoutesDeps {
  readonly executions: ExecutionLookup
  readonly tasks: TaskList
  /** Ids of the tasks whose last run took longer than so many times the usual. */
  readonly slowerTasks: (factor: number) => Promise<readonly string[]>
  /** Aborts when Footman stops: calls that wait are answered with what is known. */
  readonly stopping: AbortSignal
}

export function executionRoutes(deps: ExecutionRoutesDeps): ApiRoute[] {
  return [readExecution(deps), readLog(deps), listTasks(deps)]
}

function readExecution({ executions, stopping }: ExecutionRoutesDeps): ApiRoute {
  return route({
    ...EXECUTION,
    switch: 'senseStartTask',
    scope: 'task:read',
    summary: 'How an execution is doing',
    description:
      'Executions of tasks, reloads of apps begun over this API, and starts that wait in the start queue. Data of Qlik Sense may be 10 seconds old, except at the end of `wait`.',
    examples: [
      {
        name: 'failed-reload',
        params: { executionId: 'e5000001-0000-4000-8000-000000000000' },
        query: { wait: '1' },
        status: 200,
        answer: {
          executionId: 'e5000001-0000-4000-8000-000000000000',
          kind: 'task',
          taskId: 'a8b4c123-def4-5678-9abc-def012345678',
          taskName: 'Financial Dashboard Reload',
          taskType: 'reload',
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
    async handle({ params, query: { wait = 0 }, signal }, answer) {
      const id = executionIdOf(params.executionId)
      const waited =
        wait === 0 ? AbortSignal.abort() : AbortSignal.any([signal, stopping, AbortSignal.timeout(wait * 1000)])
      const found = await executions.get(id, waited).catch(repositoryFailure)
      if (!found) throw notFound(id)
      return answer(200, found)
    },
  })
}

function readLog({ executions }: ExecutionRoutesDeps): ApiRoute {
  return route({
    ...EXECUTION_LOG,
    scope: 'task:read',
    action: 'execution.log',
    audited: 'always',
    summary: 'The script log of an execution',
    description: 'The header `X-Log-Lines` has the number of lines of the whole log.',
    examples: [
      {
        name: 'last-lines',
        params: { executionId: 'e5000001-0000-4000-8000-000000000000' },
        query: { tail: '2' },
        status: 200,
        answer:
          '20260302T070310.804+0100      Execution Failed\r\n20260302T070310.804+0100      Execution finished.\r\n',
      },
    ],
    async handle({ params, query: { head, tail, fromLine }, note }, answer) {
      const id = executionIdOf(params.executionId)
      note({ target: [id] })
      const found = await executions.scriptLog(id).catch(repositoryFailure)
      if (found.found) {
        const lines = linesOf(found.log)
        const rest = fromLine === undefined ? found.log : lines.slice(fromLine - 1).join('')
        return answer(200, excerpt(rest, head, tail), { 'x-log-lines': String(lines.length) })
      }
      if (!found.execution) throw notFound(id)
      throw refusal('LOG_NOT_AVAILABLE', found.reason)
    },
  })
}

function listTasks({ tasks, slowerTasks }: ExecutionRoutesDeps): ApiRoute {
  return route({
    ...TASKS,
    switch: 'senseStartTask',
    scope: 'task:read',
    summary: 'List tasks',
    description: 'Tasks of all types, sorted by name, with their last run. Data of Qlik Sense may be 10 seconds old.',
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
                executionId: 'e5000002-0000-4000-8000-000000000000',
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
    async handle({ query }, answer) {
      const { limit = DEFAULT_LIMIT, cursor } = query
      const filter = await withSlower(readTaskFilter(query), query.slower, slowerTasks)
      const page = await tasks.page(filter, keyInCursor(cursor, 2), limit).catch(repositoryFailure)
      return answer(200, { tasks: page.tasks, nextCursor: page.next && keyCursorOf(page.next) })
    },
  })
}

/** Throws 400 `VALIDATION`. */
export function readTaskFilter(query: TasksQuery): TaskFilter {
  const { name, tag, customProperty, type, outcome, state, app, stream, enabled, taskId, appId } = query
  return {
    taskId: taskId?.map((id) => id.toLowerCase()) ?? null,
    appId: appId?.map((id) => id.toLowerCase()) ?? null,
    name: name ?? null,
    tag: tag ?? null,
    customProperty: customProperty?.map(propertyOf) ?? null,
    type: type ?? null,
    outcome: outcome ?? null,
    state: state ?? null,
    app: app ?? null,
    stream: stream ?? null,
    // Both words together do not limit.
    enabled: !enabled || new Set(enabled).size > 1 ? null : enabled[0] === 'true',
  }
}

async function withSlower(
  filter: TaskFilter,
  factor: string | undefined,
  slowerTasks: ExecutionRoutesDeps['slowerTasks'],
): Promise<TaskFilter> {
  if (factor === undefined) return filter
  const slow = await slowerTasks(Number(factor))
  return { ...filter, taskId: filter.taskId === null ? slow : filter.taskId.filter((id) => slow.includes(id)) }
}

function propertyOf(text: string): { name: string; value: string } {
  const colon = text.indexOf(':')
  if (colon > 0) return { name: text.slice(0, colon), value: text.slice(colon + 1) }
  throw invalidQuery([{ path: 'customProperty', message: 'must be name:value' }])
}

function executionIdOf(executionId: string): string {
  if (isGuid(executionId)) return executionId.toLowerCase()
  throw refusal('INVALID_ID', 'An execution ID is a GUID.', { error: 'Invalid execution ID' })
}

function notFound(id: string): Refusal {
  const details = `Qlik Sense and Footman know no execution with the id ${id}. Qlik Sense removes old executions.`
  return refusal('EXECUTION_NOT_FOUND', details)
}

function repositoryFailure(error: unknown): never {
  if (!(error instanceof QrsError)) throw error
  throw refusal('REPOSITORY_UNREACHABLE', `QRS request failed: ${reasonOf(error)}`)
}

/** The first and the last lines of a text with their line breaks; without numbers, the whole text. */
export function excerpt(text: string, head: number | undefined, tail: number | undefined): string {
  if (head === undefined && tail === undefined) return text
  const lines = linesOf(text)
  const first = lines.slice(0, head ?? 0)
  const rest = lines.slice(first.length)
  return [...first, ...(tail ? rest.slice(-tail) : [])].join('')
}

/** Lines with their line breaks. */
const linesOf = (text: string): readonly string[] => text.match(/[^\n]*\n|[^\n]+$/g) ?? []
