/** The endpoints of the key-value store that load scripts know, and their `/v4/kvstore` aliases. */
import { z } from 'zod'
import { namespaceFilter } from '../http/endpoint/caller.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer } from '../http/endpoint/route.ts'
import { validate } from '../http/endpoint/validation.ts'
import type { Clock, Logger } from '../platform/types.ts'
import {
  CLEAR,
  DELETE,
  DELETE_ALIAS,
  EXISTS,
  KEYS,
  KEYS_ANSWER,
  KEYS_QUERY,
  NAMESPACE_PARAMS,
  NAMESPACES,
  NO_CONTENT,
  PAIR_PARAMS,
  READ,
  READ_ALIAS,
  STORE,
  STORE_ALIAS,
} from './descriptions.ts'
import { listPage, wantsPage } from './key-pages.ts'
import { guarded, parameterMissing } from './refusals.ts'
import { etagOf, KEY_QUERY, NEW_PAIR, PAIR_QUERY, preconditionOf } from './requests.ts'
import { KeyValueRefusal, type KeyValueStore, type Pair } from './types.ts'

export interface KeyValueRouteDeps {
  readonly store: KeyValueStore
  readonly clock: Clock
  readonly log: Logger
}

const PAIR = z.object({ namespace: z.string(), key: z.string(), value: z.string() })

export function keyValueRoutes(deps: KeyValueRouteDeps): ApiRoute[] {
  const { store, log } = deps
  const endpoint = 'keyValueStore'
  const handlers = handlersOf(deps)
  const read = { methods: ['GET'], endpoint, butler: true, scope: 'kv:read' } as const
  const add = {
    methods: ['POST'],
    endpoint,
    butler: true,
    scope: 'kv:write',
    action: 'kv.set',
    audit: 'single',
    summary: 'Store a key-value pair',
    schemas: { params: NAMESPACE_PARAMS, body: NEW_PAIR, responses: { 201: PAIR.extend({ ttl: z.number() }) } },
    handle: guarded(log, 'Failed adding key-value to namespace', handlers.add),
  } as const
  const remove = {
    methods: ['DELETE'],
    endpoint,
    butler: true,
    scope: 'kv:write',
    action: 'kv.delete',
    audit: 'single',
    summary: 'Delete a key-value pair',
    schemas: { params: PAIR_PARAMS, responses: NO_CONTENT },
    handle: guarded(log, 'Failed deleting key-value data', handlers.remove),
  } as const
  const pair = guarded(log, 'Failed getting key-value data', handlers.pair)
  const list = guarded(log, 'Failed getting list of keys in namespace', handlers.list)

  return [
    {
      ...read,
      path: '/v4/keyvaluesnamespaces',
      summary: 'List the namespaces',
      ...NAMESPACES,
      schemas: { responses: { 200: z.array(z.string()) } },
      handle: guarded(log, 'Failed getting all namespaces', ({ caller }) =>
        jsonAnswer(200, store.namespaces().filter(namespaceFilter(caller, 'kv:read'))),
      ),
    },
    {
      ...read,
      path: '/v4/keyvalues/{namespace}',
      summary: 'Read a key-value pair',
      ...READ,
      schemas: { params: NAMESPACE_PARAMS, query: PAIR_QUERY, responses: { 200: PAIR } },
      handle: pair,
    },
    {
      ...read,
      path: '/v4/keyvalues/{namespace}/keyexists',
      summary: 'Tell whether a key exists',
      ...EXISTS,
      schemas: {
        params: NAMESPACE_PARAMS,
        query: KEY_QUERY,
        responses: { 200: z.object({ keyExists: z.boolean(), keyValue: PAIR.extend({ ttl: z.number() }).partial() }) },
      },
      handle: guarded(log, 'Failed getting key-value data', handlers.exists),
    },
    {
      ...read,
      path: '/v4/keylist/{namespace}',
      summary: 'List the keys of a namespace',
      ...KEYS,
      schemas: { params: NAMESPACE_PARAMS, query: KEYS_QUERY, responses: { 200: KEYS_ANSWER } },
      handle: list,
    },
    { ...add, ...STORE, path: '/v4/keyvalues/{namespace}' },
    // An empty segment is no namespace, but it gets an answer of its own.
    { ...add, path: '/v4/keyvalues/' },
    { ...remove, ...DELETE, path: '/v4/keyvalues/{namespace}/{key}' },
    {
      methods: ['DELETE'],
      endpoint,
      butler: true,
      scope: 'kv:write',
      action: 'kv.clear',
      path: '/v4/keyvalues/{namespace}',
      summary: 'Delete a namespace with all its keys',
      ...CLEAR,
      schemas: { params: NAMESPACE_PARAMS, responses: NO_CONTENT },
      handle: guarded(log, 'Failed clearing namespace', handlers.clear),
    },
    { ...add, ...STORE_ALIAS, path: '/v4/kvstore/{namespace}' },
    { ...add, path: '/v4/kvstore/' },
    {
      ...remove,
      ...DELETE_ALIAS,
      path: '/v4/kvstore/{namespace}',
      schemas: { params: NAMESPACE_PARAMS, query: KEY_QUERY, responses: NO_CONTENT },
    },
    {
      ...read,
      path: '/v4/kvstore/{namespace}',
      summary: 'Read a key-value pair; without key, list the keys',
      ...READ_ALIAS,
      schemas: {
        params: NAMESPACE_PARAMS,
        query: PAIR_QUERY.partial().extend(KEYS_QUERY.shape),
        responses: { 200: z.union([PAIR, KEYS_ANSWER]).describe('The pair, or the keys.') },
      },
      handle: (request) => ('key' in request.query ? pair(request) : list(request)),
    },
  ]
}

function handlersOf({ store, clock, log }: KeyValueRouteDeps) {
  const ttlLeft = ({ expiresAt }: Pair): number => (expiresAt === null ? 0 : Math.max(expiresAt - clock.now(), 1))

  function requireNamespace(namespace: string): void {
    if (!store.hasNamespace(namespace)) throw new KeyValueRefusal({ kind: 'noNamespace', namespace })
  }

  return {
    pair(request: ApiRequest): Response {
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
    },

    exists(request: ApiRequest): Response {
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
    },

    list(request: ApiRequest): Response {
      const namespace = namespaceOf(request)
      requireNamespace(namespace)
      if (wantsPage(request)) return listPage({ store, ttlLeft }, namespace, request)
      return jsonAnswer(200, { namespace, keys: store.keys(namespace).map((key) => ({ key })) })
    },

    async add(request: ApiRequest): Promise<Response> {
      const { key, value, ttl = 0, ifRevision } = validate('body', NEW_PAIR, request.body)
      const namespace = namespaceOf(request)
      if (namespace === '' || !key || value === undefined) {
        log.verbose('KEYVALUE: Required parameter missing.')
        throw parameterMissing('A namespace, a key and a value must be given; only the value may be empty.')
      }
      request.note({ target: [namespace] })
      const whole = Math.trunc(ttl) + 0
      const pair = await store.set({ namespace, key, value, ttl: whole }, preconditionOf(request, ifRevision))
      return jsonAnswer(
        201,
        { namespace, key: pair.key, value: pair.value, ttl: whole },
        { etag: etagOf(pair.revision) },
      )
    },

    async remove(request: ApiRequest): Promise<Response> {
      const namespace = namespaceOf(request)
      const { key } =
        request.params.key === undefined
          ? validate('querystring', KEY_QUERY, request.query)
          : { key: request.params.key }
      request.note({ target: [namespace] })
      await store.delete(namespace, key, preconditionOf(request))
      return new Response(null, { status: 204 })
    },

    async clear(request: ApiRequest): Promise<Response> {
      const namespace = namespaceOf(request)
      request.note({ target: [namespace] })
      await store.clear(namespace)
      log.verbose(`KEYVALUE: Cleared namespace: ${namespace}`)
      return new Response(null, { status: 204 })
    },
  }
}

const namespaceOf = ({ params }: ApiRequest): string => params.namespace ?? ''
