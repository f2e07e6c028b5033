/** Making keys and certificates. Load `reflect-metadata` before this module. */
import * as x509 from '@peculiar/x509'

/** Names that the server certificate is valid for. */
const SERVER_NAMES = [
  'localhost',
  'qs-central',
  'qs-central.acme.local',
  'qs-reload1',
  'qs-reload1.acme.local',
] as const
const SERVER_ADDRESSES = ['127.0.0.1', '::1'] as const

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

export type Keys = CryptoKeyPair
export interface Validity {
  readonly notBefore: Date
  readonly notAfter: Date
}
export interface Authority {
  readonly certificate: x509.X509Certificate
  readonly keys: Keys
}

export const SERVER_EXTENSIONS = () => [
  new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
  new x509.SubjectAlternativeNameExtension([
    ...SERVER_NAMES.map((value) => ({ type: 'dns' as const, value })),
    ...SERVER_ADDRESSES.map((value) => ({ type: 'ip' as const, value })),
  ]),
]
export const CLIENT_EXTENSIONS = () => [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])]

/** A key pair that can be exported. */
export async function createKeys(): Promise<Keys> {
  return await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
}

/** A self-signed certificate authority. */
export async function createAuthority(name: string, validity: Validity): Promise<Authority> {
  const keys = await createKeys()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: `CN=${name}`,
      keys,
      signingAlgorithm: ALGORITHM,
      ...validity,
      extensions: [
        new x509.BasicConstraintsExtension(true, 1, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      ],
    },
    crypto,
  )
  return { certificate, keys }
}

/** A certificate for `subject`, as PEM. */
export async function sign(
  authority: Authority,
  subject: string,
  publicKey: CryptoKey,
  validity: Validity,
  extensions: () => x509.Extension[],
): Promise<string> {
  const certificate = await x509.X509CertificateGenerator.create(
    {
      subject,
      issuer: authority.certificate.subject,
      publicKey,
      signingKey: authority.keys.privateKey,
      signingAlgorithm: ALGORITHM,
      ...validity,
      extensions: [new x509.BasicConstraintsExtension(false, undefined, true), ...extensions()],
    },
    crypto,
  )
  return certificate.toString('pem')
}

/** PKCS #8 PEM. */
export async function privatePem(keys: Keys): Promise<string> {
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64')
  return `-----BEGIN PRIVATE KEY-----\n${der.match(/.{1,64}/g)?.join('\n')}\n-----END PRIVATE KEY-----\n`
}
