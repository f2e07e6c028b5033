/**
 * `PUT /v4/mqttpublishmessage`: a message for the broker; accepted means stored, whether the broker is there or not.
 * `GET /v4/mqttmessages`: what the broker has sent, newest first.
 */
import { cursorOf, DEFAULT_LIMIT, positionInCursor } from '../http/endpoint/list-query.ts'
import { type ApiRequest, type ApiRoute, route } from '../http/endpoint/route.ts'
import { validate } from '../http/endpoint/validation.ts'
import { refused, shadowRefusal } from '../http/errors.ts'
import { mayReach, topicProblem } from '../platform/mqtt-topics.ts'
import type { Clock } from '../platform/types.ts'
import { MQTT_MESSAGES, type MqttMessage, PUBLISH, publishBody } from './contract.ts'
import type { ReceivedStore, StoredMessage } from './received.ts'
import type { MqttOutgoing } from './types.ts'

export interface PublishDeps {
  /** Null while MQTT is not enabled. */
  readonly outgoing: Pick<MqttOutgoing, 'send'> | null
  /**
   * Throws a `Refusal` when the message would start tasks and the caller may not. Resolves with what is to be called when
   * it is not published after all. Absent: no topic starts tasks.
   */
  readonly admit?: (
    request: ApiRequest,
    message: { readonly topic: string; readonly payload: string },
  ) => Promise<(() => Promise<void>) | null>
}

export interface PublishSettings {
  /** Topics that are refused here, because a message there would start tasks past the start filter. */
  readonly closedTopics: readonly string[]
  readonly shadow: boolean
}

export function publishRoutes({ outgoing, admit }: PublishDeps, settings: PublishSettings): ApiRoute[] {
  return [
    route({
      ...PUBLISH,
      switch: 'mqttPublishMessage',
      butler: true,
      scope: 'message:run',
      action: 'mqtt.publish',
      summary: 'Publish an MQTT message',
      description: 'Accepted means stored: the message outlives an outage of the broker and a restart of Footman.',
      // The answer has the members in the order of the caller, which a checked body has lost.
      body: undefined,
      readByHandler: () => ({ body: publishBody() }),
      examples: [
        {
          name: 'publish',
          body: { topic: 'qliksense/new_data_notification/sales', message: 'dt=20201028' },
          status: 201,
          answer: { topic: 'qliksense/new_data_notification/sales', message: 'dt=20201028' },
        },
      ],
      async handle(request, answer) {
        const { body, note } = request
        const wanted = validate('body', publishBody(), body)
        if (!outgoing) throw refused(503, 'MQTT is not enabled', 'Set Butler.mqttConfig.enable to true.')
        refuseTopic(wanted.topic, settings)
        const { topic, message: payload, qos, retain } = wanted
        note({ target: [topic] })
        const withdraw = (await admit?.(request, { topic, payload })) ?? null
        if (settings.shadow) {
          await withdraw?.()
          throw shadowRefusal()
        }
        if (withdraw) note({ target: [topic], detail: 'starts tasks' })
        const outcome = await outgoing.send({
          topic,
          payload,
          ...(qos !== undefined && { qos }),
          retain: retain ?? false,
        })
        if (outcome === 'full') {
          await withdraw?.()
          throw refused(503, 'Backlog is full', 'Butler.footman.delivery.maxBacklog messages wait for the MQTT broker.')
        }
        return answer(201, { ...(body as object), ...wanted })
      },
    }),
  ]
}

function refuseTopic(topic: string, { closedTopics }: PublishSettings): void {
  const problem = topicProblem(topic)
  if (problem) throw refused(400, 'Invalid MQTT topic', `${problem[0]!.toUpperCase()}${problem.slice(1)}.`)
  if (!closedTopics.some((closed) => mayReach(closed, topic))) return
  throw refused(
    403,
    'Topic not allowed',
    'Messages to mqttConfig.taskStartTopic start tasks, and the start filter does not apply to them: add mqtt to Butler.footman.startFilter.appliesTo.',
  )
}

export function receivedRoutes({ store, clock }: { store: ReceivedStore; clock: Clock }): ApiRoute[] {
  return [
    route({
      ...MQTT_MESSAGES,
      switch: 'mqttPublishMessage',
      scope: 'message:read',
      summary: 'List received MQTT messages',
      description: 'Messages received on the topics of `Butler.footman.mqtt.receivedTopics`, newest first.',
      examples: [
        {
          name: 'last-day',
          query: { from: '24h', limit: '10' },
          status: 200,
          answer: {
            messages: [
              {
                id: '019cad26-62e0-7f58-b914-5b24d108d7ac',
                at: '2026-03-02T06:05:00.120Z',
                topic: 'plant/line1/state',
                qos: 1,
                retained: false,
                payload: 'running',
                payloadBase64: null,
              },
            ],
            nextCursor: null,
          },
        },
      ],
      handle({ query: { topic = null, from, to, cursor, limit = DEFAULT_LIMIT } }, answer) {
        const now = clock.now()
        const found = store.find({
          filter: topic,
          from: from?.(now) ?? null,
          to: to?.(now) ?? null,
          before: positionInCursor(cursor),
          limit: limit + 1,
        })
        const page = found.slice(0, limit)
        const last = page.at(-1)
        const nextCursor = found.length > limit && last ? cursorOf(last.seq) : null
        return answer(200, { messages: page.map(messageOf), nextCursor })
      },
    }),
  ]
}

function messageOf({ id, at, topic, qos, retained, truncated, payload }: StoredMessage): MqttMessage {
  const text = textOf(payload)
  return {
    id,
    at: new Date(at).toISOString(),
    topic,
    qos,
    retained: retained === 1,
    payload: text,
    payloadBase64: text === null ? Buffer.from(payload).toString('base64') : null,
    ...(truncated === 1 && { truncated: true }),
  }
}

/** Null when the bytes are not UTF-8. */
function textOf(payload: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload)
  } catch {
    return null
  }
}
