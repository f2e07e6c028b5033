/** Stored settings in the configuration of the whole: their schemas, and which of them go with the rest. */
import { z } from 'zod'
import { resolvePlaceholders } from '../../config/external.ts'
import type { Environment } from '../../config/find.ts'
import { createProblemList, type Problem, type ProblemList } from '../../config/problems.ts'
import { clone, type MapNode } from '../../config/tree.ts'
import { entryAt, kindOf, placeName, pointerOf, SWITCHES } from '../../settings/kinds.ts'
import {
  type MergedSetting,
  mergeSettings,
  type SchemaOf,
  type SettingIssue,
  unusableOf,
} from '../../settings/merge.ts'
import type { OpenedSetting } from '../../settings/store.ts'
import { butler } from '../schema.ts'

/** The schema of a kind of settings is that of the section of the file. */
export const settingSchema: SchemaOf = (kind, name) => {
  const { at, form } = kindOf(kind)
  if (form === 'key') {
    const value = (SWITCHES as readonly string[]).includes(name) ? schemaAt(name.split('.')) : null
    return value && { value, name: null }
  }
  const section = bare(schemaAt(at.split('.')))
  if (section instanceof z.ZodRecord)
    return { value: section.valueType as z.ZodType, name: section.keyType as z.ZodType }
  return section instanceof z.ZodArray ? { value: section.element as z.ZodType, name: null } : null
}

function schemaAt(steps: readonly string[]): z.ZodType {
  return steps.reduce<z.ZodType>((schema, step) => {
    const object = bare(schema)
    return (object as z.ZodObject).shape[step] as z.ZodType
  }, butler)
}

/** Without defaults and laziness. */
function bare(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodPrefault || schema instanceof z.ZodDefault || schema instanceof z.ZodOptional)
    return bare(schema.def.innerType as z.ZodType)
  return schema instanceof z.ZodLazy ? bare(schema.unwrap() as z.ZodType) : schema
}

interface Outside {
  readonly env: Environment
  readonly directory: string
}

interface Merged<T> {
  readonly settings: readonly MergedSetting[]
  readonly result: T
}

/**
 * Merges, and checks the whole with `check`, which gets a tree of its own. Entries that the checks refuse (a rule whose destination is
 * gone) are left out, and the whole is checked again, so that a stored entry never keeps Footman from starting.
 */
export async function withSettings<T>(
  root: MapNode,
  settings: readonly OpenedSetting[] | null,
  outside: (Outside & { readonly found: string[] }) | null,
  problems: ProblemList,
  check: (root: MapNode, problems: ProblemList, isUnusable: (kind: string, name: string) => boolean) => T,
): Promise<Merged<T>> {
  // Entries that cannot be read may be what the file names.
  if (!settings?.length) return { settings: [], result: check(root, problems, () => settings === null) }
  const refused = new Map<OpenedSetting, readonly SettingIssue[]>()
  for (;;) {
    const tree = clone(root) as MapNode
    const found = createProblemList()
    const merged = await mergeSettings(tree, settings, {
      schemaOf: settingSchema,
      refused,
      resolve: outside ? resolveIn(outside) : async () => [],
    })
    const lost = new Set(unusableOf(merged).map(({ kind, name }) => `${kind} ${name}`))
    const result = check(tree, found, (kind, name) => lost.has(`${kind} ${name}`))
    const wrong = found.all.filter(({ severity, file }) => severity === 'error' && entryAt(file) !== null)
    const before = refused.size
    for (const { setting, state } of merged) {
      const own = wrong.filter(({ file }) => file === placeName(setting.kind, setting.name))
      if (own.length > 0 && state.state === 'used') refused.set(setting, own.map(issueOf))
    }
    if (refused.size > before) continue
    for (const problem of [...found.all, ...problemsOf(merged)]) problems.add(problem)
    return { settings: merged, result }
  }
}

/** Values from outside go to `found`, as they are secrets. */
const resolveIn =
  ({ env, directory, found }: Outside & { readonly found: string[] }) =>
  async (node: Parameters<typeof resolvePlaceholders>[0]): Promise<SettingIssue[]> => {
    const problems = createProblemList()
    found.push(...(await resolvePlaceholders(node, { env, directory, needed: true }, problems)))
    return problems.all.map(issueOf)
  }

/** Steps of a path below the entry: `Butler.footman.alertRoutes[2].to[0]` is `/to/0`. */
function issueOf({ path, message, hint, file }: Problem): SettingIssue {
  const entry = entryAt(file)
  const steps = path.split(/[.[\]]+/).filter(Boolean)
  const above = entry === null ? 0 : depthOf(entry.kind, entry.name)
  const text = hint ? `${message} (${hint})` : message
  return { path: steps[0] === 'Butler' ? pointerOf(steps.slice(above)) : pointerOf(steps), message: text }
}

function depthOf(kind: Parameters<typeof kindOf>[0], name: string): number {
  const { at, form } = kindOf(kind)
  // The key Butler, the section, and the name or index of the entry.
  return form === 'key' ? 1 + name.split('.').length : 1 + at.split('.').length + 1
}

const problemsOf = (settings: readonly MergedSetting[]): Problem[] =>
  unusableOf(settings).map(({ kind, name, reason }) => {
    const message = `CONFIG: The stored ${kind} ${name} is not used: ${reason}`
    const place = { file: placeName(kind, name), line: 0, column: 0 }
    return { severity: 'warning', path: '', message, standalone: true, ...place }
  })
