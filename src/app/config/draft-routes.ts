/** A draft of rules and of what they name: YAML as it would stand in the file, put into the configuration in use by the merge of settings. */
import { createProblemList, type Problem, type ProblemList, sortProblems } from '../../config/problems.ts'
import {
  clone,
  emptyMap,
  listOf,
  type MapNode,
  nodeAt,
  type Path,
  pathText,
  placeOf,
  plain,
  setAt,
  type TreeNode,
} from '../../config/tree.ts'
import { readYaml } from '../../config/yaml.ts'
import { kindOf, type SettingKind, stepsOfPointer } from '../../settings/kinds.ts'
import { takeEntry } from '../../settings/merge.ts'
import type { OpenedSetting } from '../../settings/store.ts'
import type { Config } from '../schema.ts'
import { references, routeTargets } from './checks/footman.ts'
import { runChecks } from './checks/index.ts'
import { parseConfig } from './parse.ts'
import { withSettings } from './stored.ts'

export interface DraftRoutes {
  /** The configuration with the draft; null when the draft has errors. */
  readonly config: Config | null
  /** Errors first, with lines of the draft. Paths begin below `Butler.footman`. */
  readonly problems: readonly Problem[]
}

const KINDS = ['destination', 'calendar', 'window', 'rule'] as const satisfies readonly SettingKind[]
/** `alertRoutes` for rules: the key below `footman`. */
const keyOf = (kind: SettingKind): string => kindOf(kind).at.split('.').at(-1)!

/**
 * The configuration with a draft: one rule, a list of rules, or a part of a configuration file, of which rules, destinations, windows
 * and calendars are taken. An entry of the draft takes the place of the one with its name; other rules come last. Placeholders such as
 * `${env:NAME}` are not replaced. `root`: the tree that `config` was made of.
 */
export async function withDraftRoutes(yaml: string, root: TreeNode, config: Config): Promise<DraftRoutes> {
  const problems = createProblemList()
  const text = readYaml(yaml, 'draft', problems)
  const draft = text && sectionOf(text)
  const entries = draft ? entriesOf(draft, problems) : []
  const drafted = draft && !hasErrors(problems) ? await merged(entries, draft, root, problems) : null
  const all = sortProblems(problems.all)
  if (!drafted || hasErrors(problems)) return { config: null, problems: all }
  const order = config.footman.alertRoutes.map(({ name }) => name)
  const rank = ({ name }: { readonly name: string }) => (order.includes(name) ? order.indexOf(name) : order.length)
  const { destinations, calendars, windows, alertRoutes } = drafted.footman
  const sorted = [...alertRoutes].sort((a, b) => rank(a) - rank(b))
  const footman = { ...config.footman, destinations, calendars, windows, alertRoutes: sorted }
  return { config: { ...config, footman }, problems: all }
}

const hasErrors = ({ all }: ProblemList): boolean => all.some(({ severity }) => severity === 'error')

/** The text as the section `footman` of a file. */
function sectionOf(text: TreeNode): TreeNode {
  const section = nodeAt(text, ['Butler', 'footman']) ?? nodeAt(text, ['footman'])
  if (section) return section
  if (KINDS.some((kind) => nodeAt(text, [keyOf(kind)]))) return text
  const rules = text.kind === 'map' ? listOf(text.entries.size === 0 ? [] : [text], text.at) : text
  const root = emptyMap(text.at)
  setAt(root, [keyOf('rule')], rules, text.at)
  return root
}

interface DraftEntry extends OpenedSetting {
  /** Its place in the draft. */
  readonly path: Path
}

function entriesOf(draft: TreeNode, problems: ProblemList): DraftEntry[] {
  const refuse = (path: Path, message: string) =>
    problems.add({ severity: 'error', path: pathText(path), message, ...placeOf(draft, path) })
  const entries: DraftEntry[] = []
  const add = (kind: SettingKind, name: string, path: Path, value: unknown) => {
    const position = entries.length
    const row = { kind, name, position, value, opened: value, lost: [], revision: 0, changedAt: 0, changedBy: '' }
    entries.push({ ...row, path })
  }
  for (const kind of KINDS) {
    const key = keyOf(kind)
    const section = nodeAt(draft, [key])
    if (section?.kind === 'map' && kind !== 'rule') {
      for (const [name, { node }] of section.entries) add(kind, name, [key, name], plain(node))
    } else if (section?.kind === 'list' && kind === 'rule') {
      for (const [index, item] of section.items.entries()) {
        const { name, ...value } = Object(plain(item)) as Record<string, unknown>
        if (entries.some((one) => one.kind === kind && one.name === name)) refuse([key, index, 'name'], 'is used twice')
        else if (typeof name === 'string') add(kind, name, [key, index], value)
        else refuse([key, index, 'name'], 'is missing')
      }
    } else if (section) refuse([key], `must be a ${kind === 'rule' ? 'list' : 'section with keys'}`)
  }
  if (entries.length === 0 && !hasErrors(problems)) refuse([], 'the draft has no rule')
  return entries
}

async function merged(
  entries: readonly DraftEntry[],
  draft: TreeNode,
  root: TreeNode,
  problems: ProblemList,
): Promise<Config | null> {
  const tree = clone(root) as MapNode
  for (const one of entries) takeEntry(tree, one)
  const { settings, result } = await withSettings(
    tree,
    entries,
    null,
    createProblemList(),
    (whole, found, isUnusable) => {
      const parsed = parseConfig(plain(nodeAt(whole, ['Butler'])!))
      if (!('config' in parsed)) return null
      runChecks([references, routeTargets], whole, { config: parsed.config, qlikConnection: true, isUnusable }, found)
      return parsed.config
    },
  )
  for (const [index, { state }] of settings.entries()) {
    for (const { path, message } of state.state === 'unusable' ? state.issues : []) {
      const at = [...entries[index]!.path, ...stepsOfPointer(path)]
      problems.add({ severity: 'error', path: pathText(at), message, ...placeOf(draft, at) })
    }
  }
  return result
}
