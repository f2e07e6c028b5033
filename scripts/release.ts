/**
 * `npm run release`: an archive for each platform, a bill of materials and signed SHA-256 sums, in dist/release.
 * `-- --target windows-x64 --target linux-x64`: those platforms only; `-- --out DIR`: elsewhere;
 * `-- --dirty`: although files differ from the commit. Archives of other versions and platforms stay.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { identify, root } from './build/identity.ts'
import { TARGETS, targetNamed } from './build/targets.ts'
import { helpOn } from './lib/usage.ts'
import { release } from './release/index.ts'
import { newKey, publicKeyText, readSecretKey, type SigningKey, secretKeyFile } from './release/minisign.ts'

helpOn(`
npm run release [-- OPTIONS]

Builds an archive for each platform, a bill of materials and signed SHA-256 sums, in dist/release.
Archives of other versions and platforms in the folder stay.

  --target NAME    that platform only, like windows-x64; may be repeated
  --out DIR        another folder (default: dist/release)
  --dirty          although files differ from the commit
  --new-key FILE   only writes a new secret key to FILE and prints its public key

Environment:
  FOOTMAN_RELEASE_KEY    secret key of minisign without a password, or its file, for SHA256SUMS;
                         without it a key is made for this release and forgotten
  FOOTMAN_SIGN_WINDOWS   command that signs the executable for Windows, whose path is added to it
`)

const { values } = parseArgs({
  options: {
    target: { type: 'string', multiple: true },
    out: { type: 'string', default: 'dist/release' },
    dirty: { type: 'boolean', default: false },
    'new-key': { type: 'string' },
  },
})

function signingKey(): SigningKey {
  const given = process.env.FOOTMAN_RELEASE_KEY
  if (!given) return newKey()
  return readSecretKey(existsSync(given) ? readFileSync(given, 'utf8') : given)
}

function makeKey(file: string): void {
  const key = newKey()
  writeFileSync(file, secretKeyFile(key), { mode: 0o600, flag: 'wx' })
  console.log(`secret key: ${file}; keep it secret\npublic key: ${publicKeyText(key)}`)
}

async function makeRelease(): Promise<void> {
  const identity = identify()
  if (!values.dirty && identity.commit.endsWith('-dirty')) {
    throw new Error('files differ from the commit that the release would name; commit them, or add -- --dirty')
  }
  const targets = values.target?.map(targetNamed) ?? TARGETS
  const out = resolve(root, values.out)
  const key = signingKey()
  console.log(`Footman ${identity.version}, commit ${identity.commit}, into ${out}`)
  const started = performance.now()
  await release({
    identity,
    targets,
    out,
    key,
    signWindows: process.env.FOOTMAN_SIGN_WINDOWS,
    onFile: (name, bytes) => console.log(`${name}  ${(bytes / 1e6).toFixed(1)} MB`),
  })
  console.log(`signed with ${publicKeyText(key)}${process.env.FOOTMAN_RELEASE_KEY ? '' : ', made for this release'}`)
  console.log(`${((performance.now() - started) / 1000).toFixed(1)} s`)
}

try {
  if (values['new-key']) makeKey(values['new-key'])
  else await makeRelease()
} catch (error) {
  console.error(`footman: ${(error as Error).message}`)
  process.exit(1)
}
