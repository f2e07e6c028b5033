/** Pairs that were read lately, so that reading one repeatedly does not ask the database each time. */
import type { Pair } from './types.ts'

const MOST_RECENT_PAIRS = 1000
/** Characters; larger values gain nothing. */
const LONGEST_RECENT_VALUE = 4096

export function createRecentPairs() {
  const pairs = new Map<string, Pair>()
  // The database keeps UTF-8, in which texts with lone surrogates are others.
  const nameOf = (namespace: string, key: string): string => `${namespace.length} ${namespace}${key}`.toWellFormed()
  return {
    get: (namespace: string, key: string): Pair | undefined => pairs.get(nameOf(namespace, key)),
    keep(namespace: string, key: string, pair: Pair): void {
      if (pair.value.length > LONGEST_RECENT_VALUE || key.length > LONGEST_RECENT_VALUE) return
      if (pairs.size >= MOST_RECENT_PAIRS) pairs.clear()
      pairs.set(nameOf(namespace, key), pair)
    },
    /** To be called in the transaction that changes the pair. */
    forget: (namespace: string, key: string): void => void pairs.delete(nameOf(namespace, key)),
    forgetAll: (): void => pairs.clear(),
  }
}
