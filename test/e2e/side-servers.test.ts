/** Health listener and configuration page of the compiled executable. */
import { afterEach, expect, test } from 'bun:test'
import { createServer } from 'node:net'
import { runBinary } from '../support/binary.ts'
import { footman } from '../support/footman.ts'
import { freeTcpPort } from '../support/ports.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

test('health and configuration page run beside the API, and the health check finds its port', async () => {
  const [healthPort, pagePort] = [await freeTcpPort(), await freeTcpPort()]
  const product = await footman({
    simulator: null,
    args: ['--no-qs-connection'],
    config: {
      dockerHealthCheck: { enable: true, port: healthPort },
      configVisualisation: { enable: true, host: 'localhost', port: pagePort, obfuscate: true },
      thirdPartyToolsCredentials: {
        newRelic: [{ accountName: 'first', insertApiKey: 'NRAK-SECRET-1', accountId: 4711 }],
      },
    },
  })
  cleanups.push(() => product[Symbol.asyncDispose]())
  await product.start()
  await product.process.waitForLine(/Config visualisation server listening/)

  const health = await fetch(`http://127.0.0.1:${healthPort}/health`)
  expect([health.status, await health.json()]).toEqual([
    200,
    {
      statusCode: 200,
      status: 'ok',
      checks: { udp: 'up', rest: 'up', qrs: 'off', mqtt: 'off', influxdb: 'off', database: 'up' },
    },
  ])
  const elsewhere: Record<string, string>[] = [
    { 'x-forwarded-for': '10.1.2.3' },
    { host: 'evil.example' },
    { origin: 'https://evil.example' },
    { 'sec-fetch-site': 'cross-site' },
  ]
  for (const headers of elsewhere) {
    const answer = await fetch(`http://127.0.0.1:${healthPort}/health`, { headers })
    expect([headers, await answer.json()]).toEqual([headers, { statusCode: 200, status: 'ok' }])
  }
  const foreign = await fetch(`http://127.0.0.1:${pagePort}/`, { headers: { 'sec-fetch-site': 'cross-site' } })
  expect(foreign.status).toBe(403)
  const page = await fetch(`http://127.0.0.1:${pagePort}/`)
  const text = await page.text()
  expect(page.status).toBe(200)
  expect(text).toContain('NRAK-**********')
  expect(text).not.toContain('NRAK-SECRET-1')
  const script = /src="([^"]+\.js)"/.exec(text)?.[1]
  expect((await fetch(`http://127.0.0.1:${pagePort}${script}`)).headers.get('content-type')).toContain('javascript')

  const check = runBinary(['healthcheck', '-c', product.configFile])
  cleanups.push(() => check.kill9())
  expect((await check.ended).code).toBe(0)
  expect(check.stdout).toEqual(['STATUS Docker health: 200', expect.stringMatching(/^(healthy$|degraded: )/)])

  await product.process.stop()
  const late = runBinary(['healthcheck', '-c', product.configFile])
  cleanups.push(() => late.kill9())
  expect((await late.ended).code).toBe(1)
}, 60_000)

test.each([
  ['dockerHealthCheck', (port: number) => ({ dockerHealthCheck: { enable: true, port } })],
  ['configVisualisation', (port: number) => ({ configVisualisation: { enable: true, host: '127.0.0.1', port } })],
])(
  'a taken port of %s ends the start with exit code 2',
  async (_, section) => {
    const port = await freeTcpPort()
    const other = createServer().listen(port, '127.0.0.1')
    await new Promise((done) => other.once('listening', done))
    cleanups.push(() => other.close())
    const product = await footman({ simulator: null, config: section(port) })
    cleanups.push(() => product.directory.remove())
    const process = runBinary(['-c', product.configFile, '--no-qs-connection'], { cwd: product.directory.path })
    cleanups.push(() => process.kill9())
    expect((await process.ended).code).toBe(2)
    expect([...process.stdout, ...process.stderr].join('\n')).toContain(`cannot listen on TCP 127.0.0.1:${port}`)
  },
  30_000,
)
