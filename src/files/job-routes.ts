/** `/v4/filejobs`: operations that nobody waits for. */
import { z } from 'zod'
import { type Refusal, refusedWithCode } from '../http/endpoint/errors.ts'
import { keyCursorOf, keyCursorParameter, limitParameter, onlyParameters } from '../http/endpoint/list-query.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer } from '../http/endpoint/route.ts'
import * as about from './descriptions.ts'
import type { FileJobs } from './jobs/jobs.ts'

const PATH = '/v4/filejobs/{jobId}'

/** `endpoint`: the switch of an operation that is on. */
export function fileJobRoutes(jobs: FileJobs, { endpoint }: { readonly endpoint: string }): ApiRoute[] {
  const common = { endpoint, scope: 'file:write' } as const
  return [
    {
      ...common,
      methods: ['GET'],
      path: '/v4/filejobs',
      ...about.LIST_JOBS,
      schemas: { query: about.JOBS_QUERY, responses: { 200: about.JOBS.describe('The jobs.') } },
      handle: (request) => list(jobs, request),
    },
    {
      ...common,
      methods: ['GET'],
      path: PATH,
      ...about.READ_JOB,
      schemas: {
        params: about.JOB_PARAMS,
        responses: { 200: about.JOB.describe('The job.') },
      },
      handle({ params: { jobId = '' }, query }) {
        onlyParameters(query, [])
        const job = jobs.get(jobId)
        if (!job) throw notFound(jobId)
        return jsonAnswer(200, job)
      },
    },
    {
      ...common,
      methods: ['DELETE'],
      path: PATH,
      action: 'filejob.cancel',
      ...about.CANCEL_JOB,
      schemas: {
        params: about.JOB_PARAMS,
        responses: { 204: z.void().describe('Cancelled.') },
      },
      handle: (request) => cancel(jobs, request),
    },
  ]
}

function list(jobs: FileJobs, { query }: ApiRequest): Response {
  onlyParameters(query, Object.keys(about.JOBS_QUERY.shape))
  const limit = limitParameter(query)
  const [after] = keyCursorParameter(query, 1) ?? []
  const found = jobs.list().filter(({ jobId }) => after === undefined || jobId < after)
  const page = found.slice(0, limit)
  const last = page.at(-1)
  return jsonAnswer(200, {
    fileJobs: page,
    nextCursor: last && found.length > limit ? keyCursorOf([last.jobId]) : null,
  })
}

async function cancel(jobs: FileJobs, { params: { jobId = '' } }: ApiRequest): Promise<Response> {
  const cancelled = await jobs.cancel(jobId)
  if (cancelled === null) throw notFound(jobId)
  if (!cancelled) {
    throw refusedWithCode(409, 'NOT_CANCELLABLE', 'Not cancellable', `The file job ${jobId} has ended already.`)
  }
  return new Response(null, { status: 204 })
}

const notFound = (jobId: string): Refusal =>
  refusedWithCode(
    404,
    'JOB_NOT_FOUND',
    'File job not found',
    `There is no file job ${jobId}. Jobs are kept for an hour after their end.`,
  )
