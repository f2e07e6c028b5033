/** Setting up on Windows: files of `footman init`, and secrets that Windows keeps. */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type Running, runBinary, runToEnd } from '../support/binary.ts'
import { footman } from '../support/footman.ts'
import { type TempDirectory, tempDirectory } from '../support/temp.ts'
import { until, within } from '../support/wait.ts'
import { type WindowsHost, windowsHost } from '../support/wine/wine.ts'

let host: WindowsHost
let directory: TempDirectory
beforeAll(async () => {
  host = await windowsHost()
}, 90_000)
beforeEach(() => {
  directory = tempDirectory(host.onDisk())
})
afterEach(() => {
  directory.remove()
  rmSync(host.onDisk('ProgramData', 'Footman'), { recursive: true, force: true })
})

const command = (...args: readonly string[]) =>
  runToEnd([...host.args, ...args], { command: host.command, env: host.env, cwd: directory.path, timeout: 30_000 })

/** Runs the command with a text on its standard input. */
async function feed(text: string, ...args: readonly string[]) {
  const running: Running = runBinary([...host.args, ...args], { command: host.command, env: host.env })
  try {
    running.write(text)
    running.endInput()
    const { code } = await within(running.ended, 30_000, `footman ${args.join(' ')} to end`)
    return { code, stdout: running.stdout.join('\n'), stderr: running.stderr.join('\n') }
  } finally {
    await running.kill9()
  }
}

describe('init', () => {
  const ANSWERS = ['--qs-host', 'qs1.acme.example', '--footman-host', '10.1.2.3']
  const MAIL = ['--mail-to', 'ops@acme.example', '--smtp-host', 'smtp.acme.example', '--smtp-user', 'ACME\\svc']

  test('writes files that Windows programs read, with paths that YAML reads', async () => {
    const output = `${host.path(directory.path)}\\My Site\\config\\prod.yaml`
    const ran = await command(
      'init',
      '--yes',
      '--output',
      output,
      ...ANSWERS,
      ...MAIL,
      '--log-directory',
      'D:\\logs\\new',
    )
    expect({ code: ran.code, stderr: ran.stderr }).toEqual({ code: 0, stderr: '' })
    const text = readFileSync(directory.join('My Site', 'config', 'prod.yaml'), 'utf8')
    expect(text.split('\r\n').length).toBe(text.split('\n').length)
    expect(text).toContain("logDirectory: 'D:\\logs\\new'\r\n")
    expect(text).toContain("user: 'ACME\\svc'\r\n")
    expect(text).toContain(`password: '\${credential:smtp-password}'`)
    const xml = readFileSync(directory.join('My Site', 'config', 'LocalLogConfig.xml'), 'utf8')
    expect(xml.match(/name="remoteAddress" value="10\.1\.2\.3"/g)).toHaveLength(4)
    expect(existsSync(directory.join('My Site', 'config', 'certificate', 'README.txt'))).toBe(true)
    expect(ran.stdout).toContain(`doctor -c "${output}"`)
    expect(ran.stdout).toContain('footman credential set smtp-password')

    await feed('pa55', 'credential', 'set', 'smtp-password')
    const checked = await command('check', '-c', output, '--no-qs-connection')
    expect({ code: checked.code, out: checked.stdout.split('\n').at(-1) }).toEqual({
      code: 0,
      out: expect.stringContaining('prod.yaml: valid, 0 errors, 0 warnings'),
    })
  }, 60_000)

  test('leaves what is there, and replaces it when forced', async () => {
    mkdirSync(directory.join('config'))
    writeFileSync(directory.join('config', 'footman.yaml'), 'mine')
    const refused = await command('init', '--yes', ...ANSWERS)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('config\\footman.yaml: there already')
    expect(readFileSync(directory.join('config', 'footman.yaml'), 'utf8')).toBe('mine')
    expect(existsSync(directory.join('config', 'LocalLogConfig.xml'))).toBe(false)
    expect(await command('init', '--yes', '--force', ...ANSWERS)).toMatchObject({ code: 0, stderr: '' })
    expect(readFileSync(directory.join('config', 'footman.yaml'), 'utf8')).toContain('host: qs1.acme.example')
  }, 60_000)
})

test('a key is read from a pipe', async () => {
  const { code, stdout } = await feed(`fm_${'A'.repeat(43)}\r\n`, 'key', 'hash')
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^sha256:[0-9a-f]{64}\s*$/) })
})

describe('credentials', () => {
  const SECRET = 'pässwörd; "quoted" 売'
  const stored = (name: string) => host.onDisk('ProgramData', 'Footman', 'credentials', `${name}.dpapi`)

  test('are kept encrypted, listed without their values, and removed', async () => {
    expect(await command('credential', 'list')).toMatchObject({ code: 0, stdout: 'There are no credentials.' })
    const set = await feed(`${SECRET}\r\n`, 'credential', 'set', 'smtp-password')
    expect({ code: set.code, stderr: set.stderr }).toEqual({ code: 0, stderr: '' })
    expect(set.stdout).toContain(`\${credential:smtp-password}`)
    const file = readFileSync(stored('smtp-password'), 'utf8')
    expect(file).not.toContain('quoted')
    expect(Buffer.from(JSON.parse(file).protected, 'base64').toString('latin1')).not.toContain('quoted')
    const { stdout } = await command('credential', 'list')
    expect(stdout).toMatch(/^NAME +SET +USED BY\r?\nsmtp-password +20\d\d-/)
    expect(set.stdout + stdout).not.toContain('quoted')
    expect(await command('credential', 'remove', 'smtp-password')).toMatchObject({ code: 0 })
    expect(existsSync(stored('smtp-password'))).toBe(false)
    expect(await command('credential', 'remove', 'smtp-password')).toMatchObject({ code: 3 })
  }, 90_000)

  test('are read by check; a value moved to another name, damaged or missing is told', async () => {
    const line = (name: string) => `Butler:\n  genericUrls: []\n  logDirectory: '\${credential:${name}}'\n`
    const check = async (name: string) => {
      writeFileSync(directory.join('c.yaml'), line(name))
      const { code, stdout } = await command('check', '-c', 'c.yaml', '--no-qs-connection')
      return { code, stdout }
    }
    await feed('C:\\logs', 'credential', 'set', 'logs')
    expect(await check('logs')).toMatchObject({ code: 0 })
    writeFileSync(stored('other'), readFileSync(stored('logs')))
    expect((await check('other')).stdout).toContain('the credential other cannot be read (Windows cannot read the')
    writeFileSync(stored('logs'), '{"version":1,"protected":"AAAA"}')
    expect((await check('logs')).stdout).toContain('set it again on this computer: footman credential set logs')
    expect((await check('nowhere')).stdout).toContain('the credential nowhere is not there (looked in C:\\ProgramData')
  }, 90_000)

  test('names that are none are refused, and no value is asked for', async () => {
    for (const name of ['..\\x', 'a/b', 'con', '.hidden', 'a:b']) {
      const { code, stderr } = await command('credential', 'set', name)
      expect({ code, isTold: stderr.includes('a name has letters') }).toEqual({ code: 1, isTold: true })
    }
    expect(await feed('\n', 'credential', 'set', 'empty')).toMatchObject({ code: 1 })
  }, 60_000)

  test('a changed one is taken into use by a reload', async () => {
    await feed('Sender One', 'credential', 'set', 'sender')
    const product = await footman({
      host,
      simulator: null,
      args: ['--no-qs-connection'],
      config: { slackNotification: { reloadTaskFailure: { fromUser: `\${credential:sender}` } } },
    })
    try {
      await product.start()
      await feed('Sender Two', 'credential', 'set', 'sender')
      const reloaded = await product.call('POST', '/v4/config/reload', {})
      expect(await reloaded.json()).toMatchObject({ changed: ['Butler.slackNotification.reloadTaskFailure.fromUser'] })
      await until(() => product.process.stdout.some((text) => text.includes('Reloaded: 1 settings changed')))
      expect(product.process.stdout.join('\n')).not.toMatch(/Sender (One|Two)/)
    } finally {
      await product[Symbol.asyncDispose]()
    }
  }, 120_000)
})
