/** Errors of the file system in words: neither a path of this machine nor the name of a system call is in them. */
import process from 'node:process'
import { errorText } from './errors.ts'

/** Windows gives the same code for a file that may not be replaced because another program reads it, such as Qlik Sense a QVD. */
const NOT_ALLOWED = `the account of Footman has no right to a file or directory${
  process.platform === 'win32' ? ', or another program has the file open' : ''
}`
const FAULTY = 'the disk or the network share reports an error'
const SILENT = 'the network share does not answer'

const TEXTS: Readonly<Record<string, string>> = {
  EACCES: NOT_ALLOWED,
  EPERM: NOT_ALLOWED,
  EBUSY: 'the file is in use',
  ETXTBSY: 'the file is in use',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file is too large for the file system',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open',
  EIO: FAULTY,
  // Windows has no other code for a share that is gone.
  UNKNOWN: FAULTY,
  ENOENT: 'a file or directory is not there',
  ENOTDIR: 'a file stands in the place of a directory',
  EISDIR: 'a directory has the name of the file',
  ENOTEMPTY: 'a directory has the name of the file',
  EEXIST: 'a file has this name already',
  ELOOP: 'links lead in a circle',
  ENAMETOOLONG: 'a name is too long for the file system',
  EINVAL: 'the file system does not allow this name',
  ENODEV: SILENT,
  ENXIO: SILENT,
  ESTALE: SILENT,
  ETIMEDOUT: SILENT,
  EHOSTDOWN: SILENT,
  EHOSTUNREACH: SILENT,
  ENETDOWN: SILENT,
  ENETUNREACH: SILENT,
  ENETRESET: SILENT,
  ECONNRESET: SILENT,
  ENOTCONN: SILENT,
}

/** The error as a part of a sentence, such as `the disk is full`; null where nothing is known about its code. */
export const fileErrorText = (error: unknown): string | null =>
  TEXTS[(error as NodeJS.ErrnoException).code ?? ''] ?? null

/** The message of an error; one of the file system that names a path is in words instead. */
export function errorWithoutPath(error: unknown): string {
  const { code, path } = (error ?? {}) as NodeJS.ErrnoException
  return path === undefined ? errorText(error) : (fileErrorText(error) ?? `error ${code}`)
}
