/** A JSON value as nested, foldable HTML. */
import { escapeHtml, visible } from '../platform/visible.ts'

/** The members of the outermost object; those on the first level get an id. */
export function treeOf(value: Readonly<Record<string, unknown>>): string {
  return Object.entries(value)
    .map(([key, item]) => node(key, item, ` id="t-${escapeHtml(key)}"`))
    .join('')
}

function node(key: string, value: unknown, attributes = ''): string {
  const name = `<span class="key">${escapeHtml(visible(key))}</span>`
  if (typeof value !== 'object' || value === null) {
    return `<div class="leaf"${attributes}>${name}: ${scalar(value)}</div>`
  }
  const entries = Object.entries(value)
  const [open, close] = Array.isArray(value) ? '[]' : '{}'
  if (entries.length === 0)
    return `<div class="leaf"${attributes}>${name}: <span class="nothing">${open}${close}</span></div>`
  const children = entries.map(([childKey, item]) => node(childKey, item)).join('')
  const count = `<span class="count">${open}${entries.length}${close}</span>`
  return `<details${attributes}><summary>${name} ${count}</summary><div class="children">${children}</div></details>`
}

function scalar(value: unknown): string {
  const text = JSON.stringify(value) ?? 'null'
  return `<span class="${kindOf(value)}">${escapeHtml(visible(text))}</span>`
}

function kindOf(value: unknown): string {
  if (typeof value === 'number') return 'number'
  if (typeof value === 'boolean') return 'boolean'
  if (typeof value !== 'string') return 'nothing'
  return value.endsWith('**********') ? 'masked' : 'text'
}
