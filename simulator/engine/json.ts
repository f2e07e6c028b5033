/** Readers of loosely typed JSON: what a client sends is never trusted to have the right shape. */

export type Json = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export const asObject = (value: unknown): Json => (isObject(value) ? value : {})
export const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
export const asFlag = (value: unknown): boolean => value === true || value === 1 || value === 'true'

export function asText(value: unknown, fallback = ''): string {
  if (typeof value === 'string') return value
  return typeof value === 'number' ? String(value) : fallback
}

export function asNumber(value: unknown, fallback = 0): number {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : fallback
}

/** Expressions travel as a string or, in some structures, as `{qv}` or `{qExpr}`. */
export function asExpression(value: unknown): string {
  if (!isObject(value)) return asText(value)
  return asText(value.qv ?? value.qExpr)
}

/** The value at a JSON pointer such as `/qHyperCubeDef`; undefined when the way is broken. */
export function atPath(root: unknown, path: string): unknown {
  let value = root
  for (const key of path.split('/').filter((part) => part !== '')) {
    if (typeof value !== 'object' || value === null) return undefined
    value = (value as Record<string, unknown>)[key]
  }
  return value
}

const DANGEROUS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

/** A copy of `root` with the value at the pointer set; `undefined` removes it. Pointers into prototypes are ignored. */
export function withPath(root: Json, path: string, value: unknown): Json {
  const keys = path.split('/').filter((part) => part !== '')
  if (keys.some((key) => DANGEROUS.has(key))) return root
  const last = keys.pop()
  if (last === undefined) return asObject(value)
  const copy = structuredClone(root) as Record<string, unknown>
  let holder: Record<string, unknown> = copy
  for (const key of keys) {
    const next = holder[key]
    holder[key] = typeof next === 'object' && next !== null ? next : {}
    holder = holder[key] as Record<string, unknown>
  }
  if (value === undefined) delete holder[last]
  else holder[last] = value
  return copy
}

/** JSON has no NaN: the engine writes the string instead. */
export const orNaN = (value: number): number | 'NaN' => (Number.isFinite(value) ? value : 'NaN')
