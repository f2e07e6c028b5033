/** The client certificate of the connection to Qlik Sense: read from disk, checked, and read again when it changes. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { systemClock } from '../../platform/clock.ts'
import type { Clock, Logger, Service } from '../../platform/types.ts'
import type { QrsCertificates } from './transport.ts'

/** As `Butler.cert` in the configuration, with absolute paths. */
export interface CertificatePaths {
  readonly clientCert: string
  readonly clientCertKey: string
  readonly clientCertCA: string
}

export interface CertificateCheck {
  /** What keeps the connection from working. */
  readonly problems: readonly string[]
  /** What will. */
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

const DAY_MS = 86_400_000
const WARN_BEFORE_MS = 30 * DAY_MS

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

/** Checks form, validity and that the key belongs to the certificate. */
export function checkCertificates(pems: QrsCertificates, now: number): CertificateCheck {
  const problems: string[] = []
  const warnings: string[] = []
  const client = parse('client certificate', pems.cert, problems)
  const authority = parse('certificate authority', pems.ca, problems)
  const expires = [client, authority].flatMap((certificate) => (certificate ? [end(certificate)] : []))
  if (client) checkValidity('client certificate', client, now, problems, warnings)
  if (authority) checkValidity('certificate authority', authority, now, problems, warnings)
  const key = parseKey(pems.key, problems)
  if (client && key && !client.checkPrivateKey(key)) problems.push('the key does not belong to the client certificate')
  return { problems, warnings, expires: expires.length > 0 ? Math.min(...expires) : null }
}

function parse(what: string, pem: string, problems: string[]): X509Certificate | null {
  try {
    return new X509Certificate(pem)
  } catch {
    problems.push(`the ${what} is not a PEM certificate`)
    return null
  }
}

function parseKey(pem: string, problems: string[]) {
  try {
    return createPrivateKey(pem)
  } catch {
    const encrypted = /ENCRYPTED/.test(pem)
    problems.push(`the key of the client certificate is ${encrypted ? 'protected by a password' : 'not a PEM key'}`)
    return null
  }
}

const start = (certificate: X509Certificate) => Date.parse(certificate.validFrom)
const end = (certificate: X509Certificate) => Date.parse(certificate.validTo)

function checkValidity(
  what: string,
  certificate: X509Certificate,
  now: number,
  problems: string[],
  warnings: string[],
): void {
  const until = new Date(end(certificate)).toISOString()
  if (now < start(certificate)) problems.push(`the ${what} is not valid yet`)
  else if (now > end(certificate)) problems.push(`the ${what} ended at ${until}`)
  else if (now > end(certificate) - WARN_BEFORE_MS) warnings.push(`the ${what} ends at ${until}`)
}

/**
 * Reads at start and every `retryMs` (60,000): a missing file never keeps Footman from starting, and renewed files are
 * used without a restart. Problems are logged when they change, not at every reading.
 */
export function createCertificateSource(
  deps: { log: Logger; clock?: Clock; read?: (path: string) => Promise<string> },
  settings: CertificatePaths & { readonly retryMs?: number },
): CertificateSource {
  const clock = deps.clock ?? systemClock
  let certificates: QrsCertificates | null = null
  let check: CertificateCheck = { problems: [], warnings: [], expires: null }
  let said = ''
  let timer: ReturnType<typeof setInterval> | undefined

  async function refresh(): Promise<void> {
    try {
      const read = await readCertificates(settings, deps.read)
      if (!certificates || !isSame(certificates, read)) certificates = read
      check = checkCertificates(read, clock.now())
    } catch (error) {
      // Files that vanish while they are replaced do not cut a working connection.
      check = { problems: [(error as Error).message], warnings: [], expires: check.expires }
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

  return {
    name: 'certificates',
    current: () => certificates,
    check: () => check,
    async start() {
      await refresh()
      timer = setInterval(() => void refresh(), settings.retryMs ?? 60_000)
      timer.unref()
    },
    async stop() {
      clearInterval(timer)
    },
  }
}

const isSame = (a: QrsCertificates, b: QrsCertificates) => a.cert === b.cert && a.key === b.key && a.ca === b.ca
