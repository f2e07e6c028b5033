import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { type ApiRoute, jsonAnswer } from '../../../src/http/endpoint/route.ts'
import { field, validate } from '../../../src/http/endpoint/validation.ts'
import type { BodyBudget } from '../../../src/http/middleware/body.ts'
import { type ApiDeps, type ApiSettings, createApi } from '../../../src/http/server.ts'
import type { HealthReport } from '../../../src/http/system.ts'
import { recordingLog } from '../../support/recording-log.ts'

export interface ApiOptions {
  readonly settings?: Partial<ApiSettings>
  readonly switches?: ApiSettings['restServerEndpointsEnable']
  readonly routes?: readonly ApiRoute[]
  readonly now?: () => number
  readonly health?: () => HealthReport
  readonly tls?: Partial<ApiSettings['restServerConfig']['tls']>
  readonly port?: number
  readonly bodyBudget?: BodyBudget
  readonly host?: string
  readonly pages?: ApiDeps['pages']
}

export function makeApi(options: ApiOptions = {}) {
  const log = recordingLog()
  const api = createApi(
    {
      log,
      clock: { now: options.now ?? Date.now },
      version: '1.2.3',
      readFile: (path) => readFile(path, 'utf8'),
      routes: options.routes ?? sampleRoutes,
      ...(options.bodyBudget && { bodyBudget: options.bodyBudget }),
      health: options.health ?? (() => ({ healthy: true, checks: { rest: 'up' } })),
      ...(options.pages && { pages: options.pages }),
    },
    {
      restServerConfig: {
        enable: true,
        serverHost: options.host ?? '127.0.0.1',
        serverPort: options.port ?? 0,
        tls: { enable: false, cert: '', key: '', ca: '', ...options.tls },
      },
      restServerEndpointsEnable: options.switches ?? ALL_ON,
      api: { rateLimitPerMinute: 6000, trustedProxies: [] },
      accessLog: true,
      ...options.settings,
    },
  )
  return { api, log }
}

export const ALL_ON = { butlerping: true, apiListEnabledEndpoints: true, sample: true, group: { inner: true } }

const COPY = z.looseObject({
  fromFile: field.string(),
  toFile: field.string(),
  overwrite: field.boolean().optional(),
})

/** Endpoints with every kind of input. */
export const sampleRoutes: ApiRoute[] = [
  {
    methods: ['PUT'],
    path: '/v4/copy',
    switch: 'sample',
    summary: 'PUT only',
    handle: ({ body }) => jsonAnswer(201, validate('body', COPY, body)),
  },
  {
    methods: ['GET'],
    path: '/v4/values/{namespace}',
    switch: 'sample',
    summary: 'parameter and query',
    handle: ({ params, query, method }) => jsonAnswer(200, { ...params, ...query, method }),
  },
  {
    methods: ['GET'],
    path: '/v4/values/all',
    switch: 'group.inner',
    summary: 'a fixed segment beside a parameter',
    handle: () => jsonAnswer(200, 'fixed'),
  },
  {
    methods: ['POST'],
    path: '/v4/values/{namespace}',
    switch: 'sample',
    summary: 'POST',
    handle: ({ body }) => jsonAnswer(201, { body: body ?? 'none' }),
  },
  {
    methods: ['DELETE'],
    path: '/v4/values/{namespace}',
    switch: 'sample',
    summary: 'DELETE',
    handle: () => new Response(null, { status: 204 }),
  },
  {
    methods: ['GET'],
    path: '/v4/broken',
    switch: 'sample',
    summary: 'a fault',
    async handle() {
      throw new Error('boom')
    },
  },
]
