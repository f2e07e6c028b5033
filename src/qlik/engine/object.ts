import { EngineError, isRejected, QIX } from './errors.ts'
import type { EngineObject, EngineSession } from './types.ts'

/** The calls of one handle. */
export function engineObject(session: EngineSession, handle: number): EngineObject {
  return {
    handle,
    call: (method, params, options) => session.call(handle, method, params, options),
    async value(member, method, params, options) {
      const result = await session.call(handle, method, params, options)
      if (member in result) return result[member]
      throw new EngineError('invalid', `${session.where} ${method}`, `the answer has no ${member}`)
    },
    async child(method, params, options) {
      try {
        const { qReturn } = await session.call(handle, method, params, options)
        const { qHandle } = (qReturn ?? {}) as { readonly qHandle?: unknown }
        return typeof qHandle === 'number' ? session.object(qHandle) : null
      } catch (error) {
        // Some methods say "there is none" with an error, others with an empty handle.
        if (isRejected(error, QIX.NOT_FOUND)) return null
        throw error
      }
    },
  }
}
