/** The web console below `/console` of the REST API. Its pages are loaded with the first request. */
import type { ClusterStatus, SharedState } from '../cluster/types.ts'
import type { Audit } from '../http/audit.ts'
import { createSessions, isReaderSession, type Sessions } from '../http/auth/sessions.ts'
import { ANY_SCOPE, type Caller } from '../http/endpoint/caller.ts'
import { ALWAYS, type ApiRequest, type ApiRoute, type Method, route } from '../http/endpoint/route.ts'
import { noSuchRoute, refusal } from '../http/errors.ts'
import { FORM_LIMIT } from '../http/middleware/body.ts'
import { isLoopback } from '../platform/addresses.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import { once } from '../platform/once.ts'
import type { Database, Pruning } from '../platform/sqlite.ts'
import type { Clock, Logger } from '../platform/types.ts'
import type { SchemaOf } from '../settings/merge.ts'
import type { ConsoleConfig } from './config.ts'
import { END_SESSION, SESSIONS, SIGN_IN_LINK } from './contract.ts'
import type { NodeState, ReadAddress, SiteSettings } from './page.ts'
import { createGuard } from './session/guard.ts'
import { createSignInLinks } from './session/links.ts'

interface ConsoleDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly audit: Audit
  readonly shared: Pick<SharedState, 'status' | 'runsDuties'>
  readonly settingSchema: SchemaOf
  readonly readAddress: ReadAddress
}

export interface Console {
  readonly routes: readonly ApiRoute[]
  readonly pruning: readonly Pruning[]
  /** From the next request on these settings count. */
  follow(settings: ConsoleSettings): void
}

/** The part of the configuration that the console is made of. */
export interface ConsoleSettings {
  readonly config: ConsoleConfig
  readonly site: Omit<SiteSettings, 'nightStart' | 'cluster'>
}

const DAY_MS = 86_400_000
/** Forms and uploads of people who have signed in; those of the API pass through here, too. */
const VISITORS_LIMIT = 64 * 1_048_576
/** Pages that people see before they have signed in. */
const SIGN_IN = /^\/console\/(?:login|api\/v4\/sessions)\/?(?:\?|$)/

export function createConsole(deps: ConsoleDeps, initial: ConsoleSettings): Console {
  const { db, writer, clock, log, audit } = deps
  let settings = initial
  const config = () => settings.config
  const now = () => clock.now()
  const sessions = createSessions({ db, writer, now }, config)
  const links = createSignInLinks(now)
  const guard = createGuard(sessions, audit)
  const site = once(async () => {
    const [{ createSite }, { createSignIn }] = await Promise.all([
      import('./site.tsx'),
      import('./session/sign-in.tsx'),
    ])
    return createSite({
      log,
      now,
      guard,
      settingSchema: deps.settingSchema,
      readAddress: deps.readAddress,
      signIn: createSignIn({ sessions, links, audit, now }, config),
      settings: () => ({
        ...settings.site,
        nightStart: config().nightStart,
        hsts: config().hsts,
        cluster: nodeState(deps.shared),
      }),
    })
  })
  const handle = async (request: ApiRequest): Promise<Response> => (await site())(request)
  /** A console that is switched off answers like an address that does not exist. */
  const whileEnabled = (all: readonly ApiRoute[]): ApiRoute[] =>
    all.map((one) => ({
      ...one,
      handle(request) {
        if (!config().enable) throw noSuchRoute(request.method, request.url)
        return one.handle(request)
      },
    }))

  /** A body is read of visitors and of sign-ins only; for all others the answer does not depend on it. */
  const bodyFor = async (request: ApiRequest): Promise<number> => {
    if (!config().enable) return 0
    if (SIGN_IN.test(request.url)) return request.pages.signsIn ? FORM_LIMIT : 0
    return (await guard.stays(request)) ? VISITORS_LIMIT : 0
  }

  const pages = (path: string, methods: readonly Method[], confidential: 'path' | null = null): ApiRoute => ({
    path,
    methods,
    switch: null,
    documented: false,
    // Each form hands its key to the call that it makes.
    eachTime: ALWAYS,
    limited: false,
    audited: 'refused',
    handle,
    summary: 'Pages of the console',
    body: 'bytes',
    bodyLimit: VISITORS_LIMIT,
    bodyFor,
    ...(confidential && { confidential }),
  })
  const toSlash = ({ prefix, url }: ApiRequest): Response =>
    new Response(null, { status: 308, headers: { location: `${prefix}/console/${url.slice('/console'.length)}` } })

  /** Browsers that ask for Footman itself come to the console; for programs there is nothing at this address. */
  const toConsole = ({ prefix, headers, method, url }: ApiRequest): Response => {
    if (!headers.get('accept')?.includes('text/html')) throw noSuchRoute(method, url)
    return new Response(null, { status: 302, headers: { location: `${prefix}/console/` } })
  }

  return {
    routes: whileEnabled([
      { ...pages('/', ['GET']), handle: toConsole },
      { ...pages('/console', ['GET']), handle: toSlash },
      pages('/console/', ['GET']),
      { ...pages('/console/login/{token}', ['GET', 'POST'], 'path'), body: 'ignored' },
      pages('/console/{rest*}', ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']),
      linkRoute(links.make),
      ...sessionRoutes(sessions),
    ]),
    pruning: [{ keepMs: DAY_MS, purge: sessions.purge }],
    follow(next) {
      settings = next
    },
  }
}

/** `footman console` asks for a link on the machine of Footman. */
function linkRoute(make: ReturnType<typeof createSignInLinks>['make']): ApiRoute {
  return route({
    ...SIGN_IN_LINK,
    // The link signs in: it is not kept.
    eachTime: ALWAYS,
    scope: 'admin',
    action: 'session.link',
    summary: 'Make a link that signs in to the console',
    description: 'For programs on this machine: needs the local key. The link is good once, for a minute.',
    examples: [{ name: 'open', status: 201, answer: { path: '/console/', expiresAt: null } }],
    handle({ caller, client, pages }, answer) {
      if (!pages.signsIn) return answer(201, { path: '/console/', expiresAt: null })
      const isLocal = caller.actor === 'local' || caller.actor.startsWith('local:')
      if (!isLocal || !isLoopback(client)) throw refusal('FORBIDDEN', 'Only "footman console" on this machine may ask.')
      const { token, expiresAt } = make(caller.actor)
      return answer(201, { path: `/console/login/${token}`, expiresAt: new Date(expiresAt).toISOString() })
    },
  })
}

const UNKNOWN_SESSION = '5e0d7a0c-2f3b-4c55-9c1e-0b1f6c1d2a01'

const noSession = (id: string) =>
  refusal('SESSION_NOT_FOUND', `No session of yours has the id ${id}. It may have ended.`)

function sessionRoutes({ list, end }: Sessions): ApiRoute[] {
  const seenBy = ({ actor, may }: Caller) => list().filter((session) => may('admin') || session.actor === actor)
  const iso = (at: number) => new Date(at).toISOString()
  return [
    route({
      ...SESSIONS,
      scope: ANY_SCOPE,
      summary: 'List sessions of console and hub',
      description: 'Those of the caller; with the scope `admin` those of everybody, readers of reports included.',
      examples: [{ name: 'own', status: 200, answer: { sessions: [] } }],
      handle: ({ caller, session }, answer) =>
        answer(200, {
          sessions: seenBy(caller).map(({ id, actor, address, browser, createdAt, seenAt, expiresAt }) => ({
            id,
            actor,
            address,
            browser,
            createdAt: iso(createdAt),
            lastSeenAt: iso(seenAt),
            expiresAt: iso(expiresAt),
            current: id === session,
          })),
        }),
    }),
    route({
      ...END_SESSION,
      scope: ANY_SCOPE,
      // Nodes share the sessions of readers.
      atLeaderWhen: ({ params }) => isReaderSession(params.id ?? ''),
      action: 'session.end',
      summary: 'End a session of console or hub',
      description: 'One of the caller; with the scope `admin` any.',
      examples: [
        { name: 'has-ended', params: { id: UNKNOWN_SESSION }, status: 404, answer: noSession(UNKNOWN_SESSION).body },
      ],
      async handle({ params: { id }, caller, note }, answer) {
        note({ target: [id] })
        const isSeen = seenBy(caller).some((session) => session.id === id)
        if (isSeen && (await end(id))) return answer(204)
        throw noSession(id)
      },
    }),
  ]
}

function nodeState({ status, runsDuties }: ConsoleDeps['shared']): NodeState | null {
  if (!status) return null
  const { mode, leader, followLagMs, database } = status
  const behindMs = mode === 'leader' ? 0 : Math.max(followLagMs, database.downForMs)
  return { mode, leader: leader?.node ?? null, behindMs, runsDuties, database: databaseState(database) }
}

function databaseState({ isUp, isRefused, isWaitedFor }: ClusterStatus['database']): NodeState['database'] {
  if (isUp) return 'up'
  if (isWaitedFor) return 'keeps'
  return isRefused ? 'refuses' : 'away'
}
