/** From nothing to a running Footman with the files of `footman init`. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { parse } from 'yaml'
import { runBinary, runToEnd } from '../support/binary.ts'
import { freeTcpPort, freeUdpPort } from '../support/ports.ts'
import { startSite } from '../support/simulator.ts'
import { startSmtpSink } from '../support/smtp-sink.ts'
import { type TempDirectory, tempDirectory } from '../support/temp.ts'

let directory: TempDirectory
beforeEach(() => {
  directory = tempDirectory()
})
afterEach(() => directory.remove())

const run = (...args: readonly string[]) => runToEnd(args, { cwd: directory.path, env: { NODE_ENV: 'nothing-here' } })
const ANSWERS = ['--qs-host', 'qs1.acme.example', '--footman-host', '10.1.2.3']
const CONFIG = ['config', 'footman.yaml'] as const
const read = (...names: string[]) => readFileSync(directory.join(...names), 'utf8')

describe('init', () => {
  test('writes a configuration that only its owner reads, appenders and a folder for certificates', async () => {
    const udpPort = await freeUdpPort()
    const { code, stdout, stderr } = await run('init', '--yes', ...ANSWERS, '--udp-port', String(udpPort))
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(readdirSync(directory.path, { recursive: true }).sort()).toEqual([
      'config',
      'config/LocalLogConfig.xml',
      'config/certificate',
      'config/certificate/README.txt',
      'config/footman.yaml',
    ])
    expect(statSync(directory.join(...CONFIG)).mode & 0o777).toBe(0o600)
    expect(parse(read(...CONFIG)).Butler).toMatchObject({
      logDirectory: directory.join('log'),
      configQRS: { host: 'qs1.acme.example' },
      udpServerConfig: { enable: true, portTaskFailure: udpPort },
    })
    const xml = read('config', 'LocalLogConfig.xml')
    expect(xml.match(/"remoteAddress" value="10\.1\.2\.3"/g)).toHaveLength(4)
    expect(xml.match(new RegExp(`"remotePort" value="${udpPort}"`, 'g'))).toHaveLength(4)
    expect(read('config', 'certificate', 'README.txt')).toContain('Include secrets key')
    // The file is found where the commands are called.
    const steps = stdout.match(/footman (doctor|run|fire --wait|service install)$/gm)
    expect(steps).toHaveLength(4)
    expect(stdout).toMatch(/Set everything else in the console: .*docs\/first-hour\.md/)
    expect(stdout).not.toContain(' -c ')
  })

  test('a file that is not found without -c is named in the next steps', async () => {
    const { stdout } = await run('init', '--yes', ...ANSWERS, '--output', 'prod.yaml')
    for (const step of ['doctor', 'run', 'fire --wait', 'service install']) {
      expect(stdout).toContain(`footman ${step} -c ${directory.join('prod.yaml')}`)
    }
  })

  test('replaces nothing unless forced, and then never half', async () => {
    mkdirSync(directory.join('config'))
    writeFileSync(directory.join('config', 'LocalLogConfig.xml'), 'mine')
    const refused = await run('init', '--yes', ...ANSWERS)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/^error: init: .*LocalLogConfig\.xml: there already; give --force/)
    expect(existsSync(directory.join(...CONFIG))).toBe(false)
    expect((await run('init', '--yes', '--force', ...ANSWERS)).code).toBe(0)
    expect(read('config', 'LocalLogConfig.xml')).toContain('10.1.2.3')
    writeFileSync(directory.join('config', 'certificate', 'README.txt'), 'my notes')
    expect((await run('init', '--yes', '--force', ...ANSWERS)).code).toBe(0)
    expect(read('config', 'certificate', 'README.txt')).toBe('my notes')
  })

  const wrong: [args: string[], text: RegExp][] = [
    [['--yes'], /^error: init: --qs-host is needed/],
    [[], /^error: init: --qs-host is needed/],
    [['--yes', '--qs-host', 'https://qs1'], /--qs-host must be a host name .* without scheme/],
    [['--yes', ...ANSWERS, '--mail-to', 'a@b.example'], /--smtp-host is needed/],
    [['--yes', ...ANSWERS, '--udp-port', '70000'], /"70000" is not a port/],
    [['--yes', ...ANSWERS, '--smtp-tls', 'ssl'], /Allowed choices are starttls, tls, optional/],
    [['--yes', ...ANSWERS, '--output', 'footman.txt'], /must end in \.yaml/],
  ]
  test.each(wrong)('%p ends with 1 and writes nothing', async (args, text) => {
    const { code, stderr } = await run('init', ...args)
    expect(code).toBe(1)
    expect(stderr).toMatch(text)
    expect(readdirSync(directory.path)).toEqual([])
  })

  test('a folder that cannot be made is told', async () => {
    writeFileSync(directory.join('config'), 'a file')
    const { code, stderr } = await run('init', '--yes', ...ANSWERS)
    expect(code).toBe(1)
    expect(stderr).toMatch(/^error: init: cannot write: .*config/)
  })

  test('a port that is in use is replaced when it was not asked for, and told when it was', async () => {
    const socket = createSocket('udp4')
    socket.bind(0)
    await once(socket, 'listening')
    const { port } = socket.address()
    try {
      const { code, stdout } = await run('init', '--yes', ...ANSWERS, '--udp-port', String(port))
      expect(code).toBe(0)
      expect(stdout).toContain(
        `UDP port ${port} is in use on this computer now: stop what uses it, or choose --udp-port`,
      )
    } finally {
      socket.close()
    }
  })

  test('the usual port of the REST API is taken: the next free one is used, and that is said', async () => {
    // Another test, or the machine, may have it already.
    const taken = createServer()
    await new Promise((resolve) => taken.once('error', resolve).listen(8080, '127.0.0.1', () => resolve(null)))
    try {
      const { code, stdout } = await run('init', '--yes', ...ANSWERS)
      expect(code).toBe(0)
      const [, port] = /TCP port (\d+) is used, because 8080 is taken on this computer/.exec(stdout) ?? []
      expect(Number(port)).toBeGreaterThan(8080)
      expect(parse(read(...CONFIG)).Butler.restServerConfig).toMatchObject({ serverPort: Number(port) })
      expect(stdout).toContain(`The console is at http://localhost:${port}/console/ while it runs.`)
    } finally {
      taken.close()
    }
  })

  test('what it writes starts on a real site, once the certificates are there', async () => {
    await using site = await startSite()
    await using mailbox = await startSmtpSink()
    const { certificates, ports } = site.simulator
    mkdirSync(directory.join('certs'))
    cpSync(certificates.clientCert, directory.join('certs', 'client.pem'))
    cpSync(certificates.clientCertKey, directory.join('certs', 'client_key.pem'))
    cpSync(certificates.clientCertCA, directory.join('certs', 'root.pem'))
    const [restPort, udpPort] = [await freeTcpPort(), await freeUdpPort()]
    const own = ['--rest-port', String(restPort), '--udp-port', String(udpPort), '--certificates', 'certs']
    const smtp = ['--smtp-host', '127.0.0.1', '--smtp-port', String(mailbox.port), '--smtp-tls', 'optional']
    const mail = ['--mail-to', 'ops@acme.example', ...smtp, '--mail-marked', '--tags', 'startTask1']
    const filter = "name eq 'Butler_FailedAlertEnableEmail'"
    const properties = async () => (await site.qrs('GET', 'custompropertydefinition/full', { filter })).json<object[]>()
    const [there] = await properties()
    await site.qrs('DELETE', `custompropertydefinition/${(there as { id: string }).id}`)
    const made = await run(
      'init',
      '--yes',
      '--qs-host',
      '127.0.0.1',
      '--qs-port',
      String(ports.qrs),
      '--footman-host',
      '127.0.0.1',
      ...own,
      ...mail,
      '--create-custom-properties',
    )
    expect({ code: made.code, stderr: made.stderr }).toEqual({ code: 0, stderr: '' })
    expect(made.stdout).toMatch(/Butler_FailedAlertEnableEmail +Yes +ReloadTask +yes/)
    expect(made.stdout).toContain('created Butler_FailedAlertEnableEmail')
    expect(await properties()).toMatchObject([{ choiceValues: ['Yes'], objectTypes: ['ReloadTask'] }])
    expect(await run('check')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/valid, 0 errors, 0 warnings$/),
    })
    await using running = runBinary(['run'], { cwd: directory.path, env: { NODE_ENV: 'nothing-here' } })
    await running.waitForLine(/UDP server listening on/, 20_000)
    await running.waitForLine(/REST server listening on/, 20_000)
    await running.waitForLine(new RegExp(`MAIN: Console at http://localhost:${restPort}/console/$`))
    expect(running.stdout.filter((line) => /schedules from file/i.test(line))).toEqual([])
    expect((await fetch(`http://127.0.0.1:${restPort}/v4/butlerping`)).status).toBe(200)
    expect(existsSync(directory.join('log'))).toBe(true)
    // The other commands find it as well.
    expect((await run('healthcheck')).stdout).toContain('healthy')
    expect((await run('doctor', '--only', 'configuration')).stdout).toContain('config/footman.yaml')
    expect(await run('failures', '--from', '1h')).toMatchObject({ code: 0 })
    const fired = await run('fire', '--wait')
    expect(fired).toMatchObject({ code: 0, stderr: expect.stringMatching(/^email ops@acme.example: delivered/m) })
  }, 60_000)
})

describe('log-appender', () => {
  test('prints the file for a configuration of the predecessor, or writes it once', async () => {
    writeFileSync(directory.join('butler.yaml'), 'Butler:\n  udpServerConfig: {enable: true, portTaskFailure: 10001}\n')
    const args = ['log-appender', '-c', 'butler.yaml', '--address', 'footman.acme.example']
    const printed = await run(...args)
    expect({ code: printed.code, stderr: printed.stderr }).toEqual({ code: 0, stderr: '' })
    expect(printed.stdout.match(/value="footman\.acme\.example"/g)).toHaveLength(4)
    expect(printed.stdout.match(/value="10001"/g)).toHaveLength(4)
    expect(await run(...args, '--output', 'x.xml')).toMatchObject({ code: 0 })
    expect(read('x.xml').trimEnd()).toBe(printed.stdout)
    expect(await run(...args, '--output', 'x.xml')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('x.xml is there already'),
    })
  })
  test('says when Footman does not listen, and what is no address', async () => {
    writeFileSync(directory.join('butler.yaml'), 'Butler:\n  logLevel: info\n')
    expect(await run('log-appender', '-c', 'butler.yaml', '--address', '10.1.2.3')).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('Butler.udpServerConfig.enable is false'),
    })
    expect(await run('log-appender', '-c', 'butler.yaml', '--address', 'udp://x')).toMatchObject({ code: 1 })
    expect(await run('log-appender', '-c', 'nowhere.yaml')).toMatchObject({ code: 1 })
  })
})
