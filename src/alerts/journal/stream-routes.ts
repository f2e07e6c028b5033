/** `/v4/stream`: changes as they happen, as server-sent events. */
import { z } from 'zod'
import { requireScope } from '../../http/endpoint/caller.ts'
import type { EventStreams } from '../../http/endpoint/event-stream.ts'
import { invalidQuery, onlyParameters, wordsParameter } from '../../http/endpoint/list-query.ts'
import type { ApiRequest, ApiRoute, RouteDescription } from '../../http/endpoint/route.ts'
import { type ChangeFeed, TOPICS, type Topic } from './change-feed.ts'
import { anyOf } from './words.ts'

export interface StreamRoutesDeps {
  readonly feed: ChangeFeed
  readonly streams: EventStreams
}

const STREAM: RouteDescription = {
  summary: 'Follow what happens as server-sent events',
  description:
    'Each change of state is one message; its `id` is a sequence number, and a connection that begins with `Last-Event-ID` goes on after that one.',
  schemas: {
    query: z.object({ topic: anyOf(TOPICS) }),
    responses: { 200: z.string().describe('The stream.') },
  },
  failures: { 503: 'Too many streams are open.' },
}

/** What a topic needs beyond the scope of the endpoint. */
const SCOPES: Readonly<Record<Topic, string>> = {
  event: 'event:read',
  delivery: 'event:read',
  execution: 'task:read',
  schedule: 'schedule:read',
  file: 'file:write',
}

export function streamRoutes(deps: StreamRoutesDeps): ApiRoute[] {
  return [
    {
      methods: ['GET'],
      path: '/v4/stream',
      endpoint: null,
      scope: 'event:read',
      ...STREAM,
      handle: (request) => stream(deps, request),
    },
  ]
}

function stream({ feed, streams }: StreamRoutesDeps, request: ApiRequest): Response {
  onlyParameters(request.query, ['topic'])
  const topics = topicsOf(request)
  const after = lastEventId(request)
  return streams.open(() => feed.source(topics, after))
}

/** The topics asked for, each of which the caller must be allowed to read; else all that it may. */
function topicsOf({ query, caller }: ApiRequest): readonly Topic[] {
  const asked = wordsParameter(query, 'topic', TOPICS)
  if (!asked) return TOPICS.filter((topic) => caller.may(SCOPES[topic]))
  for (const topic of asked) requireScope(caller, SCOPES[topic])
  return asked
}

function lastEventId({ headers }: ApiRequest): number | null {
  const id = headers.get('last-event-id')
  if (id === null || id === '') return null
  if (/^\d{1,15}$/.test(id)) return Number(id)
  throw invalidQuery([{ path: 'Last-Event-ID', message: 'must be the id of a message of this stream' }])
}
