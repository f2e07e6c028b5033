/** Who may use the data directory and the REST API of the Windows build from its own machine. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { runToEnd } from '../support/binary.ts'
import { type Footman, footman } from '../support/footman.ts'
import { type WindowsHost, windowsHost } from '../support/wine/wine.ts'

let host: WindowsHost
let product: Footman

beforeAll(async () => {
  host = await windowsHost()
  product = await footman({
    host,
    simulator: null,
    config: {
      restServerEndpointsEnable: { keyValueStore: true },
      footman: { access: { enable: true, anonymous: { scopes: ['kv:read'] } } },
    },
    args: ['--no-qs-connection'],
  })
  await product.start()
}, 120_000)
afterAll(() => product?.[Symbol.asyncDispose]())

const command = (...args: readonly string[]) =>
  runToEnd([...host.args, ...args, '-c', host.path(product.configFile)], {
    command: host.command,
    env: host.env,
    cwd: product.directory.path,
  })

test('a command beside it gets in with the local key, whose file can be given rights of its own', async () => {
  expect(existsSync(product.directory.join('data', 'local.key'))).toBe(true)
  expect((await product.call('POST', '/v4/keyvalues/n', { key: 'k', value: 'v' })).status).toBe(401)
  expect(await command('events', 'list')).toMatchObject({ code: 0, stderr: '' })
  expect(product.process.stdout.join('\n')).not.toContain('local key could not be written')
})

test('a second one on the same data directory cannot start', async () => {
  const second = await command('run', '--no-qs-connection')
  expect(second.code).toBe(2)
  expect(second.stdout + second.stderr).toContain('is in use by another Footman (process ')
})
