/** What a call of the start endpoint asks for. */
import { type Caller, callerText, requireNamespace, requireScope } from '../../http/endpoint/caller.ts'
import { type Refusal, refused, shortError } from '../../http/endpoint/errors.ts'
import { integerParameter } from '../../http/endpoint/list-query.ts'
import type { ApiRequest } from '../../http/endpoint/route.ts'
import { validate } from '../../http/endpoint/validation.ts'
import { isGuid } from '../../platform/uuid.ts'
import { checkItems } from './check-items.ts'
import { QUERY } from './description.ts'
import { namespacesOf } from './key-values.ts'
import { parseStart } from './parse.ts'
import { NOTHING, type ParsedStart } from './parsed.ts'
import type { StartRequest } from './types.ts'
import { unknownMemberWarnings } from './unknown-members.ts'

export const SCOPE = 'task:run'

const MAX_WAIT_SECONDS = 3600
const MAX_CONCURRENT = 100
/** Of malformed ids. */
const NAMED_IDS = 5
const NAMED_LENGTH = 100

export interface RestStart {
  readonly wanted: StartRequest
  /** How long the answer may wait for the tasks; null = as it always was, without telling about executions. */
  readonly waitMs: number | null
  /** What was not understood. */
  readonly warnings: readonly string[]
}

/** Throws a `Refusal` for whatever is wrong with the call. */
export function readStart(request: ApiRequest): RestStart {
  const parsed = request.body === undefined ? NOTHING : parseStart(request.body)
  const urlId = urlTaskId(request, parsed)
  noteBadIds(request, parsed, urlId)
  refuseBadBody(parsed, urlId, request.body)
  const { allTaskIdsMustExist = false } = validate('querystring', QUERY, request.query)
  const waitSeconds = integerParameter(request.query, 'wait', 0, MAX_WAIT_SECONDS)
  const maxConcurrent = integerParameter(request.query, 'maxConcurrent', 1, MAX_CONCURRENT)
  checkKeyValues(request.caller, parsed)
  const { startFilter } = request.caller.limits(SCOPE)
  const wanted: StartRequest = {
    origin: 'rest',
    requestedBy: callerText(request.caller, request.client),
    actor: request.caller.actor,
    dialect: parsed.dialect,
    taskIds: [...(urlId ? [urlId] : []), ...parsed.taskIds],
    tags: parsed.tags,
    customProperties: parsed.customProperties,
    taskNames: parsed.taskNames,
    match: parsed.match,
    allTaskIdsMustExist,
    keyValues: parsed.keyValues,
    ...(startFilter && { limitedTo: startFilter }),
    ...(urlId && { urlTaskId: urlId }),
    ...(maxConcurrent !== null && { maxConcurrent }),
  }
  const warnings = unknownMemberWarnings(parsed, parsed.selects || urlId !== null)
  return { wanted, waitMs: waitSeconds === null ? null : waitSeconds * 1000, warnings }
}

/** Null when the URL names no task. */
function urlTaskId({ params }: ApiRequest, { dialect }: ParsedStart): string | null {
  const { taskId = '-' } = params
  if (taskId === '-' || taskId === '') return null
  return dialect === 'array' && isGuid(taskId) ? taskId.toLowerCase() : taskId
}

function refuseBadBody({ dialect, problems }: ParsedStart, urlId: string | null, body: unknown): void {
  if (dialect === 'array') checkItems(Array.isArray(body) ? body : [body])
  const [problem] = problems
  if (dialect === 'array' && problem?.kind === 'shape') throw refused(400, 'Failed starting task', problem.details)
  if (dialect === 'object' && urlId !== null && !isGuid(urlId)) throw badTaskId()
  if (problem?.kind === 'taskId') throw badTaskId()
  if (problem) throw shortError(400, 'Invalid request body', problem.details)
}

/** The answer has a fixed text: the audit and its log line name the ids. */
function noteBadIds(request: ApiRequest, { dialect, problems }: ParsedStart, urlId: string | null): void {
  if (dialect !== 'object') return
  const inBody = problems.flatMap((problem) => (problem.kind === 'taskId' ? [problem.value] : []))
  const bad = [...(urlId !== null && !isGuid(urlId) ? [urlId] : []), ...inBody]
  if (bad.length === 0) return
  const named = bad.slice(0, NAMED_IDS).map((id) => id.slice(0, NAMED_LENGTH))
  const more = bad.length > NAMED_IDS ? ` and ${bad.length - NAMED_IDS} more` : ''
  request.note({ target: named, detail: `Task ID not valid: ${named.join(', ')}${more}` })
}

const badTaskId = (): Refusal => shortError(400, 'Invalid task ID format', 'Task ID must be a valid GUID')

/** Storing pairs is a right of its own. */
export function checkKeyValues(caller: Caller, { keyValues = [] }: Pick<StartRequest, 'keyValues'>): void {
  if (keyValues.length === 0) return
  requireScope(caller, 'kv:write')
  for (const namespace of namespacesOf(keyValues)) requireNamespace(caller, 'kv:write', namespace)
}
