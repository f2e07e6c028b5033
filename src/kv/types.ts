/** The key-value store as the rest of the program sees it. Times are milliseconds since 1970. */
import type { ImportedCounts } from './contract.ts'

export interface Pair {
  readonly key: string
  readonly value: string
  /** The pair can still be read at exactly this time; null = for ever. */
  readonly expiresAt: number | null
  /** Number of the write that made it; grows over the whole store, never used twice. */
  readonly revision: number
  readonly updatedAt: number
}

export interface Change {
  readonly event: 'set' | 'delete' | 'expire'
  readonly namespace: string
  readonly key: string
  /** Only of `set`. */
  readonly value?: string
  readonly revision: number
}

/** Whether a write may go ahead; `revision` is that of the pair as it is, 0 = there is none. */
export type Precondition = (revision: number) => boolean

export interface NewPair {
  readonly namespace: string
  readonly key: string
  readonly value: string
  /** Milliseconds from now; 0 and below = no expiry. */
  readonly ttl: number
}

export interface ImportedPair {
  readonly key: string
  readonly value: string
  readonly expiresAt: number | null
}

export interface PageQuery {
  readonly prefix: string
  /** Only keys that come after it, in the order of their UTF-8 bytes; null = from the first. */
  readonly after: string | null
  readonly limit: number
}

/** Why the store does not do something; nothing is changed then. */
export type Reason =
  | { readonly kind: 'noNamespace'; readonly namespace: string }
  | { readonly kind: 'noKey'; readonly namespace: string; readonly key: string }
  | { readonly kind: 'full'; readonly namespace: string; readonly limit: number }
  /** Sizes in bytes of UTF-8. */
  | { readonly kind: 'tooLarge'; readonly key: string; readonly size: number; readonly limit: number }
  /** A precondition failed. */
  | { readonly kind: 'revision'; readonly current: number }
  | { readonly kind: 'notANumber'; readonly key: string }

/** Thrown by the store. */
export class KeyValueRefusal extends Error {
  override readonly name = 'KeyValueRefusal'
  constructor(readonly reason: Reason) {
    super(textOf(reason))
  }
}

function textOf(reason: Reason): string {
  switch (reason.kind) {
    case 'noNamespace':
      return `Namespace not found: ${reason.namespace}`
    case 'noKey':
      return `Key '${reason.key}' not found in namespace: ${reason.namespace}`
    case 'full':
      return `Maximum number of keys (${reason.limit}) reached in namespace: ${reason.namespace}`
    case 'tooLarge':
      return `The value of key '${reason.key}' has ${reason.size} bytes; Butler.footman.keyValue.maxValueSize allows ${reason.limit}.`
    case 'revision':
      return reason.current === 0 ? 'There is no such key.' : `The key has revision ${reason.current}.`
    case 'notANumber':
      return `The value of key '${reason.key}' is not, or would no longer be, an integer within +-2^53.`
  }
}

export interface NamespaceSize {
  readonly keys: number
  /** The bytes of keys and values, in UTF-8. */
  readonly bytes: number
  /** The time of the last write to a pair that is still there, milliseconds since 1970; null without pairs. */
  readonly changedAt: number | null
}

/** Every promise resolves when the change is durable, and rejects with a `KeyValueRefusal` or what the storage says. */
export interface KeyValueStore {
  /** In order of creation; also those without keys. */
  namespaces(): string[]
  /** How much is in a namespace, expired pairs included until they are removed; null = there is no such namespace. */
  sizeOf(namespace: string): NamespaceSize | null
  hasNamespace(namespace: string): boolean
  get(namespace: string, key: string): Pair | undefined
  /** Oldest first. */
  keys(namespace: string): string[]
  /** Sorted by key; a short page only when there is nothing left. */
  page(namespace: string, query: PageQuery): Pair[]
  /** Oldest first, after the position given; each with its own position. */
  dump(namespace: string, after: number, limit: number): (Pair & { readonly position: number })[]
  /** The revision of the last write. */
  revision(): number

  set(pair: NewPair, precondition?: Precondition): Promise<Pair>
  /** A missing key counts as 0 and gets the `ttl`; an existing one keeps its expiry. */
  increment(namespace: string, key: string, by: number, ttl: number): Promise<Pair>
  delete(namespace: string, key: string, precondition?: Precondition): Promise<void>
  /** Removes the namespace with all that is in it. */
  clear(namespace: string): Promise<void>
  /** All or nothing; `replace` empties the namespaces named first. */
  import(data: ReadonlyMap<string, readonly ImportedPair[]>, mode: 'merge' | 'replace'): Promise<ImportedCounts>
  /** Removes up to `limit` pairs whose time is over; resolves with their number. */
  removeExpired(limit: number): Promise<number>
  /** Whether there is anything for `removeExpired`. */
  hasExpired(): boolean

  /** Changes after a revision, oldest first; null when they are not known, as on a single node. */
  changesAfter(revision: number): readonly Change[] | null

  /** Calls the listener with every change once it is durable, in order; it must not throw. Returns the unsubscribe function. */
  onChange(listener: (change: Change) => void): () => void
}
