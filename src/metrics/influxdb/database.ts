/** Makes the database or bucket where it is missing and Footman may. Best effort: points wait as long as it takes. */

import { type BackoffSettings, backoffDelay } from '../../platform/backoff.ts'
import { errorText } from '../../platform/errors.ts'
import { type HttpResponse, jsonOf } from '../../platform/http-client.ts'
import type { Logger, Service } from '../../platform/types.ts'
import type { InfluxDbConfig } from '../config.ts'
import { createExplanation, type InfluxConnection, query } from './connection.ts'

type DatabaseConfig = Pick<InfluxDbConfig, 'version' | 'v1Config' | 'v2Config' | 'v3Config'>

/** Any of them is the end of it; `refused` too, as another try would be refused as well. */
type Result = 'made' | 'exists' | 'refused'

/** Rejects when there is no answer. */
type Ask = (
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
) => Promise<HttpResponse>

interface Context {
  readonly log: Logger
  readonly explain: (response: HttpResponse) => string
  /** The database has been made, its retention policy not yet. */
  policyPending: boolean
}

export interface DatabaseDeps {
  readonly connection: InfluxConnection
  readonly log: Logger
  /** Resolves when no write is under way. */
  readonly quiet: () => Promise<unknown>
}

export interface DatabaseMaker extends Service {
  /** True when it is there now, so that points can leave soon. Never rejects; several calls at once are one. */
  make(): Promise<boolean>
  /**
   * Resolves when no search for the database and no making of it is under way: what is written between the making of a database and that of its retention
   * policy would be kept under another policy, where no dashboard finds it.
   */
  idle(): Promise<void>
}

const RETRY: BackoffSettings = { firstMs: 5000, maxMs: 300_000 }

export function createDatabaseMaker(
  { connection, log, quiet }: DatabaseDeps,
  config: DatabaseConfig,
  retry = RETRY,
): DatabaseMaker {
  const context: Context = { log, explain: createExplanation(connection.target.secrets), policyPending: false }
  const stopping = new AbortController()
  let searching: Promise<Result | null> | null = null
  let timer: ReturnType<typeof setTimeout> | undefined
  let lastProblem = ''

  const ask: Ask = (method, path, body, headers) =>
    connection.request({
      method,
      path,
      signal: stopping.signal,
      headers: { ...(body !== undefined && { 'Content-Type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })

  /** Null when it has to be tried again. */
  function search(): Promise<Result | null> {
    searching ??= quiet()
      .then(() => ensureDatabase(ask, config, context))
      .then(
        (result) => {
          lastProblem = ''
          return result
        },
        (error: unknown) => {
          complain(errorText(error))
          return null
        },
      )
      .finally(() => {
        searching = null
      })
    return searching
  }

  /** The same problem is logged once. */
  function complain(problem: string): void {
    if (problem !== lastProblem && !stopping.signal.aborted) log.error(problem)
    lastProblem = problem
  }

  async function untilFound(attempt: number): Promise<void> {
    const result = await search()
    if (result !== null || stopping.signal.aborted) return
    timer = setTimeout(() => void untilFound(attempt + 1), backoffDelay(attempt, retry))
  }

  return {
    name: 'InfluxDB database',
    async make() {
      const result = await search()
      return result === 'made' || result === 'exists'
    },
    async idle() {
      while (searching) await searching
    },
    async start() {
      void untilFound(1)
    },
    async stop() {
      stopping.abort()
      clearTimeout(timer)
    },
  }
}

const GENERATIONS: {
  readonly [version in 1 | 2 | 3]: (ask: Ask, config: DatabaseConfig, context: Context) => Promise<Result>
} = { 1: version1, 2: version2, 3: version3 }

/** Rejects, with the text for the log, when it is worth another try. */
function ensureDatabase(ask: Ask, config: DatabaseConfig, context: Context): Promise<Result> {
  return GENERATIONS[config.version](ask, config, context)
}

/** InfluxDB 1 answers 200 with an error inside. */
function influxQlError(response: HttpResponse, { explain }: Context): string | null {
  const { results } = jsonOf(response) as { results?: readonly { error?: string }[] }
  const inside = results?.find(({ error }) => error)?.error
  if (inside) return inside
  return response.status < 300 ? null : `HTTP ${response.status} ${explain(response)}`.trim()
}

async function version1(ask: Ask, { v1Config }: DatabaseConfig, context: Context): Promise<Result> {
  const { dbName, retentionPolicy } = v1Config
  const { log } = context
  /** Rejects when there is no answer; the result is what the server has against it. */
  const statement = async (method: 'GET' | 'POST', q: string, problem: string) => {
    const response = await ask(method, `/query?${query({ q })}`).catch((error: Error) => {
      throw new Error(`${problem} ${error.message}`)
    })
    const error = influxQlError(response, context)
    return { response, error: error && `${problem} ${error}` }
  }

  if (!context.policyPending) {
    const listed = await statement('GET', 'show databases', 'CONFIG: Error getting list of InfluxDB databases!')
    if (listed.error) throw new Error(listed.error)
    if (databasesOf(listed.response).includes(dbName)) {
      log.info(`CONFIG: Found InfluxDB database: ${dbName}`)
      return 'exists'
    }
    const creating = `CONFIG: Error creating new InfluxDB database "${dbName}"!`
    const created = await statement('POST', `create database ${quoted(dbName)}`, creating)
    if (created.error) throw new Error(created.error)
    log.info(`CONFIG: Created new InfluxDB database: ${dbName}`)
  }
  context.policyPending = true
  const { name, duration } = retentionPolicy
  const policy = `create retention policy ${quoted(name)} on ${quoted(dbName)} duration ${duration} replication 1 default`
  const made = await statement('POST', policy, `CONFIG: Error creating new InfluxDB retention policy "${name}"!`)
  context.policyPending = false
  if (made.error) log.error(`${made.error}. Points are kept for ever`)
  else log.info(`CONFIG: Created new InfluxDB retention policy: ${name}`)
  return 'made'
}

function databasesOf(response: HttpResponse): readonly unknown[] {
  const { results } = jsonOf(response) as { results?: readonly { series?: readonly { values?: unknown[][] }[] }[] }
  return results?.[0]?.series?.[0]?.values?.map(([name]) => name) ?? []
}

const quoted = (name: string) => `"${name.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`

async function version2(ask: Ask, { v2Config }: DatabaseConfig, context: Context): Promise<Result> {
  const { org, bucket, description, retentionDuration } = v2Config
  const buckets = await answered(ask, 'GET', `/api/v2/buckets?${query({ name: bucket, org })}`)
  if (buckets.status === 200 && listOf(buckets, 'buckets').length > 0) {
    context.log.info(`CONFIG: Using InfluxDB v2 bucket "${bucket}" in org "${org}"`)
    return 'exists'
  }
  const refusal = (response: HttpResponse) => {
    context.log.info(
      `CONFIG: InfluxDB v2 bucket "${bucket}" in org "${org}" must exist; this token may not look for it or make it (HTTP ${response.status} ${context.explain(response)})`.replace(
        / \)$/,
        ')',
      ),
    )
    return 'refused' as const
  }
  // Some versions answer "not found" instead of with an empty list.
  if (buckets.status !== 200 && buckets.status !== 404) return refusal(buckets)
  const orgs = await answered(ask, 'GET', `/api/v2/orgs?${query({ org })}`)
  const orgID = (listOf(orgs, 'orgs')[0] as { id?: string } | undefined)?.id
  if (!orgID) return refusal(orgs)
  const seconds = retentionOf(retentionDuration, 'v2Config', context.log)
  const retentionRules = seconds > 0 ? [{ type: 'expire', everySeconds: seconds }] : []
  const made = await answered(ask, 'POST', '/api/v2/buckets', { orgID, name: bucket, description, retentionRules })
  if (made.status !== 201 && made.status !== 200) return refusal(made)
  context.log.info(`CONFIG: Created new InfluxDB v2 bucket "${bucket}" in org "${org}"`)
  return 'made'
}

function listOf(response: HttpResponse, name: string): readonly unknown[] {
  const list = jsonOf(response)[name]
  return Array.isArray(list) ? list : []
}

async function version3(ask: Ask, { v3Config }: DatabaseConfig, context: Context): Promise<Result> {
  const { database, retentionDuration, token } = v3Config
  const seconds = retentionOf(retentionDuration, 'v3Config', context.log)
  const body = { db: database, ...(seconds > 0 && { retention_period: retentionDuration.trim() }) }
  const response = await answered(ask, 'POST', '/api/v3/configure/database', body, { Authorization: `Bearer ${token}` })
  if (response.status < 300) {
    context.log.info(`CONFIG: Created new InfluxDB v3 database: ${database}`)
    return 'made'
  }
  if (response.status === 409) {
    context.log.info(`CONFIG: Found InfluxDB v3 database: ${database}`)
    return 'exists'
  }
  context.log.info(
    `CONFIG: InfluxDB v3 database "${database}" must exist, or is made with the first point and keeps all of them; this token may not make it (HTTP ${response.status})`,
  )
  return 'refused'
}

/** Rejects when the server is not there or not well. */
async function answered(ask: Ask, ...request: Parameters<Ask>): Promise<HttpResponse> {
  const problem = 'CONFIG: InfluxDB cannot be asked for its database!'
  const response = await ask(...request).catch((error: Error) => {
    throw new Error(`${problem} ${error.message}`)
  })
  if (response.status >= 500 || response.status === 429) throw new Error(`${problem} HTTP ${response.status}`)
  return response
}

function retentionOf(text: string, section: string, log: Logger): number {
  const seconds = retentionSeconds(text)
  if (seconds === null) {
    log.warn(
      `CONFIG: Butler.influxDb.${section}.retentionDuration is no time like 10d, 1d12h or INF: "${text}"; points are kept for ever`,
    )
  }
  return seconds ?? 0
}

const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-9,
  u: 1e-6,
  µ: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
}
const PART = /(\d+)(ns|ms|[uµsmhdw])/gy

/** Whole seconds, 0 = for ever; null when the text is no such time. */
export function retentionSeconds(text: string): number | null {
  const trimmed = text.trim()
  if (/^inf$/i.test(trimmed)) return 0
  let seconds = 0
  let end = 0
  for (const [part, count, unit] of trimmed.matchAll(PART)) {
    seconds += Number(count) * UNITS[unit!]!
    end += part.length
  }
  return end > 0 && end === trimmed.length ? Math.ceil(seconds) : null
}
