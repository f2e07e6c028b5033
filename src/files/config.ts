/** File operations: approved directories. */
import { z } from 'zod'
import { count, file, flag, list, noted, object, section } from '../config/fields.ts'

const directoryPair = object(() => ({
  fromDirectory: file('Files may be taken from here.'),
  toDirectory: file('Files may be put here.'),
}))

export const fileCopyApprovedDirectories = list(
  'Pairs of directories between which files may be copied.',
  directoryPair,
)
export const fileMoveApprovedDirectories = list('Pairs of directories between which files may be moved.', directoryPair)
export const fileDeleteApprovedDirectories = list('Directories in which files may be deleted.', z.string())

export const configDirectories = section('Directories.', () => ({
  qvdPath: file('Root of the directories that createDirQVD makes.'),
}))

export const files = section('More about file operations.', () => ({
  maxConcurrent: count('File operations at the same time.', 4, { min: 1, max: 32 }),
  createDirApprovedDirectories: noted(z.array(z.string()).optional(), {
    description: 'Directories in which directories may be made.',
    defaultText: 'the approved directories and configDirectories.qvdPath',
    nullable: 'absent',
  }),
  createDirAllowAnywhere: flag('Directories may be made anywhere, as in Butler.'),
  allowRootApproval: flag('Allow / or a drive as an approved directory.'),
}))

export const scriptLogs = section('Script logs that the repository does not hand out.', () => ({
  folders: list(
    'Folders in which they may be read: the archived logs of the site, such as \\\\server\\share\\ArchivedLogs. The name below it is what Qlik Sense reports for the execution.',
    z.string(),
  ),
}))

export type DirectoryPair = z.output<typeof directoryPair>
export type FilesConfig = z.output<typeof files>
