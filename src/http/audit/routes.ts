/** `GET /v4/audit`: the audit, newest first. */
import { z } from 'zod'
import { globMatcher } from '../../platform/glob.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock } from '../../platform/types.ts'
import { isGuid } from '../../platform/uuid.ts'
import { DEFAULT_LIMIT, invalidCursor, LIST_PARAMETERS, queryField } from '../endpoint/list-query.ts'
import { type ApiRoute, jsonAnswer, type RouteExample, route } from '../endpoint/route.ts'
import { type AuditOutcome, findEntries, type StoredAuditEntry } from './audit.ts'

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
  actor: queryField.texts().describe('Glob: `key:*`.').optional(),
  action: queryField.texts().describe('Glob: `task.*`.').optional(),
  outcome: queryField.words(OUTCOMES).optional(),
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

export function auditRoutes({ db, clock }: { db: Database; clock: Clock }): ApiRoute[] {
  return [
    route({
      method: 'GET',
      path: '/v4/audit',
      scope: 'admin',
      summary: 'List who did what',
      description: 'Newest first.',
      query: QUERY,
      answers: { 200: ANSWER.describe('The entries.') },
      examples: [EXAMPLE],
      async handle({ query: { limit = DEFAULT_LIMIT, cursor, from, to, ...filter } }) {
        const now = clock.now()
        const found = await findEntries(db, {
          before: idInCursor(cursor),
          from: from?.(now) ?? null,
          to: to?.(now) ?? null,
          matches: matcherOf(filter),
          limit: limit + 1,
        })
        const page = found.slice(0, limit)
        const last = page.at(-1)
        const nextCursor = found.length > limit && last ? Buffer.from(last.id).toString('base64url') : null
        return jsonAnswer(200, { audit: page.map(entryAnswer), nextCursor })
      },
    }),
  ]
}

type Filter = Pick<z.output<typeof QUERY>, 'actor' | 'action' | 'outcome'>

function matcherOf({
  actor = ['*'],
  action = ['*'],
  outcome = OUTCOMES,
}: Filter): (entry: StoredAuditEntry) => boolean {
  const isActor = globMatcher(actor)
  const isAction = globMatcher(action)
  return (entry) => isActor(entry.actor) && isAction(entry.action) && outcome.includes(entry.outcome)
}

function idInCursor(text: string | undefined): string | null {
  if (text === undefined) return null
  const id = Buffer.from(text, 'base64url').toString()
  if (isGuid(id)) return id
  throw invalidCursor()
}

const entryAnswer = ({ id, at, ...entry }: StoredAuditEntry) => ({ id, at: new Date(at).toISOString(), ...entry })
