/** `/v4/udp`: the input of messages, who sends them, and a test that they arrive. */
import { z } from 'zod'
import { NO_QUERY } from '../http/endpoint/list-query.ts'
import { type ApiRoute, jsonAnswer, looseRoute as route } from '../http/endpoint/route.ts'
import { refusal } from '../http/errors.ts'
import { once } from '../platform/once.ts'
import type { Database } from '../platform/sqlite.ts'
import type { IngestCounters } from './counters.ts'
import { type SelfTest, type SelfTests, selfTestDatagram } from './ingest/self-test.ts'
import { listSources } from './sources.ts'
import { DROP_REASONS } from './types.ts'

export interface InputRoutesDeps {
  readonly db: Database
  readonly pipeline: {
    readonly counters: IngestCounters
    readonly socket: { readonly address: string; readonly port: number; readonly receiveBuffer: number } | null
    readonly selfTests: SelfTests
    readonly status: { readonly udpListening: boolean | null; readonly pendingEvents: number }
  }
}

const count = once(() => z.int())

const SOURCE = once(() =>
  z.object({
    from: z.string().describe('Address that the datagrams come from.'),
    host: z.string().nullable().describe('The host that the messages name; null for datagrams that are no messages.'),
    firstSeen: z.string(),
    lastSeen: z.string(),
    messages: count().describe('Messages that could be read, repeats included.'),
    rejected: count().describe('Datagrams that were no messages.'),
  }),
)

const ANSWER = once(() =>
  z.object({
    enabled: z.boolean(),
    listening: z.boolean(),
    address: z.string().nullable(),
    port: count().nullable(),
    receiveBufferBytes: count().nullable().describe('Granted by the operating system; Footman asks for 4 MB.'),
    received: count().describe('Datagrams accepted since the start.'),
    rejected: count().describe('Of these, how many were no messages.'),
    dropped: z.object(Object.fromEntries(DROP_REASONS.map((reason) => [reason, count()]))),
    waiting: z
      .object({ events: count(), oldestAt: z.string().nullable() })
      .describe('Events that wait for data of Qlik Sense or for their turn, and when the oldest arrived.'),
    sources: z.array(SOURCE()).describe('Up to 500, those heard last first; kept over restarts.'),
  }),
)

const TEST = once(() =>
  z.object({
    token: z.string(),
    expiresAt: z.string().describe('Until then the datagram is awaited.'),
    arrived: z.boolean(),
    from: z.string().nullable().describe('Address of the sender.'),
    arrivedAt: z.string().nullable(),
  }),
)

const EXAMPLE_INPUT = {
  enabled: true,
  listening: true,
  address: '0.0.0.0',
  port: 9998,
  receiveBufferBytes: 4_194_304,
  received: 1,
  rejected: 0,
  dropped: Object.fromEntries(DROP_REASONS.map((reason) => [reason, 0])),
  waiting: { events: 0, oldestAt: null },
  sources: [
    {
      from: '10.11.12.14',
      host: 'QS-CENTRAL',
      messages: 1,
      rejected: 0,
      firstSeen: '2026-03-02T06:03:11.482Z',
      lastSeen: '2026-03-02T06:03:11.482Z',
    },
  ],
}

const EXAMPLE_TEST = {
  token: '6f1c2f6e3a0d4c0b9b1d2e3f4a5b6c7d',
  expiresAt: '2026-03-02T06:04:11.482Z',
  arrived: false,
  from: null,
  arrivedAt: null,
  datagram: '/footman-self-test/;6f1c2f6e3a0d4c0b9b1d2e3f4a5b6c7d',
}

export function inputRoutes(deps: InputRoutesDeps): ApiRoute[] {
  const scope = 'event:read'
  return [
    route({
      method: 'GET',
      path: '/v4/udp',
      scope,
      summary: 'The UDP input and who sends messages to it',
      description: 'Whether Footman listens, and when the last message of each Qlik Sense node arrived.',
      query: NO_QUERY,
      answers: () => ({ 200: ANSWER().describe('The input.') }),
      examples: [{ name: 'input', status: 200, answer: EXAMPLE_INPUT }],
      handle: () => input(deps),
    }),
    route({
      method: 'POST',
      path: '/v4/udp/self-test',
      scope: 'event:run',
      action: 'udp.selfTest',
      summary: 'Begin a self-test of the UDP input',
      description:
        'Hands out the text of a datagram. Sent to the UDP port within a minute, it is checked like every message (sender, size, rate), noted as arrived, and never becomes an event.',
      body: 'ignored',
      answers: () => ({
        201: TEST()
          .extend({ datagram: z.string().describe('To be sent to the UDP port.') })
          .describe('Begun.'),
        409: 'UDP is not listened to.',
      }),
      examples: [{ name: 'begin', status: 201, answer: EXAMPLE_TEST }],
      handle: () => begin(deps),
    }),
    route({
      method: 'GET',
      path: '/v4/udp/self-test/{token}',
      scope,
      summary: 'Whether the datagram of a self-test has arrived',
      params: () => z.object({ token: z.string().describe('As handed out.') }),
      answers: () => ({ 200: TEST().describe('The self-test.') }),
      handle: ({ params: { token } }) => result(deps, token),
    }),
  ]
}

/** By the index of events that are not routed. */
const OLDEST_WAITING = `SELECT received_at AS at FROM event WHERE state = 'pending' AND state <> 'routed' ORDER BY seq LIMIT 1`

function input({ db, pipeline }: InputRoutesDeps): Response {
  const { counters, socket, status } = pipeline
  const oldest = db.get<{ at: number }>(OLDEST_WAITING)
  return jsonAnswer(200, {
    enabled: status.udpListening !== null,
    listening: status.udpListening === true,
    address: socket?.address ?? null,
    port: socket?.port ?? null,
    receiveBufferBytes: socket?.receiveBuffer ?? null,
    received: counters.received,
    rejected: counters.failed,
    dropped: counters.dropped,
    waiting: { events: status.pendingEvents, oldestAt: oldest ? new Date(oldest.at).toISOString() : null },
    sources: listSources(db).map(({ sender, host, firstAt, lastAt, messages, rejected }) => ({
      from: sender,
      host: host === '' ? null : host,
      firstSeen: new Date(firstAt).toISOString(),
      lastSeen: new Date(lastAt).toISOString(),
      messages,
      rejected,
    })),
  })
}

async function begin({ pipeline }: InputRoutesDeps): Promise<Response> {
  if (pipeline.status.udpListening !== true) {
    const details = 'Set Butler.udpServerConfig.enable to true, and see in the log why the port could not be opened.'
    throw refusal('UDP_NOT_LISTENING', details)
  }
  const test = await pipeline.selfTests.begin()
  return jsonAnswer(201, { ...answerOf(test), datagram: selfTestDatagram(test.token) })
}

function result({ pipeline }: InputRoutesDeps, token: string): Response {
  const test = pipeline.selfTests.find(token)
  if (test) return jsonAnswer(200, answerOf(test))
  const details =
    'POST /v4/udp/self-test hands out a token; it is remembered until Footman stops or 20 newer ones exist.'
  throw refusal('SELF_TEST_NOT_FOUND', details)
}

const answerOf = ({ token, expiresAt, arrived }: SelfTest) => ({
  token,
  expiresAt: new Date(expiresAt).toISOString(),
  arrived: arrived !== null,
  from: arrived?.sender ?? null,
  arrivedAt: arrived ? new Date(arrived.at).toISOString() : null,
})
