/** `/v4/startqueue`: what waits to be started. */
import { z } from 'zod'
import { onlyParameters } from '../../http/endpoint/list-query.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer } from '../../http/endpoint/route.ts'
import { refusedWithCode } from '../../http/errors.ts'
import type { RunningStarts } from '../executions/types.ts'
import type { StartQueue } from './queue.ts'

export interface QueueRoutesDeps {
  readonly queue: StartQueue
  readonly running: Pick<RunningStarts, 'open' | 'refresh'>
}

const ENTRY = z.object({
  queueId: z.string(),
  position: z.int().describe('1 = next.'),
  taskId: z.string(),
  taskName: z.string(),
  actor: z.string().describe('Who asked for the start.'),
  queuedAt: z.string(),
})

const ANSWER = z.object({
  running: z.int().describe('Tasks that Footman has started and that are not final.'),
  maxConcurrent: z.int().describe('Most of them at a time; 0 = no limit.'),
  queue: z.array(ENTRY),
})

/** What QRS says about running tasks may be so old. */
const CACHE_MS = 10_000
/** QRS may be away; the queue is shown all the same. */
const PATIENCE_MS = 2000

export function queueRoutes(deps: QueueRoutesDeps): ApiRoute[] {
  const common = { endpoint: 'senseStartTask' } as const
  return [
    {
      ...common,
      methods: ['GET'],
      path: '/v4/startqueue',
      scope: 'task:read',
      summary: 'List the tasks that wait to be started',
      description: 'First in, first out.',
      schemas: { responses: { 200: ANSWER.describe('The queue.') } },
      examples: [{ name: 'nothing-waits', status: 200, answer: { running: 0, maxConcurrent: 0, queue: [] } }],
      handle: (request) => list(deps, request),
    },
    {
      ...common,
      methods: ['DELETE'],
      path: '/v4/startqueue/{queueId}',
      scope: 'task:run',
      action: 'startqueue.delete',
      summary: 'Remove a task from the start queue',
      description: 'Its task is not started. `-` removes all entries.',
      schemas: {
        params: z.object({ queueId: z.string().describe('An entry; `-` = all.') }),
        responses: { 204: z.void().describe('Removed.') },
      },
      examples: [{ name: 'all', params: { queueId: '-' }, status: 204 }],
      handle: (request) => remove(deps, request),
    },
  ]
}

async function list({ queue, running }: QueueRoutesDeps, { query }: ApiRequest): Promise<Response> {
  onlyParameters(query, [])
  const refreshed = running.refresh(CACHE_MS).catch(() => undefined)
  await Promise.race([refreshed, new Promise((done) => setTimeout(done, PATIENCE_MS).unref())])
  const entries = queue.list().map(({ id, taskId, taskName, actor, queuedAt }, index) => ({
    ...{ queueId: id, position: index + 1, taskId, taskName, actor },
    queuedAt: new Date(queuedAt).toISOString(),
  }))
  return jsonAnswer(200, { running: running.open().length, maxConcurrent: queue.maxConcurrent, queue: entries })
}

async function remove({ queue }: QueueRoutesDeps, request: ApiRequest): Promise<Response> {
  const { queueId = '' } = request.params
  const ids = queueId === '-' ? queue.list().map(({ id }) => id) : [queueId]
  const targets = new Map(queue.list().map(({ id, taskId }) => [id, taskId]))
  const removed: string[] = []
  for (const id of ids) if (await queue.remove(id)) removed.push(targets.get(id.toLowerCase()) ?? id)
  request.note({ target: removed, detail: `${removed.length} removed` })
  if (queueId !== '-' && removed.length === 0) {
    const details = `The start queue has no entry with the id ${queueId}, or its task is just being started.`
    throw refusedWithCode(404, 'QUEUE_ENTRY_NOT_FOUND', 'Queue entry not found', details)
  }
  return new Response(null, { status: 204 })
}
