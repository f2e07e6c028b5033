/** InfluxDB: reach, login, database or bucket. Nothing is written and nothing is made. */
import { createClientSource } from '../../../../alerts/destinations/client.ts'
import { createConnection, targetOf } from '../../../../metrics/influxdb/connection.ts'
import type { Finding, Probe } from '../../types.ts'
import { publicEndpoint } from '../http/endpoints.ts'
import { shakeHands } from '../http/handshake.ts'
import { QUESTIONS } from './questions.ts'

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
  const text = error instanceof Error ? error.message : String(error)
  // Errors of the client begin with the place.
  const message = text.startsWith(`${target} `) ? text.slice(target.length + 1) : text
  const fix = 'check that Butler.influxDb.hostIP and hostPort are those of InfluxDB'
  return { level: 'error', code: 'influxdb.no-api', target, message, fix, key: 'influxDb.hostIP' }
}
