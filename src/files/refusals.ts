/** How refusals and failures of file operations are answered. */
import process from 'node:process'
import { Refusal, refused } from '../http/endpoint/errors.ts'
import { PathChanged } from './disk/directory.ts'
import { codeOf } from './disk/errors.ts'
import { failureText, refusalText } from './texts.ts'
import { type FileOperation, FileRefusal } from './types.ts'

/** Windows gives the same code for a file that may not be replaced because somebody reads it, such as Qlik Sense a QVD. */
const NOT_ALLOWED = `Footman may not do this: its account has no right to a file or directory${
  process.platform === 'win32' ? ', or another program has the file open' : ''
}.`

/** What the system says, in words that help. */
const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  EACCES: NOT_ALLOWED,
  EPERM: NOT_ALLOWED,
  EBUSY: 'The file is in use.',
  EROFS: 'The file system is read-only.',
  ENOSPC: 'The disk is full.',
  EDQUOT: 'The disk quota is used up.',
  EMFILE: 'Too many files are open.',
  EIO: 'The disk or the network share reports an error.',
}

export function asRefusal(operation: FileOperation, error: unknown): Refusal {
  if (error instanceof Refusal) return error
  if (error instanceof FileRefusal) {
    const { status, message, details } = refusalText(operation, error.reason)
    return refused(status, message, details)
  }
  const code = codeOf(error)
  if (code === 'ENAMETOOLONG') return refused(400, 'Invalid path: a name is too long')
  // What was checked was exchanged before it was used.
  if (error instanceof PathChanged || code === 'ELOOP') return asRefusal(operation, new FileRefusal({ kind: 'denied' }))
  return refused(
    500,
    failureText(operation),
    SYSTEM_ERRORS[code] ?? `${code || 'Unknown'} error; see the log of Footman.`,
  )
}
