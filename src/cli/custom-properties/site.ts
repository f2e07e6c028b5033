/** The repository of a configuration, for commands that look at it once. */

import type { Config } from '../../app/schema.ts'
import type { ConfigPaths } from '../../config/paths.ts'
import { createLogger } from '../../platform/log.ts'
import { readCertificates } from '../../qlik/qrs/certificates.ts'
import { createQrsTransport, type QrsTransport } from '../../qlik/qrs/transport.ts'

const NO_CERTIFICATES = { cert: '', key: '', ca: '' }

/** Rejects when the certificates cannot be read. */
export async function openRepository(
  { cert, configQRS }: Config,
  paths: ConfigPaths,
  timeoutMs: number,
): Promise<QrsTransport> {
  const { host, port, useSSL, headers, rejectUnauthorized } = configQRS
  const files = {
    clientCert: paths.input(cert.clientCert, 'program'),
    clientCertKey: paths.input(cert.clientCertKey, 'program'),
    clientCertCA: paths.input(cert.clientCertCA, 'program'),
  }
  const certificates = useSSL ? await readCertificates(files) : NO_CERTIFICATES
  const log = createLogger({ level: 'error', format: 'text', console: false })
  return createQrsTransport(
    { log },
    { host, port, useSSL, headers: headers.static, rejectUnauthorized, certificates, timeoutMs },
  )
}

/** The account in whose name QRS is asked: the value of `X-Qlik-User`. */
export function userOf({ configQRS }: Config): string {
  return configQRS.headers.static.find(({ name }) => name.toLowerCase() === 'x-qlik-user')?.value ?? 'without a user'
}
