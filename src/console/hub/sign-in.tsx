/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Readers sign in by a link that is mailed to them. */
import { type ApiRequest, type ApiRoute, jsonAnswer } from '../../http/endpoint/route.ts'
import { refusal } from '../../http/errors.ts'
import { errorText } from '../../platform/errors.ts'
import { parseOutsideJson } from '../../platform/json.ts'
import { isEmailAddress } from '../../platform/mail-addresses.ts'
import { LINK_MINUTES } from '../../reports/hub/login.ts'
import { type HubParts, hubRoot } from '../../reports/hub/types.ts'
import { formOf, redirect } from '../requests.ts'
import { Name } from '../ui/text.tsx'
import { cardPage, messagePage, type ReaderContext } from './frame.tsx'
import { contextOf, pageAnswer, pageRoute, textOf } from './routes.ts'

export function signInRoutes(hub: HubParts): ApiRoute[] {
  const { logins } = hub

  function requireOwnForm(request: ApiRequest): void {
    if (!hub.isOwnForm(request)) throw refusal('CROSS_SITE', 'The form was sent by a page of another site.')
  }

  /** Adds or, with '', removes the cookie of the session. */
  function withCookie(answer: Response, request: ApiRequest, value: string): Response {
    const place = { secure: hub.isSecure(request), path: hubRoot(request) }
    answer.headers.append('set-cookie', logins.cookie(value, place))
    return answer
  }

  const login = (request: ApiRequest): Response => {
    const next = ownPath(textOf(request.query.next), hubRoot(request))
    return pageAnswer(loginPage(contextOf(hub, request, null), { address: '', next, problem: null }))
  }

  const ask = (request: ApiRequest): Response => {
    requireOwnForm(request)
    const { client } = request
    const form = fieldsOf(request)
    const address = form.address.trim().toLowerCase()
    const next = ownPath(form.next, hubRoot(request))
    request.note({ target: [address.slice(0, 320)] })
    const context = contextOf(hub, request, null)
    if (!isEmailAddress(address)) {
      return wantsJson(request)
        ? jsonAnswer(400, refusal('VALIDATION', 'address: must be an e-mail address').body)
        : pageAnswer(loginPage(context, { address: form.address.slice(0, 320), next, problem: 'address' }), 400)
    }
    hub.mailLink(address, client, next)
    return wantsJson(request) ? jsonAnswer(202, { message: LINK_SENT }) : pageAnswer(sentPage(context), 202)
  }

  const expired = (request: ApiRequest, address: string): Response =>
    pageAnswer(loginPage(contextOf(hub, request, null), { address, next: '', problem: 'expired' }), 410)

  const confirm = (request: ApiRequest): Response => {
    const { token = '' } = request.params
    const { usable, address } = logins.linkState(token)
    if (!usable) return expired(request, address)
    const action = `${hubRoot(request)}/login/${encodeURIComponent(token)}`
    return pageAnswer(confirmPage(contextOf(hub, request, null), { address, action }))
  }

  const logIn = async (request: ApiRequest): Promise<Response> => {
    requireOwnForm(request)
    const { client: address, headers, params } = request
    const { token = '' } = params
    const opened = await logins.logIn(token, { address, browser: headers.get('user-agent') ?? '' })
    if (!opened) {
      const { address: asked } = logins.linkState(token)
      request.note({ target: asked ? [asked] : [], outcome: 'denied' })
      return expired(request, asked)
    }
    request.note({ target: [opened.address] })
    return withCookie(redirect(opened.next || hubRoot(request)), request, opened.session)
  }

  const logOut = async (request: ApiRequest): Promise<Response> => {
    requireOwnForm(request)
    const reader = logins.readerOf(request)
    request.note({ target: reader ? [reader.name] : [] })
    if (reader) await logins.logOut(reader, request.query.all === '1')
    const page = messagePage(contextOf(hub, request, null), 'Signed out', 'You are signed out.')
    return withCookie(pageAnswer(page), request, '')
  }

  return [
    pageRoute({ path: '/hub/login', summary: 'Ask for a login link', handle: login }),
    pageRoute({
      method: 'POST',
      path: '/hub/login',
      action: 'hub.link',
      summary: 'Send a login link',
      hasForm: true,
      handle: ask,
    }),
    pageRoute({ path: '/hub/login/{token}', confidential: 'path', summary: 'Page of a login link', handle: confirm }),
    pageRoute({
      method: 'POST',
      path: '/hub/login/{token}',
      confidential: 'path',
      action: 'hub.login',
      summary: 'Log in with a link',
      handle: logIn,
    }),
    pageRoute({ method: 'POST', path: '/hub/logout', action: 'hub.logout', summary: 'Log out', handle: logOut }),
  ]
}

const wantsJson = ({ headers }: ApiRequest): boolean =>
  /\bapplication\/json\b/.test(`${headers.get('accept') ?? ''} ${headers.get('content-type') ?? ''}`)

/** The fields of a form, or of a JSON object. */
function fieldsOf(request: ApiRequest): { readonly address: string; readonly next: string } {
  const { body, headers } = request
  if (!headers.get('content-type')?.includes('json')) {
    const form = formOf(request)
    return { address: form.get('address') ?? '', next: form.get('next') ?? '' }
  }
  try {
    const text = new TextDecoder().decode(body instanceof Uint8Array ? body : new Uint8Array())
    const { address } = parseOutsideJson(text) as { address?: unknown }
    return { address: typeof address === 'string' ? address : '', next: '' }
  } catch (error) {
    throw refusal('INVALID_JSON', `The body must be JSON: {"address": "anna@company.com"}; ${errorText(error)}`)
  }
}

/** A page of the hub; '' for everything else, so that no link leads elsewhere after the login. */
function ownPath(path: string, root: string): string {
  return path.startsWith(`${root}/items/`) && /^[\w./~-]+$/.test(path) && !path.includes('..') ? path : ''
}

interface LoginContent {
  readonly address: string
  /** Path to show after the login. */
  readonly next: string
  readonly problem: 'expired' | 'address' | null
}

const PROBLEMS = {
  expired: 'This link has expired or was used already. Ask for a new one.',
  address: 'This is no e-mail address. Check it and try again.',
} as const

const SIGN_IN = { heading: 'Sign in to your reports', title: 'Sign in' }

const loginPage = (context: ReaderContext, { address, next, problem }: LoginContent): string =>
  cardPage(
    context,
    SIGN_IN,
    <>
      {problem && (
        <p class="error" role="alert" id="problem">
          {PROBLEMS[problem]}
        </p>
      )}
      <p>Enter your e-mail address. You get a mail with a link that signs you in.</p>
      <form method="post" action={`${context.root}/login`} class="stack">
        <label class="field">
          <span>E-mail address</span>
          <input
            type="email"
            name="address"
            value={address}
            required
            maxlength={320}
            autocomplete="email"
            aria-describedby={problem ? 'problem' : undefined}
          />
        </label>
        {next && <input type="hidden" name="next" value={next} />}
        <button class="btn primary" type="submit">
          Send the link
        </button>
      </form>
    </>,
  )

const LINK_SENT = 'If the address is known, a link has been sent'

const sentPage = (context: ReaderContext): string =>
  cardPage(
    context,
    { heading: 'Look into your mailbox', title: 'Link sent' },
    <>
      <p>{LINK_SENT}.</p>
      <p>It works once, for {LINK_MINUTES} minutes, in the browser in which you open it.</p>
      <p>
        <a class="btn" href={`${context.root}/login`}>
          Use another address
        </a>
      </p>
    </>,
  )

/** Programs that look at the links of a mail open this page; only its button uses the link up. */
const confirmPage = (context: ReaderContext, { address, action }: { address: string; action: string }): string =>
  cardPage(
    context,
    SIGN_IN,
    <>
      <p>
        You sign in as{' '}
        <b>
          <Name text={address} />
        </b>
        .
      </p>
      <form method="post" action={action} class="stack">
        <button class="btn primary" type="submit">
          Sign in
        </button>
      </form>
    </>,
  )
