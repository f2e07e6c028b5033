/** The adapters of src/platform behave alike when run from source, compiled, and under Deno. */
import { describe, expect, test } from 'bun:test'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import type { CaseResult } from '../../support/conformance/suite.ts'
import { denoExecutable } from '../../support/deno.ts'
import { tempDirectory } from '../../support/temp.ts'

const root = join(import.meta.dirname, '..', '..', '..')
const entry = join(root, 'test', 'support', 'conformance', 'main.ts')

interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

function run(command: string, args: readonly string[], cwd = root): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env: { ...process.env, NO_COLOR: '1' } })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk) => {
      stdout += chunk
    })
    child.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}

async function resultsOf(command: string, args: readonly string[], cwd?: string): Promise<readonly CaseResult[]> {
  const { code, stdout, stderr } = await run(command, args, cwd)
  const line = stdout.split('\n').find((each) => each.startsWith('RESULTS '))
  if (code !== 0 || !line) throw new Error(`ended with ${code}\n${stdout}\n${stderr}`)
  return JSON.parse(line.slice('RESULTS '.length)) as CaseResult[]
}

/** Every suite has cases, and all that ran passed. */
function expectConforming(results: readonly CaseResult[]): void {
  expect(results.filter(({ error }) => error !== null)).toEqual([])
  for (const suite of ['udp', 'worker', 'server', 'tls-server', 'http-client']) {
    const ran = results.filter((result) => result.suite === suite && !result.skipped)
    expect({ suite, enough: ran.length >= 5 }).toEqual({ suite, enough: true })
  }
}

const deno = denoExecutable()

describe('the adapters conform', () => {
  test('run from source by Bun', async () => {
    expectConforming(await resultsOf(process.execPath, ['--no-env-file', 'run', entry]))
  }, 90_000)

  test('compiled', async () => {
    await using folder = tempDirectory()
    const options = ['--entry', entry, '--out', folder.path]
    const build = await run(process.execPath, ['--no-env-file', 'scripts/build.ts', ...options])
    expect(build).toMatchObject({ code: 0 })
    const binary = folder.join(process.platform === 'win32' ? 'footman.exe' : 'footman')
    expectConforming(await resultsOf(binary, [], folder.path))
  }, 120_000)

  test.skipIf(!deno)(
    'run from source by Deno',
    async () => {
      expectConforming(await resultsOf(deno!, ['run', '--no-lock', '--allow-all', entry]))
    },
    90_000,
  )
})
