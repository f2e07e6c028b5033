/** How the three generations of InfluxDB are asked for a database, and told to make one. */
import type { HttpResponse } from '../../platform/http-client.ts'
import { jsonOf } from '../../platform/http-json.ts'
import type { Logger } from '../../platform/types.ts'
import type { InfluxDbConfig } from '../config.ts'
import { retentionSeconds } from './retention-time.ts'
import { query } from './target.ts'

export type DatabaseConfig = Pick<InfluxDbConfig, 'version' | 'v1Config' | 'v2Config' | 'v3Config'>

/** Any of them is the end of it; `refused` too, as another try would be refused as well. */
export type Look = 'made' | 'exists' | 'refused'

/** Rejects when there is no answer. */
export type Ask = (
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
) => Promise<HttpResponse>

export interface Say {
  readonly log: Logger
  readonly explain: (response: HttpResponse) => string
  /** The database has been made, its retention policy not yet. */
  policyPending: boolean
}

const GENERATIONS: { readonly [version in 1 | 2 | 3]: (ask: Ask, config: DatabaseConfig, say: Say) => Promise<Look> } =
  { 1: version1, 2: version2, 3: version3 }

/** Rejects, with the text for the log, when it is worth another try. */
export function lookFor(ask: Ask, config: DatabaseConfig, say: Say): Promise<Look> {
  return GENERATIONS[config.version](ask, config, say)
}

/** InfluxDB 1 answers 200 with an error inside. */
function influxQlError(response: HttpResponse, { explain }: Say): string | null {
  const { results } = jsonOf(response) as { results?: readonly { error?: string }[] }
  const inside = results?.find(({ error }) => error)?.error
  if (inside) return inside
  return response.status < 300 ? null : `HTTP ${response.status} ${explain(response)}`.trim()
}

async function version1(ask: Ask, { v1Config }: DatabaseConfig, say: Say): Promise<Look> {
  const { dbName, retentionPolicy } = v1Config
  const { log } = say
  /** Rejects when there is no answer; the result is what the server has against it. */
  const statement = async (method: 'GET' | 'POST', q: string, problem: string) => {
    const response = await ask(method, `/query?${query({ q })}`).catch((error: Error) => {
      throw new Error(`${problem} ${error.message}`)
    })
    const error = influxQlError(response, say)
    return { response, error: error && `${problem} ${error}` }
  }

  if (!say.policyPending) {
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
  say.policyPending = true
  const { name, duration } = retentionPolicy
  const policy = `create retention policy ${quoted(name)} on ${quoted(dbName)} duration ${duration} replication 1 default`
  const made = await statement('POST', policy, `CONFIG: Error creating new InfluxDB retention policy "${name}"!`)
  say.policyPending = false
  if (made.error) log.error(`${made.error}. Points are kept for ever`)
  else log.info(`CONFIG: Created new InfluxDB retention policy: ${name}`)
  return 'made'
}

function databasesOf(response: HttpResponse): readonly unknown[] {
  const { results } = jsonOf(response) as { results?: readonly { series?: readonly { values?: unknown[][] }[] }[] }
  return results?.[0]?.series?.[0]?.values?.map(([name]) => name) ?? []
}

const quoted = (name: string) => `"${name.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`

async function version2(ask: Ask, { v2Config }: DatabaseConfig, say: Say): Promise<Look> {
  const { org, bucket, description, retentionDuration } = v2Config
  const buckets = await answered(ask, 'GET', `/api/v2/buckets?${query({ name: bucket, org })}`)
  if (buckets.status === 200 && listOf(buckets, 'buckets').length > 0) {
    say.log.info(`CONFIG: Using InfluxDB v2 bucket "${bucket}" in org "${org}"`)
    return 'exists'
  }
  const refusal = (response: HttpResponse) => {
    say.log.info(
      `CONFIG: InfluxDB v2 bucket "${bucket}" in org "${org}" must exist; this token may not look for it or make it (HTTP ${response.status} ${say.explain(response)})`.replace(
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
  const seconds = retentionOf(retentionDuration, 'v2Config', say.log)
  const retentionRules = seconds > 0 ? [{ type: 'expire', everySeconds: seconds }] : []
  const made = await answered(ask, 'POST', '/api/v2/buckets', { orgID, name: bucket, description, retentionRules })
  if (made.status !== 201 && made.status !== 200) return refusal(made)
  say.log.info(`CONFIG: Created new InfluxDB v2 bucket "${bucket}" in org "${org}"`)
  return 'made'
}

function listOf(response: HttpResponse, name: string): readonly unknown[] {
  const list = jsonOf(response)[name]
  return Array.isArray(list) ? list : []
}

async function version3(ask: Ask, { v3Config }: DatabaseConfig, say: Say): Promise<Look> {
  const { database, retentionDuration, token } = v3Config
  const seconds = retentionOf(retentionDuration, 'v3Config', say.log)
  const body = { db: database, ...(seconds > 0 && { retention_period: retentionDuration.trim() }) }
  const response = await answered(ask, 'POST', '/api/v3/configure/database', body, { Authorization: `Bearer ${token}` })
  if (response.status < 300) {
    say.log.info(`CONFIG: Created new InfluxDB v3 database: ${database}`)
    return 'made'
  }
  if (response.status === 409) {
    say.log.info(`CONFIG: Found InfluxDB v3 database: ${database}`)
    return 'exists'
  }
  say.log.info(
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
