/** Sends one JSON request per message, for the destinations whose sections name an address. */
import { createHttpClient, type HttpResponse } from '../../platform/http-client.ts'
import type { Clock } from '../../platform/types.ts'
import { VERSION } from '../../platform/version.ts'
import type { DeliveryResult } from '../types.ts'
import { httpFailure, httpResult } from './http.ts'

export interface HttpSenderDeps {
  readonly clock: Clock
  /** `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`, in capitals or not. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Default 10,000. */
  readonly timeoutMs?: number
}

export interface JsonRequest {
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string
}

export interface HttpSender {
  /** Never rejects. `judge` reads the answer; default: by its status. */
  post(request: JsonRequest, deliveryId: string, signal: AbortSignal, judge?: Judge): Promise<DeliveryResult>
  close(): void
}

export type Judge = (response: HttpResponse, now: number) => DeliveryResult | Promise<DeliveryResult>

const TIMEOUT_MS = 10_000
const IDLE_TIMEOUT_MS = 15_000
/** Nobody says much. */
const MAX_ANSWER_BYTES = 1024 * 1024

export function createHttpSender({ clock, environment, timeoutMs = TIMEOUT_MS }: HttpSenderDeps): HttpSender {
  const client = createHttpClient({ idleTimeoutMs: IDLE_TIMEOUT_MS, proxyEnv: environment })
  return {
    async post({ url, headers, body }, deliveryId, signal, judge = httpResult) {
      const common = {
        'User-Agent': `Footman/${VERSION}`,
        'Idempotency-Key': deliveryId,
        'Content-Type': 'application/json; charset=utf-8',
      }
      const limits = { timeoutMs, signal, maxBodyBytes: MAX_ANSWER_BYTES, statusSuffices: true }
      const request = { method: 'POST', url, headers: { ...common, ...headers }, body, ...limits }
      try {
        return await judge(await client.request(request), clock.now())
      } catch (error) {
        return httpFailure(error)
      }
    },
    close: client.close,
  }
}
