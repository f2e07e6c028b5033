/** Small helpers for trees of parts, with a record of whether anything was changed. */
import type { Document, Element } from '@xmldom/xmldom'

/** Elements with the local name and any prefix, in document order. */
export const elements = (root: Document | Element, name: string): Element[] =>
  Array.from(root.getElementsByTagNameNS('*', name)) as Element[]

export const children = (parent: Element, name?: string): Element[] =>
  (Array.from(parent.childNodes) as unknown as Element[]).filter(
    (node) => node.nodeType === 1 && (name === undefined || node.localName === name),
  )

export const child = (parent: Element, name: string): Element | null => children(parent, name)[0] ?? null

/** Changes a tree; `changed` is set by the first change that makes a difference. */
export class Edits {
  changed = false

  attribute(element: Element, name: string, value: string | null): void {
    const old = element.getAttribute(name)
    if (old === value) return
    this.changed = true
    if (value === null) element.removeAttribute(name)
    else element.setAttribute(name, value)
  }

  /** Applies `change` to an attribute that exists. */
  mapAttribute(element: Element, name: string, change: (value: string) => string): void {
    const value = element.getAttribute(name)
    if (value !== null) this.attribute(element, name, change(value))
  }

  text(element: Element, value: string): void {
    if (element.textContent === value) return
    this.changed = true
    element.textContent = value
  }

  mapText(element: Element, change: (value: string) => string): void {
    this.text(element, change(element.textContent ?? ''))
  }

  /** A change of another kind. */
  change(apply: () => void): void {
    this.changed = true
    apply()
  }

  remove(element: Element): void {
    this.changed = true
    element.parentNode?.removeChild(element)
  }
}
