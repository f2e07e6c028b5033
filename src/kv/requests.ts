/** What the requests of the key-value store hold. */
import { z } from 'zod'
import type { ApiRequest } from '../http/endpoint/route.ts'
import { field } from '../http/endpoint/validation.ts'
import type { Precondition } from './types.ts'

/** Milliseconds; an empty text means no expiry. */
export const TTL = z.preprocess((value) => (value === '' ? 0 : value), field.number())

export const NEW_PAIR = field.object({
  key: field.string().optional(),
  value: field.string().optional(),
  ttl: TTL.optional(),
  ifRevision: field.integer().optional(),
})

export const KEY_QUERY = field.object({ key: field.string() })
export const PAIR_QUERY = field.object({ key: field.string(), meta: field.boolean().optional() })

export const etagOf = (revision: number): string => `"r${revision}"`

/** From `If-Match` and `If-None-Match`, as RFC 9110 has them, and the member `ifRevision`; all of them must hold. */
export function preconditionOf({ headers }: ApiRequest, ifRevision?: number): Precondition {
  const wanted = headers.get('if-match')
  const unwanted = headers.get('if-none-match')
  return (revision) =>
    (wanted === null || names(wanted, revision)) &&
    (unwanted === null || !names(unwanted, revision)) &&
    (ifRevision === undefined || ifRevision === revision)
}

/** `*` stands for any pair that exists. A tag that is not ours stands for none. */
function names(header: string, revision: number): boolean {
  if (revision === 0) return false
  return header.split(',').some((tag) => tag.trim() === '*' || tag.trim() === etagOf(revision))
}
