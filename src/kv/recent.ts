/** Pairs that were read lately, so that reading one again and again does not ask the database each time. */
import type { Pair } from './types.ts'

export interface RecentPairs {
  get(namespace: string, key: string): Pair | undefined
  keep(namespace: string, key: string, pair: Pair): void
  /** To be called in the transaction that changes the pair. */
  forget(namespace: string, key: string): void
  forgetAll(): void
}

const MOST_PAIRS = 1000
/** Characters; larger values gain nothing. */
const LONGEST_VALUE = 4096

export function createRecentPairs(): RecentPairs {
  const pairs = new Map<string, Pair>()
  // The database keeps UTF-8, in which texts with lone surrogates are others.
  const nameOf = (namespace: string, key: string): string => `${namespace.length} ${namespace}${key}`.toWellFormed()
  return {
    get: (namespace, key) => pairs.get(nameOf(namespace, key)),
    keep(namespace, key, pair) {
      if (pair.value.length > LONGEST_VALUE || key.length > LONGEST_VALUE) return
      if (pairs.size >= MOST_PAIRS) pairs.clear()
      pairs.set(nameOf(namespace, key), pair)
    },
    forget: (namespace, key) => void pairs.delete(nameOf(namespace, key)),
    forgetAll: () => pairs.clear(),
  }
}
