/** Errors become answers. */
import { NotLeaderError } from '../../cluster/types.ts'
import { isStorageFailure } from '../../platform/sqlite.ts'
import type { Logger } from '../../platform/types.ts'
import type { ApiContext, RequestContext } from '../context.ts'
import { jsonAnswer } from '../endpoint/route.ts'
import { clientClosed, Refusal, refusal, refused } from '../errors.ts'
import { refusalPage } from './browser-rules.ts'

/** Not a standard status, but the usual one in logs for a client that has not waited for its answer. */
const CLIENT_CLOSED = 499

/**
 * Refusals become their answer, failures of the disk 503; anything else is a fault of Footman: 500, with the reason in the
 * log only. Nothing of it is an error when the client has gone.
 */
export function createErrorAnswers(
  log: Logger,
  { accessLog }: { readonly accessLog: boolean },
): (error: unknown, c: ApiContext) => Response {
  return (error, { env, req }) => {
    // An error that an endpoint throws after its client has gone is a consequence of that.
    const hasGone = env.route !== null && !(error instanceof Refusal) && req.raw.signal.aborted
    const reason = hasGone ? clientClosed() : error
    if (!(reason instanceof Refusal) || reason.status !== CLIENT_CLOSED) return errorAnswer(reason, env, log)
    const { method, shownUrl: url, client } = env
    log[accessLog ? 'info' : 'debug'](`API: ${method} ${url} from ${client}: client closed request`)
    env.note ??= { detail: 'client closed request' }
    return new Response(null, { status: CLIENT_CLOSED })
  }
}

const STORAGE_RETRY_S = 10

/** The log and `/health` say once what to do; the answer only says that the failure passes. */
function storageAnswer(error: Error, { method, shownUrl: url, client }: RequestContext, log: Logger): Response {
  log.verbose(`API: ${method} ${url} from ${client} answered 503: ${error.message}`)
  const details = 'Footman cannot use its data directory at the moment; /health and the log say why. Try again later.'
  const { status, body } = refusal('STORAGE_UNAVAILABLE', details)
  return jsonAnswer(status, body, { 'retry-after': String(STORAGE_RETRY_S) })
}

const REPLACED =
  'This node does not lead the cluster any more. The call may have been carried out; repeat it with the same Idempotency-Key to learn what came of it.'

function errorAnswer(thrown: unknown, request: RequestContext, log: Logger): Response {
  const { method, shownUrl: url, client, requestId, headers } = request
  const error = thrown instanceof NotLeaderError ? refusal('OUTCOME_UNKNOWN', REPLACED) : thrown
  if (isStorageFailure(error)) return storageAnswer(error as Error, request, log)
  if (error instanceof Refusal) {
    const level = error.status >= 500 ? 'warn' : 'verbose'
    log[level](`API: ${method} ${url} from ${client} answered ${error.status}: ${error.message}`)
    return refusalPage(error, headers) ?? jsonAnswer(error.status, error.body, error.headers)
  }
  log.error(`API: ${method} ${url} from ${client} failed, request ${requestId}: ${String(error)}`, { fault: error })
  const { body } = refused(500, 'Internal Server Error', `The log of Footman says more about request ${requestId}.`)
  return jsonAnswer(500, body)
}
