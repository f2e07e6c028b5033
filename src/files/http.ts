/** The endpoints of the file operations and of file jobs. The examples stand on relative paths. */
import { DEFAULT_LIMIT, keyCursorOf, keyInCursor } from '../http/endpoint/list-query.ts'
import { type ApiRequest, type ApiRoute, from, route } from '../http/endpoint/route.ts'
import { Refusal, refusal, refused } from '../http/errors.ts'
import { fileErrorText } from '../platform/file-errors.ts'
import {
  CANCEL_FILE_JOB,
  COPY_FILE,
  CREATE_DIRECTORY,
  DELETE_FILE,
  FILE_JOB,
  FILE_JOBS,
  type FileJob,
  MOVE_FILE,
} from './contract.ts'
import { codeOf, PathChanged } from './directory.ts'
import type { FileJobs } from './jobs.ts'
import type { FileOperations } from './operations.ts'
import { normalText } from './paths.ts'
import { failureText, pathsOf, refusalText } from './texts.ts'
import {
  type CopyRequest,
  type FileOperation,
  FileRefusal,
  type FileRequest,
  type MoveRequest,
  type Preview,
} from './types.ts'

export interface FileRouteDeps {
  readonly operations: FileOperations
  readonly jobs: FileJobs
}

export interface FileRouteSettings {
  /** Nothing is changed. */
  readonly shadow: boolean
}

const copyExample = (name: string) => ({
  fromFile: 'qvd/sales.qvd',
  toFile: `archive/${name}`,
  overwrite: true,
  preserveTimestamp: true,
})

const MOVE_EXAMPLE = { fromFile: 'landing/orders.qvd', toFile: 'qvd/orders.qvd', overwrite: false }

/** The parts of a request that an operation needs. */
type OperationRequest = Pick<ApiRequest, 'note' | 'signal' | 'caller'> & {
  readonly query: { readonly dryRun?: boolean | undefined; readonly async?: boolean | undefined }
}

/** The result of a request; `jobId`: it is carried out later. */
type Result<Request extends FileRequest> =
  | { readonly jobId: string }
  | {
      readonly jobId: null
      readonly done: Request
      /** Something was changed, or would be. */
      readonly changed: boolean
      readonly preview?: Omit<Preview, 'changes'> & { readonly dryRun: true }
    }

/** Copy, move, delete and the two ways to make a directory. */
export function fileRoutes({ operations, jobs }: FileRouteDeps, { shadow }: FileRouteSettings): ApiRoute[] {
  async function carryOut<Request extends FileRequest>(
    { note, query, signal, caller }: OperationRequest,
    given: Request,
  ): Promise<Result<Request>> {
    note({ target: pathsOf(given), ...(query.dryRun && { detail: 'dry run' }) })
    if (pathsOf(given).includes('')) throw new FileRefusal({ kind: 'missing' })
    const done = await operations.read(given)
    if (query.dryRun) {
      const { changes, ...preview } = await operations.preview(done, signal)
      return { jobId: null, done, changed: changes, preview: { dryRun: true, ...preview } }
    }
    if (shadow) throw refusal('SHADOW_MODE', 'Footman runs in shadow mode, which changes no files.')
    if (query.async && !('directory' in done)) {
      const jobId = await jobs.enqueue(done, caller.actor)
      if (jobId) return { jobId }
      throw refusal('QUEUE_FULL', 'Wait until some of those under way have ended.', { error: 'Too many file jobs' })
    }
    const { changed } = await jobs.run(done, caller.actor)
    return { jobId: null, done, changed }
  }

  return [
    route({
      ...COPY_FILE,
      switch: 'fileCopy',
      scope: 'file:write',
      butler: true,
      action: 'file.copy',
      summary: 'Copy a file or a directory',
      description:
        'Both paths must lie in the directories of one entry of `Butler.fileCopyApprovedDirectories`. The target is absent, old or whole at any moment. Without `overwrite` an existing target stays, which is a success with `"copied": false`.',
      examples: [
        {
          name: 'file',
          body: copyExample('sales.qvd'),
          status: 201,
          answer: { ...copyExample('sales.qvd'), copied: true },
        },
        {
          name: 'dry-run',
          query: { dryRun: 'true' },
          body: copyExample('sales-2.qvd'),
          status: 200,
          answer: {
            ...copyExample('sales-2.qvd'),
            copied: true,
            dryRun: true,
            files: 1,
            bytes: 5,
            wouldOverwrite: [],
          },
        },
        {
          name: 'later',
          query: { async: 'true' },
          body: copyExample('sales-3.qvd'),
          status: 202,
          answer: { jobId: '019cad58-bd80-7e8c-9902-207afaeb7120' },
        },
      ],
      legacyErrors: (error) => asRefusal('copy', error),
      async handle(request, answer) {
        const { fromFile: from = '', toFile: to = '', overwrite = false, preserveTimestamp = false } = request.body
        const given: CopyRequest = { operation: 'copy', from, to, overwrite, preserveTimestamp }
        const result = await carryOut(request, given)
        if (result.jobId !== null) return answer(202, { jobId: result.jobId }, locationOf(result))
        const { done, changed: copied, preview } = result
        const body = { ...transferBody(done), preserveTimestamp: done.preserveTimestamp, copied }
        return preview ? answer(200, { ...body, ...preview }) : answer(201, body)
      },
    }),
    route({
      ...MOVE_FILE,
      switch: 'fileMove',
      scope: 'file:write',
      butler: true,
      action: 'file.move',
      summary: 'Move a file or a directory',
      description:
        'Both paths must lie in the directories of one entry of `Butler.fileMoveApprovedDirectories`. Works across file systems.',
      examples: [{ name: 'file', body: MOVE_EXAMPLE, status: 201, answer: MOVE_EXAMPLE }],
      legacyErrors: (error) => asRefusal('move', error),
      async handle(request, answer) {
        const { fromFile: from = '', toFile: to = '', overwrite = false } = request.body
        const given: MoveRequest = { operation: 'move', from, to, overwrite }
        const result = await carryOut(request, given)
        if (result.jobId !== null) return answer(202, { jobId: result.jobId }, locationOf(result))
        const body = transferBody(result.done)
        return result.preview ? answer(200, { ...body, ...result.preview }) : answer(201, body)
      },
    }),
    route({
      ...DELETE_FILE,
      switch: 'fileDelete',
      scope: 'file:write',
      butler: true,
      action: 'file.delete',
      summary: 'Delete a file',
      description: 'The path must lie in one of `Butler.fileDeleteApprovedDirectories`.',
      examples: [{ name: 'file', body: { deleteFile: 'archive/old.qvd' }, status: 204 }],
      legacyErrors: (error) => asRefusal('delete', error),
      async handle(request, answer) {
        const { deleteFile: from = '', recursive = false } = request.body
        const result = await carryOut(request, { operation: 'delete', from, recursive })
        if (result.jobId !== null) return answer(202, { jobId: result.jobId }, locationOf(result))
        return result.preview ? answer(200, result.preview) : answer(204)
      },
    }),
    ...DIRECTORY_ENDPOINTS.map(({ operation, switch: name, example, ...described }) =>
      route({
        ...CREATE_DIRECTORY,
        ...described,
        path: `/v4/${operation}`,
        switch: name,
        scope: 'file:write',
        butler: true,
        action: `file.${operation}`,
        examples: [{ name: 'directory', body: { directory: example }, status: 201, answer: { directory: example } }],
        legacyErrors: (error) => asRefusal(operation, error),
        async handle(request, answer) {
          const result = await carryOut(request, { operation, directory: request.body.directory ?? '' })
          if (result.jobId !== null) throw new Error('directories are made at once')
          const { done, preview } = result
          // Answered as it was sent.
          const body = { directory: done.directory }
          return preview ? answer(200, { ...body, ...preview }) : answer(201, body)
        },
      }),
    ),
  ]
}

const DIRECTORY_ENDPOINTS = [
  {
    operation: 'createdir',
    switch: 'createDir',
    summary: 'Make a directory',
    description:
      'In `Butler.footman.files.createDirApprovedDirectories`; without that list in any approved directory and in `Butler.configDirectories.qvdPath`, or anywhere with `Butler.footman.compatibility: butler`. A directory that exists is a success.',
    example: 'archive/2026/10',
  },
  {
    operation: 'createdirqvd',
    switch: 'createDirQVD',
    summary: 'Make a directory in the QVD folder',
    description: 'The path counts from `Butler.configDirectories.qvdPath`.',
    example: '2026/10',
  },
] as const

const locationOf = ({ jobId }: { readonly jobId: string }) => ({ location: `/v4/filejobs/${jobId}` })

const transferBody = ({ from, to, overwrite }: CopyRequest | MoveRequest) => ({
  fromFile: normalText(from),
  toFile: normalText(to),
  overwrite,
})

function asRefusal(operation: FileOperation, error: unknown): Refusal {
  if (error instanceof Refusal) return error
  if (error instanceof FileRefusal) {
    const { status, message, details } = refusalText(operation, error.reason)
    return refused(status, message, details)
  }
  const code = codeOf(error)
  if (code === 'ENAMETOOLONG') return refused(400, 'Invalid path: a name is too long')
  // A file or directory was exchanged between its check and its use.
  if (error instanceof PathChanged || code === 'ELOOP') return asRefusal(operation, new FileRefusal({ kind: 'denied' }))
  const why = fileErrorText(error) ?? `${code || 'unknown'} error; see the log of Footman`
  return refused(500, failureText(operation), `${why.charAt(0).toUpperCase()}${why.slice(1)}.`)
}

const EXAMPLE_JOB: FileJob = {
  jobId: '019cad58-bd80-7e8c-9902-207afaeb7120',
  operation: 'copy',
  from: '/data1/big.qvd',
  to: '/data2/big.qvd',
  state: 'running',
  files: 1,
  filesDone: 0,
  bytes: 21_474_836_480,
  bytesDone: 5_368_709_120,
  bytesPerSecond: 209_715_200,
  startedAt: '2026-03-02T07:00:00.000Z',
  finishedAt: null,
  error: null,
}

/** `/v4/filejobs`: operations that callers do not wait for. `endpoint`: the switch of an operation that is on. */
export function fileJobRoutes(jobs: FileJobs, { switch: key }: { readonly switch: string }): ApiRoute[] {
  return [
    route({
      ...FILE_JOBS,
      switch: key,
      scope: 'file:write',
      summary: 'List the file jobs',
      description: 'Newest first. Jobs that have ended are kept for an hour.',
      examples: [{ name: 'all', status: 200, answer: { fileJobs: [EXAMPLE_JOB], nextCursor: null } }],
      handle({ query: { limit = DEFAULT_LIMIT, cursor } }, answer) {
        const [after] = keyInCursor(cursor, 1) ?? []
        const found = jobs.list().filter(({ jobId }) => after === undefined || jobId < after)
        const page = found.slice(0, limit)
        const last = page.at(-1)
        const nextCursor = last && found.length > limit ? keyCursorOf([last.jobId]) : null
        return answer(200, { fileJobs: page, nextCursor })
      },
    }),
    route({
      ...FILE_JOB,
      switch: key,
      scope: 'file:write',
      summary: 'Show the progress of a file job',
      examples: [
        { name: 'newest', params: from(FILE_JOBS, { jobId: '$response.body#/fileJobs/0/jobId' }), status: 200 },
      ],
      handle({ params: { jobId } }, answer) {
        const job = jobs.get(jobId)
        if (!job) throw notFound(jobId)
        return answer(200, job)
      },
    }),
    route({
      ...CANCEL_FILE_JOB,
      switch: key,
      scope: 'file:write',
      action: 'filejob.cancel',
      summary: 'Cancel a file job',
      description: 'Answered when the job has ended. A copy leaves no partial file behind.',
      examples: [
        {
          name: 'has-ended',
          params: from(FILE_JOBS, { jobId: '$response.body#/fileJobs/0/jobId' }),
          status: 409,
          answer: hasEnded(EXAMPLE_JOB.jobId).body,
        },
      ],
      async handle({ params: { jobId } }, answer) {
        const cancelled = await jobs.cancel(jobId)
        if (cancelled === null) throw notFound(jobId)
        if (!cancelled) throw hasEnded(jobId)
        return answer(204)
      },
    }),
  ]
}

const hasEnded = (jobId: string): Refusal => refusal('NOT_CANCELLABLE', `The file job ${jobId} has ended already.`)

const notFound = (jobId: string): Refusal =>
  refusal('JOB_NOT_FOUND', `There is no file job ${jobId}. Jobs are kept for an hour after their end.`)
