/** Forms of requests to the key-value store and of their answers. */
import { z } from 'zod'
import { LIST_PARAMETERS, queryField } from '../http/endpoint/list-query.ts'
import { field } from '../http/endpoint/validation.ts'
import { once } from '../platform/once.ts'

/** Milliseconds; an empty text means no expiry, because load scripts send one. */
const TTL = once(() => z.preprocess((value) => (value === '' ? 0 : value), field.number()))

export const NEW_PAIR = once(() =>
  field.object({
    key: field.string().optional(),
    value: field.string().optional(),
    ttl: TTL().optional(),
    ifRevision: field.integer().optional(),
  }),
)
export const INCREMENT = once(() =>
  z.object({ key: field.string(), by: field.integer().optional(), ttl: TTL().optional() }),
)

/** Namespaces with a slash and the like are sent percent-encoded. */
export const NAMESPACE_PARAMS = once(() => z.object({ namespace: z.string().describe('The namespace.') }))
export const PAIR_PARAMS = once(() => NAMESPACE_PARAMS().extend({ key: z.string().describe('The key.') }))
export const KEY_QUERY = once(() => field.object({ key: field.string() }))
export const PAIR_QUERY = once(() => field.object({ key: field.string(), meta: field.boolean().optional() }))
export const KEYS_QUERY = once(() =>
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

export const WATCH_QUERY = once(() =>
  z.object({
    prefix: queryField.text().describe('Only keys that begin with this.').optional(),
    initial: queryField.boolean().describe('The present pairs first.').optional(),
  }),
)

export const PAIR = once(() => z.object({ namespace: z.string(), key: z.string(), value: z.string() }))
export const KEYS = once(() =>
  z.object({
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
  }),
)
export const NAMESPACES_QUERY = once(() =>
  z.object({
    counts: queryField.boolean().describe('Keys, bytes and time of the last change as well.').optional(),
  }),
)
export const COUNTED = once(() =>
  z.object({
    namespace: z.string(),
    keys: z.int(),
    bytes: z.int().describe('Of keys and values, in UTF-8.'),
    changedAt: z.string().nullable().describe('Of the last write to a pair that is still there; null without pairs.'),
  }),
)
export const noContent = () => ({ 204: z.void().describe('Done.') })

export const REVISION_FAILURE = {
  412: 'The pair is not at the wanted revision (`If-Match`, `If-None-Match`, `ifRevision`).',
} as const
