/** How the store's refusals and failures are answered. */
import { Refusal, refused, refusedWithCode } from '../http/endpoint/errors.ts'
import type { ApiRequest } from '../http/endpoint/route.ts'
import { isStorageTrouble } from '../platform/sqlite.ts'
import type { Logger } from '../platform/types.ts'
import { KeyValueRefusal, type Reason } from './types.ts'

type Handler = (request: ApiRequest) => Response | Promise<Response>

export const parameterMissing = (details: string): Refusal => refused(400, 'Required parameter is missing', details)

/** `failure` is the message of the 500 when the storage fails. */
export function guarded(log: Logger, failure: string, handle: Handler): Handler {
  const refuse = (error: unknown, { requestId }: ApiRequest): never => {
    if (error instanceof Refusal) throw error
    if (error instanceof KeyValueRefusal) throw refusalOf(error, log)
    if (isStorageTrouble(error)) throw error
    log.error(`KEYVALUE: ${failure}, request ${requestId}: ${error}`)
    throw refused(500, failure, `The log of Footman says more about request ${requestId}.`)
  }
  // What is read is there at once, and needs no promise.
  return (request) => {
    try {
      const answer = handle(request)
      return answer instanceof Response ? answer : answer.catch((error: unknown) => refuse(error, request))
    } catch (error) {
      return refuse(error, request)
    }
  }
}

function refusalOf({ reason, message }: KeyValueRefusal, log: Logger): Refusal {
  log.verbose(`KEYVALUE: ${reason.kind === 'noKey' ? missingKey(reason) : message}`)
  switch (reason.kind) {
    case 'noNamespace':
    case 'noKey':
      return refused(400, message)
    case 'full':
      return refused(400, message, 'Delete keys, or raise Butler.keyValueStore.maxKeysPerNamespace.')
    case 'tooLarge':
      return refusedWithCode(413, 'BODY_TOO_LARGE', 'Value too large', message)
    case 'notANumber':
      return refusedWithCode(409, 'NOT_A_NUMBER', 'Not a number', message)
    case 'revision': {
      const { status, body } = refusedWithCode(412, 'REVISION_MISMATCH', 'Revision mismatch', message)
      return new Refusal(status, { ...body, currentRevision: reason.current })
    }
  }
}

const missingKey = ({ key, namespace }: Extract<Reason, { kind: 'noKey' }>): string =>
  `Key ${key} not found in namespace ${namespace}.`
