/** What the compiled executable opens at its start, and what it does when it cannot. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { runBinary } from '../support/binary.ts'
import { type Footman, footman } from '../support/footman.ts'
import { message } from '../support/pipeline.ts'
import { freeTcpPort } from '../support/ports.ts'
import { startSite } from '../support/simulator.ts'
import { until } from '../support/wait.ts'

const events = (product: Footman) => product.rows<{ n: number }>('SELECT count(*) AS n FROM event')[0]!.n

describe('the REST API', () => {
  let product: Footman
  let backgroundPort = 0
  beforeAll(async () => {
    backgroundPort = await freeTcpPort()
    product = await footman({
      simulator: null,
      args: ['--no-qs-connection', '--api-rate-limit', '7'],
      config: { restServerConfig: { backgroundServerPort: backgroundPort } },
    })
    await product.start()
  }, 90_000)
  afterAll(() => product?.[Symbol.asyncDispose]())

  test('listens on one port alone', async () => {
    expect((await product.call('GET', '/v4/butlerping')).status).toBe(200)
    await expect(fetch(`http://127.0.0.1:${backgroundPort}/v4/butlerping`)).rejects.toThrow()
  })

  test('keeps the rate limit of the command line', async () => {
    const answer = await product.call('GET', '/v4/butlerping')
    expect(answer.headers.get('x-ratelimit-limit')).toBe('7')
  })
})

test('with Qlik Sense and the MQTT broker down it starts, listens and keeps what comes', async () => {
  await using site = await startSite()
  site.simulator.fault({ listener: 'qrs', match: '.', mode: 'refuse' })
  const marked = { enable: true, customPropertyName: 'Butler_FailedAlertEnableEmail', enabledValue: 'Yes' }
  await using product = await footman({
    simulator: site.simulator,
    mqttPort: await freeTcpPort(),
    config: { emailNotification: { enable: true, reloadTaskFailure: { alertEnableByCustomProperty: marked } } },
  })
  await product.start()
  await site.simulator.burst({ count: 5, withinMs: 10 })
  await until(() => events(product) === 5)
  const parts = { udp: 'up', rest: 'up', qrs: 'down', mqtt: 'down', influxdb: 'off', database: 'up' }
  const checks = { ...parts, emailByCustomProperty: 'waiting' }
  const health = await until(async () => {
    const answer = await product.call('GET', '/health')
    const body = (await answer.json()) as { checks: { qrs: string } }
    return body.checks.qrs === 'down' && { status: answer.status, body }
  })
  const own = { version: expect.any(String), configuration: expect.stringMatching(/\.yaml$/) }
  expect(health).toEqual({ status: 200, body: { statusCode: 200, status: 'ok', checks, footman: own } } as never)
}, 90_000)

test('without certificates in the file it says why there is no connection to Qlik Sense', async () => {
  const product = await footman({ simulator: null, config: { configQRS: { host: 'qs-central' }, cert: {} } })
  const process = runBinary(['-c', product.configFile], { cwd: product.directory.path })
  await process.waitForLine(/in spite of the errors above, without a connection to Qlik Sense/, 15_000)
  await process.waitForLine(/REST server listening on/, 15_000)
  const log = process.stdout.join('\n')
  expect(log).toContain('Butler.cert.clientCert: is missing')
  expect(log).toMatch(/Repository +: no connection, its settings have errors/)
  expect(log).not.toContain('disabled (--no-qs-connection)')
  await process.stop()
  product.directory.remove()
}, 90_000)

test('approved directories that do not exist are told', async () => {
  const product = await footman({
    simulator: null,
    config: {
      restServerEndpointsEnable: { fileDelete: true },
      fileDeleteApprovedDirectories: ['/no/such/directory'],
    },
  })
  const process = runBinary(['-c', product.configFile, '--no-qs-connection'], { cwd: product.directory.path })
  await process.waitForLine(
    /warn: CONFIG: Butler\.fileDeleteApprovedDirectories\[0\]: the approved directory "\/no\/such\/directory" does not exist/,
    15_000,
  )
  await process.stop()
  product.directory.remove()
}, 90_000)

test.each([
  ['Butler.udpServerConfig', { udpServerConfig: { serverHost: 'no-such-host.invalid' } }],
  ['Butler.restServerConfig', { restServerConfig: { serverHost: 'no-such-host.invalid' } }],
  ['Butler.configVisualisation', { configVisualisation: { enable: true, host: 'no-such-host.invalid', port: 3100 } }],
  [
    'Butler.dockerHealthCheck',
    {
      dockerHealthCheck: { enable: true, port: 12398 },
      footman: { health: { host: 'no-such-host.invalid' } },
    },
  ],
])(
  '%s with a host name that cannot be resolved ends the start with 2 and one error',
  async (key, config) => {
    const product = await footman({ simulator: null, config })
    const process = runBinary(['-c', product.configFile, '--no-qs-connection'], { cwd: product.directory.path })
    const { code } = await process.ended
    const errors = process.stdout.filter((line) => /error|no-such-host/i.test(line))
    expect([code, errors]).toEqual([2, [expect.stringContaining('no-such-host.invalid')]])
    expect(errors[0]).toMatch(/: the host name cannot be resolved; .* \(ENOTFOUND\)\. Change /)
    expect(errors[0]).toContain(`Change ${key}`)
    expect(errors[0]!.match(/ENOTFOUND/g)).toHaveLength(1)
    product.directory.remove()
  },
  30_000,
)

describe('a UDP port that is taken', () => {
  const sockets: Socket[] = []
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.close()
  })

  async function taken() {
    const product = await footman({ simulator: null })
    const socket = createSocket('udp4')
    socket.bind(product.udpPort, '127.0.0.1')
    await once(socket, 'listening')
    return { product, socket }
  }

  test('ends the start with 2 and names address and reason', async () => {
    const { product, socket } = await taken()
    sockets.push(socket)
    const process = runBinary(['-c', product.configFile, '--no-qs-connection'], { cwd: product.directory.path })
    expect((await process.ended).code).toBe(2)
    expect(process.stdout.join('\n')).toMatch(
      new RegExp(
        `error: MAIN: Footman cannot start: .*127\\.0\\.0\\.1:${product.udpPort}.*in use.* change Butler\\.udpServerConfig\\.portTaskFailure .*--degraded`,
      ),
    )
    product.directory.remove()
  }, 90_000)

  test('is opened later with --degraded', async () => {
    const { product, socket } = await taken()
    const process = runBinary(['-c', product.configFile, '--no-qs-connection', '--degraded'], {
      cwd: product.directory.path,
    })
    await process.waitForLine(/REST server listening on/, 15_000)
    expect((await product.call('GET', '/health')).status).toBe(503)
    socket.close()
    await process.waitForLine(/UDP server listening on/, 15_000)
    expect((await product.call('GET', '/health')).status).toBe(200)
    const sender = createSocket('udp4')
    sockets.push(sender)
    sender.send(message(), product.udpPort, '127.0.0.1')
    await until(() => events(product) === 1)
    expect(await process.stop()).toBe(0)
    product.directory.remove()
  }, 60_000)
})
