/**
 * `npm run release`: an archive for each platform, a bill of materials and SHA-256 sums, in dist/release.
 * `-- --target windows-x64 --target linux-x64`: those platforms only; `-- --out DIR`: elsewhere;
 * `-- --dirty`: although files differ from the commit. Archives of other versions and platforms stay.
 */
import { resolve } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { identify, root } from './build/identity.ts'
import { TARGETS, targetNamed } from './build/targets.ts'
import { helpOn } from './lib/usage.ts'
import { release } from './release/index.ts'

helpOn(`
npm run release [-- OPTIONS]

Builds an archive for each platform, a bill of materials and SHA-256 sums, in dist/release. Archives
of other versions and platforms in the folder stay.

  --target NAME    that platform only, like windows-x64; may be repeated
  --out DIR        another folder (default: dist/release)
  --dirty          although files differ from the commit
`)

const { values } = parseArgs({
  options: {
    target: { type: 'string', multiple: true },
    out: { type: 'string', default: 'dist/release' },
    dirty: { type: 'boolean', default: false },
  },
})

try {
  const identity = identify()
  if (!values.dirty && identity.commit.endsWith('-dirty')) {
    throw new Error('files differ from the commit that the release would name; commit them, or add -- --dirty')
  }
  const targets = values.target?.map(targetNamed) ?? TARGETS
  const out = resolve(root, values.out)
  console.log(`Footman ${identity.version}, commit ${identity.commit}, into ${out}`)
  const started = performance.now()
  await release({
    identity,
    targets,
    out,
    onFile: (name, bytes) => console.log(`${name}  ${(bytes / 1e6).toFixed(1)} MB`),
  })
  console.log(`${((performance.now() - started) / 1000).toFixed(1)} s`)
} catch (error) {
  console.error(`footman: ${(error as Error).message}`)
  process.exit(1)
}
