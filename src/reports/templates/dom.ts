/** Walks in the XML trees of Office parts. */
import type { Element, Node } from '@xmldom/xmldom'

const ELEMENT_NODE = 1
const TEXT_NODE = 3
const FRAGMENT_NODE = 11

export const isElement = (node: Node | null): node is Element => node?.nodeType === ELEMENT_NODE

/** The child elements; the list stays the same while the tree changes. */
export function childElements(parent: Node): Element[] {
  const elements: Element[] = []
  for (let node = parent.firstChild; node; node = node.nextSibling) if (isElement(node)) elements.push(node)
  return elements
}

/** The children as an array; the list stays the same while the tree changes. */
export function childNodes(parent: Node): Node[] {
  const nodes: Node[] = []
  for (let node = parent.firstChild; node; node = node.nextSibling) nodes.push(node)
  return nodes
}

export const childNamed = (parent: Node, name: string): Element | undefined =>
  childElements(parent).find(({ localName }) => localName === name)

/**
 * All elements below `root` in their order, without those that `isSkipped` and what is inside of them. The list stays the same while the
 * tree changes. Documents have a million elements, so it is a plain loop.
 */
export function descendants(root: Node, isSkipped: (element: Element) => boolean = () => false): Element[] {
  const found: Element[] = []
  let node = root.firstChild
  while (node) {
    let below: Node | null = null
    if (isElement(node) && !isSkipped(node)) {
      found.push(node)
      below = node.firstChild
    }
    let next: Node | null = below ?? node.nextSibling
    for (let outer: Node | null = node; next === null && outer !== null; next = outer?.nextSibling ?? null) {
      outer = outer.parentNode
      if (outer === root) break
    }
    node = next
  }
  return found
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

/** The element without its content. The library's `cloneNode` goes through all members of the prototypes for each node, which takes ten times as long. */
export function emptyCopy(element: Element): Element {
  const copy = element.ownerDocument!.createElementNS(element.namespaceURI, element.nodeName)
  for (const { namespaceURI, name, value } of Array.from(element.attributes)) {
    copy.setAttributeNS(namespaceURI ?? null, name, value)
  }
  return copy
}

/** A copy of a node with its content, of any depth that a template may have. */
export function copyOf<Copied extends Node>(node: Copied): Copied
export function copyOf(node: Node): Node {
  if (node.nodeType === TEXT_NODE) return node.ownerDocument!.createTextNode(node.nodeValue ?? '')
  const isFragment = node.nodeType === FRAGMENT_NODE
  if (!isElement(node) && !isFragment) return node.cloneNode(true)
  const copy = isElement(node) ? emptyCopy(node) : node.ownerDocument!.createDocumentFragment()
  for (let child = node.firstChild; child; child = child.nextSibling) copy.appendChild(copyOf(child))
  return copy
}

export const remove = (node: Node): void => void node.parentNode?.removeChild(node)
