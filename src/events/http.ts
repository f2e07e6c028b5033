/** `/v4/udp`: the input of messages, who sends them, and a test that they arrive. */
import { type ApiRoute, from, route } from '../http/endpoint/route.ts'
import { refusal } from '../http/errors.ts'
import type { Database } from '../platform/sqlite.ts'
import { BEGIN_SELF_TEST, SELF_TEST, UDP_INPUT, type UdpInput } from './contract.ts'
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
      ...UDP_INPUT,
      scope,
      summary: 'The UDP input and who sends messages to it',
      description: 'Whether Footman listens, and when the last message of each Qlik Sense node arrived.',
      examples: [{ name: 'input', status: 200, answer: EXAMPLE_INPUT }],
      handle: (_, answer) => answer(200, input(deps)),
    }),
    route({
      ...BEGIN_SELF_TEST,
      scope: 'event:run',
      action: 'udp.selfTest',
      summary: 'Begin a self-test of the UDP input',
      description:
        'Hands out the text of a datagram. Sent to the UDP port within a minute, it is checked like every message (sender, size, rate), noted as arrived, and never becomes an event.',
      examples: [{ name: 'begin', status: 201, answer: EXAMPLE_TEST }],
      async handle(_, answer) {
        if (deps.pipeline.status.udpListening !== true) {
          const details =
            'Set Butler.udpServerConfig.enable to true, and see in the log why the port could not be opened.'
          throw refusal('UDP_NOT_LISTENING', details)
        }
        const test = await deps.pipeline.selfTests.begin()
        return answer(201, { ...answerOf(test), datagram: selfTestDatagram(test.token) })
      },
    }),
    route({
      ...SELF_TEST,
      scope,
      summary: 'Whether the datagram of a self-test has arrived',
      examples: [{ name: 'begun', params: from(BEGIN_SELF_TEST, { token: '$response.body#/token' }), status: 200 }],
      handle({ params: { token } }, answer) {
        const test = deps.pipeline.selfTests.find(token)
        if (test) return answer(200, answerOf(test))
        const details =
          'POST /v4/udp/self-test hands out a token; it is remembered until Footman stops or 20 newer ones exist.'
        throw refusal('SELF_TEST_NOT_FOUND', details)
      },
    }),
  ]
}

/** By the index of events that are not routed. */
const OLDEST_WAITING = `SELECT received_at AS at FROM event WHERE state = 'pending' AND state <> 'routed' ORDER BY seq LIMIT 1`

function input({ db, pipeline }: InputRoutesDeps): UdpInput {
  const { counters, socket, status } = pipeline
  const oldest = db.get<{ at: number }>(OLDEST_WAITING)
  return {
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
  }
}

const answerOf = ({ token, expiresAt, arrived }: SelfTest) => ({
  token,
  expiresAt: new Date(expiresAt).toISOString(),
  arrived: arrived !== null,
  from: arrived?.sender ?? null,
  arrivedAt: arrived ? new Date(arrived.at).toISOString() : null,
})
