/** Stored settings join the configuration file: the file wins over a stored entry of the same name, visibly. */
import type { z } from 'zod'
import { findingsOf } from '../config/issues.ts'
import { matchCase, matchKeys } from '../config/keys.ts'
import { createProblemList, type Place } from '../config/problems.ts'
import {
  emptyMap,
  listOf,
  type MapNode,
  nodeAt,
  type Path,
  pathText,
  plain,
  scalar,
  setAt,
  type TreeNode,
  takeAt,
} from '../config/tree.ts'
import { kindOf, placeName, placeOfEntry, pointerOf, type SettingKind } from './kinds.ts'
import type { OpenedSetting } from './store.ts'

/** One thing that is wrong with an entry; `path` is a JSON pointer into its value. */
export interface SettingIssue {
  readonly path: string
  readonly message: string
}

/** Outcome of the merge for a stored entry. `hidden`: the file has one of that name. `unusable`: kept, not used, with the reasons. */
export type SettingState =
  | { readonly state: 'used' }
  | { readonly state: 'hidden'; readonly by: Place }
  | { readonly state: 'unusable'; readonly issues: readonly SettingIssue[] }

export interface MergedSetting {
  readonly setting: OpenedSetting
  readonly state: SettingState
}

/** The entries that are kept and not used, with the reasons. */
export const unusableOf = (settings: readonly MergedSetting[]) =>
  settings.flatMap(({ setting: { kind, name }, state }) =>
    state.state === 'unusable' ? [{ kind, name, reason: textOf(state.issues) }] : [],
  )

/** Whether an entry that is in use is one of these. */
export const isStoredIn =
  (settings: readonly MergedSetting[]) =>
  (kind: SettingKind, name: string): boolean =>
    settings.some(({ setting, state }) => state.state === 'used' && setting.kind === kind && setting.name === name)

const textOf = (issues: readonly SettingIssue[]): string =>
  issues.map(({ path, message }) => (path === '' ? message : `${path} ${message}`)).join('; ')

export const unusable = (issues: readonly SettingIssue[]): SettingState => ({ state: 'unusable', issues })

/** The schema of an entry as it stands in the configuration, and that of its name; null = there is no such setting. */
export type SchemaOf = (
  kind: SettingKind,
  name: string,
) => { readonly value: z.ZodType; readonly name: z.ZodType | null } | null

/** Takes values from outside into a tree; what cannot be taken is an issue. */
export type Resolve = (node: TreeNode) => Promise<readonly SettingIssue[]>

interface MergeContext {
  readonly schemaOf: SchemaOf
  readonly resolve: Resolve
  /** Entries that do not go with the rest, found by an earlier merge. */
  readonly refused: ReadonlyMap<OpenedSetting, readonly SettingIssue[]>
}

/**
 * Puts the entries into the tree of the file (root with the key `Butler`). Each is checked by the schema of its section before;
 * one that does not fit is left out. Rules of the file come before stored ones.
 */
export async function mergeSettings(
  root: MapNode,
  settings: readonly OpenedSetting[],
  context: MergeContext,
): Promise<MergedSetting[]> {
  const merged: MergedSetting[] = []
  for (const setting of settings) {
    const state = await mergeOne(root, setting, context)
    // Nothing can name an entry whose name is none.
    const isNamed = context.schemaOf(setting.kind, setting.name)?.name?.safeParse(setting.name).success
    if (state.state === 'unusable' && isNamed) standIn(root, setting)
    merged.push({ setting, state })
  }
  return merged
}

async function mergeOne(root: MapNode, setting: OpenedSetting, context: MergeContext): Promise<SettingState> {
  const { kind, name, lost } = setting
  const schema = context.schemaOf(kind, name)
  if (!schema) return unusable([{ path: '', message: 'there is no such setting in this version' }])
  const at: Place = { file: placeName(kind, name), line: 0, column: 0 }
  const place = ['Butler', ...placeOfEntry(kind, name)]
  const { form, nameIn = 'name' } = kindOf(kind)
  const there = nodeAt(root, place)
  const inFile = form === 'list' ? itemNamed(there, nameIn, name) : there
  if (inFile && !isEmptyNode(inFile)) return { state: 'hidden', by: inFile.at }
  if (lost.length > 0) {
    const message = 'the secret cannot be read, enter it again'
    return unusable(lost.map((path) => ({ path: pointerOf(path.split('.')), message })))
  }
  const refused = context.refused.get(setting)
  if (refused) return unusable(refused)
  const named = schema.name?.safeParse(name, { reportInput: true })
  if (named && !named.success) return unusable([{ path: '', message: `the name ${named.error.issues[0]?.message}` }])
  const node = treeOf(form === 'list' ? { [nameIn]: name, ...(setting.opened as object) } : setting.opened, at)
  const unresolved = await context.resolve(node)
  const issues = unresolved.length > 0 ? unresolved : checked(node, schema.value)
  if (issues.length > 0) return unusable(issues)
  if (form !== 'list') return setAt(root, place, node, at) ? { state: 'used' } : blocked(place)
  if (there?.kind === 'list') there.items.push(node)
  else if (there && !isEmptyNode(there)) return blocked(place)
  else if (!setAt(root, place, listOf([node], at), at)) return blocked(place)
  return { state: 'used' }
}

/** Takes an entry of the file out of its tree. */
export function takeEntry(root: MapNode, { kind, name }: Pick<OpenedSetting, 'kind' | 'name'>): void {
  const { form, nameIn = 'name' } = kindOf(kind)
  const place = ['Butler', ...placeOfEntry(kind, name)]
  const there = nodeAt(root, place)
  const item = itemNamed(there, nameIn, name)
  if (form !== 'list') takeAt(root, place)
  else if (there?.kind === 'list' && item) there.items.splice(there.items.indexOf(item), 1)
}

/** Stand-ins for entries that cannot be used, so that those which name it go on: no day, no time. */
const STAND_INS: Partial<Record<SettingKind, unknown>> = {
  calendar: { dates: [] },
  window: { start: '1970-01-01T00:00:00Z', end: '1970-01-01T00:00:01Z' },
}

function standIn(root: MapNode, { kind, name }: OpenedSetting): void {
  const value = STAND_INS[kind]
  const at: Place = { file: placeName(kind, name), line: 0, column: 0 }
  if (value !== undefined) setAt(root, ['Butler', ...placeOfEntry(kind, name)], treeOf(value, at), at)
}

const blocked = (place: Path): SettingState =>
  unusable([{ path: '', message: `the file has another value at ${pathText(place)}` }])

const isEmptyNode = (node: TreeNode): boolean => node.kind === 'scalar' && node.value === null

function itemNamed(node: TreeNode | undefined, nameIn: string, name: string): TreeNode | undefined {
  if (node?.kind !== 'list') return undefined
  return node.items.find((item) => {
    const found = nodeAt(item, [nameIn])
    return found?.kind === 'scalar' && found.value === name
  })
}

/** Issues of a value that was given, by the rules of the file: unknown keys are errors here, wherever they stand. */
function checked(node: TreeNode, schema: z.ZodType): SettingIssue[] {
  const problems = createProblemList()
  matchCase(node, schema, problems)
  matchKeys(node, schema, problems)
  const unknown = problems.all
    .filter(({ severity, message }) => severity === 'error' || message.startsWith('unknown key'))
    .map(({ path, message, hint }) => ({
      path: pointerOf(
        path
          .split(/[.[\]]+/)
          .filter(Boolean)
          .slice(1),
      ),
      message: `${message.replace(', ignored', '')}${hint ? `: ${hint}` : ''}`,
    }))
  const parsed = schema.safeParse(plain(node), { reportInput: true })
  if (parsed.success) return unknown
  const found = findingsOf(parsed.error.issues as z.core.$ZodIssue[]).map(({ path, message, hint }) => ({
    path: pointerOf(path),
    message: hint ? `${message} (${hint})` : message,
  }))
  return [...found, ...unknown]
}

/** JSON as a tree whose every node stands at one place. */
export function treeOf(value: unknown, at: Place): TreeNode {
  if (Array.isArray(value))
    return listOf(
      value.map((item) => treeOf(item, at)),
      at,
    )
  if (typeof value === 'object' && value !== null) {
    const map = emptyMap(at)
    for (const [key, one] of Object.entries(value)) map.entries.set(key, { at, node: treeOf(one, at) })
    return map
  }
  return scalar((value ?? null) as string | number | boolean | null, at)
}
