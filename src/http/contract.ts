/** The contracts of the endpoints about the server itself: its health, its callers, and the audit. Times are ISO 8601. */
import { z } from 'zod'
import { type AnswerOf, contract, type Shape } from './endpoint/contract.ts'
import { LIST_PARAMETERS, NO_QUERY, queryField } from './endpoint/list-query.ts'

export const PING = contract({
  method: 'GET',
  path: '/v4/butlerping',
  answers: () => ({
    200: z.strictObject({ response: z.string(), butlerVersion: z.string() }).describe('Footman is running.'),
  }),
})

export const ENABLED_ENDPOINTS = contract({
  method: 'GET',
  path: '/v4/configfile/endpointsenabled',
  answers: () => ({ 200: z.array(z.string()).describe('The switches that are on, in order.') }),
})

/** `waiting`: for something that is to be made in Qlik Sense. */
const checkState = () => z.enum(['up', 'down', 'off', 'degraded', 'waiting'])
export type CheckState = Shape<typeof checkState>

const health = () =>
  z.strictObject({
    statusCode: z.int(),
    status: z.enum(['ok', 'ko']),
    checks: z
      .record(z.string(), checkState())
      .describe('The single parts; for callers with the scope `metrics:read`, or on this machine while access is open.')
      .optional(),
    reasons: z
      .record(z.string(), z.string())
      .describe('The fault of a part and its fix, where there is more to say; for callers that see `checks`.')
      .optional(),
    footman: z
      .strictObject({ version: z.string(), configuration: z.string().nullable() })
      .describe(
        'Version and configuration file (null = none) of the running Footman; for callers with the scope `admin`, or on this machine while access is open.',
      )
      .optional(),
  })
export type Health = Shape<typeof health>

export const HEALTH = contract({
  method: 'GET',
  path: '/health',
  answers: () => ({
    200: health().describe('Every listener that is switched on is up.'),
    503: health().describe('A vital part is down.'),
  }),
})

export const LIVE = contract({
  method: 'GET',
  path: '/health/live',
  answers: () => ({
    200: z.strictObject({ statusCode: z.int(), status: z.literal('ok') }).describe('The process runs.'),
  }),
})

export const ACCESS_KEYS = contract({
  method: 'GET',
  path: '/v4/access/keys',
  query: NO_QUERY,
  answers: () => ({
    200: z
      .strictObject({
        keys: z.array(
          z.strictObject({
            id: z.string(),
            scopes: z.array(z.string()),
            expiresAt: z.string().nullable().describe('Null = never.'),
            lastUsedAt: z
              .string()
              .nullable()
              .describe(
                'By a program, or by a page of a console session that was opened with the key; on another node of a cluster up to a minute earlier than it was. Null = never.',
              ),
            lastAddress: z.string().nullable().describe('From where.'),
          }),
        ),
      })
      .describe('The keys; none while access control is off.'),
  }),
})
export type AccessKeys = AnswerOf<typeof ACCESS_KEYS>

export const AUDIT_OUTCOMES = ['ok', 'denied', 'failed'] as const

const auditEntry = () =>
  z.strictObject({
    id: z.string(),
    at: z.string(),
    actor: z.string().describe('`key:erp`, `anonymous`, `mqtt:<topic>`, `schedule:<id>`, `retry`.'),
    address: z.string().nullable().describe('Null when the action did not come over the network.'),
    action: z.string().describe('`task.start`.'),
    target: z.array(z.string()).describe('Ids or names of what was acted on.'),
    status: z.number().nullable().describe('HTTP status of the answer; null where there is none.'),
    outcome: z.enum(AUDIT_OUTCOMES),
    requestId: z.string().nullable(),
    detail: z.string().nullable(),
    via: z.literal('console').optional().describe('On a page of the console.'),
  })
export type AuditItem = Shape<typeof auditEntry>

export const AUDIT = contract({
  method: 'GET',
  path: '/v4/audit',
  query: () =>
    z.object({
      actor: queryField.texts().describe('Glob: `key:*`.').optional(),
      action: queryField.texts().describe('Glob: `task.*`.').optional(),
      outcome: queryField.words(AUDIT_OUTCOMES).optional(),
      request: queryField
        .text()
        .describe('Id of the request, as `X-Request-Id` and error messages show it.')
        .optional(),
      target: queryField.text().describe('Id of what it was done to, such as a task or a delivery.').optional(),
      via: queryField.word(['console']).describe('Only what was done on pages of the console.').optional(),
      ...LIST_PARAMETERS,
    }),
  answers: () => ({
    200: z.strictObject({ audit: z.array(auditEntry()), nextCursor: z.string().nullable() }).describe('The entries.'),
  }),
})
export type AuditList = AnswerOf<typeof AUDIT>

export const AUDIT_CHECK = contract({
  method: 'GET',
  path: '/v4/audit/verify',
  answers: () => ({
    200: z
      .strictObject({
        checked: z.int().describe('Entries whose hash was checked.'),
        unchained: z.int().describe('Entries of a version before the chain, without a hash.'),
        chains: z.array(
          z.strictObject({
            chain: z.string().describe('Node that wrote it, and a random part.'),
            own: z.boolean().describe('Continued by the node that answers.'),
            first: z.int().nullable().describe('Number of its oldest entry here.'),
            last: z.int().nullable().describe('Number of its newest entry here.'),
            hash: z.string().nullable().describe('Hash of the newest entry; it covers all before.'),
          }),
        ),
        broken: z
          .strictObject({ chain: z.string(), n: z.int(), id: z.string().nullable(), reason: z.string() })
          .nullable()
          .describe('The first entry that is not as it was written, without an id where it is missing; null = none.'),
      })
      .describe('The result, broken or not.'),
  }),
})
export type ChainCheck = AnswerOf<typeof AUDIT_CHECK>
