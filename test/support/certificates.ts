/** Server certificates to order. */
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import {
  type Authority,
  CLIENT_EXTENSIONS,
  createAuthority,
  createKeys,
  privatePem,
  sign,
} from '../../simulator/pki.ts'

const DAY_MS = 86_400_000

export interface CertificatePair {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

export interface CertificateOptions {
  /** Days from now; negative = expired. */
  readonly days?: number
  /** For a client that shows it; default: for a server. */
  readonly isClient?: boolean
  /** Default: one of its own. */
  readonly authority?: Authority
}

/** A certificate by which a person shows its name. */
export const clientPair = (name: string): Promise<CertificatePair> => certificatePair(name, { isClient: true })

/** An authority for several certificates. */
export const testAuthority = (now = Date.now()): Promise<Authority> =>
  createAuthority('Test authority', {
    notBefore: new Date(now - 100 * DAY_MS),
    notAfter: new Date(now + 365 * DAY_MS),
  })

/** A certificate for one DNS name, address or person. */
export async function certificatePair(
  name: string,
  { days = 90, isClient = false, authority: given }: CertificateOptions = {},
): Promise<CertificatePair> {
  const now = Date.now()
  const validity = { notBefore: new Date(now - 100 * DAY_MS), notAfter: new Date(now + days * DAY_MS) }
  const authority = given ?? (await testAuthority(now))
  const keys = await createKeys()
  const type = /^[\d.]+$/.test(name) ? ('ip' as const) : ('dns' as const)
  const forServer = () => [
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    new x509.SubjectAlternativeNameExtension([{ type, value: name }]),
  ]
  const extensions = isClient ? CLIENT_EXTENSIONS : forServer
  const cert = await sign(authority, `CN=${name}`, keys.publicKey, validity, extensions)
  return { ca: authority.certificate.toString('pem'), cert, key: await privatePem(keys) }
}
