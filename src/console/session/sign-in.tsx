/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Signing in to the console: with an API key or token, a certificate, or a link that `footman console` has made. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Hono } from 'hono'
import type { Child } from 'hono/jsx'
import { z } from 'zod'
import type { Audit } from '../../http/audit.ts'
import type { Sessions } from '../../http/auth/sessions.ts'
import type { Identity } from '../../http/endpoint/caller.ts'
import { withQuery } from '../../http/endpoint/contract.ts'
import { type ApiRequest, jsonAnswer } from '../../http/endpoint/route.ts'
import { invalidBody } from '../../http/endpoint/validation.ts'
import { type Refusal, refusal } from '../../http/errors.ts'
import { isLoopback, limitedClient } from '../../platform/addresses.ts'
import { createAsk } from '../ask.ts'
import { ABOUT } from '../contract.ts'
import { formOf, jsonOf, ownPath, redirect, rootOf, type SiteEnv } from '../requests.ts'
import type { Guard, Visitor } from './guard.ts'
import type { SignInLinks } from './links.ts'

interface SignInDeps {
  readonly sessions: Sessions
  readonly links: SignInLinks
  readonly audit: Audit
  readonly now: () => number
}

interface SignInSettings {
  readonly allowPlainHttp: boolean
}

const WRONG_MS = 300
const FAILURES_PER_MINUTE = 10
const MINUTE_MS = 60_000

export type SignIn = ReturnType<typeof createSignIn>

/** Opens and ends sessions. */
export function createSignIn({ sessions, links, audit, now }: SignInDeps, settings: () => SignInSettings) {
  let failures: { client: string; at: number }[] = []

  /**
   * The refusal of wrong credentials. Beyond the limit it does not say that they are wrong; right ones are let in all the
   * same, as others may have used the limit up from behind the same address.
   */
  function failed(request: ApiRequest, details: string): Refusal {
    failures = failures.filter(({ at }) => now() - at < MINUTE_MS)
    const own = limitedClient(request.client)
    const isLimited = failures.filter(({ client }) => client === own).length >= FAILURES_PER_MINUTE
    if (isLimited) {
      return refusal('RATE_LIMITED', 'Too many sign-ins have failed. Wait a minute.', {}, { 'retry-after': '60' })
    }
    failures.push({ client: own, at: now() })
    record(request, 'anonymous', 'denied')
    return refusal('UNAUTHENTICATED', details)
  }

  function record(request: ApiRequest, actor: string, outcome: 'ok' | 'denied', action = 'session.create'): void {
    const { client: address, requestId } = request
    const status = outcome === 'ok' ? 200 : 401
    audit.record({ actor, address, action, target: [], status, outcome, requestId, detail: null, via: 'console' })
  }

  /** Credentials in plain text are for this machine only. */
  function checkTransport(request: ApiRequest): void {
    if (request.secure || settings().allowPlainHttp || isLoopback(request.client)) return
    throw refusal(
      'FORBIDDEN',
      'Signing in needs TLS: set restServerConfig.tls, or put a proxy with TLS in front. Butler.footman.console.allowPlainHttp allows it without.',
    )
  }

  async function open(request: ApiRequest, identity: Identity): Promise<string> {
    const { client: address, headers } = request
    const { actor } = identity.caller
    const token = await sessions.open(actor, identity.holder!, {
      address,
      browser: headers.get('user-agent') ?? '',
    })
    record(request, actor, 'ok')
    return token
  }

  return {
    links,
    sessions,
    /** Value of the cookie of a new session. Rejects wrong ones with 401, with 429 after many of them, and all with 403 without TLS. */
    async withCredential(request: ApiRequest, credential: string | null): Promise<string> {
      checkTransport(request)
      const headers = new Headers(request.headers)
      for (const name of ['authorization', 'x-api-key']) headers.delete(name)
      if (credential !== null) headers.set('authorization', `Bearer ${credential.trim()}`)
      const began = now()
      const identity = await request.pages.identify(headers)
      if (identity.holder && !identity.refusal) return open(request, identity)
      const wrong = failed(request, 'The credentials were not accepted. The log of Footman says why.')
      await pause(Math.max(0, WRONG_MS - (now() - began)))
      throw wrong
    },
    /** The same with the token of a link. */
    async withLink(request: ApiRequest, token: string): Promise<string> {
      const actor = links.use(token)
      const identity = actor === null ? null : request.pages.recall({ kind: 'local', actor, until: null })
      if (identity) return open(request, identity)
      throw failed(request, 'The link has been used, or is older than a minute. Run "footman console" again.')
    },
    async end(request: ApiRequest, id: string, actor: string): Promise<void> {
      await sessions.end(id)
      record(request, actor, 'ok', 'session.end')
    },
  }
}

interface RoutesDeps {
  readonly signIn: SignIn
  readonly guard: Guard
  /** A page without a sign-in. */
  readonly page: (request: ApiRequest, title: string, content: Child, status?: number) => Response
}

/** `POST /console/api/v4/sessions`. */
const CREDENTIALS = z.union([
  z.strictObject({ credential: z.string().min(1) }),
  z.strictObject({ certificate: z.literal(true) }),
  z.strictObject({ token: z.string().min(1) }),
])

export function signInRoutes(app: Hono<SiteEnv>, { signIn, guard, page }: RoutesDeps): void {
  const nextOf = (request: ApiRequest, next: string | null) => ownPath(next, request) || `${rootOf(request)}/`

  function signedIn(request: ApiRequest, token: string, next: string | null): Response {
    const answer = redirect(nextOf(request, next))
    answer.headers.append('set-cookie', guard.cookie(request, token))
    return answer
  }

  /** Throws while access control is off: there is no sign-in then, and no body has been read. */
  async function requireSignIn(request: ApiRequest): Promise<void> {
    if (request.pages.signsIn) return
    await guard.visitorOf(request)
    throw refusal('VALIDATION', 'Access control is off: there is nothing to sign in to. Open the console.')
  }

  /** The session for scripts; with the token that their requests need. */
  async function described(request: ApiRequest, status: number, visitor: Visitor): Promise<Response> {
    const about = await createAsk(request.pages, visitor.identity, true)(ABOUT)
    return jsonAnswer(status, {
      actor: visitor.caller.actor,
      scopes: about.ok ? about.data.scopes : [],
      expiresAt: visitor.session ? new Date(visitor.session.expiresAt).toISOString() : null,
      csrf: visitor.csrf(),
    })
  }

  app.post('/console/api/v4/sessions', async (c) => {
    const { request } = c.env
    await requireSignIn(request)
    guard.checkOrigin(request)
    const { data } = CREDENTIALS.safeParse(jsonOf(request))
    if (!data) throw invalidBody([{ path: '', message: 'must have one of credential, certificate and token' }])
    const token =
      'token' in data
        ? await signIn.withLink(request, data.token)
        : await signIn.withCredential(request, 'credential' in data ? data.credential : null)
    const answer = await described(request, 201, guard.visitorWith(request, token)!)
    answer.headers.append('set-cookie', guard.cookie(request, token))
    return answer
  })

  app.get('/console/api/v4/sessions/current', async (c) => {
    const { request } = c.env
    const visitor = await guard.visitorOf(request)
    if (!visitor) throw refusal('UNAUTHENTICATED', 'There is no session. Sign in.')
    return described(request, 200, visitor)
  })

  app.delete('/console/api/v4/sessions/current', async (c) => {
    const { request } = c.env
    const visitor = await guard.visitorOf(request)
    if (!visitor?.session) throw refusal('UNAUTHENTICATED', 'There is no session.')
    guard.checkForm(request, visitor, request.headers.get('x-footman-csrf'))
    await signIn.end(request, visitor.session.id, visitor.caller.actor)
    return new Response(null, { status: 204, headers: { 'set-cookie': guard.cookie(request, '') } })
  })

  app.get('/console/login', async (c) => {
    const { request } = c.env
    if (!request.pages.signsIn) return redirect(`${rootOf(request)}/`)
    const certificate = await request.pages.identify(new Headers({ host: request.headers.get('host') ?? '' }))
    return page(
      request,
      'Sign in',
      <Login request={request} next={c.req.query('next') ?? ''} certificate={certificate} />,
    )
  })

  app.post('/console/login', async (c) => {
    const { request } = c.env
    await requireSignIn(request)
    guard.checkOrigin(request)
    const form = formOf(request)
    const byCertificate = form.get('certificate') === '1'
    try {
      const token = await signIn.withCredential(request, byCertificate ? null : (form.get('credential') ?? ''))
      return signedIn(request, token, form.get('next'))
    } catch (error) {
      const { status, body } = error as { status?: number; body?: Record<string, unknown> }
      if (status === undefined) throw error
      const login = (
        <Login request={request} next={form.get('next') ?? ''} problem={String(body?.details ?? body?.error)} />
      )
      return page(request, 'Sign in', login, status)
    }
  })

  app.get('/console/login/:token', (c) => {
    const { request } = c.env
    const token = c.req.param('token')
    if (!signIn.links.isUsable(token)) {
      const text = 'The link has been used, or is older than a minute. Run "footman console" again.'
      return page(request, 'Sign in', <p>{text}</p>, 401)
    }
    // Programs that look at links ahead of people must not use it up.
    const form = (
      <form method="post" action={`${rootOf(request)}/login/${token}`} data-submit>
        <button type="submit" class="btn primary">
          Sign in
        </button>
      </form>
    )
    return page(request, 'Sign in', form)
  })

  app.post('/console/login/:token', async (c) => {
    const { request } = c.env
    guard.checkOrigin(request)
    return signedIn(request, await signIn.withLink(request, c.req.param('token')), null)
  })

  app.post('/console/logout', async (c) => {
    const { request } = c.env
    const visitor = await guard.visitorOf(request)
    const answer = redirect(`${rootOf(request)}/login`)
    answer.headers.append('set-cookie', guard.cookie(request, ''))
    if (!visitor?.session) return answer
    guard.checkForm(request, visitor, formOf(request).get('csrf'))
    await signIn.end(request, visitor.session.id, visitor.caller.actor)
    return answer
  })
}

interface LoginProps {
  readonly request: ApiRequest
  readonly next: string
  readonly problem?: string
  /** The caller that the certificate of the connection shows. */
  readonly certificate?: Identity
}

const Login = ({ request, next, problem, certificate }: LoginProps) => {
  const action = withQuery(`${rootOf(request)}/login`, {})
  return (
    <>
      {problem && (
        <p class="error" role="alert">
          {problem}
        </p>
      )}
      <form method="post" action={action} class="stack">
        <input type="hidden" name="next" value={next} />
        {/* Browsers and password managers expect a user name in a form with a password. */}
        <input type="text" name="username" value="API key" autocomplete="username" readonly hidden />
        <label class="field">
          <span>API key or token</span>
          <input type="password" name="credential" autocomplete="current-password" required autofocus />
        </label>
        <button type="submit" class="btn primary">
          Sign in
        </button>
      </form>
      {certificate?.holder?.kind === 'certificate' && (
        <form method="post" action={action}>
          <input type="hidden" name="next" value={next} />
          <input type="hidden" name="certificate" value="1" />
          <button type="submit" class="btn">
            Use the certificate CN={certificate.holder.name}
          </button>
        </form>
      )}
      <p class="sub">
        On the machine of Footman, <code>footman console</code> signs you in without a key.
      </p>
    </>
  )
}
