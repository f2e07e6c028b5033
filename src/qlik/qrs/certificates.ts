/** The client certificate of the connection to Qlik Sense: read from disk, checked, and read again when it changes. */

import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { endSeverity } from '../../platform/certificate-ends.ts'
import { errorText } from '../../platform/errors.ts'
import { createRecurringJob } from '../../platform/recurring-job.ts'
import type { Clock, Logger, Service } from '../../platform/types.ts'
import { systemClock } from '../../platform/types.ts'
import type { ZoneTimes } from '../../platform/zone-times.ts'
import type { QrsCertificates } from './transport.ts'

/** The files of `Butler.cert` in the configuration, with absolute paths. */
export interface CertificatePaths {
  readonly clientCert: string
  readonly clientCertKey: string
  readonly clientCertCA: string
}

export interface CertificateCheck {
  /** Reasons why the connection does not work. */
  readonly problems: readonly string[]
  /** Reasons why it will stop working. */
  readonly warnings: readonly string[]
  /** Earliest end of the three certificates, milliseconds since 1970; null when unknown. */
  readonly expires: number | null
}

export interface CertificateSource extends Service {
  /** Null until the files could be read; the same object while they do not change. */
  current(): QrsCertificates | null
  /** The result of the last reading. */
  check(): CertificateCheck
}

/** Reads the three PEM files; rejects with `Error reading certificate file "<path>"! <reason>`. */
export async function readCertificates(
  paths: CertificatePaths,
  read: (path: string) => Promise<string> = (path) => readFile(path, 'utf8'),
): Promise<QrsCertificates> {
  const one = async (path: string) => {
    try {
      return await read(path)
    } catch (cause) {
      throw new Error(`Error reading certificate file "${path}"! ${(cause as Error).message}`, { cause })
    }
  }
  const [cert, key, ca] = await Promise.all([paths.clientCert, paths.clientCertKey, paths.clientCertCA].map(one))
  return { cert: cert!, key: key!, ca: ca! }
}

/** A fault of one of the files; the log, `footman check` and `footman doctor` each have their own text for it. */
export type CertificateFault = {
  readonly part: keyof CertificatePaths
  readonly certificate?: X509Certificate
} & (
  | { readonly kind: 'format' | 'keyPassword' | 'key' | 'chain' }
  | { readonly kind: 'expired' | 'notYetValid' | 'endsSoon'; readonly certificate: X509Certificate }
)

export interface CertificateJudgement {
  readonly client: X509Certificate | null
  /** The certificates of the authority's file, which may hold several. */
  readonly authorities: readonly X509Certificate[]
  readonly faults: readonly CertificateFault[]
}

/**
 * Judges form and validity, whether the key belongs to the certificate, and whether the authority has signed it. A part
 * that is null could not be read and is left out.
 */
export function judgeCertificates(
  { cert, key, ca }: { readonly [Part in keyof QrsCertificates]: string | null },
  now: number,
): CertificateJudgement {
  const faults: CertificateFault[] = []
  const [client = null] = parsed('clientCert', cert, faults)
  const authorities = parsed('clientCertCA', ca, faults)
  if (client) faults.push(...validity('clientCert', client, now))
  for (const one of authorities) faults.push(...validity('clientCertCA', one, now))
  faults.push(...keyFaults(key, client))
  if (client && authorities.length > 0 && !authorities.some((authority) => isSignedBy(client, authority))) {
    faults.push({ kind: 'chain', part: 'clientCert' })
  }
  return { client, authorities, faults }
}

const BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g

function parsed(part: keyof CertificatePaths, pem: string | null, faults: CertificateFault[]): X509Certificate[] {
  if (pem === null) return []
  try {
    return (pem.match(BLOCK) ?? [pem]).map((block) => new X509Certificate(block))
  } catch {
    faults.push({ kind: 'format', part })
    return []
  }
}

function validity(part: keyof CertificatePaths, certificate: X509Certificate, now: number): CertificateFault[] {
  if (now > endOf(certificate)) return [{ kind: 'expired', part, certificate }]
  if (now < Date.parse(certificate.validFrom)) return [{ kind: 'notYetValid', part, certificate }]
  return endSeverity(endOf(certificate) - now) === null ? [] : [{ kind: 'endsSoon', part, certificate }]
}

function keyFaults(pem: string | null, client: X509Certificate | null): CertificateFault[] {
  if (pem === null) return []
  const part = 'clientCertKey'
  try {
    const key = createPrivateKey(pem)
    return client && !client.checkPrivateKey(key) ? [{ kind: 'key', part }] : []
  } catch {
    return [{ kind: /ENCRYPTED/.test(pem) ? 'keyPassword' : 'format', part }]
  }
}

/** Whether the authority has signed the certificate. */
export function isSignedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  try {
    return certificate.checkIssued(authority) && certificate.verify(authority.publicKey)
  } catch {
    return false
  }
}

/** The end of a certificate, milliseconds since 1970. */
export const endOf = (certificate: X509Certificate): number => Date.parse(certificate.validTo)

export const PART_NAMES = {
  clientCert: 'client certificate',
  clientCertKey: 'key of the client certificate',
  clientCertCA: 'certificate authority',
} as const satisfies Record<keyof CertificatePaths, string>

/** Checks form, validity and that the key belongs to the certificate. Which site signed it is a matter of the doctor. */
export function checkCertificates(pems: QrsCertificates, now: number, times: ZoneTimes): CertificateCheck {
  const { client, authorities, faults } = judgeCertificates(pems, now)
  const problems: string[] = []
  const warnings: string[] = []
  for (const fault of faults) {
    // Further certificates of the authority's file need not be those of this site.
    if (
      fault.kind === 'chain' ||
      (fault.part === 'clientCertCA' && fault.certificate && fault.certificate !== authorities[0])
    )
      continue
    const list = fault.kind === 'endsSoon' ? warnings : problems
    list.push(faultText(fault, times))
  }
  const ends = [client, authorities[0]].flatMap((certificate) => (certificate ? [endOf(certificate)] : []))
  return { problems, warnings, expires: ends.length > 0 ? Math.min(...ends) : null }
}

function faultText(fault: CertificateFault, times: ZoneTimes): string {
  const what = PART_NAMES[fault.part]
  switch (fault.kind) {
    case 'expired':
      return `the ${what} ended at ${times.text(endOf(fault.certificate))}`
    case 'endsSoon':
      return `the ${what} ends at ${times.text(endOf(fault.certificate))}`
    case 'notYetValid':
      return `the ${what} is not valid yet`
    case 'keyPassword':
      return `the ${what} is protected by a password`
    case 'key':
      return 'the key does not belong to the client certificate'
    default:
      return `the ${what} is not a PEM ${fault.part === 'clientCertKey' ? 'key' : 'certificate'}`
  }
}

/**
 * Reads at start and every `retryMs` (60,000): a missing file never keeps Footman from starting, and renewed files are
 * used without a restart. Problems are logged when they change, not at every reading.
 */
export function createCertificateSource(
  deps: { log: Logger; times: ZoneTimes; clock?: Clock; read?: (path: string) => Promise<string> },
  settings: CertificatePaths & { readonly retryMs?: number },
): CertificateSource {
  const clock = deps.clock ?? systemClock
  let certificates: QrsCertificates | null = null
  let check: CertificateCheck = { problems: [], warnings: [], expires: null }
  let said = ''

  async function refresh(): Promise<void> {
    try {
      const read = await readCertificates(settings, deps.read)
      if (!certificates || !isSame(certificates, read)) certificates = read
      check = checkCertificates(read, clock.now(), deps.times)
    } catch (error) {
      // Files that vanish while they are replaced do not cut a working connection.
      check = { problems: [errorText(error)], warnings: [], expires: check.expires }
    }
    report()
  }

  function report(): void {
    const now = [...check.problems, ...check.warnings].join('\n')
    if (now === said) return
    if (said !== '' && now === '') deps.log.info('CONFIG: The certificates for Qlik Sense are readable and valid again')
    said = now
    for (const problem of check.problems) deps.log.error(`CONFIG: ${problem}`)
    for (const warning of check.warnings) deps.log.warn(`CONFIG: ${warning}`)
  }

  const refreshing = createRecurringJob({ everyMs: settings.retryMs ?? 60_000, unref: true }, refresh)

  return {
    name: 'certificates',
    current: () => certificates,
    check: () => check,
    async start() {
      await refresh()
      refreshing.start()
    },
    stop: refreshing.stop,
  }
}

const isSame = (a: QrsCertificates, b: QrsCertificates) => a.cert === b.cert && a.key === b.key && a.ca === b.ca
