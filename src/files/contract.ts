/** The contracts of the file operations and of file jobs. */
import { z } from 'zod'
import { contract, type Shape, shape } from '../http/endpoint/contract.ts'
import { LIST_PARAMETERS, NO_QUERY } from '../http/endpoint/list-query.ts'
import { field } from '../http/endpoint/validation.ts'

/** Refusals of every operation. */
const REFUSED = {
  403: 'A path lies outside the approved directories, or a link leads out of them.',
  409: 'An existing file or directory stands in the way; `details` names it.',
  503: 'Footman is about to stop.',
} as const

const FROM = 'Path on the machine of Footman, with / or \\.'
const TO = 'The new file or directory; what is missing above it is made.'

const dryRunQuery = () =>
  z.object({
    dryRun: field.boolean().describe('Check everything, report what would happen, and change nothing.').optional(),
  })

const transferQuery = () =>
  dryRunQuery().extend({
    async: field.boolean().describe('Answer 202 with a job at once, and carry it out later.').optional(),
  })

/** Members of the answer to a dry run. */
const dryRun = () => ({
  dryRun: z.literal(true),
  files: z.int().describe('Files that would be copied, moved or deleted.'),
  bytes: z.int(),
  wouldOverwrite: z.array(z.string()).describe('Files that would be replaced; the first 1,000.'),
})

const accepted = () => z.strictObject({ jobId: z.string() }).describe('The job.')

const moved = () => z.strictObject({ fromFile: z.string(), toFile: z.string(), overwrite: z.boolean() })
const copied = () =>
  moved().extend({
    preserveTimestamp: z.boolean(),
    copied: z.boolean().describe('False: the target exists, and stays.'),
  })

export const COPY_FILE = contract({
  method: 'PUT',
  path: '/v4/filecopy',
  query: transferQuery,
  body: () =>
    field.object({
      fromFile: field.string().describe(`File or directory. ${FROM}`).optional(),
      toFile: field.string().describe(TO).optional(),
      overwrite: field.boolean().describe('Replace files that exist; else they stay.').optional(),
      preserveTimestamp: field.boolean().describe('Keep the times of the files.').optional(),
    }),
  answers: () => ({ 200: copied().extend(dryRun()), 201: copied(), 202: accepted(), ...REFUSED }),
})

export const MOVE_FILE = contract({
  method: 'PUT',
  path: '/v4/filemove',
  query: transferQuery,
  body: () =>
    field.object({
      fromFile: field.string().describe(`File or directory. ${FROM}`).optional(),
      toFile: field.string().describe(TO).optional(),
      overwrite: field.boolean().describe('Replace what exists; else the answer is 409.').optional(),
    }),
  answers: () => ({ 200: moved().extend(dryRun()), 201: moved(), 202: accepted(), ...REFUSED }),
})

export const DELETE_FILE = contract({
  method: 'DELETE',
  path: '/v4/filedelete',
  query: transferQuery,
  body: () =>
    field.object({
      deleteFile: field.string().describe(`File, or directory with \`recursive\`. ${FROM}`).optional(),
      recursive: field.boolean().describe('Delete a directory with all that is in it.').optional(),
    }),
  answers: () => ({
    200: z.strictObject(dryRun()),
    202: accepted(),
    204: z.void().describe('Deleted.'),
    ...REFUSED,
  }),
})

/** Both ways to make a directory; the name of the operation is the path. */
export const CREATE_DIRECTORY = contract({
  method: 'POST',
  path: '/v4/createdir',
  query: dryRunQuery,
  body: () => field.object({ directory: field.string().describe('With all that is missing above it.').optional() }),
  answers: () => ({
    200: z.strictObject({ directory: z.string(), ...dryRun() }),
    201: z.strictObject({ directory: z.string() }),
    ...REFUSED,
  }),
})

const job = shape('FileJob', () =>
  z.strictObject({
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
/** An operation that its caller does not wait for. */
export type FileJob = Shape<typeof job>

export const FILE_JOBS = contract({
  method: 'GET',
  path: '/v4/filejobs',
  query: () => z.object({ limit: LIST_PARAMETERS.limit, cursor: LIST_PARAMETERS.cursor }),
  answers: () => ({
    200: z.strictObject({ fileJobs: z.array(job()), nextCursor: z.string().nullable() }).describe('The jobs.'),
  }),
})

const params = () => z.object({ jobId: z.string().describe('As a call with `async=true` has answered.') })

export const FILE_JOB = contract({
  method: 'GET',
  path: '/v4/filejobs/{jobId}',
  params,
  query: NO_QUERY,
  answers: () => ({ 200: job().describe('The job.') }),
})

export const CANCEL_FILE_JOB = contract({
  method: 'DELETE',
  path: '/v4/filejobs/{jobId}',
  params,
  answers: () => ({ 204: z.void().describe('Cancelled.'), 409: 'The job has ended already.' }),
})
