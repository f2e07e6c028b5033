import type { KeyValueStore } from './types.ts'

/** What counts as which operation; everything else is not counted. */
const OPERATIONS: Partial<Record<keyof KeyValueStore, string>> = {
  get: 'get',
  keys: 'list',
  page: 'list',
  set: 'set',
  increment: 'increment',
  delete: 'delete',
  clear: 'clear',
  import: 'import',
}

/** The store, telling how often it is used; pairs that expire are told by number. Refused writes count too. */
export function countingStore(
  store: KeyValueStore,
  onOperation: (operation: string, times: number) => void,
): KeyValueStore {
  const counted = Object.entries(OPERATIONS).map(([method, operation]) => {
    const call = store[method as keyof KeyValueStore] as (...args: unknown[]) => unknown
    const counting = (...args: unknown[]): unknown => {
      onOperation(operation, 1)
      return call(...args)
    }
    return [method, counting]
  })
  return {
    ...store,
    ...Object.fromEntries(counted),
    dump(namespace, after, limit) {
      // Read in pieces, of which the first one counts.
      if (after === 0) onOperation('export', 1)
      return store.dump(namespace, after, limit)
    },
    async removeExpired(limit) {
      const removed = await store.removeExpired(limit)
      if (removed > 0) onOperation('expire', removed)
      return removed
    },
  }
}
