/** The key-value pairs of a start request: parameters for the load scripts that it starts. */
import type { Logger } from '../../platform/types.ts'
import { isRecord, textOf } from './parsed.ts'
import type { KeyValueItem, StoreKeyValues } from './types.ts'

const TRYING = 'STARTTASK: Trying to store key-value data, but'

/** Stores what is complete, in one go; everything else is skipped with a warning. Rejects when the storage fails. */
export async function storeItems(
  { log, storeKeyValues }: { readonly log: Logger; readonly storeKeyValues?: StoreKeyValues | undefined },
  items: readonly unknown[],
): Promise<void> {
  if (items.length === 0) return
  const complete: KeyValueItem[] = []
  for (const item of items) {
    const result = storeKeyValues ? readItem(item) : 'KV store is not enabled.'
    if (typeof result === 'string') log.warn(`${TRYING} ${result}`)
    else complete.push(result)
  }
  if (complete.length > 0) await storeKeyValues?.(complete)
}

/** The namespaces that the items name. */
export function namespacesOf(items: readonly unknown[]): string[] {
  return [...new Set(items.flatMap((item) => (isRecord(item) ? textOf(item.namespace) : [])))].filter((ns) => ns !== '')
}

/** The pair, or why it is none. */
function readItem(item: unknown): KeyValueItem | string {
  const { namespace, key, value, ttl }: Record<string, unknown> = isRecord(item) ? item : {}
  const pair = { namespace: textOf(namespace), key: textOf(key), value: valueText(value) }
  if (Object.values(pair).includes('')) return 'method call is missing some KV fields..'
  const ttlMs = isBlank(ttl) ? 0 : Number(ttl)
  if (!Number.isFinite(ttlMs)) return `the ttl ${JSON.stringify(ttl)} of key "${pair.key}" is not a number.`
  return { ...pair, ttl: Math.trunc(ttlMs) }
}

/** Values that are no texts are kept as JSON: `0`, `false`, `{"a":1}`. */
function valueText(value: unknown): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}

const isBlank = (value: unknown): boolean => value === undefined || value === null || value === ''
