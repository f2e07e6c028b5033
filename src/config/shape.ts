/** What a zod schema expects at a place: enough to match keys and convert texts before zod checks the values. */
import type { z } from 'zod'

export type Shape =
  | { readonly kind: 'object'; readonly keys: Readonly<Record<string, z.core.$ZodType>>; readonly loose: boolean }
  | { readonly kind: 'list'; readonly item: z.core.$ZodType }
  | { readonly kind: 'map'; readonly value: z.core.$ZodType }
  | { readonly kind: 'leaf'; readonly type: string; readonly words?: readonly string[] }
  | { readonly kind: 'union'; readonly options: readonly Shape[] }

/** What fields.ts noted about a key. */
export interface Notes {
  readonly format?: string
  readonly closed?: boolean
  readonly nullable?: 'absent' | 'empty'
  readonly description?: string
}

export interface Expected {
  readonly shape: Shape
  readonly notes: Notes
}

/** Strips defaults, optionals and conversions. */
export function expectedBy(schema: z.core.$ZodType): Expected {
  const notes: Notes = {}
  let current = schema as z.core.$ZodTypes
  for (;;) {
    // The outer notes win over the inner ones.
    Object.assign(notes, { ...metaOf(current), ...notes })
    const inner = innerOf(current)
    if (!inner) return { shape: shapeOf(current), notes }
    current = inner as z.core.$ZodTypes
  }
}

function metaOf(schema: z.core.$ZodType): Notes {
  return (schema as z.ZodType).meta?.() ?? {}
}

function innerOf(schema: z.core.$ZodTypes): z.core.$ZodType | undefined {
  const { def } = schema._zod
  if (def.type === 'prefault' || def.type === 'default' || def.type === 'optional' || def.type === 'nullable') {
    return def.innerType
  }
  if (def.type === 'lazy') return (schema as z.core.$ZodLazy)._zod.innerType
  // A conversion before the schema (preprocess) or after it (transform).
  if (def.type === 'pipe') return (def.in as z.core.$ZodTypes)._zod.def.type === 'transform' ? def.out : def.in
  return undefined
}

function shapeOf(schema: z.core.$ZodTypes): Shape {
  const { def } = schema._zod
  switch (def.type) {
    case 'object':
      return { kind: 'object', keys: def.shape, loose: def.catchall !== undefined }
    case 'array':
      return { kind: 'list', item: def.element }
    case 'record':
      return { kind: 'map', value: def.valueType }
    case 'union':
      return { kind: 'union', options: def.options.map((option) => expectedBy(option).shape) }
    case 'literal':
      return { kind: 'leaf', type: typeof def.values[0] }
    case 'enum':
      return { kind: 'leaf', type: 'string', words: Object.values(def.entries).map(String) }
    default:
      return { kind: 'leaf', type: def.type }
  }
}

/** All shapes that a place may have, unions taken apart. */
export function alternatives(shape: Shape): readonly Exclude<Shape, { kind: 'union' }>[] {
  return shape.kind === 'union' ? shape.options.flatMap(alternatives) : [shape]
}
