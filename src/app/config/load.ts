/** From a file (and the environment and the command line) to the configuration the program runs with. */

import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { applyMappingFile, resolvePlaceholders } from '../../config/external.ts'
import { type Environment, type FoundFile, findConfigFile, strayConfigFiles } from '../../config/find.ts'
import { type Finding, findingsOf } from '../../config/issues.ts'
import { matchCase, matchKeys } from '../../config/keys.ts'
import { summarised, translateLegacy } from '../../config/legacy/translate.ts'
import { collectHosts, collectSecrets } from '../../config/mask.ts'
import { applyOverrides, type Overrides } from '../../config/overrides.ts'
import { createPathResolver } from '../../config/paths.ts'
import { createProblemList, type Place, type Problem, type ProblemList } from '../../config/problems.ts'
import { decode, ENCODING_HINT, readAs, withButler } from '../../config/root.ts'
import { isSecret } from '../../config/secrets.ts'
import {
  emptyMap,
  type MapNode,
  nodeAt,
  type Path,
  pathText,
  placeOf,
  plain,
  scalar,
  setAt,
  stepsOf,
  type TreeNode,
  takeAt,
} from '../../config/tree.ts'
import { readYaml } from '../../config/yaml.ts'
import { formatProblem } from '../../platform/encodings.ts'
import { hostZone } from '../../platform/zone.ts'
import { type MergedSetting, takeEntry } from '../../settings/merge.ts'
import { type OpenedSetting, readStoredSettings } from '../../settings/store.ts'
import { butler, type Config, defaults } from '../schema.ts'
import { CHECKS, isWritten, runChecks } from './checks/index.ts'
import { type Compatibility, compatibilityOf, hasOwnSettings, isAsInButler } from './compatibility.ts'
import { type Consequence, consequenceAt, switchedOffAround } from './consequences.ts'
import { parseConfig } from './parse.ts'
import { withSettings } from './stored.ts'

export interface LoadOptions {
  /** The argument of `-c`; absent = the file is looked for where older Butlers had it. */
  readonly file?: string
  readonly env: Environment
  readonly cwd: string
  readonly overrides?: Overrides
  /** Values from outside the file that this account cannot read are no errors; for commands that need none of them. */
  readonly withoutSecrets?: boolean
  /** Absent: the stored settings of the data directory that the file names. */
  readonly settings?: readonly OpenedSetting[] | undefined
  /** Entries that the file is taken not to have. */
  readonly without?: readonly Pick<OpenedSetting, 'kind' | 'name'>[] | undefined
}

export interface LoadResult {
  /** Null when an error forbids a start. Features whose essentials are missing are switched off in it. */
  readonly config: Config | null
  /** In the order of the file where that is possible. */
  readonly problems: readonly Problem[]
  /** Absolute; null when no file was found. */
  readonly file: string | null
  /** Folder of the file. */
  readonly directory: string
  /** False with --no-qs-connection, and when the settings of the connection are incomplete. */
  readonly qlikConnection: boolean
  /** Values to hide in logs. */
  readonly secrets: readonly string[]
  /** Host names, which stay readable there. */
  readonly hosts: readonly string[]
  /** The stored settings, and what became of each. */
  readonly settings: readonly MergedSetting[]
  /** Where a key (below `Butler`) is written, or the nearest section above it. */
  placeOf(path: string): Place
  /** Whether the file (or the environment) has a key below `Butler`. */
  written(path: string): boolean
  /** The node at a path, which begins with `Butler`. */
  nodeAt(path: Path): TreeNode | undefined
}

const MAX_BYTES = 5 * 1024 * 1024

/**
 * Reads and checks the configuration. Rejects only for a bug; errors of the file are in `problems`.
 */
export async function loadConfig(options: LoadOptions): Promise<LoadResult> {
  const { env, cwd, overrides = {} } = options
  const problems = createProblemList()
  const nothing = {
    config: null,
    qlikConnection: false,
    secrets: [],
    hosts: [],
    settings: [],
    placeOf: () => ({ file: options.file ?? '', line: 0, column: 0 }),
    written: () => false,
    nodeAt: () => undefined,
  }
  const found = await findConfigFile(options.file, env, cwd)
  if (!found.ok) {
    const place = { file: options.file ?? '', line: 0, column: 0 }
    const { message, hint } = found
    problems.add({ severity: 'error', path: '', message, ...(hint ? { hint } : {}), ...place })
    return { ...nothing, problems: problems.all, file: null, directory: cwd }
  }
  const { path } = found.file
  const directory = dirname(path)
  const root = await readRoot(found.file, problems)
  if (!root) return { ...nothing, problems: problems.all, file: path, directory }
  const ownSettings = hasOwnSettings(root)
  await tellAboutFiles(found.file, env, problems)
  await applyMappingFile(root, path, env, problems)
  const external = await resolvePlaceholders(root, { env, directory, needed: !options.withoutSecrets }, problems)
  matchCase(nodeAt(root, ['Butler'])!, butler, problems)
  const compatibility = compatibilityOf(root, ownSettings)
  const notes = createProblemList()
  translateLegacy(root, { withoutSwitchIsOn: isAsInButler('noSwitch', compatibility) }, notes)
  for (const note of summarised(notes.all, found.file.shown)) problems.add(note)
  applyOverrides(root, overrides)
  matchKeys(nodeAt(root, ['Butler'])!, butler, problems)
  for (const one of options.without ?? []) takeEntry(root, one)
  const mode = { compatibility, lenient: overrides.skipVerification === true }
  const stored = await settingsFor(root, options, directory)
  const outside = { env, directory, found: external }
  const { settings, result } = await withSettings(root, stored, outside, problems, (tree, found, isUnusable) => {
    const config = parse(tree, mode, found)
    const qlikConnection = overrides.qlikConnection !== false
    if (config) runChecks(CHECKS, tree, { config, qlikConnection, isUnusable }, found)
    if (config && overrides.skipVerification) keepLocked(tree, config, found)
    return { config, tree }
  })
  const { config, tree } = result
  const blocked = problems.all.some(({ severity, feature }) => severity === 'error' && feature === undefined)
  const usable = blocked && !overrides.skipVerification ? null : config
  return {
    config: usable,
    problems: problems.all,
    file: path,
    directory,
    qlikConnection: usable !== null && overrides.qlikConnection !== false && !problems.all.some(concernsConnection),
    secrets: [
      ...new Set([...external.filter(({ length }) => length > 3), ...collectSecrets(plain(nodeAt(tree, ['Butler'])!))]),
    ],
    hosts: collectHosts(plain(nodeAt(tree, ['Butler'])!)),
    settings,
    placeOf: (key) => placeOf(tree, ['Butler', ...stepsOf(key)]),
    written: (key) => isWritten(tree, key),
    nodeAt: (steps) => nodeAt(tree, steps),
  }
}

async function readRoot({ path, shown }: FoundFile, problems: ProblemList): Promise<MapNode | null> {
  const top = { file: shown, line: 0, column: 0 }
  const refuse = (message: string, hint?: string, place = top): null => {
    problems.add({ severity: 'error', path: '', message, ...(hint ? { hint } : {}), ...place })
    return null
  }
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => error)
  if (bytes instanceof Error) return refuse(`cannot be read: ${bytes.message}`, 'check the path and its permissions')
  if (bytes.length > MAX_BYTES) return refuse('is larger than 5 MB', 'this is not a configuration file')
  const format = formatProblem(bytes)
  if (format !== null) return refuse(format, ENCODING_HINT)
  const decoded = decode(bytes)
  if (decoded === null) return refuse('is not a text file', ENCODING_HINT)
  if (decoded.encoding !== 'utf-8') {
    problems.add({ severity: 'warning', path: '', message: readAs(decoded.encoding), hint: ENCODING_HINT, ...top })
  }
  const tree = readYaml(decoded.text, shown, problems)
  if (!tree) return null
  return (
    withButler(tree.kind === 'map' ? tree : emptyMap(tree.at), problems) ??
    refuse('Config file has no "Butler" section', 'all settings stand below the key Butler:')
  )
}

async function tellAboutFiles({ path, shown, by }: FoundFile, env: Environment, problems: ProblemList): Promise<void> {
  const place = { file: shown, line: 0, column: 0 }
  if (by) {
    const why = by === 'footman init' ? by : `${by}, NODE_ENV=${env.NODE_ENV || 'production'}`
    const message = `CONFIG: no file was given; using ${path} (${why})`
    problems.add({ severity: 'info', path: '', message, standalone: true, ...place })
  }
  for (const stray of await strayConfigFiles(path, env)) {
    const message = `CONFIG: ignoring ${stray}; only the file given with -c is read`
    problems.add({ severity: 'warning', path: '', message, standalone: true, ...place })
  }
}

/** The stored settings that join this file; null = they cannot be read. */
async function settingsFor(
  root: MapNode,
  { settings, cwd }: LoadOptions,
  directory: string,
): Promise<readonly OpenedSetting[] | null> {
  if (settings) return settings
  const textAt = (...path: string[]): string => {
    const node = nodeAt(root, ['Butler', 'footman', ...path])
    return node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : ''
  }
  const paths = createPathResolver({ configDirectory: directory, cwd })
  return readStoredSettings({
    dataDirectory: paths.data(textAt('dataDirectory') || defaults().footman.dataDirectory),
    key: textAt('settings', 'key'),
  })
}

interface ParseMode {
  readonly compatibility: Compatibility
  /** Wrong values that forbid the start are replaced by their defaults. */
  readonly lenient: boolean
}

/** Values that cannot be used are taken out, with the feature that needs them; null when the start needs them. */
function parse(root: MapNode, { compatibility, lenient }: ParseMode, problems: ProblemList): Config | null {
  const quiet = isAsInButler('unusedValues', compatibility)
  const unused: Problem[] = []
  for (let round = 0; round < 50; round++) {
    const written = plain(nodeAt(root, ['Butler'])!)
    const parsed = parseConfig(written)
    if ('config' in parsed) {
      for (const problem of quiet ? summaryOf(unused) : unused) problems.add(problem)
      return derive(parsed.config, compatibility)
    }
    const findings = findingsOf(parsed.issues).map((finding) => ({ finding, cost: costOf(finding.path, written) }))
    for (const { finding, cost } of findings) {
      const isQuiet = cost.kind === 'unused' || (cost.kind === 'warning' && isPlaceholder(root, finding.path))
      if (isQuiet) unused.push(problemOf(root, finding, cost))
      else reportFinding(root, finding, cost, problems)
    }
    if (!lenient && findings.some(({ cost }) => cost.kind === 'start')) return null
    for (const { finding, cost } of findings) {
      takeOut(root, ['Butler', ...finding.path.slice(0, firstIndex(finding.path))])
      if (cost.kind === 'off') switchOff(root, cost)
    }
  }
  return null
}

type Cost = Consequence | { readonly kind: 'unused'; readonly section: string }

/** Unused: nothing looks at the value, as a section around it is off. Below `footman` every mistake counts. */
function costOf(path: Path, written: unknown): Cost {
  const section = path[0] === 'footman' ? null : switchedOffAround(path, written)
  return section === null ? consequenceAt(path) : { kind: 'unused', section }
}

/** `<your host>`, as templates have it where a value is to be filled in. */
function isPlaceholder(root: MapNode, path: Path): boolean {
  const node = nodeAt(root, ['Butler', ...path])
  return node?.kind === 'scalar' && typeof node.value === 'string' && /^\s*<.*>\s*$/s.test(node.value)
}

/** One line about all values that nothing looks at. */
function summaryOf(unused: readonly Problem[]): Problem[] {
  const [first] = unused
  if (!first) return []
  const sections = [...new Set(unused.map(({ path }) => path.split('.').slice(0, 2).join('.')))]
  const values =
    unused.length === 1
      ? '1 value that is not needed cannot be used and counts'
      : `${unused.length} values that are not needed cannot be used and count`
  const message = `CONFIG: ${values} as not set (placeholders, or in sections that are switched off): ${sections.join(', ')}`
  return [{ ...first, severity: 'info', path: 'Butler', message, standalone: true }]
}

function switchOff(root: MapNode, { feature, switch: flag }: Extract<Consequence, { kind: 'off' }>): void {
  const path = ['Butler', ...(flag ?? feature).split('.')]
  if (flag === null) takeAt(root, path)
  else setAt(root, path, scalar(false, placeOf(root, path)), placeOf(root, path))
}

/** Removes the wrong value; when it is missing, removes the section that lacks it. */
function takeOut(root: MapNode, path: Path): void {
  for (let end = path.length; end > 1; end -= 1) {
    if (takeAt(root, path.slice(0, end))) return
  }
}

/** Items of lists cannot be taken out alone. */
function firstIndex(path: Path): number {
  const index = path.findIndex((step) => typeof step === 'number')
  return index === -1 ? path.length : index
}

function reportFinding(root: MapNode, finding: Finding, cost: Cost, problems: ProblemList): void {
  const problem = problemOf(root, finding, cost)
  // One problem per value: a placeholder without value is not also a wrong number.
  if (problems.all.some(({ severity, path }) => severity === 'error' && path === problem.path)) return
  problems.add(problem)
}

function problemOf(root: MapNode, finding: Finding, cost: Cost): Problem {
  const full = ['Butler', ...finding.path]
  const { message, hint } = masked(root, finding)
  const rest = { path: pathText(full), ...(hint && { hint }), ...placeOf(root, full) }
  if (cost.kind === 'start') return { severity: 'error', message, ...rest }
  if (cost.kind === 'off') return { severity: 'error', message, feature: `Butler.${cost.feature}`, ...rest }
  const why = cost.kind === 'unused' ? `Butler.${cost.section} is off, so it` : 'it'
  return { severity: 'warning', message: `${message}; ${why} counts as not set`, ...rest }
}

/** A finding without values that are to be hidden. */
function masked(root: MapNode, { path, message, hint }: Finding): { readonly message: string; readonly hint?: string } {
  const node = nodeAt(root, ['Butler', ...path])
  const hide = isSecret(path) || (node?.kind === 'scalar' && node.external === true)
  const value = node?.kind === 'scalar' ? String(node.value) : ''
  const mask = (part: string) => (hide && value !== '' ? part.replaceAll(value, '**********') : part)
  return { message: mask(message), ...(hint ? { hint: mask(hint) } : {}) }
}

/** Defaults that depend on other keys or on this computer. */
function derive(config: Config, compatibility: Compatibility): Config {
  const { configEngine, configQRS, footman } = config
  return {
    ...config,
    configEngine: { ...configEngine, host: configEngine.host || configQRS.host },
    footman: {
      ...footman,
      compatibility,
      timezone: footman.timezone || hostZone(),
      node: { ...footman.node, name: footman.node.name || hostname() },
    },
  }
}

/** An access section with errors must not leave the API open. */
function keepLocked(root: MapNode, { restServerConfig }: Config, problems: ProblemList): void {
  const place = ['Butler', 'footman', 'access']
  const path = pathText(place)
  const broken = problems.all.some((problem) => problem.severity === 'error' && problem.path.startsWith(path))
  if (!broken || !restServerConfig.enable) return
  restServerConfig.enable = false
  const message = 'has errors, so the REST API stays off'
  problems.add({ severity: 'error', path, message, feature: 'Butler.restServerConfig', ...placeOf(root, place) })
}

function concernsConnection({ severity, feature }: Problem): boolean {
  return severity === 'error' && feature === 'Butler.configQRS'
}
