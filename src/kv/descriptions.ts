/** Calls of the key-value store, for the description of the API. */
import { z } from 'zod'
import type { RouteDescription } from '../http/endpoint/description.ts'
import { field } from '../http/endpoint/validation.ts'

type More = Pick<RouteDescription, 'description' | 'failures' | 'examples'>

/** Namespaces with a slash and the like are sent percent-encoded. */
export const NAMESPACE_PARAMS = z.object({ namespace: z.string().describe('The namespace.') })
export const PAIR_PARAMS = NAMESPACE_PARAMS.extend({ key: z.string().describe('The key.') })

export const NO_CONTENT = { 204: z.void().describe('Done.') } as const

const REVISION_FAILURE = {
  412: 'The pair is not at the wanted revision (`If-Match`, `If-None-Match`, `ifRevision`).',
} as const

const PAIR = { key: 'Last extract', value: '2020-09-29 17:14:56' } as const
/** One namespace for each family of paths, so that the examples don't meet. */
const [SALES, MARKETING] = ['Sales ETL', 'Marketing ETL'] as const

const storeIn = (namespace: string): More => ({
  description:
    'An existing key is overwritten, with its expiry. `ttl` in milliseconds; 0 or absent = no expiry. The header `ETag` of the answer holds the revision.',
  failures: REVISION_FAILURE,
  examples: [
    {
      name: 'pair',
      params: { namespace },
      body: { ...PAIR, ttl: 3_600_000 },
      status: 201,
      answer: { namespace, ...PAIR, ttl: 3_600_000 },
    },
  ],
})

export const STORE = storeIn(SALES)
export const STORE_ALIAS = storeIn(MARKETING)

export const NAMESPACES: More = { examples: [{ name: 'namespaces', status: 200, answer: [SALES, MARKETING] }] }

const readFrom = (namespace: string): More => ({
  examples: [
    {
      name: 'pair',
      params: { namespace },
      query: { key: PAIR.key },
      status: 200,
      answer: { namespace, ...PAIR },
    },
  ],
})

export const READ = readFrom(SALES)
export const READ_ALIAS = readFrom(MARKETING)

export const EXISTS: More = {
  examples: [
    {
      name: 'there',
      params: { namespace: SALES },
      query: { key: PAIR.key },
      status: 200,
      answer: { keyExists: true, keyValue: { namespace: SALES, ...PAIR, ttl: 3_599_000 } },
    },
    {
      name: 'not-there',
      params: { namespace: SALES },
      query: { key: 'nokey' },
      status: 200,
      answer: { keyExists: false, keyValue: {} },
    },
  ],
}

export const KEYS_QUERY = z.object({
  prefix: z.string().describe('Only keys that begin with this.').optional(),
  limit: field.integer().describe('Keys of a page, 1 to 500; default 100.').optional(),
  cursor: z.string().describe('`nextCursor` of the page before.').optional(),
  values: field.boolean().describe('Values, remaining milliseconds (0 = no expiry) and revisions as well.').optional(),
})

export const KEYS_ANSWER = z.object({
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

export const KEYS: More = {
  description: 'Oldest first. With any of the parameters: sorted by key, in pages, with `nextCursor`.',
  examples: [
    {
      name: 'keys',
      params: { namespace: SALES },
      status: 200,
      answer: { namespace: SALES, keys: [{ key: PAIR.key }] },
    },
  ],
}

export const DELETE: More = {
  failures: REVISION_FAILURE,
  examples: [{ name: 'pair', params: { namespace: SALES, key: PAIR.key }, status: 204 }],
}

export const DELETE_ALIAS: More = {
  failures: REVISION_FAILURE,
  examples: [{ name: 'pair', params: { namespace: MARKETING }, query: { key: PAIR.key }, status: 204 }],
}

export const CLEAR: More = { examples: [{ name: 'namespace', params: { namespace: SALES }, status: 204 }] }

export const INCREMENT: More = {
  description: 'A key that is not there counts as 0.',
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
}

export const INCREMENTED = {
  200: z
    .object({ namespace: z.string(), key: z.string(), value: z.string(), revision: z.int() })
    .describe('The new value.'),
} as const

export const WATCH: More = {
  description: 'Events `set`, `delete` and `expire`; with `initial=true` the present pairs come first, then `ready`.',
}

export const WATCH_QUERY = z.object({
  prefix: z.string().describe('Only keys that begin with this.').optional(),
  initial: field.boolean().describe('The present pairs first.').optional(),
})

export const EVENTS = {
  200: z.string().meta({ contentMediaType: 'text/event-stream', description: 'A stream of events.' }),
} as const

/** What an export holds and an import takes. */
export const EXPORTED = z.object({
  format: z.literal('footman.kv/1'),
  exportedAt: z.string().optional(),
  namespaces: z.record(
    z.string(),
    z.array(z.object({ key: z.string(), value: z.string(), expiresAt: z.string().nullable().optional() })),
  ),
})

const EXPORT_EXAMPLE = {
  format: 'footman.kv/1',
  exportedAt: '2026-03-02T06:05:00.120Z',
  namespaces: { [SALES]: [{ ...PAIR, expiresAt: null }] },
}

export const EXPORT: More = { examples: [{ name: 'all', status: 200, answer: EXPORT_EXAMPLE }] }

export const IMPORT: More = {
  examples: [{ name: 'merge', body: EXPORT_EXAMPLE, status: 200, answer: { namespaces: 1, keys: 1, skipped: 0 } }],
}

export const EXPORT_QUERY = z.object({
  namespace: z.string().describe('Only this namespace; may be given several times.').optional(),
})

export const IMPORT_QUERY = z.object({
  mode: z.enum(['merge', 'replace']).describe('Keep what is there (default), or replace the namespaces.').optional(),
})
