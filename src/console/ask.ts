/** Calls of the REST API in this process, with the rights of the person who looks at the page. */
import type { Identity } from '../http/endpoint/caller.ts'
import {
  type AnswerOf,
  type AnyCall,
  type AnyContract,
  type AnyQuery,
  addressOf,
  type CallArguments,
} from '../http/endpoint/contract.ts'
import { type Method, objectOf, type PageAccess } from '../http/endpoint/route.ts'
import { ownJson } from '../platform/json.ts'

export interface Failure {
  readonly ok: false
  readonly status: number
  /** The error text of the API. */
  readonly error: string
  readonly details: string
  readonly code: string
  readonly requestId: string
  readonly issues: readonly { readonly path: string; readonly message: string }[]
  /** The whole answer: `/health` has its parts also with 503. */
  readonly body?: unknown
}

/** The failure of a page whose thing is not there: some endpoints answer 400 for it, as the predecessor did. */
export const asMissing = (failure: Failure, what: string): Failure =>
  failure.status === 400 && failure.issues.length === 0
    ? { ...failure, status: 404, error: `This ${what} is not there; it may have been deleted` }
    : failure

export type Asked<T> =
  | { readonly ok: true; readonly status: number; readonly data: T; readonly headers: Headers }
  | Failure

export type Query = AnyQuery

interface AskOptions {
  /** After this time the part of the page goes out without the answer. */
  readonly withinMs?: number
  /** Answers that are no JSON are `Uint8Array` instead of texts. */
  readonly bytes?: true
  readonly headers?: Readonly<Record<string, string>>
}

export interface Ask {
  /** Calls the endpoint of a contract. The value must not be changed: it may be that of the endpoint. */
  <C extends AnyContract>(contract: C, ...call: CallArguments<C, AskOptions>): Promise<Asked<AnswerOf<C>>>
  /** Texts and bytes go out as they are, with the content type of the headers; everything else as JSON. */
  call(method: Method, path: string, body?: unknown, options?: AskOptions): Promise<Asked<unknown>>
}

/** For parts of pages that need Qlik Sense. */
export const QLIK_MS = 1500

/** `shows`: the page is asked for by GET, which changes nothing. */
export function createAsk(pages: Pick<PageAccess, 'ask'>, identity: Identity, shows: boolean): Ask {
  async function ask<T>(method: Method, path: string, body: unknown, options: AskOptions): Promise<Asked<T>> {
    const { withinMs, headers } = options
    const signal = withinMs === undefined ? undefined : AbortSignal.timeout(withinMs)
    const isRaw = typeof body === 'string' || body instanceof Uint8Array
    const json = body === undefined ? {} : { body: isRaw ? body : JSON.stringify(body) }
    // The answer to a change may be kept for its repetition, which needs a text.
    const asObject = method === 'GET'
    const answer = pages.ask(
      {
        method,
        path,
        shows,
        asObject,
        ...json,
        ...(signal && { signal }),
        headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      },
      identity,
    )
    if (!signal) return read<T>(await answer, options)
    const late = new Promise<Failure>((resolve) =>
      signal.addEventListener('abort', () => resolve(LATE), { once: true }),
    )
    return Promise.race([answer.then((response) => read<T>(response, options)), late])
  }
  function byContract<C extends AnyContract>(contract: C, ...[call]: CallArguments<C, AskOptions>) {
    const { params, query, body, ...options }: AnyCall & AskOptions = call ?? {}
    const { method, path } = addressOf(contract, { params, query })
    return ask<AnswerOf<C>>(method, path, body, options)
  }
  return Object.assign(byContract, {
    call: (method: Method, path: string, body?: unknown, options: AskOptions = {}) =>
      ask<unknown>(method, path, body, options),
  })
}

const LATE: Failure = {
  ok: false,
  status: 504,
  error: 'Qlik Sense did not answer in time',
  details: '',
  code: 'LATE',
  requestId: '',
  issues: [],
}

/** The member that an answer in the form of the predecessor names: `body/ttl must be number`. */
function issuesOf(details: string): Failure['issues'] {
  const { path, wrong, missing } =
    /^body(?:\/(?<path>\S+) (?<wrong>.+)| must have required property '(?<missing>.+)')$/.exec(details)?.groups ?? {}
  if (missing !== undefined) return [{ path: missing, message: 'is missing' }]
  return path === undefined ? [] : [{ path: path.replaceAll('/', '.'), message: wrong! }]
}

async function read<T>(response: Response, { bytes }: AskOptions): Promise<Asked<T>> {
  const { status, headers } = response
  const value = objectOf(response)
  if (value !== undefined && status < 400) return { ok: true, status, data: value as T, headers }
  if (bytes && status < 400)
    return { ok: true, status, data: new Uint8Array(await response.arrayBuffer()) as T, headers }
  const text = await response.text()
  const isJson = headers.get('content-type')?.includes('json')
  if (status < 400) return { ok: true, status, data: isJson ? ownJson<T>(text) : (text as T), headers }
  const body: Record<string, unknown> = isJson ? ownJson(text) : { error: text }
  const member = (name: string) => (typeof body[name] === 'string' ? (body[name] as string) : '')
  const details = member('details') || (member('error') === member('message') ? '' : member('message'))
  return {
    ok: false,
    status,
    error: member('error') || member('message'),
    details,
    code: member('code'),
    requestId: headers.get('x-request-id') ?? '',
    issues: Array.isArray(body.issues) ? body.issues : issuesOf(details),
    body,
  }
}
