/** Texts about file operations in answers, jobs and the log, most of them Butler's. */
import { normalText } from './paths.ts'
import type { FileOperation, FileRequest, Reason } from './types.ts'

interface Texts {
  /** Begins the lines of the log. */
  readonly prefix: string
  readonly denied: string
  readonly absent: string
  readonly failed: string
  /** The name in the UNC refusal. */
  readonly name: string
  /** Where a place would have to be approved. */
  readonly setting: string
}

const COULD_NOT_CREATE = { absent: '', failed: 'Failed to create directory', name: 'create directory' } as const

const TEXTS: Readonly<Record<FileOperation, Texts>> = {
  copy: {
    prefix: 'FILECOPY',
    denied: 'No approved fromDir/toDir for file copy',
    absent: 'fromFile does not exist',
    failed: 'Failed copying file',
    name: 'file copy',
    setting: 'Butler.fileCopyApprovedDirectories',
  },
  move: {
    prefix: 'FILEMOVE',
    denied: 'No approved fromDir/toDir for file move',
    absent: 'fromFile does not exist',
    failed: 'Failed moving file',
    name: 'file move',
    setting: 'Butler.fileMoveApprovedDirectories',
  },
  delete: {
    prefix: 'FILEDELETE',
    denied: 'No approved directory for file delete',
    absent: 'Delete failed, file does not exist',
    failed: 'Failed deleting file',
    // The predecessor names it so.
    name: 'file copy',
    setting: 'Butler.fileDeleteApprovedDirectories',
  },
  createdir: {
    prefix: 'CREATEDIR',
    denied: 'No approved directory for directory creation',
    ...COULD_NOT_CREATE,
    setting: 'Butler.footman.files.createDirApprovedDirectories',
  },
  createdirqvd: {
    prefix: 'CREATEDIRQVD',
    denied: 'Directory must be within the QVD folder',
    ...COULD_NOT_CREATE,
    setting: 'Butler.configDirectories.qvdPath',
  },
}

export const prefixOf = (operation: FileOperation): string => TEXTS[operation].prefix
export const failureText = (operation: FileOperation): string => TEXTS[operation].failed

export interface RefusalText {
  readonly status: number
  readonly message: string
  readonly details?: string
}

export function refusalText(operation: FileOperation, reason: Reason): RefusalText {
  const { denied, absent, failed, name, setting } = TEXTS[operation]
  switch (reason.kind) {
    case 'missing':
      return { status: 400, message: 'Required parameter missing' }
    case 'invalid':
      return { status: 400, message: `Invalid path: ${reason.reason}` }
    case 'unc': {
      const path = normalText(reason.path)
      return {
        status: 400,
        message: `UNC paths not supported for ${name} operations when running Butler on non-Windows OS. Path: ${path}`,
      }
    }
    case 'denied':
      return {
        status: 403,
        message: denied,
        details: `Nothing was done. Each path must lie, links resolved, in a directory of ${setting}.`,
      }
    case 'absent':
      return { status: 400, message: absent }
    case 'notAFile':
      return {
        status: 400,
        message: 'Delete failed, not a file',
        details: 'A directory is deleted with all that is in it when the body has "recursive": true.',
      }
    case 'conflict':
      return { status: 409, message: failed, details: reason.details }
    case 'noQvdFolder':
      return { status: 503, message: failed, details: 'Butler.configDirectories.qvdPath names no directory.' }
    case 'cancelled':
      return { status: 503, message: failed, details: 'It was cancelled, because Footman is about to stop.' }
  }
}

/** For the log: what was done. */
export function doneText(request: FileRequest, changed: boolean): string {
  const done = `${prefixOf(request.operation)}: `
  if (request.operation === 'copy') {
    const { from, to, overwrite, preserveTimestamp } = request
    const verb = changed ? 'Copied' : 'Target exists and stays, did not copy'
    return `${done}${verb} file from ${from} to ${to}, overwrite=${overwrite}, preserve timestamp=${preserveTimestamp}`
  }
  if (request.operation === 'move') {
    return `${done}Moved file from ${request.from} to ${request.to}, overwrite flag=${request.overwrite}`
  }
  return request.operation === 'delete'
    ? `${done}Deleted file ${request.from}`
    : `${done}Created directory ${request.directory}`
}

/** For the log: that it lies outside the approved directories. */
export function deniedText(request: FileRequest): string {
  const { denied, prefix } = TEXTS[request.operation]
  if (request.operation === 'copy' || request.operation === 'move') {
    return `${prefix}: ${denied} ${request.from} to ${request.to}`
  }
  if (request.operation === 'delete') {
    return `${prefix}: File delete request ${request.from} is not in any approved directories.`
  }
  return request.operation === 'createdir'
    ? `${prefix}: ${denied}: ${request.directory}`
    : `${prefix}: Path traversal attempt detected. Requested directory "${request.directory}" resolves outside QVD folder.`
}

/** Paths of a request, for the audit. */
export function pathsOf(request: FileRequest): string[] {
  if ('directory' in request) return [request.directory]
  return 'to' in request ? [request.from, request.to] : [request.from]
}
