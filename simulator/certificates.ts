import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PemFile, Tls } from './types.ts'

/** The certificate files of the site, plus what only the TLS faults use. */
export interface SimulatorCertificates extends Tls {
  /** Signed by the site's CA, but no longer valid. */
  readonly expiredServer: PemFile
  /** A CA that no client of the site knows, and a server certificate of it (same server key). */
  readonly foreign: { readonly ca: PemFile; readonly server: PemFile }
}

const FILES = {
  root: 'root.pem',
  server: 'server.pem',
  serverKey: 'server_key.pem',
  client: 'client.pem',
  clientKey: 'client_key.pem',
  expired: 'server_expired.pem',
  foreignRoot: 'foreign_root.pem',
  foreignServer: 'foreign_server.pem',
} as const
type PemSet = Record<keyof typeof FILES, string>

const DAY_MS = 86_400_000

/**
 * Loads the certificates of the simulated site from `directory`, making the folder and a new set when they are missing,
 * unreadable or expired. The names are those of a certificate export of the Qlik Management Console.
 */
export async function loadCertificates(directory: string): Promise<SimulatorCertificates> {
  const pems = (await readSet(directory)) ?? (await createSet(directory))
  const file = (key: keyof typeof FILES): PemFile => ({ pem: pems[key], path: join(directory, FILES[key]) })
  return {
    directory,
    ca: file('root'),
    server: { cert: file('server'), key: file('serverKey') },
    client: { cert: file('client'), key: file('clientKey') },
    expiredServer: file('expired'),
    foreign: { ca: file('foreignRoot'), server: file('foreignServer') },
  }
}

async function readSet(directory: string): Promise<PemSet | null> {
  try {
    const names = Object.keys(FILES) as (keyof typeof FILES)[]
    const texts = await Promise.all(names.map((key) => readFile(join(directory, FILES[key]), 'utf8')))
    const pems = Object.fromEntries(names.map((key, index) => [key, texts[index]])) as PemSet
    return fits(pems) ? pems : null
  } catch {
    return null
  }
}

/** Whether the files belong together and are good for another day. */
function fits(pems: PemSet): boolean {
  const root = new X509Certificate(pems.root)
  const belongs = (certificate: string, key: string) => {
    const parsed = new X509Certificate(certificate)
    const lasting = parsed.validToDate.getTime() > Date.now() + DAY_MS
    return lasting && parsed.verify(root.publicKey) && parsed.checkPrivateKey(createPrivateKey(key))
  }
  return belongs(pems.server, pems.serverKey) && belongs(pems.client, pems.clientKey)
}

async function createSet(directory: string): Promise<PemSet> {
  await mkdir(directory, { recursive: true })
  const { createAuthority, createKeys, privatePem, sign, CLIENT_EXTENSIONS, SERVER_EXTENSIONS } = await loadPki()
  const now = Date.now()
  const valid = { notBefore: new Date(now - DAY_MS), notAfter: new Date(now + 3650 * DAY_MS) }
  const past = { notBefore: new Date(now - 30 * DAY_MS), notAfter: new Date(now - DAY_MS) }
  const [site, foreign, server, client] = await Promise.all([
    createAuthority('qs-central.acme.local-CA', valid),
    createAuthority('Unknown-CA', valid),
    createKeys(),
    createKeys(),
  ])
  const serverCertificate = (authority: typeof site, validity: typeof valid) =>
    sign(authority, 'CN=qs-central.acme.local', server.publicKey, validity, SERVER_EXTENSIONS)
  const pems: PemSet = {
    root: site.certificate.toString('pem'),
    server: await serverCertificate(site, valid),
    serverKey: await privatePem(server),
    client: await sign(site, 'CN=QlikClient', client.publicKey, valid, CLIENT_EXTENSIONS),
    clientKey: await privatePem(client),
    expired: await serverCertificate(site, past),
    foreignRoot: foreign.certificate.toString('pem'),
    foreignServer: await serverCertificate(foreign, valid),
  }
  await Promise.all(
    (Object.keys(FILES) as (keyof typeof FILES)[]).map((key) =>
      writeFile(join(directory, FILES[key]), pems[key], { mode: 0o600 }),
    ),
  )
  return pems
}

/** The certificate library needs its polyfill to be there before it is loaded; neither is loaded when files exist. */
async function loadPki() {
  await import('reflect-metadata')
  return import('./pki.ts')
}
