/** Requests, progress and results of file operations. */

export type FileOperation = 'copy' | 'move' | 'delete' | 'createdir' | 'createdirqvd'

/** Paths as the caller has sent them. */
export type FileRequest = CopyRequest | MoveRequest | DeleteRequest | CreateRequest

export interface CopyRequest {
  readonly operation: 'copy'
  readonly from: string
  readonly to: string
  readonly overwrite: boolean
  readonly preserveTimestamp: boolean
}

export interface MoveRequest {
  readonly operation: 'move'
  readonly from: string
  readonly to: string
  readonly overwrite: boolean
}

export interface DeleteRequest {
  readonly operation: 'delete'
  readonly from: string
  /** Directories, too, with all that is in them. */
  readonly recursive: boolean
}

export interface CreateRequest {
  /** `createdirqvd`: relative to the QVD folder. */
  readonly operation: 'createdir' | 'createdirqvd'
  readonly directory: string
}

/** Why a request is not carried out; everything else that goes wrong is a failure. */
export type Reason =
  | { readonly kind: 'missing' }
  | { readonly kind: 'invalid'; readonly reason: string }
  /** A UNC path where there is no Windows. */
  | { readonly kind: 'unc'; readonly path: string }
  /** Not within an approved directory. */
  | { readonly kind: 'denied' }
  | { readonly kind: 'absent' }
  /** Deleting a directory without `recursive`. */
  | { readonly kind: 'notAFile' }
  /** An existing file or directory is in the way. */
  | { readonly kind: 'conflict'; readonly details: string }
  /** No QVD folder is configured. */
  | { readonly kind: 'noQvdFolder' }
  | { readonly kind: 'cancelled' }

export class FileRefusal extends Error {
  override readonly name = 'FileRefusal'
  constructor(readonly reason: Reason) {
    super('details' in reason ? reason.details : reason.kind)
  }
}

/** The refusal of a request that something on the disk is in the way of. */
export const conflict = (details: string): FileRefusal => new FileRefusal({ kind: 'conflict', details })

/** The changes that an operation would make. */
export interface Preview {
  /** Regular files that are copied, moved or deleted; those that stay as they are do not count. */
  readonly files: number
  readonly bytes: number
  /** Existing files that would be replaced, as absolute paths; the first 1,000. */
  readonly wouldOverwrite: readonly string[]
  /** False: all is there already, and stays. */
  readonly changes: boolean
}

/** How far an operation has come; changes while it runs. */
export interface Tally {
  files: number
  filesDone: number
  bytes: number
  bytesDone: number
}

/** Means of an operation while it runs. */
export interface Work {
  /** Aborts when the operation is to end early. */
  readonly signal: AbortSignal
  readonly tally: Tally
  /** A new name for something that is renamed or removed before the operation ends; `old` for what steps aside. */
  temporaryName(kind?: 'tmp' | 'old'): Promise<string>
}

/** `false`: the target existed, and stays as it is. */
export interface Outcome {
  readonly changed: boolean
}
