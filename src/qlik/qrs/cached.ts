/** Short-lived answers for look-ups that one event makes several times, and many events make at once. */
import { type Clock, systemClock } from '../../platform/types.ts'
import type { QrsClient } from './types.ts'

export interface CacheSettings {
  /** How long an answer is used. Default 5,000. */
  readonly ttlMs?: number
  /** Per kind of look-up; the oldest answers go first. Default 500. */
  readonly maxEntries?: number
}

/**
 * `taskById`, `appById` and `owner` are answered from memory for `ttlMs`; identical questions asked at the same time
 * become one request. "Does not exist" and errors are never kept. Everything else goes straight through.
 */
export function createCachedQrs(
  client: QrsClient,
  settings: CacheSettings = {},
  clock: Clock = systemClock,
): QrsClient {
  const cached = <T>(ask: (id: string) => Promise<T | null>) => createLookup(ask, settings, clock)
  return {
    ...client,
    taskById: cached((id) => client.taskById(id)),
    appById: cached((id) => client.appById(id)),
    owner: cached((id) => client.owner(id)),
  }
}

interface Entry<T> {
  readonly answer: Promise<T | null>
  /** Infinity while the request is under way. */
  expires: number
}

function createLookup<T>(ask: (id: string) => Promise<T | null>, settings: CacheSettings, clock: Clock) {
  const { ttlMs = 5000, maxEntries = 500 } = settings
  const entries = new Map<string, Entry<T>>()

  function start(key: string, id: string): Entry<T> {
    // Shared by several callers, so none of their signals may end it; its own time-out does.
    const entry: Entry<T> = { answer: ask(id), expires: Number.POSITIVE_INFINITY }
    entries.set(key, entry)
    const forget = () => {
      if (entries.get(key) === entry) entries.delete(key)
    }
    entry.answer.then((value) => {
      if (value === null) return forget()
      entry.expires = clock.now() + ttlMs
      // Kept any longer, it would only take memory.
      setTimeout(forget, ttlMs).unref()
    }, forget)
    const oldest = entries.size > maxEntries ? entries.keys().next().value : undefined
    if (oldest !== undefined) entries.delete(oldest)
    return entry
  }

  return (id: string, signal?: AbortSignal): Promise<T | null> => {
    const key = id.toLowerCase()
    const known = entries.get(key)
    if (known && clock.now() < known.expires) return withSignal(known.answer, signal)
    entries.delete(key)
    return withSignal(start(key, id).answer, signal)
  }
}

/** A caller that cancels stops waiting; the request goes on for the others. */
export function withSignal<T>(answer: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (!signal) return answer
  return new Promise((resolve, reject) => {
    const cancel = () => reject(signal.reason)
    if (signal.aborted) return cancel()
    signal.addEventListener('abort', cancel, { once: true })
    answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', cancel))
  })
}
