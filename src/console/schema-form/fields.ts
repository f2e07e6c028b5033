/** The fields of a form: what it shows, and how it is read back into the members that it is made of. */

import { WEEKDAYS, weekdayRange } from '../../platform/calendar.ts'
import { parseOutsideJson } from '../../platform/json.ts'
import { createZoneTimes, type ZoneTimes } from '../../platform/zone-times.ts'

export type Options = readonly (readonly [value: string, text: string])[]

interface Base {
  /** Path of the member: `email.subject`; inside of an item, from the item. */
  readonly at: string
  readonly label: string
  readonly hint?: string
  /** Id of the step of the form; absent = its first one. */
  readonly group?: string | undefined
  /** Folded as long as it has its default. */
  readonly advanced?: true
  /** The meaning of an empty field: null, or a member that is left out. Default: ''. */
  readonly empty?: null | 'omit'
  /** The value without the member. */
  readonly preset?: unknown
  /** It must not be empty. */
  readonly required?: true
  readonly maxLength?: number
  /** The things that it may name, which the page suggests. */
  readonly suggest?: string
  /** The things that it may name, which are looked up while a text is typed; of `pairs`, the names of the pairs. */
  readonly lookup?: string
  /** It is stored encrypted and shown masked; of `pairs`, their values. */
  readonly secret?: true
}

export type Field = Base &
  (
    | {
        readonly as:
          | 'line'
          | 'area'
          | 'clock'
          | 'number'
          | 'flag'
          | 'source'
          | 'operand'
          | 'lines'
          | 'names'
          | 'minutes'
          | 'pairs'
          | 'json'
          | 'template'
          | 'time'
          | 'weekdays'
      }
    | { readonly as: 'choice'; readonly options: Options }
    | { readonly as: 'choices'; readonly options: Options }
    | { readonly as: 'ref'; readonly to: string }
    | { readonly as: 'refs'; readonly to: string }
    /** An object that is null as long as none of its fields has a value of its own. */
    | { readonly as: 'group'; readonly fields: readonly Field[]; readonly constants: Members }
    /** `single`: the schema takes one item in the place of the list, too. */
    | { readonly as: 'items'; readonly variants: readonly Variant[]; readonly ordered?: true; readonly single?: true }
  )

/** A kind of item that a list can have. The member `type` of an item names its kind; '' = the only kind. */
export interface Variant {
  readonly type: string
  /** The same, but unique where several kinds have one type. */
  readonly key: string
  readonly title: string
  /** Members by which kinds of one type differ. */
  readonly required: readonly string[]
  readonly fields: readonly Field[]
  /** Members of a new item. */
  readonly start: Readonly<Record<string, unknown>>
}

export type Members = Record<string, unknown>

export const isMembers = (value: unknown): value is Members => typeof value === 'object' && value !== null

/** The object that a text is in JSON; null for a text that is none. */
export function membersOfJson(text: string): Members | null {
  try {
    const value: unknown = text === '' ? null : parseOutsideJson(text)
    return isMembers(value) && !Array.isArray(value) ? value : null
  } catch {
    return null
  }
}

/** The member at a path; undefined where there is none. */
export function memberAt(members: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (value, name) => (isMembers(value) && Object.hasOwn(value, name) ? value[name] : undefined),
      members,
    )
}

/** Sets the member at a path; undefined removes it. Objects on the way are made. */
function setMember(members: Members, path: string, value: unknown): void {
  const names = path.split('.')
  const last = names.pop()!
  let at = members
  for (const name of names) {
    if (value === undefined && !isMembers(at[name])) return
    if (!Object.hasOwn(at, name) || !isMembers(at[name])) at[name] = {}
    at = at[name] as Members
  }
  if (value === undefined) delete at[last]
  else at[last] = value
}

interface Codec {
  show(value: unknown): string
  /** `old`: the member before. Never fails: what cannot be read stays a text, which the API refuses with its path. */
  read(text: string, old: unknown): unknown
}

const linesOf = (text: string): string[] =>
  text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '')

const compact = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))
const parsed = (text: string): unknown => {
  try {
    return parseOutsideJson(text)
  } catch {
    return text
  }
}
/** A text that was not changed stays the value that it shows, such as a number. */
const text: Codec = {
  show: (value) => compact(value ?? ''),
  read: (given, old) => (compact(old ?? '') === given ? old : given.replaceAll('\r\n', '\n')),
}

/** Operands of rules as one line: `=Sum(Sales)`, `variable:vMax`, `kpi:Revenue`, `previous`, else a constant. */
const operand: Codec = {
  show(value) {
    if (!isMembers(value)) return ''
    if ('expr' in value) return `=${String(value.expr).replace(/^=/, '')}`
    if ('variable' in value) return `variable:${value.variable}`
    if ('kpi' in value) return `kpi:${value.kpi}`
    return 'previous' in value ? 'previous' : String(value.const ?? '')
  },
  read(given) {
    const [, member = '', name = ''] = /^(variable|kpi):(.*)$/.exec(given) ?? []
    if (member !== '') return { [member]: name.trim() }
    if (given.startsWith('=')) return { expr: given }
    if (given === 'previous') return { previous: true }
    return { const: isNumber(given) ? Number(given) : given }
  },
}

/** A time of the API on the clock of the form; one that was not changed stays as it is. */
export function wallTimeOf(value: unknown, times: ZoneTimes): string {
  const at = typeof value === 'string' ? times.instant(value) : null
  return at === null ? String(value ?? '') : times.clock(at).slice(0, 16)
}

function timeRead(given: string, old: unknown, times: ZoneTimes): unknown {
  const text = given.replace('T', ' ')
  if (text === wallTimeOf(old, times)) return old
  const at = times.instant(text)
  return at === null ? given : new Date(at).toISOString()
}

const MINUTE_MS = 60_000
const shownMinutes = (ms: number): string => (ms === 0 ? '' : String(Math.ceil(ms / MINUTE_MS)))
const isNumber = (given: string): boolean => given.trim() !== '' && Number.isFinite(Number(given))

/** A single value in the place of a list stays one, as does an object that is another now. */
function asBefore(list: readonly unknown[], old: unknown): unknown {
  const [first] = list
  const isSingle = list.length === 1 && old !== undefined && !Array.isArray(old)
  return isSingle && (isMembers(old) ? isMembers(first) : first === old) ? first : list
}

const CODECS: Readonly<Record<string, Codec>> = {
  line: text,
  clock: text,
  area: text,
  operand,
  choice: {
    show: text.show,
    read: (given, old) => (given === 'true' ? true : given === 'false' ? false : text.read(given, old)),
  },
  ref: text,
  number: { show: (value) => String(value ?? ''), read: (given) => (isNumber(given) ? Number(given) : given) },
  /** A field name, an expression, or a master item as `{"libraryId": "..."}`. */
  source: { show: (value) => compact(value ?? ''), read: (given) => (given.startsWith('{') ? parsed(given) : given) },
  json: {
    show: (value) => (value === undefined ? '' : JSON.stringify(value, null, 2)),
    read: (given) => parsed(given),
  },
  /** The name of a file in the template folder; an uploaded template stays as it is. */
  template: {
    show: (value) => (isMembers(value) && value.source === 'file' ? String(value.file) : ''),
    read(given, old) {
      if (given.trim() !== '') return { source: 'file', file: given.trim() }
      return isMembers(old) && old.source === 'upload' ? old : null
    },
  },
  /** Numbers stay numbers. */
  lines: {
    show: (value) => [value ?? []].flat().map(compact).join('\n'),
    read(given, old) {
      const before = new Map([old ?? []].flat().map((one) => [compact(one), one]))
      const lines = linesOf(given).map((line) => before.get(line) ?? (line.startsWith('{') ? parsed(line) : line))
      return asBefore(lines, old)
    },
  },
  /** Names in one line, with a comma between. */
  names: {
    show: (value) => [value ?? []].flat().map(compact).join(', '),
    read: (given, old) => asBefore(linesOf(given.replaceAll(',', '\n')), old),
  },
  /** Milliseconds as minutes; the last one is a whole one. */
  minutes: {
    show: (value) => (typeof value === 'number' ? shownMinutes(value) : String(value ?? '')),
    read: (given) => (isNumber(given) ? Number(given) * MINUTE_MS : given),
  },
  pairs: {
    show: (value) =>
      pairsOf(value)
        .map(([name, one]) => `${name}=${one}`)
        .join('\n'),
    read: (given) =>
      membersOf(
        linesOf(given).map((line) => [line.split('=', 1)[0]!.trim(), line.slice(line.indexOf('=') + 1).trim()]),
      ),
  },
}

/** The days of ranges: those of `mon-fri`. */
export const daysOf = (value: unknown): string[] =>
  [value ?? []].flat().flatMap((range) => (weekdayRange(String(range)) ?? []).map((day) => WEEKDAYS[day]!))

/** Days that were not changed stay as they are written. */
const weekdaysRead = (given: readonly string[], old: unknown): unknown =>
  WEEKDAYS.every((day) => daysOf(old).includes(day) === given.includes(day)) ? old : given

/** The pairs of a form; a name with a list of values stands in several. */
export const pairsOf = (members: unknown): (readonly [name: string, value: unknown])[] =>
  isMembers(members)
    ? Object.entries(members).flatMap(([name, value]) => [value].flat().map((one) => [name, one] as const))
    : []

/** The members of pairs; those with one name are a list. */
const membersOf = (pairs: readonly (readonly [name: string, value: string])[]): Members =>
  Object.fromEntries(
    [...Map.groupBy(pairs, ([name]) => name)].map(([name, found]) => {
      const values = found.map(([, value]) => value)
      return [name, values.length === 1 ? values[0] : values]
    }),
  )

/** The texts of the rows of a list; of a single value that stands in the place of a list, its own. */
export const rowsOf = (value: unknown): string[] =>
  value === undefined || value === null ? [] : [value].flat().map(compact)

/** The text of a field in its form. */
export const shownText = ({ as }: Field, value: unknown): string =>
  value === null || value === undefined ? '' : (CODECS[as]?.show(value) ?? '')

/** Before the names of the controls of a form that has controls of its own, too. */
const PREFIX = 'f:'

/** Name of the controls of values, beside those of the names of pairs. */
export const valueControlOf = (control: string): string => `${control}=`

/** Name of the control of a member. */
export const controlOf = (path: string, prefix = PREFIX): string => prefix + path

/** The kind of an item; of several with its type, the one whose members it has. */
export function variantOf(variants: readonly Variant[], item: unknown): Variant | undefined {
  const ofType = variants.filter(({ type }) => type === '' || (isMembers(item) && item.type === type))
  const isComplete = ({ required }: Variant) => isMembers(item) && required.every((name) => Object.hasOwn(item, name))
  return ofType.find(isComplete) ?? ofType[0]
}

interface ReadOptions {
  readonly above?: string
  readonly prefix?: string
  /** The clock of the form; default UTC. */
  readonly times?: ZoneTimes
}

const UTC = createZoneTimes('UTC')

/** Puts what a form says into the definition. Lists have the items that the form was made with. */
export function readFields(
  definition: Members,
  fields: readonly Field[],
  form: URLSearchParams,
  { above = '', prefix = PREFIX, times = UTC }: ReadOptions = {},
): void {
  for (const field of fields) {
    const path = above + field.at
    const control = controlOf(path, prefix)
    if (field.as === 'items') {
      const items = memberAt(definition, path)
      if (!Array.isArray(items)) continue
      items.forEach((item, n) => {
        readFields(definition, variantOf(field.variants, item)?.fields ?? [], form, {
          above: `${path}.${n}.`,
          prefix,
          times,
        })
      })
    } else if (field.as === 'group') {
      readFields(definition, field.fields, form, { above: `${path}.`, prefix, times })
      if (field.fields.every((inner) => isPreset(inner, memberAt(definition, `${path}.${inner.at}`))))
        setMember(definition, path, null)
      else for (const [name, value] of Object.entries(field.constants)) setMember(definition, `${path}.${name}`, value)
    } else {
      const old = memberAt(definition, path)
      const value = valueIn(field, control, form, { old, times })
      const isSame = (field.preset !== undefined || field.as === 'flag') && isPreset(field, value)
      // A member that is not there stays away as long as the form says what it is without it.
      if (value !== NOT_SENT && !(old === undefined && isSame)) setMember(definition, path, value)
    }
  }
}

const NOT_SENT = Symbol('not sent')

/** The value of a field in the form. */
function valueIn(
  field: Field,
  control: string,
  form: URLSearchParams,
  { old, times }: { readonly old: unknown; readonly times: ZoneTimes },
): unknown {
  const orOmitted = (value: unknown) => (isEmpty(value) && field.empty === 'omit' ? undefined : value)
  if (field.as === 'flag') return form.has(control)
  if (field.as === 'weekdays') return orOmitted(weekdaysRead(form.getAll(control), old))
  if (field.as === 'choices' || field.as === 'refs')
    return orOmitted(CODECS.lines!.read(form.getAll(control).join('\n'), old))
  if (field.as === 'pairs' && field.lookup !== undefined) {
    const values = form.getAll(valueControlOf(control))
    const pairs = form.getAll(control).map((name, n) => [name.trim(), values[n]?.trim() ?? ''] as const)
    return orOmitted(membersOf(pairs.filter(([name]) => name !== '')))
  }
  const given = form.get(control)
  return given === null ? NOT_SENT : valueRead(field, given, old, times)
}

/** The members that a small form gives, whose controls have the names of their members. Those with their default are left out. */
export function givenMembers(fields: readonly Field[], form: URLSearchParams): Members {
  const isNeeded = ({ empty }: Field) => empty === undefined
  const members: Members = Object.fromEntries(fields.filter(isNeeded).map(({ at }) => [at, '']))
  readFields(members, fields, form, { prefix: '' })
  const given = fields.filter((field) => isNeeded(field) || !isPreset(field, members[field.at]))
  return Object.fromEntries(given.map(({ at }) => [at, members[at]]))
}

export const isEmpty = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === '' ||
  (typeof value === 'object' && Object.keys(value).length === 0)

/** Whether the member says no more than one that is left out. */
export const isPreset = ({ preset, as }: Field, value: unknown): boolean =>
  (isEmpty(value) && isEmpty(preset)) ||
  value === undefined ||
  (as === 'flag' && preset === undefined && value === false) ||
  JSON.stringify(value) === JSON.stringify(preset)

function valueRead(field: Field, given: string, old: unknown, times: ZoneTimes): unknown {
  // An uploaded template has no name here.
  const isKept = field.as === 'template'
  if (given.trim() === '' && field.empty !== undefined && !isKept) return field.empty === 'omit' ? undefined : null
  return field.as === 'time' ? timeRead(given, old, times) : CODECS[field.as]!.read(given, old)
}

/** Puts lists in the place of single items, as forms show them. */
export const withLists = (definition: Members, fields: readonly Field[]): void =>
  changeSingles(definition, fields, (value) => (isMembers(value) && !Array.isArray(value) ? [value] : value))

/** Takes lists of one item away again, and those without any. */
export const withoutLists = (definition: Members, fields: readonly Field[]): void =>
  changeSingles(definition, fields, (value) => {
    if (!Array.isArray(value) || value.length > 1) return value
    return isEmpty(value[0]) ? undefined : value[0]
  })

function changeSingles(definition: Members, fields: readonly Field[], change: (value: unknown) => unknown): void {
  for (const field of fields) {
    if (field.as === 'items' && field.single) setMember(definition, field.at, change(memberAt(definition, field.at)))
  }
}

/** Changes a list as a button says: `add triggers schedule`, `remove blocks 2`, `up blocks 2`, `down blocks 2`. */
export function changeList(definition: Members, fields: readonly Field[], button: string): boolean {
  const [verb, path = '', what = ''] = button.split(' ')
  const field = fieldAt(fields, path)
  if (field?.as !== 'items') return false
  const present = memberAt(definition, path)
  const items: unknown[] = Array.isArray(present) ? [...present] : []
  if (verb === 'add') {
    const variant = field.variants.find(({ key }) => key === what)
    if (!variant) return false
    items.push(structuredClone(variant.start))
  } else {
    const at = Number(what)
    if (!Number.isInteger(at) || at < 0 || at >= items.length) return false
    const [item] = items.splice(at, 1)
    if (verb === 'up') items.splice(Math.max(0, at - 1), 0, item)
    else if (verb === 'down') items.splice(at + 1, 0, item)
    else if (verb !== 'remove') return false
  }
  setMember(definition, path, items)
  return true
}

/** The field of a path such as `blocks.2.items`. */
function fieldAt(fields: readonly Field[], path: string): Field | undefined {
  for (const field of fields) {
    if (field.at === path) return field
    if (!path.startsWith(`${field.at}.`)) continue
    const rest = path.slice(field.at.length + 1)
    if (field.as === 'group') return fieldAt(field.fields, rest)
    if (field.as !== 'items') continue
    const inItem = rest.replace(/^\d+\./, '')
    return fieldAt(
      field.variants.flatMap((variant) => variant.fields),
      inItem,
    )
  }
  return undefined
}

/** Members that differ, by their path; lists of objects are compared item by item. */
export function differences(a: unknown, b: unknown, path = ''): string[] {
  if (JSON.stringify(a) === JSON.stringify(b)) return []
  if (!isMembers(a) || !isMembers(b) || Array.isArray(a) !== Array.isArray(b)) return [path]
  const names = new Set([...Object.keys(a), ...Object.keys(b)])
  return [...names].flatMap((name) => differences(a[name], b[name], path === '' ? name : `${path}.${name}`))
}
