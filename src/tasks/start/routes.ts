/** `POST|PUT /v4/reloadtask/{taskId}/start`: starts tasks by id, tag, custom property and name. */

import type { Idempotency } from '../../http/endpoint/idempotency.ts'
import type { ApiRequest, ApiRoute } from '../../http/endpoint/route.ts'
import type { Logger } from '../../platform/types.ts'
import type { ExecutionFollower } from '../executions/types.ts'
import { auditNote, START_ACTION } from './audit.ts'
import { startDescription } from './description.ts'
import { startAnswer, startRefusal } from './rest-answer.ts'
import { readStart, SCOPE } from './rest-request.ts'
import type { StartTask } from './types.ts'
import { waitForAll } from './wait.ts'

export interface StartTaskRoutesDeps {
  readonly start: StartTask
  /** Told about members of the body that look misspelt. */
  readonly log?: Logger
  /** Needed by calls that wait. */
  readonly executions?: ExecutionFollower
  /** Absent: `Idempotency-Key` is ignored. */
  readonly idempotency?: Idempotency
  /** Aborts when Footman stops: calls that wait are answered with what is known. */
  readonly stopping?: AbortSignal
}

/** `-`, an empty segment and no segment at all mean that only the body selects tasks. */
const PATHS = ['/v4/reloadtask/{taskId}/start', '/v4/reloadtask//start', '/v4/reloadtask/start']

export function startTaskRoutes(deps: StartTaskRoutesDeps): ApiRoute[] {
  const { idempotency } = deps
  return PATHS.map((path) => ({
    methods: ['POST', 'PUT'],
    path,
    endpoint: 'senseStartTask',
    butler: true,
    scope: SCOPE,
    action: START_ACTION,
    ...startDescription(path.includes('{taskId}')),
    handle: (request) =>
      idempotency ? idempotency.once(request, (id) => handle(deps, request, id)) : handle(deps, request, null),
  }))
}

/** `id` stays the same when a call with an idempotency key is repeated. */
async function handle(deps: StartTaskRoutesDeps, request: ApiRequest, id: string | null): Promise<Response> {
  const { start, executions, log } = deps
  const { wanted, waitMs, warnings } = readStart(request)
  for (const warning of warnings) log?.warn(`STARTTASK: rest request from ${wanted.requestedBy}: ${warning}`)
  const outcome = await start(id === null ? wanted : { ...wanted, id }).catch((error: unknown) => {
    throw startRefusal(error, wanted)
  })
  request.note(auditNote(outcome))
  if (waitMs === null || !executions) return startAnswer(outcome, wanted, { warnings })
  const followed = await waitForAll(outcome, executions, endOfWait(deps, request, waitMs))
  request.note(auditNote(followed.outcome))
  return startAnswer(followed.outcome, wanted, { followed, warnings })
}

function endOfWait({ stopping }: StartTaskRoutesDeps, { signal }: ApiRequest, waitMs: number): AbortSignal {
  const signals = [signal, ...(stopping ? [stopping] : [])]
  return waitMs === 0 ? AbortSignal.abort() : AbortSignal.any([...signals, AbortSignal.timeout(waitMs)])
}
