/** Functions that want to be called when something happens. */
export interface Listeners<Args extends readonly unknown[]> {
  /** Returns the function that ends it. */
  add(listener: (...args: Args) => void): () => void
  /** In the order in which they were added. */
  call(...args: Args): void
}

export function createListeners<Args extends readonly unknown[] = []>(): Listeners<Args> {
  const listeners = new Set<(...args: Args) => void>()
  return {
    add(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    call(...args) {
      for (const listener of listeners) listener(...args)
    },
  }
}
