/** Endpoints of runs: start, plan, list, documents, deliveries, log, cancel, resend. */
import { type ApiRoute, from, route } from '../../http/endpoint/route.ts'
import { refusal } from '../../http/errors.ts'
import type { Blobs } from '../../platform/blobs.ts'
import { isGuid } from '../../platform/uuid.ts'
import { addressProblem } from '../addresses.ts'
import { checkedWith, refuseIssues } from '../issues.ts'
import {
  CANCEL_RUN,
  type Delivery,
  RESEND_RUN,
  type Resend,
  RUN,
  RUN_DELIVERIES,
  RUN_DOCUMENT,
  RUN_DOCUMENTS,
  RUN_LOG,
  RUNS,
  RUNS_OF_TASK,
  type Run,
  type RunCounts,
  type Runs,
  type RunsQuery,
  START_TASK,
} from '../runs/contract.ts'
import { countsOf, type DeliveryRecord, type Ledger, listedRunOf, type RunRecord, runOf } from '../runs/ledger.ts'
import type { RunLog } from '../runs/log.ts'
import type { ResendAnswer } from '../runs/resend.ts'
import { bodyOf, checksBody, EXAMPLE_ID, invalidId } from './common.ts'
import { fileAnswer } from './file.ts'
import { type StartRouteDeps, startRoutes, taskById } from './starts.ts'

export interface RunRouteDeps extends StartRouteDeps {
  readonly ledger: Ledger
  readonly runLog: RunLog
  readonly blobs: Pick<Blobs, 'path'>
}

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

function countsNow(run: RunRecord, { ledger }: Pick<RunRouteDeps, 'ledger'>): RunCounts {
  if (run.counts) return run.counts
  const documents = run.sealed ? ledger.documents(run).length : 0
  return countsOf(documents, ledger.deliveries(run.id), ledger.events(run.id))
}

const shown = (run: RunRecord, deps: Pick<RunRouteDeps, 'ledger'>): Run =>
  runOf(run, deps.ledger.events(run.id), countsNow(run, deps))

function listOfTask(deps: RunRouteDeps): ApiRoute {
  return route({
    ...RUNS_OF_TASK,
    scope: 'report:read',
    summary: 'List the runs of a report task, newest first',
    examples: [{ name: 'all', params: { taskId: EXAMPLE_ID }, status: 200 }],
    handle: ({ params, query }, answer) =>
      answer(200, listed({ ...query, taskId: taskById(params.taskId, deps).id }, deps)),
  })
}

function list(deps: RunRouteDeps): ApiRoute {
  return route({
    ...RUNS,
    scope: 'report:read',
    summary: 'List runs of report tasks, newest first',
    examples: [
      { name: 'errors', query: { outcome: 'error' }, status: 200 },
      { name: 'successes', query: { outcome: 'success' }, status: 200 },
    ],
    handle: ({ query }, answer) => answer(200, listed(query, deps)),
  })
}

function listed({ limit = 100, offset = 0, taskId, project, outcome, state }: RunsQuery, deps: RunRouteDeps): Runs {
  const where = {
    ...(taskId && { taskId: taskId.toLowerCase() }),
    ...(project && { project }),
    ...(outcome && { outcome }),
    ...(state && { state }),
  }
  const { runs, total } = deps.ledger.list({ ...where, limit, offset })
  return { runs: runs.map((run) => listedRunOf(run, countsNow(run, deps))), total }
}

function read(deps: RunRouteDeps): ApiRoute {
  return route({
    ...RUN,
    scope: 'report:read',
    summary: 'Show a run with its events',
    examples: [
      { name: 'last-success', params: from(RUNS, { runId: '$response.body#/runs/0/id' }, 'successes'), status: 200 },
    ],
    handle: ({ params, query }, answer) => {
      const run = runById(params.runId, deps)
      const definition = query.definition === '1' ? { definition: deps.ledger.definition(run.id) } : {}
      return answer(200, { ...shown(run, deps), ...definition })
    },
  })
}

function readLog(deps: RunRouteDeps): ApiRoute {
  return route({
    ...RUN_LOG,
    scope: 'report:read',
    summary: 'The log of a run',
    examples: [
      { name: 'last-success', params: from(RUNS, { runId: '$response.body#/runs/0/id' }, 'successes'), status: 200 },
    ],
    handle: async ({ params }, answer) => answer(200, await deps.runLog.read(runById(params.runId, deps).id)),
  })
}

function listDeliveries(deps: RunRouteDeps): ApiRoute {
  return route({
    ...RUN_DELIVERIES,
    scope: 'report:read',
    summary: 'List the deliveries of a run',
    examples: [
      { name: 'last-success', params: from(RUNS, { runId: '$response.body#/runs/0/id' }, 'successes'), status: 200 },
    ],
    handle: ({ params, query }, answer) => {
      const found = deps.ledger
        .deliveries(runById(params.runId, deps).id)
        .filter((one) => !query.state || one.state === query.state)
      return answer(200, { deliveries: found.map(deliveryAnswer), total: found.length })
    },
  })
}

function deliveryAnswer({
  id,
  channel,
  target,
  documents,
  state,
  attempts,
  nextAt,
  lastError,
}: DeliveryRecord): Delivery {
  const nextAttemptAt = nextAt === null ? null : new Date(nextAt).toISOString()
  return { id, channel, target, documents, state, attempts, nextAttemptAt, lastError }
}

function listDocuments(deps: RunRouteDeps): ApiRoute {
  return route({
    ...RUN_DOCUMENTS,
    scope: 'report:read',
    summary: 'List the documents of a run',
    examples: [
      { name: 'last-success', params: from(RUNS, { runId: '$response.body#/runs/0/id' }, 'successes'), status: 200 },
    ],
    handle: ({ params }, answer) => {
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
      return answer(200, { documents, total: documents.length })
    },
  })
}

function download(deps: RunRouteDeps): ApiRoute {
  return route({
    ...RUN_DOCUMENT,
    scope: 'report:read',
    action: 'report.document',
    audited: 'always',
    summary: 'Download a document of a run',
    examples: [
      {
        name: 'first',
        params: from(RUN_DOCUMENTS, { runId: '$request.path.runId', documentId: '$response.body#/documents/0/id' }),
        status: 200,
      },
    ],
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
    ...CANCEL_RUN,
    scope: 'report:run',
    action: 'report.cancel',
    summary: 'Cancel a run',
    description: 'The step under way ends; what is not sent yet is left out. Deliveries that were sent stay.',
    examples: [
      {
        name: 'just-started',
        params: from(START_TASK, { runId: '$response.body#/tasksStarted/0/runId' }),
        status: 202,
      },
    ],
    handle: async ({ params, note }, answer) => {
      const run = runById(params.runId, deps)
      note({ target: [run.taskId, run.id] })
      if (!(await deps.runner.cancel(run.id)))
        throw refusal('RUN_NOT_CANCELLABLE', `the run has ended with ${run.outcome}`)
      return answer(202, { runId: run.id, state: run.state, message: 'Cancel requested' })
    },
  })
}

function resend(deps: RunRouteDeps): ApiRoute {
  return route({
    ...RESEND_RUN,
    ...checksBody(RESEND_RUN),
    scope: 'report:run',
    action: 'report.resend',
    summary: 'Send deliveries of a run again',
    description:
      'Sends the stored documents of failed and doubtful deliveries; `corrections` replaces wrong addresses. With `recipients` these addresses get their mails, and no others. An address that is in none of these deliveries is refused. Deliveries that another resend has sent meanwhile are left out; they need `confirmDuplicates`, as deliveries that were sent do.',
    examples: [
      {
        name: 'again',
        params: from(RUNS, { runId: '$response.body#/runs/0/id' }, 'successes'),
        body: { states: ['sent'], confirmDuplicates: true },
        status: 202,
      },
    ],
    handle: async (request, answer) => {
      const run = runById(request.params.runId, deps)
      const { states, recipients, corrections, confirmDuplicates } = checkedWith(bodyOf(RESEND_RUN), request.body ?? {})
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
      const result = await deps.runner.resend({ run, states, recipients, corrections, confirmDuplicates, actor })
      if (result.status !== 'started') throw resendRefusal(result, { recipients, corrections, states })
      const child = result.run
      request.note({ target: [run.taskId, run.id], detail: `run ${child.id}` })
      return answer(202, shown(child, deps))
    },
  })
}

function resendRefusal(
  answer: Exclude<ResendAnswer, { status: 'started' }>,
  { recipients, corrections, states }: Pick<Resend, 'recipients' | 'corrections' | 'states'>,
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
