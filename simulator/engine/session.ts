import type { SimClock, SimTimer } from '../types.ts'
import { type OpenDoc, openDoc } from './doc.ts'
import { engineError } from './errors.ts'
import { isObject } from './json.ts'
import type { Connection, EngineSession, Target } from './types.ts'
import { decodePercent, type EngineUser } from './users.ts'

const GLOBAL: Target = { type: 'Global' }
const GLOBAL_HANDLE = -1

export function createSession(user: EngineUser): EngineSession {
  const handles = new Map<number, Target>([[GLOBAL_HANDLE, GLOBAL]])
  const known = new Map<string, number>()
  let nextHandle = 1
  let doc: OpenDoc | null = null

  const notify = (member: 'change' | 'close', list: readonly number[]) => {
    if (list.length === 0) return
    for (const connection of session.connections) connection.note(member, list)
  }

  const session: EngineSession = {
    user,
    connections: new Set(),
    reloadSettings: { cancelOnScriptError: false, useErrorData: false, interactOnError: false },
    reload: null,
    get doc() {
      return doc
    },
    open(server, appId, noData) {
      const app = server.site.apps.get(appId.toLowerCase())
      if (!app) throw engineError('APP_NOT_FOUND', appId)
      if (doc) throw engineError(doc.noData === noData ? 'APP_ALREADY_OPEN' : 'ALREADY_OPEN_IN_DIFFERENT_MODE', appId)
      doc = openDoc({ app, store: server.store, clock: server.clock, user }, noData)
      return session.handleOf({ type: 'Doc', doc }, app.id)
    },
    target: (handle) => handles.get(handle) ?? null,
    handleOf(target, qGenericId, qGenericType) {
      const key = `${target.type}:${qGenericId}`
      const qHandle = known.get(key) ?? nextHandle++
      known.set(key, qHandle)
      handles.set(qHandle, target)
      const generic = qGenericType === undefined ? {} : { qGenericType }
      return { qReturn: { qType: target.type, qHandle, ...generic, qGenericId } }
    },
    release(id) {
      const key = `GenericObject:${id}`
      const handle = known.get(key)
      if (handle === undefined) return
      known.delete(key)
      handles.delete(handle)
      notify('close', [handle])
    },
    dataChanged() {
      const changed = [...handles].flatMap(([handle, target]) => (hasData(target) ? [handle] : []))
      notify('change', changed)
    },
    selected() {
      for (const connection of session.connections) connection.abortCalculations()
      session.dataChanged()
    },
    changed: (handle) => notify('change', [handle]),
  }
  return session
}

const DATA_MEMBERS: ReadonlySet<string> = new Set([
  'qHyperCubeDef',
  'qListObjectDef',
  'qSelectionObjectDef',
  'qStringExpression',
  'qValueExpression',
])

/** Whether a handle must be read again after a selection: charts, lists and expressions, not lists of objects. */
const hasData = (target: Target): boolean => target.type === 'GenericObject' && containsData(target.object.properties)

function containsData(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(containsData)
  if (!isObject(value)) return false
  return Object.entries(value).some(([key, member]) => DATA_MEMBERS.has(key) || containsData(member))
}

/** Decides which session a socket belongs to. */
export interface SessionAddress {
  /** App of the path; null for none and for `engineData`. */
  readonly appId: string | null
  readonly identity: string | null
  /** Seconds that the session outlives its last socket. */
  readonly ttl: number
}

/** Reads `/app/<id>`, `/app/<id>/identity/<any>`, `/app/<id>/ttl/<seconds>`; null for any other path. */
export function parseSessionPath(path: string): SessionAddress | null {
  const [first, app, ...options] = (path.split('?')[0] ?? '').split('/').filter((part) => part !== '')
  if (first === undefined) return { appId: null, identity: null, ttl: 0 }
  if (first !== 'app' || options.length % 2 !== 0) return null
  const option = (name: string) => {
    const index = options.findIndex((part, at) => at % 2 === 0 && part.toLowerCase() === name)
    return index < 0 ? null : decodePercent(options[index + 1] ?? '')
  }
  const appId = app === undefined || app.toLowerCase() === 'enginedata' ? null : decodePercent(app)
  return { appId, identity: option('identity'), ttl: Number(option('ttl') ?? 0) || 0 }
}

export interface SessionRegistry {
  readonly size: number
  /** Sessions that a user has at the moment. */
  countOf(user: EngineUser): number
  join(
    user: EngineUser,
    address: SessionAddress,
  ): { readonly session: EngineSession; readonly attached: boolean; leave(connection: Connection): void }
  stop(): void
}

/** Sessions by user, app and identity. A socket that names neither app nor identity gets one of its own. */
export function createSessionRegistry(clock: SimClock): SessionRegistry {
  const sessions = new Map<string, { readonly session: EngineSession; timer: SimTimer | null }>()
  let counter = 0

  const keyOf = (user: EngineUser, { appId, identity }: SessionAddress) => {
    const own = appId === null && identity === null ? `#${++counter}` : ''
    return [user.name.toLowerCase(), appId?.toLowerCase() ?? '', identity ?? '', own].join('\n')
  }

  return {
    get size() {
      return sessions.size
    },
    countOf: (user) =>
      [...sessions.values()].filter(({ session }) => session.user.name.toLowerCase() === user.name.toLowerCase())
        .length,
    join(user, address) {
      const key = keyOf(user, address)
      const known = sessions.get(key)
      const entry = known ?? { session: createSession(user), timer: null }
      clock.cancel(entry.timer)
      entry.timer = null
      sessions.set(key, entry)
      return {
        session: entry.session,
        attached: known !== undefined,
        leave(connection) {
          entry.session.connections.delete(connection)
          if (entry.session.connections.size > 0) return
          if (address.ttl === 0) sessions.delete(key)
          else entry.timer = clock.schedule(address.ttl * 1000, () => sessions.delete(key))
        },
      }
    },
    stop() {
      for (const { timer } of sessions.values()) clock.cancel(timer)
      sessions.clear()
    },
  }
}
