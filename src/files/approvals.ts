/** `Butler.file...ApprovedDirectories`: where the file operations may work, and the places there that requests name. */
import { lstat, mkdir, realpath, stat } from 'node:fs/promises'
import { within } from '../platform/deadline.ts'
import type { DirectoryPair, FilesConfig } from './config.ts'
import { codeOf, type Directory, openDirectory } from './directory.ts'
import {
  type AbsolutePath,
  fromSystem,
  isBelow,
  isWithin,
  normalText,
  type PathPlatform,
  type PathProblem,
  type PathRules,
  resolvePath,
  textOf,
} from './paths.ts'
import { FileRefusal } from './types.ts'

export interface ApprovedPair {
  readonly from: AbsolutePath
  readonly to: AbsolutePath
}

interface Approvals {
  readonly copy: readonly ApprovedPair[]
  readonly move: readonly ApprovedPair[]
  readonly delete: readonly AbsolutePath[]
  /** Null = anywhere. */
  readonly createDirectory: readonly AbsolutePath[] | null
  readonly qvdFolder: AbsolutePath | null
  /** Mistakes in the lists, as text; such entries approve nothing. */
  readonly problems: readonly string[]
}

export interface ApprovalSettings {
  readonly fileCopyApprovedDirectories: readonly DirectoryPair[]
  readonly fileMoveApprovedDirectories: readonly DirectoryPair[]
  readonly fileDeleteApprovedDirectories: readonly string[]
  readonly configDirectories: { readonly qvdPath: string }
  readonly footman: {
    readonly files: Pick<FilesConfig, 'createDirApprovedDirectories' | 'createDirAllowAnywhere' | 'allowRootApproval'>
  }
}

/** `osName`: name of the operating system in the warnings. */
export function readApprovals(settings: ApprovalSettings, rules: PathRules, osName: string): Approvals {
  const { files } = settings.footman
  const problems: string[] = []

  function directories(name: string, texts: readonly string[]): readonly AbsolutePath[] {
    const read = readApproved({ name, rules, allowRoot: files.allowRootApproval, osName }, texts)
    problems.push(...read.problems)
    return read.directories
  }

  const pairs = (list: string, given: readonly DirectoryPair[]): ApprovedPair[] =>
    given.flatMap(({ fromDirectory, toDirectory }) => {
      const [from, to] = directories(list, [fromDirectory, toDirectory])
      return from && to ? [{ from, to }] : []
    })

  const copy = pairs('FILE COPY CONFIG', settings.fileCopyApprovedDirectories)
  const move = pairs('FILE MOVE CONFIG', settings.fileMoveApprovedDirectories)
  const remove = directories('FILE DELETE CONFIG', settings.fileDeleteApprovedDirectories)
  const [qvdFolder = null] = directories('CREATE DIR CONFIG', [settings.configDirectories.qvdPath])
  const created = files.createDirApprovedDirectories
    ? directories('CREATE DIR CONFIG', files.createDirApprovedDirectories)
    : [...[...copy, ...move].flatMap(({ from, to }) => [from, to]), ...remove, ...(qvdFolder ? [qvdFolder] : [])]
  return {
    copy,
    move,
    delete: remove,
    qvdFolder,
    problems,
    createDirectory: files.createDirAllowAnywhere ? null : created,
  }
}

export interface ApprovedList {
  /** In its warnings. */
  readonly name: string
  readonly rules: PathRules
  readonly allowRoot: boolean
  readonly osName: string
}

/** The directories of a list, and its mistakes as text. */
export function readApproved(
  { name, rules, allowRoot, osName }: ApprovedList,
  texts: readonly string[],
): { readonly directories: readonly AbsolutePath[]; readonly problems: readonly string[] } {
  const problems: string[] = []
  const directories = texts
    .filter((text) => text !== '')
    .flatMap((text) => {
      const result = resolvePath(text, rules)
      const isRoot = result.ok && result.path.segments.length === 0
      if (result.ok && (allowRoot || !isRoot)) return result.path
      problems.push(`${name}: ${result.ok ? wholeDrive(text) : problemText(text, result.problem, osName)}`)
      return []
    })
  return { directories, problems }
}

const wholeDrive = (text: string): string => `"${text}" is a whole drive and approves nothing.`

function problemText(text: string, problem: PathProblem, osName: string): string {
  return problem.kind === 'unc'
    ? `UNC paths won't work on non-Windows OSs ("${normalText(text)}"). OS is "${osName}".`
    : `"${text}" approves nothing: ${problem.reason}.`
}

// Approved directories that do not exist: file operations in them can only fail.

export interface MissingDirectory {
  /** Key below `Butler`. */
  readonly key: string
  readonly path: string
}

interface ApprovedDirectories {
  readonly restServerEndpointsEnable: Readonly<Record<'fileCopy' | 'fileMove' | 'fileDelete', boolean>>
  readonly fileCopyApprovedDirectories: readonly DirectoryPair[]
  readonly fileMoveApprovedDirectories: readonly DirectoryPair[]
  readonly fileDeleteApprovedDirectories: readonly string[]
}

/** A share that does not answer is not known to be missing. */
const PATIENCE_MS = 3000

/** Those of operations that are switched on, in the order of the lists. */
export const missingDirectories = (settings: ApprovedDirectories): Promise<MissingDirectory[]> =>
  missingOf(namedDirectories(settings))

/** Those of the directories that do not exist. */
export async function missingOf(directories: readonly MissingDirectory[]): Promise<MissingDirectory[]> {
  const named = directories.filter(({ path }) => path !== '')
  const missing = await Promise.all(named.map(({ path }) => isMissing(path)))
  return named.filter((_, index) => missing[index])
}

export const missingText = ({ path }: MissingDirectory): string => `the approved directory "${path}" does not exist`

function namedDirectories(settings: ApprovedDirectories): MissingDirectory[] {
  const { restServerEndpointsEnable: on } = settings
  const pairs = (list: 'fileCopyApprovedDirectories' | 'fileMoveApprovedDirectories') =>
    settings[list].flatMap((pair, index) =>
      (['fromDirectory', 'toDirectory'] as const).map((end) => ({ key: `${list}[${index}].${end}`, path: pair[end] })),
    )
  const deleted = settings.fileDeleteApprovedDirectories.map((path, index) => ({
    key: `fileDeleteApprovedDirectories[${index}]`,
    path,
  }))
  return [
    ...(on.fileCopy ? pairs('fileCopyApprovedDirectories') : []),
    ...(on.fileMove ? pairs('fileMoveApprovedDirectories') : []),
    ...(on.fileDelete ? deleted : []),
  ]
}

async function isMissing(path: string): Promise<boolean> {
  const found = stat(path).then(
    (one) => !one.isDirectory(),
    ({ code }: NodeJS.ErrnoException) => code === 'ENOENT' || code === 'ENOTDIR',
  )
  return within(found, PATIENCE_MS, () => false)
}

// From the paths of a request to locations in approved directories, links resolved.

export interface PlaceDeps {
  readonly approvals: Approvals
  readonly rules: PathRules
}

/** Throws a refusal for a text that is no usable path. */
export function absolutePath(text: string, rules: PathRules): AbsolutePath {
  const result = resolvePath(text, rules)
  if (result.ok) return result.path
  throw new FileRefusal(result.problem.kind === 'unc' ? { kind: 'unc', path: text } : result.problem)
}

/** Both ends of a copy or a move, by the first approved pair that holds them. */
export async function placesOfPair(
  { rules }: PlaceDeps,
  pairs: readonly ApprovedPair[],
  from: AbsolutePath,
  to: AbsolutePath,
  options: { readonly keepLink?: boolean } = {},
): Promise<{ readonly source: Location; readonly target: Location }> {
  const { platform } = rules
  for (const pair of pairs) {
    if (!isBelow(pair.from, from, platform) || !isBelow(pair.to, to, platform)) continue
    const source = await locate(pair.from, from, platform, options)
    const target = source && (await locate(pair.to, to, platform))
    if (source && target && isPart(source) && isPart(target)) return { source, target }
  }
  throw new FileRefusal({ kind: 'denied' })
}

/** A place below one of the directories; the directory itself only with `orItself`. */
export async function placeIn(
  { rules }: Pick<PlaceDeps, 'rules'>,
  directories: readonly AbsolutePath[],
  path: AbsolutePath,
  options: { readonly keepLink?: boolean; readonly orItself?: boolean } = {},
): Promise<Location> {
  const { platform } = rules
  for (const directory of directories) {
    if (!isWithin(directory, path, platform)) continue
    const place = await locate(directory, path, platform, options)
    if (place && (options.orItself || isPart(place))) return place
  }
  throw new FileRefusal({ kind: 'denied' })
}

/** A link in an approved directory may lead to that directory itself. */
const isPart = ({ names }: Location): boolean => names.length > 0

/**
 * Load scripts send `#` as `%23`. Where no file has the name as it stands, all paths of a request are read that way.
 * The disk is asked for approved paths only.
 */
export async function readHashes(
  paths: readonly string[],
  rules: PathRules,
  isApproved: (path: AbsolutePath, index: number) => boolean,
): Promise<readonly string[]> {
  const index = paths.findIndex((path) => path.includes('%23'))
  if (index === -1) return paths
  const literal = resolvePath(paths[index]!, rules)
  if (literal.ok && isApproved(literal.path, index) && (await exists(literal.path))) return paths
  return paths.map((path) => path.replaceAll('%23', '#'))
}

const exists = (path: AbsolutePath): Promise<boolean> =>
  lstat(textOf(path)).then(
    () => true,
    () => false,
  )

/** A place in an approved directory, free of links when it was looked up. */
export interface Location {
  /** Real path of the approved directory. */
  readonly root: AbsolutePath
  /** False: the approved directory itself does not exist yet. */
  readonly rootExists: boolean
  /** From there to the place; empty = the approved directory itself. */
  readonly names: readonly string[]
}

/**
 * Null when the path leads out of `approved`, which it must not do as a text already. `keepLink`: a link in last place
 * stands for itself, but must lead to something in there as well.
 */
async function locate(
  approved: AbsolutePath,
  path: AbsolutePath,
  platform: PathPlatform,
  options: { readonly keepLink?: boolean } = {},
): Promise<Location | null> {
  const depth = approved.segments.length
  const rest = path.segments.slice(depth)
  const realRoot = await realPath(approved, platform)
  if (realRoot === 'dangling') return null
  if (realRoot === null) return { root: approved, rootExists: false, names: rest }
  const found = await deepest(realRoot, rest, platform)
  if (!found || !isWithin(realRoot, found, platform)) return null
  const last = rest.at(-1)
  if (!options.keepLink || last === undefined)
    return { root: realRoot, rootExists: true, names: below(realRoot, found) }
  const parent = await deepest(realRoot, rest.slice(0, -1), platform)
  if (!parent || !isWithin(realRoot, parent, platform)) return null
  return { root: realRoot, rootExists: true, names: [...below(realRoot, parent), last] }
}

/** The whole path of a place. */
export const pathOf = ({ root, names }: Location): AbsolutePath => ({
  root: root.root,
  segments: [...root.segments, ...names],
})

/**
 * Opens the directory in which the place is, step by step and never through a link; null when it is not there. `create`:
 * makes what is missing, the approved directory included.
 */
export async function openParent({ root, rootExists, names }: Location, create = false): Promise<Directory | null> {
  const at = textOf(root)
  if (!rootExists) {
    if (!create) return null
    await mkdir(at, { recursive: true })
  }
  let directory = await openDirectory(rootExists ? at : await realpath(at))
  for (const name of names.slice(0, -1)) {
    try {
      const next = await directory.open(name, create)
      await directory[Symbol.asyncDispose]()
      directory = next
    } catch (error) {
      await directory[Symbol.asyncDispose]()
      if (!create && codeOf(error) === 'ENOENT') return null
      throw error
    }
  }
  return directory
}

/** The real path of as much as there is, and the names behind it; null when a link leads nowhere or in a circle. */
async function deepest(
  root: AbsolutePath,
  names: readonly string[],
  platform: PathPlatform,
): Promise<AbsolutePath | null> {
  for (let count = names.length; count > 0; count--) {
    const path = { root: root.root, segments: [...root.segments, ...names.slice(0, count)] }
    const real = await realPath(path, platform)
    if (real === 'dangling') return null
    if (real) return { root: real.root, segments: [...real.segments, ...names.slice(count)] }
  }
  return { root: root.root, segments: [...root.segments, ...names] }
}

/** A place without access counts as absent: the directory above it decides, and its use fails later. */
const NOT_THERE = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM'])

/** Null: nothing is there. */
async function realPath(path: AbsolutePath, platform: PathPlatform): Promise<AbsolutePath | 'dangling' | null> {
  const text = textOf(path)
  try {
    return fromSystem(await realpath(text), platform)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ELOOP') return 'dangling'
    if (!NOT_THERE.has(code)) throw error
  }
  // A link that leads nowhere is there all the same: a process that makes its target next must not be let through.
  return lstat(text).then(
    () => 'dangling' as const,
    (error: unknown) => {
      if (NOT_THERE.has(codeOf(error))) return null
      throw error
    },
  )
}

const below = (root: AbsolutePath, path: AbsolutePath): string[] => path.segments.slice(root.segments.length)
