/** `GET /v4/audit`: who did what, newest first. */
import { z } from 'zod'
import { globMatcher } from '../../platform/glob.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock } from '../../platform/types.ts'
import { isGuid } from '../../platform/uuid.ts'
import type { RouteExample } from '../endpoint/description.ts'
import { refusedWithCode } from '../endpoint/errors.ts'
import { invalidQuery, limitParameter, onlyParameters, textParameter, timeParameter } from '../endpoint/list-query.ts'
import { LIST_PARAMETERS } from '../endpoint/list-schemas.ts'
import { type ApiRequest, type ApiRoute, jsonAnswer } from '../endpoint/route.ts'
import type { AuditOutcome, StoredAuditEntry } from './audit.ts'
import { findEntries } from './audit.ts'

const OUTCOMES = ['ok', 'denied', 'failed'] as const satisfies AuditOutcome[]

const ENTRY = z.object({
  id: z.string(),
  at: z.string(),
  actor: z.string(),
  address: z.string().nullable(),
  action: z.string(),
  target: z.array(z.string()),
  status: z.number().nullable(),
  outcome: z.enum(OUTCOMES),
  requestId: z.string().nullable(),
  detail: z.string().nullable(),
})

const QUERY = z.object({
  actor: z.string().describe('Glob: `key:*`.').optional(),
  action: z.string().describe('Glob: `task.*`.').optional(),
  outcome: z.enum(OUTCOMES).optional(),
  ...LIST_PARAMETERS,
})

const EXAMPLE: RouteExample = {
  name: 'starts-of-a-day',
  query: { action: 'task.*', from: '24h' },
  status: 200,
  answer: {
    audit: [
      {
        id: '019cad26-6358-781f-b7a0-43a6f767e7c9',
        at: '2026-03-02T06:05:00.120Z',
        actor: 'key:erp',
        address: '10.1.2.3',
        action: 'task.start',
        target: ['a8b4c123-def4-5678-9abc-def012345678'],
        status: 200,
        outcome: 'ok',
        requestId: '019cad26-62e0-7f58-b914-5b24d108d7ac',
        detail: '1 started',
      },
    ],
    nextCursor: null,
  },
}

const ANSWER = z.object({ audit: z.array(ENTRY), nextCursor: z.string().nullable() })

export function auditRoutes(deps: { db: Database; clock: Clock }): ApiRoute[] {
  return [
    {
      methods: ['GET'],
      path: '/v4/audit',
      endpoint: null,
      scope: 'admin',
      summary: 'List who did what',
      description: 'Newest first.',
      schemas: { query: QUERY, responses: { 200: ANSWER.describe('The entries.') } },
      examples: [EXAMPLE],
      handle: (request) => list(deps, request),
    },
  ]
}

async function list({ db, clock }: { db: Database; clock: Clock }, { query }: ApiRequest): Promise<Response> {
  onlyParameters(query, Object.keys(QUERY.shape))
  const now = clock.now()
  const limit = limitParameter(query)
  const found = await findEntries(db, {
    before: cursorIn(query),
    from: timeParameter(query, 'from', now),
    to: timeParameter(query, 'to', now),
    matches: wanted(query),
    limit: limit + 1,
  })
  const page = found.slice(0, limit)
  const last = page.at(-1)
  const nextCursor = found.length > limit && last ? Buffer.from(last.id).toString('base64url') : null
  return jsonAnswer(200, { audit: page.map(entryAnswer), nextCursor })
}

function wanted(query: ApiRequest['query']): (entry: StoredAuditEntry) => boolean {
  const actor = globsOf(query.actor)
  const action = globsOf(query.action)
  const outcomes = query.outcome === undefined ? OUTCOMES : [query.outcome].flat()
  if (outcomes.some((one) => !OUTCOMES.some((known) => known === one))) {
    throw invalidQuery([{ path: 'outcome', message: `must be one of ${OUTCOMES.join(', ')}` }])
  }
  return (entry) => actor(entry.actor) && action(entry.action) && outcomes.some((one) => one === entry.outcome)
}

const globsOf = (value: string | readonly string[] | undefined) =>
  value === undefined ? () => true : globMatcher([value].flat())

function cursorIn(query: ApiRequest['query']): string | null {
  const text = textParameter(query, 'cursor')
  if (text === undefined) return null
  const id = Buffer.from(text, 'base64url').toString()
  if (isGuid(id)) return id
  throw refusedWithCode(400, 'INVALID_CURSOR', 'Invalid cursor', 'Use nextCursor of the answer before, unchanged.')
}

const entryAnswer = ({ id, at, ...entry }: StoredAuditEntry) => ({ id, at: new Date(at).toISOString(), ...entry })
