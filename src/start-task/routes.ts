/** `POST|PUT /v4/reloadtask/{taskId}/start`: starts tasks by id, tag and custom property. */
import { callerText, requireNamespace, requireScope } from '../platform/http/caller.ts'
import { Refusal, reasonPhrase, refused, refusedWithCode, shortError } from '../platform/http/errors.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer, jsonText } from '../platform/http/route.ts'
import { validate } from '../platform/http/validation.ts'
import { isGuid } from '../platform/uuid.ts'
import { arrayAnswer, arrayLookupFailure, indented, objectAnswer, objectLookupFailure } from './answers.ts'
import { auditNote, START_ACTION } from './audit.ts'
import { checkItems } from './check-items.ts'
import { QUERY, startDescription } from './description.ts'
import { LookupError, ShadowModeError } from './errors.ts'
import { namespacesOf } from './key-values.ts'
import { parseStart } from './parse.ts'
import { NOTHING, type ParsedStart } from './parsed.ts'
import type { StartOutcome, StartRequest, StartTask } from './types.ts'

const SCOPE = 'task:run'

/** `-`, an empty segment and no segment at all mean that only the body selects tasks. */
const PATHS = ['/v4/reloadtask/{taskId}/start', '/v4/reloadtask//start', '/v4/reloadtask/start']

export function startTaskRoutes(deps: { start: StartTask }): ApiRoute[] {
  return PATHS.map((path) => ({
    methods: ['POST', 'PUT'],
    path,
    endpoint: 'senseStartTask',
    scope: SCOPE,
    action: START_ACTION,
    ...startDescription(path.includes('{taskId}')),
    handle: (request) => handle(deps, request),
  }))
}

async function handle({ start }: { start: StartTask }, request: ApiRequest): Promise<Response> {
  const parsed = request.body === undefined ? NOTHING : parseStart(request.body)
  const urlId = urlTaskId(request, parsed)
  refuseBadBody(parsed, urlId, request.body)
  const { allTaskIdsMustExist = false } = validate('querystring', QUERY, request.query)
  checkKeyValues(request, parsed)
  const { startFilter } = request.caller.limits(SCOPE)
  const wanted: StartRequest = {
    origin: 'rest',
    requestedBy: callerText(request.caller, request.client),
    dialect: parsed.dialect,
    taskIds: [...(urlId ? [urlId] : []), ...parsed.taskIds],
    tags: parsed.tags,
    customProperties: parsed.customProperties,
    match: parsed.match,
    allTaskIdsMustExist,
    keyValues: parsed.keyValues,
    ...(startFilter && { limitedTo: startFilter }),
    ...(urlId && { urlTaskId: urlId }),
  }
  const outcome = await start(wanted).catch((error: unknown) => {
    throw refusalOf(error, wanted)
  })
  request.note(auditNote(outcome))
  return answer(outcome, wanted)
}

/** Storing pairs is a right of its own. */
function checkKeyValues({ caller }: ApiRequest, { keyValues }: ParsedStart): void {
  if (keyValues.length === 0) return
  requireScope(caller, 'kv:write')
  for (const namespace of namespacesOf(keyValues)) requireNamespace(caller, 'kv:write', namespace)
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

const badTaskId = (): Refusal => shortError(400, 'Invalid task ID format', 'Task ID must be a valid GUID')

function answer(outcome: StartOutcome, { dialect, taskIds }: StartRequest): Response {
  const nothingStarted = outcome.interrupted === true && outcome.started.length === 0
  const status = nothingStarted ? 502 : 200
  return dialect === 'array'
    ? jsonText(status, indented(arrayAnswer(outcome, taskIds)))
    : jsonAnswer(status, objectAnswer(outcome))
}

function refusalOf(error: unknown, { dialect, taskIds }: StartRequest): unknown {
  if (error instanceof ShadowModeError) return refusedWithCode(409, 'SHADOW_MODE', 'Shadow mode', error.message)
  if (!(error instanceof LookupError)) return error
  const status = error.timedOut ? 504 : 502
  if (dialect !== 'array') return new Refusal(status, objectLookupFailure(error.message, error.known))
  return new Refusal(status, {
    statusCode: status,
    error: reasonPhrase(status),
    message: 'Failed starting task',
    details: `QRS request failed: ${error.message}`,
    ...arrayLookupFailure(error.known, taskIds),
  })
}
