/**
 * The endpoints of the file operations and of file jobs, which are operations that no call waits for. The examples use
 * relative paths.
 */
import process from 'node:process'
import { z } from 'zod'
import { Refusal, refused, refusedWithCode } from '../http/endpoint/errors.ts'
import { keyCursorOf, keyCursorParameter, limitParameter, onlyParameters } from '../http/endpoint/list-query.ts'
import { LIST_PARAMETERS } from '../http/endpoint/list-schemas.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer } from '../http/endpoint/route.ts'
import { field, validate } from '../http/endpoint/validation.ts'
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

const COPY_BODY = field.object({
  fromFile: field.string().describe(`File or directory. ${PATH_TEXT}`).optional(),
  toFile: field.string().describe('The new file or directory; what is missing above it is made.').optional(),
  overwrite: field.boolean().describe('Replace files that exist; else they stay.').optional(),
  preserveTimestamp: field.boolean().describe('Keep the times of the files.').optional(),
})

const MOVE_BODY = field.object({
  fromFile: field.string().describe(`File or directory. ${PATH_TEXT}`).optional(),
  toFile: field.string().describe('The new file or directory; what is missing above it is made.').optional(),
  overwrite: field.boolean().describe('Replace what exists; else the answer is 409.').optional(),
})

const DELETE_BODY = field.object({
  deleteFile: field.string().describe(`File, or directory with \`recursive\`. ${PATH_TEXT}`).optional(),
  recursive: field.boolean().describe('Delete a directory with all that is in it.').optional(),
})

const DIRECTORY_BODY = field.object({
  directory: field.string().describe('With all that is missing above it.').optional(),
})

const DRY_RUN_QUERY = z.object({
  dryRun: field.boolean().describe('Check everything, tell what would happen, and change nothing.').optional(),
})

const TRANSFER_QUERY = DRY_RUN_QUERY.extend({
  async: field.boolean().describe('Answer 202 with a job at once, and carry it out later.').optional(),
})

const DRY_RUN = {
  dryRun: z.boolean().optional(),
  files: z.int().describe('Files that would be copied, moved or deleted.').optional(),
  bytes: z.int().optional(),
  wouldOverwrite: z.array(z.string()).describe('Files that would be replaced; the first 1,000.').optional(),
}

const ACCEPTED = z.object({ jobId: z.string() }).describe('The job.')

const COPIED = z.object({
  fromFile: z.string(),
  toFile: z.string(),
  overwrite: z.boolean(),
  preserveTimestamp: z.boolean(),
  copied: z.boolean().describe('False: the target exists, and stays.'),
  ...DRY_RUN,
})
const MOVED = z.object({ fromFile: z.string(), toFile: z.string(), overwrite: z.boolean(), ...DRY_RUN })
const DELETED = z.object(DRY_RUN)
const CREATED = z.object({ directory: z.string(), ...DRY_RUN })

const APPROVED = 'A path lies outside the approved directories, or a link leads out of them.'
const IN_THE_WAY = 'What is there already stands in the way; `details` says what.'
const FAILURES = { 403: APPROVED, 409: IN_THE_WAY, 503: 'Footman is about to stop.' } as const

const copyOf = (name: string) => ({
  fromFile: 'qvd/sales.qvd',
  toFile: `archive/${name}`,
  overwrite: true,
  preserveTimestamp: true,
})

const MOVE_EXAMPLE = { fromFile: 'landing/orders.qvd', toFile: 'qvd/orders.qvd', overwrite: false }

/** One operation as an endpoint. */
interface Endpoint {
  readonly route: Omit<ApiRoute, 'handle' | 'scope'>
  /** The request in the body; paths may be empty. */
  readonly read: (body: unknown) => FileRequest
  /** The answer to a request that was carried out. */
  readonly answer: (request: FileRequest, changed: boolean) => { readonly status: number; readonly body: object | null }
}

const NO_CONTENT = z.void().describe('Deleted.')

const ENDPOINTS: readonly Endpoint[] = [
  {
    route: {
      methods: ['PUT'],
      path: '/v4/filecopy',
      endpoint: 'fileCopy',
      butler: true,
      action: 'file.copy',
      summary: 'Copy a file or a directory',
      description:
        'Both paths must lie in the directories of one entry of `Butler.fileCopyApprovedDirectories`. The target is absent, old or whole at any moment. Without `overwrite` an existing target stays, which is a success with `"copied": false`.',
      failures: FAILURES,
      examples: [
        {
          name: 'file',
          body: copyOf('sales.qvd'),
          status: 201,
          answer: { ...copyOf('sales.qvd'), copied: true },
        },
        {
          name: 'dry-run',
          query: { dryRun: 'true' },
          body: copyOf('sales-2.qvd'),
          status: 200,
          answer: { ...copyOf('sales-2.qvd'), copied: true, dryRun: true, files: 1, bytes: 5, wouldOverwrite: [] },
        },
        {
          name: 'later',
          query: { async: 'true' },
          body: copyOf('sales-3.qvd'),
          status: 202,
          answer: { jobId: '019cad58-bd80-7e8c-9902-207afaeb7120' },
        },
      ],
      schemas: {
        query: TRANSFER_QUERY,
        body: COPY_BODY,
        responses: { 200: COPIED, 201: COPIED, 202: ACCEPTED },
      },
    },
    read(body) {
      const { fromFile = '', toFile = '', ...flags } = validate('body', COPY_BODY, body)
      const { overwrite = false, preserveTimestamp = false } = flags
      return { operation: 'copy', from: fromFile, to: toFile, overwrite, preserveTimestamp }
    },
    answer: (request, copied) => ({ status: 201, body: { ...transferBody(request), copied } }),
  },
  {
    route: {
      methods: ['PUT'],
      path: '/v4/filemove',
      endpoint: 'fileMove',
      butler: true,
      action: 'file.move',
      summary: 'Move a file or a directory',
      description:
        'Both paths must lie in the directories of one entry of `Butler.fileMoveApprovedDirectories`. Works across file systems.',
      failures: FAILURES,
      examples: [{ name: 'file', body: MOVE_EXAMPLE, status: 201, answer: MOVE_EXAMPLE }],
      schemas: {
        query: TRANSFER_QUERY,
        body: MOVE_BODY,
        responses: { 200: MOVED, 201: MOVED, 202: ACCEPTED },
      },
    },
    read(body) {
      const { fromFile = '', toFile = '', overwrite = false } = validate('body', MOVE_BODY, body)
      return { operation: 'move', from: fromFile, to: toFile, overwrite }
    },
    answer: (request) => ({ status: 201, body: transferBody(request) }),
  },
  {
    route: {
      methods: ['DELETE'],
      path: '/v4/filedelete',
      endpoint: 'fileDelete',
      butler: true,
      action: 'file.delete',
      body: 'json',
      summary: 'Delete a file',
      description: 'The path must lie in one of `Butler.fileDeleteApprovedDirectories`.',
      failures: FAILURES,
      examples: [{ name: 'file', body: { deleteFile: 'archive/old.qvd' }, status: 204 }],
      schemas: {
        query: TRANSFER_QUERY,
        body: DELETE_BODY,
        responses: { 200: DELETED, 202: ACCEPTED, 204: NO_CONTENT },
      },
    },
    read(body) {
      const { deleteFile = '', recursive = false } = validate('body', DELETE_BODY, body)
      return { operation: 'delete', from: deleteFile, recursive }
    },
    answer: () => ({ status: 204, body: null }),
  },
  createEndpoint('createdir', {
    endpoint: 'createDir',
    summary: 'Make a directory',
    description:
      'In `Butler.footman.files.createDirApprovedDirectories`; without that list in any approved directory and in `Butler.configDirectories.qvdPath`, or anywhere with `Butler.footman.compatibility: butler`. A directory that exists is a success.',
    examples: [
      {
        name: 'directory',
        body: { directory: 'archive/2026/10' },
        status: 201,
        answer: { directory: 'archive/2026/10' },
      },
    ],
  }),
  createEndpoint('createdirqvd', {
    endpoint: 'createDirQVD',
    summary: 'Make a directory in the QVD folder',
    description: 'The path counts from `Butler.configDirectories.qvdPath`.',
    examples: [{ name: 'directory', body: { directory: '2026/10' }, status: 201, answer: { directory: '2026/10' } }],
  }),
]

/** The two ways to make a directory. */
function createEndpoint(
  operation: 'createdir' | 'createdirqvd',
  description: Pick<ApiRoute, 'endpoint' | 'summary' | 'description' | 'examples'>,
): Endpoint {
  return {
    route: {
      methods: ['POST'],
      path: `/v4/${operation}`,
      butler: true,
      action: `file.${operation}`,
      ...description,
      failures: FAILURES,
      schemas: {
        query: DRY_RUN_QUERY,
        body: DIRECTORY_BODY,
        responses: { 200: CREATED, 201: CREATED },
      },
    },
    read(body) {
      const { directory = '' } = validate('body', DIRECTORY_BODY, body)
      return { operation, directory }
    },
    // As it was sent.
    answer: (request) => ({ status: 201, body: { directory: pathsOf(request)[0] } }),
  }
}

function transferBody(request: FileRequest): object {
  if (request.operation !== 'copy' && request.operation !== 'move') return {}
  const { from, to, overwrite } = request
  const body = { fromFile: normalText(from), toFile: normalText(to), overwrite }
  return request.operation === 'copy' ? { ...body, preserveTimestamp: request.preserveTimestamp } : body
}

export function fileRoutes(deps: FileRouteDeps, settings: FileRouteSettings): ApiRoute[] {
  return ENDPOINTS.map(({ route, read, answer }) => ({
    ...route,
    scope: 'file:write',
    async handle(request) {
      const given = read(request.body)
      try {
        return await carryOut(deps, settings, request, given, answer)
      } catch (error) {
        throw asRefusal(given.operation, error)
      }
    },
  }))
}

async function carryOut(
  { operations, jobs }: FileRouteDeps,
  { shadow }: FileRouteSettings,
  request: ApiRequest,
  given: FileRequest,
  answer: Endpoint['answer'],
): Promise<Response> {
  const options = validate('querystring', TRANSFER_QUERY, request.query)
  request.note({ target: pathsOf(given), ...(options.dryRun && { detail: 'dry run' }) })
  if (pathsOf(given).includes('')) throw new FileRefusal({ kind: 'missing' })
  const wanted = await operations.read(given)
  if (options.dryRun) {
    const { changes, ...preview } = await operations.preview(wanted, request.signal)
    return jsonAnswer(200, { ...answer(wanted, changes).body, dryRun: true, ...preview })
  }
  if (shadow) throw shadowRefusal()
  if (options.async && !('directory' in wanted)) return accept(await jobs.enqueue(wanted, request.caller.actor))
  const { changed } = await jobs.run(wanted, request.caller.actor)
  const { status, body } = answer(wanted, changed)
  return body ? jsonAnswer(status, body) : new Response(null, { status })
}

function accept(jobId: string | null): Response {
  if (jobId) return jsonAnswer(202, { jobId }, { location: `/v4/filejobs/${jobId}` })
  throw refusedWithCode(409, 'QUEUE_FULL', 'Too many file jobs', 'Wait until some of those under way have ended.')
}

const shadowRefusal = () =>
  refusedWithCode(409, 'SHADOW_MODE', 'Shadow mode', 'Footman runs in shadow mode, which changes no files.')

/** Windows gives the same code for a file that may not be replaced because another program reads it, such as Qlik Sense a QVD. */
const NOT_ALLOWED = `Footman may not do this: its account has no right to a file or directory${
  process.platform === 'win32' ? ', or another program has the file open' : ''
}.`

/** Errors of the system as hints for the caller. */
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

function asRefusal(operation: FileOperation, error: unknown): Refusal {
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

const JOB = z.object({
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
})
const JOBS = z.object({ fileJobs: z.array(JOB), nextCursor: z.string().nullable() })
const JOBS_QUERY = z.object({ limit: LIST_PARAMETERS.limit, cursor: LIST_PARAMETERS.cursor })
const JOB_PARAMS = z.object({ jobId: z.string().describe('As a call with `async=true` has answered.') })

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

/** `endpoint`: the switch of an operation that is on. */
export function fileJobRoutes(jobs: FileJobs, { endpoint }: { readonly endpoint: string }): ApiRoute[] {
  const common = { endpoint, scope: 'file:write' } as const
  return [
    {
      ...common,
      methods: ['GET'],
      path: '/v4/filejobs',
      summary: 'List the file jobs',
      description: 'Newest first. Jobs that have ended are kept for an hour.',
      examples: [{ name: 'all', status: 200, answer: { fileJobs: [EXAMPLE_JOB], nextCursor: null } }],
      schemas: { query: JOBS_QUERY, responses: { 200: JOBS.describe('The jobs.') } },
      handle: (request) => listJobs(jobs, request),
    },
    {
      ...common,
      methods: ['GET'],
      path: '/v4/filejobs/{jobId}',
      summary: 'Tell how far a file job has come',
      schemas: {
        params: JOB_PARAMS,
        responses: { 200: JOB.describe('The job.') },
      },
      handle({ params: { jobId = '' }, query }) {
        onlyParameters(query, [])
        const job = jobs.get(jobId)
        if (!job) throw noSuchJob(jobId)
        return jsonAnswer(200, job)
      },
    },
    {
      ...common,
      methods: ['DELETE'],
      path: '/v4/filejobs/{jobId}',
      action: 'filejob.cancel',
      summary: 'Cancel a file job',
      description: 'Answered when the job has ended. A copy leaves no partial file behind.',
      failures: { 409: 'The job has ended already.' },
      schemas: {
        params: JOB_PARAMS,
        responses: { 204: z.void().describe('Cancelled.') },
      },
      handle: (request) => cancelJob(jobs, request),
    },
  ]
}

function listJobs(jobs: FileJobs, { query }: ApiRequest): Response {
  onlyParameters(query, Object.keys(JOBS_QUERY.shape))
  const limit = limitParameter(query)
  const [after] = keyCursorParameter(query, 1) ?? []
  const found = jobs.list().filter(({ jobId }) => after === undefined || jobId < after)
  const page = found.slice(0, limit)
  const last = page.at(-1)
  return jsonAnswer(200, {
    fileJobs: page,
    nextCursor: last && found.length > limit ? keyCursorOf([last.jobId]) : null,
  })
}

async function cancelJob(jobs: FileJobs, { params: { jobId = '' } }: ApiRequest): Promise<Response> {
  const cancelled = await jobs.cancel(jobId)
  if (cancelled === null) throw noSuchJob(jobId)
  if (!cancelled) {
    throw refusedWithCode(409, 'NOT_CANCELLABLE', 'Not cancellable', `The file job ${jobId} has ended already.`)
  }
  return new Response(null, { status: 204 })
}

const noSuchJob = (jobId: string): Refusal =>
  refusedWithCode(
    404,
    'JOB_NOT_FOUND',
    'File job not found',
    `There is no file job ${jobId}. Jobs are kept for an hour after their end.`,
  )
