/** Changes of one namespace as server-sent events. */
import type { EventSource, StreamEvent } from '../http/endpoint/event-stream.ts'
import type { Change, KeyValueStore } from './types.ts'

/** Pairs read at a time while the present ones are sent. */
const STEP = 20

/**
 * With `initial` the present pairs come first, then `ready`. A pair that changes meanwhile may come twice; the last event
 * of a key is always the newest.
 */
export function watchNamespace(
  store: KeyValueStore,
  namespace: string,
  { prefix, initial }: { readonly prefix: string; readonly initial: boolean },
): EventSource {
  return {
    ...(initial && { initial: presentPairs(store, namespace, prefix) }),
    subscribe: (send) =>
      store.onChange((change) => {
        if (change.namespace === namespace && change.key.startsWith(prefix)) send(eventOf(change))
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
