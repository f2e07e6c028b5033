/** Endpoints of runs: start, plan, list, documents, deliveries, log, cancel, resend. */
import { z } from 'zod'
import { NO_QUERY, queryField } from '../../http/endpoint/list-query.ts'
import { type ApiRoute, jsonAnswer, looseRoute as route } from '../../http/endpoint/route.ts'
import { refusal } from '../../http/errors.ts'
import type { Blobs } from '../../platform/blobs.ts'
import { once } from '../../platform/once.ts'
import { isGuid } from '../../platform/uuid.ts'
import { addressProblem } from '../addresses.ts'
import { OUTCOMES } from '../entities/task.ts'
import { checkedWith, refuseIssues } from '../issues.ts'
import { countsOf, type DeliveryRecord, type Ledger, type RunRecord, runOf } from '../runs/ledger.ts'
import type { RunLog } from '../runs/log.ts'
import type { ResendAnswer } from '../runs/resend.ts'
import { invalidId } from './common.ts'
import { fileAnswer } from './file.ts'
import { type StartRouteDeps, startRoutes, TASK_PARAMS, taskById } from './starts.ts'

export interface RunRouteDeps extends StartRouteDeps {
  readonly ledger: Ledger
  readonly runLog: RunLog
  readonly blobs: Pick<Blobs, 'path'>
}

const RUNS_QUERY = () =>
  z.object({
    taskId: queryField.text().optional(),
    project: queryField.text().optional(),
    outcome: queryField.word(OUTCOMES).optional(),
    state: queryField.word(['queued', 'running', 'delivering', 'finished']).optional(),
    limit: queryField.integer(1, 500).optional(),
    offset: queryField.integer(0, 10_000_000).optional(),
  })
const RUN = () =>
  z
    .looseObject({ id: z.string(), taskId: z.string(), state: z.string(), outcome: z.string().nullable() })
    .describe('A run.')
const RUN_PARAMS = once(() => z.object({ runId: z.string().describe('Id of the run.') }))

export function runRoutes(deps: RunRouteDeps): ApiRoute[] {
  return [
    ...startRoutes(deps),
    listOfTask(deps),
    list(deps),
    read(deps),
    readLog(deps),
    listDeliveries(deps),
    listDocuments(deps),
    download(deps),
    cancel(deps),
    resend(deps),
  ]
}

function runById(runId: string, { ledger }: Pick<RunRouteDeps, 'ledger'>): RunRecord {
  if (!isGuid(runId)) throw invalidId('run')
  const run = ledger.run(runId.toLowerCase())
  if (!run) throw refusal('RUN_NOT_FOUND', runId)
  return run
}

function shown(run: RunRecord, full: boolean, { ledger }: Pick<RunRouteDeps, 'ledger'>) {
  const events = ledger.events(run.id)
  const counts =
    run.counts ?? countsOf(run.sealed ? ledger.documents(run).length : 0, ledger.deliveries(run.id), events)
  return runOf(run, full ? events : [], counts)
}

function listOfTask(deps: RunRouteDeps): ApiRoute {
  return route({
    method: 'GET',
    path: '/v4/reporttask/{taskId}/runs',
    scope: 'report:read',
    summary: 'List the runs of a report task, newest first',
    params: TASK_PARAMS,
    query: () => RUNS_QUERY().omit({ taskId: true, project: true }),
    answers: () => ({ 200: z.looseObject({ runs: z.array(RUN()), total: z.int() }) }),
    handle: ({ params, query }) => listAnswer({ ...query, taskId: taskById(params.taskId, deps).id }, deps),
  })
}

function list(deps: RunRouteDeps): ApiRoute {
  return route({
    method: 'GET',
    path: '/v4/reportrun',
    scope: 'report:read',
    summary: 'List runs of report tasks, newest first',
    query: RUNS_QUERY,
    answers: () => ({ 200: z.looseObject({ runs: z.array(RUN()), total: z.int() }) }),
    handle: ({ query }) => listAnswer(query, deps),
  })
}

function listAnswer(query: z.output<ReturnType<typeof RUNS_QUERY>>, deps: RunRouteDeps): Response {
  const { limit = 100, offset = 0, taskId, project, outcome, state } = query
  const where = {
    ...(taskId && { taskId: taskId.toLowerCase() }),
    ...(project && { project }),
    ...(outcome && { outcome }),
    ...(state && { state }),
  }
  const { runs, total } = deps.ledger.list({ ...where, limit, offset })
  return jsonAnswer(200, { runs: runs.map((run) => ({ ...shown(run, false, deps), events: undefined })), total })
}

function read(deps: RunRouteDeps): ApiRoute {
  return route({
    method: 'GET',
    path: '/v4/reportrun/{runId}',
    scope: 'report:read',
    summary: 'Show a run with its events',
    params: RUN_PARAMS,
    query: () =>
      z.object({
        definition: queryField.text().describe('`1` adds the definitions that the run used.').optional(),
      }),
    answers: () => ({ 200: RUN() }),
    handle: ({ params, query }) => {
      const run = runById(params.runId, deps)
      const definition = query.definition === '1' ? { definition: deps.ledger.definition(run.id) } : {}
      return jsonAnswer(200, { ...shown(run, true, deps), ...definition })
    },
  })
}

function readLog(deps: RunRouteDeps): ApiRoute {
  return route({
    method: 'GET',
    path: '/v4/reportrun/{runId}/log',
    scope: 'report:read',
    summary: 'The log of a run',
    params: RUN_PARAMS,
    query: NO_QUERY,
    answers: () => ({ 200: z.string() }),
    handle: async ({ params }) =>
      new Response(await deps.runLog.read(runById(params.runId, deps).id), {
        headers: { 'content-type': 'text/plain; charset=utf-8' },
      }),
  })
}

const DELIVERY_QUERY = () =>
  z.object({
    state: queryField.word(['planned', 'sending', 'sent', 'retry', 'failed', 'unknown', 'skipped']).optional(),
  })

function listDeliveries(deps: RunRouteDeps): ApiRoute {
  return route({
    method: 'GET',
    path: '/v4/reportrun/{runId}/deliveries',
    scope: 'report:read',
    summary: 'List the deliveries of a run',
    params: RUN_PARAMS,
    query: DELIVERY_QUERY,
    answers: () => ({
      200: z.looseObject({ deliveries: z.array(z.looseObject({ id: z.string() })), total: z.int() }),
    }),
    handle: ({ params, query }) => {
      const found = deps.ledger
        .deliveries(runById(params.runId, deps).id)
        .filter((one) => !query.state || one.state === query.state)
      return jsonAnswer(200, { deliveries: found.map(deliveryAnswer), total: found.length })
    },
  })
}

function deliveryAnswer({ id, channel, target, documents, state, attempts, nextAt, lastError }: DeliveryRecord) {
  const nextAttemptAt = nextAt === null ? null : new Date(nextAt).toISOString()
  return { id, channel, target, documents, state, attempts, nextAttemptAt, lastError }
}

function listDocuments(deps: RunRouteDeps): ApiRoute {
  return route({
    method: 'GET',
    path: '/v4/reportrun/{runId}/documents',
    scope: 'report:read',
    summary: 'List the documents of a run',
    params: RUN_PARAMS,
    query: NO_QUERY,
    answers: () => ({
      200: z.looseObject({ documents: z.array(z.looseObject({ id: z.string() })), total: z.int() }),
    }),
    handle: ({ params }) => {
      const documents = deps.ledger
        .documents(runById(params.runId, deps))
        .map(({ id, report, fileName, format, bytes, sha256, cycle, variant }) => ({
          id,
          report,
          fileName,
          format,
          bytes,
          sha256,
          variant,
          cycle: Object.fromEntries(cycle.map(({ field, value }) => [field, value.text])),
        }))
      return jsonAnswer(200, { documents, total: documents.length })
    },
  })
}

function download(deps: RunRouteDeps): ApiRoute {
  return route({
    method: 'GET',
    path: '/v4/reportrun/{runId}/documents/{documentId}',
    scope: 'report:read',
    action: 'report.document',
    audited: 'always',
    summary: 'Download a document of a run',
    params: () => RUN_PARAMS().extend({ documentId: z.string() }),
    query: NO_QUERY,
    answers: () => ({ 200: z.string().describe('The file.') }),
    handle: async ({ params, note }) => {
      const run = runById(params.runId, deps)
      const document = deps.ledger.documents(run).find(({ id }) => id === params.documentId.toLowerCase())
      if (!document) throw refusal('DOCUMENT_GONE', params.documentId)
      note({ target: [document.fileName] })
      return fileAnswer(deps.blobs.path(document.sha256), document)
    },
  })
}

function cancel(deps: RunRouteDeps): ApiRoute {
  return route({
    method: ['POST', 'PUT'],
    path: '/v4/reportrun/{runId}/cancel',
    scope: 'report:run',
    action: 'report.cancel',
    summary: 'Cancel a run',
    description: 'The step under way ends; what is not sent yet is left out. Deliveries that were sent stay.',
    params: RUN_PARAMS,
    query: NO_QUERY,
    body: 'ignored',
    answers: () => ({
      202: z.looseObject({ runId: z.string(), state: z.string(), message: z.string() }),
      409: 'The run has ended.',
    }),
    handle: async ({ params, note }) => {
      const run = runById(params.runId, deps)
      note({ target: [run.taskId, run.id] })
      if (!(await deps.runner.cancel(run.id)))
        throw refusal('RUN_NOT_CANCELLABLE', `the run has ended with ${run.outcome}`)
      return jsonAnswer(202, { runId: run.id, state: run.state, message: 'Cancel requested' })
    },
  })
}

const RESEND = () =>
  z.strictObject({
    states: z
      .array(z.enum(['failed', 'unknown', 'sent', 'skipped']))
      .min(1)
      .default(['failed', 'unknown']),
    recipients: z.array(z.string()).min(1).max(1000).nullable().default(null),
    corrections: z.record(z.string(), z.string()).default({}),
    confirmDuplicates: z.boolean().default(false),
  })

function resend(deps: RunRouteDeps): ApiRoute {
  return route({
    method: ['POST', 'PUT'],
    path: '/v4/reportrun/{runId}/resend',
    scope: 'report:run',
    action: 'report.resend',
    summary: 'Send deliveries of a run again',
    description:
      'Sends the stored documents of failed and doubtful deliveries; `corrections` replaces wrong addresses. With `recipients` these addresses get their mails, and no others. An address that is in none of these deliveries is refused. Deliveries that another resend has sent meanwhile are left out; they need `confirmDuplicates`, as deliveries that were sent do.',
    params: RUN_PARAMS,
    query: NO_QUERY,
    readByHandler: () => ({ body: RESEND() }),
    answers: () => ({ 202: RUN(), 409: 'Nothing to send again, or `confirmDuplicates` is missing.' }),
    handle: async (request) => {
      const run = runById(request.params.runId, deps)
      const { states, recipients, corrections, confirmDuplicates } = checkedWith(RESEND(), request.body ?? {})
      if (run.state !== 'finished') throw refusal('NOTHING_TO_RESEND', 'the run is still under way')
      if (states.includes('sent') && !confirmDuplicates) {
        throw refusal('NOTHING_TO_RESEND', 'sent deliveries would arrive twice; say so with "confirmDuplicates": true')
      }
      const wrong = Object.entries(corrections).flatMap(([path, address]) => {
        const problem = addressProblem(address, deps.allowedDomains)
        return problem ? [{ path: `corrections.${path}`, message: problem.message }] : []
      })
      if (wrong.length > 0) throw refuseIssues(wrong)
      if (!run.test && deps.taskOf(run.taskId)?.testMode.enabled)
        throw refusal('NOTHING_TO_RESEND', 'the task is in test mode, and this run went to its real addresses')
      const { actor } = request.caller
      const answer = await deps.runner.resend({ run, states, recipients, corrections, confirmDuplicates, actor })
      if (answer.status !== 'started') throw resendRefusal(answer, { recipients, corrections, states })
      const child = answer.run
      request.note({ target: [run.taskId, run.id], detail: `run ${child.id}` })
      return jsonAnswer(202, shown(child, true, deps))
    },
  })
}

function resendRefusal(
  answer: Exclude<ResendAnswer, { status: 'started' }>,
  {
    recipients,
    corrections,
    states,
  }: Pick<z.output<ReturnType<typeof RESEND>>, 'recipients' | 'corrections' | 'states'>,
): Error {
  const which = states.join(' or ')
  if (answer.status === 'nothing') return refusal('NOTHING_TO_RESEND', `no delivery is ${which}`)
  if (answer.status === 'delivered') {
    const list = answer.receivers.map(({ receiver, runId }) => `${receiver} (run ${runId})`).join(', ')
    const remedy = '"confirmDuplicates": true sends it all the same'
    return refusal('NOTHING_TO_RESEND', `delivered already, or about to be: ${list}; ${remedy}`)
  }
  const named: readonly (readonly [path: string, address: string])[] = [
    ...(recipients ?? []).map((one, index) => [`recipients.${index}`, one] as const),
    ...Object.keys(corrections).map((one) => [`corrections.${one}`, one] as const),
  ]
  const unknown = (path: string, address: string) =>
    (path.startsWith('recipients.') ? answer.recipients : answer.corrections).includes(address.toLowerCase())
  const issues = named.filter(([path, address]) => unknown(path, address))
  return refuseIssues(issues.map(([path, address]) => ({ path, message: `${address} is in no mail that is ${which}` })))
}
