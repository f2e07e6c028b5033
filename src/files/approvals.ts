/** `Butler.file...ApprovedDirectories`: where the file operations may work. */
import { stat } from 'node:fs/promises'
import type { DirectoryPair } from './config.ts'
import { type AbsolutePath, normalText, type PathProblem, type PathRules, resolvePath } from './paths.ts'

export interface ApprovedPair {
  readonly from: AbsolutePath
  readonly to: AbsolutePath
}

export interface Approvals {
  readonly copy: readonly ApprovedPair[]
  readonly move: readonly ApprovedPair[]
  readonly delete: readonly AbsolutePath[]
  /** Null = anywhere. */
  readonly createDirectory: readonly AbsolutePath[] | null
  readonly qvdFolder: AbsolutePath | null
  /** What is wrong with the lists; such entries approve nothing. */
  readonly problems: readonly string[]
}

interface Pair {
  readonly fromDirectory: string
  readonly toDirectory: string
}

export interface ApprovalSettings {
  readonly fileCopyApprovedDirectories: readonly Pair[]
  readonly fileMoveApprovedDirectories: readonly Pair[]
  readonly fileDeleteApprovedDirectories: readonly string[]
  readonly configDirectories: { readonly qvdPath: string }
  readonly footman: {
    readonly files: {
      readonly createDirApprovedDirectories?: readonly string[] | undefined
      readonly createDirAllowAnywhere: boolean
      readonly allowRootApproval: boolean
    }
  }
}

/** `osName`: name of the operating system in the warnings. */
export function readApprovals(settings: ApprovalSettings, rules: PathRules, osName: string): Approvals {
  const { files } = settings.footman
  const problems: string[] = []

  function directories(list: string, texts: readonly string[]): AbsolutePath[] {
    return texts
      .filter((text) => text !== '')
      .flatMap((text) => {
        const result = resolvePath(text, rules)
        const isRoot = result.ok && result.path.segments.length === 0
        if (result.ok && (files.allowRootApproval || !isRoot)) return result.path
        problems.push(`${list}: ${result.ok ? wholeDrive(text) : problemText(text, result.problem, osName)}`)
        return []
      })
  }

  const pairs = (list: string, given: readonly Pair[]): ApprovedPair[] =>
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

const wholeDrive = (text: string): string => `"${text}" is a whole drive and approves nothing.`

function problemText(text: string, problem: PathProblem, osName: string): string {
  return problem.kind === 'unc'
    ? `UNC paths won't work on non-Windows OSs ("${normalText(text)}"). OS is "${osName}".`
    : `"${text}" approves nothing: ${problem.reason}.`
}

// Approved directories that do not exist: file operations in them can only fail.

interface MissingDirectory {
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
export async function missingDirectories(settings: ApprovedDirectories): Promise<MissingDirectory[]> {
  const named = namedDirectories(settings).filter(({ path }) => path !== '')
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
  const { promise: late, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => resolve(false), PATIENCE_MS)
  const found = stat(path).then(
    (one) => !one.isDirectory(),
    ({ code }: NodeJS.ErrnoException) => code === 'ENOENT' || code === 'ENOTDIR',
  )
  return Promise.race([found, late]).finally(() => clearTimeout(timer))
}
