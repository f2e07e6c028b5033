/** Protects the pages: who is behind a request, and whether a page of Footman itself sent it. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { parse, serialize } from 'hono/utils/cookie'
import type { Audit } from '../../http/audit.ts'
import type { Session, Sessions } from '../../http/auth/sessions.ts'
import { type Caller, EVERYBODY, type Identity } from '../../http/endpoint/caller.ts'
import type { ApiRequest } from '../../http/endpoint/route.ts'
import { refusal } from '../../http/errors.ts'
import { rootOf } from '../requests.ts'

/** The person behind a request. */
export interface Visitor {
  readonly identity: Identity
  readonly caller: Caller
  /** Null while access control is off, and where a proxy sends the credentials. */
  readonly session: Session | null
  /** Proves in a form that a page of this visitor sent it. */
  csrf(): string
}

export interface Guard {
  /** Null = has to sign in. Rejects with 403 for callers of other machines while access control is off. */
  visitorOf(request: ApiRequest): Promise<Visitor | null>
  /** The visitor of a session by the value of its cookie; null when it has ended. */
  visitorWith(request: ApiRequest, token: string): Visitor | null
  /** Whether the visitor of an answer that stays open has not lost its rights. Never rejects. */
  stays(request: ApiRequest): Promise<boolean>
  /** 403 `CSRF` unless a page of the visitor sent the request. `given`: the field of the form, or the header. */
  checkForm(request: ApiRequest, visitor: Visitor, given: string | null): void
  /** 403 `CSRF` unless a page of this origin sent the request; for the sign-in, where there is no visitor yet. */
  checkOrigin(request: ApiRequest): void
  /** `Set-Cookie` of a session; '' removes it. */
  cookie(request: ApiRequest, value: string): string
  /** `Set-Cookie` with a text for the next page of this visitor. */
  flash(request: ApiRequest, text: string): string
  /** The text that the last action left; null without one. */
  flashOf(request: ApiRequest): string | null
}

const COOKIE = 'footman_console'
const SECURE_COOKIE = `__Secure-${COOKIE}`
const FLASH_COOKIE = 'footman_flash'
const FLASH_SECONDS = 30
const TOKEN_BYTES = 32
const MOST_NOTED = 1000

export function createGuard(sessions: Sessions, audit: Audit): Guard {
  /** For visitors without a session, and for signatures. */
  const secret = randomBytes(TOKEN_BYTES)

  const tokenOf = ({ headers, secure }: ApiRequest): string => {
    const cookies = parse(headers.get('cookie') ?? '')
    return (secure ? cookies[SECURE_COOKIE] : cookies[COOKIE]) ?? ''
  }

  const visitor = (identity: Identity, session: Session | null, key: string | Buffer): Visitor => ({
    identity,
    caller: identity.caller,
    session,
    csrf: () => masked(macOf(key, 'csrf')),
  })

  async function visitorOf(request: ApiRequest, isPerson = true): Promise<Visitor | null> {
    const { pages, headers } = request
    if (!pages.signsIn) {
      if (!request.sees('admin')) throw refusal('FORBIDDEN', LOCAL_ONLY)
      return visitor({ caller: EVERYBODY, bucket: null, refusal: null }, null, secret)
    }
    if (headers.has('authorization')) {
      const { client } = request
      const identity = await pages.identify(headers)
      if (identity.refusal) throw identity.refusal
      return visitor(identity, null, macOf(secret, `${identity.caller.actor} ${client}`))
    }
    const token = tokenOf(request)
    const found = visitorWith(request, token)
    if (found?.session) noteMove(request, found.session)
    if (found?.session && isPerson && !new URL(request.url, 'http://x').pathname.endsWith('/v4/stream')) {
      sessions.seen(token, found.session, request.client)
    }
    return found
  }

  /** The last address in the audit, by session: pages send several requests at once. */
  const noted = new Map<string, string>()

  function noteMove({ client, requestId }: ApiRequest, { id, actor, address }: Session): void {
    if (address === client || noted.get(id) === client) return
    if (noted.size >= MOST_NOTED) noted.clear()
    noted.set(id, client)
    const entry = { action: 'session.move', target: [id], detail: `was at ${address}`, status: null }
    audit.record({ ...entry, outcome: 'ok', actor, address: client, requestId, via: 'console' })
  }

  function visitorWith({ pages, client }: ApiRequest, token: string): Visitor | null {
    const session = token === '' ? null : sessions.find(token, client)
    const identity = session && pages.recall(session.holder)
    return session && identity ? visitor({ ...identity, session: session.id }, session, token) : null
  }

  function checkOrigin({ headers, secure }: ApiRequest): void {
    const site = headers.get('sec-fetch-site')
    if (site === 'same-origin') return
    const origin = headers.get('origin')
    const own = `${secure ? 'https' : 'http'}://${headers.get('host') ?? ''}`
    if (site === null && origin !== null && origin.toLowerCase() === own.toLowerCase()) return
    throw refusal('CSRF', 'The request did not come from a page of Footman. Reload the page and try again.')
  }

  return {
    visitorOf: (request) => visitorOf(request),
    visitorWith,
    stays: (request) =>
      visitorOf(request, false).then(
        (found) => found !== null,
        () => false,
      ),
    checkOrigin,
    checkForm(request, who, given) {
      checkOrigin(request)
      if (given !== null && sameToken(given, who.csrf())) return
      throw refusal('CSRF', 'The page is too old, or it belongs to another session. Reload it and try again.')
    },
    cookie(request, value) {
      const { secure } = request
      return serialize(secure ? SECURE_COOKIE : COOKIE, value, {
        path: rootOf(request),
        secure,
        httpOnly: true,
        sameSite: 'Lax',
        ...(value === '' && { maxAge: 0 }),
      })
    },
    flash(request, text) {
      const value = Buffer.from(text).toString('base64url')
      const signed = text === '' ? '' : `${value}.${macOf(secret, value).toString('base64url')}`
      return serialize(FLASH_COOKIE, signed, {
        path: rootOf(request),
        secure: request.secure,
        httpOnly: true,
        sameSite: 'Lax',
        maxAge: text === '' ? 0 : FLASH_SECONDS,
      })
    },
    flashOf({ headers }) {
      const [value = '', mac = ''] = (parse(headers.get('cookie') ?? '')[FLASH_COOKIE] ?? '').split('.')
      const given = Buffer.from(mac, 'base64url')
      const wanted = macOf(secret, value)
      const isOurs = value !== '' && given.length === wanted.length && timingSafeEqual(given, wanted)
      return isOurs ? Buffer.from(value, 'base64url').toString() : null
    },
  }
}

const LOCAL_ONLY =
  'While access control is off, the console answers callers on this machine only. Configure Butler.footman.access to open it to others.'

const macOf = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

/** Another text at each rendering, so that compression cannot give the token away. */
function masked(token: Buffer): string {
  const mask = randomBytes(TOKEN_BYTES)
  return Buffer.concat([mask, xor(mask, token)]).toString('base64url')
}

function sameToken(a: string, b: string): boolean {
  const [one, other] = [unmasked(a), unmasked(b)]
  return one !== null && other !== null && timingSafeEqual(one, other)
}

function unmasked(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.length !== 2 * TOKEN_BYTES) return null
  return xor(bytes.subarray(0, TOKEN_BYTES), bytes.subarray(TOKEN_BYTES))
}

const xor = (a: Buffer, b: Buffer): Buffer => Buffer.from(a.map((byte, n) => byte ^ (b[n] ?? 0)))
