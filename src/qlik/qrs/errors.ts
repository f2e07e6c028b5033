/** Why QRS gave no usable answer. */
import { errorText } from '../../platform/errors.ts'
import { HttpError } from '../../platform/http-exchange.ts'

export type QrsErrorKind =
  /** No connection, TLS failure, connection cut, certificates not readable. */
  | 'unreachable'
  | 'timeout'
  /** The caller's signal ended the request. */
  | 'aborted'
  /** Another status than the ones expected; `status` says which. */
  | 'status'
  /** JSON was expected: an HTML page of a proxy, a truncated answer. */
  | 'notJson'
  /** JSON, but not of the form that was asked for. */
  | 'shape'

/** The request; `endpoint` is readable (not percent-encoded) and without the xrfkey. */
export interface QrsCall {
  readonly endpoint: string
  readonly host: string
  readonly port: number
  readonly method: string
  readonly expectedStatus: readonly number[]
}

const MAX_BODY = 200

/** The message is one line: `endpoint: about, host: qs, port: 4242, method: GET, expectedStatus: 200, status: 500, body: ...`. */
export class QrsError extends Error {
  override readonly name = 'QrsError'
  readonly kind: QrsErrorKind
  readonly status: number | null
  /** The right that the user lacks, for a 403; null otherwise. */
  readonly missingRight: string | null
  /** At most 200 characters of what QRS answered. */
  readonly body: string
  /** No connection was made: QRS cannot have got the request. */
  readonly isUnsent: boolean

  constructor(
    kind: QrsErrorKind,
    call: QrsCall,
    detail: { status?: number; body?: string; reason?: string; cause?: unknown; isUnsent?: boolean },
  ) {
    const body = (detail.body ?? '').slice(0, MAX_BODY)
    super(describe(call, { ...detail, body }), { cause: detail.cause })
    this.kind = kind
    this.status = detail.status ?? null
    this.missingRight = detail.status === 403 ? rightFor(call) : null
    this.body = body
    this.isUnsent = detail.isUnsent ?? false
  }
}

function describe(call: QrsCall, detail: { status?: number; body: string; reason?: string }): string {
  const parts: (readonly [string, string | number])[] = [
    ['endpoint', call.endpoint],
    ['host', call.host],
    ['port', call.port],
    ['method', call.method],
    ['expectedStatus', call.expectedStatus.join(' or ')],
  ]
  if (detail.status !== undefined) parts.push(['status', detail.status])
  if (detail.reason) parts.push(['error', detail.reason])
  if (detail.body) parts.push(['body', detail.body.replace(/\s+/g, ' ')])
  return parts.map(([name, value]) => `${name}: ${value}`).join(', ')
}

/** Resources of security rules by the first part of the endpoint. */
const RESOURCES: Readonly<Record<string, string>> = {
  executionresult: 'ExecutionResult_*',
  executionsession: 'ExecutionSession_*',
  task: 'ReloadTask_*',
  reloadtask: 'ReloadTask_*',
  externalprogramtask: 'ExternalProgramTask_*',
  compositeevent: 'CompositeEvent_*',
  schemaevent: 'SchemaEvent_*',
  app: 'App_*',
  user: 'User_*',
  custompropertydefinition: 'CustomPropertyDefinition_*',
  servernodeconfiguration: 'ServerNodeConfiguration_*',
}

/** The right that a security rule of the QMC has to give, so that QRS does not answer 403. */
export function rightFor(call: QrsCall): string {
  const { endpoint } = call
  const resource = RESOURCES[endpoint.split(/[/?]/, 1)[0]!.toLowerCase()] ?? 'it'
  const action = isRead(call) ? 'read' : 'change'
  return `the user in Butler.configQRS.headers.static (X-Qlik-User) needs a security rule of the QMC to ${action} ${resource}`
}

export const isRead = ({ endpoint, method }: QrsCall): boolean => method === 'GET' || endpoint.includes('/table')

/** Turns what the HTTP client rejects with into a `QrsError`. */
export function toQrsError(call: QrsCall, error: unknown): QrsError {
  if (error instanceof QrsError) return error
  const reason = errorText(error)
  const isUnsent = error instanceof HttpError && UNSENT.includes(error.kind)
  return new QrsError(kindOf(error), call, {
    reason,
    cause: error instanceof Error ? error.cause : undefined,
    isUnsent,
  })
}

const UNSENT: readonly HttpError['kind'][] = ['refused', 'dns', 'tls']

function kindOf(error: unknown): QrsErrorKind {
  if (!(error instanceof HttpError)) return 'unreachable'
  if (error.kind === 'timeout' || error.kind === 'aborted') return error.kind
  return error.kind === 'tooLarge' ? 'shape' : 'unreachable'
}
