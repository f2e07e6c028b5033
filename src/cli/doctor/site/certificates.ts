/** The certificate files of the connection to Qlik Sense: format, validity, key, authority, permissions. */
import { readFile, stat } from 'node:fs/promises'
import { errorText } from '../../../platform/errors.ts'
import {
  type CertificateFault,
  type CertificateJudgement,
  type CertificatePaths,
  endOf,
  judgeCertificates,
  PART_NAMES,
} from '../../../qlik/qrs/certificates.ts'
import type { DoctorContext, Finding, Probe } from '../types.ts'
import type { SiteOf } from './site.ts'

const GROUP = 'certificate'
/** Where the check of the configuration reports the same. */
const KEY = 'cert'
const DAY_MS = 86_400_000
const EXPORT =
  'export the certificates again in the QMC (Certificates: PEM format, no password, with the secret key) and put client.pem, client_key.pem and root.pem in place of the old ones'

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

export const usesEngine = ({ restServerConfig, footman }: DoctorContext['config']): boolean =>
  restServerConfig.enable || footman.reportTask.enable

async function examine(context: DoctorContext, paths: CertificatePaths): Promise<readonly Finding[]> {
  const { clock, config } = context
  const read = await Promise.all(
    (Object.keys(PART_NAMES) as Part[]).map((part) =>
      readPart(part, paths[part], context.paths.candidates(config.cert[part], 'program')),
    ),
  )
  const pem = (part: Part) => read.find((one) => one.part === part)?.pem ?? null
  const pems = { cert: pem('clientCert'), key: pem('clientCertKey'), ca: pem('clientCertCA') }
  const judgement = judgeCertificates(pems, clock.now())
  const { client } = judgement
  const findings = [
    ...read.flatMap(({ finding }) => finding ?? []),
    ...judgement.faults.map((fault) => findingOf(fault, judgement, { paths, now: clock.now(), pem: pem(fault.part) })),
    ...(await permissionFindings(paths.clientCertKey)),
  ]
  if (findings.some(({ level }) => level === 'error') || !client) return findings
  const message = `the key fits, signed by the authority, valid until ${dateOf(endOf(client))}`
  return [{ level: 'ok', code: `${GROUP}.valid`, target: paths.clientCert, message, key: 'cert' }, ...findings]
}

interface Read {
  readonly part: Part
  readonly pem: string | null
  readonly finding?: Finding
}

/** `tried`: every place that a relative path may mean. */
async function readPart(part: Part, path: string, tried: readonly string[]): Promise<Read> {
  try {
    return { part, pem: await readFile(path, 'utf8') }
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    const message = missing
      ? `the ${PART_NAMES[part]} does not exist${tried.length > 1 ? `; tried ${tried.join(', ')}` : ''}`
      : `the ${PART_NAMES[part]} cannot be read: ${errorText(error)}`
    const fix = missing
      ? `export it in the QMC (Certificates: PEM format, no password, with the secret key), or correct Butler.cert.${part}`
      : 'let the account that runs Footman read the file'
    const finding: Finding = {
      level: 'error',
      code: `${GROUP}.${missing ? 'missing' : 'unreadable'}`,
      target: path,
      message,
      fix,
      key: `cert.${part}`,
    }
    return { part, pem: null, finding }
  }
}

interface Files {
  readonly paths: CertificatePaths
  readonly now: number
  /** Content of the file with the fault. */
  readonly pem: string | null
}

/** A fault with its code and what to do about it. */
function findingOf(fault: CertificateFault, judgement: CertificateJudgement, { paths, now, pem }: Files): Finding {
  const { part } = fault
  const what = PART_NAMES[part]
  const common = { level: 'error', target: paths[part], key: KEY, fix: EXPORT } as const
  switch (fault.kind) {
    case 'format': {
      const isKey = part === 'clientCertKey'
      const hint = !isKey && /^\s*[^-\s]/.test(pem ?? '') ? ' (a .pfx or .cer file has another format)' : ''
      return { ...common, code: `${GROUP}.format`, message: `is not a PEM ${isKey ? 'key' : 'certificate'}${hint}` }
    }
    case 'keyPassword':
      return { ...common, code: `${GROUP}.key-password`, message: 'the key is protected by a password' }
    case 'key': {
      const message = `the key does not belong to the certificate ${paths.clientCert}`
      const fix = `name the two files of one export in Butler.cert, or ${EXPORT}`
      return { ...common, code: `${GROUP}.key`, message, fix }
    }
    case 'chain':
      return { ...common, code: `${GROUP}.chain`, message: chainText(judgement, paths), key: 'cert.clientCert' }
    case 'expired':
      return {
        ...common,
        code: `${GROUP}.expired`,
        message: `the ${what} ended on ${dateOf(endOf(fault.certificate))}`,
      }
    case 'notYetValid': {
      const from = dateOf(Date.parse(fault.certificate.validFrom))
      const message = `the ${what} is valid from ${from} only; the clock here shows ${dateOf(now)}`
      const fix = 'correct the clock of this machine, or that of the Qlik Sense server'
      return { ...common, code: `${GROUP}.not-yet-valid`, message, fix }
    }
    case 'endsSoon': {
      const until = endOf(fault.certificate)
      const message = `the ${what} ends on ${dateOf(until)}, in ${Math.floor((until - now) / DAY_MS)} days`
      return { ...common, level: 'warning', code: `${GROUP}.ends-soon`, message }
    }
  }
}

/** Certificate and authority come out of one export. */
function chainText({ client, authorities }: CertificateJudgement, { clientCertCA }: CertificatePaths): string {
  const [by, holds] = [nameOf(client!.issuer), nameOf(authorities[0]!.subject)]
  return `the client certificate is not signed by ${clientCertCA} (${by} signed it, that file holds ${holds}): the files come from different sites or exports`
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

const dateOf = (time: number): string => new Date(time).toISOString().slice(0, 10)
export const nameOf = (distinguished: string): string => /CN=([^\n,]+)/.exec(distinguished)?.[1] ?? distinguished
