/** Who may use the data directory and the REST API of the Windows build from its own machine. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { runToEnd } from '../support/binary.ts'
import { newKey, visitorOf } from '../support/console.ts'
import { type Footman, footman } from '../support/footman.ts'
import { type WindowsHost, windowsHost } from '../support/wine/wine.ts'

const OPS = newKey('ops', 'admin')
setDefaultTimeout(60_000)

let host: WindowsHost
let product: Footman

beforeAll(async () => {
  host = await windowsHost()
  product = await footman({
    host,
    simulator: null,
    config: {
      restServerEndpointsEnable: { keyValueStore: true },
      footman: { access: { enable: true, keys: [OPS.entry], anonymous: { scopes: ['kv:read'] } } },
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

test('a person signs in to the console and reads its pages', async () => {
  const who = visitorOf(product)
  expect((await who.get('/console/')).headers.get('location')).toStartWith('/console/login')
  expect((await who.signIn(OPS.key)).headers.get('location')).toBe('/console/')
  const pages: readonly [path: string, text: string][] = [
    ['/', 'No messages from Qlik Sense'],
    ['/events', 'Events'],
    ['/tasks', 'Tasks'],
    ['/deliveries', 'Deliveries'],
    ['/schedules', 'Schedules'],
    ['/system', 'UDP input'],
    ['/system/config', 'Butler'],
    ['/system/keyvalues', 'Key-values'],
    ['/system/about', 'windows-x64'],
  ]
  for (const [path, text] of pages) {
    const page = await (await who.get(`/console${path}`)).text()
    expect([path, page.includes(text) || page]).toEqual([path, true])
  }
  const page = await (await who.get('/console/system')).text()
  for (const [, address = ''] of page.matchAll(/ (?:src|href)="(\/console\/assets\/[^"#]+)"/g)) {
    expect([address, (await who.get(address)).status]).toEqual([address, 200])
  }
  const link = await command('console', '--no-open', '--json')
  expect(link.code).toBe(0)
  const { pathname } = new URL((JSON.parse(link.stdout) as { url: string }).url)
  const near = visitorOf(product)
  expect((await near.post(pathname, {})).status).toBe(303)
  expect(await (await near.get('/console/system/about')).text()).toContain('local')
})

test('a second one on the same data directory cannot start', async () => {
  const second = await command('run', '--no-qs-connection')
  expect(second.code).toBe(2)
  expect(second.stdout + second.stderr).toContain('is in use by another Footman (process ')
})
