/** Endpoints that try a definition out: a report as a file, a condition, the plan of a task that is not saved. */
import { randomUUID } from 'node:crypto'
import { ALWAYS, type ApiRoute, route } from '../../http/endpoint/route.ts'
import { refusal } from '../../http/errors.ts'
import type { Clock } from '../../platform/types.ts'
import { type ErrorCode, ReportError } from '../codes.ts'
import { type ConditionFacts, evaluateCondition } from '../conditions.ts'
import { RENDER_REPORT, TEST_CONDITION } from '../contract.ts'
import type { ReportCondition } from '../entities/condition.ts'
import { report } from '../entities/report.ts'
import { type Definition, reportTask } from '../entities/task.ts'
import { checkedWith, refuseIssues } from '../issues.ts'
import { DEFAULT_OPTIONS } from '../runs/admission.ts'
import type { RunEvent } from '../runs/contract.ts'
import type { PreparedDocument } from '../runs/plan.ts'
import type { Prepared } from '../runs/prepare.ts'
import type { Save } from '../save.ts'
import type { DefinitionStore, Edit } from '../store.ts'
import { bodyOf, checkedId, checksBody, EXAMPLE_ID, requireSources } from './common.ts'
import { engineAnswer, engineRefusal } from './engine.ts'
import { fileAnswer } from './file.ts'
import type { RunRouteDeps } from './runs.ts'

export interface TrialRouteDeps extends Pick<RunRouteDeps, 'runner' | 'blobs' | 'planTimeoutMs'> {
  readonly store: TrialStore
  readonly clock: Clock
  readonly timezone: string
  /** The facts of a task that has never run. */
  readonly facts: () => ConditionFacts
}

const TIMEOUT_MS = 120_000
export function trialRoutes(deps: TrialRouteDeps): ApiRoute[] {
  const { store, runner, blobs, planTimeoutMs = TIMEOUT_MS } = deps
  const run = (definition: Definition, render: boolean, signal: AbortSignal) =>
    engineAnswer((limit) => runner.tryOut(definition, DEFAULT_OPTIONS, render, limit), signal, planTimeoutMs)

  /** Rules about tasks, days, pairs and files ask no app. Throws 400 when another one does. */
  async function withoutApp(condition: ReportCondition) {
    let asksApp = false
    const { met, rules } = await evaluateCondition(condition, {
      data: () => {
        asksApp = true
        return Promise.reject(new Error('the condition has no app'))
      },
      facts: deps.facts(),
      previous: null,
      now: new Date(deps.clock.now()),
      timezone: deps.timezone,
      warn: () => {},
    })
    if (asksApp) throw refusal('VALIDATION', 'filterIds: the condition has no app, and no filter is bound to one')
    return { met, rules }
  }

  return [
    route({
      ...RENDER_REPORT,
      eachTime: ALWAYS,
      scope: 'report:run',
      action: 'report.render',
      audited: 'always',
      summary: 'Make a report once, as a file',
      examples: [{ name: 'html', params: { id: EXAMPLE_ID }, query: { format: 'html' }, status: 200 }],
      handle: async ({ params, query, signal, caller, note }) => {
        const { id: reportId, name, project } = existing(store, 'report', params.id)
        note({ target: [name] })
        const uses = [{ key: 'report', reportId, format: query.format }]
        const definition = await trial(store, caller.actor, { name, project, reports: uses })
        const { prepared, events } = await run(definition, true, signal)
        const document = onlyDocument(prepared, events)
        return fileAnswer(blobs.path(document.sha256), document)
      },
    }),
    route({
      ...TEST_CONDITION,
      ...checksBody(TEST_CONDITION),
      eachTime: ALWAYS,
      scope: 'report:run',
      action: 'report.condition.test',
      summary: 'Evaluate a condition now',
      description:
        'Filters of the body apply. A condition without an app needs a filter that is bound to one when a rule asks the app: those about tasks, days, pairs and files do not.',
      examples: [{ name: 'now', params: { id: EXAMPLE_ID }, body: {}, status: 200 }],
      handle: async (request, answer) => {
        const began = performance.now()
        const condition = existing(store, 'condition', request.params.id)
        requireSources(request.caller, [condition])
        const { filterIds } = checkedWith(bodyOf(TEST_CONDITION), request.body ?? {})
        const bound = filterIds.map((one) => store.get('filter', one)?.appId).find(Boolean)
        const appId = condition.appId ?? bound
        const duration = () => Math.round(performance.now() - began)
        // A rule that fails is part of the answer.
        const onError = 'skip' as const
        if (!appId) {
          const unknown = filterIds.findIndex((one) => !store.get('filter', one))
          if (unknown >= 0) {
            const code = 'UNKNOWN_REFERENCE'
            throw refuseIssues([{ path: `filterIds.${unknown}`, message: 'There is no such filter', code }])
          }
          return answer(200, { ...(await withoutApp({ ...condition, onError })), durationMs: duration() })
        }
        const { project } = condition
        const blocks = [{ key: 'text', type: 'text', markdown: '' }]
        const reportId = randomUUID()
        const made = await trial(
          store,
          request.caller.actor,
          {
            name: condition.name,
            project,
            filterIds,
            conditionIds: [condition.id],
            reports: [{ key: 'none', reportId, format: 'html' }],
          },
          () => [
            {
              kind: 'report',
              id: reportId,
              entity: report().parse({ project, name: reportId, appId, type: 'blocks', blocks }),
            },
          ],
        )
        const conditions = made.conditions.map((one) => ({ ...one, onError }))
        const { prepared } = await run({ ...made, conditions }, false, request.signal)
        const [result] = prepared.conditions
        return answer(200, { met: result?.met ?? false, rules: result?.rules ?? [], durationMs: duration() })
      },
    }),
  ]
}

/** The document that was made. Throws the refusal that says why there is none. */
export function onlyDocument({ documents }: Prepared, events: readonly RunEvent[]): PreparedDocument {
  const [document] = documents
  if (document) return document
  const fault = events.find(({ level }) => level === 'error')
  throw engineRefusal(new ReportError((fault?.code ?? 'INTERNAL') as ErrorCode, fault?.details ?? 'nothing was made'))
}

type TrialStore = Pick<DefinitionStore, 'get' | 'edit'>

function existing<K extends 'report' | 'condition'>(store: TrialStore, kind: K, text: string) {
  const found = store.get(kind, checkedId(kind, text))
  if (!found) throw refusal(kind === 'report' ? 'REPORT_NOT_FOUND' : 'REPORTCONDITION_NOT_FOUND', text)
  return found
}

/**
 * The definition of a task that is checked like a saved one, and not saved. `before` returns what it needs beside it. Throws
 * its refusal.
 */
export async function trial(
  store: TrialStore,
  actor: string,
  task: { readonly name: string; readonly [member: string]: unknown },
  before: (edit: Edit) => readonly Save[] = () => [],
): Promise<Definition> {
  const taskId = randomUUID()
  // The name may be that of a task which is being edited.
  const entity = checkedWith(reportTask(), { ...task, name: taskId, enabled: false })
  const definition = await store.edit(
    actor,
    (edit) => {
      edit.save([...before(edit), { kind: 'task', id: taskId, entity }])
      return edit.definitionOf(taskId)!
    },
    { dryRun: true },
  )
  return { ...definition, task: { ...definition.task, name: task.name } }
}
