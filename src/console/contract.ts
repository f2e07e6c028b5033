/**
 * The contracts of the sessions of the console, and of the endpoints about this Footman, its configuration and its cluster.
 * Times are ISO 8601.
 */
import { z } from 'zod'
import { type AnswerOf, contract, type Shape } from '../http/endpoint/contract.ts'
import { NO_QUERY, queryField } from '../http/endpoint/list-query.ts'

export const SIGN_IN_LINK = contract({
  method: 'POST',
  path: '/v4/sessions/link',
  body: 'ignored',
  answers: () => ({
    201: z
      .strictObject({ path: z.string().describe('Below the address of Footman.'), expiresAt: z.string().nullable() })
      .describe('The link; while access control is off, the console itself.'),
    403: 'The caller is not the command line on this machine.',
  }),
})

export const SESSIONS = contract({
  method: 'GET',
  path: '/v4/sessions',
  query: NO_QUERY,
  answers: () => ({
    200: z
      .strictObject({
        sessions: z.array(
          z.strictObject({
            id: z.string(),
            actor: z.string().describe('`reader:<address>` for a reader of reports.'),
            address: z.string().describe('Where it was seen last.'),
            browser: z.string(),
            createdAt: z.string(),
            lastSeenAt: z.string(),
            expiresAt: z.string(),
            current: z.boolean().describe('The one that asks.'),
          }),
        ),
      })
      .describe('The sessions, the one seen last first.'),
  }),
})
export type SessionList = AnswerOf<typeof SESSIONS>

export const END_SESSION = contract({
  method: 'DELETE',
  path: '/v4/sessions/{id}',
  params: () => z.object({ id: z.string() }),
  answers: () => ({ 204: z.void(), 404: 'There is no such session, or it is not one of the caller.' }),
})

export const ABOUT = contract({
  method: 'GET',
  path: '/v4/about',
  query: NO_QUERY,
  answers: () => ({
    200: z
      .strictObject({
        version: z.string(),
        commit: z.string(),
        platform: z.string(),
        role: z.string().describe('`primary` or `satellite`.'),
        node: z.string(),
        shadow: z.boolean(),
        startedAt: z.string(),
        timezone: z.string(),
        publicUrl: z.string().nullable().describe('Address of the console for browsers.'),
        actor: z.string().describe('The caller.'),
        scopes: z.array(z.string()).describe('Rights of the caller.'),
        places: z.array(z.string()).describe('Places of the console that the caller may open.'),
        dataDirectory: z
          .strictObject({
            freeBytes: z.int(),
            databases: z.array(z.strictObject({ name: z.string(), bytes: z.int() })),
          })
          .optional()
          .describe('For callers with the scope `admin`.'),
      })
      .describe('About this Footman.'),
  }),
})
export type About = AnswerOf<typeof ABOUT>

export const SEARCH = contract({
  method: 'GET',
  path: '/v4/search',
  query: () =>
    z.object({
      q: queryField
        .text()
        .describe('At least two characters of a name, one with `kind`; or an id, or its first eight digits or more.'),
      kind: queryField.word(['Tasks']).describe('Only this group.').optional(),
      limit: queryField.integer(1, 50).describe('Most items of a group; default 8.').optional(),
    }),
  answers: () => ({
    200: z
      .strictObject({
        groups: z.array(
          z.strictObject({
            kind: z.string(),
            items: z.array(
              z.strictObject({
                id: z.string(),
                title: z.string(),
                detail: z.string(),
                path: z.string().describe('Page of the console.'),
                state: z.string().nullable(),
                matched: z
                  .strictObject({ field: z.string(), text: z.string() })
                  .describe(
                    'The field with the words: `name`, `app`, `name and app`. `text` = those other than the name.',
                  ),
              }),
            ),
          }),
        ),
        exact: z
          .strictObject({ kind: z.string(), path: z.string() })
          .nullable()
          .describe('The only thing whose id is or begins so: event, delivery, execution, task, app or request.'),
        partial: z.boolean().describe('Not all events, or not all of a long list were looked at.'),
      })
      .describe('The findings, in groups.'),
  }),
})
export type Findings = AnswerOf<typeof SEARCH>

/** The kinds of things that fields of forms name; `taskId` and `appId` are for fields that take ids. */
export const LOOKUPS = [
  'task',
  'taskId',
  'app',
  'appId',
  'stream',
  'tag',
  'customProperty',
  'customPropertyValue',
  'person',
  'calendar',
  'window',
  'destination',
  'node',
  'timezone',
] as const
export type Lookup = (typeof LOOKUPS)[number]

export const LOOKUP = contract({
  method: 'GET',
  path: '/v4/lookup/{what}',
  params: () => z.object({ what: z.enum(LOOKUPS).describe('The kind of things.') }),
  query: () =>
    z.object({
      q: queryField.text().describe('A part of the name; without one the first of all names.').optional(),
      of: queryField.text().describe('For `customPropertyValue`: the name of the property.').optional(),
    }),
  answers: () => ({
    200: z
      .strictObject({
        suggestions: z.array(
          z.strictObject({
            value: z.string().describe('Goes into the field: an id, or a name where the configuration takes names.'),
            label: z.string(),
            detail: z
              .string()
              .optional()
              .describe('The app of a task, the stream of an app, the type of a destination.'),
          }),
        ),
      })
      .describe('The 20 best.'),
  }),
})
export type Suggestion = AnswerOf<typeof LOOKUP>['suggestions'][number]

export const CONFIG = contract({
  method: 'GET',
  path: '/v4/config',
  query: () =>
    z.object({ format: z.enum(['json', 'yaml']).describe('yaml: the text alone. Default json.').optional() }),
  answers: () => ({
    200: z
      .strictObject({
        file: z.string().nullable(),
        inUseSince: z.string(),
        // Its form is that of the file.
        configuration: z
          .looseObject({})
          .describe('The section `Butler` with its defaults; secrets and addresses masked.'),
      })
      .describe('The configuration; with `format=yaml` the text.'),
  }),
})
export type CurrentConfiguration = AnswerOf<typeof CONFIG>

export const CONFIG_PROBLEMS = contract({
  method: 'GET',
  path: '/v4/config/problems',
  query: NO_QUERY,
  answers: () => ({
    200: z
      .strictObject({
        problems: z.array(
          z.strictObject({
            severity: z.enum(['error', 'warning', 'info']),
            path: z.string(),
            message: z.string(),
            hint: z.string().nullable(),
            feature: z.string().nullable().describe('The section that the problem switches off.'),
            line: z.int().describe('0 = not in a line.'),
            column: z.int(),
          }),
        ),
        pending: z
          .strictObject({
            changedAt: z.string().nullable().describe('When the file was written.'),
            difference: z.string().describe('Lines `- key: before` and `+ key: after`, masked.'),
            needsRestart: z.array(z.string()),
          })
          .nullable()
          .describe('Of the file and not in use; null = the file is in use.'),
      })
      .describe('Problems of the file, and its changes that are not in use yet.'),
  }),
})
export type ConfigProblems = AnswerOf<typeof CONFIG_PROBLEMS>

export const RELOAD_CONFIG = contract({
  method: ['POST', 'PUT'],
  path: '/v4/config/reload',
  body: () => z.object({ dryRun: z.boolean().optional().describe('Only say what would change.') }),
  answers: () => ({
    200: z
      .strictObject({
        changed: z.array(z.string()).describe('Settings that are in use now, or would be.'),
        needsRestart: z
          .array(z.string())
          .describe('Settings that have changed since the start and wait for a restart.'),
        dryRun: z.boolean(),
        inUseSince: z
          .string()
          .describe(
            'When the last settings that can change came into use, or Footman started; of a dry run, before it.',
          ),
      })
      .describe('The changed keys.'),
    400: 'The file has errors; `issues` names each',
  }),
})
export type ReloadResult = AnswerOf<typeof RELOAD_CONFIG>

const MODES = ['joining', 'follower', 'leader', 'alone', 'leaving'] as const

const leadership = () =>
  z.strictObject({
    epoch: z.int(),
    node: z.string(),
    from: z.string(),
    reason: z
      .string()
      .describe(
        '`first` of the cluster, `handedOver`, `expired` (the one before was silent), `restart` (the same node again); `free` of older versions.',
      ),
  })

const node = () =>
  z.strictObject({
    name: z.string(),
    mode: z.enum(MODES),
    version: z.string(),
    candidate: z.boolean(),
    url: z.string().nullable(),
    startedAt: z.string(),
    seenAt: z.string(),
    seenAgoMs: z.int(),
    appliedRev: z.int(),
    waiting: z.int(),
    clockOffsetMs: z.int(),
    // In the form of the version that the node has.
    health: z.record(z.string(), z.unknown()),
  })
export type ClusterNode = Shape<typeof node>

const sharedCluster = () =>
  z.strictObject({
    mode: z.enum(MODES).describe('The part of the node that answers.'),
    node: z.string().describe('The node that answers.'),
    modeSince: z.string(),
    clusterId: z.string().nullable(),
    database: z.strictObject({
      host: z.string().nullable(),
      timeline: z.int().nullable(),
      up: z.boolean(),
      reason: z.string().describe('Why the database cannot be used; empty while it can.'),
      refused: z.boolean().describe('It answers, and does not let this node in.'),
    }),
    leader: leadership().nullable(),
    appliedRev: z.int(),
    headRev: z.int(),
    followLagMs: z.int(),
    clockOffsetMs: z.int(),
    waiting: z.int().describe('Messages that this node has accepted and not offered to the others yet.'),
    unshippedRows: z.int(),
    inboxOpen: z.int().describe('Messages that the leader has not taken yet.'),
    nodes: z.array(node()),
    configDiffers: z
      .record(z.string(), z.array(z.string()))
      .describe('Sections of the configuration, and the nodes that have another one than the leader.'),
    leaderships: z.array(leadership()).describe('The last 20, newest first.'),
  })
/** The answer of a node that is one of several. */
export type SharedCluster = Shape<typeof sharedCluster>

export const CLUSTER = contract({
  method: 'GET',
  path: '/v4/cluster',
  query: NO_QUERY,
  answers: () => ({
    200: z
      .union([z.strictObject({ mode: z.literal('single').describe('There is no cluster.') }), sharedCluster()])
      .describe('The cluster as this node sees it.'),
  }),
})

const DATABASE_FAILURES = {
  503: 'The database of the cluster cannot be used by this node. Nothing was done.',
  504: 'The connection to the database broke before it answered.',
} as const

export const STEP_DOWN = contract({
  method: 'POST',
  path: '/v4/cluster/stepdown',
  query: NO_QUERY,
  body: 'ignored',
  answers: () => ({
    202: z.strictObject({ node: z.string().describe('The node that leads no more.') }).describe('It hands over.'),
    404: 'This node works on its own.',
    409: 'No other node runs that may lead.',
    ...DATABASE_FAILURES,
  }),
})

export const REMOVE_NODE = contract({
  method: 'DELETE',
  path: '/v4/cluster/nodes/{name}',
  params: () => z.object({ name: z.string().min(1) }),
  query: NO_QUERY,
  answers: () => ({
    204: z.void().describe('It is off the list.'),
    404: 'There is no such node, or no cluster.',
    409: 'It runs.',
    ...DATABASE_FAILURES,
  }),
})
