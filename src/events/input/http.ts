/** `/v4/udp`: the input of messages, who sends them, and a test that they arrive. */

import { onlyParameters } from '../../http/endpoint/list-query.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer } from '../../http/endpoint/route.ts'
import { refusedWithCode } from '../../http/errors.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { IngestCounters } from '../counters.ts'
import { selfTestDatagram } from '../ingest/self-test.ts'
import * as about from './descriptions.ts'
import type { SelfTest, SelfTests } from './self-tests.ts'
import { listSources } from './sources.ts'

export interface InputRoutesDeps {
  readonly db: Database
  readonly pipeline: {
    readonly counters: IngestCounters
    readonly socket: { readonly address: string; readonly port: number; readonly receiveBuffer: number } | null
    readonly selfTests: SelfTests
    readonly status: { readonly udpListening: boolean | null }
  }
}

export function inputRoutes(deps: InputRoutesDeps): ApiRoute[] {
  const common = { endpoint: null, scope: 'event:read' } as const
  return [
    { ...common, methods: ['GET'], path: '/v4/udp', ...about.INPUT, handle: (request) => input(deps, request) },
    {
      ...{ ...common, methods: ['POST'], path: '/v4/udp/self-test', body: 'ignored', action: 'udp.selfTest' },
      ...about.BEGIN,
      handle: () => begin(deps),
    },
    {
      ...{ ...common, methods: ['GET'], path: '/v4/udp/self-test/{token}' },
      ...about.RESULT,
      handle: ({ params }) => result(deps, params.token ?? ''),
    },
  ]
}

function input({ db, pipeline }: InputRoutesDeps, { query }: ApiRequest): Response {
  onlyParameters(query, [])
  const { counters, socket, status } = pipeline
  return jsonAnswer(200, {
    enabled: status.udpListening !== null,
    listening: status.udpListening === true,
    address: socket?.address ?? null,
    port: socket?.port ?? null,
    receiveBufferBytes: socket?.receiveBuffer ?? null,
    received: counters.received,
    rejected: counters.failed,
    dropped: counters.dropped,
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
    throw refusedWithCode(409, 'UDP_NOT_LISTENING', 'UDP is not listened to', details)
  }
  const test = await pipeline.selfTests.begin()
  return jsonAnswer(201, { ...answerOf(test), datagram: selfTestDatagram(test.token) })
}

function result({ pipeline }: InputRoutesDeps, token: string): Response {
  const test = pipeline.selfTests.find(token)
  if (test) return jsonAnswer(200, answerOf(test))
  const details =
    'POST /v4/udp/self-test hands out a token; it is remembered until Footman stops or 20 newer ones exist.'
  throw refusedWithCode(404, 'SELF_TEST_NOT_FOUND', 'Self-test not found', details)
}

const answerOf = ({ token, expiresAt, arrived }: SelfTest) => ({
  token,
  expiresAt: new Date(expiresAt).toISOString(),
  arrived: arrived !== null,
  from: arrived?.sender ?? null,
  arrivedAt: arrived ? new Date(arrived.at).toISOString() : null,
})
