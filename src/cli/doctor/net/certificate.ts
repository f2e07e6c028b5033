/** What a server's certificate means for Footman. */
import type { Finding } from '../types.ts'
import type { TlsLook } from './tls.ts'

interface CertificateSubject {
  readonly group: string
  readonly target: string
  /** Host, or the name that is asked for instead. */
  readonly name: string
  readonly key: string
  /** False where the settings accept every certificate. */
  readonly verified: boolean
  /** What to write where the authority is not known: `set Butler.x.caFile to ...`. */
  readonly authority: string
  readonly now: number
}

const DAY_MS = 86_400_000
const WARN_DAYS = 30

/** Nothing for a certificate that is accepted and lasts. */
export function certificateFindings(look: TlsLook, subject: CertificateSubject): Finding[] {
  const { group, target, key, verified, now } = subject
  const { notAfter } = look.certificate
  if (look.refusal !== null) {
    const { message, fix } = refusalOf(look, subject)
    if (verified) return [{ level: 'error', code: `${group}.certificate`, target, message, fix, key }]
    const text = `${message}; accepted, as the settings say not to look`
    return [{ level: 'info', code: `${group}.certificate-not-verified`, target, message: text, key }]
  }
  if (notAfter === null || notAfter - now > WARN_DAYS * DAY_MS) return []
  const days = Math.max(0, Math.floor((notAfter - now) / DAY_MS))
  const message = `the certificate of the server ends on ${dateOf(notAfter)}, in ${days} days`
  const fix = 'renew it on the server'
  return [{ level: 'warning', code: `${group}.certificate-ending`, target, message, fix, key }]
}

function refusalOf({ refusal, certificate }: TlsLook, { name, authority, now }: CertificateSubject) {
  const { notAfter, notBefore, names, subject, issuer } = certificate
  if (notAfter !== null && notAfter < now) {
    const message = `the certificate of the server has expired on ${dateOf(notAfter)}`
    return { message, fix: 'renew it on the server; if it is valid there, correct the clock of this machine' }
  }
  if (notBefore !== null && notBefore > now) {
    const message = `the certificate of the server is valid from ${dateOf(notBefore)} only`
    return { message, fix: 'correct the clock of this machine, or that of the server' }
  }
  if (refusal === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const message = `the certificate is made for ${names || subject}, not for ${name}`
    return { message, fix: 'use a name that is in the certificate, or have one made for this name' }
  }
  const by = subject === issuer ? 'by itself' : `by "${issuer}"`
  return { message: `the certificate is signed ${by}, which is not trusted (${refusal})`, fix: authority }
}

const dateOf = (time: number): string => new Date(time).toISOString().slice(0, 10)
