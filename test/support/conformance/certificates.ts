import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadCertificates, type SimulatorCertificates } from '../../../simulator/certificates.ts'

let made: Promise<SimulatorCertificates> | undefined

/** One set of test certificates per process. */
export function testCertificates(): Promise<SimulatorCertificates> {
  made ??= make()
  return made
}

async function make(): Promise<SimulatorCertificates> {
  const directory = mkdtempSync(join(tmpdir(), 'footman-tls-'))
  try {
    return await loadCertificates(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
