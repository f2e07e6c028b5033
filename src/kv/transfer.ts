/** Export and import: `{"format":"footman.kv/1","exportedAt":"...","namespaces":{"ns1":[{"key","value","expiresAt"}]}}`. */
import { type Caller, namespaceFilter, requireNamespace } from '../http/endpoint/caller.ts'
import { asIs } from '../http/endpoint/contract.ts'
import { type ApiRoute, route } from '../http/endpoint/route.ts'
import { type BodyIssue, invalidBody, isObject } from '../http/endpoint/validation.ts'
import { importableJson } from '../platform/json.ts'
import { EXPORT_PAIRS, exported, FORMAT, IMPORT_PAIRS } from './contract.ts'
import { type KeyValueRouteDeps, storeErrors } from './http.ts'
import { complainOfOthers, readPairs } from './pair-file.ts'
import { type ImportedPair, KeyValueRefusal, type KeyValueStore } from './types.ts'

/** Pairs read at a time: with the largest values still a modest amount of memory. */
const STEP = 20
/** Characters that go out at once. */
const PIECE = 65_536
const MAX_ISSUES = 10

/** 10 MiB. */
const IMPORT_LIMIT = 10 * 1024 * 1024

const EXPORT_EXAMPLE = {
  format: FORMAT,
  exportedAt: '2026-03-02T06:05:00.120Z',
  namespaces: { 'Sales ETL': [{ key: 'Last extract', value: '2020-09-29 17:14:56', expiresAt: null }] },
}

export function transferRoutes({ store, clock, log }: Omit<KeyValueRouteDeps, 'streams'>): ApiRoute[] {
  /** All namespaces that the caller may see, or the named ones. */
  function exportedNamespaces(caller: Caller, given: readonly string[] | undefined): string[] {
    const named = [...new Set(given)]
    if (!given) return store.namespaces().filter(namespaceFilter(caller, 'kv:read'))
    for (const namespace of named) {
      requireNamespace(caller, 'kv:read', namespace)
      if (!store.hasNamespace(namespace)) throw new KeyValueRefusal({ kind: 'noNamespace', namespace })
    }
    return named
  }

  return [
    route({
      ...EXPORT_PAIRS,
      switch: 'keyValueStore',
      scope: 'kv:read',
      action: 'kv.export',
      audited: 'always',
      summary: 'Export key-value pairs',
      examples: [{ name: 'all', status: 200, answer: EXPORT_EXAMPLE }],
      legacyErrors: storeErrors(log, 'Failed getting key-value data'),
      handle({ query, caller, note }) {
        const namespaces = exportedNamespaces(caller, query.namespace)
        note({ target: namespaces })
        const text = streamOf(exportText(store, namespaces, clock.now()))
        return asIs(new Response(text, { headers: { 'content-type': 'application/json; charset=utf-8' } }))
      },
    }),
    route({
      ...IMPORT_PAIRS,
      body: undefined,
      readByHandler: () => ({ body: exported() }),
      switch: 'keyValueStore',
      scope: 'kv:write',
      action: 'kv.import',
      bodyLimit: IMPORT_LIMIT,
      ownBodyErrors: true,
      isImport: true,
      summary: 'Import key-value pairs',
      description: 'The JSON of an export. `footman kv import` and the console also take tables (.csv, .xlsx).',
      examples: [{ name: 'merge', body: EXPORT_EXAMPLE, status: 200, answer: { namespaces: 1, keys: 1, skipped: 0 } }],
      legacyErrors: storeErrors(log, 'Failed adding key-value to namespace'),
      async handle({ query: { mode = 'merge' }, body, caller, note }, answer) {
        const data = readImport(body)
        for (const namespace of data.keys()) requireNamespace(caller, 'kv:write', namespace)
        const counts = await store.import(data, mode)
        note({ target: [...data.keys()], detail: `${counts.keys} imported` })
        return answer(200, counts)
      },
    }),
  ]
}

/** The text piece by piece. Pairs that change meanwhile are in it as they are when their turn comes. */
function* exportText(store: KeyValueStore, namespaces: readonly string[], now: number): Generator<string> {
  yield `{"format":"${FORMAT}","exportedAt":"${new Date(now).toISOString()}","namespaces":{`
  for (const [index, namespace] of namespaces.entries()) {
    yield `${index === 0 ? '' : ','}${importableJson(namespace)}:[`
    yield* pairsText(store, namespace)
    yield ']'
  }
  yield '}}'
}

function* pairsText(store: KeyValueStore, namespace: string): Generator<string> {
  let position = 0
  for (;;) {
    const step = store.dump(namespace, position, STEP)
    for (const { key, value, expiresAt, position: at } of step) {
      const until = expiresAt === null ? null : new Date(expiresAt).toISOString()
      yield `${position === 0 ? '' : ','}${importableJson({ key, value, expiresAt: until })}`
      position = at
    }
    if (step.length < STEP) return
  }
}

/** Read from the store as fast as the reader takes it. */
export function streamOf(pieces: Iterator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const parts: string[] = []
        for (let length = 0; length < PIECE; ) {
          const { value, done } = pieces.next()
          if (done) {
            if (parts.length > 0) controller.enqueue(encoder.encode(parts.join('')))
            return controller.close()
          }
          parts.push(value)
          length += value.length
        }
        controller.enqueue(encoder.encode(parts.join('')))
      },
    },
    { highWaterMark: 0 },
  )
}

/** Parses a text of `exportText`, by namespace. Throws 400 `VALIDATION` with the first issues. */
function readImport(body: unknown): Map<string, readonly ImportedPair[]> {
  const issues: BodyIssue[] = []
  const complain = (path: string, message: string): void =>
    void (issues.length < MAX_ISSUES && issues.push({ path, message }))
  if (!isObject(body)) throw invalidBody([{ path: 'body', message: 'must be object' }])
  const { format, namespaces } = body
  if (format !== FORMAT) complain('format', `must be ${FORMAT}`)
  complainOfOthers(body, complain)
  if (!isObject(namespaces)) complain('namespaces', 'must be object')
  const data = new Map<string, ImportedPair[]>()
  for (const [namespace, pairs] of Object.entries(isObject(namespaces) ? namespaces : {})) {
    const path = `namespaces.${namespace}`
    if (namespace === '') complain('namespaces', 'has a namespace without name')
    if (!namespace.isWellFormed()) complain('namespaces', 'has a name that holds half a character (a lone surrogate)')
    if (!Array.isArray(pairs)) complain(path, 'must be array')
    else
      data.set(
        namespace,
        readPairs(pairs, (index, member, message) =>
          complain([path, index, member].filter((part) => part !== '').join('.'), message),
        ),
      )
  }
  if (issues.length > 0) throw invalidBody(issues)
  return data
}
