/** Stored settings as a text: a part of a configuration file, and the entries in one. */
import { stringify } from 'yaml'
import { createProblemList } from '../config/problems.ts'
import { plain } from '../config/tree.ts'
import { readYaml } from '../config/yaml.ts'
import { invalidBody, isObject } from '../http/endpoint/validation.ts'
import { kindOf, placeOfEntry, SETTING_KINDS, type SettingKind, SWITCHES } from './kinds.ts'
import { maskValue, type StoredSetting } from './store.ts'

type Tree = { [key: string]: Tree | unknown }

/** Entries as a part of a configuration file, secrets masked. */
export function yamlOf(rows: readonly Pick<StoredSetting, 'kind' | 'name' | 'value'>[]): string {
  const root: Tree = {}
  for (const row of rows) {
    const { form, nameIn = 'name' } = kindOf(row.kind)
    const value = maskValue(row, row.value)
    const steps = ['Butler', ...placeOfEntry(row.kind, row.name)]
    const last = steps.pop()!
    let at = root
    for (const step of steps) {
      at[step] ??= {}
      at = at[step] as Tree
    }
    if (form === 'list') at[last] = [...((at[last] as unknown[]) ?? []), { [nameIn]: row.name, ...(value as object) }]
    else at[last] = value
  }
  return stringify(root, { lineWidth: 0 })
}

interface GivenEntry {
  readonly kind: SettingKind
  readonly name: string
  readonly value: unknown
}

/** The entries of a part of a configuration file. Throws 400 for keys that are no settings, so that nothing is lost silently. */
export function entriesIn(yaml: string): GivenEntry[] {
  const problems = createProblemList()
  const tree = readYaml(yaml, 'yaml', problems)
  const errors = problems.all.filter(({ severity }) => severity === 'error')
  if (!tree || errors.length > 0) {
    throw invalidBody(errors.map(({ line, message }) => ({ path: line > 0 ? `yaml:${line}` : 'yaml', message })))
  }
  const root = plain(tree)
  const butler = isObject(root) && isObject(root.Butler) ? structuredClone(root.Butler) : null
  if (!butler) throw invalidBody([{ path: 'yaml', message: 'must have the key Butler, as in the configuration file' }])
  const entries = SETTING_KINDS.flatMap((kind) => taken(butler, kind))
  const rest = leaves(butler, 'Butler')
  if (rest.length === 0) return entries
  throw invalidBody(rest.map((path) => ({ path: `yaml ${path}`, message: 'is no setting that can be stored' })))
}

function taken(butler: Record<string, unknown>, kind: SettingKind): GivenEntry[] {
  const { at, form, nameIn = 'name' } = kindOf(kind)
  if (form === 'key') {
    return SWITCHES.flatMap((name) => {
      const value = take(butler, name.split('.'))
      return value === undefined ? [] : [{ kind, name, value }]
    })
  }
  const section = take(butler, at.split('.'))
  if (section === undefined || section === null) return []
  if (form === 'map') return Object.entries(section).map(([name, value]) => ({ kind, name, value: value as unknown }))
  return [section].flat().map((item, index) => {
    const { [nameIn]: name, ...value } = isObject(item) ? item : {}
    if (typeof name === 'string') return { kind, name, value }
    throw invalidBody([{ path: `yaml ${at}[${index}].${nameIn}`, message: 'is missing' }])
  })
}

function take(tree: Record<string, unknown>, steps: readonly string[]): unknown {
  const [step = '', ...rest] = steps
  if (rest.length > 0) return isObject(tree[step]) ? take(tree[step], rest) : undefined
  const value = tree[step]
  delete tree[step]
  return value
}

const leaves = (value: unknown, path: string): string[] =>
  isObject(value) ? Object.entries(value).flatMap(([key, one]) => leaves(one, `${path}.${key}`)) : [path]
