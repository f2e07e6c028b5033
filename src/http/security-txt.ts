/** `GET /.well-known/security.txt` (RFC 9116): where to report a vulnerability of this installation. */
import { z } from 'zod'
import type { Clock } from '../platform/types.ts'
import { type ApiRoute, route } from './endpoint/route.ts'
import { noSuchRoute } from './errors.ts'

/** `Butler.footman.api.securityTxt`. */
export interface SecurityTxt {
  /** Addresses in the order of preference; empty: nothing is served. */
  readonly contact: readonly string[]
  readonly languages: readonly string[]
  /** '' = none. */
  readonly policy: string
}

const DAY_MS = 86_400_000
/** A copy that is older than a month is asked for again: the address may have changed. */
const VALID_DAYS = 30

/** The file, valid for 29 to 30 days from `now` (milliseconds since 1970). A plain mail address becomes a `mailto:`. */
export function securityText({ contact, languages, policy }: SecurityTxt, now: number): string {
  const expires = new Date((Math.floor(now / DAY_MS) + VALID_DAYS) * DAY_MS).toISOString().replace('.000Z', 'Z')
  const fields = [
    ...contact.map((address) => ['Contact', /^[a-z]+:/i.test(address) ? address : `mailto:${address}`]),
    ['Expires', expires],
    ...(languages.length > 0 ? [['Preferred-Languages', languages.join(', ')]] : []),
    ...(policy === '' ? [] : [['Policy', policy]]),
  ]
  return fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')
}

/** Open to every caller. `settings` are those of now; 404 while they have no address. */
export function securityTxtRoute(settings: () => SecurityTxt | undefined, clock: Clock): ApiRoute {
  return route({
    method: 'GET',
    path: '/.well-known/security.txt',
    documented: false,
    at: 'here',
    summary: 'Where to report a vulnerability',
    answers: () => ({ 200: z.string() }),
    handle({ method, url }, answer) {
      const current = settings()
      if (!current || current.contact.length === 0) throw noSuchRoute(method, url)
      return answer(200, securityText(current, clock.now()), { 'x-content-type-options': 'nosniff' })
    },
  })
}
