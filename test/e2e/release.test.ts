/** A real release of this platform and of Windows. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import manifest from '../../package.json' with { type: 'json' }
import { identify } from '../../scripts/build/identity.ts'
import { hostTarget } from '../../scripts/build/targets.ts'
import { release, requirePublished } from '../../scripts/release/index.ts'
import { newKey, publicKeyText, readSecretKey, verified } from '../../scripts/release/minisign.ts'
import { runToEnd } from '../support/binary.ts'
import { readResources } from '../support/pe-resources.ts'
import { needs } from '../support/servers.ts'
import { repositoryRoot } from '../support/source.ts'
import { tempDirectory } from '../support/temp.ts'

needs('unzip')

const windowsHere = process.platform === 'win32'
const NAME = `footman-${manifest.version}`
const HERE = `${NAME}-${hostTarget()}`
const EARLIER = 'footman-0.0.1-linux-x64.tar.gz'
const directory = tempDirectory()
let unpacked: string

function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(command, [...args], { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}\n${stdout}${stderr}`)
  return stdout
}

beforeAll(() => {
  const targets = [...new Set(['windows-x64', hostTarget()])].flatMap((name) => ['--target', name])
  const out = directory.join('out')
  mkdirSync(out)
  writeFileSync(join(out, EARLIER), 'an archive of another version')
  run(process.execPath, ['--no-env-file', 'scripts/release.ts', '--dirty', '--out', out, ...targets], repositoryRoot)
  // bsdtar of Windows reads both.
  run('tar', ['-xf', join(out, `${HERE}.${windowsHere ? 'zip' : 'tar.gz'}`)], directory.path)
  unpacked = directory.join(HERE)
}, 180_000)
afterAll(() => directory.remove())

describe('a release', () => {
  test('has an archive for each platform, a bill of materials and their checksums; earlier ones stay', () => {
    const out = directory.join('out')
    const files = [EARLIER, `${HERE}.${windowsHere ? 'zip' : 'tar.gz'}`, `${NAME}-windows-x64.zip`, `${NAME}.cdx.json`]
    expect(readdirSync(out).sort()).toEqual([...new Set(files), 'SHA256SUMS'].sort())
    const sums = readFileSync(join(out, 'SHA256SUMS'), 'utf8').trim().split('\n')
    expect(sums.map((line) => line.split('  ')[1]).sort()).toEqual([...new Set(files)].sort())
  })

  test('has no signature without a release key, also where an earlier one had', async () => {
    const out = directory.join('signed')
    const order = { identity: identify(), targets: [], out }
    const key = newKey()
    await release({ ...order, key })
    const [sums, minisig, publicKey] = ['SHA256SUMS', 'SHA256SUMS.minisig', 'minisign.pub'].map((name) =>
      readFileSync(join(out, name), 'utf8'),
    ) as [string, string, string]
    expect(publicKey.split('\n')[1]).toBe(publicKeyText(key))
    expect(verified(Buffer.from(sums), minisig, publicKeyText(key))).toContain(`Footman ${manifest.version}`)
    await release({ ...order, key: null })
    expect(readdirSync(out).sort()).toEqual(['SHA256SUMS', `${NAME}.cdx.json`])
  })

  test('is not made with a release key whose public half README.md does not show', () => {
    const file = directory.join('release.key')
    const script = (env: NodeJS.ProcessEnv, ...args: readonly string[]) =>
      spawnSync(process.execPath, ['--no-env-file', 'scripts/release.ts', ...args], {
        cwd: repositoryRoot,
        encoding: 'utf8',
        env: { ...process.env, ...env },
      })
    const made = script({}, '--new-key', file)
    expect([made.status, made.stdout]).toEqual([0, expect.stringContaining('Write the public key into README.md')])
    const key = /public key: (\S+)/.exec(made.stdout)![1]!
    const refused = script({ FOOTMAN_RELEASE_KEY: file }, '--dirty', '--out', directory.join('refused'))
    expect([refused.status, refused.stderr]).toEqual([
      1,
      expect.stringContaining(`README.md does not show the public key ${key}`),
    ])
    expect(existsSync(directory.join('refused'))).toBe(false)
    expect(() => requirePublished(readSecretKey(readFileSync(file, 'utf8')), `Release key: \`${key}\``)).not.toThrow()
  })

  test('is what the checksums say, unpacked too', () => {
    run('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], directory.join('out'))
    run('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], unpacked)
  })

  test('holds examples, appender, load-script subs, dashboards, templates, guide and licences', () => {
    const wanted = [
      'LICENSE',
      'SECURITY.md',
      'CHANGELOG.md',
      'README.md',
      'THIRD-PARTY-LICENCES.txt',
      'sbom.cdx.json',
      'config/footman.example.yaml',
      'config/schedule.example.yaml',
      'config/qlik/LocalLogConfig.xml',
      'config/qlik/footman_history.qvs',
      'config/qlik/footman_subs.qvs',
      'config/grafana/footman-prometheus.json',
      'templates/email/alert.eta',
      'docs/configuration.md',
    ]
    expect(wanted.filter((path) => !existsSync(join(unpacked, path)))).toEqual([])
  })

  test('has a guide whose links lead to files of the archive', () => {
    const pages = [
      'README.md',
      ...readdirSync(join(unpacked, 'docs'), { recursive: true, encoding: 'utf8' }).map(
        (name) => `docs/${name.replaceAll('\\', '/')}`,
      ),
    ]
    const dead = pages
      .filter((page) => page.endsWith('.md'))
      .flatMap((page) =>
        [...readFileSync(join(unpacked, page), 'utf8').matchAll(/\]\(([^)\s#]+)[^)]*\)/g)]
          .map((match) => match[1]!)
          .filter(
            (target) => !/^[a-z]+:/.test(target) && !existsSync(join(unpacked, normalize(join(dirname(page), target)))),
          )
          .map((target) => `${page}: ${target}`),
      )
    expect(dead).toEqual([])
  })

  test('runs where it is unpacked, and says what it is', async () => {
    const command = join(unpacked, windowsHere ? 'footman.exe' : 'footman')
    const { code, stdout } = await runToEnd(['version', '--json'], { command, cwd: unpacked })
    expect([code, JSON.parse(stdout)]).toEqual([
      0,
      expect.objectContaining({ version: manifest.version, target: hostTarget(), commitTime: expect.any(String) }),
    ])
    // The certificates of a site are what an archive cannot hold.
    const args = ['check', '-c', 'config/footman.example.yaml', '--no-qs-connection']
    const check = await runToEnd(args, { command, cwd: unpacked })
    expect([check.code, check.stderr]).toEqual([0, ''])
  })

  test('has no trace of the folder that it was built in, so that others get the same bytes', () => {
    const executable = readFileSync(join(unpacked, windowsHere ? 'footman.exe' : 'footman'))
    expect(executable.includes(repositoryRoot)).toBe(false)
  })

  test('has an executable for Windows with icon and version', () => {
    const archive = join(directory.join('out'), `${NAME}-windows-x64.zip`)
    run('unzip', ['-tq', archive], directory.path)
    run('unzip', ['-q', '-j', archive, '*/footman.exe', '-d', directory.join('windows')], directory.path)
    const resources = readResources(readFileSync(directory.join('windows', 'footman.exe')))
    expect(resources.strings.ProductVersion).toStartWith(`${manifest.version} (`)
    expect(resources.icons).not.toBeEmpty()
  })
})

test('a release of changed files needs to be asked for', () => {
  const options = { cwd: repositoryRoot, encoding: 'utf8' } as const
  const { stdout } = spawnSync('git', ['status', '--porcelain', '--untracked-files=no'], options)
  const args = ['--no-env-file', 'scripts/release.ts', '--target', stdout === '' ? 'nowhere' : 'windows-x64']
  const refused = spawnSync(process.execPath, [...args, '--out', directory.join('none')], options)
  expect(refused.status).toBe(1)
  expect(refused.stderr).toMatch(
    stdout === '' ? /no target is called nowhere/ : /files differ from the commit that the release would name/,
  )
})
