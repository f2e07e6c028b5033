/** `PUT /v4/mqttpublishmessage`: a message for the broker; accepted means stored, whether the broker is there or not. */
import { z } from 'zod'
import { refused } from '../../http/endpoint/errors.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer } from '../../http/endpoint/route.ts'
import { field, validate } from '../../http/endpoint/validation.ts'
import { mayReach, topicProblem } from '../../platform/mqtt-topics.ts'
import type { MqttOutgoing } from '../types.ts'
import { PUBLISH } from './descriptions.ts'
import { shadowRefusal } from './shadow.ts'

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
  /** Topics that nobody may publish to here, because a message there would start tasks past the start filter. */
  readonly closedTopics: readonly string[]
  readonly shadow: boolean
}

const qos = () => {
  const allowed = (value: number): value is 0 | 1 => value === 0 || value === 1
  return field.integer().refine(allowed, { error: 'must be equal to one of the allowed values' })
}

const BODY = field.object({
  topic: field.string(),
  message: field.string(),
  qos: qos().optional(),
  retain: field.boolean().optional(),
})

export function publishRoutes({ outgoing, admit }: PublishDeps, settings: PublishSettings): ApiRoute[] {
  return [
    {
      methods: ['PUT'],
      path: '/v4/mqttpublishmessage',
      endpoint: 'mqttPublishMessage',
      butler: true,
      scope: 'message:run',
      action: 'mqtt.publish',
      summary: 'Publish an MQTT message',
      ...PUBLISH,
      schemas: { body: BODY, responses: { 201: z.looseObject({ topic: z.string(), message: z.string() }) } },
      async handle(request) {
        const { body, note } = request
        const wanted = validate('body', BODY, body)
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
        // The members stay in the caller's order.
        return jsonAnswer(201, { ...(body as object), ...wanted })
      },
    },
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
