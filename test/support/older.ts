/** Configurations of older Butlers, written by hand as their manuals show them, and a folder in which they can start. */
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadCertificates } from '../../simulator/certificates.ts'
import { freeTcpPort, freeUdpPort } from './ports.ts'
import { type TempDirectory, tempDirectory } from './temp.ts'

const folder = (name: string) => join(import.meta.dirname, '..', 'fixtures', name)
const namesIn = (name: string) => readdirSync(folder(name)).map((file) => file.replace(/\.yaml$/, ''))

/** Names without `.yaml`. */
export const OLDER_FILES: readonly string[] = namesIn('older')
/** Templates after the connection was filled in: `<...>` in everything that is switched off. */
export const PLACEHOLDER_FILES: readonly string[] = namesIn('placeholders')

export const olderText = (name: string): string =>
  readFileSync(join(folder(PLACEHOLDER_FILES.includes(name) ? 'placeholders' : 'older'), `${name}.yaml`), 'utf8')

export interface OlderSite extends AsyncDisposable {
  readonly directory: TempDirectory
  readonly restPort: number
  readonly udpPort: number
}

let certificates: Promise<string> | undefined

/** All of a test run use the same. */
async function certificateFolder(): Promise<string> {
  if (!certificates) {
    const folder = tempDirectory()
    process.once('exit', folder.remove)
    certificates = loadCertificates(folder.path).then(({ directory }) => directory)
  }
  return certificates
}

/**
 * The file as `butler.yaml`, with the certificates it names. Only what cannot be the same on every machine is changed:
 * ports, the names of servers and the folder of the logs.
 */
export async function olderSite(name: string, parent?: string): Promise<OlderSite> {
  const directory = tempDirectory(parent)
  const from = await certificateFolder()
  const to = directory.join('config', 'certificate')
  mkdirSync(to, { recursive: true })
  for (const file of ['client.pem', 'client_key.pem', 'root.pem']) cpSync(join(from, file), join(to, file))
  cpSync(join(from, 'server.pem'), join(to, 'rest.pem'))
  cpSync(join(from, 'server_key.pem'), join(to, 'rest.key'))
  writeFileSync(directory.join('config', 'schedule.yaml'), 'butlerSchedule: []\n')
  const [restPort, udpPort, pagePort, healthPort] = await Promise.all([
    freeTcpPort(),
    freeUdpPort(),
    freeTcpPort(),
    freeTcpPort(),
  ])
  const text = olderText(name)
    .replace(/\b8080\b/, String(restPort))
    .replace(/\b9998\b/, String(udpPort))
    .replace(/\b3100\b/, String(pagePort))
    .replace(/\b12398\b/, String(healthPort))
    .replace(/\bqs(1|-central)\.acme\.example/g, '127.0.0.1')
    .replace(/logDirectory: log\b/, `logDirectory: '${directory.join('log')}'`)
  writeFileSync(directory.join('butler.yaml'), text)
  return { directory, restPort, udpPort, [Symbol.asyncDispose]: async () => directory.remove() }
}
