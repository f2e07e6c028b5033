/** `footman doctor` against a simulated site. */

import type { Simulator } from '../../simulator/index.ts'
import type { Finding } from '../../src/cli/doctor/types.ts'
import { type Diagnosis, type DiagnosisOptions, diagnose } from './doctor.ts'

type Tree = Readonly<Record<string, unknown>>

const headers = { static: [{ name: 'X-Qlik-User', value: 'UserDirectory=Internal;UserId=sa_repository' }] }

/** Sections below `Butler` that connect to the site, with nothing else switched on. */
export function siteConfig(simulator: Simulator, more: { readonly qrs?: Tree; readonly cert?: Tree } = {}): Tree {
  const { clientCert, clientCertKey, clientCertCA } = simulator.certificates
  return {
    cert: { clientCert, clientCertKey, clientCertCA, ...more.cert },
    configQRS: { host: '127.0.0.1', port: simulator.ports.qrs, rejectUnauthorized: true, headers, ...more.qrs },
    configEngine: { host: '127.0.0.1', port: simulator.ports.engine, rejectUnauthorized: true },
  }
}

export function diagnoseSite(butler: Tree, only: readonly string[], more: DiagnosisOptions = {}): Promise<Diagnosis> {
  return diagnose(butler, { qsConnection: true, only, ...more })
}

/** Those that are not in order: level and code. */
export const complaints = ({ findings }: Diagnosis): readonly string[] =>
  findings.filter(({ level }) => level === 'error' || level === 'warning').map(({ level, code }) => `${level} ${code}`)

/** The finding with this code; throws with all of them when there is none. */
export function finding(diagnosis: Diagnosis, code: string): Finding {
  const found = diagnosis.findings.find((one) => one.code === code)
  if (found) return found
  throw new Error(`no finding ${code} in ${JSON.stringify(diagnosis.findings, null, 2)}`)
}
