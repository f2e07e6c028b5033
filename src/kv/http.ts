/** The endpoints of the key-value store. Load scripts of Butler know those marked `butler`, and the `/v4/kvstore` aliases. */
import { z } from 'zod'
import { namespaceFilter } from '../http/endpoint/caller.ts'
import type { EventStreams } from '../http/endpoint/event-stream.ts'
import { invalidQuery, limitParameter, onlyParameters, textParameter } from '../http/endpoint/list-query.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer } from '../http/endpoint/route.ts'
import { field, invalidBody, strictBody, validate } from '../http/endpoint/validation.ts'
import { Refusal, refused, refusedWithCode } from '../http/errors.ts'
import { isStorageTrouble } from '../platform/sqlite.ts'
import type { Clock, Logger } from '../platform/types.ts'
import { KeyValueRefusal, type KeyValueStore, type Pair, type Precondition, type Reason } from './types.ts'
import { watchNamespace } from './watch.ts'

export interface KeyValueRouteDeps {
  readonly store: KeyValueStore
  readonly clock: Clock
  readonly log: Logger
  readonly streams: EventStreams
}

/** Milliseconds; an empty text means no expiry, because load scripts send one. */
const TTL = z.preprocess((value) => (value === '' ? 0 : value), field.number())

const NEW_PAIR = field.object({
  key: field.string().optional(),
  value: field.string().optional(),
  ttl: TTL.optional(),
  ifRevision: field.integer().optional(),
})
const INCREMENT = { key: field.string(), by: field.integer().optional(), ttl: TTL.optional() }

/** Namespaces with a slash and the like are sent percent-encoded. */
const NAMESPACE_PARAMS = z.object({ namespace: z.string().describe('The namespace.') })
const PAIR_PARAMS = NAMESPACE_PARAMS.extend({ key: z.string().describe('The key.') })
const KEY_QUERY = field.object({ key: field.string() })
const PAIR_QUERY = field.object({ key: field.string(), meta: field.boolean().optional() })
const KEYS_QUERY = z.object({
  prefix: z.string().describe('Only keys that begin with this.').optional(),
  limit: field.integer().describe('Keys of a page, 1 to 500; default 100.').optional(),
  cursor: z.string().describe('`nextCursor` of the page before.').optional(),
  values: field.boolean().describe('Values, remaining milliseconds (0 = no expiry) and revisions as well.').optional(),
})

const PAIR = z.object({ namespace: z.string(), key: z.string(), value: z.string() })
const KEYS = z.object({
  namespace: z.string(),
  keys: z.array(
    z.object({
      key: z.string(),
      value: z.string().optional(),
      ttl: z.number().optional(),
      revision: z.int().optional(),
    }),
  ),
  nextCursor: z.string().nullable().optional(),
})
const NO_CONTENT = { 204: z.void().describe('Done.') } as const

const REVISION_FAILURE = {
  412: 'The pair is not at the wanted revision (`If-Match`, `If-None-Match`, `ifRevision`).',
} as const

const EXAMPLE = { key: 'Last extract', value: '2020-09-29 17:14:56' } as const
/** One namespace for each family of paths, so that the examples don't meet. */
const [SALES, MARKETING] = ['Sales ETL', 'Marketing ETL'] as const
export function keyValueRoutes({ store, clock, log, streams }: KeyValueRouteDeps): ApiRoute[] {
  const endpoint = 'keyValueStore'
  const ttlLeft = ({ expiresAt }: Pair): number => (expiresAt === null ? 0 : Math.max(expiresAt - clock.now(), 1))

  function requireNamespace(namespace: string): void {
    if (!store.hasNamespace(namespace)) throw new KeyValueRefusal({ kind: 'noNamespace', namespace })
  }

  const readPair = guarded(log, 'Failed getting key-value data', (request) => {
    const { key, meta } = validate('querystring', PAIR_QUERY, request.query)
    const namespace = namespaceOf(request)
    const pair = store.get(namespace, key)
    if (!pair) {
      requireNamespace(namespace)
      throw new KeyValueRefusal({ kind: 'noKey', namespace, key })
    }
    const { value, revision, updatedAt } = pair
    const more = meta && { revision, ttl: ttlLeft(pair), updatedAt: new Date(updatedAt).toISOString() }
    return jsonAnswer(200, { namespace, key, value, ...more }, { etag: etagOf(revision) })
  })

  const listKeys = guarded(log, 'Failed getting list of keys in namespace', (request) => {
    const namespace = namespaceOf(request)
    requireNamespace(namespace)
    // Without any of the parameters the list is answered in Butler's form.
    if (Object.keys(KEYS_QUERY.shape).some((name) => name in request.query)) {
      return keyPage({ store, ttlLeft }, namespace, request)
    }
    return jsonAnswer(200, { namespace, keys: store.keys(namespace).map((key) => ({ key })) })
  })

  const storePair = {
    methods: ['POST'],
    endpoint,
    butler: true,
    scope: 'kv:write',
    action: 'kv.set',
    audit: 'single',
    summary: 'Store a key-value pair',
    schemas: { params: NAMESPACE_PARAMS, body: NEW_PAIR, responses: { 201: PAIR.extend({ ttl: z.number() }) } },
    handle: guarded(log, 'Failed adding key-value to namespace', async (request) => {
      const { key, value, ttl = 0, ifRevision } = validate('body', NEW_PAIR, request.body)
      const namespace = namespaceOf(request)
      if (namespace === '' || !key || value === undefined) {
        log.verbose('KEYVALUE: Required parameter missing.')
        const details = 'A namespace, a key and a value must be given; only the value may be empty.'
        throw refused(400, 'Required parameter is missing', details)
      }
      request.note({ target: [namespace] })
      const whole = Math.trunc(ttl) + 0
      const pair = await store.set({ namespace, key, value, ttl: whole }, preconditionOf(request, ifRevision))
      return jsonAnswer(
        201,
        { namespace, key: pair.key, value: pair.value, ttl: whole },
        { etag: etagOf(pair.revision) },
      )
    }),
  } as const

  const storeIn = (path: string, namespace: string): ApiRoute => ({
    ...storePair,
    path,
    description:
      'An existing key is overwritten, with its expiry. `ttl` in milliseconds; 0 or absent = no expiry. The header `ETag` of the answer holds the revision.',
    failures: REVISION_FAILURE,
    examples: [
      {
        name: 'pair',
        params: { namespace },
        body: { ...EXAMPLE, ttl: 3_600_000 },
        status: 201,
        answer: { namespace, ...EXAMPLE, ttl: 3_600_000 },
      },
    ],
  })

  const deletePair = {
    methods: ['DELETE'],
    endpoint,
    butler: true,
    scope: 'kv:write',
    action: 'kv.delete',
    audit: 'single',
    summary: 'Delete a key-value pair',
    failures: REVISION_FAILURE,
    handle: guarded(log, 'Failed deleting key-value data', async (request) => {
      const namespace = namespaceOf(request)
      const { key } = 'key' in request.params ? request.params : validate('querystring', KEY_QUERY, request.query)
      request.note({ target: [namespace] })
      await store.delete(namespace, key ?? '', preconditionOf(request))
      return new Response(null, { status: 204 })
    }),
  } as const

  return [
    {
      methods: ['GET'],
      path: '/v4/keyvaluesnamespaces',
      endpoint,
      butler: true,
      scope: 'kv:read',
      summary: 'List the namespaces',
      schemas: { responses: { 200: z.array(z.string()) } },
      examples: [{ name: 'namespaces', status: 200, answer: [SALES, MARKETING] }],
      handle: guarded(log, 'Failed getting all namespaces', ({ caller }) =>
        jsonAnswer(200, store.namespaces().filter(namespaceFilter(caller, 'kv:read'))),
      ),
    },
    {
      methods: ['GET'],
      path: '/v4/keyvalues/{namespace}',
      endpoint,
      butler: true,
      scope: 'kv:read',
      summary: 'Read a key-value pair',
      schemas: { params: NAMESPACE_PARAMS, query: PAIR_QUERY, responses: { 200: PAIR } },
      examples: [
        {
          name: 'pair',
          params: { namespace: SALES },
          query: { key: EXAMPLE.key },
          status: 200,
          answer: { namespace: SALES, ...EXAMPLE },
        },
      ],
      handle: readPair,
    },
    {
      methods: ['GET'],
      path: '/v4/keyvalues/{namespace}/keyexists',
      endpoint,
      butler: true,
      scope: 'kv:read',
      summary: 'Tell whether a key exists',
      schemas: {
        params: NAMESPACE_PARAMS,
        query: KEY_QUERY,
        responses: { 200: z.object({ keyExists: z.boolean(), keyValue: PAIR.extend({ ttl: z.number() }).partial() }) },
      },
      examples: [
        {
          name: 'there',
          params: { namespace: SALES },
          query: { key: EXAMPLE.key },
          status: 200,
          answer: { keyExists: true, keyValue: { namespace: SALES, ...EXAMPLE, ttl: 3_599_000 } },
        },
        {
          name: 'not-there',
          params: { namespace: SALES },
          query: { key: 'nokey' },
          status: 200,
          answer: { keyExists: false, keyValue: {} },
        },
      ],
      handle: guarded(log, 'Failed getting key-value data', (request) => {
        const { key } = validate('querystring', KEY_QUERY, request.query)
        const namespace = namespaceOf(request)
        requireNamespace(namespace)
        const pair = store.get(namespace, key)
        if (!pair) return jsonAnswer(200, { keyExists: false, keyValue: {} })
        const ttl = ttlLeft(pair)
        return jsonAnswer(200, {
          keyExists: true,
          keyValue: { namespace, key, value: pair.value, ...(ttl > 0 && { ttl }) },
        })
      }),
    },
    {
      methods: ['GET'],
      path: '/v4/keylist/{namespace}',
      endpoint,
      butler: true,
      scope: 'kv:read',
      summary: 'List the keys of a namespace',
      description: 'Oldest first. With any of the parameters: sorted by key, in pages, with `nextCursor`.',
      schemas: { params: NAMESPACE_PARAMS, query: KEYS_QUERY, responses: { 200: KEYS } },
      examples: [
        {
          name: 'keys',
          params: { namespace: SALES },
          status: 200,
          answer: { namespace: SALES, keys: [{ key: EXAMPLE.key }] },
        },
      ],
      handle: listKeys,
    },
    storeIn('/v4/keyvalues/{namespace}', SALES),
    // An empty segment is no namespace, but it gets an answer of its own.
    { ...storePair, path: '/v4/keyvalues/' },
    {
      ...deletePair,
      path: '/v4/keyvalues/{namespace}/{key}',
      schemas: { params: PAIR_PARAMS, responses: NO_CONTENT },
      examples: [{ name: 'pair', params: { namespace: SALES, key: EXAMPLE.key }, status: 204 }],
    },
    {
      methods: ['DELETE'],
      path: '/v4/keyvalues/{namespace}',
      endpoint,
      butler: true,
      scope: 'kv:write',
      action: 'kv.clear',
      summary: 'Delete a namespace with all its keys',
      schemas: { params: NAMESPACE_PARAMS, responses: NO_CONTENT },
      examples: [{ name: 'namespace', params: { namespace: SALES }, status: 204 }],
      handle: guarded(log, 'Failed clearing namespace', async (request) => {
        const namespace = namespaceOf(request)
        request.note({ target: [namespace] })
        await store.clear(namespace)
        log.verbose(`KEYVALUE: Cleared namespace: ${namespace}`)
        return new Response(null, { status: 204 })
      }),
    },
    storeIn('/v4/kvstore/{namespace}', MARKETING),
    { ...storePair, path: '/v4/kvstore/' },
    {
      ...deletePair,
      path: '/v4/kvstore/{namespace}',
      schemas: { params: NAMESPACE_PARAMS, query: KEY_QUERY, responses: NO_CONTENT },
      examples: [{ name: 'pair', params: { namespace: MARKETING }, query: { key: EXAMPLE.key }, status: 204 }],
    },
    {
      methods: ['GET'],
      path: '/v4/kvstore/{namespace}',
      endpoint,
      butler: true,
      scope: 'kv:read',
      summary: 'Read a key-value pair; without key, list the keys',
      schemas: {
        params: NAMESPACE_PARAMS,
        query: PAIR_QUERY.partial().extend(KEYS_QUERY.shape),
        responses: { 200: z.union([PAIR, KEYS]).describe('The pair, or the keys.') },
      },
      examples: [
        {
          name: 'pair',
          params: { namespace: MARKETING },
          query: { key: EXAMPLE.key },
          status: 200,
          answer: { namespace: MARKETING, ...EXAMPLE },
        },
      ],
      handle: (request) => ('key' in request.query ? readPair(request) : listKeys(request)),
    },
    {
      methods: ['POST', 'PUT'],
      path: '/v4/keyvalues/{namespace}/increment',
      endpoint,
      scope: 'kv:write',
      action: 'kv.increment',
      audit: 'single',
      summary: 'Add to a number',
      description: 'A key that is not there counts as 0.',
      schemas: {
        params: NAMESPACE_PARAMS,
        body: z.object(INCREMENT),
        responses: { 200: PAIR.extend({ revision: z.int() }).describe('The new value.') },
      },
      failures: { 409: 'The value is not a number.' },
      examples: [
        {
          name: 'by-one',
          params: { namespace: SALES },
          body: { key: 'runs', by: 1 },
          status: 200,
          answer: { namespace: SALES, key: 'runs', value: '1', revision: 42 },
        },
      ],
      handle: guarded(log, 'Failed adding key-value to namespace', async (request) => {
        const { key, by = 1, ttl = 0 } = strictBody(INCREMENT, request.body)
        if (key === '') throw invalidBody([{ path: 'key', message: 'must not be empty' }])
        const namespace = namespaceOf(request)
        request.note({ target: [namespace] })
        const { value, revision, ...pair } = await store.increment(namespace, key, by, Math.trunc(ttl))
        return jsonAnswer(200, { namespace, key: pair.key, value, revision })
      }),
    },
    {
      methods: ['GET'],
      path: '/v4/keyvalues/{namespace}/watch',
      endpoint,
      scope: 'kv:read',
      summary: 'Follow the changes of a namespace as server-sent events',
      description:
        'Events `set`, `delete` and `expire`; with `initial=true` the present pairs come first, then `ready`.',
      schemas: {
        params: NAMESPACE_PARAMS,
        query: z.object({
          prefix: z.string().describe('Only keys that begin with this.').optional(),
          initial: field.boolean().describe('The present pairs first.').optional(),
        }),
        responses: {
          200: z.string().meta({ contentMediaType: 'text/event-stream', description: 'A stream of events.' }),
        },
      },
      handle: guarded(log, 'Failed getting key-value data', (request) => {
        onlyParameters(request.query, ['prefix', 'initial'])
        const prefix = textParameter(request.query, 'prefix') ?? ''
        const initial = booleanParameter(request.query, 'initial')
        return streams.open(() => watchNamespace(store, namespaceOf(request), { prefix, initial }))
      }),
    },
  ]
}

const namespaceOf = ({ params }: ApiRequest): string => params.namespace ?? ''

/** `true` or `false`; absent means false. */
function booleanParameter(query: ApiRequest['query'], name: string): boolean {
  const text = textParameter(query, name) ?? 'false'
  if (text !== 'true' && text !== 'false') throw invalidQuery([{ path: name, message: 'must be true or false' }])
  return text === 'true'
}

const etagOf = (revision: number): string => `"r${revision}"`

/** From `If-Match` and `If-None-Match` as in RFC 9110, and the member `ifRevision`; all of them must hold. */
function preconditionOf({ headers }: ApiRequest, ifRevision?: number): Precondition {
  const required = headers.get('if-match')
  const forbidden = headers.get('if-none-match')
  return (revision) =>
    (required === null || namesRevision(required, revision)) &&
    (forbidden === null || !namesRevision(forbidden, revision)) &&
    (ifRevision === undefined || ifRevision === revision)
}

/** `*` stands for any pair that exists. A tag of a foreign form stands for none. */
function namesRevision(header: string, revision: number): boolean {
  if (revision === 0) return false
  return header.split(',').some((tag) => tag.trim() === '*' || tag.trim() === etagOf(revision))
}

/** Pairs that are read at a time. */
const PAGE_STEP = 20
/** Characters of values beyond which a page ends early; the cursor leads to the rest. */
const PAGE_SIZE = 4 * 1024 * 1024

/** Sorted by key, so that concurrent writes make no key of the beginning appear twice or get lost. */
function keyPage(
  { store, ttlLeft }: { readonly store: KeyValueStore; readonly ttlLeft: (pair: Pair) => number },
  namespace: string,
  { query }: ApiRequest,
): Response {
  const prefix = textParameter(query, 'prefix') ?? ''
  const limit = limitParameter(query)
  const values = booleanParameter(query, 'values')
  const { pairs, more } = collectPairs(store, namespace, prefix, keyCursor(query), limit)
  const last = pairs.at(-1)
  return jsonAnswer(200, {
    namespace,
    keys: pairs.map((pair) =>
      values ? { key: pair.key, value: pair.value, ttl: ttlLeft(pair), revision: pair.revision } : { key: pair.key },
    ),
    nextCursor: more && last ? Buffer.from(last.key).toString('base64url') : null,
  })
}

function collectPairs(store: KeyValueStore, namespace: string, prefix: string, start: string | null, limit: number) {
  const pairs: Pair[] = []
  let after = start
  for (let size = 0; ; ) {
    const step = store.page(namespace, { prefix, after, limit: PAGE_STEP })
    for (const pair of step) {
      if (pairs.length === limit || size > PAGE_SIZE) return { pairs, more: true }
      pairs.push(pair)
      size += pair.value.length
      after = pair.key
    }
    if (step.length < PAGE_STEP) return { pairs, more: false }
  }
}

function keyCursor(query: ApiRequest['query']): string | null {
  const text = textParameter(query, 'cursor')
  if (text === undefined) return null
  const key = Buffer.from(text, 'base64url').toString()
  if (key !== '' && Buffer.from(key).toString('base64url') === text) return key
  throw refusedWithCode(400, 'INVALID_CURSOR', 'Invalid cursor', 'Use nextCursor of the answer before, unchanged.')
}

type Handler = (request: ApiRequest) => Response | Promise<Response>

/** Turns refusals and failures of the store into answers; `failure` is the message of the 500, in Butler's words. */
export function guarded(log: Logger, failure: string, handle: Handler): Handler {
  const refuse = (error: unknown, { requestId }: ApiRequest): never => {
    if (error instanceof Refusal) throw error
    if (error instanceof KeyValueRefusal) throw refusalOf(error, log)
    if (isStorageTrouble(error)) throw error
    log.error(`KEYVALUE: ${failure}, request ${requestId}: ${error}`)
    throw refused(500, failure, `The log of Footman says more about request ${requestId}.`)
  }
  // Reads are synchronous and need no promise.
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
