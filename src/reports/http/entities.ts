/** The endpoints that every kind of definition has: list, create, read, replace, change, delete. */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { DEFAULT_LIMIT, LIST_PARAMETERS, queryField } from '../../http/endpoint/list-query.ts'
import {
  type ApiRequest,
  type ApiRoute,
  jsonAnswer,
  type RouteExample,
  looseRoute as route,
} from '../../http/endpoint/route.ts'
import { isObject } from '../../http/endpoint/validation.ts'
import { reportCondition } from '../entities/condition.ts'
import { STORED_MEMBERS } from '../entities/fields.ts'
import { reportFilter } from '../entities/filter.ts'
import { recipient, recipientGroup } from '../entities/recipient.ts'
import { report } from '../entities/report.ts'
import { reportTask } from '../entities/task.ts'
import { refuseIssues } from '../issues.ts'
import { type Entities, type Kind, RULES } from '../kinds.ts'
import { editable, type StoredOf } from '../rows.ts'
import { notFound } from '../store.ts'
import {
  bodyObject,
  checkedId,
  type EntityDeps,
  listedTask,
  OFFSET,
  requireRevision,
  requireSources,
  requireSourcesOf,
  STORED,
  shown,
  tagOf,
} from './common.ts'

interface EntityRoutesDeps extends EntityDeps {
  /** Rejects when the template of a report does not fit it; called before it is saved. */
  readonly checkTemplateOf: (entity: Entities['report'], id: string) => Promise<void>
}

/** Forms of bodies and examples, for the description of the API. */
const DESCRIPTIONS: Readonly<Record<Kind, { readonly body: () => z.ZodType; readonly example: unknown }>> = {
  task: { body: reportTask, example: { project: 'Sales', name: 'Weekly sales pack', tags: ['weekly'] } },
  report: {
    body: report,
    example: {
      project: 'Sales',
      name: 'Sales pack',
      appId: 'ccc1e1c1-6f4e-4a9d-8b3b-8a3d8a0e1c77',
      blocks: [{ key: 'kpis', type: 'kpi', items: [{ label: 'Revenue', expr: '=Sum(Sales)' }] }],
    },
  },
  filter: {
    body: reportFilter,
    example: { project: 'Sales', name: 'Nordics', clauses: [{ type: 'values', field: 'Country', values: ['Sweden'] }] },
  },
  condition: {
    body: reportCondition,
    example: { project: 'Sales', name: 'Reloaded today', rules: [{ type: 'lastReload', is: 'today' }] },
  },
  recipient: { body: recipient, example: { name: 'Anna Berg', email: 'anna@company.com' } },
  group: { body: recipientGroup, example: { name: 'Regional managers' } },
}

/** The parameters of the list of each kind. */
function queryOf(kind: Kind): z.ZodObject {
  const page = { limit: LIST_PARAMETERS.limit, offset: OFFSET() }
  const name = { name: queryField.text().describe('Part of the name, ignoring case.').optional() }
  if (kind === 'recipient' || kind === 'group') return z.object({ ...name, ...page })
  const project = { project: queryField.text().describe('Definitions of this project.').optional() }
  if (kind === 'filter' || kind === 'condition') return z.object({ ...project, ...name, ...page })
  const tag = { tag: queryField.text().describe('Definitions with this tag.').optional() }
  if (kind === 'report') return z.object({ ...project, ...tag, ...name, ...page })
  return z.object({
    ...project,
    ...tag,
    enabled: queryField.boolean().optional(),
    ...name,
    ...page,
    full: z.enum(['0', '1', 'true', 'false']).describe('1: with all members.').optional(),
  })
}

interface ListParameters {
  readonly project?: string
  readonly tag?: string
  readonly enabled?: boolean
  readonly name?: string
  readonly limit?: number
  readonly offset?: number
  readonly full?: string
}

const CONFLICTS = {
  409: 'The name is taken; or the task is to be on and something is missing.',
  412: 'It is not at the revision of `If-Match`.',
}

/** GET, POST on the path of the kind; GET, PUT, PATCH and DELETE on that of one definition. */
export function entityRoutes(kind: Kind, deps: EntityRoutesDeps): ApiRoute[] {
  const { store } = deps
  const { path, member, type, label } = RULES[kind]
  const { body, example } = DESCRIPTIONS[kind]
  const idName = kind === 'task' ? 'taskId' : 'id'
  const one = `${path}/{${idName}}`
  const action = type.toLowerCase()
  const what = label.toLowerCase()
  const examples = (status: number): RouteExample[] => [{ name: 'example', body: example, status }]

  const idOf = ({ params }: Pick<ApiRequest, 'params'>): string => checkedId(kind, params[idName] ?? '')

  function existing(id: string): StoredOf<Kind> {
    const found = store.get(kind, id)
    if (!found) throw notFound(kind, id)
    return found
  }

  /** Saves the definition that `make` returns of the present one. */
  async function save(
    request: ApiRequest,
    id: string,
    make: (before: StoredOf<Kind> | null) => unknown,
  ): Promise<StoredOf<Kind>> {
    const check = (before: StoredOf<Kind> | null): Entities[Kind] => {
      if (before) requireRevision(request, kind, before.revision)
      const parsed = RULES[kind].parse(make(before))
      if (!parsed.ok) throw refuseIssues(parsed.issues)
      return parsed.value
    }
    const before = store.get(kind, id) ?? null
    const seen = check(before)
    if (kind === 'report') await deps.checkTemplateOf(seen as Entities['report'], id)
    return store.edit(request.caller.actor, (edit) => {
      const present = edit.get(kind, id) ?? null
      if (before && !present) throw notFound(kind, id)
      const entity = check(present)
      if (kind === 'condition') requireSources(request.caller, [entity as Entities['condition']])
      if (kind === 'task') {
        requireSourcesOf(request.caller, entity as Entities['task'], (one) => edit.get('condition', one))
      }
      edit.save([{ kind, id, entity }])
      const after = edit.get(kind, id)!
      request.note({ target: [id], detail: after.name })
      return after
    })
  }

  const answer = (status: number, entity: StoredOf<Kind>, headers: Readonly<Record<string, string>> = {}): Response =>
    jsonAnswer(status, shown(kind, entity), { etag: tagOf(entity.revision), ...headers })

  return [
    route({
      method: 'GET',
      path,
      scope: 'report:read',
      summary: `List the ${what}s`,
      description: 'By name.',
      query: () => queryOf(kind),
      answers: () => ({ 200: z.object({ [member]: z.array(z.looseObject({ id: z.string() })), total: z.int() }) }),
      examples: [{ name: 'first', query: { limit: '1' }, status: 200 }],
      handle({ query }) {
        const { limit = DEFAULT_LIMIT, offset, full, ...filter } = query as ListParameters
        const items = store.list(kind, { ...filter, limit, offset })
        const isShort = kind === 'task' && full !== '1' && full !== 'true'
        const listed = items.map((item) => (isShort ? listedTask(item as StoredOf<'task'>, deps) : shown(kind, item)))
        return jsonAnswer(200, { [member]: listed, total: store.count(kind, filter) })
      },
    }),
    route({
      method: 'POST',
      path,
      scope: 'report:write',
      action: `${action}.create`,
      ownBodyErrors: true,
      summary: `Create a ${what}`,
      readByHandler: () => ({ body: body() }),
      answers: () => ({
        201: STORED().describe(`The ${what}; its path is in the header \`Location\`.`),
        409: CONFLICTS[409],
      }),
      examples: examples(201),
      async handle(request) {
        const id = randomUUID()
        const given = bodyObject(request)
        const saved = await save(request, id, () => withoutStored(given))
        return answer(201, saved, { location: `${path}/${id}` })
      },
    }),
    route({
      method: 'GET',
      path: one,
      scope: 'report:read',
      summary: `Show a ${what}`,
      answers: () => ({ 200: STORED().describe(`The ${what}.`) }),
      handle: (request) => answer(200, existing(idOf(request))),
    }),
    route({
      method: 'PUT',
      path: one,
      scope: 'report:write',
      action: `${action}.change`,
      ownBodyErrors: true,
      summary: `Replace a ${what}`,
      description: 'Members that are left out get their default values. Members that Footman adds are ignored.',
      readByHandler: () => ({ body: body() }),
      answers: () => ({ 200: STORED().describe(`The ${what}.`), ...CONFLICTS }),
      async handle(request) {
        const id = idOf(request)
        existing(id)
        const given = bodyObject(request)
        return answer(200, await save(request, id, () => withoutStored(given)))
      },
    }),
    route({
      method: 'PATCH',
      path: one,
      scope: 'report:write',
      action: `${action}.change`,
      ownBodyErrors: true,
      summary: `Change members of a ${what}`,
      description: 'JSON Merge Patch (RFC 7396): null resets a member, lists are replaced as a whole.',
      readByHandler: () => ({ body: z.looseObject({}) }),
      answers: () => ({ 200: STORED().describe(`The ${what}.`), ...CONFLICTS }),
      async handle(request) {
        const id = idOf(request)
        existing(id)
        const patch = bodyObject(request)
        const readOnly = STORED_MEMBERS.filter((name) => name in patch)
        if (readOnly.length > 0) throw refuseIssues(readOnly.map((name) => ({ path: name, message: 'Read only' })))
        return answer(200, await save(request, id, (before) => mergePatch(before && editable(before), patch)))
      },
    }),
    route({
      method: 'DELETE',
      path: one,
      scope: 'report:write',
      action: `${action}.delete`,
      summary: `Delete a ${what}`,
      answers: () => ({ 204: z.void(), 409: 'It is in use.', 412: CONFLICTS[412] }),
      async handle(request) {
        const id = idOf(request)
        await store.edit(request.caller.actor, (edit) => {
          const present = edit.get(kind, id)
          if (!present) throw notFound(kind, id)
          requireRevision(request, kind, present.revision)
          edit.save([{ kind, id, entity: null }])
          request.note({ target: [id], detail: present.name })
        })
        return new Response(null, { status: 204 })
      },
    }),
  ]
}

function withoutStored(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const isStored = (name: string) => (STORED_MEMBERS as readonly string[]).includes(name)
  return Object.fromEntries(Object.entries(given).filter(([name]) => !isStored(name)))
}

/** RFC 7396. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch
  const result: Record<string, unknown> = isObject(target) ? { ...target } : {}
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name]
    else result[name] = mergePatch(result[name], value)
  }
  return result
}
