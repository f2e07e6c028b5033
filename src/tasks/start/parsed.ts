/** What the two dialects of a start request are reduced to. */
import type { CustomPropertySelector } from './types.ts'

export type Problem =
  /** An id that is not a GUID. */
  | { readonly kind: 'taskId'; readonly value: string }
  /** A member of the wrong form; `details` says which and what is wanted. */
  | { readonly kind: 'shape'; readonly details: string }

export interface ParsedStart {
  readonly dialect: 'object' | 'array'
  /** Object dialect: GUIDs only, as written. Array dialect: everything, lower-cased where it is a GUID. */
  readonly taskIds: readonly string[]
  readonly tags: readonly string[]
  readonly customProperties: readonly CustomPropertySelector[]
  /** Globs; only in the object dialect. */
  readonly taskNames: readonly string[]
  readonly match: 'any' | 'all'
  /** The key-value pairs that the request wants to store, unchecked. */
  readonly keyValues: readonly unknown[]
  readonly problems: readonly Problem[]
  /** Members of the object that nobody knows. */
  readonly unknown: readonly string[]
  /** False when no member says what to start or store. */
  readonly selects: boolean
}

/** A request without a body: what the URL says is all. */
export const NOTHING: ParsedStart = {
  dialect: 'object',
  taskIds: [],
  tags: [],
  customProperties: [],
  taskNames: [],
  match: 'any',
  keyValues: [],
  problems: [],
  unknown: [],
  selects: false,
}

/** Texts, and numbers and booleans as text; everything else is empty. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
