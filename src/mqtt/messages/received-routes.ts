/** `GET /v4/mqttmessages`: what the broker has sent, newest first. */
import { z } from 'zod'
import {
  cursorOf,
  cursorParameter,
  limitParameter,
  onlyParameters,
  textParameter,
  timeParameter,
} from '../../http/endpoint/list-query.ts'
import { LIST_PARAMETERS } from '../../http/endpoint/list-schemas.ts'
import { type ApiRoute, jsonAnswer } from '../../http/endpoint/route.ts'
import type { Clock } from '../../platform/types.ts'
import { RECEIVED } from './descriptions.ts'
import type { ReceivedStore, StoredMessage } from './received-store.ts'

const MESSAGE = z.object({
  id: z.string(),
  at: z.string(),
  topic: z.string(),
  qos: z.number(),
  retained: z.boolean(),
  payload: z.string().nullable(),
  payloadBase64: z.string().nullable(),
  truncated: z.boolean().optional(),
})

const QUERY = z.object({
  topic: z.string().describe('MQTT topic filter.').optional(),
  ...LIST_PARAMETERS,
})

const ANSWER = z.object({ messages: z.array(MESSAGE), nextCursor: z.string().nullable() })

export function receivedRoutes({ store, clock }: { store: ReceivedStore; clock: Clock }): ApiRoute[] {
  return [
    {
      methods: ['GET'],
      path: '/v4/mqttmessages',
      endpoint: 'mqttPublishMessage',
      scope: 'message:read',
      summary: 'List received MQTT messages',
      ...RECEIVED,
      schemas: { query: QUERY, responses: { 200: ANSWER } },
      handle({ query }) {
        onlyParameters(query, Object.keys(QUERY.shape))
        const now = clock.now()
        const limit = limitParameter(query)
        const found = store.find({
          filter: textParameter(query, 'topic') ?? null,
          from: timeParameter(query, 'from', now),
          to: timeParameter(query, 'to', now),
          before: cursorParameter(query),
          limit: limit + 1,
        })
        const page = found.slice(0, limit)
        const last = page.at(-1)
        const nextCursor = found.length > limit && last ? cursorOf(last.seq) : null
        return jsonAnswer(200, { messages: page.map(messageOf), nextCursor })
      },
    },
  ]
}

function messageOf({ id, at, topic, qos, retained, truncated, payload }: StoredMessage): z.output<typeof MESSAGE> {
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
