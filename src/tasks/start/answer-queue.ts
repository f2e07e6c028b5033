import type { MqttService } from '../../mqtt/types.ts'
import type { Logger } from '../../platform/types.ts'
import type { RequestStore } from './request-store.ts'

export interface AnswerQueue {
  /** Publishes what waits, oldest first. Without a broker it stays in the store; call again when connected. */
  flush(): void
}

export function createAnswerQueue(deps: { mqtt: MqttService; store: RequestStore; log: Logger }): AnswerQueue {
  const { mqtt, store, log } = deps
  let busy = false
  let again = false

  async function publishAll(): Promise<void> {
    for (const { id, topic, answer } of store.answers()) {
      await mqtt.publish(topic, answer)
      await store.answered(id)
    }
  }

  function flush(): void {
    if (!mqtt.connected) return
    if (busy) {
      again = true
      return
    }
    busy = true
    again = false
    publishAll()
      .catch((error: unknown) => log.warn(`STARTTASK: Answer to a start request waits: ${(error as Error).message}`))
      .finally(() => {
        busy = false
        if (again) flush()
      })
  }

  return { flush }
}
