/** For tests: an endpoint whose JSON is not that of its contract fails. */
import { z } from 'zod'
import type { ApiContext, Handler, Middleware } from '../context.ts'
import { objectOf } from '../endpoint/route.ts'

/** Replaces such an answer by an error, which becomes a 500 and a line of the log. */
export const checkAnswers: Middleware = async (c: ApiContext, next: Handler) => {
  const response = await next(c)
  const { route } = c.env
  const type = route?.schemas?.().answers?.[response.status]
  const isJson = response.headers.get('content-type')?.startsWith('application/json')
  if (!route || !type || typeof type === 'string' || !isJson) return response
  // A document that goes out as it is may be JSON.
  if (type.def.type === 'string') return response
  const result = type.safeParse(objectOf(response) ?? (await response.clone().json()))
  if (result.success) return response
  throw new Error(`the answer ${response.status} is not that of the contract:\n${z.prettifyError(result.error)}`)
}
