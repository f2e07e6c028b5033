/** The writing side of InfluxDB with settings as they stand in a configuration file. */

import { footmanInfluxDb, influxDb } from '../../src/metrics/config.ts'
import { createInfluxServer } from '../../src/metrics/influxdb/server.ts'
import type { WritableLine } from '../../src/metrics/influxdb/types.ts'
import { createClientSource } from '../../src/platform/client-source.ts'
import { recordingLog } from './recording-log.ts'

export function influxServer(written: object, footman: object = {}, now: () => number = Date.now) {
  const log = recordingLog()
  const { tls } = footmanInfluxDb.parse(footman)
  const clients = createClientSource({ candidates: (path) => [path], environment: {} }, tls)
  const settings = influxDb.parse({
    enable: true,
    hostIP: '127.0.0.1',
    tag: { static: [{ name: 'qs_env', value: 'prod' }] },
    ...written,
  })
  const server = createInfluxServer(
    { clock: { now }, log, clients },
    { ...settings, tls, databaseRetry: { firstMs: 50, maxMs: 100 } },
  )
  const write = (lines: readonly (string | WritableLine)[], signal = new AbortController().signal) =>
    server.write(
      lines.map((line) => (typeof line === 'string' ? { line } : line)),
      signal,
    )
  return { server, log, write }
}
