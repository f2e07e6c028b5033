/** The endpoints of the file operations and of file jobs. The examples stand on relative paths. */
import { z } from 'zod'
import { DEFAULT_LIMIT, keyCursorOf, keyInCursor, LIST_PARAMETERS, NO_QUERY } from '../http/endpoint/list-query.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer, looseRoute as route } from '../http/endpoint/route.ts'
import { field } from '../http/endpoint/validation.ts'
import { Refusal, refusal, refused } from '../http/errors.ts'
import { fileErrorText } from '../platform/file-errors.ts'
import { once } from '../platform/once.ts'
import { codeOf, PathChanged } from './directory.ts'
import type { FileJobs } from './jobs.ts'
import type { FileOperations } from './operations.ts'
import { normalText } from './paths.ts'
import { failureText, pathsOf, refusalText } from './texts.ts'
import { type FileOperation, FileRefusal, type FileRequest } from './types.ts'

export interface FileRouteDeps {
  readonly operations: FileOperations
  readonly jobs: FileJobs
}

export interface FileRouteSettings {
  /** Nothing is changed. */
  readonly shadow: boolean
}

const PATH_TEXT = 'Path on the machine of Footman, with / or \\.'

const COPY_BODY = once(() =>
  field.object({
    fromFile: field.string().describe(`File or directory. ${PATH_TEXT}`).optional(),
    toFile: field.string().describe('The new file or directory; what is missing above it is made.').optional(),
    overwrite: field.boolean().describe('Replace files that exist; else they stay.').optional(),
    preserveTimestamp: field.boolean().describe('Keep the times of the files.').optional(),
  }),
)

const MOVE_BODY = once(() =>
  field.object({
    fromFile: field.string().describe(`File or directory. ${PATH_TEXT}`).optional(),
    toFile: field.string().describe('The new file or directory; what is missing above it is made.').optional(),
    overwrite: field.boolean().describe('Replace what exists; else the answer is 409.').optional(),
  }),
)

const DELETE_BODY = once(() =>
  field.object({
    deleteFile: field.string().describe(`File, or directory with \`recursive\`. ${PATH_TEXT}`).optional(),
    recursive: field.boolean().describe('Delete a directory with all that is in it.').optional(),
  }),
)

const DIRECTORY_BODY = once(() =>
  field.object({
    directory: field.string().describe('With all that is missing above it.').optional(),
  }),
)

const DRY_RUN_QUERY = once(() =>
  z.object({
    dryRun: field.boolean().describe('Check everything, report what would happen, and change nothing.').optional(),
  }),
)

const TRANSFER_QUERY = once(() =>
  DRY_RUN_QUERY().extend({
    async: field.boolean().describe('Answer 202 with a job at once, and carry it out later.').optional(),
  }),
)

const DRY_RUN = {
  dryRun: z.boolean().optional(),
  files: z.int().describe('Files that would be copied, moved or deleted.').optional(),
  bytes: z.int().optional(),
  wouldOverwrite: z.array(z.string()).describe('Files that would be replaced; the first 1,000.').optional(),
}

const ACCEPTED = once(() => z.object({ jobId: z.string() }).describe('The job.'))

const COPIED = once(() =>
  z.object({
    fromFile: z.string(),
    toFile: z.string(),
    overwrite: z.boolean(),
    preserveTimestamp: z.boolean(),
    copied: z.boolean().describe('False: the target exists, and stays.'),
    ...DRY_RUN,
  }),
)
const MOVED = once(() => z.object({ fromFile: z.string(), toFile: z.string(), overwrite: z.boolean(), ...DRY_RUN }))
const DELETED = once(() => z.object(DRY_RUN))
const CREATED = once(() => z.object({ directory: z.string(), ...DRY_RUN }))

const JOB = once(() =>
  z.object({
    jobId: z.string(),
    operation: z.enum(['copy', 'move', 'delete']),
    from: z.string(),
    to: z.string().nullable(),
    state: z.enum(['waiting', 'running', 'succeeded', 'failed', 'cancelled']),
    files: z.int(),
    filesDone: z.int(),
    bytes: z.int(),
    bytesDone: z.int(),
    bytesPerSecond: z.int(),
    startedAt: z.string(),
    finishedAt: z.string().nullable(),
    error: z.string().nullable(),
  }),
)
const JOBS = once(() => z.object({ fileJobs: z.array(JOB()), nextCursor: z.string().nullable() }))
const JOBS_QUERY = once(() => z.object({ limit: LIST_PARAMETERS.limit, cursor: LIST_PARAMETERS.cursor }))
const JOB_PARAMS = once(() => z.object({ jobId: z.string().describe('As a call with `async=true` has answered.') }))

/** Refusals of every operation. */
const REFUSED = {
  403: 'A path lies outside the approved directories, or a link leads out of them.',
  409: 'An existing file or directory stands in the way; `details` names it.',
  503: 'Footman is about to stop.',
} as const

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

/** The answer to a request that was carried out; `changed`: something was. */
type OperationAnswer = (
  request: FileRequest,
  changed: boolean,
) => { readonly status: number; readonly body: object | null }

/** Copy, move, delete and the two ways to make a directory. */
export function fileRoutes({ operations, jobs }: FileRouteDeps, { shadow }: FileRouteSettings): ApiRoute[] {
  async function carryOut(request: OperationRequest, given: FileRequest, answer: OperationAnswer): Promise<Response> {
    const { note, query, signal, caller } = request
    note({ target: pathsOf(given), ...(query.dryRun && { detail: 'dry run' }) })
    if (pathsOf(given).includes('')) throw new FileRefusal({ kind: 'missing' })
    const wanted = await operations.read(given)
    if (query.dryRun) {
      const { changes, ...preview } = await operations.preview(wanted, signal)
      return jsonAnswer(200, { ...answer(wanted, changes).body, dryRun: true, ...preview })
    }
    if (shadow) throw refusal('SHADOW_MODE', 'Footman runs in shadow mode, which changes no files.')
    if (query.async && !('directory' in wanted)) return accept(await jobs.enqueue(wanted, caller.actor))
    const { changed } = await jobs.run(wanted, caller.actor)
    const { status, body } = answer(wanted, changed)
    return body ? jsonAnswer(status, body) : new Response(null, { status })
  }

  return [
    route({
      method: 'PUT',
      path: '/v4/filecopy',
      switch: 'fileCopy',
      scope: 'file:write',
      butler: true,
      action: 'file.copy',
      summary: 'Copy a file or a directory',
      description:
        'Both paths must lie in the directories of one entry of `Butler.fileCopyApprovedDirectories`. The target is absent, old or whole at any moment. Without `overwrite` an existing target stays, which is a success with `"copied": false`.',
      query: TRANSFER_QUERY,
      body: COPY_BODY,
      answers: () => ({ 200: COPIED(), 201: COPIED(), 202: ACCEPTED(), ...REFUSED }),
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
      handle(request) {
        const { fromFile: from = '', toFile: to = '', overwrite = false, preserveTimestamp = false } = request.body
        const given: FileRequest = { operation: 'copy', from, to, overwrite, preserveTimestamp }
        return carryOut(request, given, (done, copied) => ({ status: 201, body: { ...transferBody(done), copied } }))
      },
    }),
    route({
      method: 'PUT',
      path: '/v4/filemove',
      switch: 'fileMove',
      scope: 'file:write',
      butler: true,
      action: 'file.move',
      summary: 'Move a file or a directory',
      description:
        'Both paths must lie in the directories of one entry of `Butler.fileMoveApprovedDirectories`. Works across file systems.',
      query: TRANSFER_QUERY,
      body: MOVE_BODY,
      answers: () => ({ 200: MOVED(), 201: MOVED(), 202: ACCEPTED(), ...REFUSED }),
      examples: [{ name: 'file', body: MOVE_EXAMPLE, status: 201, answer: MOVE_EXAMPLE }],
      legacyErrors: (error) => asRefusal('move', error),
      handle(request) {
        const { fromFile: from = '', toFile: to = '', overwrite = false } = request.body
        const given: FileRequest = { operation: 'move', from, to, overwrite }
        return carryOut(request, given, (done) => ({ status: 201, body: transferBody(done) }))
      },
    }),
    route({
      method: 'DELETE',
      path: '/v4/filedelete',
      switch: 'fileDelete',
      scope: 'file:write',
      butler: true,
      action: 'file.delete',
      summary: 'Delete a file',
      description: 'The path must lie in one of `Butler.fileDeleteApprovedDirectories`.',
      query: TRANSFER_QUERY,
      body: DELETE_BODY,
      answers: () => ({ 200: DELETED(), 202: ACCEPTED(), 204: z.void().describe('Deleted.'), ...REFUSED }),
      examples: [{ name: 'file', body: { deleteFile: 'archive/old.qvd' }, status: 204 }],
      legacyErrors: (error) => asRefusal('delete', error),
      handle(request) {
        const { deleteFile: from = '', recursive = false } = request.body
        return carryOut(request, { operation: 'delete', from, recursive }, () => ({ status: 204, body: null }))
      },
    }),
    ...DIRECTORY_ENDPOINTS.map(({ operation, switch: name, example, ...described }) =>
      route({
        ...described,
        method: 'POST',
        path: `/v4/${operation}`,
        switch: name,
        scope: 'file:write',
        butler: true,
        action: `file.${operation}`,
        query: DRY_RUN_QUERY,
        body: DIRECTORY_BODY,
        answers: () => ({ 200: CREATED(), 201: CREATED(), ...REFUSED }),
        examples: [{ name: 'directory', body: { directory: example }, status: 201, answer: { directory: example } }],
        legacyErrors: (error) => asRefusal(operation, error),
        handle(request) {
          const { directory = '' } = request.body
          // Answered as it was sent.
          const answer: OperationAnswer = (done) => ({ status: 201, body: { directory: pathsOf(done)[0] } })
          return carryOut(request, { operation, directory }, answer)
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

function accept(jobId: string | null): Response {
  if (jobId) return jsonAnswer(202, { jobId }, { location: `/v4/filejobs/${jobId}` })
  throw refusal('QUEUE_FULL', 'Wait until some of those under way have ended.', { error: 'Too many file jobs' })
}

function transferBody(request: FileRequest): object {
  if (request.operation !== 'copy' && request.operation !== 'move') return {}
  const { from, to, overwrite } = request
  const body = { fromFile: normalText(from), toFile: normalText(to), overwrite }
  return request.operation === 'copy' ? { ...body, preserveTimestamp: request.preserveTimestamp } : body
}

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

const EXAMPLE_JOB = {
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
} as const

/** `/v4/filejobs`: operations that callers do not wait for. `endpoint`: the switch of an operation that is on. */
export function fileJobRoutes(jobs: FileJobs, { switch: key }: { readonly switch: string }): ApiRoute[] {
  const path = '/v4/filejobs/{jobId}'
  return [
    route({
      method: 'GET',
      path: '/v4/filejobs',
      switch: key,
      scope: 'file:write',
      summary: 'List the file jobs',
      description: 'Newest first. Jobs that have ended are kept for an hour.',
      query: JOBS_QUERY,
      answers: () => ({ 200: JOBS().describe('The jobs.') }),
      examples: [{ name: 'all', status: 200, answer: { fileJobs: [EXAMPLE_JOB], nextCursor: null } }],
      handle({ query: { limit = DEFAULT_LIMIT, cursor } }) {
        const [after] = keyInCursor(cursor, 1) ?? []
        const found = jobs.list().filter(({ jobId }) => after === undefined || jobId < after)
        const page = found.slice(0, limit)
        const last = page.at(-1)
        const nextCursor = last && found.length > limit ? keyCursorOf([last.jobId]) : null
        return jsonAnswer(200, { fileJobs: page, nextCursor })
      },
    }),
    route({
      method: 'GET',
      path,
      switch: key,
      scope: 'file:write',
      summary: 'Show the progress of a file job',
      params: JOB_PARAMS,
      query: NO_QUERY,
      answers: () => ({ 200: JOB().describe('The job.') }),
      handle({ params: { jobId } }) {
        const job = jobs.get(jobId)
        if (!job) throw notFound(jobId)
        return jsonAnswer(200, job)
      },
    }),
    route({
      method: 'DELETE',
      path,
      switch: key,
      scope: 'file:write',
      action: 'filejob.cancel',
      summary: 'Cancel a file job',
      description: 'Answered when the job has ended. A copy leaves no partial file behind.',
      params: JOB_PARAMS,
      answers: () => ({ 204: z.void().describe('Cancelled.'), 409: 'The job has ended already.' }),
      async handle({ params: { jobId } }) {
        const cancelled = await jobs.cancel(jobId)
        if (cancelled === null) throw notFound(jobId)
        if (!cancelled) throw refusal('NOT_CANCELLABLE', `The file job ${jobId} has ended already.`)
        return new Response(null, { status: 204 })
      },
    }),
  ]
}

const notFound = (jobId: string): Refusal =>
  refusal('JOB_NOT_FOUND', `There is no file job ${jobId}. Jobs are kept for an hour after their end.`)
