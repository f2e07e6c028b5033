/** The database of `Butler.influxDb`, as one thing: connection, login, making of the database, writing. */
import type { BackoffSettings } from '../../platform/backoff.ts'
import type { HttpResponse } from '../../platform/http-client.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import { type ClientSource, createConnection, type InfluxRequest } from './connection.ts'
import { createDatabaseMaker, type DatabaseMaker } from './database.ts'
import { lineOf, type NameValue } from './line.ts'
import { type TargetConfig, targetOf } from './target.ts'
import type { InfluxServer } from './types.ts'
import { createLineWriter } from './writer.ts'

export interface InfluxServerDeps {
  readonly clock: Clock
  readonly log: Logger
  readonly clients: ClientSource
}

export interface InfluxServerSettings extends TargetConfig {
  /** Tags of every point. */
  readonly tag: { readonly static: readonly NameValue[] }
  /** Between tries to make the database; default from 5 s to 5 minutes. */
  readonly databaseRetry?: BackoffSettings
}

export interface BuiltInfluxServer extends InfluxServer {
  readonly database: DatabaseMaker
  close(): void
}

export function createInfluxServer(deps: InfluxServerDeps, settings: InfluxServerSettings): BuiltInfluxServer {
  const { clock, log, clients } = deps
  const target = targetOf(settings)
  const connection = createConnection(clients, target)
  const underWay = new Set<Promise<unknown>>()
  const quiet = () => Promise.allSettled(underWay)
  const database = createDatabaseMaker({ connection, log, quiet }, settings, settings.databaseRetry)
  const write = createLineWriter({ target, send, clock, log, makeDatabase: database.make })
  let takesPoints = true
  async function send(request: InfluxRequest): Promise<HttpResponse> {
    await database.idle()
    const sending = connection.request(request)
    underWay.add(sending)
    const ended = () => void underWay.delete(sending)
    sending.then(ended, ended)
    return sending
  }

  return {
    description: `${target.name} at ${target.base}`,
    lineOf: (point, nanoseconds) => lineOf(point, settings.tag.static, nanoseconds),
    get takesPoints() {
      return takesPoints
    },
    async write(lines, signal) {
      const results = await write(lines, signal)
      // Being cut off says nothing about InfluxDB.
      if (!signal.aborted && results.length > 0) takesPoints = results.some(({ outcome }) => outcome !== 'retry')
      return results
    },
    database,
    close: connection.close,
  }
}
