/** Followers of changes: server-sent events and the MQTT broker. */
import type { EventSource, StreamEvent } from '../http/endpoint/event-stream.ts'
import type { MqttOutgoing } from '../mqtt/types.ts'
import { mayReach, topicProblem } from '../platform/mqtt-topics.ts'
import type { Logger } from '../platform/types.ts'
import type { Change, KeyValueStore } from './types.ts'

/** Pairs read at a time while the present ones are sent. */
const STEP = 20

/**
 * Changes of one namespace as server-sent events. With `initial` the present pairs come first, then `ready`. A reader that was
 * cut off after the revision `seen` gets the changes since then instead, where they are known. A pair that changes meanwhile
 * may come twice; the last event of a key is always the newest.
 */
export function watchNamespace(
  store: KeyValueStore,
  namespace: string,
  { prefix, initial, seen }: { readonly prefix: string; readonly initial: boolean; readonly seen: number | null },
): EventSource {
  const isWanted = (change: Change) => change.namespace === namespace && change.key.startsWith(prefix)
  const missed = seen === null ? null : store.changesAfter(seen)
  const first = missed?.filter(isWanted).map(eventOf).values() ?? (initial && presentPairs(store, namespace, prefix))
  return {
    ...(first && { initial: first }),
    subscribe: (send) =>
      store.onChange((change) => {
        if (isWanted(change)) send(eventOf(change))
      }),
  }
}

function* presentPairs(store: KeyValueStore, namespace: string, prefix: string): Generator<StreamEvent> {
  for (let after: string | null = null; ; ) {
    const step = store.page(namespace, { prefix, after, limit: STEP })
    for (const { key, value, revision } of step) {
      yield eventOf({ event: 'set', namespace, key, value, revision })
      after = key
    }
    if (step.length < STEP) break
  }
  yield { event: 'ready', data: { namespace, revision: store.revision() } }
}

function eventOf({ event, ...data }: Change): StreamEvent {
  return { id: data.revision, event, data }
}

export interface PublishingDeps {
  /** Null when MQTT is not configured. */
  readonly outgoing: MqttOutgoing | null
  readonly log: Logger
}

/** The listener that publishes changes; null when the topic is empty, and, with a warning, when there is no broker. */
export function changePublisher({ outgoing, log }: PublishingDeps, mqttTopic: string, startTopic: string) {
  if (mqttTopic === '') return null
  if (outgoing) return createChangePublisher({ outgoing, log }, { mqttTopic, startTopic })
  log.warn('KEYVALUE: Butler.footman.keyValue.mqttTopic has no effect, because Butler.mqttConfig.enable is false')
  return null
}

/**
 * A listener that publishes each change to `<mqttTopic>/<namespace>/<key>`, both names percent-encoded. The messages wait for
 * the broker on disk, in order.
 */
export function createChangePublisher(
  { outgoing, log }: { readonly outgoing: Pick<MqttOutgoing, 'send'>; readonly log: Logger },
  settings: { readonly mqttTopic: string; readonly startTopic: string },
): (change: Change) => void {
  let failing = false

  async function publish({ event, ...data }: Change): Promise<void> {
    const topic = [settings.mqttTopic, encodeURIComponent(data.namespace), encodeURIComponent(data.key)].join('/')
    const problem = topicProblem(topic) ?? (mayReach(settings.startTopic, topic) ? 'the topic starts tasks' : null)
    if (problem) return failed(`${problem}: ${topic.slice(0, 100)}`)
    const result = await outgoing.send({ topic, payload: JSON.stringify({ ...data, event }) })
    if (result === 'full') return failed('too many messages wait for the broker')
    failing = false
  }

  /** Logged once, until a message goes through again. */
  function failed(reason: string): void {
    if (!failing) log.error(`KEYVALUE: Changes are not published to MQTT: ${reason}`)
    failing = true
  }

  return (change) => void publish(change).catch((error: unknown) => failed(String(error)))
}
