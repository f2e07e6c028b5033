/** Puts messages that are sent at the same time into one call of their destination, for those that take many at once. */
import type { DeliveryResult, Destination, Message } from '../types.ts'

interface Waiting {
  readonly message: Message
  readonly signal: AbortSignal
  readonly resolve: (result: DeliveryResult) => void
}

/**
 * The same destination; every message handed over before the event loop turns leaves together with the others, up to
 * `batchSize` in a call. A call is aborted with the first of its messages.
 */
export function gathered<T extends Destination>(destination: T): T {
  const { batchSize = 1 } = destination
  if (batchSize <= 1) return destination
  let waiting: Waiting[] = []

  function flush(): void {
    const all = waiting
    waiting = []
    for (let start = 0; start < all.length; start += batchSize) leave(all.slice(start, start + batchSize))
  }

  function leave(batch: readonly Waiting[]): void {
    const messages = batch.map(({ message }) => message)
    const signal = AbortSignal.any(batch.map((one) => one.signal))
    destination.deliver(messages, signal).then(
      (results) => settle(batch, (index) => results[index]),
      (error: unknown) => settle(batch, () => ({ outcome: 'retry', detail: String(error) })),
    )
  }

  function settle(batch: readonly Waiting[], resultOf: (index: number) => DeliveryResult | undefined): void {
    for (const [index, { resolve }] of batch.entries()) {
      resolve(resultOf(index) ?? { outcome: 'retry', detail: `${destination.name} gave no result` })
    }
  }

  function one(message: Message, signal: AbortSignal): Promise<DeliveryResult> {
    return new Promise((resolve) => {
      if (waiting.length === 0) setImmediate(flush)
      waiting.push({ message, signal, resolve })
    })
  }

  return { ...destination, deliver: (batch, signal) => Promise.all(batch.map((message) => one(message, signal))) }
}
