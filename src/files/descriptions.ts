/** Calls of the file operations, for the description of the API. The examples stand on relative paths. */
import { z } from 'zod'
import type { RouteDescription } from '../http/endpoint/description.ts'
import { LIST_PARAMETERS } from '../http/endpoint/list-schemas.ts'
import { field } from '../http/endpoint/validation.ts'

type Description = Pick<RouteDescription, 'summary' | 'description' | 'failures' | 'examples'>

const PATH_TEXT = 'Path on the machine of Footman, with / or \\.'

export const COPY_BODY = field.object({
  fromFile: field.string().describe(`File or directory. ${PATH_TEXT}`).optional(),
  toFile: field.string().describe('The new file or directory; what is missing above it is made.').optional(),
  overwrite: field.boolean().describe('Replace files that exist; else they stay.').optional(),
  preserveTimestamp: field.boolean().describe('Keep the times of the files.').optional(),
})

export const MOVE_BODY = field.object({
  fromFile: field.string().describe(`File or directory. ${PATH_TEXT}`).optional(),
  toFile: field.string().describe('The new file or directory; what is missing above it is made.').optional(),
  overwrite: field.boolean().describe('Replace what exists; else the answer is 409.').optional(),
})

export const DELETE_BODY = field.object({
  deleteFile: field.string().describe(`File, or directory with \`recursive\`. ${PATH_TEXT}`).optional(),
  recursive: field.boolean().describe('Delete a directory with all that is in it.').optional(),
})

export const DIRECTORY_BODY = field.object({
  directory: field.string().describe('With all that is missing above it.').optional(),
})

export const DRY_RUN_QUERY = z.object({
  dryRun: field.boolean().describe('Check everything, tell what would happen, and change nothing.').optional(),
})

export const TRANSFER_QUERY = DRY_RUN_QUERY.extend({
  async: field.boolean().describe('Answer 202 with a job at once, and carry it out later.').optional(),
})

const DRY_RUN = {
  dryRun: z.boolean().optional(),
  files: z.int().describe('Files that would be copied, moved or deleted.').optional(),
  bytes: z.int().optional(),
  wouldOverwrite: z.array(z.string()).describe('Files that would be replaced; the first 1,000.').optional(),
}

export const ACCEPTED = z.object({ jobId: z.string() }).describe('The job.')

export const COPIED = z.object({
  ...{ fromFile: z.string(), toFile: z.string(), overwrite: z.boolean(), preserveTimestamp: z.boolean() },
  copied: z.boolean().describe('False: the target exists, and stays.'),
  ...DRY_RUN,
})
export const MOVED = z.object({ fromFile: z.string(), toFile: z.string(), overwrite: z.boolean(), ...DRY_RUN })
export const DELETED = z.object(DRY_RUN)
export const CREATED = z.object({ directory: z.string(), ...DRY_RUN })

export const JOB = z.object({
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
export const JOBS = z.object({ fileJobs: z.array(JOB), nextCursor: z.string().nullable() })
export const JOBS_QUERY = z.object({ limit: LIST_PARAMETERS.limit, cursor: LIST_PARAMETERS.cursor })
export const JOB_PARAMS = z.object({ jobId: z.string().describe('As a call with `async=true` has answered.') })

const APPROVED = 'A path lies outside the approved directories, or a link leads out of them.'
const IN_THE_WAY = 'What is there already stands in the way; `details` says what.'
const FAILURES = { 403: APPROVED, 409: IN_THE_WAY, 503: 'Footman is about to stop.' } as const

const copyOf = (name: string) => ({
  ...{ fromFile: 'qvd/sales.qvd', toFile: `archive/${name}`, overwrite: true, preserveTimestamp: true },
})

export const COPY: Description = {
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
}

const MOVE_EXAMPLE = { fromFile: 'landing/orders.qvd', toFile: 'qvd/orders.qvd', overwrite: false }

export const MOVE: Description = {
  summary: 'Move a file or a directory',
  description:
    'Both paths must lie in the directories of one entry of `Butler.fileMoveApprovedDirectories`. Works across file systems.',
  failures: FAILURES,
  examples: [{ name: 'file', body: MOVE_EXAMPLE, status: 201, answer: MOVE_EXAMPLE }],
}

export const DELETE: Description = {
  summary: 'Delete a file',
  description: 'The path must lie in one of `Butler.fileDeleteApprovedDirectories`.',
  failures: FAILURES,
  examples: [{ name: 'file', body: { deleteFile: 'archive/old.qvd' }, status: 204 }],
}

export const CREATE: Description = {
  summary: 'Make a directory',
  description:
    'In `Butler.footman.files.createDirApprovedDirectories`; without that list in any approved directory and in `Butler.configDirectories.qvdPath`, or anywhere with `Butler.footman.compatibility: butler`. A directory that exists is a success.',
  failures: FAILURES,
  examples: [
    {
      name: 'directory',
      body: { directory: 'archive/2026/10' },
      status: 201,
      answer: { directory: 'archive/2026/10' },
    },
  ],
}

export const CREATE_QVD: Description = {
  summary: 'Make a directory in the QVD folder',
  description: 'The path counts from `Butler.configDirectories.qvdPath`.',
  failures: FAILURES,
  examples: [{ name: 'directory', body: { directory: '2026/10' }, status: 201, answer: { directory: '2026/10' } }],
}

const EXAMPLE_JOB = {
  jobId: '019cad58-bd80-7e8c-9902-207afaeb7120',
  ...{ operation: 'copy', from: '/data1/big.qvd', to: '/data2/big.qvd', state: 'running' },
  ...{ files: 1, filesDone: 0, bytes: 21_474_836_480, bytesDone: 5_368_709_120, bytesPerSecond: 209_715_200 },
  ...{ startedAt: '2026-03-02T07:00:00.000Z', finishedAt: null, error: null },
} as const

export const LIST_JOBS: Description = {
  summary: 'List the file jobs',
  description: 'Newest first. Jobs that have ended are kept for an hour.',
  examples: [{ name: 'all', status: 200, answer: { fileJobs: [EXAMPLE_JOB], nextCursor: null } }],
}

export const READ_JOB: Description = {
  summary: 'Tell how far a file job has come',
}

export const CANCEL_JOB: Description = {
  summary: 'Cancel a file job',
  description: 'Answered when the job has ended. A copy leaves no partial file behind.',
  failures: { 409: 'The job has ended already.' },
}
