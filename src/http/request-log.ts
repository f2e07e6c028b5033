/** Who called what. */

import type { Logger } from '../platform/types.ts'
import type { ApiRequest } from './endpoint/route.ts'

const SECRET_HEADERS = /^(authorization|cookie|proxy-authorization|x-api-key|api-key)$/i

/** One line per request at info (at debug when the access log is off), and four lines with its parts at debug. */
export function createRequestLog(log: Logger, accessLog: boolean): (request: ApiRequest) => void {
  const level = accessLog ? 'info' : 'debug'
  return (request) => {
    if (!log.enabled(level)) return
    log[level](`${request.url} called from ${request.client}`)
    if (!log.enabled('debug')) return
    const headers = Object.fromEntries(
      [...request.headers].map(([name, value]) => [name, SECRET_HEADERS.test(name) ? '**********' : value]),
    )
    const parts = { Query: request.query, Body: request.body ?? null, Params: request.params, Headers: headers }
    for (const [name, value] of Object.entries(parts)) log.debug(`${name}: ${JSON.stringify(value)}`)
  }
}
