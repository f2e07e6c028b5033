/**
 * `npm run release`: an archive for each platform, a bill of materials and SHA-256 sums, in dist/release. They are signed by the
 * release key when there is one, whose public half README.md shows.
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
import { release, requirePublished } from './release/index.ts'
import { newKey, publicKeyText, readSecretKey, type SigningKey, secretKeyFile } from './release/minisign.ts'

helpOn(`
npm run release [-- OPTIONS]

Builds an archive for each platform, a bill of materials and SHA-256 sums, in dist/release.
Archives of other versions and platforms in the folder stay.

  --target NAME    that platform only, like windows-x64; may be repeated
  --out DIR        another folder (default: dist/release)
  --dirty          although files differ from the commit
  --new-key FILE   only writes a new secret key to FILE and prints its public key

Environment:
  FOOTMAN_RELEASE_KEY    signs SHA256SUMS: a secret key of minisign without a password, or its file;
                         README.md must show its public key. Without it nothing is signed
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

/** Null without a release key. Throws when README.md does not show its public key. */
function signingKey(): SigningKey | null {
  const given = process.env.FOOTMAN_RELEASE_KEY
  if (!given) return null
  const key = readSecretKey(existsSync(given) ? readFileSync(given, 'utf8') : given)
  requirePublished(key, readFileSync(resolve(root, 'README.md'), 'utf8'))
  return key
}

function makeKey(file: string): void {
  const key = newKey()
  writeFileSync(file, secretKeyFile(key), { mode: 0o600, flag: 'wx' })
  console.log(
    `secret key: ${file}; keep it secret\npublic key: ${publicKeyText(key)}\nWrite the public key into README.md as "Release key", and commit it.`,
  )
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
  console.log(key ? `signed with ${publicKeyText(key)}` : 'SHA256SUMS is not signed: FOOTMAN_RELEASE_KEY is not set')
  console.log(`${((performance.now() - started) / 1000).toFixed(1)} s`)
}

try {
  if (values['new-key']) makeKey(values['new-key'])
  else await makeRelease()
} catch (error) {
  console.error(`footman: ${(error as Error).message}`)
  process.exit(1)
}
