/** The endpoints of the key-value store. Load scripts of Butler know those marked `butler`, and the `/v4/kvstore` aliases. */
import { namespaceFilter } from '../http/endpoint/caller.ts'
import { asIs } from '../http/endpoint/contract.ts'
import type { EventStreams } from '../http/endpoint/event-stream.ts'
import { DEFAULT_LIMIT, invalidCursor, readQuery } from '../http/endpoint/list-query.ts'
import { type ApiRequest, type ApiRoute, route } from '../http/endpoint/route.ts'
import { invalidBody, validate } from '../http/endpoint/validation.ts'
import { Refusal, refusal, refused } from '../http/errors.ts'
import { isStorageFailure } from '../platform/sqlite.ts'
import type { Clock, Logger } from '../platform/types.ts'
import {
  CLEAR_NAMESPACE,
  DELETE_PAIR,
  DELETE_PAIR_BY_QUERY,
  type FoundPair,
  INCREMENT,
  KEY_EXISTS,
  KEYS,
  type KeyList,
  keysQuery,
  NAMESPACES,
  PAIR,
  PAIR_OR_KEYS,
  pairQuery,
  SET_PAIR,
  type SizeOfNamespace,
  WATCH,
} from './contract.ts'
import { KeyValueRefusal, type KeyValueStore, type Pair, type Precondition, type Reason } from './types.ts'
import { watchNamespace } from './watch.ts'

export interface KeyValueRouteDeps {
  readonly store: KeyValueStore
  readonly clock: Clock
  readonly log: Logger
  readonly streams: EventStreams
}

const EXAMPLE = { key: 'Last extract', value: '2020-09-29 17:14:56' } as const
/** One namespace for each family of paths, so that the examples don't meet. */
const [SALES, MARKETING] = ['Sales ETL', 'Marketing ETL'] as const

export function keyValueRoutes(deps: KeyValueRouteDeps): ApiRoute[] {
  return [
    listNamespaces(deps),
    getPair(deps),
    keyExists(deps),
    listOfKeys(deps),
    setPair(deps, '/v4/keyvalues/{namespace}', SALES),
    setPair(deps, '/v4/keyvalues/', SALES),
    deletePair(deps),
    clearNamespace(deps),
    setPair(deps, '/v4/kvstore/{namespace}', MARKETING),
    setPair(deps, '/v4/kvstore/', MARKETING),
    deletePairByQuery(deps),
    getPairOrKeys(deps),
    increment(deps),
    watch(deps),
  ]
}

const COMMON = { switch: 'keyValueStore', butler: true } as const
const PAIR_FAILURE = 'Failed getting key-value data'
const LIST_FAILURE = 'Failed getting list of keys in namespace'

function listNamespaces({ store, log }: KeyValueRouteDeps): ApiRoute {
  return route({
    ...NAMESPACES,
    ...COMMON,
    scope: 'kv:read',
    summary: 'List the namespaces',
    description: 'In order of creation; with `counts=true` each with its size.',
    examples: [
      { name: 'namespaces', status: 200, answer: [SALES, MARKETING] },
      {
        name: 'counts',
        query: { counts: 'true' },
        status: 200,
        answer: [{ namespace: SALES, keys: 1, bytes: 31, changedAt: '2026-03-02T06:05:00.120Z' }],
      },
    ],
    legacyErrors: storeErrors(log, 'Failed getting all namespaces'),
    handle({ caller, query: { counts = false } }, answer) {
      const names = store.namespaces().filter(namespaceFilter(caller, 'kv:read'))
      return answer(200, counts ? names.flatMap((name) => countedNamespace(store, name)) : names)
    },
  })
}

function getPair(deps: KeyValueRouteDeps): ApiRoute {
  return route({
    ...PAIR,
    ...COMMON,
    scope: 'kv:read',
    summary: 'Read a key-value pair',
    examples: [
      {
        name: 'pair',
        params: { namespace: SALES },
        query: { key: EXAMPLE.key },
        status: 200,
        answer: { namespace: SALES, ...EXAMPLE },
      },
    ],
    legacyErrors: storeErrors(deps.log, PAIR_FAILURE),
    handle({ params: { namespace }, query }, answer) {
      const { found, headers } = readPair(deps, namespace, query)
      return answer(200, found, headers)
    },
  })
}

function keyExists({ store, clock, log }: KeyValueRouteDeps): ApiRoute {
  return route({
    ...KEY_EXISTS,
    ...COMMON,
    scope: 'kv:read',
    summary: 'Check whether a key exists',
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
    legacyErrors: storeErrors(log, PAIR_FAILURE),
    handle({ params: { namespace }, query: { key } }, answer) {
      requireNamespace(store, namespace)
      const pair = store.get(namespace, key)
      if (!pair) return answer(200, { keyExists: false, keyValue: {} })
      const ttl = ttlLeft(pair, clock)
      return answer(200, {
        keyExists: true,
        keyValue: { namespace, key, value: pair.value, ...(ttl > 0 && { ttl }) },
      })
    },
  })
}

function listOfKeys(deps: KeyValueRouteDeps): ApiRoute {
  return route({
    ...KEYS,
    ...COMMON,
    scope: 'kv:read',
    summary: 'List the keys of a namespace',
    description: 'Oldest first. With any of the parameters: sorted by key, in pages, with `nextCursor`.',
    query: undefined,
    readByHandler: () => ({ query: keysQuery() }),
    examples: [
      {
        name: 'keys',
        params: { namespace: SALES },
        status: 200,
        answer: { namespace: SALES, keys: [{ key: EXAMPLE.key }] },
      },
    ],
    legacyErrors: storeErrors(deps.log, LIST_FAILURE),
    handle: ({ params: { namespace }, query }, answer) => answer(200, listKeys(deps, namespace, query)),
  })
}

function setPair({ store, log }: KeyValueRouteDeps, path: string, example: string): ApiRoute {
  return route({
    ...SET_PAIR,
    path,
    ...COMMON,
    scope: 'kv:write',
    action: 'kv.set',
    audited: 'single',
    summary: 'Store a key-value pair',
    description:
      'An existing key is overwritten, with its expiry. `ttl` in milliseconds; 0 or absent = no expiry. The header `ETag` of the answer holds the revision.',
    examples: [
      {
        name: 'pair',
        params: { namespace: example },
        body: { ...EXAMPLE, ttl: 3_600_000 },
        status: 201,
        answer: { namespace: example, ...EXAMPLE, ttl: 3_600_000 },
      },
    ],
    legacyErrors: storeErrors(log, 'Failed adding key-value to namespace'),
    async handle({ params: { namespace = '' }, body: { key, value, ttl = 0, ifRevision }, headers, note }, answer) {
      if (namespace === '' || !key || value === undefined) {
        log.verbose('KEYVALUE: Required parameter missing.')
        const details = 'A namespace, a key and a value must be given; only the value may be empty.'
        throw refused(400, 'Required parameter is missing', details)
      }
      note({ target: [namespace] })
      const whole = Math.trunc(ttl) + 0
      const pair = await store.set({ namespace, key, value, ttl: whole }, preconditionOf(headers, ifRevision))
      return answer(201, { namespace, key: pair.key, value: pair.value, ttl: whole }, { etag: etagOf(pair.revision) })
    },
  })
}

function deletePair({ store, log }: KeyValueRouteDeps): ApiRoute {
  return route({
    ...DELETE_PAIR,
    ...deletion(log),
    examples: [{ name: 'pair', params: { namespace: SALES, key: EXAMPLE.key }, status: 204 }],
    async handle({ params: { namespace, key }, headers, note }, answer) {
      note({ target: [namespace] })
      await store.delete(namespace, key, preconditionOf(headers))
      return answer(204)
    },
  })
}

function clearNamespace({ store, log }: KeyValueRouteDeps): ApiRoute {
  return route({
    ...CLEAR_NAMESPACE,
    ...COMMON,
    scope: 'kv:write',
    action: 'kv.clear',
    summary: 'Delete a namespace with all its keys',
    examples: [{ name: 'namespace', params: { namespace: SALES }, status: 204 }],
    legacyErrors: storeErrors(log, 'Failed clearing namespace'),
    async handle({ params: { namespace }, note }, answer) {
      note({ target: [namespace] })
      await store.clear(namespace)
      log.verbose(`KEYVALUE: Cleared namespace: ${namespace}`)
      return answer(204)
    },
  })
}

function deletePairByQuery({ store, log }: KeyValueRouteDeps): ApiRoute {
  return route({
    ...DELETE_PAIR_BY_QUERY,
    ...deletion(log),
    examples: [{ name: 'pair', params: { namespace: MARKETING }, query: { key: EXAMPLE.key }, status: 204 }],
    async handle({ params: { namespace }, query: { key }, headers, note }, answer) {
      note({ target: [namespace] })
      await store.delete(namespace, key, preconditionOf(headers))
      return answer(204)
    },
  })
}

function getPairOrKeys(deps: KeyValueRouteDeps): ApiRoute {
  return route({
    ...PAIR_OR_KEYS,
    ...COMMON,
    scope: 'kv:read',
    summary: 'Read a key-value pair; without key, list the keys',
    query: undefined,
    readByHandler: () => ({ query: PAIR_OR_KEYS.query?.() }),
    examples: [
      {
        name: 'pair',
        params: { namespace: MARKETING },
        query: { key: EXAMPLE.key },
        status: 200,
        answer: { namespace: MARKETING, ...EXAMPLE },
      },
    ],
    legacyErrors: (error, request) =>
      storeErrors(deps.log, 'key' in request.query ? PAIR_FAILURE : LIST_FAILURE)(error, request),
    handle({ params: { namespace }, query }, answer) {
      if (!('key' in query)) return answer(200, listKeys(deps, namespace, query))
      const { found, headers } = readPair(deps, namespace, validate('querystring', pairQuery(), query))
      return answer(200, found, headers)
    },
  })
}

function increment({ store, log }: KeyValueRouteDeps): ApiRoute {
  return route({
    ...INCREMENT,
    switch: COMMON.switch,
    scope: 'kv:write',
    action: 'kv.increment',
    audited: 'single',
    summary: 'Add to a number',
    description: 'A key that is not there counts as 0.',
    examples: [
      {
        name: 'by-one',
        params: { namespace: SALES },
        body: { key: 'runs', by: 1 },
        status: 200,
        answer: { namespace: SALES, key: 'runs', value: '1', revision: 42 },
      },
    ],
    legacyErrors: storeErrors(log, 'Failed adding key-value to namespace'),
    async handle({ params: { namespace }, body: { key, by = 1, ttl = 0 }, note }, answer) {
      if (key === '') throw invalidBody([{ path: 'key', message: 'must not be empty' }])
      note({ target: [namespace] })
      const { value, revision, ...pair } = await store.increment(namespace, key, by, Math.trunc(ttl))
      return answer(200, { namespace, key: pair.key, value, revision })
    },
  })
}

function watch({ store, log, streams }: KeyValueRouteDeps): ApiRoute {
  return route({
    ...WATCH,
    switch: COMMON.switch,
    scope: 'kv:read',
    summary: 'Follow the changes of a namespace as server-sent events',
    description: 'Events `set`, `delete` and `expire`; with `initial=true` the present pairs come first, then `ready`.',
    legacyErrors: storeErrors(log, PAIR_FAILURE),
    examples: [{ name: 'present-pairs', params: { namespace: SALES }, query: { initial: 'true' }, status: 200 }],
    async handle(request) {
      const { params, query } = request
      const { prefix = '', initial = false } = query
      const seen = seenRevision(request.headers)
      return asIs(await streams.open(request, () => watchNamespace(store, params.namespace, { prefix, initial, seen })))
    },
  })
}

const deletion = (log: Logger) =>
  ({
    ...COMMON,
    scope: 'kv:write',
    action: 'kv.delete',
    audited: 'single',
    summary: 'Delete a key-value pair',
    legacyErrors: storeErrors(log, 'Failed deleting key-value data'),
  }) as const

function requireNamespace(store: KeyValueStore, namespace: string): void {
  if (!store.hasNamespace(namespace)) throw new KeyValueRefusal({ kind: 'noNamespace', namespace })
}

/** Milliseconds until the pair expires; 0 = never. */
const ttlLeft = ({ expiresAt }: Pair, clock: Clock): number =>
  expiresAt === null ? 0 : Math.max(expiresAt - clock.now(), 1)

function readPair(
  { store, clock }: KeyValueRouteDeps,
  namespace: string,
  { key, meta }: { readonly key: string; readonly meta?: boolean },
): { readonly found: FoundPair; readonly headers: Readonly<Record<string, string>> } {
  const pair = store.get(namespace, key)
  if (!pair) {
    requireNamespace(store, namespace)
    throw new KeyValueRefusal({ kind: 'noKey', namespace, key })
  }
  const { value, revision, updatedAt } = pair
  const more = meta && { revision, ttl: ttlLeft(pair, clock), updatedAt: new Date(updatedAt).toISOString() }
  return { found: { namespace, key, value, ...more }, headers: { etag: etagOf(revision) } }
}

function listKeys(deps: KeyValueRouteDeps, namespace: string, query: ApiRequest['query']): KeyList {
  const { store } = deps
  requireNamespace(store, namespace)
  // Without any of the parameters the list is answered in Butler's form.
  if (Object.keys(keysQuery().shape).some((name) => name in query)) return keyPage(deps, namespace, query)
  return { namespace, keys: store.keys(namespace).map((key) => ({ key })) }
}

function countedNamespace(store: KeyValueStore, namespace: string): SizeOfNamespace[] {
  const size = store.sizeOf(namespace)
  if (!size) return []
  const changedAt = size.changedAt === null ? null : new Date(size.changedAt).toISOString()
  return [{ namespace, keys: size.keys, bytes: size.bytes, changedAt }]
}

/** The id of the last event that the reader of a stream has got; null = none. */
function seenRevision(headers: Headers): number | null {
  const id = headers.get('last-event-id')
  return id !== null && /^\d{1,15}$/.test(id) ? Number(id) : null
}

const etagOf = (revision: number): string => `"r${revision}"`

/** From `If-Match` and `If-None-Match` as in RFC 9110, and the member `ifRevision`; all of them must hold. */
function preconditionOf(headers: Headers, ifRevision?: number): Precondition {
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
function keyPage({ store, clock }: KeyValueRouteDeps, namespace: string, query: ApiRequest['query']): KeyList {
  const { prefix = '', limit = DEFAULT_LIMIT, cursor, values = false } = readQuery(keysQuery(), query)
  const { pairs, more } = collectPairs(store, namespace, prefix, keyInCursor(cursor), limit)
  const last = pairs.at(-1)
  return {
    namespace,
    keys: values
      ? pairs.map((pair) => ({ key: pair.key, value: pair.value, ttl: ttlLeft(pair, clock), revision: pair.revision }))
      : pairs.map(({ key }) => ({ key })),
    nextCursor: more && last ? Buffer.from(last.key).toString('base64url') : null,
  }
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

/** The key after which a page begins; null without a cursor. Throws 400 `INVALID_CURSOR`. */
function keyInCursor(cursor: string | undefined): string | null {
  if (cursor === undefined) return null
  const key = Buffer.from(cursor, 'base64url').toString()
  if (key !== '' && Buffer.from(key).toString('base64url') === cursor) return key
  throw invalidCursor()
}

/** Turns refusals and failures of the store into answers; `failure` is the message of the 500, a text of Butler. */
export function storeErrors(log: Logger, failure: string) {
  return (error: unknown, { requestId }: Pick<ApiRequest, 'requestId'>): unknown => {
    if (error instanceof Refusal || isStorageFailure(error)) return error
    if (error instanceof KeyValueRefusal) return refusalOf(error, log)
    log.error(`KEYVALUE: ${failure}, request ${requestId}: ${error}`)
    return refused(500, failure, `The log of Footman says more about request ${requestId}.`)
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
      return refusal('BODY_TOO_LARGE', message)
    case 'notANumber':
      return refusal('NOT_A_NUMBER', message)
    case 'revision': {
      const { status, body } = refusal('REVISION_MISMATCH', message)
      return new Refusal(status, { ...body, currentRevision: reason.current })
    }
  }
}

const missingKey = ({ key, namespace }: Extract<Reason, { kind: 'noKey' }>): string =>
  `Key ${key} not found in namespace ${namespace}.`
