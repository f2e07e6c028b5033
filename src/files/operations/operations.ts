/** The five file operations behind one interface. */
import { isBelow, isWithin } from '../paths/compare.ts'
import type { AbsolutePath } from '../paths/types.ts'
import type { CopyRequest, FileRequest, MoveRequest, Outcome, Preview, Work } from '../types.ts'
import { cleanUp } from './clean-up.ts'
import { checkCopy, previewCopy, runCopy } from './copy.ts'
import { checkCreate, directoryText, rootsFor, runCreate } from './create-directory.ts'
import { checkDelete, previewDelete, runDelete } from './delete.ts'
import { checkMove, previewMove, runMove } from './move.ts'
import { type PlaceDeps, readHashes } from './places.ts'

/** All of them throw a `FileRefusal` for what must not be done, and the system's error for what fails. */
export interface FileOperations {
  /** The request with `%23` in its paths read as `#` where that is meant. */
  read<R extends FileRequest>(request: R): Promise<R>
  check(request: FileRequest): Promise<void>
  /** Checks everything, and changes nothing. */
  preview(request: FileRequest, signal?: AbortSignal): Promise<Preview>
  run(request: FileRequest, work: Work): Promise<Outcome>
  /** Puts in order what an operation of this id has left behind when the process died. */
  cleanUp(id: string, request: CopyRequest | MoveRequest): Promise<void>
}

const NOTHING: Preview = { files: 0, bytes: 0, wouldOverwrite: [], changes: true }

export function createFileOperations(deps: PlaceDeps): FileOperations {
  return {
    async read(request) {
      const { approvals, rules } = deps
      const { platform } = rules
      const below = (roots: readonly AbsolutePath[]) => (path: AbsolutePath) =>
        roots.some((root) => isBelow(root, path, platform))
      if ('directory' in request) {
        const roots = rootsFor(deps, request)
        const approved = (path: AbsolutePath) => !roots || roots.some((root) => isWithin(root, path, platform))
        const given = directoryText(deps, request)
        const [read] = await readHashes([given], rules, approved)
        return read === given ? request : { ...request, directory: request.directory.replaceAll('%23', '#') }
      }
      if (request.operation === 'delete') {
        const [from = ''] = await readHashes([request.from], rules, below(approvals.delete))
        return { ...request, from }
      }
      const pairs = approvals[request.operation]
      const approved = [below(pairs.map((pair) => pair.from)), below(pairs.map((pair) => pair.to))]
      const [from = '', to = ''] = await readHashes([request.from, request.to], rules, (path, index) =>
        approved[index]!(path),
      )
      return { ...request, from, to }
    },

    async check(request) {
      if (request.operation === 'copy') return checkCopy(deps, request)
      if (request.operation === 'move') return checkMove(deps, request)
      return request.operation === 'delete' ? checkDelete(deps, request) : checkCreate(deps, request)
    },

    async preview(request, signal) {
      if (request.operation === 'copy') return previewCopy(deps, request, signal)
      if (request.operation === 'move') return previewMove(deps, request, signal)
      if (request.operation === 'delete') return previewDelete(deps, request, signal)
      await checkCreate(deps, request)
      return NOTHING
    },

    async run(request, work) {
      if (request.operation === 'copy') return runCopy(deps, request, work)
      if (request.operation === 'move') return runMove(deps, request, work)
      return request.operation === 'delete' ? runDelete(deps, request, work) : runCreate(deps, request)
    },

    cleanUp: (id, request) => cleanUp(deps, id, request),
  }
}
