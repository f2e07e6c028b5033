/** The endpoints of the key-value store that the predecessor did not have. */
import { z } from 'zod'
import { namespaceFilter, requireNamespace } from '../http/endpoint/caller.ts'
import type { EventStreams } from '../http/endpoint/event-stream.ts'
import { invalidQuery, onlyParameters, textParameter } from '../http/endpoint/list-query.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer } from '../http/endpoint/route.ts'
import { invalidBody, strictBody } from '../http/endpoint/strict-body.ts'
import { field } from '../http/endpoint/validation.ts'
import * as about from './descriptions.ts'
import { booleanParameter } from './key-pages.ts'
import { guarded } from './refusals.ts'
import { TTL } from './requests.ts'
import type { KeyValueRouteDeps } from './routes.ts'
import { exportText, readImport, streamOf } from './transfer.ts'
import { KeyValueRefusal } from './types.ts'
import { watchNamespace } from './watch.ts'

const INCREMENT = { key: field.string(), by: field.integer().optional(), ttl: TTL.optional() }
const IMPORTED = z.object({ namespaces: z.int(), keys: z.int(), skipped: z.int() })
/** 10 MiB. */
const IMPORT_LIMIT = 10 * 1024 * 1024

export function extraKeyValueRoutes(deps: KeyValueRouteDeps & { readonly streams: EventStreams }): ApiRoute[] {
  const { log } = deps
  const endpoint = 'keyValueStore'
  const handlers = handlersOf(deps)
  return [
    {
      methods: ['POST', 'PUT'],
      path: '/v4/keyvalues/{namespace}/increment',
      endpoint,
      scope: 'kv:write',
      action: 'kv.increment',
      audit: 'single',
      summary: 'Add to a number',
      ...about.INCREMENT,
      schemas: { params: about.NAMESPACE_PARAMS, body: z.object(INCREMENT), responses: about.INCREMENTED },
      handle: guarded(log, 'Failed adding key-value to namespace', handlers.increment),
    },
    {
      methods: ['GET'],
      path: '/v4/keyvalues/{namespace}/watch',
      endpoint,
      scope: 'kv:read',
      summary: 'Follow the changes of a namespace as server-sent events',
      ...about.WATCH,
      schemas: { params: about.NAMESPACE_PARAMS, query: about.WATCH_QUERY, responses: about.EVENTS },
      handle: guarded(log, 'Failed getting key-value data', handlers.watch),
    },
    {
      methods: ['GET'],
      path: '/v4/keyvaluesexport',
      endpoint,
      scope: 'kv:read',
      action: 'kv.export',
      audit: 'always',
      summary: 'Export key-value pairs',
      ...about.EXPORT,
      schemas: { query: about.EXPORT_QUERY, responses: { 200: about.EXPORTED } },
      handle: guarded(log, 'Failed getting key-value data', handlers.exported),
    },
    {
      methods: ['POST', 'PUT'],
      path: '/v4/keyvaluesimport',
      endpoint,
      scope: 'kv:write',
      action: 'kv.import',
      bodyLimit: IMPORT_LIMIT,
      summary: 'Import key-value pairs',
      ...about.IMPORT,
      schemas: { query: about.IMPORT_QUERY, body: about.EXPORTED, responses: { 200: IMPORTED } },
      handle: guarded(log, 'Failed adding key-value to namespace', handlers.imported),
    },
  ]
}

function handlersOf({ store, clock, streams }: KeyValueRouteDeps & { readonly streams: EventStreams }) {
  return {
    async increment(request: ApiRequest): Promise<Response> {
      const { key, by = 1, ttl = 0 } = strictBody(INCREMENT, request.body)
      if (key === '') throw invalidBody([{ path: 'key', message: 'must not be empty' }])
      const { namespace = '' } = request.params
      request.note({ target: [namespace] })
      const { value, revision, ...pair } = await store.increment(namespace, key, by, Math.trunc(ttl))
      return jsonAnswer(200, { namespace, key: pair.key, value, revision })
    },

    watch({ params, query }: ApiRequest): Response {
      onlyParameters(query, ['prefix', 'initial'])
      const prefix = textParameter(query, 'prefix') ?? ''
      const initial = booleanParameter(query, 'initial')
      return streams.open(() => watchNamespace(store, params.namespace ?? '', { prefix, initial }))
    },

    exported(request: ApiRequest): Response {
      onlyParameters(request.query, ['namespace'])
      const namespaces = exportedNamespaces(request)
      request.note({ target: namespaces })
      return new Response(streamOf(exportText(store, namespaces, clock.now())), {
        status: 200,
        headers: { 'content-type': 'application/json; charset=utf-8' },
      })
    },

    async imported(request: ApiRequest): Promise<Response> {
      onlyParameters(request.query, ['mode'])
      const mode = textParameter(request.query, 'mode') ?? 'merge'
      if (mode !== 'merge' && mode !== 'replace') {
        throw invalidQuery([{ path: 'mode', message: 'must be merge or replace' }])
      }
      const data = readImport(request.body)
      for (const namespace of data.keys()) requireNamespace(request.caller, 'kv:write', namespace)
      const counts = await store.import(data, mode)
      request.note({ target: [...data.keys()], detail: `${counts.keys} imported` })
      return jsonAnswer(200, counts)
    },
  }

  /** All that the caller may see, or those that were named. */
  function exportedNamespaces({ query, caller }: ApiRequest): string[] {
    const named = query.namespace === undefined ? null : [...new Set([query.namespace].flat())]
    if (!named) return store.namespaces().filter(namespaceFilter(caller, 'kv:read'))
    for (const namespace of named) {
      requireNamespace(caller, 'kv:read', namespace)
      if (!store.hasNamespace(namespace)) throw new KeyValueRefusal({ kind: 'noNamespace', namespace })
    }
    return named
  }
}
