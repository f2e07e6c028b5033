/** A draft of alert routes: YAML as it would stand in the file, checked as if it stood there. */
import type { z } from 'zod'
import { type AlertRouteConfig, alertRoutes } from '../../alerts/config-routes.ts'
import { object } from '../../config/fields.ts'
import { findingsOf } from '../../config/issues.ts'
import { matchCase, matchKeys } from '../../config/keys.ts'
import { createProblemList, type Problem, type ProblemList, sortProblems } from '../../config/problems.ts'
import { emptyMap, listOf, nodeAt, pathText, placeOf, plain, setAt, stepsOf, type TreeNode } from '../../config/tree.ts'
import { readYaml } from '../../config/yaml.ts'
import type { Config } from '../schema.ts'
import { references, routeTargets, uniqueNames } from './checks/footman.ts'

export interface DraftRoutes {
  /** The configuration with the draft; null when the draft has errors. */
  readonly config: Config | null
  /** Errors first, with lines of the draft. Paths begin with `alertRoutes`. */
  readonly problems: readonly Problem[]
}

const FILE = 'draft'
const ROUTES = ['footman', 'alertRoutes']
/** Where a pasted part of a configuration file may have its routes. */
const PLACES = [['Butler', ...ROUTES], ROUTES, ['alertRoutes']]
const SCHEMA = object(() => ({ footman: object(() => ({ alertRoutes })) }))

/**
 * The configuration with the routes of a draft: one route, a list of routes, or a part of a configuration file that has
 * `alertRoutes`. A route of the draft takes the place of the route with its name; the others come last. Placeholders such as
 * `${env:NAME}` are not replaced.
 */
export function withDraftRoutes(yaml: string, config: Config): DraftRoutes {
  const found = createProblemList()
  const routes = readRoutes(yaml, config, found)
  const problems = sortProblems(found.all).map((problem) => ({
    ...problem,
    path: problem.path.replace(/^Butler\.footman\./, ''),
  }))
  if (routes === null || problems.some(({ severity }) => severity === 'error')) return { config: null, problems }
  return { config: withRoutes(config, merged(config.footman.alertRoutes, routes)), problems }
}

function readRoutes(yaml: string, config: Config, problems: ProblemList): readonly AlertRouteConfig[] | null {
  const tree = readYaml(yaml, FILE, problems)
  if (!tree) return null
  const list = listIn(tree)
  if (list.kind === 'list' && list.items.length === 0) {
    problems.add({ severity: 'error', path: '', message: 'the draft has no rule', ...tree.at })
    return null
  }
  const root = emptyMap(list.at)
  setAt(root, ROUTES, list, list.at)
  const at = (path: readonly (string | number)[]) => ({
    path: pathText(['Butler', ...path]),
    ...placeOf(root, path),
  })
  matchCase(root, SCHEMA, problems)
  matchKeys(root, SCHEMA, problems)
  const parsed = SCHEMA.safeParse(plain(root), { reportInput: true })
  if (!parsed.success) {
    for (const { path, message, hint } of findingsOf(parsed.error.issues as z.core.$ZodIssue[])) {
      problems.add({ severity: 'error', message, ...(hint && { hint }), ...at(path) })
    }
    return null
  }
  const routes = parsed.data.footman.alertRoutes
  for (const check of [uniqueNames, routeTargets, references]) {
    check({
      config: withRoutes(config, routes),
      qlikConnection: true,
      written: () => true,
      report(severity, path, message, { hint } = {}) {
        if (!path.startsWith('footman.alertRoutes')) return
        problems.add({ severity, message, ...(hint && { hint }), ...at(stepsOf(path)) })
      },
    })
  }
  return routes
}

function listIn(tree: TreeNode): TreeNode {
  const inFile = PLACES.map((path) => nodeAt(tree, path)).find((node) => node !== undefined)
  if (inFile) return inFile
  if (tree.kind === 'map') return listOf(tree.entries.size === 0 ? [] : [tree], tree.at)
  return tree
}

const withRoutes = (config: Config, routes: readonly AlertRouteConfig[]): Config => ({
  ...config,
  footman: { ...config.footman, alertRoutes: [...routes] },
})

function merged(
  configured: readonly AlertRouteConfig[],
  draft: readonly AlertRouteConfig[],
): readonly AlertRouteConfig[] {
  const byName = new Map(draft.map((one) => [one.name, one]))
  const names = new Set(configured.map(({ name }) => name))
  return [...configured.map((one) => byName.get(one.name) ?? one), ...draft.filter(({ name }) => !names.has(name))]
}
