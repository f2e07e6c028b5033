/** Endpoints of the login by mail. */
import { setTimeout as pause } from 'node:timers/promises'
import { type ApiRequest, type ApiRoute, jsonAnswer } from '../../http/endpoint/route.ts'
import { refusal } from '../../http/errors.ts'
import { errorText } from '../../platform/errors.ts'
import { parseOutsideJson } from '../../platform/json.ts'
import { isEmailAddress } from '../../platform/mail-addresses.ts'
import type { Logger } from '../../platform/types.ts'
import { messagePage } from './frame.tsx'
import { pageAnswer, pageRoute, redirect, textOf } from './http.ts'
import { isOwnForm, LINK_MINUTES } from './login.ts'
import { confirmPage, LINK_SENT, loginPage, sentPage } from './login-pages.tsx'
import type { HubDeps, HubParts, HubPlace, HubSettingsOf } from './place.ts'

const RETRY_MS = [5000, 30_000, 120_000]

interface LoginRoutes {
  readonly routes: readonly ApiRoute[]
  /** Gives up mails that wait for the mail server. */
  stop(): Promise<void>
}

export function createLoginRoutes(
  parts: HubParts,
  deps: Pick<HubDeps, 'mailer' | 'log'>,
  place: HubPlace,
  settings: Pick<HubSettingsOf, 'base' | 'fromAddress' | 'testAddress' | 'auth' | 'linkRetryMs'>,
): LoginRoutes {
  const { logins, browser, now } = parts
  const stopping = new AbortController()
  const underWay = new Set<Promise<void>>()

  function requireOwnForm(request: ApiRequest): void {
    if (!isOwnForm(request, browser)) throw refusal('CROSS_SITE', 'The form was sent by a page of another site.')
  }

  /** After the answer has left, so that its time does not show whether the address is known. */
  function sendLater(address: string, client: string, next: string): void {
    const work = new Promise((resolve) => setImmediate(resolve))
      .then(() => sendLink(address, client, next))
      .catch((error: unknown) => deps.log.warn(`REPORTTASK: hub: login link: ${errorText(error)}`))
      .finally(() => underWay.delete(work))
    underWay.add(work)
  }

  async function sendLink(address: string, client: string, next: string): Promise<void> {
    const token = await logins.requestLink(address, client, next)
    if (token === null) {
      deps.log.info(`REPORTTASK: hub: no login link for ${address} asked by ${client}: too many within the hour`)
      return
    }
    if (!logins.isKnown(address)) {
      deps.log.verbose(`REPORTTASK: hub: no login link for ${address}: the address is not known`)
      return
    }
    if (settings.testAddress !== null && settings.testAddress.toLowerCase() !== address) {
      deps.log.info(`REPORTTASK: hub: no login link for ${address}: Butler.footman.email.testMode is on`)
      return
    }
    await mail(deps.log, address, `${settings.base}/hub/login/${token}`)
  }

  async function mail(log: Logger, address: string, url: string): Promise<void> {
    for (const wait of [...(settings.linkRetryMs ?? RETRY_MS), null]) {
      const result = await deps.mailer.send(letter(settings.fromAddress, address, url))
      if (result.outcome === 'sent') return
      if (result.outcome !== 'retry' || wait === null) {
        log.warn(`REPORTTASK: hub: login link for ${address} was not sent: ${result.detail}`)
        return
      }
      await pause(wait, undefined, { signal: stopping.signal })
    }
  }

  const login = (request: ApiRequest): Response => {
    const next = ownPath(textOf(request.query.next), place.root(request))
    return pageAnswer(loginPage(place.context(request, null, now()), { address: '', next, problem: null }))
  }

  const ask = (request: ApiRequest): Response => {
    requireOwnForm(request)
    const { client } = request
    const form = fieldsOf(request)
    const address = form.address.trim().toLowerCase()
    const next = ownPath(form.next, place.root(request))
    request.note({ target: [address.slice(0, 320)] })
    const context = place.context(request, null, now())
    if (!isEmailAddress(address)) {
      const page = loginPage(context, { address: form.address.slice(0, 320), next, problem: 'address' })
      return wantsJson(request)
        ? jsonAnswer(400, refusal('VALIDATION', 'address: must be an e-mail address').body)
        : pageAnswer(page, 400)
    }
    sendLater(address, client, next)
    return wantsJson(request) ? jsonAnswer(202, { message: LINK_SENT }) : pageAnswer(sentPage(context), 202)
  }

  const expired = (request: ApiRequest, address: string): Response =>
    pageAnswer(loginPage(place.context(request, null, now()), { address, next: '', problem: 'expired' }), 410)

  const confirm = (request: ApiRequest): Response => {
    const { token = '' } = request.params
    const { usable, address } = logins.linkState(token)
    if (!usable) return expired(request, address)
    const action = `${place.root(request)}/login/${encodeURIComponent(token)}`
    return pageAnswer(confirmPage(place.context(request, null, now()), { address, action }))
  }

  const logIn = async (request: ApiRequest): Promise<Response> => {
    requireOwnForm(request)
    const { secure } = place.connection(request)
    const root = place.root(request)
    const { token = '' } = request.params
    const opened = await logins.logIn(token)
    if (!opened) {
      const { address } = logins.linkState(token)
      request.note({ target: address ? [address] : [], outcome: 'denied' })
      return expired(request, address)
    }
    request.note({ target: [opened.address] })
    return redirect(opened.next || root, { 'set-cookie': logins.cookie(opened.session, { secure, path: root }) })
  }

  const logOut = async (request: ApiRequest): Promise<Response> => {
    requireOwnForm(request)
    const { secure } = place.connection(request)
    const root = place.root(request)
    const reader = logins.readerOf(request)
    request.note({ target: reader ? [reader.name] : [] })
    if (reader) await logins.logOut(reader, request.query.all === '1')
    const page = messagePage(place.context(request, null, now()), 'Signed out', 'You are signed out.')
    return pageAnswer(page, 200, { 'set-cookie': logins.cookie('', { secure, path: root }) })
  }

  const byMail: ApiRoute[] = [
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
  return {
    routes: settings.auth === 'magicLink' ? byMail : [],
    async stop() {
      stopping.abort()
      await Promise.all(underWay)
    },
  }
}

const wantsJson = ({ headers }: ApiRequest): boolean =>
  /\bapplication\/json\b/.test(`${headers.get('accept') ?? ''} ${headers.get('content-type') ?? ''}`)

/** The fields of a form, or of a JSON object. */
function fieldsOf({ body, headers }: ApiRequest): { readonly address: string; readonly next: string } {
  const text = new TextDecoder().decode(body instanceof Uint8Array ? body : new Uint8Array())
  if (!headers.get('content-type')?.includes('json')) {
    const form = new URLSearchParams(text)
    return { address: form.get('address') ?? '', next: form.get('next') ?? '' }
  }
  try {
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

/** The mail for nodemailer. */
function letter(from: string, address: string, url: string) {
  const words = `This link signs you in to your reports. It works once, for ${LINK_MINUTES} minutes. If you did not ask for it, ignore this mail.`
  const page = `<p>${words}</p><p><a href="${url}">Sign in to your reports</a></p>`
  return {
    from,
    to: [{ name: '', address }],
    subject: 'Sign in to your reports',
    headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
    text: `${words}\n\n${url}\n`,
    html: `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"></head><body>${page}</body></html>`,
  }
}
