/** The contracts of `/v4/udp`. Times are ISO 8601. */
import { z } from 'zod'
import { type AnswerOf, contract, type Shape } from '../http/endpoint/contract.ts'
import { NO_QUERY } from '../http/endpoint/list-query.ts'
import { DROP_REASONS, type DropReason } from './types.ts'

const count = () => z.int()
const text = () => z.string().nullable()

const source = () =>
  z.strictObject({
    from: z.string().describe('Address that the datagrams come from.'),
    host: text().describe('The host that the messages name; null for datagrams that are no messages.'),
    firstSeen: z.string(),
    lastSeen: z.string(),
    messages: count().describe('Messages that could be read, repeats included.'),
    rejected: count().describe('Datagrams that were no messages.'),
  })

export const UDP_INPUT = contract({
  method: 'GET',
  path: '/v4/udp',
  query: NO_QUERY,
  answers: () => ({
    200: z
      .strictObject({
        enabled: z.boolean(),
        listening: z.boolean(),
        address: text(),
        port: count().nullable(),
        receiveBufferBytes: count().nullable().describe('Granted by the operating system; Footman asks for 4 MB.'),
        received: count().describe('Datagrams accepted since the start.'),
        rejected: count().describe('Of these, how many were no messages.'),
        dropped: z.strictObject(
          Object.fromEntries(DROP_REASONS.map((reason) => [reason, count()])) as Record<DropReason, z.ZodInt>,
        ),
        waiting: z
          .strictObject({ events: count(), oldestAt: text() })
          .describe('Events that wait for data of Qlik Sense or for their turn, and when the oldest arrived.'),
        sources: z.array(source()).describe('Up to 500, those heard last first; kept over restarts.'),
      })
      .describe('The input.'),
  }),
})
export type UdpInput = AnswerOf<typeof UDP_INPUT>

const selfTest = () =>
  z.strictObject({
    token: z.string(),
    expiresAt: z.string().describe('Until then the datagram is awaited.'),
    arrived: z.boolean(),
    from: text().describe('Address of the sender.'),
    arrivedAt: text(),
  })

export type SelfTestState = Shape<typeof selfTest>

export const BEGIN_SELF_TEST = contract({
  method: 'POST',
  path: '/v4/udp/self-test',
  body: 'ignored',
  answers: () => ({
    201: selfTest()
      .extend({ datagram: z.string().describe('To be sent to the UDP port.') })
      .describe('Begun.'),
    409: 'UDP is not listened to.',
  }),
})

export const SELF_TEST = contract({
  method: 'GET',
  path: '/v4/udp/self-test/{token}',
  params: () => z.object({ token: z.string().describe('As handed out.') }),
  answers: () => ({ 200: selfTest().describe('The self-test.') }),
})
