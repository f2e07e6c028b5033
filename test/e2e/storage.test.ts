/** The data directory is full, gone or damaged: Footman tells, goes on, and loses nothing that it took. */
import { describe, expect, test } from 'bun:test'
import {
  chmodSync,
  closeSync,
  cpSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { footmanBinary } from '../support/binary.ts'
import { type Footman, footman } from '../support/footman.ts'
import { startHttpSink } from '../support/http-sink.ts'
import { startSite } from '../support/simulator.ts'
import { canMount, mountTmpfs } from '../support/tmpfs.ts'
import { until } from '../support/wait.ts'

interface Health {
  readonly statusCode: number
  readonly checks: Readonly<Record<string, string>>
  readonly reasons?: Readonly<Record<string, string>>
}

/** The tests run side by side, as most of their time is waiting. */
async function scene() {
  const cleanups: (() => unknown)[] = []
  const [site, webhooks] = await Promise.all([startSite(), startHttpSink()])
  cleanups.push(
    () => site[Symbol.asyncDispose](),
    () => webhooks.stop(),
  )
  const product = await footman({
    simulator: site.simulator,
    webhookUrl: `${webhooks.url}/hook`,
    config: {
      keyValueStore: { enable: true },
      restServerEndpointsEnable: { keyValueStore: true },
      footman: { delivery: { retryFirst: '1s' }, access: { enable: true, anonymous: { scopes: ['*:*'] } } },
    },
  })
  cleanups.push(() => product[Symbol.asyncDispose]())
  const told = () =>
    new Set(webhooks.requests.map(({ body }) => (JSON.parse(body) as { executionId: string }).executionId))
  return {
    cleanups,
    webhooks,
    product,
    data: product.directory.join('data'),
    told,
    async [Symbol.asyncDispose]() {
      for (const clean of cleanups.splice(0).reverse()) await clean()
    },
    /** Resolves with the executions of so many failures. */
    fail: async (count: number) => (await site.simulator.burst({ count, withinMs: 50 })).executionIds,
    arrived: (ids: readonly string[]) =>
      until(() => ids.every((id) => told().has(id)), { timeout: 30_000, what: 'all alerts', state: () => told().size }),
    health: async () => (await (await product.call('GET', '/health')).json()) as Health,
    /** Resolves when so many messages wait in memory. */
    inMemory: (count: number) =>
      until(
        async () =>
          (await (await product.call('GET', '/health')).text()).includes(
            `${count} messages of Qlik Sense wait in memory`,
          ),
        { timeout: 20_000, what: 'all of them in memory' },
      ),
    put: (value: string) => product.call('POST', '/v4/keyvalues/ns', { key: 'a', value }),
    value: async () =>
      ((await (await product.call('GET', '/v4/keyvalues/ns?key=a')).json()) as { value: string }).value,
  }
}

const lines = ({ process: running }: Footman, pattern: RegExp) => running.stdout.filter((line) => pattern.test(line))

function fillDisk(path: string): () => void {
  const file = join(path, 'filler')
  const fd = openSync(file, 'w')
  const block = Buffer.alloc(64 * 1024, 1)
  try {
    for (;;) writeSync(fd, block)
  } catch {
    // Full.
  }
  closeSync(fd)
  return () => rmSync(file)
}

/** Writes nonsense over every page from the given one on, one of so many. */
function spoil(file: string, first: number, step: number): void {
  const fd = openSync(file, 'r+')
  const pages = fstatSync(fd).size / 4096
  for (let page = first; page < pages; page += step) writeSync(fd, Buffer.alloc(4096, 0x5a), 0, 4096, page * 4096)
  closeSync(fd)
}

/** Cuts every JSON value off in its middle; how many there were. */
function spoilJson(file: string): number {
  const db = new DatabaseSync(file)
  const names = (sql: string) => (db.prepare(sql).all() as { name: string }[]).map(({ name }) => name)
  let spoilt = 0
  for (const table of names(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)) {
    for (const column of names(`PRAGMA table_info(${table})`)) {
      const sql = `UPDATE ${table} SET ${column} = substr(${column}, 1, 1) || '"cut' WHERE typeof(${column}) = 'text' AND (${column} GLOB '{*' OR ${column} GLOB '[[]*')`
      spoilt += Number(db.prepare(sql).run().changes)
    }
  }
  db.close()
  return spoilt
}

describe('the disk', () => {
  test.skipIf(!canMount())(
    'is full: told once, messages wait in memory, REST says 503, and all goes on when there is room',
    async () => {
      await using all = await scene()
      const { product, data, fail, arrived, health, put, told, cleanups } = all
      const unmount = mountTmpfs(data, 48)
      cleanups.push(() => unmount?.())
      await product.start()
      await arrived(await fail(5))
      expect((await put('before')).status).toBe(201)
      const makeRoom = fillDisk(data)
      const missed = await fail(40)
      const down = await until(
        async () => {
          const found = await health()
          return found.checks.database === 'down' && /messages of Qlik Sense wait/.test(found.reasons?.database ?? '')
            ? found
            : null
        },
        { timeout: 20_000, what: 'health to say so' },
      )
      expect(down.statusCode).toBe(503)
      expect(down.reasons!.database).toContain(`The disk of ${data} is full`)
      const refused = await put('meanwhile')
      expect(refused.status).toBe(503)
      expect(refused.headers.get('retry-after')).toBe('10')
      expect(await refused.json()).toMatchObject({ error: 'Storage unavailable', code: 'STORAGE_UNAVAILABLE' })
      expect((await product.call('GET', '/v4/butlerping')).status).toBe(200)
      makeRoom()
      await arrived(missed)
      await until(async () => (await health()).checks.database === 'up', { timeout: 20_000, what: 'health to be well' })
      expect((await put('after')).status).toBe(201)
      expect(lines(product, /STORAGE: The disk of .*footman\.db cannot be written/)).toHaveLength(1)
      expect(lines(product, /STORAGE: .*footman\.db can be written again/)).toHaveLength(1)
      expect(told().size).toBe(45)
      expect(await product.process.stop()).toBe(0)
    },
    90_000,
  )

  test.skipIf(!canMount())(
    'is full while Footman is stopped: what waits in memory takes the room that was set aside, and is alerted after the next start',
    async () => {
      await using all = await scene()
      const { product, data, fail, arrived, inMemory, webhooks, cleanups } = all
      const unmount = mountTmpfs(data, 48)
      cleanups.push(() => unmount?.())
      await product.start()
      await arrived(await fail(5))
      await until(() => statSync(join(data, 'footman.reserve'), { throwIfNoEntry: false })?.size === 10_240_000, {
        timeout: 20_000,
        what: 'room set aside',
      })
      const makeRoom = fillDisk(data)
      const missed = await fail(300)
      await inMemory(300)
      expect(await product.process.stop(20_000)).toBe(0)
      expect(lines(product, /lost/i)).toEqual([])
      makeRoom()
      await product.start()
      await arrived(missed)
      expect(webhooks.requests).toHaveLength(5 + missed.length)
    },
    90_000,
  )
})

describe.skipIf(process.platform === 'win32')('the data directory', () => {
  test.concurrent('is removed while Footman runs: it is made anew with all that was in it', async () => {
    await using all = await scene()
    const { product, data, fail, arrived, health, put, value, webhooks } = all
    await product.start()
    expect((await put('kept')).status).toBe(201)
    await arrived(await fail(5))
    rmSync(data, { recursive: true })
    await product.process.waitForLine(/STORAGE: .*footman\.db has disappeared/, 20_000)
    const missed = await fail(10)
    expect((await health()).statusCode).toBe(503)
    await product.process.waitForLine(/footman\.db was not put back and is made anew with all that it held/, 30_000)
    await arrived(missed)
    expect(await value()).toBe('kept')
    await until(() => existsSync(join(data, 'local.key')), { timeout: 10_000, what: 'the local key' })
    expect(webhooks.requests).toHaveLength(15)
    await product.process.kill9()
    await product.start()
    expect(await value()).toBe('kept')
    expect(existsSync(join(data, 'footman.lock'))).toBe(true)
  }, 90_000)
})

describe.skipIf(process.platform === 'win32')('another data directory', () => {
  test.concurrent('in the place of the first one: nothing that comes while Footman starts anew is lost', async () => {
    await using all = await scene()
    const { product, data, fail, arrived, webhooks } = all
    await product.start()
    await arrived(await fail(5))
    expect(await product.process.stop()).toBe(0)
    cpSync(data, `${data}-other`, { recursive: true })
    await product.start()
    renameSync(data, `${data}-first`)
    renameSync(`${data}-other`, data)
    await product.process.waitForLine(/STORAGE: .*journal\.db has disappeared/, 20_000)
    const sent: string[] = []
    const isAnew = () => lines(product, /UDP server listening on/).length === 2
    for (const end = Date.now() + 30_000; !isAnew() && Date.now() < end; await pause(20)) sent.push(...(await fail(2)))
    sent.push(...(await fail(2)))
    await arrived(sent)
    expect(isAnew()).toBe(true)
    expect(webhooks.requests).toHaveLength(5 + sent.length)
    expect(lines(product, /memory are lost/)).toEqual([])
    expect(await product.process.stop()).toBe(0)
  }, 90_000)
})

describe.skipIf(process.platform === 'win32')('footman.db alone', () => {
  test.concurrent('is removed while Footman runs: it is made anew beside the journal, in the directory that Footman holds', async () => {
    await using all = await scene()
    const { product, data, fail, arrived, put, value, webhooks } = all
    await product.start()
    expect((await put('kept')).status).toBe(201)
    await arrived(await fail(5))
    for (const suffix of ['', '-wal', '-shm']) rmSync(join(data, `footman.db${suffix}`))
    await product.process.waitForLine(/footman\.db was not put back and is made anew with all that it held/, 30_000)
    await arrived(await fail(5))
    expect(await value()).toBe('kept')
    expect(webhooks.requests).toHaveLength(10)
    expect(await product.process.stop()).toBe(0)
  }, 90_000)
})

describe.skipIf(process.platform === 'win32')('a stop while the data directory is away', () => {
  test.concurrent('names each message that is lost with it, ends in time, and not with 0', async () => {
    await using all = await scene()
    const { product, data, fail, inMemory } = all
    await product.start()
    renameSync(data, `${data}-away`)
    await product.process.waitForLine(/STORAGE: .*journal\.db has disappeared/, 20_000)
    const lost = await fail(7)
    await product.process.waitForLine(/Messages wait in memory, up to 10000/, 20_000)
    await inMemory(7)
    expect(await product.process.stop(20_000)).toBe(4)
    for (const output of [product.process.stdout, product.process.stderr]) {
      expect(
        output.filter((line) => /7 messages of Qlik Sense that waited in memory are lost/.test(line)),
      ).toHaveLength(1)
      const named = output.flatMap(
        (line) => /Lost message \d of 7: failed, task ".+" \(\S+\), execution (\S+), from/.exec(line)?.[1] ?? [],
      )
      expect(named.sort()).toEqual([...lost].sort())
    }
  }, 60_000)

  test.concurrent('waits for it, and loses nothing when it comes back in time', async () => {
    await using all = await scene()
    const { product, data, fail, arrived, inMemory, webhooks } = all
    await product.start()
    renameSync(data, `${data}-away`)
    await product.process.waitForLine(/STORAGE: .*journal\.db has disappeared/, 20_000)
    const missed = await fail(7)
    await inMemory(7)
    const stopped = product.process.stop(20_000)
    await product.process.waitForLine(/Received SIGTERM/)
    renameSync(`${data}-away`, data)
    expect(await stopped).toBe(0)
    await product.start()
    await arrived(missed)
    expect(webhooks.requests).toHaveLength(7)
  }, 60_000)
})

describe('values that nobody can understand in a database that is sound', () => {
  test.concurrent('cost themselves: Footman starts, lists what it has, and alerts what comes', async () => {
    await using all = await scene()
    const { product, data, fail, arrived, put, webhooks } = all
    await product.start()
    expect((await put('kept')).status).toBe(201)
    await arrived(await fail(5))
    webhooks.answer({ status: 503 })
    await fail(5)
    await until(() => webhooks.requests.length > 5, { timeout: 20_000, what: 'an alert that has to wait' })
    await product.process.kill9()
    expect(spoilJson(join(data, 'footman.db'))).toBeGreaterThan(20)
    webhooks.answer({})
    await product.start()
    await arrived(await fail(3))
    for (const path of ['/v4/events', '/v4/deliveries', '/v4/history', '/health', '/v4/keyvalues/ns?key=a']) {
      expect([path, (await product.call('GET', path)).status]).toEqual([path, 200])
    }
    expect(lines(product, /UNHANDLED|UNCAUGHT/)).toEqual([])
    expect(await product.process.stop()).toBe(0)
  }, 60_000)
})

describe('damaged files', () => {
  test.concurrent('at the start: kept under another name, a new database is in use, and health and log say so', async () => {
    await using all = await scene()
    const { product, data, fail, arrived, health } = all
    mkdirSync(data)
    for (const name of ['footman.db', 'journal.db', 'footman.lock']) {
      const fd = openSync(join(data, name), 'w')
      writeSync(fd, Buffer.alloc(20_000, 0x5a))
      closeSync(fd)
    }
    await product.start()
    await arrived(await fail(5))
    const { statusCode, checks, reasons } = await health()
    expect(statusCode).toBe(200)
    expect(checks.database).toBe('degraded')
    expect(reasons!.database).toMatch(/footman\.db was damaged .*It is kept as .*footman\.db\.corrupt-\d{8}-\d{6}/)
    const kept = readdirSync(data).filter((name) => /^(footman|journal)\.db\.corrupt-\d{8}-\d{6}$/.test(name))
    expect(kept).toHaveLength(2)
    await product.process.waitForLine(/SELF STORAGE_TROUBLE: .*footman\.db was damaged/, 20_000)
  }, 60_000)

  test.concurrent('while it runs: replaced without an end of the process, and what was journaled is alerted', async () => {
    await using all = await scene()
    const { product, data, fail, arrived, health } = all
    await product.start()
    await arrived(await fail(60))
    expect(await product.process.stop()).toBe(0)
    await product.start()
    const { pid } = product.process
    spoil(join(data, 'footman.db'), 1, 3)
    const [id] = await fail(1)
    await product.process.waitForLine(/STORAGE: .*footman\.db was damaged/, 20_000)
    await until(() => lines(product, /UDP server listening on/).length === 2, { timeout: 20_000, what: 'a new start' })
    await arrived([id!, ...(await fail(5))])
    expect((await health()).checks.database).toBe('degraded')
    expect(product.process.pid).toBe(pid)
    expect(await product.process.stop()).toBe(0)
  }, 90_000)
})

/** Modes of the directory and of everything in it, by path. */
function modesOf(directory: string): Record<string, string> {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' })
  const mode = (name: string) => (statSync(join(directory, name)).mode & 0o777).toString(8)
  return Object.fromEntries(['.', ...names].map((name) => [name, mode(name)]))
}

describe.skipIf(process.platform === 'win32')('other accounts of the machine', () => {
  const openToAll = { command: 'bash', args: ['-c', 'umask 000; exec "$0" "$@"', footmanBinary()], env: {} }
  const scene = () =>
    footman({
      simulator: null,
      args: ['--no-qs-connection'],
      host: { ...openToAll, path: (local) => local },
      config: {
        restServerEndpointsEnable: { keyValueStore: true },
        footman: { access: { enable: true, anonymous: { scopes: ['kv:*'] } } },
      },
    })
  const expectClosed = (data: string) => {
    const modes = modesOf(data)
    expect(Object.keys(modes)).toEqual(
      expect.arrayContaining([
        'footman.db',
        'footman.db-wal',
        'footman.db-shm',
        'journal.db',
        'journal.db-wal',
        'local.key',
      ]),
    )
    const isFolder = (name: string) => statSync(join(data, name)).isDirectory()
    const open = Object.entries(modes).filter(([name, mode]) => mode !== (isFolder(name) ? '700' : '600'))
    expect(open).toEqual([])
  }

  test('cannot read anything in the data directory, whatever the umask, and what was open is closed at the start', async () => {
    await using product = await scene()
    const data = product.directory.join('data')
    await product.start()
    expect((await product.call('POST', '/v4/keyvalues/private', { key: 'a', value: 'b' })).status).toBe(201)
    expectClosed(data)

    // Killed, so that log and index of the databases stay.
    await product.process.kill9()
    mkdirSync(join(data, 'backup'))
    mkdirSync(join(data, 'appdump', 'nightly'), { recursive: true })
    for (const name of ['backup/footman-0.1.0-20260302T060000000Z.db', 'appdump/nightly/index.json']) {
      writeFileSync(join(data, name), '')
    }
    writeFileSync(join(data, 'footman.db.corrupt-20260302-060000'), '')
    for (const name of readdirSync(data, { recursive: true, encoding: 'utf8' })) {
      const path = join(data, name)
      chmodSync(path, statSync(path).isDirectory() ? 0o755 : 0o644)
    }
    chmodSync(data, 0o755)
    await product.start()
    expectClosed(data)
    const kept = await product.call('GET', '/v4/keyvalues/private?key=a')
    expect(await kept.json()).toMatchObject({ value: 'b' })
  }, 60_000)

  test("a directory with things of others keeps its rights, with a warning; what is Footman's in it is closed", async () => {
    await using product = await scene()
    const data = product.directory.join('data')
    mkdirSync(data)
    chmodSync(data, 0o755)
    writeFileSync(join(data, 'notes.txt'), '')
    chmodSync(join(data, 'notes.txt'), 0o644)
    await product.start()
    await product.process.waitForLine(/warn.*The data directory .*data keeps its rights, as notes\.txt in it/)
    expect(modesOf(data)).toMatchObject({ '.': '755', 'notes.txt': '644', 'footman.db': '600', 'local.key': '600' })
  }, 60_000)
})
