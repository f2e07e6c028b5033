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
  428: 'Precondition Required',
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

/**
 * Every code that the API answers, with its status, what it says (in the member `error`; `message` for those of E2) and
 * the page of docs/ that explains it.
 */
export const ERRORS = {
  // Before an endpoint is reached, E2: codes that clients of the predecessor know.
  FST_ERR_VALIDATION: { status: 400, text: '', page: 'rest-api.md' },
  FST_ERR_BAD_URL: { status: 400, text: '', page: 'rest-api.md' },
  FST_ERR_CTP_EMPTY_JSON_BODY: {
    status: 400,
    text: "Body cannot be empty when content-type is set to 'application/json'",
    page: 'rest-api.md',
  },
  FST_ERR_CTP_INVALID_JSON_BODY: {
    status: 400,
    text: "Body is not valid JSON but content-type is set to 'application/json'",
    page: 'rest-api.md',
  },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: { status: 415, text: 'Unsupported Media Type', page: 'rest-api.md' },
  UNKNOWN_CHARSET: { status: 415, text: 'Unknown charset', page: 'rest-api.md#statuses' },
  FST_ERR_CTP_BODY_TOO_LARGE: { status: 413, text: 'Request body is too large', page: 'rest-api.md' },

  // The request.
  VALIDATION: { status: 400, text: 'Invalid request', page: 'rest-api.md#statuses' },
  INVALID_CURSOR: { status: 400, text: 'Invalid cursor', page: 'rest-api.md#statuses' },
  INVALID_JSON: { status: 400, text: 'Invalid JSON', page: 'reports/reference.md#errors-of-requests' },
  INVALID_ID: { status: 400, text: 'Invalid ID', page: 'rest-api.md#statuses' },
  INVALID_CRON: { status: 400, text: 'Invalid cron expression', page: 'schedules.md#cron-expressions' },
  INVALID_TIMEZONE: { status: 400, text: 'Invalid time zone', page: 'schedules.md#further-members-of-a-schedule' },
  INVALID_PATTERN: { status: 400, text: 'Invalid naming pattern', page: 'reports/documents.md#naming-patterns' },
  INVALID_EXPRESSION: { status: 400, text: 'Invalid expression', page: 'reports/reference.md#errors-of-requests' },
  WRONG_PROJECT: { status: 400, text: 'Wrong project', page: 'reports/reference.md#projects' },
  UNKNOWN_REFERENCE: { status: 400, text: 'Unknown reference', page: 'reports/reference.md#errors-of-requests' },
  FORMAT_NOT_POSSIBLE: { status: 400, text: 'Format not possible', page: 'reports/documents.md#formats' },
  CONVERTER_MISSING: { status: 400, text: 'Converter missing', page: 'reports/documents.md#formats' },
  TRIGGER_CYCLE: { status: 400, text: 'Trigger cycle', page: 'reports/reference.md#errors-of-requests' },
  TEMPLATE_INVALID: { status: 400, text: 'Template invalid', page: 'reports/templates.md#templates-of-reports' },
  TEMPLATE_UNSAFE: { status: 400, text: 'Template unsafe', page: 'reports/templates.md#templates-of-reports' },
  TEMPLATE_UNSUPPORTED: {
    status: 400,
    text: 'Template not supported',
    page: 'reports/templates.md#templates-of-reports',
  },
  TEMPLATE_TOO_LARGE: { status: 400, text: 'Template too large', page: 'reports/templates.md#templates-of-reports' },
  TEMPLATE_TAG_UNKNOWN: {
    status: 400,
    text: 'Unknown tag in template',
    page: 'reports/templates.md#templates-of-reports',
  },
  TEMPLATE_LOOP: {
    status: 400,
    text: 'Loop in template cannot be repeated',
    page: 'reports/templates.md#templates-of-reports',
  },
  NOTHING_SELECTED: { status: 400, text: 'Nothing selected', page: 'events.md#send-again' },
  REQUEST_TIMEOUT: { status: 408, text: 'Request Timeout', page: 'security.md#slow-many-and-lost-connections' },
  BODY_TOO_LARGE: { status: 413, text: 'Value too large', page: 'load-scripts.md' },
  RATE_LIMITED: { status: 429, text: 'Too Many Requests', page: 'security.md#slow-many-and-lost-connections' },
  CLIENT_CLOSED_REQUEST: {
    status: 499,
    text: 'Client Closed Request',
    page: 'security.md#slow-many-and-lost-connections',
  },

  // The caller.
  UNAUTHENTICATED: { status: 401, text: 'Unauthorized', page: 'security.md#statuses-of-refused-calls' },
  FORBIDDEN: { status: 403, text: 'Forbidden', page: 'security.md#statuses-of-refused-calls' },
  ADDRESS_NOT_ALLOWED: { status: 403, text: 'Forbidden', page: 'security.md#statuses-of-refused-calls' },
  HOST_NOT_ALLOWED: { status: 403, text: 'Host not allowed', page: 'security.md#requests-of-browsers' },
  CSRF: { status: 403, text: 'Form not accepted', page: 'console.md#security' },
  CROSS_SITE: { status: 403, text: 'Request of another site', page: 'security.md#requests-of-browsers' },

  // Things that the request names.
  ACTION_NOT_FOUND: { status: 404, text: 'Action not found', page: 'console.md' },
  ATTENTION_NOT_FOUND: { status: 404, text: 'Item not found', page: 'safety-net.md#see-what-needs-attention' },
  DELIVERY_NOT_FOUND: { status: 404, text: 'Delivery not found', page: 'events.md' },
  DESTINATION_NOT_FOUND: { status: 404, text: 'Destination not found', page: 'destinations/README.md' },
  EVENT_NOT_FOUND: { status: 404, text: 'Event not found', page: 'events.md' },
  EXECUTION_NOT_FOUND: { status: 404, text: 'Execution not found', page: 'start-tasks.md#over-rest' },
  JOB_NOT_FOUND: { status: 404, text: 'File job not found', page: 'load-scripts.md#large-files' },
  LOG_NOT_AVAILABLE: { status: 404, text: 'Script log not available', page: 'start-tasks.md#over-rest' },
  QUEUE_ENTRY_NOT_FOUND: { status: 404, text: 'Queue entry not found', page: 'start-tasks.md#the-start-queue' },
  RECIPIENT_NOT_FOUND: { status: 404, text: 'Recipient not found', page: 'reports/reference.md#endpoints' },
  RECIPIENTGROUP_NOT_FOUND: { status: 404, text: 'Recipient group not found', page: 'reports/reference.md#endpoints' },
  REPORT_NOT_FOUND: { status: 404, text: 'Report not found', page: 'reports/reference.md#endpoints' },
  REPORTCONDITION_NOT_FOUND: {
    status: 404,
    text: 'Report condition not found',
    page: 'reports/reference.md#endpoints',
  },
  REPORTFILTER_NOT_FOUND: { status: 404, text: 'Report filter not found', page: 'reports/reference.md#endpoints' },
  APP_NOT_FOUND: { status: 422, text: 'App not found', page: 'reports/reference.md#endpoints' },
  DOCUMENT_GONE: { status: 404, text: 'Document not found', page: 'reports/reference.md#endpoints' },
  ENGINE_UNREACHABLE: { status: 502, text: 'The Qlik engine does not answer', page: 'reports/reference.md#endpoints' },
  OBJECT_NOT_FOUND: { status: 422, text: 'Object not found', page: 'reports/reference.md#endpoints' },
  REPORT_NOT_MADE: { status: 422, text: 'The report cannot be made', page: 'reports/reference.md#codes-of-runs' },
  RUN_NOT_FOUND: { status: 404, text: 'Run not found', page: 'reports/reference.md#endpoints' },
  RUN_NOT_CANCELLABLE: { status: 409, text: 'Run cannot be cancelled', page: 'reports/reference.md#endpoints' },
  NOTHING_TO_RESEND: { status: 409, text: 'Nothing to send again', page: 'reports/reference.md#endpoints' },
  REPORTTASK_NOT_FOUND: { status: 404, text: 'Report task not found', page: 'reports/reference.md#endpoints' },
  NO_CLUSTER: { status: 404, text: 'No cluster', page: 'several-nodes.md' },
  NO_CANDIDATE: { status: 409, text: 'No other node can lead', page: 'several-nodes.md#upgrade' },
  NODE_RUNS: { status: 409, text: 'Node is running', page: 'several-nodes.md#adding-and-removing-nodes' },
  NODE_NOT_FOUND: { status: 404, text: 'Node not found', page: 'several-nodes.md#adding-and-removing-nodes' },
  ROUTE_NOT_FOUND: { status: 404, text: 'Route not found', page: 'alert-rules.md' },
  SCHEDULE_NOT_FOUND: { status: 404, text: 'Schedule not found', page: 'schedules.md#endpoints' },
  SELF_TEST_NOT_FOUND: { status: 404, text: 'Self-test not found', page: 'doctor.md' },
  MAINTENANCE_NOT_FOUND: { status: 404, text: 'Maintenance not found', page: 'alert-rules.md' },
  SESSION_NOT_FOUND: { status: 404, text: 'Session not found', page: 'console.md' },
  SETTING_NOT_FOUND: { status: 404, text: 'Setting not found', page: 'settings.md' },
  SNOOZE_NOT_FOUND: { status: 404, text: 'Snooze not found', page: 'alert-rules.md' },
  TASK_NOT_FOUND: { status: 404, text: 'Task not found', page: 'safety-net.md#see-what-needs-attention' },
  TEMPLATE_NOT_FOUND: { status: 404, text: 'Template not found', page: 'reports/templates.md#templates-of-reports' },

  // The state of things.
  IDEMPOTENCY_KEY_REUSED: { status: 409, text: 'Idempotency key reused', page: 'rest-api.md' },
  FROM_FILE: { status: 409, text: 'Stands in the configuration', page: 'alert-rules.md' },
  IN_USE: { status: 409, text: 'In use', page: 'reports/reference.md#errors-of-requests' },
  NAME_TAKEN: { status: 409, text: 'Name taken', page: 'reports/reference.md#errors-of-requests' },
  NOT_A_NUMBER: { status: 409, text: 'Not a number', page: 'load-scripts.md#endpoints' },
  NOT_CANCELLABLE: { status: 409, text: 'Not cancellable', page: 'rest-api.md#statuses' },
  NOT_PRIMARY: { status: 409, text: 'Not the primary', page: 'operations.md' },
  NOT_RESENDABLE: { status: 409, text: 'Not resendable', page: 'events.md#send-again' },
  QUEUE_FULL: { status: 409, text: 'Queue full', page: 'start-tasks.md#the-start-queue' },
  SETTING_CHANGED: { status: 409, text: 'Changed meanwhile', page: 'settings.md#two-people' },
  SETTING_IN_USE: { status: 409, text: 'Setting in use', page: 'settings.md#rest' },
  SETTINGS_LOCKED: { status: 409, text: 'Settings are locked', page: 'settings.md#files-that-rule' },
  SETTING_WITHOUT_TEST: { status: 409, text: 'No test', page: 'settings.md#rest' },
  SETTING_REVISION_NEEDED: { status: 428, text: 'Revision needed', page: 'settings.md#two-people' },
  SHADOW_MODE: { status: 409, text: 'Shadow mode', page: 'rest-api.md#statuses' },
  TASK_INCOMPLETE: { status: 409, text: 'Report task is incomplete', page: 'reports.md#start-stop-watch' },
  UDP_NOT_LISTENING: { status: 409, text: 'UDP is not listened to', page: 'doctor.md' },
  REVISION_MISMATCH: { status: 412, text: 'Revision mismatch', page: 'load-scripts.md#update-a-pair-safely' },
  REPOSITORY_UNREACHABLE: { status: 502, text: 'Repository unreachable or refusing', page: 'rest-api.md#statuses' },
  STORAGE_UNAVAILABLE: {
    status: 503,
    text: 'Storage unavailable',
    page: 'operations.md#disk-full-directory-missing-database-damaged',
  },
  NO_LEADER: { status: 503, text: 'No leader', page: 'several-nodes.md#when-something-is-away' },
  CLUSTER_UNAVAILABLE: { status: 503, text: 'Cluster unavailable', page: 'several-nodes.md#when-something-is-away' },
  OUTCOME_UNKNOWN: { status: 504, text: 'Outcome unknown', page: 'several-nodes.md#when-something-is-away' },
  TOO_MANY_BODIES: {
    status: 503,
    text: 'Too many request bodies',
    page: 'security.md#slow-many-and-lost-connections',
  },
  TOO_MANY_FILES: {
    status: 503,
    text: 'Too many Office files',
    page: 'security.md#slow-many-and-lost-connections',
  },
  TOO_MANY_STREAMS: { status: 503, text: 'Too many streams', page: 'events.md#follow' },
} as const satisfies Record<string, { status: number; text: string; page: string }>

export type ErrorCode = keyof typeof ERRORS

/** E2. `message` replaces the text of the list. */
export function protocolError(code: ErrorCode, message?: string): Refusal {
  const { status, text } = ERRORS[code]
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

/** The form of everything that the predecessor did not have. `error` replaces the text of the list. */
export function refusal(
  code: ErrorCode,
  details: string,
  { error = ERRORS[code].text, ...more }: { readonly error?: string; readonly [member: string]: unknown } = {},
  headers: Readonly<Record<string, string>> = {},
): Refusal {
  const { status } = ERRORS[code]
  return new Refusal(
    status,
    { error, details, statusCode: status, code, message: `${error}: ${details}`, ...more },
    headers,
  )
}

/** The answer that the client is not there to see; for log, metrics and audit. */
export const clientClosed = (): Refusal => refusal('CLIENT_CLOSED_REQUEST', 'the client closed the request')

/** The 409 of all endpoints that send something, while Footman only watches. */
export function shadowRefusal(): Refusal {
  return refusal(
    'SHADOW_MODE',
    'Footman runs in shadow mode, which sends nothing. Run it without --shadow and Butler.footman.shadow.',
  )
}
