/** The contracts of starts and of the start queue. The body decides about the form of the answer to a start. */
import { z } from 'zod'
import { type AnswerOf, contract, type Shape, shape } from '../../http/endpoint/contract.ts'
import { NO_QUERY, queryField } from '../../http/endpoint/list-query.ts'
import { field } from '../../http/endpoint/validation.ts'
import { once } from '../../platform/once.ts'
import { isGuid } from '../../platform/uuid.ts'
import { summary, taskRef } from '../executions/contract.ts'

const customProperty = shape('CustomPropertyValue', () => z.strictObject({ name: z.string(), value: z.string() }))
/** The reason at a list with elements that are no texts; all of them are one problem. */
export const MIXED = 'must be an array of strings'

type Texts = string | number | boolean

/** Numbers and booleans count as text, as load scripts send them. */
const asText = <T extends z.ZodType>(text: T) =>
  z.preprocess(
    (value: Texts) => (typeof value === 'number' || typeof value === 'boolean' ? String(value) : value),
    text,
  )

const filled = (type = 'is missing', empty = type) => asText(z.string({ error: type }).min(1, { error: empty }))

/** Values that are no texts are kept as JSON: `0`, `false`, `{"a":1}`. */
const jsonText = (value: z.core.util.JSONType) =>
  value === undefined || value === null || typeof value === 'string' ? value : JSON.stringify(value)

/** Load scripts send texts, an empty one for no expiry. */
function milliseconds(value: number | string | boolean | null): unknown {
  if (value === null || value === '') return 0
  return typeof value === 'object' ? value : Number(value)
}

/** A pair is read when it is stored: one that is incomplete does not keep the tasks from being started. */
export const keyValue = once(() =>
  z.looseObject({
    namespace: filled(),
    key: filled(),
    value: z.preprocess(jsonText, z.string().min(1)),
    ttl: z.preprocess(milliseconds, z.number()).describe('Milliseconds; 0 or absent = no expiry.').optional(),
  }),
)

/** Documents the body and reads it: `parse.ts` takes the elements that fit, and names the others by these messages. */
export const objectBody = shape('StartInput', () => {
  const names = () => filled(MIXED, 'must not hold an empty string')
  const wanted = () => filled('must be an array of objects with name and value')
  return z
    .looseObject({
      taskId: z
        .array(asText(z.string({ error: MIXED }).refine(isGuid, { error: 'must be a GUID' })))
        .describe('Start these tasks.')
        .optional(),
      tag: z.array(names()).describe('Start all tasks that carry any of these tags.').optional(),
      customProperty: z
        .array(
          z.object({ name: wanted(), value: wanted() }, { error: 'must be an array of objects with name and value' }),
        )
        .describe('Start tasks with any of these values.')
        .optional(),
      taskName: z
        .array(names())
        .describe('Start tasks with these names: `*` stands for any text, `?` for one character, case is ignored.')
        .optional(),
      match: z
        .enum(['any', 'all'], { error: 'must be "any" or "all"' })
        .describe(
          '`all`: only tasks that are among the ids, match a name, carry every tag and have every value. Default `any`.',
        )
        .optional(),
      keyValueStore: z.array(keyValue()).describe('Stored before the tasks are started.').optional(),
    })
    .describe('Selects tasks; each is started once, however many selectors match it.')
})

const item = <Type extends string, T extends z.ZodType>(type: Type, payload: T) =>
  z.looseObject({ type: z.literal(type), payload })

/** An item of the older form: `{"type":"starttasktag","payload":{"tag":"startTask1"}}`. */
export const startItem = once(() =>
  z.union([
    item('starttaskid', z.looseObject({ taskId: filled() })),
    item('starttasktag', z.looseObject({ tag: filled() })),
    item('starttaskcustomproperty', z.looseObject({ customPropertyName: filled(), customPropertyValue: filled() })),
    item('keyvaluestore', keyValue()),
  ]),
)

const arrayBody = shape('StartListInput', () =>
  z.array(startItem()).describe('The older form: a list of objects with type and payload.'),
)

const denied = shape('DeniedSelector', () =>
  z.union([
    z.strictObject({ taskId: z.string() }),
    z.strictObject({ tag: z.string() }),
    z.strictObject({ customProperty: customProperty() }),
  ]),
)
/** A selector that the start filter does not allow. */
export type Denied = Shape<typeof denied>

const started = shape('StartedTask', () =>
  taskRef().extend({
    status: z.literal('started'),
    executionId: z.string().nullable().describe('Only with `wait`.').optional(),
    execution: summary().nullable().describe('How far it is. Only with `wait`.').optional(),
  }),
)
export type StartedTask = Shape<typeof started>

const queued = () =>
  z
    .array(taskRef().extend({ status: z.literal('queued'), queueId: z.string() }))
    .describe('Tasks that wait in the start queue; absent when there are none.')
    .optional()
export type QueuedTasks = Shape<typeof queued>

const perhapsStarted = () =>
  z
    .literal(true)
    .describe('Qlik Sense was asked to start it and gave no answer: it may run. Absent otherwise.')
    .optional()

const objectAnswer = shape('StartAnswer', () =>
  z
    .strictObject({
      tasksStarted: z.array(started()),
      tasksNotFound: z.array(z.string()).describe('Ids that Qlik Sense does not know.'),
      totalTasksStarted: z.int(),
      tasksDenied: z
        .array(denied())
        .describe('Tasks that the start filter does not allow; absent when there are none.')
        .optional(),
      tasksFailed: z
        .array(taskRef().extend({ status: z.literal('failed'), error: z.string(), perhapsStarted: perhapsStarted() }))
        .describe('Tasks that Qlik Sense refused to start, or gave no answer about; absent when there are none.')
        .optional(),
      tasksQueued: queued(),
      warnings: z
        .array(z.string())
        .describe('Members of the body that were ignored and look misspelt; absent when there are none.')
        .optional(),
    })
    .describe('Answer to an object, or to no body.'),
)
export type ObjectAnswer = Shape<typeof objectAnswer>

const arrayAnswer = shape('StartAnswerList', () =>
  z
    .strictObject({
      tasksId: z.strictObject({
        started: z.array(taskRef()),
        invalid: z.array(z.strictObject({ taskId: z.string() })),
        denied: z.array(taskRef().partial({ taskName: true })),
      }),
      tasksTag: z.array(taskRef()),
      tasksTagDenied: z.array(z.strictObject({ tag: z.string() })),
      tasksCP: z.array(taskRef()),
      tasksCPDenied: z.array(customProperty()),
      tasksFailed: z.array(taskRef().extend({ perhapsStarted: perhapsStarted() })).optional(),
      tasksQueued: queued(),
      executions: z.array(started()).describe('Only with `wait`.').optional(),
    })
    .describe('Answer to an array.'),
)
export type ArrayAnswer = Shape<typeof arrayAnswer>

const preview = shape('PreviewedStart', () =>
  z
    .strictObject({
      tasksStarted: z.array(taskRef().extend({ status: z.literal('would start') })),
      tasksDenied: z.array(denied()).describe('Selectors that the start filter does not allow.'),
      tasksDisabled: z.array(taskRef()),
      tasksRunning: z.array(taskRef()).describe('They wait or run already.'),
      tasksNotFound: z.array(z.string()),
      follows: z.int().describe('Tasks that run after the success of those that would be started.'),
    })
    .describe('Answer to `dryRun`.'),
)
export type PreviewedStart = Shape<typeof preview>

export const butlerQuery = once(() =>
  z.looseObject({
    allTaskIdsMustExist: field
      .boolean()
      .describe('Start none of the tasks given by id unless all ids are known. Tags and properties are not concerned.')
      .optional(),
  }),
)

export const footmanQuery = once(() =>
  z.object({
    wait: queryField
      .integer(0, 3600)
      .describe(
        'Seconds that the answer may wait until all tasks are final: 200 then, 202 when the time was over. Started tasks come with their execution ids; `0` answers at once.',
      )
      .optional(),
    maxConcurrent: queryField
      .integer(1, 100)
      .describe('So many tasks of this call run at a time; the others wait in the start queue.')
      .optional(),
    dryRun: queryField
      .boolean()
      .describe('Only answer which tasks would be started, and how many follow; nothing is started or stored.')
      .optional(),
  }),
)

/** Documents the query; the parts are read by the rules of either kind of endpoint. */
export const startQuery = () => butlerQuery().extend(footmanQuery().shape)
export const startBody = () => z.xor([objectBody(), arrayBody()]).optional()

export const START_TASKS = contract({
  method: ['POST', 'PUT'],
  path: '/v4/reloadtask/{taskId}/start',
  params: () =>
    z.object({
      taskId: z.string().describe('A task to start besides those of the body; `-` = only those of the body.'),
    }),
  query: startQuery,
  body: startBody,
  answers: () => ({
    200: z.xor([objectAnswer(), arrayAnswer(), preview()]).describe('The started tasks.'),
    202: z
      .xor([objectAnswer(), arrayAnswer()])
      .describe('The started tasks; the time to wait was over before all of them were final.'),
    400: z
      .union([
        z.object({ error: z.string(), details: z.string() }),
        z.looseObject({ statusCode: z.int(), error: z.string(), message: z.string() }),
      ])
      .describe('The body is wrong; nothing was started.'),
    409: 'Footman runs in shadow mode, which starts nothing; or the start queue is full; or the Idempotency-Key belongs to another call.',
    502: 'Qlik Sense is unreachable or refuses; nothing was started unless the answer says so (`tasksStarted`, `perhapsStarted`, `tasksPerhapsStarted`).',
    504: 'Qlik Sense is silent; nothing was started, except perhaps the `tasksPerhapsStarted` of an earlier attempt with the same `Idempotency-Key`.',
  }),
})

export const START_QUEUE = contract({
  method: 'GET',
  path: '/v4/startqueue',
  query: NO_QUERY,
  answers: () => ({
    200: z
      .strictObject({
        running: z.int().describe('Tasks that Footman has started and that are not final.'),
        maxConcurrent: z.int().describe('Most of them at a time; 0 = no limit.'),
        queue: z.array(
          z.strictObject({
            queueId: z.string(),
            position: z.int().describe('1 = next.'),
            ...taskRef().shape,
            actor: z.string().describe('The caller that requested the start.'),
            queuedAt: z.string(),
          }),
        ),
      })
      .describe('The queue.'),
  }),
})

export type StartQueue = AnswerOf<typeof START_QUEUE>

export const REMOVE_QUEUED = contract({
  method: 'DELETE',
  path: '/v4/startqueue/{queueId}',
  params: () => z.object({ queueId: z.string().describe('An entry; `-` = all.') }),
  answers: () => ({ 204: z.void().describe('Removed.') }),
})
