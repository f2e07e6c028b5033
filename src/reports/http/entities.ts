/** The endpoints that every kind of definition has: list, create, read, replace, change, delete. */
import { randomUUID } from 'node:crypto'
import type { z } from 'zod'
import type { Contract } from '../../http/endpoint/contract.ts'
import { DEFAULT_LIMIT } from '../../http/endpoint/list-query.ts'
import { type ApiRequest, type ApiRoute, route } from '../../http/endpoint/route.ts'
import { isObject } from '../../http/endpoint/validation.ts'
import { DEFINITIONS, type DefinitionOf } from '../entities/contract.ts'
import { STORED_MEMBERS } from '../entities/fields.ts'
import { refuseIssues } from '../issues.ts'
import { type Entities, type Kind, RULES } from '../kinds.ts'
import { editable, type StoredOf, shown } from '../rows.ts'
import { notFound } from '../store.ts'
import {
  bodyObject,
  checkedId,
  checksBody,
  type EntityDeps,
  EXAMPLE_ID,
  listedTask,
  requireRevision,
  requireSources,
  requireSourcesOf,
  tagOf,
} from './common.ts'

interface EntityRoutesDeps extends EntityDeps {
  /** Rejects when the template of a report does not fit it; called before it is saved. */
  readonly checkTemplateOf: (entity: Entities['report'], id: string) => Promise<void>
}

/** Bodies for the description of the API. */
export const EXAMPLES: Readonly<Record<Kind, object>> = {
  task: { project: 'Sales', name: 'Weekly sales pack', tags: ['weekly'] },
  report: {
    project: 'Sales',
    name: 'Sales pack',
    appId: 'a1000000-0000-4000-8000-000000000002',
    blocks: [{ key: 'kpis', type: 'kpi', items: [{ label: 'Revenue', expr: '=Sum(Sales)' }] }],
  },
  filter: { project: 'Sales', name: 'Nordics', clauses: [{ type: 'values', field: 'Country', values: ['Sweden'] }] },
  condition: { project: 'Sales', name: 'Reloaded today', rules: [{ type: 'lastReload', is: 'today' }] },
  recipient: { name: 'Anna Berg', email: 'anna@company.com' },
  group: { name: 'Regional managers' },
}

type Answer = DefinitionOf<Kind>
interface Answers<Status extends number> {
  readonly answers: () => Readonly<Record<Status, z.ZodType<Answer>>>
}

/** The contracts of a kind, whichever it is. */
interface KindContracts {
  readonly member: string
  readonly list: Contract<
    string,
    undefined,
    z.ZodObject,
    undefined,
    { readonly 200: z.ZodType<Readonly<Record<string, unknown>>> }
  >
  readonly create: Contract<string, undefined, undefined, z.ZodType> & Answers<201>
  readonly read: Contract<string, undefined, undefined, undefined> & Answers<200>
  readonly replace: Contract<string, undefined, undefined, z.ZodType> & Answers<200>
  readonly change: Contract<string, undefined, undefined, z.ZodType> & Answers<200>
  readonly remove: Contract<string, undefined, undefined, undefined, { readonly 204: z.ZodVoid }>
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

/** GET, POST on the path of the kind; GET, PUT, PATCH and DELETE on that of one definition. */
export function entityRoutes(kind: Kind, deps: EntityRoutesDeps): ApiRoute[] {
  const { store } = deps
  const { member, list, create, read, replace, change, remove }: KindContracts = DEFINITIONS[kind]
  const { type, label } = RULES[kind]
  const idName = kind === 'task' ? 'taskId' : 'id'
  const action = type.toLowerCase()
  const what = label.toLowerCase()
  const params = { [idName]: EXAMPLE_ID }
  const ownEmail = kind === 'recipient' && { email: 'bea@company.com' }

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

  const etagOf = ({ revision }: StoredOf<Kind>) => ({ etag: tagOf(revision) })

  return [
    route({
      ...list,
      scope: 'report:read',
      summary: `List the ${what}s`,
      description: 'By name.',
      examples: [{ name: 'first', query: { limit: '1' }, status: 200 }],
      handle({ query }, answer) {
        const { limit = DEFAULT_LIMIT, offset, full, ...filter } = query as ListParameters
        const items = store.list(kind, { ...filter, limit, offset })
        const isShort = kind === 'task' && full !== '1' && full !== 'true'
        const listed = items.map((item) => (isShort ? listedTask(item as StoredOf<'task'>, deps) : shown(kind, item)))
        return answer(200, { [member]: listed, total: store.count(kind, filter) })
      },
    }),
    route({
      ...create,
      ...checksBody(create),
      ownBodyErrors: true,
      scope: 'report:write',
      action: `${action}.create`,
      summary: `Create a ${what}`,
      examples: [{ name: 'example', body: EXAMPLES[kind], status: 201 }],
      async handle(request, answer) {
        const id = randomUUID()
        const given = bodyObject(request)
        const saved = await save(request, id, () => withoutStored(given))
        return answer(201, shown(kind, saved), { ...etagOf(saved), location: `${create.path}/${id}` })
      },
    }),
    route({
      ...read,
      scope: 'report:read',
      summary: `Show a ${what}`,
      examples: [{ name: 'example', params, status: 200 }],
      handle(request, answer) {
        const found = existing(idOf(request))
        return answer(200, shown(kind, found), etagOf(found))
      },
    }),
    route({
      ...replace,
      ...checksBody(replace),
      ownBodyErrors: true,
      scope: 'report:write',
      action: `${action}.change`,
      summary: `Replace a ${what}`,
      description: 'Members that are left out get their default values. Members that Footman adds are ignored.',
      examples: [
        { name: 'example', params, body: { ...EXAMPLES[kind], ...ownEmail, name: 'Another name' }, status: 200 },
      ],
      async handle(request, answer) {
        const id = idOf(request)
        existing(id)
        const given = bodyObject(request)
        const saved = await save(request, id, () => withoutStored(given))
        return answer(200, shown(kind, saved), etagOf(saved))
      },
    }),
    route({
      ...change,
      ...checksBody(change),
      ownBodyErrors: true,
      scope: 'report:write',
      action: `${action}.change`,
      summary: `Change members of a ${what}`,
      description: 'JSON Merge Patch (RFC 7396): null resets a member, lists are replaced as a whole.',
      examples: [{ name: 'name', params, body: { name: 'A new name' }, status: 200 }],
      async handle(request, answer) {
        const id = idOf(request)
        existing(id)
        const patch = bodyObject(request)
        const readOnly = STORED_MEMBERS.filter((name) => name in patch)
        if (readOnly.length > 0) throw refuseIssues(readOnly.map((name) => ({ path: name, message: 'Read only' })))
        const saved = await save(request, id, (before) => mergePatch(before && editable(before), patch))
        return answer(200, shown(kind, saved), etagOf(saved))
      },
    }),
    route({
      ...remove,
      scope: 'report:write',
      action: `${action}.delete`,
      summary: `Delete a ${what}`,
      examples: [{ name: 'example', params, status: 204 }],
      async handle(request, answer) {
        const id = idOf(request)
        await store.edit(request.caller.actor, (edit) => {
          const present = edit.get(kind, id)
          if (!present) throw notFound(kind, id)
          requireRevision(request, kind, present.revision)
          edit.save([{ kind, id, entity: null }])
          request.note({ target: [id], detail: present.name })
        })
        return answer(204)
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
