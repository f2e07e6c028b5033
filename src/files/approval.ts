/** `Butler.file...ApprovedDirectories`: where the file operations may work. */
import { normalText, resolvePath } from './paths/resolve.ts'
import type { AbsolutePath, PathProblem, PathRules } from './paths/types.ts'

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

/** `osName` as the warnings tell it. */
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
    ...{ copy, move, delete: remove, qvdFolder, problems },
    createDirectory: files.createDirAllowAnywhere ? null : created,
  }
}

const wholeDrive = (text: string): string => `"${text}" is a whole drive and approves nothing.`

function problemText(text: string, problem: PathProblem, osName: string): string {
  return problem.kind === 'unc'
    ? `UNC paths won't work on non-Windows OSs ("${normalText(text)}"). OS is "${osName}".`
    : `"${text}" approves nothing: ${problem.reason}.`
}
