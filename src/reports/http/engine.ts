/** Answers that wait for the engine or the repository. */
import { refusal } from '../../http/errors.ts'
import { ReportError } from '../codes.ts'

/** Work that an answer waits for. Rejects with the refusal that says why there is no result, or none in time. */
export async function engineAnswer<T>(
  work: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<T> {
  const limit = AbortSignal.timeout(timeoutMs)
  try {
    return await work(AbortSignal.any([signal, limit]))
  } catch (error) {
    if (limit.aborted && !signal.aborted) throw refusal('ENGINE_UNREACHABLE', `no result within ${timeoutMs / 1000} s`)
    throw engineRefusal(error)
  }
}

/** A failure of the engine or the repository, for answers that wait for it. */
export function engineRefusal(error: unknown): unknown {
  if (!(error instanceof ReportError)) return error
  const { code, details } = error
  if (code === 'ENGINE_UNREACHABLE' || code === 'REPOSITORY_UNREACHABLE') return refusal(code, details)
  if (code === 'APP_NOT_FOUND' || code === 'OBJECT_NOT_FOUND') return refusal(code, details)
  return refusal('REPORT_NOT_MADE', `${code}: ${details}`)
}
