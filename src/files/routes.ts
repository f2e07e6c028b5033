/** Copy, move, delete and the two ways to make a directory. */
import { z } from 'zod'
import { refusedWithCode } from '../http/endpoint/errors.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer } from '../http/endpoint/route.ts'
import { validate } from '../http/endpoint/validation.ts'
import * as about from './descriptions.ts'
import type { FileJobs } from './jobs/jobs.ts'
import type { FileOperations } from './operations/operations.ts'
import { normalText } from './paths/resolve.ts'
import { asRefusal } from './refusals.ts'
import { pathsOf } from './texts.ts'
import { FileRefusal, type FileRequest } from './types.ts'

export interface FileRouteDeps {
  readonly operations: FileOperations
  readonly jobs: FileJobs
}

export interface FileRouteSettings {
  /** Nothing is changed. */
  readonly shadow: boolean
}

/** One operation as an endpoint. */
interface Endpoint {
  readonly route: Omit<ApiRoute, 'handle' | 'scope'>
  /** The request in the body; paths may be empty. */
  readonly read: (body: unknown) => FileRequest
  /** The answer to a request that was carried out. */
  readonly answer: (request: FileRequest, changed: boolean) => { readonly status: number; readonly body: object | null }
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
  const options = validate('querystring', about.TRANSFER_QUERY, request.query)
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

const NO_CONTENT = z.void().describe('Deleted.')

const ENDPOINTS: readonly Endpoint[] = [
  {
    route: {
      methods: ['PUT'],
      path: '/v4/filecopy',
      endpoint: 'fileCopy',
      butler: true,
      action: 'file.copy',
      ...about.COPY,
      schemas: {
        query: about.TRANSFER_QUERY,
        body: about.COPY_BODY,
        responses: { 200: about.COPIED, 201: about.COPIED, 202: about.ACCEPTED },
      },
    },
    read(body) {
      const { fromFile = '', toFile = '', ...flags } = validate('body', about.COPY_BODY, body)
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
      ...about.MOVE,
      schemas: {
        query: about.TRANSFER_QUERY,
        body: about.MOVE_BODY,
        responses: { 200: about.MOVED, 201: about.MOVED, 202: about.ACCEPTED },
      },
    },
    read(body) {
      const { fromFile = '', toFile = '', overwrite = false } = validate('body', about.MOVE_BODY, body)
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
      ...about.DELETE,
      schemas: {
        query: about.TRANSFER_QUERY,
        body: about.DELETE_BODY,
        responses: { 200: about.DELETED, 202: about.ACCEPTED, 204: NO_CONTENT },
      },
    },
    read(body) {
      const { deleteFile = '', recursive = false } = validate('body', about.DELETE_BODY, body)
      return { operation: 'delete', from: deleteFile, recursive }
    },
    answer: () => ({ status: 204, body: null }),
  },
  ...(['createdir', 'createdirqvd'] as const).map(
    (operation): Endpoint => ({
      route: {
        methods: ['POST'],
        path: `/v4/${operation}`,
        endpoint: operation === 'createdir' ? 'createDir' : 'createDirQVD',
        butler: true,
        action: `file.${operation}`,
        ...(operation === 'createdir' ? about.CREATE : about.CREATE_QVD),
        schemas: {
          query: about.DRY_RUN_QUERY,
          body: about.DIRECTORY_BODY,
          responses: { 200: about.CREATED, 201: about.CREATED },
        },
      },
      read(body) {
        const { directory = '' } = validate('body', about.DIRECTORY_BODY, body)
        return { operation, directory }
      },
      // As it was sent.
      answer: (request) => ({ status: 201, body: { directory: pathsOf(request)[0] } }),
    }),
  ),
]

function transferBody(request: FileRequest): object {
  if (request.operation !== 'copy' && request.operation !== 'move') return {}
  const { from, to, overwrite } = request
  const body = { fromFile: normalText(from), toFile: normalText(to), overwrite }
  return request.operation === 'copy' ? { ...body, preserveTimestamp: request.preserveTimestamp } : body
}
