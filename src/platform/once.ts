/** Values that are made when they are needed first. */

/** `make` runs at the first call; later calls get the same value. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
