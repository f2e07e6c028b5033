import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { accountName, findPlace } from '../../../src/cli/remote/client.ts'
import { type TempDirectory, tempDirectory } from '../../support/temp.ts'

const KEY = `fm_${'L'.repeat(43)}`
let directory: TempDirectory
let file: string

beforeAll(() => {
  directory = tempDirectory()
  file = directory.join('butler.yaml')
  writeFileSync(file, 'Butler:\n  restServerConfig: {enable: true, serverHost: 0.0.0.0, serverPort: 8123}\n')
  mkdirSync(directory.join('data'))
  writeFileSync(directory.join('data', 'local.key'), `${KEY}\n`)
})
afterAll(() => directory.remove())

const find = (options: { url?: string; key?: string; configfile?: string }, env: Record<string, string> = {}) =>
  findPlace(options, { env, cwd: directory.path })

describe('the account that the audit names', () => {
  const noUser = () => {
    throw new Error('ENOENT')
  }

  test.each([
    ['the person behind sudo', 'anna', () => ({ username: 'root' }), 0, 'anna'],
    ['the account', '', () => ({ username: 'bert' }), 1000, 'bert'],
    ['an account without a name', '', () => ({ username: 'unknown' }), 10001, 'uid-10001'],
    ['an account that the system does not list', '', noUser, 10001, 'uid-10001'],
    ['nothing where accounts have no numbers', '', () => ({ username: 'unknown' }), null, ''],
  ] as const)('%s', (_, person, user, uid, name) => {
    expect(accountName(person, user, uid)).toBe(name)
  })
})

describe('the local key', () => {
  const own = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address

  test('comes with the address of the configuration file', async () => {
    expect(await find({ configfile: file })).toEqual({
      url: 'http://127.0.0.1:8123',
      key: KEY,
      isOwn: true,
      isLocalKey: true,
      file,
      onlyFile: true,
    })
  })

  test.each(['http://localhost:9', 'http://127.0.0.1:9', 'https://[::1]:9', ...(own ? [`http://${own}:9`] : [])])(
    'goes to %s, which is this machine',
    async (url) => {
      expect(await find({ url, configfile: file })).toEqual({
        url,
        key: KEY,
        isOwn: false,
        isLocalKey: true,
        file,
        onlyFile: true,
      })
      expect((await find({ configfile: file }, { FOOTMAN_URL: url })).key).toBe(KEY)
    },
  )

  test.each(['http://192.0.2.1:9', 'https://no-such-host.invalid', 'http://127.0.0.1.invalid:9'])(
    'does not go to %s',
    async (url) => {
      expect(await find({ url, configfile: file })).toEqual({
        url,
        key: null,
        isOwn: false,
        isLocalKey: false,
        file: null,
        onlyFile: false,
      })
    },
  )

  test('gives way to a key that is given', async () => {
    expect((await find({ configfile: file, key: 'fm_x' })).key).toBe('fm_x')
    expect((await find({ configfile: file }, { FOOTMAN_KEY: 'fm_y' })).key).toBe('fm_y')
    expect((await find({ url: 'http://localhost:9', configfile: file, key: 'fm_x' })).key).toBe('fm_x')
  })

  test('comes with the address also while other sections of the file are wrong', async () => {
    const broken = directory.join('broken.yaml')
    const wrong = [
      'destinations: {hook: {type: webhook}}',
      'alertRoutes: [{name: a, match: {type: reload}, to: [gone]}]',
    ]
    const rest = '  restServerConfig: {enable: true, serverHost: localhost, serverPort: 8124}'
    writeFileSync(broken, ['Butler:', rest, '  footman:', ...wrong.map((line) => `    ${line}`), ''].join('\n'))
    expect(await find({ configfile: broken })).toMatchObject({ url: 'http://localhost:8124', key: KEY, isOwn: true })
  })

  test('is missing where there is no configuration', async () => {
    const empty = directory.join('empty')
    mkdirSync(empty)
    expect(await findPlace({}, { env: {}, cwd: empty })).toEqual({
      url: 'http://localhost:8080',
      key: null,
      isOwn: false,
      isLocalKey: false,
      file: null,
      onlyFile: false,
    })
    expect((await findPlace({ url: 'http://localhost:9' }, { env: {}, cwd: empty })).key).toBeNull()
  })
})
