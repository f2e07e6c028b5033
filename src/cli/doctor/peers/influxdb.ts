/** InfluxDB: reach, login, database or bucket. Nothing is written and nothing is made. */

import { z } from 'zod'
import type { Config } from '../../../app/schema.ts'
import {
  createConnection,
  createExplanation,
  type InfluxConnection,
  query,
  targetOf,
} from '../../../metrics/influxdb/connection.ts'
import { createClientSource } from '../../../platform/client-source.ts'
import { errorText } from '../../../platform/errors.ts'
import { type HttpResponse, jsonOf } from '../../../platform/http-client.ts'
import { parseOutsideJson } from '../../../platform/json.ts'
import type { Finding, Probe } from '../types.ts'
import { publicEndpoint, shakeHands } from './http-handshake.ts'

const KEYS = { host: 'influxDb.hostIP', port: 'influxDb.hostPort', authority: 'footman.influxDb.tls.caFile' } as const

export const influxdb: Probe = {
  group: 'influxdb',
  title: 'InfluxDB',
  applies: ({ config: { influxDb } }) => influxDb.enable && influxDb.hostIP !== '',
  async run(context) {
    const { config, env, paths, timeout } = context
    const { tls } = config.footman.influxDb
    const target = targetOf({ ...config.influxDb, tls })
    if (!URL.canParse(target.base)) return []
    const place = new URL(target.base).host
    const endpoint = { ...publicEndpoint('influxDb.hostIP', target.base), also: [], group: 'influxdb', keys: KEYS }
    const way = await shakeHands({ ...endpoint, caFile: tls.caFile, verified: tls.rejectUnauthorized }, context)
    if (way.some(({ level }) => level === 'error')) return way
    const clients = createClientSource({ candidates: paths.candidates, environment: env }, tls)
    const connection = createConnection(clients, { ...target, timeoutMs: timeout })
    try {
      return [...way, ...(await QUESTIONS[config.influxDb.version](connection, { config, place }))]
    } catch (error) {
      return [...way, noAnswer(error, place)]
    } finally {
      connection.close()
    }
  },
}

function noAnswer(error: unknown, target: string): Finding {
  const text = errorText(error)
  // Errors of the client begin with the place.
  const message = text.startsWith(`${target} `) ? text.slice(target.length + 1) : text
  const fix = 'check that Butler.influxDb.hostIP and hostPort are those of InfluxDB'
  return { level: 'error', code: 'influxdb.no-api', target, message, fix, key: 'influxDb.hostIP' }
}

interface Subject {
  readonly config: Config
  readonly place: string
}

type Question = (connection: InfluxConnection, subject: Subject) => Promise<readonly Finding[]>

const QUESTIONS: { readonly [version in 1 | 2 | 3]: Question } = {
  async 1(connection, subject) {
    const { dbName } = subject.config.influxDb.v1Config
    const key = 'influxDb.v1Config'
    const response = await connection.request({ method: 'GET', path: `/query?${query({ q: 'SHOW DATABASES' })}` })
    const refused = refusal(connection, response, { ...subject, key: `${key}.auth`, what: 'name and password' })
    if (refused) return [refused]
    const names = databasesOf(response)
    if (names === null) return [wrongServer(response, subject)]
    return [names.includes(dbName) ? ready(subject, `database "${dbName}"`) : toBeMade(subject, `database "${dbName}"`)]
  },
  async 2(connection, subject) {
    const { org, bucket } = subject.config.influxDb.v2Config
    const response = await connection.request({
      method: 'GET',
      path: `/api/v2/buckets?${query({ name: bucket, org })}`,
    })
    const key = 'influxDb.v2Config'
    if (response.status === 403) return [notListed(subject, `bucket "${bucket}"`)]
    const refused = refusal(connection, response, { ...subject, key: `${key}.token`, what: 'token' })
    if (refused) return [refused]
    const what = `bucket "${bucket}" of "${org}"`
    const { buckets } = jsonOf(response)
    if (response.status === 200 && Array.isArray(buckets)) {
      return [buckets.length > 0 ? ready(subject, what) : toBeMade(subject, what)]
    }
    if (response.status !== 404) return [wrongServer(response, subject)]
    return [await organisation(connection, subject, what)]
  },
  async 3(connection, subject) {
    const { database, token } = subject.config.influxDb.v3Config
    const response = await connection.request({
      method: 'GET',
      path: `/api/v3/configure/database?${query({ format: 'json' })}`,
      headers: { Authorization: `Bearer ${token}` },
    })
    const key = 'influxDb.v3Config'
    if (response.status === 403) return [notListed(subject, `database "${database}"`)]
    const refused = refusal(connection, response, { ...subject, key: `${key}.token`, what: 'token' })
    if (refused) return [refused]
    const names = databasesOf3(response)
    if (names === null) return [wrongServer(response, subject)]
    const what = `database "${database}"`
    return [names.includes(database) ? ready(subject, what) : toBeMade(subject, what)]
  },
}

/** A bucket is not found where its organisation does not exist, or where it can be made. */
async function organisation(connection: InfluxConnection, subject: Subject, what: string): Promise<Finding> {
  const { org } = subject.config.influxDb.v2Config
  const response = await connection.request({ method: 'GET', path: `/api/v2/orgs?${query({ org })}` })
  const { orgs } = jsonOf(response)
  if (response.status === 200 && Array.isArray(orgs) && orgs.length > 0) return toBeMade(subject, what)
  return {
    level: 'error',
    code: 'influxdb.organisation',
    target: subject.place,
    message: `there is no organisation "${org}", or the token may not see it`,
    fix: 'correct Butler.influxDb.v2Config.org, or use a token of this organisation',
    key: 'influxDb.v2Config.org',
  }
}

interface Login extends Subject {
  readonly key: string
  readonly what: string
}

function refusal(connection: InfluxConnection, response: HttpResponse, login: Login): Finding | null {
  if (response.status !== 401 && response.status !== 403) return null
  const said = createExplanation(connection.target.secrets)(response)
  const { what, key, place } = login
  const message = `the ${what} refused: HTTP ${response.status} ${said}`.trim()
  const verb = what === 'token' ? 'is' : 'are'
  return {
    level: 'error',
    code: 'influxdb.login',
    target: place,
    message: message.replace(' refused:', ` ${verb} refused:`),
    fix: `correct Butler.${key}; it needs the right to read and write this database`,
    key,
  }
}

const ready = ({ place }: Subject, what: string): Finding => ({
  level: 'ok',
  code: 'influxdb.ready',
  target: place,
  message: `the login is accepted, ${what} exists`,
})

/** Footman makes it at its start, where it may. */
const toBeMade = ({ place }: Subject, what: string): Finding => ({
  level: 'warning',
  code: 'influxdb.database',
  target: place,
  message: `${what} does not exist, or the login may not see it`,
  fix: 'make it, or let Footman make it at its start, for which the login needs the right',
  key: 'influxDb',
})

/** A token may be good for writing alone. */
const notListed = ({ place }: Subject, what: string): Finding => ({
  level: 'info',
  code: 'influxdb.not-listed',
  target: place,
  message: `the token may not look: whether ${what} exists shows with the first point`,
})

function wrongServer({ status }: HttpResponse, { place, config: { influxDb } }: Subject): Finding {
  return {
    level: 'error',
    code: 'influxdb.version',
    target: place,
    message: `does not answer like InfluxDB ${influxDb.version} (HTTP ${status})`,
    fix: 'correct Butler.influxDb.version, hostIP or hostPort',
    key: 'influxDb.version',
  }
}

function databasesOf(response: HttpResponse): readonly unknown[] | null {
  const { data } = DATABASES_1.safeParse(jsonOf(response))
  if (response.status !== 200 || !data) return null
  return data.results[0]?.series?.[0]?.values?.map(([name]) => name) ?? []
}

/** Answer of InfluxDB 1 to `SHOW DATABASES`. */
const DATABASES_1 = z.object({
  results: z.array(
    z.object({ series: z.array(z.object({ values: z.array(z.array(z.unknown())).optional() })).optional() }),
  ),
})
/** Databases of InfluxDB 3. */
const DATABASES_3 = z.array(z.object({ 'iox::database': z.string() }))

function databasesOf3(response: HttpResponse): readonly unknown[] | null {
  if (response.status !== 200) return null
  try {
    const rows = DATABASES_3.parse(parseOutsideJson(response.text()))
    return rows.map((row) => row['iox::database'])
  } catch {
    return null
  }
}
