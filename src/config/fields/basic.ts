/**
 * The building blocks of every configuration section. Each takes the description first, so that no key goes without
 * one. Conventions: an absent key has its default; an absent or null section is an empty section; an absent or null
 * list is an empty list; text without a default is '' (= not set).
 */
import { z } from 'zod'

/** What a key may tell the docs, the loader and `footman check` beyond its type. */
export interface FieldNotes {
  /** Accepted for old files, without effect. */
  ignored?: boolean
  /** Unknown keys in this section are errors. */
  closed?: boolean
  /** Shown in the reference when there is no fixed default. */
  defaultText?: string
}

/** An object with named keys. */
export function section<T extends z.ZodRawShape>(description: string, shape: T, notes: FieldNotes = {}) {
  return z
    .preprocess(nullToEmptyObject, z.object(shape))
    .prefault({})
    .meta({ description, nullable: true, ...notes })
}

/** An object whose keys the user chooses. */
export function map<T extends z.ZodType>(description: string, value: T, key: z.ZodString = z.string()) {
  return z.preprocess(nullToEmptyObject, z.record(key, value)).prefault({}).meta({ description, nullable: true })
}

/** A list; null counts as empty. */
export function list<T extends z.ZodType>(description: string, item: T, limits: { min?: number; max?: number } = {}) {
  const base = z.array(item).min(limits.min ?? 0)
  const array = limits.max === undefined ? base : base.max(limits.max)
  return z
    .preprocess((value) => (value === null ? [] : value), array)
    .prefault([])
    .meta({ description, nullable: true })
}

/** One value or a list of them; always a list for the program. */
export function oneOrMany<T extends z.ZodType>(description: string, item: T) {
  return z
    .union([item, z.array(item)])
    .transform((value): z.output<T>[] => (Array.isArray(value) ? (value as z.output<T>[]) : [value as z.output<T>]))
    .meta({ description })
}

export function flag(description: string, fallback = false, notes: FieldNotes = {}) {
  return z
    .boolean()
    .default(fallback)
    .meta({ description, ...notes })
}

/** A switch that is undefined when absent, because another key or another program decides then. */
export function optionalFlag(description: string, notes: FieldNotes = {}) {
  return z
    .boolean()
    .optional()
    .meta({ description, ...notes })
}

/** '' = not set; a key without a value means the same. With another default a value is needed. */
export function text(description: string, fallback = '', notes: FieldNotes = {}) {
  return withDefault(z.string(), description, fallback, notes)
}

/** A text whose null means '' (= not set) although it has a default. */
export function nullableText(description: string, fallback = '', notes: FieldNotes = {}) {
  return withDefault(z.string(), description, fallback, notes, true)
}

/** A kind of text with its default; null counts as '' where '' is the default. */
export function withDefault(
  schema: z.ZodString,
  description: string,
  fallback: string,
  notes: FieldNotes & { format?: string },
  nullable = fallback === '',
) {
  return z
    .preprocess((value) => (nullable && value === null ? '' : value), schema)
    .prefault(fallback)
    .meta({ description, ...(nullable ? { nullable } : {}), ...notes })
}

/** For list items that make no sense without the key. */
export function requiredText(description: string, notes: FieldNotes = {}) {
  return z
    .string()
    .min(1)
    .meta({ description, ...notes })
}

/** One of a few words; blanks around it and capitals do not matter. */
export function choice<const T extends readonly [string, ...string[]]>(
  description: string,
  values: T,
  fallback: T[number],
) {
  return z.preprocess(normalise(values), z.enum(values)).prefault(fallback).meta({ description })
}

export function optionalChoice<const T extends readonly [string, ...string[]]>(description: string, values: T) {
  return z.preprocess(normalise(values), z.enum(values)).optional().meta({ description })
}

/** For list items: a word without a default. */
export function word<const T extends readonly [string, ...string[]]>(values: T) {
  return z.preprocess(normalise(values), z.enum(values))
}

export interface Range {
  readonly min?: number
  readonly max?: number
}

/** Any number of the range, fractions included. */
export function number(description: string, fallback: number, range: Range = { min: 0 }, notes: FieldNotes = {}) {
  const error = outside(range)
  return z
    .number()
    .min(range.min ?? -Number.MAX_VALUE, { error })
    .max(range.max ?? Number.MAX_VALUE, { error })
    .default(fallback)
    .meta({ description, range, ...notes })
}

/** A whole number of the range. */
export function count(description: string, fallback: number, range: Range = { min: 0 }, notes: FieldNotes = {}) {
  const error = outside(range)
  return z
    .int()
    .min(range.min ?? 0, { error })
    .max(range.max ?? Number.MAX_SAFE_INTEGER, { error })
    .default(fallback)
    .meta({ description, range, ...notes })
}

/** The text of an error that names the value and the whole allowed range. */
export function outside({ min, max }: Range): (issue: { readonly input?: unknown }) => string {
  const allowed = max === undefined ? `at least ${min}` : `between ${min ?? 'any number'} and ${max}`
  return ({ input }) => `must be ${allowed}, found ${String(input)}`
}

/** `{name, value}`: a header, a tag, an attribute. */
export function nameValue(what: string) {
  return z.object({ name: requiredText(`Name of the ${what}.`), value: text(`Value of the ${what}.`) })
}

function nullToEmptyObject(value: unknown): unknown {
  return value === null ? {} : value
}

function normalise(values: readonly string[]): (value: unknown) => unknown {
  const byLowerCase = new Map(values.map((value) => [value.toLowerCase(), value]))
  return (value) => (typeof value === 'string' ? (byLowerCase.get(value.trim().toLowerCase()) ?? value) : value)
}
