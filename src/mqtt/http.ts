/**
 * `PUT /v4/mqttpublishmessage`: a message for the broker; accepted means stored, whether the broker is there or not.
 * `GET /v4/mqttmessages`: what the broker has sent, newest first.
 */
import { z } from 'zod'
import { cursorOf, DEFAULT_LIMIT, LIST_PARAMETERS, positionInCursor, queryField } from '../http/endpoint/list-query.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer, looseRoute as route } from '../http/endpoint/route.ts'
import { field, validate } from '../http/endpoint/validation.ts'
import { refused, shadowRefusal } from '../http/errors.ts'
import { mayReach, topicProblem } from '../platform/mqtt-topics.ts'
import { once } from '../platform/once.ts'
import type { Clock } from '../platform/types.ts'
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

const qos = () => {
  const allowed = (value: number): value is 0 | 1 => value === 0 || value === 1
  return field.integer().refine(allowed, { error: 'must be equal to one of the allowed values' })
}

const PUBLISH_BODY = once(() =>
  field.object({
    topic: field.string(),
    message: field.string(),
    qos: qos().optional(),
    retain: field.boolean().optional(),
  }),
)

export function publishRoutes({ outgoing, admit }: PublishDeps, settings: PublishSettings): ApiRoute[] {
  return [
    route({
      method: 'PUT',
      path: '/v4/mqttpublishmessage',
      switch: 'mqttPublishMessage',
      butler: true,
      scope: 'message:run',
      action: 'mqtt.publish',
      summary: 'Publish an MQTT message',
      description: 'Accepted means stored: the message outlives an outage of the broker and a restart of Footman.',
      // The answer has the members in the order of the caller, which a checked body has lost.
      readByHandler: () => ({ body: PUBLISH_BODY() }),
      answers: () => ({
        201: z.looseObject({ topic: z.string(), message: z.string() }),
        403: 'The message would start tasks that the caller may not start, or past the start filter.',
        502: 'The caller may start some tasks only, and Qlik Sense cannot be asked which the message selects.',
        409: 'Footman runs in shadow mode, which sends nothing.',
        503: 'MQTT is not enabled, or too many messages wait for the broker.',
      }),
      examples: [
        {
          name: 'publish',
          body: { topic: 'qliksense/new_data_notification/sales', message: 'dt=20201028' },
          status: 201,
          answer: { topic: 'qliksense/new_data_notification/sales', message: 'dt=20201028' },
        },
      ],
      async handle(request) {
        const { body, note } = request
        const wanted = validate('body', PUBLISH_BODY(), body)
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
        return jsonAnswer(201, { ...(body as object), ...wanted })
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

const MESSAGE = once(() =>
  z.object({
    id: z.string(),
    at: z.string(),
    topic: z.string(),
    qos: z.number(),
    retained: z.boolean(),
    payload: z.string().nullable(),
    payloadBase64: z.string().nullable(),
    truncated: z.boolean().optional(),
  }),
)

const QUERY = once(() =>
  z.object({
    topic: queryField.text().describe('MQTT topic filter.').optional(),
    ...LIST_PARAMETERS,
  }),
)

const ANSWER = once(() => z.object({ messages: z.array(MESSAGE()), nextCursor: z.string().nullable() }))

export function receivedRoutes({ store, clock }: { store: ReceivedStore; clock: Clock }): ApiRoute[] {
  return [
    route({
      method: 'GET',
      path: '/v4/mqttmessages',
      switch: 'mqttPublishMessage',
      scope: 'message:read',
      summary: 'List received MQTT messages',
      description: 'Messages received on the topics of `Butler.footman.mqtt.receivedTopics`, newest first.',
      query: QUERY,
      answers: () => ({ 200: ANSWER() }),
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
      handle({ query: { topic = null, from, to, cursor, limit = DEFAULT_LIMIT } }) {
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
        return jsonAnswer(200, { messages: page.map(messageOf), nextCursor })
      },
    }),
  ]
}

function messageOf({
  id,
  at,
  topic,
  qos,
  retained,
  truncated,
  payload,
}: StoredMessage): z.output<ReturnType<typeof MESSAGE>> {
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
