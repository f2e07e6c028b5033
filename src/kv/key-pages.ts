/** Key lists in pages: sorted by key, so that no key of the beginning is missed or seen twice while others write. */

import { refusedWithCode } from '../http/endpoint/errors.ts'
import { invalidQuery, limitParameter, textParameter } from '../http/endpoint/list-query.ts'
import { type ApiRequest, jsonAnswer } from '../http/endpoint/route.ts'
import type { KeyValueStore, Pair } from './types.ts'

const PARAMETERS = ['prefix', 'limit', 'cursor', 'values'] as const
/** Pairs that are read at a time. */
const STEP = 20
/** Characters of values beyond which a page ends early; there is a cursor for the rest. */
const PAGE_SIZE = 4 * 1024 * 1024

/** Without any of the parameters the list is answered in the older form. */
export function wantsPage({ query }: ApiRequest): boolean {
  return PARAMETERS.some((name) => name in query)
}

export function listPage(
  { store, ttlLeft }: { readonly store: KeyValueStore; readonly ttlLeft: (pair: Pair) => number },
  namespace: string,
  { query }: ApiRequest,
): Response {
  const prefix = textParameter(query, 'prefix') ?? ''
  const limit = limitParameter(query)
  const values = booleanParameter(query, 'values')
  const { pairs, more } = collect(store, namespace, prefix, keyCursor(query), limit)
  const last = pairs.at(-1)
  return jsonAnswer(200, {
    namespace,
    keys: pairs.map((pair) =>
      values ? { key: pair.key, value: pair.value, ttl: ttlLeft(pair), revision: pair.revision } : { key: pair.key },
    ),
    nextCursor: more && last ? Buffer.from(last.key).toString('base64url') : null,
  })
}

function collect(store: KeyValueStore, namespace: string, prefix: string, start: string | null, limit: number) {
  const pairs: Pair[] = []
  let after = start
  for (let size = 0; ; ) {
    const step = store.page(namespace, { prefix, after, limit: STEP })
    for (const pair of step) {
      if (pairs.length === limit || size > PAGE_SIZE) return { pairs, more: true }
      pairs.push(pair)
      size += pair.value.length
      after = pair.key
    }
    if (step.length < STEP) return { pairs, more: false }
  }
}

/** `true` or `false`; absent means false. */
export function booleanParameter(query: ApiRequest['query'], name: string): boolean {
  const text = textParameter(query, name) ?? 'false'
  if (text !== 'true' && text !== 'false') throw invalidQuery([{ path: name, message: 'must be true or false' }])
  return text === 'true'
}

function keyCursor(query: ApiRequest['query']): string | null {
  const text = textParameter(query, 'cursor')
  if (text === undefined) return null
  const key = Buffer.from(text, 'base64url').toString()
  if (key !== '' && Buffer.from(key).toString('base64url') === text) return key
  throw refusedWithCode(400, 'INVALID_CURSOR', 'Invalid cursor', 'Use nextCursor of the answer before, unchanged.')
}
