/** File operations of the Windows build: what Windows takes for the same place, and what must not be let through. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Running, runBinary } from '../support/binary.ts'
import { type Footman, footman } from '../support/footman.ts'
import { until } from '../support/wait.ts'
import { type WindowsHost, windowsHost } from '../support/wine/wine.ts'

const OLD = new Date('2020-10-01T12:00:00.000Z')
const CANARY = 'the secret of the house'

let host: WindowsHost
let product: Footman
/** `C:\footman-test-...` */
let home: string

beforeAll(async () => {
  host = await windowsHost()
  product = await footman({
    host,
    simulator: null,
    config: {
      restServerEndpointsEnable: {
        fileCopy: true,
        fileMove: true,
        fileDelete: true,
        createDir: true,
        createDirQVD: true,
      },
      // The working directory of Footman is its folder on drive C:, so these are approved by relative paths.
      fileCopyApprovedDirectories: [{ fromDirectory: 'In Dir', toDirectory: '.\\out' }],
      fileMoveApprovedDirectories: [{ fromDirectory: 'In Dir/', toDirectory: 'out\\' }],
      fileDeleteApprovedDirectories: ['out', '\\\\server3.my.domain\\data1\\qvd_archive'],
      configDirectories: { qvdPath: 'qvd' },
    },
    args: ['--no-qs-connection'],
  })
  home = host.path(product.directory.path)
  await product.start()
}, 120_000)
afterAll(() => product?.[Symbol.asyncDispose]())

const at = (path: string): string => product.directory.join(path)
const text = (path: string): string => readFileSync(at(path), 'utf8')
/** All that is below the folder and is no business of Footman itself. */
const tree = (): string[] =>
  ['In Dir', 'out', 'outside', 'secret', 'qvd'].flatMap((name) =>
    existsSync(at(name))
      ? readdirSync(at(name), { recursive: true, encoding: 'utf8' }).map((each) => `${name}/${each}`)
      : [],
  )

function put(path: string, content = path): void {
  mkdirSync(dirname(at(path)), { recursive: true })
  writeFileSync(at(path), content)
}

beforeEach(() => {
  put('In Dir/a.txt', 'content of a')
  utimesSync(at('In Dir/a.txt'), OLD, OLD)
  put('In Dir/sub/b.txt')
  put('out/kept.txt')
  put('outside/x.txt', CANARY)
  put('secret/s.txt', CANARY)
})
afterEach(() => {
  for (const name of ['In Dir', 'out', 'outside', 'secret', 'qvd']) rmSync(at(name), { recursive: true, force: true })
})

async function send(method: string, path: string, body: unknown): Promise<[number, Record<string, unknown>]> {
  const answer = await product.call(method, `/v4/${path}`, body)
  const content = await answer.text()
  return [answer.status, content === '' ? {} : JSON.parse(content)]
}
const copy = (fromFile: string, toFile: string, more: object = {}) =>
  send('PUT', 'filecopy', { fromFile, toFile, ...more })
const move = (fromFile: string, toFile: string, more: object = {}) =>
  send('PUT', 'filemove', { fromFile, toFile, ...more })
const remove = (deleteFile: string) => send('DELETE', 'filedelete', { deleteFile })

describe('the same place, written in another way', () => {
  test.each<[string, () => [from: string, to: string]]>([
    ['with backslashes', () => [`${home}\\In Dir\\a.txt`, `${home}\\out\\b.txt`]],
    [
      'with slashes',
      () => [`${home}/In Dir/a.txt`, `${home}/out/b.txt`].map((path) => path.replaceAll('\\', '/')) as [string, string],
    ],
    ['with both', () => [`${home}\\In Dir/a.txt`, `${home}/out\\b.txt`]],
    ['doubled, as QVS scripts have them', () => [`${home}\\\\In Dir\\\\a.txt`, `${home}\\\\out\\\\b.txt`]],
    ['in other case, the drive letter too', () => [`${home}\\in dir\\A.TXT`.toLowerCase(), `${home}\\OUT\\b.txt`]],
    ['in capitals', () => [`${home}\\In Dir\\a.txt`.toUpperCase(), `${home}\\Out\\b.txt`]],
    ['with . and .. that stay inside', () => [`${home}\\In Dir\\sub\\..\\.\\a.txt`, `${home}\\out\\..\\out\\b.txt`]],
    ['through .. from beside', () => [`${home}\\secret\\..\\In Dir\\a.txt`, `${home}\\secret\\..\\out\\b.txt`]],
    ['relative to the working directory', () => ['In Dir\\a.txt', 'out/b.txt']],
    ['without the drive', () => [`${home.slice(2)}\\In Dir\\a.txt`, `${home.slice(2)}\\out\\b.txt`]],
  ])('%s', async (_, paths) => {
    const [from, to] = paths()
    expect(await copy(from, to, { preserveTimestamp: true })).toEqual([201, expect.objectContaining({ copied: true })])
    expect([text('out/b.txt'), statSync(at('out/b.txt')).mtime]).toEqual(['content of a', OLD])
  })
})

describe('what is done', () => {
  test('a copy stays away from what is there, unless it may overwrite', async () => {
    expect(await copy('In Dir\\a.txt', 'OUT\\KEPT.txt', { overwrite: false })).toEqual([
      201,
      expect.objectContaining({ copied: false }),
    ])
    expect(text('out/kept.txt')).toBe('out/kept.txt')
    expect((await copy('In Dir\\a.txt', 'OUT\\KEPT.txt', { overwrite: true }))[0]).toBe(201)
    expect([text('out/kept.txt'), readdirSync(at('out'))]).toEqual(['content of a', ['kept.txt']])
  })

  test('a file onto itself in other case stays whole', async () => {
    const [status] = await copy('In Dir\\a.txt', 'in dir\\A.TXT', { overwrite: true })
    expect([status, text('In Dir/a.txt')]).toEqual([403, 'content of a'])
  })

  test('a directory, and its removal', async () => {
    expect((await copy('In Dir\\sub', 'out\\deep'))[0]).toBe(201)
    expect(text('out/deep/b.txt')).toBe('In Dir/sub/b.txt')
    expect((await send('DELETE', 'filedelete', { deleteFile: 'out\\deep', recursive: true }))[0]).toBe(204)
    expect(readdirSync(at('out'))).toEqual(['kept.txt'])
  })

  test('a move, of a file and of a directory', async () => {
    expect((await move(`${home}\\In Dir\\a.txt`, `${home}\\out\\moved.txt`))[0]).toBe(201)
    expect((await move('in dir\\SUB', 'out\\sub'))[0]).toBe(201)
    expect(tree()).toEqual(expect.arrayContaining(['out/moved.txt', 'out/sub/b.txt']))
    expect(readdirSync(at('In Dir'))).toEqual([])
    put('In Dir/a.txt', 'new')
    expect(await move('In Dir\\a.txt', 'out\\MOVED.txt')).toEqual([
      409,
      expect.objectContaining({ details: 'toFile already exists' }),
    ])
    expect((await move('In Dir\\a.txt', 'out\\moved.txt', { overwrite: true }))[0]).toBe(201)
    expect(text('out/moved.txt')).toBe('new')
  })

  test('a file is deleted, once', async () => {
    expect((await remove(`${home.toLowerCase()}\\OUT\\Kept.TXT`))[0]).toBe(204)
    expect(await remove(`${home}\\out\\kept.txt`)).toEqual([
      400,
      expect.objectContaining({ message: 'Delete failed, file does not exist' }),
    ])
    expect(readdirSync(at('out'))).toEqual([])
  })

  test('directories are made, in the QVD folder too', async () => {
    expect((await send('POST', 'createdirqvd', { directory: 'a1\\b1' }))[0]).toBe(201)
    expect((await send('POST', 'createdir', { directory: 'OUT\\x\\y' }))[0]).toBe(201)
    expect(tree()).toEqual(expect.arrayContaining(['qvd/a1/b1', 'out/x/y']))
  })
})

/** Behind which the path below `out` is one that must not be used. */
const REFUSED: readonly [name: string, path: () => string, status: number][] = [
  ['climbing out', () => `${home}\\out\\..\\secret\\s.txt`, 403],
  ['climbing out with both slashes', () => `${home}/out\\../secret/s.txt`, 403],
  ['climbing above the root of the drive', () => `${home}\\out\\..\\..\\..\\..\\windows\\win.ini`, 403],
  ['a longer name', () => `${home}\\outside\\x.txt`, 403],
  ['another directory', () => `${home}\\secret\\s.txt`, 403],
  ['another drive', () => `Z:${home.slice(2)}\\out\\kept.txt`, 403],
  ['the same directory by its Linux path on Z:', () => `Z:${at('out/kept.txt').replaceAll('/', '\\')}`, 403],
  ['a file of Windows', () => 'C:\\windows\\win.ini', 403],
  ['a share that is not approved', () => '\\\\server\\share\\x.txt', 403],
  ['a share with slashes', () => '//server/share/x.txt', 403],
  ['climbing out of an approved share', () => '\\\\server3.my.domain\\data1\\qvd_archive\\..\\x', 403],
  ['the administrative share of the same directory', () => `\\\\localhost\\c$${home.slice(2)}\\out\\kept.txt`, 403],
  ['a verbatim path', () => `\\\\?\\${home}\\out\\kept.txt`, 400],
  ['a verbatim path with slashes', () => `//?/${home}/out/kept.txt`, 400],
  ['a verbatim share', () => '\\\\?\\UNC\\server\\share\\x', 400],
  ['a device path', () => `\\\\.\\${home}\\out\\kept.txt`, 400],
  ['a device', () => '\\\\.\\PhysicalDrive0', 400],
  ['a path of the object manager', () => `\\??\\${home}\\out\\kept.txt`, 400],
  ['NUL', () => `${home}\\out\\NUL`, 400],
  ['CON', () => 'CON', 400],
  ['a serial port with an extension', () => `${home}\\out\\COM1.txt`, 400],
  ['a printer port in small letters', () => `${home}\\out\\lpt1`, 400],
  ['an alternate data stream', () => `${home}\\out\\kept.txt:x`, 400],
  ['the default stream by name', () => `${home}\\out\\kept.txt::$DATA`, 400],
  ['the stream of the directory', () => `${home}\\out:x\\kept.txt`, 400],
  ['a dot at the end', () => `${home}\\out\\kept.txt.`, 400],
  ['a blank at the end', () => `${home}\\out\\kept.txt `, 400],
  ['a dot at the end of the directory', () => `${home}\\out.\\kept.txt`, 400],
  ['dots and a blank that Windows takes for ..', () => `${home}\\out\\.. \\secret\\s.txt`, 400],
  ['relative to a drive', () => 'C:out\\kept.txt', 400],
  ['relative to another drive', () => 'Z:kept.txt', 400],
  ['a wildcard', () => `${home}\\out\\*.txt`, 400],
  ['a NUL byte', () => `${home}\\out\\kept.txt\0.png`, 400],
]

describe('what is refused, with everything left as it was', () => {
  test.each(REFUSED)('%s', async (_, path, status) => {
    const before = tree()
    const answers = [
      await remove(path()),
      await copy(`${home}\\In Dir\\a.txt`, path(), { overwrite: true }),
      await move(`${home}\\In Dir\\a.txt`, path(), { overwrite: true }),
      await send('POST', 'createdir', { directory: `${path()}\\new` }),
    ]
    expect(answers.map(([each]) => each)).toEqual([status, status, status, status])
    expect(tree()).toEqual(before)
    expect([text('out/kept.txt'), text('outside/x.txt'), text('secret/s.txt')]).toEqual([
      'out/kept.txt',
      CANARY,
      CANARY,
    ])
  })

  test.each(REFUSED)('%s, below the source', async (_, path, status) => {
    const before = tree()
    const from = path().replace(`${home}\\out`, `${home}\\In Dir`).replace('kept', 'a')
    expect((await copy(from, `${home}\\out\\b.txt`))[0]).toBe(status)
    expect((await move(from, `${home}\\out\\b.txt`))[0]).toBe(status)
    expect(tree()).toEqual(before)
  })
})

describe('a file that another program has open', () => {
  let other: Running
  beforeEach(async () => {
    // The shell of Wine keeps the file open for as long as it waits for input.
    put('hold.cmd', '@set /p answer=open > out\\kept.txt\r\n')
    other = runBinary(['cmd', '/c', 'hold.cmd'], { command: 'wine', env: host.env, cwd: product.directory.path })
    await until(() => text('out/kept.txt').startsWith('open'))
  })
  afterEach(() => other.kill9())

  test('is not replaced; the answer says why, and nothing is left beside it', async () => {
    const before = tree()
    for (const work of [copy, move]) {
      const [status, body] = await work('In Dir\\a.txt', 'out\\kept.txt', { overwrite: true })
      expect([status, body.details]).toEqual([500, expect.stringContaining('another program has the file open')])
    }
    expect(tree()).toEqual(before)
  })

  test('is replaced once the other program is done with it', async () => {
    const work = copy('In Dir\\a.txt', 'out\\kept.txt', { overwrite: true })
    await other.kill9()
    expect((await work)[0]).toBe(201)
    expect(text('out/kept.txt')).toBe('content of a')
  })
})
