/** Decides whether a request may reach an endpoint, with access control on (authenticated access) and off (open access). */
import { addressMatcher } from '../../platform/addresses.ts'
import { type Caller, type Contact, EVERYBODY, forbidden, type Holder, type Identity } from '../endpoint/caller.ts'
import type { ApiRoute } from '../endpoint/route.ts'
import { type Refusal, refusal } from '../errors.ts'
import type { BrowserRules } from '../middleware/browser-rules.ts'
import type { CertificateVerdict } from './certificates.ts'
import { addressNotAllowed, compileGrant, createCaller, type Grant } from './grants.ts'
import type { JwtCheck } from './jwt.ts'
import { fingerprintOf, type KeyVerdict, type KnownKey, LOCAL_USER_HEADER, presentedCredential } from './keys.ts'

/** Identifies callers and refuses requests. */
export interface AccessControl {
  /**
   * 403 for all endpoints: for addresses that may not call at all, and for requests that foreign pages made a browser
   * send. `url` is path and query.
   */
  entryRefusal(url: string, contact: Contact): Refusal | null
  /** Synchronous unless a token has to be verified. */
  identify(contact: Contact): Identity | Promise<Identity>
  /** Why this route is closed to the caller; null when it is open. */
  refusal(route: Pick<ApiRoute, 'scope' | 'butler'>, caller: Caller, contact: Contact): Refusal | null
  /** The rights that a session has now; null when they have ended. Absent while access control is off. */
  readonly recall?: (holder: Holder, contact: Contact) => Identity | null
}

const LOCAL_ONLY =
  'While access control is off, this endpoint answers callers on this machine only. Configure Butler.footman.access to open it to others.'

const NOBODY_KNOWN: Identity = { caller: EVERYBODY, bucket: null, refusal: null }

/**
 * Access control that is off: what Butler 16 had is open, the rest serves callers on this machine only, and no foreign web
 * page gets in by the browser of its visitor.
 */
export function createOpenAccess(isLocal: (contact: Contact) => boolean, browser: BrowserRules): AccessControl {
  return {
    entryRefusal: (url, { headers }) => browser.refusal(headers, PAGES.test(url) || SECURITY_TXT.test(url)),
    identify: () => NOBODY_KNOWN,
    refusal(route, _caller, contact) {
      const forAll = route.scope === undefined || route.butler === true
      return forAll || isLocal(contact) ? null : forbidden(LOCAL_ONLY)
    },
  }
}

export interface ClosedAccessDeps {
  readonly checkKey: (presented: string) => KeyVerdict
  readonly keys: readonly KnownKey[]
  /** A key was accepted; absent: uses are not noted. */
  readonly onKeyUse?: ((key: KnownKey, address: string) => void) | undefined
  readonly now: () => number
  /** Whether this is the key that programs on this machine read from the data directory. */
  readonly isLocalKey: (presented: string) => boolean
  /** Null where tokens are not configured. */
  readonly checkToken: JwtCheck | null
  /** Null where certificates are not configured. */
  readonly checkCertificate: ((certificate: NonNullable<Contact['certificate']>) => CertificateVerdict) | null
  readonly isLocal: (contact: Contact) => boolean
  readonly browser: BrowserRules
}

export interface ClosedAccessSettings {
  readonly anonymous: { readonly scopes: readonly string[] }
  /** Empty = every address. */
  readonly allowFrom: readonly string[]
}

const ADMIN = compileGrant({ scopes: ['admin'] })

/**
 * Access control that is on: credentials, scopes and addresses decide. Keys and tokens are shown on purpose. A certificate,
 * and what callers without credentials may do, also come with requests that a foreign web page makes the browser send.
 */
export function createClosedAccess(deps: ClosedAccessDeps, settings: ClosedAccessSettings): AccessControl {
  const anonymous = createCaller('anonymous', [compileGrant(settings.anonymous)], '')
  const everybody = {
    ...anonymous,
    refusal: (scope: string) => (anonymous.may(scope) ? null : unauthenticated(NEEDED)),
  }
  const unknown: Identity = { caller: everybody, bucket: null, refusal: null }
  const mayCall = settings.allowFrom.length > 0 ? addressMatcher(settings.allowFrom) : null

  const granted = (actor: string, grants: readonly Grant[], { client }: Contact, holder: Holder): Identity => ({
    caller: createCaller(actor, grants, client),
    bucket: actor,
    refusal: null,
    holder,
  })
  const ofKey = (key: KnownKey, contact: Contact): Identity => {
    const { id, digest, grant, expiresAt } = key
    if (grant.allowsAddress(contact.client)) deps.onKeyUse?.(key, contact.client)
    const until = Number.isFinite(expiresAt) ? expiresAt : null
    return granted(`key:${id}`, [grant], contact, { kind: 'key', id, fingerprint: fingerprintOf(digest), until })
  }
  const ofLocal = (actor: string, contact: Contact): Identity => ({
    ...granted(actor, [ADMIN], contact, { kind: 'local', actor, until: null }),
    bucket: 'local',
  })
  const wrong = (problem: string): Identity => ({
    caller: everybody,
    bucket: null,
    refusal: unauthenticated(NOT_ACCEPTED),
    problem,
  })

  function byKey(text: string, contact: Contact): Identity {
    const verdict = deps.checkKey(text)
    if (deps.isLocalKey(text)) {
      return deps.isLocal(contact)
        ? ofLocal(localActor(contact.headers), contact)
        : wrong('the local key came from another machine')
    }
    return 'key' in verdict ? ofKey(verdict.key, contact) : wrong(verdict.problem)
  }

  async function byToken(check: JwtCheck, token: string, contact: Contact): Promise<Identity> {
    const verdict = await check(token)
    if ('problem' in verdict) return wrong(verdict.problem)
    const { subject, claims, until } = verdict
    return granted(`jwt:${subject}`, check.grants(claims), contact, { kind: 'token', subject, claims, until })
  }

  function byCertificate(contact: Contact): Identity {
    const { certificate } = contact
    if (!certificate || !deps.checkCertificate) return unknown
    const verdict = deps.checkCertificate(certificate)
    if ('problem' in verdict) return wrong(verdict.problem)
    const { name, grant } = verdict
    return granted(`cert:${name}`, [grant], contact, { kind: 'certificate', name, until: null })
  }

  const recalled: {
    readonly [K in Holder['kind']]: (holder: Holder & { kind: K }, contact: Contact) => Identity | null
  } = {
    key({ id, fingerprint }, contact) {
      const key = deps.keys.find((one) => one.id === id && fingerprintOf(one.digest) === fingerprint)
      return key && deps.now() < key.expiresAt ? ofKey(key, contact) : null
    },
    token(holder, contact) {
      const { subject, claims, until } = holder
      if (!deps.checkToken || deps.now() >= until) return null
      return granted(`jwt:${subject}`, deps.checkToken.grants(claims), contact, holder)
    },
    certificate({ name }, contact) {
      const identity = byCertificate(contact)
      return identity.caller.actor === `cert:${name}` ? identity : null
    },
    local: ({ actor }, contact) => (deps.isLocal(contact) ? ofLocal(actor, contact) : null),
  }

  /** For rights that nothing in the request itself proves: a foreign page may not use them. */
  function notForForeignPages(identity: Identity, { headers }: Contact): Identity {
    const foreign = deps.browser.refusal(headers)
    if (!foreign) return identity
    const { caller } = identity
    const refusal = (scope: string) => caller.refusal(scope) ?? foreign
    return { ...identity, caller: { ...caller, may: () => false, refusal } }
  }

  return {
    // Requests of foreign pages: see `notForForeignPages`.
    entryRefusal(url, contact) {
      if (!mayCall || HEALTH.test(url) || SECURITY_TXT.test(url)) return null
      return mayCall(contact.client) ? null : addressNotAllowed(contact.client)
    },
    identify(contact) {
      const presented = presentedCredential(contact.headers)
      if (presented.kind === 'none') return notForForeignPages(byCertificate(contact), contact)
      if (presented.kind === 'wrong') return wrong(presented.problem)
      if (presented.kind === 'token' && deps.checkToken) return byToken(deps.checkToken, presented.text, contact)
      return byKey(presented.text, contact)
    },
    refusal: ({ scope }, caller) => (scope === undefined ? null : caller.refusal(scope)),
    recall: (holder, contact) => recalled[holder.kind](holder as never, contact),
  }
}

/** Mails link to these pages, and a click in a web mailer comes from its site. */
const PAGES = /^\/(?:hub|console)(?:$|[/?])/
const HEALTH = /^\/health(?:$|[/?])/
/** For every finder of a vulnerability. */
const SECURITY_TXT = /^\/\.well-known\/security\.txt(?:$|\?)/

/**
 * `local:anna`, or `local` when the caller does not name its account. Nothing proves the name, as
 * the holder of the local key may do everything.
 */
function localActor(headers: Headers): string {
  const name = decoded(headers.get(LOCAL_USER_HEADER) ?? '').trim()
  return /^[\p{L}\p{N}][\p{L}\p{N}._@\\ $-]{0,63}$/u.test(name) ? `local:${name}` : 'local'
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}

const NEEDED =
  'This endpoint needs credentials: send "Authorization: Bearer <key or token>" or "X-Api-Key: <key>", or use a client certificate.'
const NOT_ACCEPTED = 'The credentials were not accepted; the log of Footman says why.'

const unauthenticated = (details: string): Refusal =>
  refusal('UNAUTHENTICATED', details, {}, { 'www-authenticate': 'Bearer realm="footman"' })
