/** Exit codes and texts of the compiled executable. */
import { describe, expect, test } from 'bun:test'
import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { runBinary } from '../support/binary.ts'
import { footman } from '../support/footman.ts'
import { type SmtpAnswer, startSmtpSink } from '../support/smtp-sink.ts'
import { tempDirectory } from '../support/temp.ts'
import { until } from '../support/wait.ts'

async function run(args: readonly string[], cwd?: string) {
  const running = runBinary(args, { cwd, env: { NODE_ENV: 'nothing-here' } })
  const { code } = await running.ended
  return { code, out: running.stdout.join('\n'), err: running.stderr.join('\n') }
}

describe('arguments', () => {
  test('--version prints the version', async () => {
    const { code, out } = await run(['--version'])
    expect(code).toBe(0)
    expect(out).toMatch(/^\d+\.\d+\.\d+/)
  })
  test('version --json tells where the executable comes from', async () => {
    const [plain, json] = await Promise.all([run(['version']), run(['version', '--json'])])
    const info = JSON.parse(json.out)
    expect(info).toEqual({
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      commit: expect.any(String),
      commitTime: info.commitTime === null ? null : expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      target: expect.stringMatching(/^source$|^(windows|linux|darwin)-/),
      runtime: expect.stringMatching(/^Bun \d/),
      platform: `${process.platform} ${process.arch}`,
    })
    expect(plain.out.split('\n')[0]).toBe(`Footman ${info.version}`)
    expect(plain.out).toContain(info.commit)
  })
  test('--help of a command shows an example of it', async () => {
    const { code, out } = await run(['healthcheck', '--help'])
    expect([code, out]).toEqual([0, expect.stringContaining('footman healthcheck -c footman.yaml')])
    expect(out).toContain('service managers, monitoring')
  })
  test('--help tells each default once, and none of lists that are empty', async () => {
    const [start, list] = await Promise.all([run(['start-task', '--help']), run(['deliveries', 'list', '--help'])])
    for (const { out } of [start, list]) {
      expect(out).toContain('(default: 30s)')
      expect(out).not.toMatch(/30000|\[\]\)/)
    }
    expect(list.out.match(/default: 50/g)).toHaveLength(1)
  })
  test('an error names the command as it was typed', async () => {
    const nowhere = ['--url', 'http://127.0.0.1:1']
    expect((await run(['kv', 'export', ...nowhere])).err).toMatch(/^error: kv export: 127\.0\.0\.1:1 refused/)
    expect((await run(['execution', 'abc', ...nowhere])).err).toMatch(/^error: execution abc: /)
  })
  test('--help lists the commands', async () => {
    const { code, out } = await run(['--help'])
    expect(code).toBe(0)
    for (const command of ['run', 'demo', 'check', 'schema', 'openapi']) expect(out).toContain(command)
  })
  const wrong: [args: string[], text: RegExp][] = [
    [['--loglvl'], /unknown option '--loglvl'/],
    [['-l', 'foo', '-c', 'x.yaml'], /argument 'foo' is invalid/],
    [['-c'], /argument missing/],
    [['-c', 'missing.yaml'], /missing\.yaml/],
    [['run'], /config/i],
    [['--new-relic-api-key', 'a', 'b', '--new-relic-account-id', '1', '-c', 'x.yaml'], /must match/],
    [['--api-rate-limit', 'many', '-c', 'x.yaml'], /"many" is not a number/],
    [['chek', '-c', 'x.yaml'], /^\s*error: unknown command 'chek'\. Did you mean check\?$/m],
    [['butler.yaml'], /^\s*error: unknown command 'butler\.yaml'\. See footman --help\.$/m],
    [['kv', 'exprt'], /unknown command 'exprt'/],
  ]
  for (const [args, text] of wrong) {
    test(`${args.join(' ')} ends with 1 and says why`, async () => {
      await using directory = tempDirectory()
      const { code, out, err } = await run(args, directory.path)
      expect(code).toBe(1)
      expect(`${out}\n${err}`).toMatch(text)
    })
  }
})

describe('check and schema', () => {
  test('check names file, line, path and hint of every problem', async () => {
    await using directory = tempDirectory()
    writeFileSync(
      directory.join('bad.yaml'),
      'Butler:\n  mqttConfig:\n    enable: true\n    brokerHost: broker\n    brokerPort: "abc"\n  hartbeat:\n    enable: false\n',
    )
    const { code, out, err } = await run(['check', '-c', 'bad.yaml'], directory.path)
    expect(code).toBe(3)
    const text = `${out}\n${err}`
    expect(text).toMatch(/bad\.yaml:5:\d+ error Butler\.mqttConfig\.brokerPort/)
    expect(text).toMatch(/bad\.yaml:6:\d+ warning .*hartbeat.*heartbeat/)
  })
  test('openapi describes every endpoint, or those of a file', async () => {
    await using directory = tempDirectory()
    const all = await run(['openapi'], directory.path)
    expect([all.code, all.err]).toEqual([0, ''])
    const { openapi, paths } = JSON.parse(all.out) as { openapi: string; paths: object }
    expect(openapi).toMatch(/^3\.1\./)
    expect(Object.keys(paths)).toContain('/v4/slackpostmessage')
    const endpoints = 'restServerEndpointsEnable: {butlerping: true}'
    writeFileSync(directory.join('one.yaml'), `Butler:\n  restServerConfig: {serverPort: 8123}\n  ${endpoints}\n`)
    const one = await run(['openapi', '-c', 'one.yaml', '--yaml'], directory.path)
    expect(one.code).toBe(0)
    expect(one.out).toContain('- url: http://localhost:8123')
    expect(one.out).toContain('/v4/butlerping:')
    expect(one.out).not.toContain('/v4/slackpostmessage')
    // Nothing is left behind.
    expect(readdirSync(directory.path)).toEqual(['one.yaml'])
    const missing = await run(['openapi', '-c', 'missing.yaml'], directory.path)
    expect([missing.code, missing.out]).toEqual([1, ''])
  })
  test('check looks at templates and webhooks too', async () => {
    await using directory = tempDirectory()
    writeFileSync(
      directory.join('alerts.yaml'),
      'Butler:\n  webhookNotification:\n    enable: true\n    reloadTaskFailure:\n      webhooks:\n        - {description: x, webhookURL: "ftp://x.example", httpMethod: POST}\n',
    )
    const { code, out } = await run(['check', '--no-qs-connection', '-c', 'alerts.yaml'], directory.path)
    expect(out).toMatch(/alerts\.yaml:\d+:\d+ \w+ Butler\.webhookNotification\.reloadTaskFailure\.webhooks\[0\].*http/)
    expect(code).toBe(3)
  })
  test('check looks into the certificates', async () => {
    await using directory = tempDirectory()
    for (const name of ['client', 'client_key', 'root']) writeFileSync(directory.join(`${name}.pem`), 'garbage')
    const cert = '{clientCert: client.pem, clientCertKey: client_key.pem, clientCertCA: root.pem}'
    writeFileSync(directory.join('certs.yaml'), `Butler:\n  configQRS: {host: qs}\n  cert: ${cert}\n`)
    const { code, out } = await run(['check', '-c', 'certs.yaml'], directory.path)
    // It starts, and asks for the certificates again and again.
    expect(code).toBe(3)
    expect(out).toMatch(
      /certs\.yaml:3:\d+ error Butler\.cert: the client certificate is not a PEM certificate .*client\.pem/,
    )
  })
  test('check of a good file ends with 0', async () => {
    await using directory = tempDirectory()
    writeFileSync(directory.join('good.yaml'), 'Butler:\n  logLevel: info\n')
    const { code } = await run(['check', '--no-qs-connection', '-c', 'good.yaml', '--json'], directory.path)
    expect(code).toBe(0)
  })
  test('schema prints a JSON Schema with descriptions', async () => {
    const { code, out } = await run(['schema'])
    expect(code).toBe(0)
    const schema = JSON.parse(out)
    expect(schema.properties.Butler.properties.udpServerConfig.properties.portTaskFailure.description).toBeString()
  })
})

describe('test-email', () => {
  async function withMailServer(answer: SmtpAnswer) {
    await using directory = tempDirectory()
    await using mailbox = await startSmtpSink()
    mailbox.answer(answer)
    const smtp = `{host: 127.0.0.1, port: ${mailbox.port}, secure: false, tls: {ignoreTLS: true, requireTLS: false}, auth: {enable: false}}`
    writeFileSync(directory.join('mail.yaml'), `Butler:\n  emailNotification: {enable: true, smtp: ${smtp}}\n`)
    const result = await run(
      ['test-email', 'anna@acme.example', '-c', 'mail.yaml', '--from', 'qs@acme.example'],
      directory.path,
    )
    return { ...result, mails: mailbox.mails }
  }

  test('sends one mail and prints the answer of the server', async () => {
    const { code, out, mails } = await withMailServer({})
    expect(code).toBe(0)
    expect(out).toMatch(/^accepted: 250/)
    expect(mails.map(({ envelope }) => envelope.to)).toEqual([['anna@acme.example']])
  })
  test('a refusal ends with 2 and says why', async () => {
    const { code, err } = await withMailServer({ rcptTo: 550 })
    expect(code).toBe(2)
    expect(err).toMatch(/^error: the test mail to anna@acme\.example was not accepted: .*550/)
  })
})

describe('starting', () => {
  test('a bad configuration ends with 1 before anything runs', async () => {
    await using directory = tempDirectory()
    writeFileSync(directory.join('bad.yaml'), 'Butler:\n  startTaskFilter: loud\n')
    const { code, err } = await run(['-c', 'bad.yaml'], directory.path)
    expect(code).toBe(1)
    expect(err).toMatch(/bad\.yaml:2:\d+ error Butler\.startTaskFilter/)
  })

  test('a taken REST port ends with 2 and names address and reason', async () => {
    await using product = await footman({ simulator: null, args: ['--no-qs-connection'] })
    const taken = createServer().listen(product.restPort, '127.0.0.1')
    await once(taken, 'listening')
    const { code, out } = await run(['run', '-c', product.configFile, '--no-qs-connection'], product.directory.path)
    taken.close()
    expect(code).toBe(2)
    expect(out).toContain(`127.0.0.1:${product.restPort}`)
    expect(out).toMatch(/in use by \S+ \(process \d+\).*change Butler\.restServerConfig\.serverPort .*--degraded/)
  })

  test('with --degraded it runs without that listener and health tells', async () => {
    await using product = await footman({ simulator: null })
    const { createSocket } = await import('node:dgram')
    const taken = createSocket('udp4')
    taken.bind(product.udpPort, '127.0.0.1')
    await once(taken, 'listening')
    const running = runBinary(['-c', product.configFile, '--no-qs-connection', '--degraded'], {
      cwd: product.directory.path,
    })
    await running.waitForLine(/REST server listening on/, 15_000)
    const health = await product.call('GET', '/health')
    expect(health.status).toBe(503)
    expect(await health.json()).toMatchObject({ status: 'ko', checks: { udp: 'down', rest: 'up', qrs: 'off' } })
    expect(await running.stop()).toBe(0)
    taken.close()
  }, 90_000)

  test('a second process on the same data directory ends with 2', async () => {
    await using product = await footman({ simulator: null })
    await product.start(['--no-qs-connection'])
    const { code, out } = await run(['-c', product.configFile, '--no-qs-connection'], product.directory.path)
    expect(code).toBe(2)
    expect(out).toMatch(/in use by another Footman/)
  }, 90_000)

  test('`footman -c FILE` starts like `footman run -c FILE`', async () => {
    for (const args of [[], ['run']]) {
      await using product = await footman({ simulator: null })
      const running = runBinary([...args, '-c', product.configFile, '--offline'], { cwd: product.directory.path })
      await running.waitForLine(/REST server listening on/, 15_000)
      expect(await running.stop()).toBe(0)
    }
  }, 90_000)

  test('without Qlik Sense events go out at once with what the message says', async () => {
    await using product = await footman({ simulator: null })
    await product.start(['--no-qs-connection'])
    const { createSocket } = await import('node:dgram')
    const socket = createSocket('udp4')
    socket.send(
      '/scheduler-task-failed/;qs;My task;My app;LAB\\anna;a8b4c123-def4-5678-9abc-def012345678;a1000000-0000-4000-8000-000000000002;2026-03-02 07:03:11,482;INFO;e5000000-0000-4000-8000-000000000001;Max retries reached',
      product.udpPort,
      '127.0.0.1',
    )
    const [event] = await until(() => {
      const rows = product.rows<{ task_name: string; missing_parts: string }>(
        `SELECT task_name, missing_parts FROM event WHERE state = 'routed'`,
      )
      return rows.length > 0 ? rows : null
    })
    expect(event!.task_name).toBe('My task')
    expect(JSON.parse(event!.missing_parts)).toContain('task')
    socket.close()
  }, 90_000)
})
