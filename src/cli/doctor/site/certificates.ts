/** The certificates of the connection to Qlik Sense, as far as their files tell. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import type { CertificatePaths } from '../../../qlik/qrs/certificates.ts'
import type { DoctorContext, Finding, Probe } from '../types.ts'
import type { SiteOf } from './site.ts'

const GROUP = 'certificate'
/** Where the check of the configuration tells the same. */
const KEY = 'cert'
const DAY_MS = 86_400_000
const WARN_DAYS = 30
const EXPORT =
  'export the certificates again in the QMC (Certificates: PEM format, no password, with the secret key) and put client.pem, client_key.pem and root.pem in place of the old ones'

const WHAT = {
  clientCert: 'client certificate',
  clientCertKey: 'key of the client certificate',
  clientCertCA: 'certificate authority',
} as const satisfies Record<keyof CertificatePaths, string>
type Part = keyof CertificatePaths

export function certificatesProbe(sites: SiteOf): Probe {
  return {
    group: GROUP,
    title: 'Qlik Sense certificates',
    applies: ({ config, loaded }) =>
      loaded.qlikConnection && (config.configQRS.useSSL || (config.configEngine.useSSL && usesEngine(config))),
    run: async (context) => examine(context, sites(context).paths),
  }
}

export const usesEngine = ({ restServerConfig }: DoctorContext['config']): boolean => restServerConfig.enable

async function examine({ clock }: DoctorContext, paths: CertificatePaths): Promise<readonly Finding[]> {
  const read = await Promise.all((Object.keys(WHAT) as Part[]).map((part) => readPart(part, paths[part])))
  const unreadable = read.flatMap(({ finding }) => finding ?? [])
  const pem = (part: Part) => read.find((one) => one.part === part)?.pem ?? null
  const findings = [...unreadable]
  const client = certificateOf('clientCert', paths, pem('clientCert'), findings)
  const authorities = certificatesOf('clientCertCA', paths, pem('clientCertCA'), findings)
  if (client) findings.push(...validity('clientCert', paths.clientCert, client, clock.now()))
  for (const one of authorities) findings.push(...validity('clientCertCA', paths.clientCertCA, one, clock.now()))
  findings.push(...keyFindings(paths, client, pem('clientCertKey')))
  if (client && authorities.length > 0) findings.push(...chainFindings(paths, client, authorities))
  findings.push(...(await permissionFindings(paths.clientCertKey)))
  if (findings.some(({ level }) => level === 'error') || !client) return findings
  const message = `the key fits, signed by the authority, valid until ${dateOf(end(client))}`
  return [{ level: 'ok', code: `${GROUP}.valid`, target: paths.clientCert, message, key: 'cert' }, ...findings]
}

interface Read {
  readonly part: Part
  readonly pem: string | null
  readonly finding?: Finding
}

async function readPart(part: Part, path: string): Promise<Read> {
  try {
    return { part, pem: await readFile(path, 'utf8') }
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    const message = missing
      ? `the ${WHAT[part]} does not exist`
      : `the ${WHAT[part]} cannot be read: ${(error as Error).message}`
    const fix = missing
      ? `export it in the QMC (Certificates: PEM format, no password, with the secret key), or correct Butler.cert.${part}`
      : 'let the account that runs Footman read the file'
    const finding: Finding = {
      ...{ level: 'error', code: `${GROUP}.${missing ? 'missing' : 'unreadable'}`, target: path },
      ...{ message, fix, key: `cert.${part}` },
    }
    return { part, pem: null, finding }
  }
}

function certificateOf(part: Part, paths: CertificatePaths, pem: string | null, findings: Finding[]) {
  return certificatesOf(part, paths, pem, findings)[0] ?? null
}

const BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g

/** All certificates of a file; one may hold several. */
function certificatesOf(part: Part, paths: CertificatePaths, pem: string | null, findings: Finding[]) {
  if (pem === null) return []
  try {
    const blocks = pem.match(BLOCK) ?? []
    if (blocks.length === 0) throw new Error('no certificate')
    return blocks.map((block) => new X509Certificate(block))
  } catch {
    const hint = /^\s*[^-\s]/.test(pem) ? ' (a .pfx or .cer file has another format)' : ''
    findings.push({
      ...{ level: 'error', code: `${GROUP}.format`, target: paths[part], key: KEY, fix: EXPORT },
      message: `is not a PEM certificate${hint}`,
    })
    return []
  }
}

function validity(part: Part, target: string, certificate: X509Certificate, now: number): Finding[] {
  const common = { target, key: KEY }
  const until = end(certificate)
  if (now > until) {
    const message = `the ${WHAT[part]} ended on ${dateOf(until)}`
    return [{ ...common, level: 'error', code: `${GROUP}.expired`, message, fix: EXPORT }]
  }
  const from = Date.parse(certificate.validFrom)
  if (now < from) {
    const message = `the ${WHAT[part]} is valid from ${dateOf(from)} only; the clock here shows ${dateOf(now)}`
    const fix = 'correct the clock of this machine, or that of the Qlik Sense server'
    return [{ ...common, level: 'error', code: `${GROUP}.not-yet-valid`, message, fix }]
  }
  const days = Math.floor((until - now) / DAY_MS)
  if (days >= WARN_DAYS) return []
  const message = `the ${WHAT[part]} ends on ${dateOf(until)}, in ${days} days`
  return [{ ...common, level: 'warning', code: `${GROUP}.ends-soon`, message, fix: EXPORT }]
}

function keyFindings(paths: CertificatePaths, client: X509Certificate | null, pem: string | null): Finding[] {
  if (pem === null) return []
  const common = { level: 'error', target: paths.clientCertKey, key: KEY, fix: EXPORT } as const
  const key = privateKey(pem)
  if (key === null) {
    const encrypted = pem.includes('ENCRYPTED')
    const message = encrypted ? 'the key is protected by a password' : 'is not a PEM key'
    return [{ ...common, code: `${GROUP}.${encrypted ? 'key-password' : 'format'}`, message }]
  }
  if (!client || client.checkPrivateKey(key)) return []
  const message = `the key does not belong to the certificate ${paths.clientCert}`
  const fix = `name the two files of one export in Butler.cert, or ${EXPORT}`
  return [{ ...common, code: `${GROUP}.key`, message, fix }]
}

function privateKey(pem: string) {
  try {
    return createPrivateKey(pem)
  } catch {
    return null
  }
}

/** Whether one of the authorities signed the client certificate; both come out of one export. */
function chainFindings(
  paths: CertificatePaths,
  client: X509Certificate,
  authorities: readonly X509Certificate[],
): Finding[] {
  if (authorities.some((authority) => isSignedBy(client, authority))) return []
  const message = `the client certificate is not signed by ${paths.clientCertCA} (${nameOf(client.issuer)} signed it, that file holds ${nameOf(authorities[0]!.subject)}): the files come from different sites or exports`
  return [
    { level: 'error', code: `${GROUP}.chain`, target: paths.clientCert, message, fix: EXPORT, key: 'cert.clientCert' },
  ]
}

export function isSignedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  try {
    return certificate.checkIssued(authority) && certificate.verify(authority.publicKey)
  } catch {
    return false
  }
}

/** Permissions are bits on Linux and macOS only. */
async function permissionFindings(path: string): Promise<Finding[]> {
  if (process.platform === 'win32') return []
  const found = await stat(path).catch(() => null)
  if (!found || (found.mode & 0o007) === 0) return []
  const message = `every account of this machine may read the key (mode ${(found.mode & 0o777).toString(8)}); it opens the whole Qlik Sense site`
  const fix = `chown it to the account that runs Footman, then: chmod 600 ${path}`
  return [{ level: 'warning', code: `${GROUP}.permissions`, target: path, message, fix, key: 'cert.clientCertKey' }]
}

const end = (certificate: X509Certificate): number => Date.parse(certificate.validTo)
const dateOf = (time: number): string => new Date(time).toISOString().slice(0, 10)
export const nameOf = (distinguished: string): string => /CN=([^\n,]+)/.exec(distinguished)?.[1] ?? distinguished
