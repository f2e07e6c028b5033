/** The contracts of messages to and from the MQTT broker. */
import { z } from 'zod'
import { contract, type Shape } from '../http/endpoint/contract.ts'
import { LIST_PARAMETERS, queryField } from '../http/endpoint/list-query.ts'
import { field } from '../http/endpoint/validation.ts'
import { once } from '../platform/once.ts'

const qos = () => {
  const allowed = (value: number): value is 0 | 1 => value === 0 || value === 1
  return field.integer().refine(allowed, { error: 'must be equal to one of the allowed values' })
}

export const publishBody = once(() =>
  field.object({
    topic: field.string(),
    message: field.string(),
    qos: qos().optional(),
    retain: field.boolean().optional(),
  }),
)

export const PUBLISH = contract({
  method: 'PUT',
  path: '/v4/mqttpublishmessage',
  body: publishBody,
  answers: () => ({
    // With all members of the body.
    201: z.looseObject({ topic: z.string(), message: z.string() }),
    403: 'The message would start tasks that the caller may not start, or past the start filter.',
    502: 'The caller may start some tasks only, and Qlik Sense cannot be asked which the message selects.',
    409: 'Footman runs in shadow mode, which sends nothing.',
    503: 'MQTT is not enabled, or too many messages wait for the broker.',
  }),
})

const message = () =>
  z.strictObject({
    id: z.string(),
    at: z.string(),
    topic: z.string(),
    qos: z.number(),
    retained: z.boolean(),
    payload: z.string().nullable(),
    payloadBase64: z.string().nullable(),
    truncated: z.boolean().optional(),
  })
export type MqttMessage = Shape<typeof message>

export const MQTT_MESSAGES = contract({
  method: 'GET',
  path: '/v4/mqttmessages',
  query: () => z.object({ topic: queryField.text().describe('MQTT topic filter.').optional(), ...LIST_PARAMETERS }),
  answers: () => ({ 200: z.strictObject({ messages: z.array(message()), nextCursor: z.string().nullable() }) }),
})
