/**
 * Faults that people make, put into a copy of the source one at a time: each has to make one of the tests of its room fail. Run
 * by hand, as it takes many minutes: `bun test/mutations/run.ts [text of a fault]`.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MUTATIONS, type Mutation } from './mutations.ts'

const ROOT = join(import.meta.dir, '../..')
const COPIED = [
  'src',
  'simulator',
  'test',
  'config',
  'templates',
  'scripts',
  'package.json',
  'bunfig.toml',
  'tsconfig.json',
]
const LIMIT_MS = 300_000

function copyOfSource(): string {
  const copy = mkdtempSync(join(tmpdir(), 'footman-mutations-'))
  for (const name of COPIED) cpSync(join(ROOT, name), join(copy, name), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))
  return copy
}

/** Throws when the text to be replaced is not there exactly once: the table is out of date. */
function mutated({ what, file, from, to }: Mutation): string {
  const source = readFileSync(join(ROOT, file), 'utf8')
  if (source.split(from).length !== 2) throw new Error(`${what}: "${from}" is not in ${file} exactly once`)
  return source.replace(from, () => to)
}

function passes(copy: string, tests: readonly string[]): boolean {
  const { exitCode } = Bun.spawnSync(
    [process.execPath, '--no-env-file', 'test', '--timeout=60000', '--bail', ...tests.map((path) => `./${path}`)],
    {
      cwd: copy,
      env: { ...process.env, FOOTMAN_TEST_SLOT: '12' },
      timeout: LIMIT_MS,
      stdout: 'ignore',
      stderr: 'ignore',
    },
  )
  return exitCode === 0
}

const copy = copyOfSource()
const missed: string[] = []
try {
  const [wanted = ''] = process.argv.slice(2)
  const concerned = MUTATIONS.filter(({ what, file }) => what.includes(wanted) || file.includes(wanted))
  for (const tests of new Set(concerned.map((one) => one.tests))) {
    if (!passes(copy, tests)) throw new Error(`${tests.join(', ')} fails without a fault`)
  }
  for (const mutation of concerned) {
    const text = mutated(mutation)
    const path = join(copy, mutation.file)
    const original = readFileSync(path)
    writeFileSync(path, text)
    const began = Date.now()
    const found = !passes(copy, mutation.tests)
    writeFileSync(path, original)
    if (!found) missed.push(mutation.what)
    console.info(`${found ? 'found ' : 'MISSED'} ${((Date.now() - began) / 1000).toFixed(0)} s  ${mutation.what}`)
  }
} finally {
  rmSync(copy, { recursive: true, force: true })
}
console.info(missed.length === 0 ? 'all found' : `${missed.length} missed: ${missed.join('; ')}`)
process.exitCode = missed.length === 0 ? 0 : 1
