/** The contracts of runs of report tasks: starts, plans, documents, deliveries. Times are ISO 8601, lengths in milliseconds. */
import { z } from 'zod'
import { type AnswerOf, contract, type Shape, shape } from '../../http/endpoint/contract.ts'
import { NO_QUERY, queryField } from '../../http/endpoint/list-query.ts'
import { LEVELS } from '../codes.ts'
import { rules } from '../entities/condition.ts'
import { runCode, runCounts, usedDefinitions } from '../entities/contract.ts'
import { FORMATS } from '../entities/report.ts'
import { OPTION_MEMBERS } from '../entities/start-options.ts'
import { OUTCOMES, reportTask } from '../entities/task.ts'

// The parts of a run.

const optional = () => z.string().optional()

/** Those of all types of triggers. */
const triggerDetail = () => ({
  actor: optional().describe('Of starts and resends.'),
  reason: optional(),
  dueAt: optional().describe('Of schedules.'),
  missed: z.int().optional().describe('Number of times that a schedule has missed.'),
  after: optional(),
  until: optional(),
  event: optional().describe('Of Qlik Sense.'),
  taskId: optional(),
  taskName: z.string().nullable().optional(),
  executionId: optional(),
  appId: optional(),
  appName: optional(),
  lastReload: optional(),
  joined: z
    .record(z.string(), z.string())
    .optional()
    .describe('Executions of a trigger that waits for all of its tasks.'),
  runId: optional().describe('Of the report task before, or the run that is repeated.'),
  outcome: z.enum(OUTCOMES).optional(),
  topic: optional().describe('Of MQTT.'),
  namespace: optional(),
  key: optional(),
  revision: z.int().optional(),
})
const firing = shape('ReportTriggerFiring', () =>
  z.strictObject({
    type: z.enum(['manual', 'schedule', 'qlikEvent', 'reportTask', 'mqtt', 'keyValue', 'resend']),
    triggerId: z.string().nullable(),
    key: z.string().describe('Identity of the firing within the trigger: an instant, an execution id.'),
    firedAt: z.string(),
    detail: z.strictObject(triggerDetail()),
  }),
)
const trigger = () =>
  firing().extend({
    detail: z.strictObject({
      ...triggerDetail(),
      merged: z.array(firing()).optional().describe('Triggers that were added while the run was waiting.'),
    }),
  })
/** The reason of a run. */
export type RunTrigger = Shape<typeof trigger>

const options = () => z.strictObject(OPTION_MEMBERS)
/** Options of one start, beside the task itself. */
export type RunOptions = Shape<typeof options>
export type RunCounts = Shape<typeof runCounts>

/** The part of a run that an event or a problem is about. */
const about = () => ({
  report: optional().describe('Key of the report in the task.'),
  block: optional(),
  recipient: optional(),
})

const event = shape('ReportRunEvent', () =>
  z.strictObject({
    at: z.string(),
    level: z.enum(LEVELS),
    code: runCode(),
    ...about(),
    details: z.string(),
  }),
)
export type RunEvent = Shape<typeof event>

const STATES = ['queued', 'running', 'delivering', 'finished'] as const
export type RunState = (typeof STATES)[number]

const listedRun = shape('ListedReportRun', () =>
  z.strictObject({
    id: z.string(),
    taskId: z.string(),
    taskName: z.string(),
    taskRevision: z.int(),
    trigger: trigger(),
    options: options(),
    state: z.enum(STATES),
    outcome: z.enum(OUTCOMES).nullable(),
    reason: runCode().nullable(),
    test: z.boolean(),
    dryRun: z.boolean(),
    repeats: z.int().optional().describe('Firings that this run stands for, when more than one.'),
    queuedAt: z.string(),
    startedAt: z.string().nullable(),
    finishedAt: z.string().nullable(),
    durationMs: z.number().nullable(),
    counts: runCounts(),
  }),
)
/** A run in a list. */
export type ListedRun = Shape<typeof listedRun>

const run = shape('ReportRun', () => listedRun().extend({ events: z.array(event()) }))
export type Run = Shape<typeof run>

const DELIVERY_STATES = ['planned', 'sending', 'sent', 'retry', 'failed', 'unknown', 'skipped'] as const
export type DeliveryState = (typeof DELIVERY_STATES)[number]

const delivery = () =>
  z.strictObject({
    id: z.string(),
    channel: z.enum(['email', 'storage', 'hub', 'notification']),
    target: z.string().describe('Address, `space:folder/file`, or id of the hub item.'),
    documents: z.array(z.string()).describe('Ids of documents.'),
    state: z.enum(DELIVERY_STATES),
    attempts: z.int(),
    nextAttemptAt: z.string().nullable(),
    lastError: z.string().nullable(),
  })
export type Delivery = Shape<typeof delivery>
export type DeliveryChannel = Delivery['channel']

const cycle = () => z.record(z.string(), z.string()).describe('The value of each field of the cycle.')

const document = () =>
  z.strictObject({
    id: z.string(),
    report: z.string().describe('Key of the report in the task.'),
    fileName: z.string(),
    format: z.enum(FORMATS),
    bytes: z.int(),
    sha256: z.string(),
    variant: z.string().describe('Set of filters that it was made with; `` = the plain one.'),
    cycle: cycle(),
  })

// The endpoints of runs.

/** A document or a template, as it is. */
export const file = () => z.string().meta({ contentMediaType: 'application/octet-stream' })

const params = () => z.object({ runId: z.string().describe('Id of the run.') })
export const taskParams = () => z.object({ taskId: z.string().describe('Id of the report task.') })

const runsQuery = () =>
  z.object({
    outcome: queryField.word(OUTCOMES).optional(),
    state: queryField.word(STATES).optional(),
    limit: queryField.integer(1, 500).optional(),
    offset: queryField.integer(0, 10_000_000).optional(),
  })
const runs = () => ({ 200: z.strictObject({ runs: z.array(listedRun()), total: z.int() }) })

const allRunsQuery = () =>
  runsQuery().extend({ taskId: queryField.text().optional(), project: queryField.text().optional() })
export type RunsQuery = z.output<ReturnType<typeof allRunsQuery>>

export const RUNS = contract({ method: 'GET', path: '/v4/reportrun', query: allRunsQuery, answers: runs })
export type Runs = AnswerOf<typeof RUNS>

export const RUNS_OF_TASK = contract({
  method: 'GET',
  path: '/v4/reporttask/{taskId}/runs',
  params: taskParams,
  query: runsQuery,
  answers: runs,
})

export const RUN = contract({
  method: 'GET',
  path: '/v4/reportrun/{runId}',
  params,
  query: () =>
    z.object({
      definition: queryField.text().describe('`1` adds the definitions that the run used.').optional(),
    }),
  answers: () => ({
    200: run()
      .extend({ definition: usedDefinitions().nullable().optional().describe('null = the run has not begun.') })
      .describe('The run.'),
  }),
})

export const RUN_LOG = contract({
  method: 'GET',
  path: '/v4/reportrun/{runId}/log',
  params,
  query: NO_QUERY,
  answers: () => ({ 200: z.string() }),
})

export const RUN_DELIVERIES = contract({
  method: 'GET',
  path: '/v4/reportrun/{runId}/deliveries',
  params,
  query: () => z.object({ state: queryField.word(DELIVERY_STATES).optional() }),
  answers: () => ({ 200: z.strictObject({ deliveries: z.array(delivery()), total: z.int() }) }),
})

export const RUN_DOCUMENTS = contract({
  method: 'GET',
  path: '/v4/reportrun/{runId}/documents',
  params,
  query: NO_QUERY,
  answers: () => ({ 200: z.strictObject({ documents: z.array(document()), total: z.int() }) }),
})
export type RunDocuments = AnswerOf<typeof RUN_DOCUMENTS>

export const RUN_DOCUMENT = contract({
  method: 'GET',
  path: '/v4/reportrun/{runId}/documents/{documentId}',
  params: () => params().extend({ documentId: z.string() }),
  query: NO_QUERY,
  answers: () => ({ 200: file().describe('The file.') }),
})

export const CANCEL_RUN = contract({
  method: ['POST', 'PUT'],
  path: '/v4/reportrun/{runId}/cancel',
  params,
  query: NO_QUERY,
  body: 'ignored',
  answers: () => ({
    202: z.strictObject({ runId: z.string(), state: z.enum(STATES), message: z.string() }),
    409: 'The run has ended.',
  }),
})

const resend = () =>
  z.strictObject({
    states: z
      .array(z.enum(['failed', 'unknown', 'sent', 'skipped']))
      .min(1)
      .default(['failed', 'unknown']),
    recipients: z.array(z.string()).min(1).max(1000).nullable().default(null),
    corrections: z.record(z.string(), z.string()).default({}),
    confirmDuplicates: z.boolean().default(false),
  })
export type Resend = Shape<typeof resend>

export const RESEND_RUN = contract({
  method: ['POST', 'PUT'],
  path: '/v4/reportrun/{runId}/resend',
  params,
  query: NO_QUERY,
  body: resend,
  answers: () => ({
    202: run().describe('The run that sends.'),
    409: 'Nothing to send again, or `confirmDuplicates` is missing.',
  }),
})

// Starts and plans.

export const start = () =>
  z.strictObject({
    taskId: z.array(z.string()).max(500).default([]),
    tag: z.array(z.string()).max(100).default([]),
    force: z.boolean().default(false),
    ...OPTION_MEMBERS,
  })
export type Start = z.output<ReturnType<typeof start>>

const startedTask = () => ({ taskId: z.string(), taskName: z.string(), runId: z.string() })

export const START_TASKS = contract({
  method: ['POST', 'PUT'],
  path: '/v4/reporttask/start',
  query: NO_QUERY,
  body: start,
  answers: () => ({
    200: z.strictObject({
      tasksStarted: z.array(
        z.strictObject({
          ...startedTask(),
          status: z.enum(['started', 'queued', 'merged']).describe('`merged`: a run that waits already is used.'),
        }),
      ),
      tasksNotFound: z.array(z.string()),
      tasksSkipped: z.array(
        z.strictObject({ ...startedTask(), code: z.enum(['TASK_DISABLED', 'TASK_BUSY', 'QUEUE_FULL']) }),
      ),
      totalTasksStarted: z.int(),
    }),
    409: 'A test needs an address; the run cannot begin.',
  }),
})
export type Started = AnswerOf<typeof START_TASKS>

/** Tasks of the body are started, too. */
export const START_TASK = contract({ ...START_TASKS, path: '/v4/reporttask/{taskId}/start', params: taskParams })

const scalar = () => z.union([z.string(), z.number(), z.null()]).optional()
const ruleResult = shape('ReportRuleResult', () =>
  z.strictObject({
    type: z.enum(rules().options.map(({ shape }) => shape.type.value)),
    met: z.boolean(),
    left: scalar(),
    right: scalar(),
    right2: scalar(),
    previous: scalar(),
    change: scalar().describe('In the unit of the rule; percent with two decimals.'),
    error: optional(),
  }),
)
export type RuleResult = Shape<typeof ruleResult>

/** Members of the result of a condition. */
export const conditionResult = () => ({ met: z.boolean(), rules: z.array(ruleResult()) })

const checkedCondition = () =>
  z.strictObject({
    conditionId: z.string(),
    name: z.string(),
    report: optional().describe('Key of the report in the task.'),
    cycle: cycle().optional(),
    ...conditionResult(),
  })
/** A condition as the plan shows it. */
export type CheckedCondition = Shape<typeof checkedCondition>

const strings = () => z.array(z.string())

export const PLAN_TASK = contract({
  method: 'POST',
  path: '/v4/reporttask/{taskId}/plan',
  params: taskParams,
  query: () =>
    z.object({
      recipient: queryField.text().describe('Only what this address gets.').optional(),
      limit: queryField.integer(1, 500).describe('How many of each list. Default: all.').optional(),
      offset: queryField.integer(0, 10_000_000).describe('How many of each list are left out before.').optional(),
    }),
  body: reportTask,
  answers: () => ({
    200: z.strictObject({
      taskId: z.string(),
      conditions: z.array(checkedCondition()),
      skipped: runCode().nullable().describe('Code of the condition that leaves nothing to do.'),
      documents: z.array(
        z.strictObject({
          report: z.string().describe('Key of the report in the task.'),
          cycle: cycle(),
          fileName: z.string(),
          variant: z.string(),
          evaluateAs: z.enum(['service', 'recipient']),
        }),
      ),
      mails: z.array(
        z.strictObject({
          to: z.string().describe('Addresses with commas between them.'),
          cc: strings().optional(),
          bcc: strings().optional(),
          subject: z.string(),
          attachments: strings().describe('File names.'),
          embedded: strings().optional().describe('Documents in the body.'),
          missing: strings().optional().describe('Documents that cannot be made.'),
        }),
      ),
      files: z.array(z.strictObject({ spaceId: z.string(), path: z.string() })),
      hub: z.array(z.strictObject({ title: z.string(), visibleTo: strings() })),
      totals: z
        .strictObject({ documents: z.int(), mails: z.int(), files: z.int(), hub: z.int() })
        .describe('Lengths of the whole lists.'),
      problems: z.array(event().omit({ at: true })),
    }),
    422: 'The app cannot be read.',
    502: 'The engine or the repository does not answer.',
  }),
})
export type Plan = AnswerOf<typeof PLAN_TASK>
export type PlanProblem = Plan['problems'][number]
