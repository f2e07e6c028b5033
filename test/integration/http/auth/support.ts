/** The REST server with access control in front of a few endpoints that remember what they did. */
import { createHash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { auditMigrations, auditRoutes, createAudit } from '../../../../src/http/audit.ts'
import type { AccessSettings } from '../../../../src/http/auth/build.ts'
import { createKeyUses, keyUseMigrations } from '../../../../src/http/auth/key-uses.ts'
import { type ApiRoute, jsonAnswer } from '../../../../src/http/endpoint/route.ts'
import { type ApiSettings, createApi } from '../../../../src/http/server.ts'
import { createGroupWriter } from '../../../../src/platform/group-commit.ts'
import { openDatabase } from '../../../../src/platform/sqlite.ts'
import { type RawAnswer, rawHttp } from '../../../support/raw-http.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { type TempDirectory, tempDirectory } from '../../../support/temp.ts'

export const NO_ACCESS: AccessSettings = {
  enable: false,
  keys: [],
  anonymous: { scopes: [] },
  allowFrom: [],
  auditKeyValues: false,
}

export interface TestKey {
  readonly key: string
  readonly hash: string
}

/** Made by the rules of the documentation, not by the product. */
export function makeKey(): TestKey {
  const key = `fm_${randomBytes(32).toString('base64url')}`
  return { key, hash: `sha256:${createHash('sha256').update(key, 'ascii').digest('hex')}` }
}

export interface AuditRow {
  readonly actor: string
  readonly address: string | null
  readonly action: string
  readonly target: string
  readonly status: number | null
  readonly outcome: string
  readonly request_id: string | null
  readonly detail: string | null
}

export interface AccessApiOptions {
  readonly access?: Partial<AccessSettings>
  readonly routes?: readonly ApiRoute[]
  readonly settings?: Partial<ApiSettings>
  readonly api?: Partial<ApiSettings['api']>
  readonly tls?: Partial<ApiSettings['restServerConfig']['tls']>
  readonly now?: () => number
  readonly readFile?: (path: string) => Promise<string>
  /** Kept by the caller; default a new one. */
  readonly directory?: TempDirectory
}

export type AccessApi = Awaited<ReturnType<typeof accessApi>>

/** Access control is on unless `access.enable` says otherwise. */
export async function accessApi(options: AccessApiOptions = {}) {
  const directory = options.directory ?? tempDirectory()
  const removeDirectory = () => {
    if (!options.directory) directory.remove()
  }
  const log = recordingLog()
  const clock = { now: options.now ?? Date.now }
  const db = openDatabase(directory.join('footman.db'), {
    migrations: [...auditMigrations, ...keyUseMigrations],
    synchronous: 'NORMAL',
  })
  const writer = createGroupWriter(db)
  const effects: string[] = []
  const keyUses = createKeyUses({ db, writer, clock, node: 'fm1' })
  const api = createApi(
    {
      log,
      clock,
      version: '1.2.3',
      readFile: options.readFile ?? ((path) => readFile(path, 'utf8')),
      routes: [...(options.routes ?? sampleRoutes(effects)), ...auditRoutes({ db, clock, alone: true })],
      health: () => ({ healthy: true, checks: { rest: 'up' } }),
      audit: createAudit({ writer, clock, log, node: 'fm1' }),
      keyUses,
      dataDirectory: directory.path,
    },
    {
      restServerConfig: {
        enable: true,
        serverHost: '127.0.0.1',
        serverPort: 0,
        tls: { enable: false, cert: '', key: '', ca: '', ...options.tls },
      },
      restServerEndpointsEnable: { butlerping: true, sample: true, senseStartTask: true, off: false },
      api: { rateLimitPerMinute: 0, trustedProxies: [], ...options.api },
      access: { ...NO_ACCESS, enable: true, ...options.access },
      accessLog: true,
      ...options.settings,
    },
  )
  await api.start().catch((error: unknown) => {
    db.close()
    removeDirectory()
    throw error
  })

  return {
    log,
    effects,
    directory,
    get port() {
      return api.port
    },
    call(method: string, path: string, headers: Record<string, string> = {}, body?: unknown): Promise<RawAnswer> {
      const type: Record<string, string> = body === undefined ? {} : { 'Content-Type': 'application/json' }
      return rawHttp(api.port, {
        method,
        path,
        headers: { ...type, ...headers },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
    },
    /** Last uses as the disk has them, oldest first. */
    async storedUses() {
      await writer.flush()
      return db
        .all<{ key_id: string; used_at: number; address: string }>('SELECT * FROM key_use ORDER BY used_at')
        .map((row) => [row.key_id, row.used_at, row.address])
    },
    /** What the table holds, in order of arrival. */
    async audit(): Promise<AuditRow[]> {
      await writer.flush()
      return db.all<AuditRow>('SELECT * FROM audit ORDER BY id').map((row) => ({ ...row }))
    },
    async [Symbol.asyncDispose]() {
      await api.stop(500)
      for (const service of keyUses.services) await service.stop(500)
      await writer.flush()
      db.close()
      removeDirectory()
    },
  }
}

/** One endpoint of each kind; every call that gets through leaves a line in `effects`. */
export function sampleRoutes(effects: string[]): ApiRoute[] {
  const route = (
    methods: ApiRoute['methods'],
    path: string,
    scope: string | undefined,
    more: Partial<ApiRoute> = {},
  ): ApiRoute => ({
    methods,
    path,
    switch: 'sample',
    ...(more.switch !== null && { butler: true }),
    summary: path,
    ...(scope !== undefined && { scope }),
    handle: ({ url, method, caller, params }) => {
      effects.push(`${method} ${url}`)
      return jsonAnswer(200, { actor: caller.actor, params })
    },
    ...more,
  })
  return [
    route(['POST', 'PUT'], '/v4/run', 'task:run', { action: 'task.start' }),
    route(['PUT'], '/v4/filecopy', 'file:write'),
    route(['GET'], '/v4/tasks', 'task:read', { switch: null }),
    route(['GET'], '/v4/dump/{appId}', 'app:read', { action: 'app.dump', audited: 'always' }),
    route(['GET'], '/v4/keyvalues/{namespace}', 'kv:read'),
    route(['POST'], '/v4/keyvalues/{namespace}', 'kv:write', { action: 'kv.set', audited: 'single' }),
    route(['GET'], '/v4/secret', 'admin', { switch: null }),
    route(['GET'], '/v4/open', undefined),
    route(['PUT'], '/v4/disabled', 'task:run', { switch: 'off' }),
  ]
}

export const bearer = (credential: string): Record<string, string> => ({ Authorization: `Bearer ${credential}` })
