/** From a commit to a release: archives, their signed checksums, the bill of materials. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import lock from '../../package-lock.json' with { type: 'json' }
import { buildExecutable } from '../build/executable.ts'
import { type Identity, root } from '../build/identity.ts'
import { executableName, type Target } from '../build/targets.ts'
import { type ArchiveFile, tarGz, zip } from './archive.ts'
import { signExecutable } from './authenticode.ts'
import { bundledPackages } from './bundled.ts'
import { checksums, shippedFiles } from './contents.ts'
import { licenceText } from './licences.ts'
import { publicKeyFile, publicKeyText, type SigningKey, signature } from './minisign.ts'
import { billText } from './sbom.ts'

/** The oldest time that a zip archive can hold. */
const NO_TIME = new Date('1980-01-01T00:00:00Z')

export interface ReleaseOrder {
  readonly identity: Identity
  readonly targets: readonly Target[]
  /** Absolute path of the folder that gets the files. */
  readonly out: string
  /** Signs SHA256SUMS; null: it has no signature. */
  readonly key: SigningKey | null
  /** Command that signs executables for Windows; left out: they are not signed. */
  readonly signWindows?: string
  /** Called after each file that is written. */
  readonly onFile?: (name: string, bytes: number) => void
}

const SIGNATURE = ['SHA256SUMS.minisig', 'minisign.pub'] as const

/** Throws unless readers of `readme` find the public key there: a key that lies beside the download only proves nothing. */
export function requirePublished(key: SigningKey, readme: string): void {
  const text = publicKeyText(key)
  if (readme.includes(text)) return
  throw new Error(`README.md does not show the public key ${text}; write it there as "Release key", and commit it`)
}

const RELEASED = /^footman-.*\.(zip|tar\.gz|cdx\.json)$/

/**
 * Writes the archives of `targets`, `footman-<version>.cdx.json`, `SHA256SUMS`, with a key its signature and the public key;
 * resolves with their names. Files of other versions and platforms stay in the folder, and `SHA256SUMS` lists them too.
 */
export async function release({ identity, targets, out, key, signWindows, onFile }: ReleaseOrder): Promise<string[]> {
  mkdirSync(out, { recursive: true })
  const packages = await bundledPackages(identity)
  const bill = Buffer.from(billText(identity, packages))
  const common: readonly ArchiveFile[] = [
    ...shippedFiles(),
    {
      path: 'THIRD-PARTY-LICENCES.txt',
      bytes: Buffer.from(licenceText(packages, lock.packages['node_modules/bun'].version)),
    },
    { path: 'sbom.cdx.json', bytes: bill },
  ]
  const time = identity.time ?? NO_TIME
  const published: ArchiveFile[] = []
  function publish(path: string, bytes: Buffer): void {
    writeFileSync(join(out, path), bytes)
    published.push({ path, bytes })
    onFile?.(path, bytes.length)
  }

  for (const target of targets) {
    const folder = `footman-${identity.version}-${target.name}`
    const files = [await executable({ identity, target, out, signWindows }), ...common]
    const sums = { path: 'SHA256SUMS', bytes: Buffer.from(checksums(files)) }
    const archive = { folder, files: [...files, sums], time }
    if (target.windows) publish(`${folder}.zip`, await zip(archive))
    else publish(`${folder}.tar.gz`, await tarGz(archive))
  }
  publish(`footman-${identity.version}.cdx.json`, bill)
  const sums = Buffer.from(checksums([...published, ...earlier(out, published)]))
  // The signature of an earlier release would not fit.
  for (const name of SIGNATURE) rmSync(join(out, name), { force: true })
  publish('SHA256SUMS', sums)
  if (!key) return published.map(({ path }) => path)
  const trusted = `timestamp:${time.getTime() / 1000}\tfile:SHA256SUMS\thashed\tFootman ${identity.version}, commit ${identity.commit}`
  publish(SIGNATURE[0], Buffer.from(signature(sums, key, trusted)))
  publish(SIGNATURE[1], Buffer.from(publicKeyFile(key)))
  return published.map(({ path }) => path)
}

/** Files of earlier releases in the folder: other versions and platforms. */
function earlier(out: string, published: readonly ArchiveFile[]): ArchiveFile[] {
  return readdirSync(out)
    .filter((name) => RELEASED.test(name) && !published.some(({ path }) => path === name))
    .map((path) => ({ path, bytes: readFileSync(join(out, path)) }))
}

/** The executable under the name that it has where it is used: without version and platform. */
async function executable({
  identity,
  target,
  out,
  signWindows,
}: Pick<ReleaseOrder, 'identity' | 'out' | 'signWindows'> & { target: Target }): Promise<ArchiveFile> {
  const outfile = join(out, executableName(target))
  await buildExecutable({ entry: join(root, 'src', 'main.ts'), outfile, identity, target })
  try {
    if (target.windows && signWindows) signExecutable(signWindows, outfile)
    return { path: target.windows ? 'footman.exe' : 'footman', bytes: readFileSync(outfile), executable: true }
  } finally {
    rmSync(outfile)
  }
}
