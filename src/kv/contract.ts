/**
 * The contracts of the key-value store, and of the conversions between bases for load scripts. `ttl` is in milliseconds, 0 = no
 * expiry. Namespaces with a slash and the like are sent percent-encoded.
 */
import { z } from 'zod'
import { type AnswerOf, contract, type Shape, shape } from '../http/endpoint/contract.ts'
import { LIST_PARAMETERS, queryField } from '../http/endpoint/list-query.ts'
import { field } from '../http/endpoint/validation.ts'
import { once } from '../platform/once.ts'

export const FORMAT = 'footman.kv/1'

const inNamespace = () => z.object({ namespace: z.string().describe('The namespace.') })
const byKey = () => field.object({ key: field.string() })

/** An empty text means no expiry, because load scripts send one. */
const ttl = () => z.preprocess((value) => (value === '' ? 0 : value), field.number())

const REVISION_FAILURE = {
  412: 'The pair is not at the wanted revision (`If-Match`, `If-None-Match`, `ifRevision`).',
} as const

const pair = () => z.strictObject({ namespace: z.string(), key: z.string(), value: z.string() })
const deleted = () => ({ 204: z.void().describe('Done.'), ...REVISION_FAILURE })

const size = () =>
  z.strictObject({
    namespace: z.string(),
    keys: z.int(),
    bytes: z.int().describe('Of keys and values, in UTF-8.'),
    changedAt: z.string().nullable().describe('Of the last write to a pair that is still there; null without pairs.'),
  })
export type SizeOfNamespace = Shape<typeof size>

export const NAMESPACES = contract({
  method: 'GET',
  path: '/v4/keyvaluesnamespaces',
  query: () =>
    z.object({
      counts: queryField.boolean().describe('Keys, bytes and time of the last change as well.').optional(),
    }),
  answers: () => ({ 200: z.union([z.array(z.string()), z.array(size())]).describe('The namespaces.') }),
})

export const pairQuery = once(() => field.object({ key: field.string(), meta: field.boolean().optional() }))

const pairWithMeta = () => pair().extend({ revision: z.int(), ttl: z.number(), updatedAt: z.string() })
/** The pair that `meta` asks for. */
export type PairWithMeta = Shape<typeof pairWithMeta>

const foundPair = () => z.union([pairWithMeta(), pair()])
export type FoundPair = Shape<typeof foundPair>

export const PAIR = contract({
  method: 'GET',
  path: '/v4/keyvalues/{namespace}',
  params: inNamespace,
  query: pairQuery,
  answers: () => ({ 200: foundPair() }),
})

export const KEY_EXISTS = contract({
  method: 'GET',
  path: '/v4/keyvalues/{namespace}/keyexists',
  params: inNamespace,
  query: byKey,
  answers: () => ({
    200: z.strictObject({ keyExists: z.boolean(), keyValue: pair().extend({ ttl: z.number() }).partial() }),
  }),
})

export const keysQuery = once(() =>
  z.object({
    prefix: queryField.text().describe('Only keys that begin with this.').optional(),
    limit: LIST_PARAMETERS.limit,
    cursor: LIST_PARAMETERS.cursor,
    values: queryField
      .boolean()
      .describe('Values, remaining milliseconds (0 = no expiry) and revisions as well.')
      .optional(),
  }),
)

const valueOfKey = () => z.strictObject({ key: z.string(), value: z.string(), ttl: z.number(), revision: z.int() })
/** A pair in the list of a namespace. */
export type ValueOfKey = Shape<typeof valueOfKey>

const keyList = () =>
  z.strictObject({
    namespace: z.string(),
    keys: z.union([z.array(valueOfKey()), z.array(z.strictObject({ key: z.string() }))]),
    nextCursor: z.string().nullable().optional(),
  })
export type KeyList = Shape<typeof keyList>

/** The pairs of a list that was asked for with `values`. */
export const pairsOfList = ({ keys }: Pick<KeyList, 'keys'>): readonly ValueOfKey[] =>
  keys.flatMap((one) => ('value' in one ? [one] : []))

export const KEYS = contract({
  method: 'GET',
  path: '/v4/keylist/{namespace}',
  params: inNamespace,
  query: keysQuery,
  answers: () => ({ 200: keyList() }),
})

export const SET_PAIR = contract({
  method: 'POST',
  path: '/v4/keyvalues/{namespace}',
  // An empty segment is no namespace, but it gets an answer of its own.
  params: () => inNamespace().partial(),
  body: () =>
    field.object({
      key: field.string().optional(),
      value: field.string().meta({ control: 'area' }).optional(),
      ttl: ttl().meta({ label: 'Expires after minutes (empty = never)', control: 'minutes' }).optional(),
      ifRevision: field.integer().optional(),
    }),
  answers: () => ({ 201: pair().extend({ ttl: z.number() }), ...REVISION_FAILURE }),
})

export const DELETE_PAIR = contract({
  method: 'DELETE',
  path: '/v4/keyvalues/{namespace}/{key}',
  params: () => inNamespace().extend({ key: z.string().describe('The key.') }),
  answers: deleted,
})

export const DELETE_PAIR_BY_QUERY = contract({
  method: 'DELETE',
  path: '/v4/kvstore/{namespace}',
  params: inNamespace,
  query: byKey,
  answers: deleted,
})

export const CLEAR_NAMESPACE = contract({
  method: 'DELETE',
  path: '/v4/keyvalues/{namespace}',
  params: inNamespace,
  answers: () => ({ 204: z.void().describe('Done.') }),
})

export const PAIR_OR_KEYS = contract({
  method: 'GET',
  path: '/v4/kvstore/{namespace}',
  params: inNamespace,
  query: () => pairQuery().partial().extend(keysQuery().shape),
  answers: () => ({ 200: z.union([foundPair(), keyList()]).describe('The pair, or the keys.') }),
})

export const INCREMENT = contract({
  method: ['POST', 'PUT'],
  path: '/v4/keyvalues/{namespace}/increment',
  params: inNamespace,
  body: () => z.object({ key: field.string(), by: field.integer().optional(), ttl: ttl().optional() }),
  answers: () => ({
    200: pair().extend({ revision: z.int() }).describe('The new value.'),
    409: 'The value is not a number.',
  }),
})

export const WATCH = contract({
  method: 'GET',
  path: '/v4/keyvalues/{namespace}/watch',
  params: inNamespace,
  query: () =>
    z.object({
      prefix: queryField.text().describe('Only keys that begin with this.').optional(),
      initial: queryField.boolean().describe('The present pairs first.').optional(),
    }),
  answers: () => ({
    200: z.string().meta({ contentMediaType: 'text/event-stream', description: 'A stream of events.' }),
  }),
})

/** The content of an export, and of the body of an import. */
export const exported = shape('KeyValueExport', () =>
  z.strictObject({
    format: z.literal(FORMAT),
    exportedAt: z.string().optional(),
    namespaces: z.record(
      z.string(),
      z.array(z.strictObject({ key: z.string(), value: z.string(), expiresAt: z.string().nullable().optional() })),
    ),
  }),
)

export const EXPORT_PAIRS = contract({
  method: 'GET',
  path: '/v4/keyvaluesexport',
  query: () =>
    z.object({
      namespace: queryField.texts().describe('Only this namespace; may be given several times.').optional(),
    }),
  answers: () => ({ 200: exported() }),
})

export const IMPORT_PAIRS = contract({
  method: ['POST', 'PUT'],
  path: '/v4/keyvaluesimport',
  query: () =>
    z.object({
      mode: z
        .enum(['merge', 'replace'], { error: 'must be merge or replace' })
        .describe('Keep what is there (default), or replace the namespaces.')
        .optional(),
    }),
  body: exported,
  answers: () => ({ 200: z.strictObject({ namespaces: z.int(), keys: z.int(), skipped: z.int() }) }),
})
export type ImportedCounts = AnswerOf<typeof IMPORT_PAIRS>

/** The order of the two members is the same in both answers. */
const inBothBases = () => ({
  200: z.strictObject({ base62: z.string(), base16: z.string() }).describe('The number in both bases.'),
})

export const BASE62_TO_16 = contract({
  method: 'GET',
  path: '/v4/base62tobase16',
  query: () => field.object({ base62: field.string() }),
  answers: inBothBases,
})

export const BASE16_TO_62 = contract({
  method: 'GET',
  path: '/v4/base16tobase62',
  query: () => field.object({ base16: field.string() }),
  answers: inBothBases,
})
