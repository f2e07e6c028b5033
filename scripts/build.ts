/**
 * `npm run build`: dist/footman for this platform. `-- --all`: one executable a target; `-- --target windows-x64`: that one.
 * `-- --entry FILE --out DIR` build something else the same way; `-- --no-bytecode` measures the effect of bytecode.
 */
import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { buildExecutable } from './build/executable.ts'
import { identify, root } from './build/identity.ts'
import { executableName, hostTarget, TARGETS, type Target, targetNamed } from './build/targets.ts'
import { helpOn } from './lib/usage.ts'

helpOn(`
npm run build [-- OPTIONS]

Builds dist/footman for this platform.

  --all            one executable for each target
  --target NAME    that target only, like windows-x64
  --entry FILE     build another program
  --out DIR        folder of the executable (default: dist)
  --no-bytecode    without compiled bytecode, to measure its effect
`)

const { values } = parseArgs({
  options: {
    all: { type: 'boolean', default: false },
    target: { type: 'string' },
    entry: { type: 'string', default: 'src/main.ts' },
    out: { type: 'string', default: 'dist' },
    bytecode: { type: 'boolean', default: true },
  },
  allowNegative: true,
})

function chosenTargets(): readonly Target[] {
  if (values.all) return TARGETS
  return values.target === undefined ? [] : [targetNamed(values.target)]
}

async function build(name: string, target?: Target): Promise<void> {
  const outfile = resolve(root, values.out, name)
  const started = performance.now()
  await buildExecutable({
    entry: resolve(root, values.entry),
    outfile,
    identity,
    target,
    bytecode: values.bytecode,
  })
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  const megabytes = (statSync(outfile).size / 1e6).toFixed(1)
  const digest = createHash('sha256').update(readFileSync(outfile)).digest('hex')
  const note = target?.tested === false ? '  (built only, not run by the test suite)' : ''
  console.log(`${relative(root, outfile)}  ${megabytes} MB  ${seconds} s  SHA-256 ${digest}${note}`)
}

const identity = identify()
console.log(`Footman ${identity.version}, commit ${identity.commit}`)
try {
  const targets = chosenTargets()
  for (const target of targets) await build(executableName(target), target)
  if (targets.length === 0) {
    const windows = process.platform === 'win32'
    // On Windows the runtime at work is not the one to take: it lacks our icon and version.
    const own = windows ? TARGETS.find(({ name }) => name === hostTarget()) : undefined
    await build(windows ? 'footman.exe' : 'footman', own)
  }
} catch (error) {
  console.error(`footman: ${(error as Error).message}`)
  process.exit(1)
}
