/** The executable needs no file, no network and no runtime beside it: where there is none of them, everything works. */
import { describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import process from 'node:process'
import { type BareRoot, bareMuslRoot, bareRoot, missingForBareRoot, missingForMusl } from '../support/bare-root.ts'
import { footmanBinary, type Running, runToEnd } from '../support/binary.ts'
import { needs } from '../support/servers.ts'
import { repositoryRoot } from '../support/source.ts'
import { tempDirectory } from '../support/temp.ts'

needs('ip', 'gcc', 'musl')

/** A simulated site, mutual TLS, datagrams, journal, templates, mail, MQTT and webhooks: all in that one process. */
async function expectDemo(root: BareRoot): Promise<void> {
  await using demo = root.run(['demo', '--duration', '20'])
  for (const way of ['webhook', 'mqtt', 'email']) {
    await demo.waitForLine(new RegExp(`${way} +delivered +Financial Dashboard Reload`), 20_000)
  }
  demo.signal('SIGTERM')
  expect((await demo.ended).code).toBe(0)
  expect(demo.stderr).toEqual([])
}

async function outputOf(running: Running): Promise<{ readonly code: number | null; readonly out: string }> {
  const { code } = await running.ended
  return { code, out: [...running.stdout, ...running.stderr].join('\n') }
}

describe.skipIf(missingForBareRoot() !== null)('alone on a read-only disk, without environment and network', () => {
  test('the demo delivers alerts', async () => {
    await using root = bareRoot(footmanBinary())
    await expectDemo(root)
  }, 60_000)

  test('commands work', async () => {
    await using root = bareRoot(footmanBinary())
    expect(await outputOf(root.run(['version']))).toEqual({ code: 0, out: expect.stringMatching(/^Footman \d/) })
    const check = await outputOf(root.run(['check', '-c', '/tmp/none.yaml']))
    expect([check.code, check.out]).toEqual([1, expect.stringContaining('/tmp/none.yaml')])
    const schema = await outputOf(root.run(['schema']))
    expect([schema.code, Object.keys(JSON.parse(schema.out).properties)]).toEqual([0, ['Butler']])
  })
})

describe.skipIf(missingForMusl() !== null)('the build for musl', () => {
  test('delivers alerts on a system without glibc', async () => {
    await using directory = tempDirectory()
    const args = ['--no-env-file', 'scripts/build.ts', '--target', 'linux-x64-musl', '--out', directory.path]
    const built = spawnSync(process.execPath, args, { cwd: repositoryRoot, encoding: 'utf8' })
    expect([built.status, built.stderr]).toEqual([0, ''])
    await using root = bareMuslRoot(directory.join('footman-linux-x64-musl'))
    const { code, out } = await outputOf(root.run(['version']))
    expect([code, out]).toEqual([0, expect.stringContaining('built for linux-x64-musl')])
    await expectDemo(root)
  }, 120_000)
})

test('settings of the runtime that lie in the working directory are not read', async () => {
  await using directory = tempDirectory()
  writeFileSync(directory.join('preload.js'), "console.log('preloaded')")
  writeFileSync(directory.join('bunfig.toml'), 'preload = ["./preload.js"]\n')
  writeFileSync(directory.join('.env'), 'FOOTMAN_LOGLEVEL=of-dotenv\n')
  const { code, stdout, stderr } = await runToEnd(['-c', 'none.yaml'], { cwd: directory.path })
  expect([code, stdout]).toEqual([1, ''])
  expect(stderr).toContain('none.yaml')
  expect(stderr).not.toContain('of-dotenv')
})
