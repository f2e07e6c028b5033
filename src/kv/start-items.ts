/** Takes the key-value pairs of start requests. */
import type { Logger } from '../platform/types.ts'
import type { StoreKeyValues } from '../tasks/start/types.ts'
import { KeyValueRefusal, type KeyValueStore } from './types.ts'

/** All in one commit. A pair that does not fit is logged and left out; the others and the start go on. */
export function createStoreKeyValues(deps: { readonly store: KeyValueStore; readonly log: Logger }): StoreKeyValues {
  const { store, log } = deps
  return async (items) => {
    const writes = items.map((item) =>
      store.set(item).then(
        () => log.verbose(`KEYVALUE: Stored key ${item.key} in namespace ${item.namespace} for a start request`),
        (error: unknown) => {
          if (!(error instanceof KeyValueRefusal)) throw error
          log.warn(`KEYVALUE: Key ${item.key} of a start request is not stored: ${error.message}`)
        },
      ),
    )
    const results = await Promise.allSettled(writes)
    const failed = results.find((result) => result.status === 'rejected')
    if (failed) throw failed.reason
  }
}
