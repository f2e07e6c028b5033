/** Settings as they are shown: those of the file and the stored ones, without secrets. */
import { differences } from '../config/diff.ts'
import type { Place } from '../config/problems.ts'
import { nodeAt, type Path, type TreeNode } from '../config/tree.ts'
import type { Setting, SettingChange, SettingUse } from './contract.ts'
import { entryAt, kindOf, placeOfEntry, SETTING_KINDS, type SettingKind, SWITCHES } from './kinds.ts'
import type { MergedSetting } from './merge.ts'
import { type HistoryEntry, MASK, maskValue, type SettingValue, sealedIn } from './store.ts'

/** A key of the configuration that names an entry. */
export interface SettingReference {
  /** Below `Butler`, or, outside the configuration, in words: `schedule Monday`. */
  readonly path: string
  readonly kind: SettingKind
  readonly name: string
  readonly isOutside?: true
}

/** The configuration that settings are part of. */
export interface WholeConfiguration {
  readonly settings: readonly MergedSetting[]
  /** The node at a path of the file, stored settings included. */
  readonly nodeAt: (path: Path) => TreeNode | undefined
  readonly placeOf: (path: string) => Place
  readonly references: () => readonly SettingReference[]
  /** The text of the configuration file as it is now; null when it cannot be read. */
  readonly text: () => Promise<string | null>
}

interface FileSetting {
  readonly name: string
  /** Where its key stands; of a list, the item. */
  readonly at: Place
  readonly node: TreeNode
}

const isStored = ({ at }: TreeNode): boolean => entryAt(at.file) !== null

/** The entries of a kind that stand in the file, in its order. */
export function fileSettings({ nodeAt: find, placeOf }: WholeConfiguration, kind: SettingKind): FileSetting[] {
  const { at, form, nameIn = 'name' } = kindOf(kind)
  if (form === 'key') {
    return SWITCHES.flatMap((name) => {
      const node = find(['Butler', ...placeOfEntry(kind, name)])
      return node && !isStored(node) ? [{ name, node, at: placeOf(name) }] : []
    })
  }
  const section = find(['Butler', ...at.split('.')])
  if (section?.kind === 'map') {
    return [...section.entries].flatMap(([name, { node, at }]) => (isStored(node) ? [] : [{ name, node, at }]))
  }
  if (section?.kind !== 'list') return []
  return section.items.flatMap((node) => {
    const name = nodeAt(node, [nameIn])
    return name?.kind === 'scalar' && !isStored(node) ? [{ name: String(name.value), node, at: node.at }] : []
  })
}

/** The value as it stands in the file: values from outside by their placeholders, and masked where they have none. */
export function asWritten(node: TreeNode): unknown {
  if (node.kind === 'list') return node.items.map(asWritten)
  if (node.kind === 'map') return Object.fromEntries([...node.entries].map(([key, one]) => [key, asWritten(one.node)]))
  return node.external ? (node.written ?? MASK) : node.value
}

/** All entries of a kind: those of the file first, then stored ones in their order. */
export function settingsOf(whole: WholeConfiguration, kind: SettingKind): Setting[] {
  const { nameIn = 'name', form } = kindOf(kind)
  const uses = whole.references().filter((one) => one.kind === kind)
  const usedBy = (name: string): SettingUse[] => uses.filter((one) => one.name === name).map((one) => useOf(one, whole))
  const ofFile = fileSettings(whole, kind).map(({ name, node }): Setting => {
    const value = asWritten(node)
    const { [nameIn]: _, ...rest } = form === 'list' ? (value as Record<string, unknown>) : {}
    const shown = maskValue({ kind, name }, form === 'list' ? rest : value)
    const { file, line } = node.at
    const state = { source: 'file' as const, state: 'used' as const, revision: null, changedAt: null, changedBy: null }
    return { kind, name, ...state, value: shown, file, line, issues: [], usedBy: usedBy(name) }
  })
  const stored = whole.settings
    .filter(({ setting }) => setting.kind === kind)
    .map(({ setting, state }): Setting => {
      const { name, value, revision, changedAt, changedBy } = setting
      const by = state.state === 'hidden' ? state.by : null
      return {
        kind,
        name,
        source: 'console',
        state: state.state,
        value: maskValue(setting, value),
        revision,
        changedAt: new Date(changedAt).toISOString(),
        changedBy,
        file: by?.file ?? null,
        line: by?.line ?? null,
        issues: state.state === 'unusable' ? state.issues : [],
        usedBy: state.state === 'hidden' ? [] : usedBy(name),
      }
    })
  return [...ofFile, ...stored]
}

function useOf({ path, isOutside }: SettingReference, { placeOf }: WholeConfiguration): SettingUse {
  if (isOutside) return { path, file: null, line: null, setting: null }
  const { file, line } = placeOf(path)
  const setting = entryAt(file)
  return { path, file: setting ? null : file, line: setting ? null : line, setting }
}

export const countsOf = (whole: WholeConfiguration) =>
  SETTING_KINDS.map((kind) => {
    const stored = whole.settings.filter(({ setting }) => setting.kind === kind)
    const count = (wanted: string) => stored.filter(({ state }) => state.state === wanted).length
    return {
      kind,
      stored: stored.length,
      inFile: fileSettings(whole, kind).length,
      unusable: count('unusable'),
      hidden: count('hidden'),
    }
  })

/** A change with what differs from the one before it, which is null for the first. */
export function changeOf(entry: HistoryEntry, before: SettingValue | null): SettingChange {
  const { kind, name, revision, at, by, via, requestId, value } = entry
  return {
    kind,
    name,
    revision,
    at: new Date(at).toISOString(),
    by,
    via,
    requestId,
    deleted: value === null,
    value: value === null ? null : maskValue(entry, value),
    difference: differenceOf(entry, before),
  }
}

/** Lines like `- url: "a"` and `+ url: "b"`; of a secret no more than that it has changed. */
function differenceOf(entry: HistoryEntry, before: SettingValue | null): string[] {
  const shown = (value: SettingValue | null) => (value === null ? {} : { value: maskValue(entry, value) })
  const lines = differences(shown(before), shown(entry.value)).flatMap(({ details }) =>
    details.flatMap(({ path, before: was, after: is }) => {
      const member = path.replace(/^value\.?/, '') || entry.name
      return [
        ...(was === 'nothing' ? [] : [`- ${member}: ${was}`]),
        ...(is === 'nothing' ? [] : [`+ ${member}: ${is}`]),
      ]
    }),
  )
  const was = sealedIn(before)
  const secrets = [...sealedIn(entry.value)].filter(([path, text]) => was.has(path) && was.get(path) !== text)
  return [...lines, ...secrets.map(([path]) => `~ ${path.slice(1)}: changed`)]
}
