/** So many at a time, the others one after the other in the order in which they came. */

export interface Limiter {
  readonly isFull: boolean
  /** Resolves with the function that makes room again. Rejects when `signal` aborts while waiting. */
  enter(signal?: AbortSignal): Promise<() => void>
}

export function createLimiter(most: number): Limiter {
  const waiting = new Set<() => void>()
  let inside = 0

  function leave(): void {
    inside -= 1
    const [next] = waiting
    if (!next) return
    waiting.delete(next)
    next()
  }

  return {
    get isFull() {
      return inside >= most
    },
    async enter(signal) {
      signal?.throwIfAborted()
      if (inside >= most) {
        await new Promise<void>((resolve, reject) => {
          const abort = () => {
            waiting.delete(go)
            reject(signal?.reason)
          }
          const go = () => {
            signal?.removeEventListener('abort', abort)
            // Counted here, so that no newcomer overtakes the one that has waited.
            inside += 1
            resolve()
          }
          waiting.add(go)
          signal?.addEventListener('abort', abort, { once: true })
        })
      } else inside += 1
      return leave
    },
  }
}
