/** Finds the route of a path that needs no decoding; quicker than patterns, which load-script loops feel. */

export interface PathTree<T> {
  /** `path` as routes are declared: `/v4/keyvalues/{namespace}`. */
  add(path: string, value: T): void
  /** Fixed segments win over parameters, which take any segment but an empty one. */
  find(path: string): { readonly value: T; readonly params: Readonly<Record<string, string>> } | null
}

interface Node<T> {
  readonly fixed: Map<string, Node<T>>
  any: Node<T> | null
  leaf: { readonly value: T; readonly names: readonly string[] } | null
}

export function createPathTree<T>(): PathTree<T> {
  const newNode = (): Node<T> => ({ fixed: new Map(), any: null, leaf: null })
  const root = newNode()

  function search(node: Node<T>, segments: readonly string[], at: number, taken: string[]): Node<T> | null {
    if (at === segments.length) return node.leaf ? node : null
    const segment = segments[at]!
    const next = node.fixed.get(segment)
    const found = next ? search(next, segments, at + 1, taken) : null
    if (found || !node.any || segment === '') return found
    taken.push(segment)
    const below = search(node.any, segments, at + 1, taken)
    if (!below) taken.pop()
    return below
  }

  return {
    add(path, value) {
      let node = root
      const names: string[] = []
      for (const segment of path.split('/')) {
        if (segment.startsWith('{')) {
          names.push(segment.slice(1, -1))
          node.any ??= newNode()
          node = node.any
          continue
        }
        const next = node.fixed.get(segment) ?? newNode()
        node.fixed.set(segment, next)
        node = next
      }
      node.leaf ??= { value, names }
    },
    find(path) {
      const taken: string[] = []
      const leaf = search(root, path.split('/'), 0, taken)?.leaf
      if (!leaf) return null
      return { value: leaf.value, params: Object.fromEntries(leaf.names.map((name, index) => [name, taken[index]!])) }
    },
  }
}
