/** Why a host of the shared database cannot be used, and what to do. */
import type { ClusterConfig } from '../../../cluster/config.ts'
import { hbaLine } from '../../../cluster/sql.ts'
import { connectionFailure } from '../../../platform/connection-failure.ts'
import type { PostgresError } from '../../../platform/postgres/errors.ts'
import type { DoctorContext, Finding } from '../types.ts'

interface Place {
  readonly host: string
  readonly port: number
}

interface Refusal {
  /** Codes of TLS or of the file system, SQLSTATEs, or words of the message. */
  readonly when: RegExp
  readonly code: string
  /** Below `Butler.footman.cluster`. */
  readonly key: (section: ClusterConfig, message: string) => string
  readonly fix: (section: ClusterConfig, place: Place) => string
}

const FILES = ['ca', 'certificate', 'key'] as const
const CA_FIX = 'set Butler.footman.cluster.tls.ca to the certificate authority of the server (PEM)'

/** Never a line that lets a password and alerts through in plain text. */
const encrypted = (section: Parameters<typeof hbaLine>[0]): Parameters<typeof hbaLine>[0] => ({
  ...section,
  tls: { ...section.tls, mode: 'verify-full' },
})

/** The first one that fits counts. */
const REFUSALS: readonly Refusal[] = [
  {
    when: /^(ENOENT|EACCES|EISDIR|EPERM)$/,
    code: 'tls-authority',
    key: ({ tls }, message) => `tls.${FILES.find((file) => tls[file] !== '' && message.includes(tls[file])) ?? 'ca'}`,
    fix: () => 'correct the files in Butler.footman.cluster.tls, and let the account of Footman read them',
  },
  {
    when: /ALTNAME|HOSTNAME_MISMATCH/,
    code: 'tls-name',
    key: () => 'tls.serverName',
    fix: (_, { host }) =>
      `use a name of the certificate in Butler.footman.cluster.hosts, set tls.serverName to it, or have a certificate made for ${host}`,
  },
  {
    when: /CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/,
    code: 'tls-authority',
    key: () => 'tls.ca',
    fix: () => 'renew the certificate of the server; if it is valid there, correct the clock of this machine',
  },
  {
    when: /does not support SSL/,
    code: 'tls-refused',
    key: () => 'tls.mode',
    fix: () =>
      'turn TLS on in the server: ssl = on with ssl_cert_file and ssl_key_file, then reload it; other connections stay as they are',
  },
  { when: /UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|^CERT_/, code: 'tls-authority', key: () => 'tls.ca', fix: () => CA_FIX },
  {
    when: /^28000$/,
    code: 'login',
    key: () => 'user',
    fix: (section) =>
      `add a line to pg_hba.conf with the address of this machine, like "${hbaLine(encrypted(section))}", then reload the server${section.tls.mode === 'off' ? '; the line takes TLS: turn it on in the server and remove tls.mode: off' : ''}`,
  },
  {
    when: /^28|^SASL|client password/,
    code: 'login',
    key: () => 'password',
    fix: ({ user }) => `correct Butler.footman.cluster.user and password: ALTER ROLE ${user} PASSWORD sets a new one`,
  },
  {
    when: /^53300$/,
    code: 'login',
    key: () => 'connections',
    fix: () => 'raise max_connections of the server, or the CONNECTION LIMIT of the role',
  },
  {
    when: /^3D/,
    code: 'database',
    key: () => 'database',
    fix: () => 'make it with the SQL that "footman cluster sql" prints, or correct Butler.footman.cluster.database',
  },
  {
    when: /^42501$/,
    code: 'rights',
    key: () => 'user',
    fix: ({ database, user }) => `GRANT CONNECT ON DATABASE ${database} TO ${user}`,
  },
  {
    when: /ERR_SSL|ERR_TLS|ERR_OSSL|SSL connection|certificate/i,
    code: 'tls-refused',
    key: () => 'tls',
    fix: () =>
      'let the server offer TLS 1.2 or newer, and set tls.certificate and tls.key where it asks for a client certificate',
  },
]

/** The finding for a host that does not let the node in, or cannot be reached. */
export function hostFinding(place: Place, error: PostgresError, { config }: DoctorContext): Finding {
  const section = config.footman.cluster
  const { host, port } = place
  const target = `${host.includes(':') ? `[${host}]` : host}:${port}`
  const message = error.message.startsWith(`${target}: `) ? error.message.slice(target.length + 2) : error.message
  const { code = '' } = (error.cause ?? {}) as { readonly code?: string }
  const refusal = REFUSALS.find(({ when }) => when.test(error.code ?? code) || when.test(message))
  if (refusal) {
    const key = `footman.cluster.${refusal.key(section, message)}`
    return { level: 'error', code: `cluster.${refusal.code}`, target, message, fix: refusal.fix(section, place), key }
  }
  const hosts = 'Butler.footman.cluster.hosts'
  const isLate = message.startsWith('no answer')
  const cause = isLate ? Object.assign(new Error(message), { code: 'ETIMEDOUT' }) : (error.cause ?? error)
  const { reason, hint } = connectionFailure(cause, { ...place, hostKey: hosts, portKey: `the port in ${hosts}` })
  return {
    level: 'error',
    code: 'cluster.unreachable',
    target,
    message: reason,
    fix: hint,
    key: 'footman.cluster.hosts',
  }
}
