/**
 * Refusals of the REST API in the error forms that existing clients know:
 *
 * - E1, raised by an endpoint: `{"statusCode","error","message"}`, with `details` where there is more to say
 * - E2, raised before the endpoint is reached: the same with `code` in second place
 * - E3, no such route: `{"message","error","statusCode"}`
 * - E4, the short form of the start endpoint: `{"error","details"}`
 * - everything new: `{"error","details","statusCode","code","message"}`, a superset of E1
 */

/** Thrown by handlers; the server turns it into an answer. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  constructor(
    readonly status: number,
    readonly body: Readonly<Record<string, unknown>>,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(String(body.message ?? body.error))
  }
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  408: 'Request Timeout',
  409: 'Conflict',
  412: 'Precondition Failed',
  413: 'Payload Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Entity',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
}

/** The standard phrase of a status, as it stands in the member `error`. */
export function reasonPhrase(status: number): string {
  return REASONS[status] ?? (status < 500 ? 'Bad Request' : 'Internal Server Error')
}

/** E1. `details` says why, and what to do. */
export function refused(status: number, message: string, details?: string): Refusal {
  return new Refusal(status, {
    statusCode: status,
    error: reasonPhrase(status),
    message,
    ...(details !== undefined && { details }),
  })
}

/** What is refused before an endpoint is reached, by its public code. */
const PROTOCOL_ERRORS = {
  FST_ERR_VALIDATION: [400, ''],
  FST_ERR_CTP_EMPTY_JSON_BODY: [400, "Body cannot be empty when content-type is set to 'application/json'"],
  FST_ERR_CTP_INVALID_JSON_BODY: [400, "Body is not valid JSON but content-type is set to 'application/json'"],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [415, 'Unsupported Media Type'],
  FST_ERR_CTP_BODY_TOO_LARGE: [413, 'Request body is too large'],
} as const satisfies Record<string, readonly [status: number, message: string]>

/** E2. */
export function protocolError(code: keyof typeof PROTOCOL_ERRORS, message?: string): Refusal {
  const [status, text] = PROTOCOL_ERRORS[code]
  return new Refusal(status, { statusCode: status, code, error: reasonPhrase(status), message: message ?? text })
}

/** E2 of a body, query or path that does not fit its schema: `body must be array`. */
export const invalid = (message: string): Refusal => protocolError('FST_ERR_VALIDATION', message)

/** E3; `url` raw, with its query. */
export function noSuchRoute(method: string, url: string): Refusal {
  return new Refusal(404, { message: `Route ${method}:${url} not found`, error: 'Not Found', statusCode: 404 })
}

/** E4. */
export function shortError(status: number, error: string, details: string): Refusal {
  return new Refusal(status, { error, details })
}

/** The form of everything that the predecessor did not have. */
export function refusedWithCode(status: number, code: string, error: string, details: string): Refusal {
  return new Refusal(status, { error, details, statusCode: status, code, message: `${error}: ${details}` })
}
