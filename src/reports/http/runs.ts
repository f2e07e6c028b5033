/** Endpoints of runs: start, plan, list, documents, deliveries, log, cancel, resend. */
import { z } from 'zod'
import { requireScope } from '../../http/endpoint/caller.ts'
import { NO_QUERY, queryField } from '../../http/endpoint/list-query.ts'
import { ALWAYS, type ApiRequest, type ApiRoute, jsonAnswer, route } from '../../http/endpoint/route.ts'
import { refusal } from '../../http/errors.ts'
import type { Blobs } from '../../platform/blobs.ts'
import { once } from '../../platform/once.ts'
import type { Clock } from '../../platform/types.ts'
import { isGuid } from '../../platform/uuid.ts'
import { addressProblem, type SenderRules } from '../addresses.ts'
import { ReportError } from '../codes.ts'
import type { Stored } from '../entities/fields.ts'
import { OPTION_MEMBERS } from '../entities/start-options.ts'
import { type Definition, OUTCOMES, type ReportTask, reportTask } from '../entities/task.ts'
import { checkedWith, refuseIssues } from '../issues.ts'
import { type Admission, DEFAULT_OPTIONS } from '../runs/admission.ts'
import { distinctNames } from '../runs/file-names.ts'
import { countsOf, type DeliveryRecord, type Ledger, type RunRecord, runOf } from '../runs/ledger.ts'
import type { RunLog } from '../runs/log.ts'
import type { FilePayload, HubPayload, MailPayload, Plan } from '../runs/plan.ts'
import type { Prepared } from '../runs/prepare.ts'
import type { Runner } from '../runs/runner.ts'
import type { RunEvent, RunOptions } from '../types.ts'
import { requireSources } from './common.ts'
import { fileAnswer } from './file.ts'

export interface RunRouteDeps extends Pick<SenderRules, 'allowedDomains'> {
  readonly ledger: Ledger
  readonly runner: Runner
  readonly runLog: RunLog
  readonly blobs: Pick<Blobs, 'path'>
  readonly clock: Clock
  /** The stored task; null when there is none. */
  readonly taskOf: (id: string) => Stored<ReportTask> | null
  /** Tasks with one of the tags. */
  readonly tasksTagged: (tags: readonly string[]) => readonly Stored<ReportTask>[]
  readonly definitionOf: (taskId: string) => Definition | null
  /** The definition of a task that is not saved. Throws its refusal. */
  readonly unsaved: (actor: string, task: ReportTask) => Promise<Definition>
  /** Time limit of answers that need the engine, in ms. */
  readonly planTimeoutMs?: number
}

const START = () =>
  z.strictObject({
    taskId: z.array(z.string()).max(500).default([]),
    tag: z.array(z.string()).max(100).default([]),
    force: z.boolean().default(false),
    ...OPTION_MEMBERS,
  })
type StartBody = z.output<ReturnType<typeof START>>

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

const PLAN_QUERY = () =>
  z.object({
    recipient: queryField.text().describe('Only what this address gets.').optional(),
    limit: queryField.integer(1, 500).describe('How many of each list. Default: all.').optional(),
    offset: queryField.integer(0, 10_000_000).describe('How many of each list are left out before.').optional(),
  })
type PlanQuery = z.output<ReturnType<typeof PLAN_QUERY>>
const RUNS_QUERY = () =>
  z.object({
    taskId: queryField.text().optional(),
    project: queryField.text().optional(),
    outcome: queryField.word(OUTCOMES).optional(),
    state: queryField.word(['queued', 'running', 'delivering', 'finished']).optional(),
    limit: queryField.integer(1, 500).optional(),
    offset: queryField.integer(0, 10_000_000).optional(),
  })
const DELIVERY_QUERY = () =>
  z.object({
    state: queryField.word(['planned', 'sending', 'sent', 'retry', 'failed', 'unknown', 'skipped']).optional(),
  })

const RUN = () =>
  z
    .looseObject({ id: z.string(), taskId: z.string(), state: z.string(), outcome: z.string().nullable() })
    .describe('A run.')
const STARTED = () =>
  z.looseObject({
    tasksStarted: z.array(
      z.looseObject({ taskId: z.string(), taskName: z.string(), status: z.string(), runId: z.string() }),
    ),
    tasksNotFound: z.array(z.string()),
    tasksSkipped: z.array(z.looseObject({ taskId: z.string(), code: z.string() })),
    totalTasksStarted: z.int(),
  })
const PLANNED = () =>
  z.looseObject({
    taskId: z.string(),
    documents: z.array(z.looseObject({})),
    mails: z.array(z.looseObject({})),
    totals: z
      .object({ documents: z.int(), mails: z.int(), files: z.int(), hub: z.int() })
      .describe('Lengths of the whole lists.'),
  })
const TASK_PARAMS = once(() => z.object({ taskId: z.string().describe('Id of the report task.') }))
const RUN_PARAMS = once(() => z.object({ runId: z.string().describe('Id of the run.') }))

const PLAN_TIMEOUT_MS = 60_000

export function runRoutes(deps: RunRouteDeps): ApiRoute[] {
  const { ledger, runner, runLog, clock } = deps

  function runById(runId: string): RunRecord {
    if (!isGuid(runId)) throw refusal('INVALID_ID', 'Run ID must be a valid GUID', { error: 'Invalid run ID format' })
    const run = ledger.run(runId.toLowerCase())
    if (!run) throw refusal('RUN_NOT_FOUND', runId)
    return run
  }

  function taskById(taskId: string): Stored<ReportTask> {
    if (!isGuid(taskId))
      throw refusal('INVALID_ID', 'Task ID must be a valid GUID', { error: 'Invalid task ID format' })
    const task = deps.taskOf(taskId.toLowerCase())
    if (!task) throw refusal('REPORTTASK_NOT_FOUND', taskId)
    return task
  }

  const shown = (run: RunRecord, full: boolean) => {
    const events = ledger.events(run.id)
    const counts =
      run.counts ?? countsOf(run.sealed ? ledger.documents(run).length : 0, ledger.deliveries(run.id), events)
    return runOf(run, full ? events : [], counts)
  }

  async function start(request: ApiRequest, selected: readonly string[], body: StartBody): Promise<Response> {
    const ids = [...new Set([...selected, ...body.taskId].map((id) => id.toLowerCase()))]
    const bad = ids.find((id) => !isGuid(id))
    if (bad !== undefined)
      throw refusal('INVALID_ID', 'Task ID must be a valid GUID', { error: 'Invalid task ID format' })
    if (ids.length === 0 && body.tag.length === 0) throw refusal('NOTHING_SELECTED', 'name tasks by taskId or tag')
    const named = ids.map((id) => [id, deps.taskOf(id)] as const)
    const tasks = [...named.flatMap(([, task]) => (task ? [task] : [])), ...deps.tasksTagged(body.tag)]
    const options = optionsOf(body)
    const tasksStarted = []
    const tasksSkipped = []
    const wanted = [...new Map(tasks.map((one) => [one.id, one])).values()]
    // The outcome shows how the conditions compare; what triggers follow is not read.
    for (const { id } of wanted) requireSources(request.caller, deps.definitionOf(id)?.conditions ?? [])
    for (const task of wanted) checkStart(task, options, deps)
    for (const task of wanted) {
      const admission = await runner.admit({
        task,
        trigger: manual(request, clock.now(), body.reason),
        identity: null,
        options,
        force: body.force,
      })
      const base = { taskId: task.id, taskName: task.name }
      if (admission.status === 'skipped') tasksSkipped.push({ ...base, code: admission.code, runId: admission.runId })
      else tasksStarted.push({ ...base, status: statusOf(admission), runId: admission.runId })
    }
    const tasksNotFound = named.filter(([, task]) => !task).map(([id]) => id)
    request.note({ target: tasks.map(({ id }) => id), detail: `${tasksStarted.length} started` })
    return jsonAnswer(200, { tasksStarted, tasksNotFound, tasksSkipped, totalTasksStarted: tasksStarted.length })
  }

  async function plan(definition: Definition, query: PlanQuery, signal: AbortSignal): Promise<Response> {
    const { recipient } = query
    const options = { ...DEFAULT_OPTIONS, recipients: recipient === undefined ? null : [recipient] }
    const work = (limit: AbortSignal) => runner.plan(definition, options, limit)
    const made = await engineAnswer(work, signal, deps.planTimeoutMs ?? PLAN_TIMEOUT_MS)
    return jsonAnswer(200, planAnswer(definition, made, query))
  }

  const startRoute = (path: string, params: typeof TASK_PARAMS | undefined): ApiRoute =>
    route({
      method: ['POST', 'PUT'],
      path,
      scope: 'report:run',
      action: 'report.start',
      summary: 'Start report tasks',
      description:
        '`taskId` and `tag` of the body select tasks, beside the one in the path (`-` = none). Conditions on key-value pairs need `kv:read` of their namespaces, those on Qlik tasks `task:read`.',
      ...(params && { params }),
      readByHandler: () => ({ body: START() }),
      query: NO_QUERY,
      answers: () => ({ 200: STARTED(), 409: 'A test needs an address; the run cannot begin.' }),
      handle(request) {
        const id = (request.params as { taskId?: string }).taskId
        const selected = id === undefined || id === '-' ? [] : [taskById(id).id]
        return start(request as ApiRequest, selected, checkedWith(START(), request.body ?? {}))
      },
    })

  return [
    startRoute('/v4/reporttask/start', undefined),
    startRoute('/v4/reporttask/{taskId}/start', TASK_PARAMS),
    route({
      method: 'POST',
      path: '/v4/reporttask/{taskId}/plan',
      eachTime: ALWAYS,
      scope: 'report:read',
      action: 'report.plan',
      audited: 'refused',
      summary: 'Show who would get what, without making or sending anything',
      params: TASK_PARAMS,
      query: PLAN_QUERY,
      description:
        'With `-` in the place of the id the body is a whole task, which is not saved; that needs `report:write` too. Conditions on key-value pairs need `kv:read` of their namespaces, those on Qlik tasks `task:read`.',
      readByHandler: () => ({ body: reportTask() }),
      answers: () => ({
        200: PLANNED(),
        422: 'The app cannot be read.',
        502: 'The engine or the repository does not answer.',
      }),
      handle: async ({ params, query, signal, body, caller }) => {
        // A task of the caller evaluates its expressions in any app, and shows results in names and addresses.
        if (params.taskId === '-') requireScope(caller, 'report:write')
        const definition =
          params.taskId === '-'
            ? await deps.unsaved(caller.actor, checkedWith(reportTask(), body ?? {}))
            : deps.definitionOf(taskById(params.taskId).id)!
        requireSources(caller, definition.conditions)
        return plan(definition, query, signal)
      },
    }),
    route({
      method: 'GET',
      path: '/v4/reporttask/{taskId}/runs',
      scope: 'report:read',
      summary: 'List the runs of a report task, newest first',
      params: TASK_PARAMS,
      query: () => RUNS_QUERY().omit({ taskId: true, project: true }),
      answers: () => ({ 200: z.looseObject({ runs: z.array(RUN()), total: z.int() }) }),
      handle: ({ params, query }) => listAnswer({ ...query, taskId: taskById(params.taskId).id }),
    }),
    route({
      method: 'GET',
      path: '/v4/reportrun',
      scope: 'report:read',
      summary: 'List runs of report tasks, newest first',
      query: RUNS_QUERY,
      answers: () => ({ 200: z.looseObject({ runs: z.array(RUN()), total: z.int() }) }),
      handle: ({ query }) => listAnswer(query),
    }),
    route({
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
        const run = runById(params.runId)
        const definition = query.definition === '1' ? { definition: ledger.definition(run.id) } : {}
        return jsonAnswer(200, { ...shown(run, true), ...definition })
      },
    }),
    route({
      method: 'GET',
      path: '/v4/reportrun/{runId}/log',
      scope: 'report:read',
      summary: 'The log of a run',
      params: RUN_PARAMS,
      query: NO_QUERY,
      answers: () => ({ 200: z.string() }),
      handle: async ({ params }) =>
        new Response(await runLog.read(runById(params.runId).id), {
          headers: { 'content-type': 'text/plain; charset=utf-8' },
        }),
    }),
    route({
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
        const found = ledger
          .deliveries(runById(params.runId).id)
          .filter((one) => !query.state || one.state === query.state)
        return jsonAnswer(200, { deliveries: found.map(deliveryAnswer), total: found.length })
      },
    }),
    route({
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
        const documents = ledger
          .documents(runById(params.runId))
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
    }),
    route({
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
        const run = runById(params.runId)
        const document = ledger.documents(run).find(({ id }) => id === params.documentId.toLowerCase())
        if (!document) throw refusal('DOCUMENT_GONE', params.documentId)
        note({ target: [document.fileName] })
        return fileAnswer(deps.blobs.path(document.sha256), document)
      },
    }),
    route({
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
        const run = runById(params.runId)
        note({ target: [run.taskId, run.id] })
        if (!(await runner.cancel(run.id)))
          throw refusal('RUN_NOT_CANCELLABLE', `the run has ended with ${run.outcome}`)
        return jsonAnswer(202, { runId: run.id, state: run.state, message: 'Cancel requested' })
      },
    }),
    route({
      method: ['POST', 'PUT'],
      path: '/v4/reportrun/{runId}/resend',
      scope: 'report:run',
      action: 'report.resend',
      summary: 'Send deliveries of a run again',
      description:
        'Sends the stored documents of failed and doubtful deliveries. `corrections` replaces wrong addresses. Deliveries that were sent need `confirmDuplicates`.',
      params: RUN_PARAMS,
      query: NO_QUERY,
      readByHandler: () => ({ body: RESEND() }),
      answers: () => ({ 202: RUN(), 409: 'Nothing to send again, or `confirmDuplicates` is missing.' }),
      handle: async (request) => {
        const run = runById(request.params.runId)
        const { states, recipients, corrections, confirmDuplicates } = checkedWith(RESEND(), request.body ?? {})
        if (run.state !== 'finished') throw refusal('NOTHING_TO_RESEND', 'the run is still under way')
        if (states.includes('sent') && !confirmDuplicates) {
          throw refusal(
            'NOTHING_TO_RESEND',
            'sent deliveries would arrive twice; say so with "confirmDuplicates": true',
          )
        }
        const wrong = Object.entries(corrections).flatMap(([path, address]) => {
          const problem = addressProblem(address, deps.allowedDomains)
          return problem ? [{ path: `corrections.${path}`, message: problem.message }] : []
        })
        if (wrong.length > 0) throw refuseIssues(wrong)
        const lower = Object.fromEntries(
          Object.entries(corrections).map(([wrong, right]) => [wrong.toLowerCase(), right]),
        )
        const child = await runner.resend({ run, states, recipients, corrections: lower, actor: request.caller.actor })
        if (!child) throw refusal('NOTHING_TO_RESEND', `no delivery is ${states.join(' or ')}`)
        request.note({ target: [run.taskId, run.id], detail: `run ${child.id}` })
        return jsonAnswer(202, shown(child, true))
      },
    }),
  ]

  function listAnswer(query: z.output<ReturnType<typeof RUNS_QUERY>>): Response {
    const { limit = 100, offset = 0, taskId, project, outcome, state } = query
    const where = {
      ...(taskId && { taskId: taskId.toLowerCase() }),
      ...(project && { project }),
      ...(outcome && { outcome }),
      ...(state && { state }),
    }
    const { runs, total } = ledger.list({ ...where, limit, offset })
    return jsonAnswer(200, { runs: runs.map((run) => ({ ...shown(run, false), events: undefined })), total })
  }
}

function checkStart(
  task: ReportTask,
  { test, testAddress, reports }: RunOptions,
  { allowedDomains }: Pick<SenderRules, 'allowedDomains'>,
): void {
  const { name, testMode } = task
  const problem = testAddress === null ? null : addressProblem(testAddress, allowedDomains)
  if (problem) throw refuseIssues([{ path: 'testAddress', message: problem.message }])
  const keys = task.reports.map(({ key }) => key)
  if (reports && !reports.some((key) => keys.includes(key))) {
    const message = `"${name}" has none of the reports ${reports.join(', ')}; its keys are ${keys.join(', ')}`
    throw refusal('VALIDATION', `reports: ${message}`, { issues: [{ path: 'reports', message }] })
  }
  if (!test || testAddress || testMode.address) return
  throw refusal('VALIDATION', `testAddress: "${name}" has no test address of its own`, {
    issues: [{ path: 'testAddress', message: 'Must be given, because the task has no test address' }],
  })
}

function optionsOf({
  test,
  testAddress,
  dryRun,
  ignoreConditions,
  reports,
  recipients,
  reason,
}: StartBody): RunOptions {
  return { test, testAddress, dryRun, ignoreConditions, reports, recipients, reason }
}

const manual = ({ caller }: ApiRequest, at: number, reason: string | null) => ({
  type: 'manual' as const,
  triggerId: null,
  key: '',
  firedAt: new Date(at).toISOString(),
  detail: { actor: caller.actor, ...(reason && { reason }) },
})

const statusOf = ({ status }: Admission): string => (status === 'repeated' ? 'merged' : status)

/** Work that an answer waits for. Rejects with the refusal that says why there is no result, or none in time. */
export async function engineAnswer<T>(
  work: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<T> {
  const limit = AbortSignal.timeout(timeoutMs)
  try {
    return await work(AbortSignal.any([signal, limit]))
  } catch (error) {
    if (limit.aborted && !signal.aborted) throw refusal('ENGINE_UNREACHABLE', `no result within ${timeoutMs / 1000} s`)
    throw engineRefusal(error)
  }
}

/** A failure of the engine or the repository, for answers that wait for it. */
export function engineRefusal(error: unknown): unknown {
  if (!(error instanceof ReportError)) return error
  const { code, details } = error
  if (code === 'ENGINE_UNREACHABLE' || code === 'REPOSITORY_UNREACHABLE') return refusal(code, details)
  if (code === 'APP_NOT_FOUND' || code === 'OBJECT_NOT_FOUND') return refusal(code, details)
  return refusal('REPORT_NOT_MADE', `${code}: ${details}`)
}

function planAnswer(
  { task }: Definition,
  { prepared, plan, events }: { prepared: Prepared; plan: Plan; events: readonly RunEvent[] },
  { limit = Number.POSITIVE_INFINITY, offset = 0 }: PlanQuery,
) {
  const of = <Payload>(channel: string) =>
    plan.deliveries.filter((one) => one.channel === channel).map(({ payload }) => payload as Payload)
  const page = <One>(list: readonly One[]) => list.slice(offset, offset + limit)
  const [mails, files, hub] = [of<MailPayload>('email'), of<FilePayload>('storage'), of<HubPayload>('hub')]
  const nameOf = (id: string) => prepared.documents.find((one) => one.id === id)?.fileName ?? ''
  const problems = events.map(({ code, level, details, recipient, report, block }) => ({
    code,
    level,
    details,
    ...(report && { report }),
    ...(block && { block }),
    ...(recipient && { recipient }),
  }))
  return {
    taskId: task.id,
    conditions: prepared.conditions,
    skipped: prepared.skipped,
    documents: page(prepared.documents).map(({ report, cycle, fileName, variant }) => ({
      report,
      cycle: Object.fromEntries(cycle.map(({ field, value }) => [field, value.text])),
      fileName,
      variant,
      evaluateAs: task.run.evaluateAs,
    })),
    mails: page(mails).map(({ to, cc, bcc, subject, attach, embed, archives, missing }) => ({
      to: to.join(', '),
      ...(cc.length > 0 && { cc }),
      ...(bcc.length > 0 && { bcc }),
      subject,
      attachments: distinctNames([...attach.map(nameOf), ...archives.map(({ name }) => name)]),
      ...(embed && { embedded: nameOf(embed) }),
      ...(missing.length > 0 && { missing }),
    })),
    files: page(files).map(({ spaceId, folder, name }) => ({
      spaceId,
      path: [...folder, name].join('/'),
    })),
    hub: page(hub).map(({ title, visibleTo }) => ({ title, visibleTo })),
    totals: {
      documents: prepared.documents.length,
      mails: mails.length,
      files: files.length,
      hub: hub.length,
    },
    problems: plan.refused ? [...problems, { ...plan.refused, level: 'error' }] : problems,
  }
}

function deliveryAnswer({ id, channel, target, documents, state, attempts, nextAt, lastError }: DeliveryRecord) {
  const nextAttemptAt = nextAt === null ? null : new Date(nextAt).toISOString()
  return { id, channel, target, documents, state, attempts, nextAttemptAt, lastError }
}
