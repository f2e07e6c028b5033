/** What the description of the API says about the input of messages. */
import { z } from 'zod'
import type { RouteDescription } from '../../http/endpoint/route.ts'
import { DROP_REASONS } from '../types.ts'

const count = z.int()

const SOURCE = z.object({
  from: z.string().describe('Address that the datagrams come from.'),
  host: z.string().nullable().describe('The host that the messages name; null for datagrams that are no messages.'),
  firstSeen: z.string(),
  lastSeen: z.string(),
  messages: count.describe('Messages that could be read, repeats included.'),
  rejected: count.describe('Datagrams that were no messages.'),
})

const ANSWER = z.object({
  enabled: z.boolean(),
  listening: z.boolean(),
  address: z.string().nullable(),
  port: count.nullable(),
  receiveBufferBytes: count.nullable().describe('Granted by the operating system; Footman asks for 4 MB.'),
  received: count.describe('Datagrams accepted since the start.'),
  rejected: count.describe('Of these, how many were no messages.'),
  dropped: z.object(Object.fromEntries(DROP_REASONS.map((reason) => [reason, count]))),
  sources: z.array(SOURCE).describe('Up to 500, those heard last first; kept over restarts.'),
})

export const INPUT: RouteDescription = {
  summary: 'The UDP input and who sends messages to it',
  description: 'Whether Footman listens, and when the last message of each Qlik Sense node arrived.',
  schemas: { responses: { 200: ANSWER.describe('The input.') } },
  examples: [
    {
      name: 'input',
      status: 200,
      answer: {
        ...{ enabled: true, listening: true, address: '0.0.0.0', port: 9998, receiveBufferBytes: 4_194_304 },
        ...{ received: 1, rejected: 0 },
        dropped: Object.fromEntries(DROP_REASONS.map((reason) => [reason, 0])),
        sources: [
          {
            ...{ from: '10.11.12.14', host: 'QS-CENTRAL', messages: 1, rejected: 0 },
            ...{ firstSeen: '2026-03-02T06:03:11.482Z', lastSeen: '2026-03-02T06:03:11.482Z' },
          },
        ],
      },
    },
  ],
}

const TEST = z.object({
  token: z.string(),
  expiresAt: z.string().describe('Until then the datagram is awaited.'),
  arrived: z.boolean(),
  from: z.string().nullable().describe('Address of the sender.'),
  arrivedAt: z.string().nullable(),
})

export const BEGIN: RouteDescription = {
  summary: 'Begin a self-test of the UDP input',
  description:
    'Hands out the text of a datagram. Sent to the UDP port within a minute, it is checked like every message (sender, size, rate), noted as arrived, and never becomes an event.',
  schemas: {
    responses: {
      201: TEST.extend({ datagram: z.string().describe('To be sent to the UDP port.') }).describe('Begun.'),
    },
  },
  failures: { 409: 'UDP is not listened to.' },
  examples: [
    {
      name: 'begin',
      status: 201,
      answer: {
        ...{ token: '6f1c2f6e3a0d4c0b9b1d2e3f4a5b6c7d', expiresAt: '2026-03-02T06:04:11.482Z' },
        ...{ arrived: false, from: null, arrivedAt: null },
        datagram: '/footman-self-test/;6f1c2f6e3a0d4c0b9b1d2e3f4a5b6c7d',
      },
    },
  ],
}

export const RESULT: RouteDescription = {
  summary: 'Whether the datagram of a self-test has arrived',
  schemas: {
    params: z.object({ token: z.string().describe('As handed out.') }),
    responses: { 200: TEST.describe('The self-test.') },
  },
}
