/** Ids of requests: each has one of Footman, a UUID v7, and beside it the name that its caller gave it. */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../../platform/types.ts'
import { type Middleware, withAnswer } from '../context.ts'

/** Names of callers that are harmless in logs; others are left out. */
const HARMLESS = /^[A-Za-z0-9._-]{1,64}$/

/**
 * A function that names requests. Its UUIDs count up in their last 32 bits instead of being random throughout (RFC 9562,
 * 6.2, fixed-length counter), because a random number per request costs more than answering a ping.
 */
export function createRequestIds(clock: Clock): () => string {
  const random = randomBytes(8)
  const process = random.toString('hex')
  const middle = `-7${process.slice(0, 3)}-${((random[2]! & 0x3f) | 0x80).toString(16)}${process.slice(4, 6)}-${process.slice(6, 10)}`
  let counter = random.readUInt32BE(4) >>> 1
  let millisecond = -1
  let time = ''
  return () => {
    const now = clock.now()
    if (now !== millisecond) {
      millisecond = now
      const hex = now.toString(16).padStart(12, '0')
      time = `${hex.slice(0, 8)}-${hex.slice(8)}`
    }
    counter = (counter + 1) >>> 0
    return `${time}${middle}${counter.toString(16).padStart(8, '0')}`
  }
}

/**
 * Names the request, and puts its id on the answer as `X-Request-Id`. The `X-Request-Id` of the caller, which many requests
 * may have, comes back as `X-Correlation-Id`. Calls of pages and of other nodes bring the id that was given there.
 */
export function requestId(clock: Clock): Middleware {
  const newId = createRequestIds(clock)
  return (c, next) => {
    const { env } = c
    const sent = env.headers.get('x-request-id')
    const given = sent !== null && HARMLESS.test(sent) ? sent : null
    env.requestId = (env.isChecked ? given : null) ?? newId()
    if (!env.isChecked) env.correlationId = given
    return withAnswer(next(c), (response) => {
      if (env.isPreflight) return response
      response.headers.set('x-request-id', env.requestId)
      if (env.correlationId !== null) response.headers.set('x-correlation-id', env.correlationId)
      return response
    })
  }
}
