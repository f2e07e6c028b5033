/**
 * The fields of a form, made from the schema of what the form makes: their controls from the types, what an empty field means
 * from `optional`, `nullable` and `default`, and the words from `.meta()`.
 */
import type { z } from 'zod'
import type { FormMeta } from '../../platform/form-meta.ts'
import { type Field, isEmpty, isMembers, type Members, type Options, type Variant } from './fields.ts'

/** A type without its wrappers, and what they say. */
interface Plain {
  // biome-ignore lint/suspicious/noExplicitAny: the definition of a type is read by its kind
  readonly def: any
  readonly isOptional: boolean
  readonly isNullable: boolean
  /** Undefined without one. */
  readonly preset: unknown
  readonly meta: FormMeta
  /** Lengths of a text. */
  readonly minLength: number
  readonly maxLength?: number
}

function plainOf(type: z.ZodType): Plain {
  const meta = (type.meta() ?? {}) as FormMeta
  // biome-ignore lint/suspicious/noExplicitAny: see above
  const def = type._zod.def as any
  const inner = (): Plain => plainOf(def.innerType)
  switch (def.type) {
    case 'optional':
      return { ...inner(), isOptional: true, meta: { ...inner().meta, ...meta } }
    case 'nonoptional':
      return { ...inner(), isOptional: false, meta: { ...inner().meta, ...meta } }
    case 'nullable':
      return { ...inner(), isNullable: true, meta: { ...inner().meta, ...meta } }
    case 'default':
      return { ...inner(), preset: def.defaultValue, meta: { ...inner().meta, ...meta } }
    case 'prefault': {
      const source = inner()
      // An object with the defaults of its members; a text as it is written, before it is converted.
      const preset = source.def.type === 'object' ? type.safeParse(undefined).data : def.defaultValue
      return { ...source, preset, meta: { ...source.meta, ...meta } }
    }
    case 'lazy': {
      const source = plainOf(def.getter())
      return { ...source, meta: { ...source.meta, ...meta } }
    }
    case 'pipe': {
      // Members that are converted first have the type that is meant behind it.
      const source = plainOf(def.in._zod.def.type === 'transform' ? def.out : def.in)
      return { ...source, meta: { ...source.meta, ...meta } }
    }
    default: {
      const { minLength = null, maxLength = null } = type as { minLength?: number | null; maxLength?: number | null }
      const lengths = { minLength: minLength ?? 0, ...(maxLength !== null && { maxLength }) }
      return { def, isOptional: false, isNullable: false, preset: undefined, meta, ...lengths }
    }
  }
}

type Shape = Readonly<Record<string, z.ZodType>>

const wordsOf = (name: string): string => {
  const words = name.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase()
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** The members of an object, in the order in which a form shows them; those of inner objects stand among them. */
export const fieldsOf = (shape: Shape): Field[] =>
  Object.entries(shape)
    .map(([name, type]) => ({ name, plain: plainOf(type) }))
    .sort((a, b) => (a.plain.meta.order ?? 0) - (b.plain.meta.order ?? 0))
    .flatMap(({ name, plain }) => fieldsOfMember(name, plain))

function fieldsOfMember(at: string, plain: Plain): Field[] {
  const { def, isOptional, isNullable, preset, meta } = plain
  if (meta.control === 'none' || def.type === 'literal') return []
  // An empty field of a member that has a default brings that back.
  const hasDefault = !isEmpty(preset)
  const empty = isNullable ? null : isOptional || hasDefault ? ('omit' as const) : undefined
  const label = meta.label ?? wordsOf(at)
  const described = meta.hint ?? meta.description
  // A sentence that says no more than the label is left out.
  const hint = described?.replace(/\.$/, '').toLowerCase() === label.toLowerCase() ? undefined : described
  const base = {
    at,
    label,
    ...(hint !== undefined && { hint }),
    ...(meta.group !== undefined && { group: meta.group }),
    ...(meta.advanced && { advanced: true as const }),
    ...(empty !== undefined && { empty }),
    ...(preset !== undefined && { preset }),
    ...((meta.needed || (plain.minLength > 0 && isRequired(plain))) && { required: true as const }),
    ...(plain.maxLength !== undefined && { maxLength: plain.maxLength }),
    ...(meta.suggest !== undefined && { suggest: meta.suggest }),
    ...(meta.lookup !== undefined && { lookup: meta.lookup }),
    ...(meta.secret && { secret: true as const }),
  }
  if (meta.control) return [{ ...base, as: meta.control }]
  switch (def.type) {
    case 'boolean':
      return [meta.texts ? { ...base, as: 'choice', options: Object.entries(meta.texts) } : { ...base, as: 'flag' }]
    case 'number':
      return [{ ...base, as: 'number' }]
    case 'enum': {
      const none: Options = isOptional || isNullable ? [['', meta.texts?.[''] ?? 'none']] : []
      return [{ ...base, as: 'choice', options: [...none, ...optionsOf(def.entries, meta)] }]
    }
    case 'record':
      return [{ ...base, as: 'pairs' }]
    case 'array':
      return [arrayField(base, plainOf(def.element), meta)]
    case 'object': {
      const fields = fieldsOf(def.shape)
      if (isNullable) return [{ ...base, as: 'group', fields, constants: constantsOf(def.shape) }]
      return fields.map((field) => ({ ...field, at: `${at}.${field.at}`, group: field.group ?? base.group }))
    }
    case 'union': {
      // One value or a list of them: the form has the list.
      const list = alternatives(plain).find((one) => one.def.type === 'array')
      if (list) {
        const field = arrayField(base, plainOf(list.def.element), meta)
        return [field.as === 'items' ? { ...field, single: true } : field]
      }
      if (meta.texts) return [{ ...base, as: 'choice', options: Object.entries(meta.texts) }]
      return [{ ...base, as: def.options.every(isScalar) ? 'line' : 'json' }]
    }
    default:
      if (meta.lookup) return [{ ...base, as: 'ref', to: meta.lookup }]
      return [meta.texts ? { ...base, as: 'choice', options: Object.entries(meta.texts) } : { ...base, as: 'line' }]
  }
}

/** The members that have one value only. */
const constantsOf = (shape: Shape): Members =>
  Object.fromEntries(
    Object.entries(shape).flatMap(([name, type]) => {
      const { def } = plainOf(type)
      return def.type === 'literal' ? [[name, def.values[0]]] : []
    }),
  )

/** The types of a union, those of unions in it too. */
const alternatives = ({ def }: Plain): Plain[] =>
  def.options.map(plainOf).flatMap((one: Plain) => (one.def.type === 'union' ? alternatives(one) : [one]))

const SCALARS = ['string', 'number', 'enum', 'literal']
const isScalar = (type: z.ZodType): boolean => SCALARS.includes(plainOf(type).def.type)

const optionsOf = (entries: Readonly<Record<string, string>>, { texts = {} }: FormMeta): Options =>
  Object.values(entries).map((value) => [value, texts[value] ?? value])

type Base = Omit<Field, 'as'>

function arrayField(base: Base, item: Plain, { lookup, ordered, texts }: FormMeta): Field {
  if (item.def.type === 'enum') return { ...base, as: 'choices', options: optionsOf(item.def.entries, { texts }) }
  if (lookup) return { ...base, as: 'refs', to: lookup }
  const variants = variantsOf(item)
  if (variants.length === 0) return { ...base, as: 'lines' }
  return { ...base, as: 'items', variants, ...(ordered && { ordered: true }) }
}

/** The kinds of items: those of a union, or the only one. Empty for items that are no objects. */
function variantsOf(item: Plain): Variant[] {
  const types: readonly Plain[] = item.def.type === 'union' ? item.def.options.map(plainOf) : [item]
  const variants = types.flatMap((one) => (one.def.type === 'object' ? [variantOf(one)] : []))
  return variants.map((variant, n) => {
    const isTaken = variants.findIndex(({ type }) => type === variant.type) < n
    return isTaken ? { ...variant, key: `${variant.type}.${n}` } : variant
  })
}

function variantOf({ def, meta }: Plain): Variant {
  const { shape } = def as { readonly shape: Shape }
  const kind = shape.type ? plainOf(shape.type).def : null
  const type = kind?.type === 'literal' ? String(kind.values[0]) : ''
  return {
    type,
    key: type,
    title: meta.title ?? (type === '' ? 'Item' : wordsOf(type)),
    start: startOf(shape, meta),
    required: Object.entries(shape).flatMap(([name, one]) => (isRequired(plainOf(one)) ? [name] : [])),
    fields: fieldsOf(shape),
  }
}

const isRequired = ({ isOptional, preset, def }: Plain): boolean =>
  !isOptional && preset === undefined && def.type !== 'literal' && def.type !== 'object'

/** Empty values for what has to be given, so that a refusal stands at its field; everything else keeps its default. */
function startOf(shape: Shape, { start = {} }: FormMeta): Members {
  const members: Members = {}
  for (const [name, type] of Object.entries(shape)) {
    const plain = plainOf(type)
    if (plain.def.type === 'literal') members[name] = plain.preset ?? plain.def.values[0]
    else if (isRequired(plain)) members[name] = plain.isNullable ? null : emptyOf(plain)
    else if (plain.preset !== undefined) members[name] = structuredClone(plain.preset)
  }
  for (const [name, value] of Object.entries(structuredClone(start))) {
    const preset = members[name]
    members[name] = isMembers(preset) && isMembers(value) && !Array.isArray(value) ? { ...preset, ...value } : value
  }
  return members
}

function emptyOf({ def }: Plain): unknown {
  if (def.type === 'array') return []
  if (def.type === 'enum') return Object.values(def.entries)[0]
  if (def.type === 'boolean') return false
  return ''
}

/** The forms of a value that has several kinds, one for each `type`; of an object, the only one. */
export const formsOf = (type: z.ZodType): readonly Variant[] => variantsOf(plainOf(type))

export interface SchemaForm {
  readonly fields: readonly Field[]
  /** Members of something new. */
  readonly start: Members
}

/** The form of an object: its fields, and what a new one begins with. */
export function formOf(type: z.ZodType): SchemaForm {
  const { def, meta } = plainOf(type)
  return { fields: fieldsOf(def.shape), start: startOf(def.shape, meta) }
}
