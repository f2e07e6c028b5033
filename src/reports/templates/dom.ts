/** Walks in the XML trees of Office parts. */
import type { Element, Node } from '@xmldom/xmldom'

const ELEMENT_NODE = 1

export const isElement = (node: Node | null): node is Element => node?.nodeType === ELEMENT_NODE

/** The child elements; the list stays the same while the tree changes. */
export const childElements = (parent: Node): Element[] => childNodes(parent).filter(isElement)

/** The children as an array; the list stays the same while the tree changes. */
export function childNodes(parent: Node): Node[] {
  const nodes: Node[] = []
  for (let node = parent.firstChild; node; node = node.nextSibling) nodes.push(node)
  return nodes
}

export const childNamed = (parent: Node, name: string): Element | undefined =>
  childElements(parent).find(({ localName }) => localName === name)

/** All elements below `root` in their order, without those that `isSkipped` and what is inside of them. */
export function* descendants(root: Node, isSkipped: (element: Element) => boolean = () => false): Generator<Element> {
  for (const element of childElements(root)) {
    if (isSkipped(element)) continue
    yield element
    yield* descendants(element, isSkipped)
  }
}

/** The nearest element of the name around `node`, below `root`. */
export function closest(node: Node, name: string, root: Node): Element | null {
  for (let outer = node.parentNode; outer && outer !== root; outer = outer.parentNode) {
    if (isElement(outer) && outer.localName === name) return outer
  }
  return null
}

export function contains(root: Node, node: Node): boolean {
  for (let outer: Node | null = node; outer; outer = outer.parentNode) if (outer === root) return true
  return false
}

export const remove = (node: Node): void => void node.parentNode?.removeChild(node)
