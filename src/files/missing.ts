/** Approved directories that are not there: file operations in them can only fail. */
import { stat } from 'node:fs/promises'
import type { DirectoryPair } from './config.ts'

export interface MissingDirectory {
  /** Key below `Butler`. */
  readonly key: string
  readonly path: string
}

export interface ApprovedDirectories {
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
