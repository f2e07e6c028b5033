/** Matches the keys of a file with those of the schema, before the values are checked. */
import type { z } from 'zod'
import { nearest } from './nearest.ts'
import type { Place, ProblemList } from './problems.ts'
import {
  type MapEntry,
  type MapNode,
  type Path,
  pathText,
  type Scalar,
  type ScalarNode,
  type TreeNode,
} from './tree.ts'

/** Keys that manuals write in another case; only worth a note. */
const HARMLESS_CASE = new Set(['influxdb', 'configFile'])

type Single = Exclude<Shape, { kind: 'union' }>
type Visit = (node: TreeNode, schema: z.core.$ZodType, path: Path, closed: boolean) => void

/**
 * Renames keys that only differ in case from a known one. Unknown keys are left alone, as they may belong to an older
 * layout.
 */
export function matchCase(root: TreeNode, schema: z.core.$ZodType, problems: ProblemList): void {
  const visit: Visit = (node, expected, path) => {
    const { shape } = expectedBy(expected)
    if (node.kind === 'map') renameKeys(node, shape, path)
    each(node, shape, path, false, visit)
  }

  function renameKeys(node: MapNode, shape: Shape, path: Path): void {
    const object = choose(node, shape)
    if (object?.kind !== 'object') return
    const known = new Map(Object.keys(object.keys).map((key) => [key.toLowerCase(), key]))
    for (const [key, entry] of [...node.entries]) {
      const right = known.get(key.toLowerCase())
      if (right === undefined || right === key || object.keys[key] !== undefined) continue
      node.entries.delete(key)
      const written = pathText([...path, key])
      if (node.entries.has(right)) {
        note(entry.at, written, `'${written}' is ignored because '${pathText([...path, right])}' is set.`)
        continue
      }
      node.entries.set(right, entry)
      const severity = HARMLESS_CASE.has(key) ? 'info' : 'warning'
      note(entry.at, written, `'${written}' is read as '${pathText([...path, right])}'.`, severity)
    }
  }

  function note(at: Place, path: string, message: string, severity: 'warning' | 'info' = 'warning'): void {
    problems.add({ severity, path, message: `CONFIG: ${message}`, standalone: true, ...at })
  }

  visit(root, schema, ['Butler'], false)
}

/**
 * Reports and removes unknown keys, takes keys without a value for absent, words in capitals for the words, and refuses
 * unquoted dates where text is meant.
 */
export function matchKeys(root: TreeNode, schema: z.core.$ZodType, problems: ProblemList): void {
  const visit: Visit = (node, expected, path, closedAbove) => {
    const { shape, notes } = expectedBy(expected)
    const closed = closedAbove || notes.closed === true
    if (node.kind === 'map') {
      removeUnknown(node, shape, path, closed)
      removeNulls(node, shape)
    }
    if (node.kind === 'scalar') matchScalar(node, shape, notes, path)
    each(node, shape, path, closed, visit)
  }

  function removeUnknown(node: MapNode, shape: Shape, path: Path, closed: boolean): void {
    const object = choose(node, shape)
    if (object?.kind !== 'object' || object.loose) return
    const known = Object.keys(object.keys)
    for (const [key, entry] of [...node.entries]) {
      if (known.includes(key)) continue
      node.entries.delete(key)
      problems.add({
        severity: closed ? 'error' : 'warning',
        path: pathText([...path, key]),
        message: closed ? 'unknown key' : 'unknown key, ignored',
        hint: hintFor(key, known, path),
        ...entry.at,
      })
    }
  }

  function removeNulls(node: MapNode, shape: Shape): void {
    const single = choose(node, shape)
    for (const [key, { node: value }] of [...node.entries]) {
      if (value.kind !== 'scalar' || value.value !== null) continue
      const child = childSchema(single, key)
      const nullable = child && expectedBy(child).notes.nullable
      if (nullable === 'absent') node.entries.delete(key)
      else if (nullable === 'empty') value.value = ''
    }
  }

  function matchScalar(node: ScalarNode, shape: Shape, notes: Notes, path: Path): void {
    const leaves = alternatives(shape).filter((single) => single.kind === 'leaf')
    const types = leaves.map(({ type }) => type)
    if (typeof node.value === 'string') {
      const words = leaves.flatMap(({ words = [] }) => words)
      node.value = meantWord(node, { text: node.value, word: wordFor(node.value, words) }, path)
    }
    node.value = meantType(node, types, path)
    if (!node.date || !types.includes('string') || notes.format?.startsWith('date')) return
    const message = `must be a text, found the date ${node.value}`
    problems.add({ severity: 'error', path: pathText(path), message, hint: 'put it in quotes', ...node.at })
  }

  /** Butler accepts such words and then does not know them: with `INFO` it logs nothing at all. It never reads our own section. */
  function meantWord(node: ScalarNode, { text, word }: { text: string; word: string }, path: Path): string {
    if (word === text || node.external || path[1] === 'footman') return word
    const message = `"${text}" is read as "${word}"`
    problems.add({ severity: 'warning', path: pathText(path), message, hint: `write ${word}`, ...node.at })
    return word
  }

  /**
   * Butlers before 13 took what they found for what they needed: texts for numbers and switches, numbers for texts. Texts
   * from outside the file are always texts.
   */
  function meantType({ value, external, date, at }: ScalarNode, types: readonly string[], path: Path): Scalar {
    const own = path[1] === 'footman'
    if (typeof value === 'string' && (external || !own)) {
      const converted = convert(value, types)
      if (converted !== value && !external)
        wrongQuotes(path, `"${value}" is read as ${converted}`, 'take the quotes away', at)
      return converted
    }
    const isTextOnly = types.length > 0 && types.every((type) => type === 'string')
    if (own || date || !isTextOnly || (typeof value !== 'number' && typeof value !== 'boolean')) return value
    // The value may be a password.
    wrongQuotes(path, `the ${typeof value === 'number' ? 'number' : 'word'} is read as text`, 'put it in quotes', at)
    return String(value)
  }

  function wrongQuotes(path: Path, message: string, hint: string, at: Place): void {
    problems.add({ severity: 'warning', path: pathText(path), message, hint, ...at })
  }

  visit(root, schema, ['Butler'], false)
}

function hintFor(key: string, known: readonly string[], path: Path): string {
  const similar = nearest(key, known) ?? shortened(key, known)
  if (similar) return `did you mean ${similar}?`
  if (known.length === 0) return 'remove it'
  const some = known.slice(0, 8).join(', ')
  return `${pathText(path)} knows ${some}${known.length > 8 ? ', ...' : ''}`
}

/** `url` for `webhookURL`: the same key may have a longer name in a section like this one. */
const shortened = (key: string, known: readonly string[]): string | undefined =>
  known.find((candidate) => candidate.length > 2 && key.toLowerCase().endsWith(candidate.toLowerCase()))

/** The word without regard to case and surrounding blanks. */
function wordFor(text: string, words: readonly string[]): string {
  const wanted = text.trim().toLowerCase()
  return words.find((word) => word.toLowerCase() === wanted) ?? text
}

/** Texts from the environment become numbers and booleans where the key needs one. */
function convert(value: string, types: readonly string[]): string | number | boolean {
  if (types.includes('string')) return value
  const trimmed = value.trim()
  if (types.includes('boolean') && /^(true|false)$/i.test(trimmed)) return trimmed.toLowerCase() === 'true'
  if (types.includes('number') && /^-?\d+(\.\d+)?$/.test(trimmed)) return Number(trimmed)
  return value
}

function each(node: TreeNode, shape: Shape, path: Path, closed: boolean, visit: Visit): void {
  const single = choose(node, shape)
  if (node.kind === 'list' && single?.kind === 'list') {
    for (const [index, item] of node.items.entries()) visit(item, single.item, [...path, index], closed)
  }
  if (node.kind !== 'map') return
  for (const [key, entry] of node.entries) {
    const child = childSchema(single, key)
    if (child) visit(entry.node, child, [...path, key], closed)
  }
}

function childSchema(shape: Single | undefined, key: string): z.core.$ZodType | undefined {
  if (shape?.kind === 'map') return shape.value
  if (shape?.kind === 'object' && Object.hasOwn(shape.keys, key)) return shape.keys[key]
  return undefined
}

/** The shape that fits the kind of node; among objects the one with the same fixed words (`type: email`), else the most similar. */
function choose(node: TreeNode, shape: Shape): Single | undefined {
  const fitting = alternatives(shape).filter((single) => fits(node, single))
  if (node.kind !== 'map' || fitting.length < 2) return fitting[0]
  return fitting.find((single) => single.kind === 'object' && hasSameWords(node, single.keys)) ?? fitting[0]
}

function fits(node: TreeNode, single: Single): boolean {
  if (node.kind === 'map') return single.kind === 'object' || single.kind === 'map'
  if (node.kind === 'list') return single.kind === 'list'
  return single.kind === 'leaf'
}

function hasSameWords(node: MapNode, keys: Readonly<Record<string, z.core.$ZodType>>): boolean {
  return [...node.entries].some(([key, entry]: [string, MapEntry]) => {
    const schema = Object.hasOwn(keys, key) ? (keys[key] as z.core.$ZodTypes) : undefined
    const def = schema?._zod.def
    return def?.type === 'literal' && entry.node.kind === 'scalar' && def.values.includes(entry.node.value)
  })
}

/** The expectation of a zod schema at a path: enough to match keys and convert texts before zod checks the values. */
type Shape =
  | { readonly kind: 'object'; readonly keys: Readonly<Record<string, z.core.$ZodType>>; readonly loose: boolean }
  | { readonly kind: 'list'; readonly item: z.core.$ZodType }
  | { readonly kind: 'map'; readonly value: z.core.$ZodType }
  | { readonly kind: 'leaf'; readonly type: string; readonly words?: readonly string[] }
  | { readonly kind: 'union'; readonly options: readonly Shape[] }

/** Metadata of a key, as `fields.ts` sets it. */
interface Notes {
  readonly format?: string
  readonly closed?: boolean
  readonly nullable?: 'absent' | 'empty'
  readonly description?: string
}

interface Expected {
  readonly shape: Shape
  readonly notes: Notes
}

/** Strips defaults, optionals and conversions. */
function expectedBy(schema: z.core.$ZodType): Expected {
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
function alternatives(shape: Shape): readonly Exclude<Shape, { kind: 'union' }>[] {
  return shape.kind === 'union' ? shape.options.flatMap(alternatives) : [shape]
}
