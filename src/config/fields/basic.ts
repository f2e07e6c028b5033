/**
 * The building blocks of every configuration section. Each takes the description first, so that no key goes without
 * one. Conventions: an absent key has its default; an absent or null section is an empty section; an absent or null
 * list is an empty list; text without a default is '' (= not set). The schemas themselves are strict: that null is
 * accepted and that words may be written in capitals is the loader's doing (keys.ts), which reads the notes.
 */
import { z } from 'zod'

/** Metadata of a key for the docs, the loader and `footman check`. */
export interface FieldNotes {
  /** Accepted for old files, without effect. */
  ignored?: boolean
  /** Unknown keys in this section are errors. */
  closed?: boolean
  /** Shown in the reference when there is no fixed default. */
  defaultText?: string
}

interface Notes extends FieldNotes {
  description: string
  /** Meaning of a key without a value: absent, or an empty text. The loader applies it. */
  nullable?: 'absent' | 'empty'
  format?: string
  range?: { min?: number | string; max?: number | string }
}

/** Attaches notes without making another copy of the schema, of which there are thousands. */
export function noted<T extends z.ZodType>(schema: T, notes: Notes): T {
  z.globalRegistry.add(schema, { ...notes })
  return schema
}

const BOOLEAN = z.boolean()
const TEXT = z.string()

/**
 * An object with named keys. They are built when they are needed first: a file has few of the many sections, and
 * building them all takes longer than anything else at start.
 */
export function section<T extends z.ZodRawShape>(description: string, shape: () => T, notes: FieldNotes = {}) {
  return noted(object(shape).prefault({} as never), { description, nullable: 'absent', ...notes })
}

/** An object that must be given: an item of a list, a value of a map. Its keys are built as late as those of a section. */
export function object<T extends z.core.$ZodLooseShape>(shape: () => T) {
  return z.lazy(() => z.object(shape()))
}

/** An object whose keys the user chooses. */
export function map<T extends z.ZodType>(description: string, value: T, key: z.ZodString = TEXT) {
  return noted(z.record(key, value).prefault({}), { description, nullable: 'absent' })
}

/** A list; null counts as empty. */
export function list<T extends z.ZodType>(description: string, item: T, limits: { min?: number; max?: number } = {}) {
  let array = z.array(item)
  if (limits.min !== undefined) array = array.min(limits.min)
  if (limits.max !== undefined) array = array.max(limits.max)
  return noted(array.prefault([]), { description, nullable: 'absent' })
}

/** One value or a list of them; always a list for the program. */
export function oneOrMany<T extends z.ZodType>(description: string, item: T) {
  const schema = z
    .union([item, z.array(item)])
    .transform((value): z.output<T>[] => (Array.isArray(value) ? (value as z.output<T>[]) : [value as z.output<T>]))
  return noted(schema, { description })
}

export function flag(description: string, fallback = false, notes: FieldNotes = {}) {
  return noted(BOOLEAN.default(fallback), { description, ...notes })
}

/** A switch that is undefined when absent, because another key or another program decides then. */
export function optionalFlag(description: string, notes: FieldNotes = {}) {
  return noted(BOOLEAN.optional(), { description, ...notes })
}

/** '' = not set; a key without a value means the same. With another default a value is needed. */
export function text(description: string, fallback = '', notes: FieldNotes = {}) {
  return withDefault(TEXT, description, fallback, notes)
}

/** A text whose null means '' (= not set) although it has a default. */
export function nullableText(description: string, fallback = '', notes: FieldNotes = {}) {
  return withDefault(TEXT, description, fallback, notes, true)
}

/** A kind of text with its default; null counts as '' where '' is the default. */
export function withDefault(
  schema: z.ZodString,
  description: string,
  fallback: string,
  notes: FieldNotes & { format?: string },
  nullable = fallback === '',
) {
  return noted(schema.default(fallback), { description, ...(nullable ? { nullable: 'empty' } : {}), ...notes })
}

/** For list items that make no sense without the key. */
export function requiredText(description: string, notes: FieldNotes = {}) {
  return noted(z.string().min(1), { description, ...notes })
}

/** One of a few words; the loader does not mind blanks around it and capitals. */
export function choice<const T extends readonly [string, ...string[]]>(
  description: string,
  values: T,
  fallback: T[number],
) {
  return noted(z.enum(values).default(fallback as never), { description })
}

export function optionalChoice<const T extends readonly [string, ...string[]]>(description: string, values: T) {
  return noted(z.enum(values).optional(), { description })
}

/** For list items: a word without a default. */
export function word<const T extends readonly [string, ...string[]]>(values: T) {
  return z.enum(values)
}

export interface Range {
  readonly min?: number
  readonly max?: number
}

/** Any number of the range, fractions included. */
export function number(description: string, fallback: number, range: Range = { min: 0 }, notes: FieldNotes = {}) {
  const error = outside(range)
  const schema = z
    .number()
    .min(range.min ?? -Number.MAX_VALUE, { error })
    .max(range.max ?? Number.MAX_VALUE, { error })
  return noted(schema.default(fallback), { description, range, ...notes })
}

/** A whole number of the range. */
export function count(description: string, fallback: number, range: Range = { min: 0 }, notes: FieldNotes = {}) {
  const error = outside(range)
  const schema = z
    .int()
    .min(range.min ?? 0, { error })
    .max(range.max ?? Number.MAX_SAFE_INTEGER, { error })
  return noted(schema.default(fallback), { description, range, ...notes })
}

/** The text of an error that names the value and the whole allowed range. */
export function outside({ min, max }: Range): (issue: { readonly input?: unknown }) => string {
  const allowed = max === undefined ? `at least ${min}` : `between ${min ?? 'any number'} and ${max}`
  return ({ input }) => `must be ${allowed}, found ${String(input)}`
}

/** `{name, value}`: a header, a tag, an attribute. */
export function nameValue(what: string) {
  return object(() => ({ name: requiredText(`Name of the ${what}.`), value: text(`Value of the ${what}.`) }))
}
