/** Certificates of the simulated site, made once for all runs: keys and signatures cost more than the rest of a site. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { loadCertificates } from '../../simulator/certificates.ts'
import type { CertificatePair } from './certificates.ts'
import { repositoryRoot } from './source.ts'

const RESULTS = join(repositoryRoot, 'test-results')
const MADE = join(RESULTS, 'site-certificates')

/** Copies them into `directory`, where the simulator takes them, or makes others when they have expired. */
export async function copyCertificates(directory: string): Promise<void> {
  if (!existsSync(MADE)) await makeCertificates()
  cpSync(MADE, directory, { recursive: true })
}

/** The certificate of its server, which is good for any other server at 127.0.0.1. */
export async function serverCertificate(): Promise<CertificatePair> {
  if (!existsSync(MADE)) await makeCertificates()
  const text = (file: string) => readFileSync(join(MADE, file), 'utf8')
  return { ca: text('root.pem'), cert: text('server.pem'), key: text('server_key.pem') }
}

async function makeCertificates(): Promise<void> {
  mkdirSync(RESULTS, { recursive: true })
  const work = mkdtempSync(join(RESULTS, 'certificates-new-'))
  await loadCertificates(work)
  try {
    renameSync(work, MADE)
  } catch (error) {
    // Another test process was faster.
    if (!existsSync(MADE)) throw error
    rmSync(work, { recursive: true })
  }
}
