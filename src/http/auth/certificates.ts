/** Client certificates as credentials: chain and dates are checked, then the first grant whose subject fits counts. */
import type { X509Certificate } from 'node:crypto'
import type { ClientCertificate } from '../../platform/http-server.ts'
import type { Clock } from '../../platform/types.ts'
import { compileGrant, type Grant, type GrantSettings } from './grants.ts'

export interface CertificateGrantSettings extends GrantSettings {
  /** `CN=x`, a whole distinguished name, `DNS:x` or `email:x`. */
  readonly subject: string
}

export type CertificateVerdict =
  | { readonly name: string; readonly grant: Grant }
  /** For the log. */
  | { readonly problem: string }

export function createCertificateCheck(
  clock: Clock,
  grants: readonly CertificateGrantSettings[],
): (certificate: ClientCertificate) => CertificateVerdict {
  const known = grants.map(({ subject, ...grant }) => ({ fits: subjectMatcher(subject), grant: compileGrant(grant) }))

  return ({ trusted, problem, x509 }) => {
    if (!trusted) return { problem: `client certificate refused: ${problem}` }
    const now = clock.now()
    if (now < Date.parse(x509.validFrom)) return { problem: 'client certificate refused: not valid yet' }
    if (now > Date.parse(x509.validTo)) return { problem: 'client certificate refused: no longer valid' }
    const match = known.find(({ fits }) => fits(x509))
    const name = commonName(x509) ?? x509.subject.replaceAll('\n', ',')
    return match ? { name, grant: match.grant } : { problem: `no grant for the client certificate of ${name}` }
  }
}

function subjectMatcher(subject: string): (certificate: X509Certificate) => boolean {
  const [, kind, value = ''] = /^(DNS|email):(.+)$/i.exec(subject) ?? []
  // Wildcards of a certificate stand for servers and identify no client.
  if (kind?.toLowerCase() === 'dns')
    return (certificate) => certificate.checkHost(value, { subject: 'never', wildcards: false }) !== undefined
  if (kind) return (certificate) => certificate.checkEmail(value, { subject: 'never' }) !== undefined
  const parts = nameParts(subject)
  const [only] = parts
  if (parts.length === 1 && only?.startsWith('CN=')) return (certificate) => `CN=${commonName(certificate)}` === only
  const wanted = parts.join('\n')
  // Some tools write the distinguished name from the most general part on, others the other way round.
  const reversed = parts.toReversed().join('\n')
  return ({ subject: found }) => found === wanted || found === reversed
}

/** `CN=x, O=Acme` as `['CN=x', 'O=Acme']`; a comma after a backslash belongs to the value. */
function nameParts(subject: string): string[] {
  return subject.split(/(?<!\\),/).map((part) => part.trim())
}

/** The one common name; a certificate with several is known by none of them. */
function commonName({ subject }: X509Certificate): string | undefined {
  const names = subject.split('\n').filter((line) => line.startsWith('CN='))
  return names.length === 1 ? names[0]?.slice('CN='.length) : undefined
}
