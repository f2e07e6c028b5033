/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The console as an application: finds the page, checks who asks and what is allowed, and puts the answer into the frame. */

import { type Context, Hono } from 'hono'
import { parse, serialize } from 'hono/utils/cookie'
import { STREAM_POSITION } from '../alerts/history/stream-contract.ts'
import { withQuery } from '../http/endpoint/contract.ts'
import { disposition } from '../http/endpoint/disposition.ts'
import { type ApiRequest, textAnswer } from '../http/endpoint/route.ts'
import { type Refusal, refusal } from '../http/errors.ts'
import { SELF_ALERTS } from '../monitors/contract.ts'
import { limitedClient } from '../platform/addresses.ts'
import type { Logger } from '../platform/types.ts'
import type { SchemaOf } from '../settings/merge.ts'
import { ATTENTION_COUNT } from '../tasks/overview/contract.ts'
import { createAsk } from './ask.ts'
import { assetAnswer } from './assets.ts'
import { bannersOf } from './banners.tsx'
import { Calls, operationPage, takeAction } from './forms.tsx'
import { type FrameState, framed, outside } from './frame.tsx'
import {
  type PageContent,
  type PageContext,
  type PageFile,
  PLACES,
  type Place,
  type ReadAddress,
  type SiteSettings,
} from './page.ts'
import { pageHeaders } from './page-headers.ts'
import { OPERATIONS, PAGES } from './pages/index.ts'
import { formOf, isRefusal, redirect, rootOf, type SiteEnv, uploadOf } from './requests.ts'
import type { Guard, Visitor } from './session/guard.ts'
import { type SignIn, signInRoutes } from './session/sign-in.tsx'
import { ErrorBox, Head } from './ui/panel.tsx'

export interface SiteDeps {
  readonly log: Logger
  readonly now: () => number
  readonly guard: Guard
  readonly signIn: SignIn
  readonly settingSchema: SchemaOf
  readonly readAddress: ReadAddress
  /** Asked for each page, as the configuration may change. */
  readonly settings: () => SiteSettings & { readonly hsts: boolean }
}

type SiteContext = Context<SiteEnv>

/** Answers a request whose path lies below `/console`. Rejects with a `Refusal` only where no page can say it. */
export type Site = (request: ApiRequest) => Promise<Response>

const THEME_COOKIE = 'footman_theme'

export function createSite({ log, now, guard, signIn, settingSchema, readAddress, settings }: SiteDeps): Site {
  const app = new Hono<SiteEnv>()

  async function withVisitor(c: SiteContext, work: (context: PageContext) => Promise<Response>): Promise<Response> {
    const { request } = c.env
    const visitor = await guard.visitorOf(request)
    if (!visitor) return redirect(withQuery(`${rootOf(request)}/login`, { next: addressOf(request) }))
    const tooMany = request.pages.count(visitor.identity.bucket ?? limitedClient(request.client))
    if (tooMany) throw tooMany
    return work(contextOf(c, visitor, { settings: settings(), settingSchema, readAddress, now: now() }))
  }

  async function show(context: PageContext, place: Place, content: PageContent): Promise<Response> {
    const { request } = context
    if (content.location !== undefined) return redirect(context.link(content.location))
    if (content.file) return fileAnswer(content.file, content.status)
    const flash = guard.flashOf(request)
    const html = framed(context, content, await frameState(context, place, content, flash))
    const answer = htmlAnswer(request, html, content.status ?? 200)
    if (flash !== null) answer.headers.append('set-cookie', guard.flash(request, ''))
    return answer
  }

  function htmlAnswer(request: ApiRequest, html: string, status: number): Response {
    const headers = new Headers(PAGE_HEADERS)
    if (settings().hsts && request.secure) headers.set('strict-transport-security', 'max-age=31536000')
    return textAnswer(status, html, headers)
  }

  const showOperation = (context: PageContext, content: PageContent): Promise<Response> =>
    show(context, content.place ?? 'now', content)

  for (const page of PAGES) {
    app.get(`/console${page.path}`, (c) =>
      withVisitor(c, async (context) => {
        const isRefused = page.scope && !context.may(page.scope)
        const content = isRefused ? missingScope(context, page.scope) : await page.render(context)
        return show(context, content.place ?? page.place, content)
      }),
    )
  }

  app.get('/console/assets/:hash/:name', (c) => {
    const { hash, name } = c.req.param()
    return assetAnswer(hash, name, c.env.request.headers.get('accept-encoding')) ?? new Response(null, { status: 404 })
  })

  signInRoutes(app, {
    signIn,
    guard,
    page: (request, title, content, status = 200) =>
      htmlAnswer(request, outside({ root: rootOf(request), title, theme: themeOf(request) }, content), status),
  })

  app.get('/console/form/:operation', (c) =>
    withVisitor(c, async (context) =>
      showOperation(context, await operationPage(context, operationOf(context), context.query)),
    ),
  )
  app.post('/console/form/:operation', (c) =>
    withVisitor(c, async (context) => {
      const { request } = context
      const { form, upload } = await uploadOf(request)
      guard.checkForm(request, context.visitor, form.get('csrf'))
      const outcome = await takeAction({ ...context, ...(upload && { upload }) }, operationOf(context), form)
      if (outcome.kind === 'page') return showOperation(context, outcome.content)
      const answer = redirect(outcome.location)
      answer.headers.append('set-cookie', guard.flash(request, outcome.text))
      return answer
    }),
  )

  app.post('/console/theme', (c) =>
    withVisitor(c, async ({ request, visitor, link }) => {
      const form = formOf(request)
      guard.checkForm(request, visitor, form.get('csrf'))
      const back = form.get('return') ?? ''
      const answer = redirect(back.startsWith(link('/')) ? back : link('/'))
      answer.headers.append('set-cookie', themeCookie(request, form.get('theme') ?? ''))
      return answer
    }),
  )

  app.all('/console/api/*', (c) => apiAnswer(guard, c.env.request))

  app.notFound((c) => withVisitor(c, (context) => show(context, 'now', notFound(context))))

  app.onError(async (error, c) => {
    const { request } = c.env
    if (!isRefusal(error)) {
      const { method, url, requestId } = request
      const text = `CONSOLE: ${method} ${url.split('?')[0]} failed, request ${requestId}: ${error}`
      log.error(text, { fault: error })
    }
    // Scripts want the answer of the API.
    if (request.url.startsWith('/console/api/') && isRefusal(error)) throw error
    const refused = isRefusal(error) ? error : FAULT
    const answer = htmlAnswer(request, failurePage(request, refused), refused.status)
    for (const [name, value] of Object.entries(refused.headers)) answer.headers.set(name, value)
    return answer
  })

  return async (request) =>
    app.fetch(new Request(new URL(request.url, 'http://own.invalid'), { method: request.method }), { request })
}

function contextOf(
  c: SiteContext,
  visitor: Visitor,
  site: Pick<PageContext, 'settings' | 'settingSchema' | 'readAddress' | 'now'>,
): PageContext {
  const { request } = c.env
  const { pathname, searchParams } = new URL(request.url, 'http://own.invalid')
  const root = rootOf(request)
  const path = pathname.slice('/console'.length) || '/'
  return {
    request,
    root,
    path,
    visitor,
    ...site,
    params: c.req.param(),
    query: searchParams,
    timezone: site.settings.timezone,
    actions: new Map(),
    ask: createAsk(request.pages, visitor.identity, request.method !== 'POST'),
    may: (scope) => visitor.caller.may(scope),
    link: (to, query = {}) => withQuery(root + to, query),
    here(changes) {
      const next = new URLSearchParams(searchParams)
      for (const [name, value] of Object.entries(changes)) {
        next.delete(name)
        for (const one of [value ?? ''].flat()) if (one !== '') next.append(name, String(one))
      }
      const text = next.toString()
      return root + path + (text && `?${text}`)
    },
  }
}

/** `flash`: the result of the last action. */
async function frameState(
  context: PageContext,
  place: Place,
  content: PageContent,
  flash: string | null,
): Promise<FrameState> {
  const { ask, request } = context
  const [attention, selfAlerts, position, banners] = await Promise.all([
    ask(ATTENTION_COUNT),
    ask(SELF_ALERTS),
    content.live ? ask(STREAM_POSITION) : null,
    bannersOf(context),
  ])
  return {
    place,
    flash,
    attention: attention.ok ? attention.data.count : null,
    selfAlerts: selfAlerts.ok ? selfAlerts.data.selfAlerts.length : null,
    position: position?.ok ? position.data.seq : null,
    theme: themeOf(request),
    banners,
    calls: <Calls context={context} operations={OPERATIONS} />,
  }
}

/** The API for scripts of the pages: the same endpoints, with the rights of the session. */
async function apiAnswer(guard: Guard, request: ApiRequest): Promise<Response> {
  const visitor = await guard.visitorOf(request)
  if (!visitor) throw refusal('UNAUTHENTICATED', 'The session has ended. Sign in again.')
  if (request.method !== 'GET') guard.checkForm(request, visitor, request.headers.get('x-footman-csrf'))
  const body = request.body instanceof Uint8Array && request.body.length > 0 ? { body: request.body } : {}
  const passed = ['content-type', 'accept', 'if-match', 'idempotency-key', 'last-event-id']
  const kept = passed.flatMap((name) => (request.headers.has(name) ? [[name, request.headers.get(name)!]] : []))
  const { method, url, signal } = request
  const path = url.slice('/console/api'.length)
  const answer = await request.pages.ask(
    { method, path, headers: Object.fromEntries(kept), signal, stays: () => guard.stays(request), ...body },
    visitor.identity,
  )
  answer.headers.set('x-content-type-options', 'nosniff')
  answer.headers.set('cache-control', 'no-store')
  return answer
}

function notFound({ path, link }: PageContext): PageContent {
  const [last = ''] = path.split('/').slice(-1)
  return {
    title: 'Page not found',
    status: 404,
    body: (
      <>
        <Head title="Page not found" />
        <p class="sub">There is no page at this address. Search for what you wanted:</p>
        <form action={link('/search')} class="filters">
          <input type="search" name="q" value={last} aria-label="Search" />
          <button type="submit" class="btn primary">
            Search
          </button>
        </form>
      </>
    ),
  }
}

/** The page of a request that was refused or failed, as HTML. */
function failurePage(request: ApiRequest, { status, body }: Pick<Refusal, 'status' | 'body'>): string {
  const failure = {
    ok: false as const,
    status,
    code: String(body.code ?? ''),
    requestId: request.requestId,
    issues: [],
    error: String(body.error ?? body.message),
    details: String(body.details ?? ''),
  }
  return outside(
    { root: rootOf(request), title: status === 403 ? 'Not allowed' : 'This did not work', theme: themeOf(request) },
    <ErrorBox failure={failure} retry={`${rootOf(request)}/`} />,
  )
}

const FAULT = {
  status: 500,
  body: { error: 'Internal Server Error', details: 'The log of Footman says more about this request.' } as Record<
    string,
    unknown
  >,
  headers: {} as Record<string, string>,
}

/** A document out of data: it has its own styles, and nothing else. */
const fileAnswer = ({ type, body, name }: PageFile, status = 200): Response =>
  new Response(body, {
    status,
    headers: {
      ...PAGE_HEADERS,
      'content-type': type.startsWith('text/') ? `${type}; charset=utf-8` : type,
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
      'x-frame-options': 'SAMEORIGIN',
      ...(name && { 'content-disposition': disposition('attachment', name) }),
    },
  })

function operationOf({ params, link }: PageContext): readonly [string, (typeof OPERATIONS)[string]] {
  const name = params.operation ?? ''
  const operation = Object.hasOwn(OPERATIONS, name) ? OPERATIONS[name] : undefined
  if (operation) return [name, operation]
  throw refusal('ACTION_NOT_FOUND', `There is no action ${name}. Go back to ${link('/')}.`)
}

const addressOf = ({ url, prefix }: ApiRequest): string => prefix + url

const themeOf = ({ headers }: ApiRequest): string => knownTheme(parse(headers.get('cookie') ?? '')[THEME_COOKIE] ?? '')

function themeCookie(request: ApiRequest, theme: string): string {
  const cookie = { path: rootOf(request), secure: request.secure, sameSite: 'Lax', maxAge: 31_536_000 } as const
  return serialize(THEME_COOKIE, knownTheme(theme), cookie)
}

const knownTheme = (text: string): string => (/^(light|dark)$/.test(text) ? text : '')

function missingScope({ visitor }: PageContext, scope: string): PageContent {
  const held = Object.values(PLACES).flatMap(({ scopes }) => scopes.filter((one) => visitor.caller.may(one)))
  return {
    title: 'Not allowed',
    status: 403,
    body: (
      <>
        <Head title="Not allowed" />
        <p class="lead">
          This needs the scope <code>{scope}</code>.
        </p>
        <p class="sub">
          You are {visitor.caller.actor}
          {held.length > 0 ? `, with ${[...new Set(held)].join(', ')}` : ''}. An administrator grants scopes in System
          &gt; Access, or in <code>Butler.footman.access</code> of the configuration file.
        </p>
      </>
    ),
  }
}

/** No script stands in a page. */
const PAGE_HEADERS = pageHeaders(
  "script-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "frame-src 'self'",
  "require-trusted-types-for 'script'",
  'trusted-types footman-worker',
)
