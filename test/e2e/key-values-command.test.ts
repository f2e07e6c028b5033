/** The commands for key-value pairs, and the key with which commands call the Footman of their machine. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { runBinary, runToEnd } from '../support/binary.ts'
import { type Footman, footman } from '../support/footman.ts'
import { startSite, type TestSite } from '../support/simulator.ts'

const SALES_ETL = '70000000-0000-4000-8000-000000000001'
const UNKNOWN = '11111111-2222-3333-4444-555555555555'

let site: TestSite
let product: Footman

beforeAll(async () => {
  site = await startSite()
  const keys = [{ id: 'reader', hash: `sha256:${'0'.repeat(64)}`, scopes: ['task:read'] }]
  product = await footman({
    simulator: site.simulator,
    // Without the local key no command would get in.
    config: { restServerEndpointsEnable: { keyValueStore: true }, footman: { access: { enable: true, keys } } },
  })
  await product.start()
}, 90_000)
beforeEach(async () => {
  site.simulator.reset()
  for (const namespace of ['etl', 'Sales ETL']) await local('DELETE', `/v4/keyvalues/${encodeURIComponent(namespace)}`)
})
afterAll(async () => {
  await product?.[Symbol.asyncDispose]()
  await site?.[Symbol.asyncDispose]()
})

const localKey = () => readFileSync(product.directory.join('data', 'local.key'), 'utf8').trim()
const local = (method: string, path: string, body?: unknown) =>
  product.call(method, path, body, { authorization: `Bearer ${localKey()}` })
const valueAt = async (namespace: string, key: string) => {
  const answer = await local('GET', `/v4/keyvalues/${encodeURIComponent(namespace)}?key=${encodeURIComponent(key)}`)
  return ((await answer.json()) as { value?: string }).value
}
const run = (args: readonly string[], env: Record<string, string> = {}) =>
  runToEnd([...args, '-c', product.configFile], { env, cwd: product.directory.path, timeout: 30_000 })

/** With this text on standard input. */
async function piped(args: readonly string[], text: string) {
  const running = runBinary([...args, '-c', product.configFile], { cwd: product.directory.path })
  running.write(text)
  running.endInput()
  const { code } = await running.ended
  return { code, stdout: running.stdout.join('\n'), stderr: running.stderr.join('\n') }
}

describe('start-task --kv', () => {
  test('the pairs can be read before QRS gets the start', async () => {
    const pairs = ['--kv', 'etl/from=2026-03-01', '--kv', 'etl/filter=a/b=c']
    const { code, stderr } = await run(['start-task', SALES_ETL, ...pairs])
    expect([code, stderr]).toEqual([0, ''])
    expect([await valueAt('etl', 'from'), await valueAt('etl', 'filter')]).toEqual(['2026-03-01', 'a/b=c'])
    const [stored] = product.rows<{ at: number }>(`SELECT created_at AS at FROM kv WHERE key = 'from'`)
    const started = site.simulator.requests({ listener: 'qrs' }).find(({ path }) => path.includes('/start'))
    expect(started?.at).toBeGreaterThanOrEqual(stored!.at)
  }, 90_000)

  test.each(['etl', 'etl/from', 'etl/=x', '/from=x', 'etl/from='])(
    '1: %j is no pair, and nothing starts',
    async (text) => {
      const { code, stderr } = await run(['start-task', SALES_ETL, '--kv', text])
      expect([code, stderr]).toEqual([1, `error: start-task: --kv: "${text}" is not namespace/key=value`])
      expect(site.simulator.requests({ listener: 'qrs' }).filter(({ path }) => path.includes('/start'))).toEqual([])
    },
    30_000,
  )

  test('2: without the store nothing starts', async () => {
    await using other = await footman({ simulator: site.simulator })
    await other.start()
    const { code, stderr } = await runToEnd(['start-task', SALES_ETL, '--kv', 'etl/a=b', '-c', other.configFile])
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/^error: start-task: --kv: .*restServerEndpointsEnable\.keyValueStore/),
    ])
    expect(site.simulator.requests({ listener: 'qrs' }).filter(({ path }) => path.includes('/start'))).toEqual([])
  }, 90_000)

  test('3: an unknown task; the pair is stored all the same', async () => {
    const { code } = await run(['start-task', UNKNOWN, '--kv', 'etl/a=b'])
    expect([code, await valueAt('etl', 'a')]).toEqual([3, 'b'])
  }, 90_000)
})

describe('kv set, get, list and delete', () => {
  test('a pair, its expiry, and the end of both', async () => {
    const set = await run(['kv', 'set', 'Sales ETL', 'last/extract', '2026-03-02', '--ttl', '1h'])
    expect([set.code, set.stdout, set.stderr]).toEqual([0, 'Stored: last/extract', ''])
    expect((await run(['kv', 'get', 'Sales ETL', 'last/extract'])).stdout).toBe('2026-03-02')
    const json = JSON.parse((await run(['kv', 'get', 'Sales ETL', 'last/extract', '--json'])).stdout)
    expect(json).toMatchObject({
      namespace: 'Sales ETL',
      key: 'last/extract',
      value: '2026-03-02',
      revision: expect.any(Number),
    })
    const list = await run(['kv', 'list', 'Sales ETL'])
    expect(list.stdout).toMatch(/^KEY +VALUE +EXPIRES IN\nlast\/extract +2026-03-02 +(1 h 0|59) m/)
    expect((await run(['kv', 'list'])).stdout).toBe('NAMESPACE\nSales ETL')
    const deleted = await run(['kv', 'delete', 'Sales ETL', 'last/extract'])
    expect([deleted.code, deleted.stdout]).toEqual([0, 'Deleted: key "last/extract"'])
    expect(await valueAt('Sales ETL', 'last/extract')).toBeUndefined()
  }, 90_000)

  test('a value on standard input; a whole namespace', async () => {
    expect((await piped(['kv', 'set', 'etl', 'note'], 'two\nlines\n')).code).toBe(0)
    expect(await valueAt('etl', 'note')).toBe('two\nlines')
    const refused = await run(['kv', 'delete', 'etl'])
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('give --all for the whole namespace')])
    expect((await run(['kv', 'delete', 'etl', '--all'])).stdout).toBe('Deleted: namespace "etl"')
    expect((await run(['kv', 'list'])).stdout).toBe('No namespaces.')
  }, 90_000)

  test('an unknown key or namespace ends with 3', async () => {
    await local('POST', '/v4/keyvalues/etl', { key: 'k', value: 'v' })
    for (const args of [
      ['get', 'etl', 'nothing'],
      ['get', 'nowhere', 'k'],
      ['delete', 'etl', 'nothing'],
      ['list', 'nowhere'],
    ]) {
      const { code, stderr } = await run(['kv', ...args])
      expect([code, stderr]).toEqual([3, expect.stringMatching(/^error: kv .*not found/)])
    }
  }, 90_000)
})

describe('kv export and import', () => {
  beforeEach(async () => {
    await local('POST', '/v4/keyvalues/Sales%20ETL', { key: 'last', value: 'grün "x"', ttl: 600_000 })
    await local('POST', '/v4/keyvalues/etl', { key: 'k', value: 'v' })
  })

  test('what was exported, wiped and imported is the same, with what is left of its time', async () => {
    const exported = await run(['kv', 'export'])
    expect([exported.code, exported.stderr]).toEqual([0, ''])
    const before = JSON.parse(exported.stdout)
    expect(before).toEqual({
      format: 'footman.kv/1',
      exportedAt: expect.any(String),
      namespaces: {
        'Sales ETL': [{ key: 'last', value: 'grün "x"', expiresAt: expect.any(String) }],
        etl: [{ key: 'k', value: 'v', expiresAt: null }],
      },
    })
    for (const namespace of ['etl', 'Sales%20ETL']) await local('DELETE', `/v4/keyvalues/${namespace}`)
    const imported = await piped(['kv', 'import'], exported.stdout)
    expect([imported.code, imported.stdout]).toEqual([0, '2 pairs imported into 2 namespaces'])
    expect(JSON.parse((await run(['kv', 'export'])).stdout).namespaces).toEqual(before.namespaces)
  }, 90_000)

  test('one namespace, to a file that is private and back with --mode replace', async () => {
    const file = product.directory.join('sales.json')
    const exported = await run(['kv', 'export', '--namespace', 'Sales ETL', '--output', file])
    expect([exported.code, exported.stdout]).toEqual([0, ''])
    expect(exported.stderr).toBe(`1 pair of 1 namespace written to ${file}`)
    if (process.platform !== 'win32') expect(statSync(file).mode & 0o777).toBe(0o600)
    await local('POST', '/v4/keyvalues/Sales%20ETL', { key: 'other', value: 'x' })
    const { code, stdout } = await run(['kv', 'import', file, '--mode', 'replace', '--json'])
    expect([code, JSON.parse(stdout)]).toEqual([0, { namespaces: 1, keys: 1, skipped: 0 }])
    const list = await local('GET', '/v4/keylist/Sales%20ETL')
    expect(await list.json()).toEqual({ namespace: 'Sales ETL', keys: [{ key: 'last' }] })
  }, 90_000)

  test('a file as Windows PowerShell writes it', async () => {
    const { stdout } = await run(['kv', 'export', '--namespace', 'etl'])
    const file = product.directory.join('utf-16.json')
    writeFileSync(file, Buffer.from(`\ufeff${stdout}\r\n`, 'utf16le'))
    expect((await run(['kv', 'import', file])).code).toBe(0)
  }, 90_000)

  test('pairs whose time is over are skipped, and it is said', async () => {
    const pairs = [{ key: 'old', value: 'x', expiresAt: '2020-01-01T00:00:00.000Z' }]
    const text = JSON.stringify({ format: 'footman.kv/1', namespaces: { etl: pairs } })
    const { code, stdout } = await piped(['kv', 'import'], text)
    expect([code, stdout]).toEqual([0, '0 pairs imported into 1 namespace; 1 pair skipped, because the time was over'])
  }, 90_000)

  test('a namespace that is too large for one call arrives whole', async () => {
    const value = 'x'.repeat(1_000_000)
    const pairs = Array.from({ length: 12 }, (_, index) => ({ key: `k${index}`, value, expiresAt: null }))
    const text = JSON.stringify({ format: 'footman.kv/1', namespaces: { etl: pairs } })
    const { code, stdout } = await piped(['kv', 'import', '--mode', 'replace'], text)
    expect([code, stdout]).toEqual([0, '12 pairs imported into 1 namespace'])
  }, 90_000)

  test('a table of a spreadsheet becomes pairs, in any order of its columns', async () => {
    const table =
      'sep=;\r\nKey;Expires at;Namespace;Value\r\na;;etl;"one;\ntwo"\r\nb;2999-01-01T00:00:00Z;other; 2 \r\n'
    const { code, stdout } = await piped(['kv', 'import', '--mode', 'replace'], table)
    expect([code, stdout]).toEqual([0, '2 pairs imported into 2 namespaces'])
    expect((await run(['kv', 'get', 'etl', 'a'])).stdout).toBe('one;\ntwo')
    const { value, ttl } = JSON.parse((await run(['kv', 'get', 'other', 'b', '--json'])).stdout)
    expect([value, ttl > 0]).toEqual([' 2 ', true])
  }, 30_000)

  test.each([
    ['a value that is too large', [['k', 'x'.repeat(1_100_000)]], 2, 'maxValueSize allows 1'],
    [
      'too many keys',
      Array.from({ length: 1001 }, (_, index) => [`k${index}`, 'v']),
      1,
      'Maximum number of keys (1000) reached in namespace: other: Delete keys, or raise Butler.keyValueStore.maxKeysPerNamespace.',
    ],
  ])(
    '%s in the second namespace: nothing is stored, and the limit is named',
    async (_what, pairs, exit, reason) => {
      const lines = [['etl', 'a', '1'], ...pairs.map(([key, value]) => ['other', key, value])]
      const { code, stderr } = await piped(['kv', 'import'], ['namespace,key,value', ...lines].join('\n'))
      expect([code, stderr]).toEqual([exit, expect.stringContaining(reason)])
      expect(stderr).toStartWith('error: kv import: standard input: ')
      expect(await valueAt('etl', 'a')).toBeUndefined()
    },
    30_000,
  )

  test('what cannot be used as a whole replaces nothing', async () => {
    expect((await run(['kv', 'set', 'kept', 'old', 'value'])).code).toBe(0)
    const broken = [
      'namespace,key,value,expiresAt\nkept,a,1,\nother,k,v,tomorrow\n',
      '{"format":"footman.kv/1","namespaces":{"kept":[{"key":"a","value":"1"}],"other":[{"key":"k","value":"v","expiresAt":"tomorrow"}]}}',
    ]
    for (const text of broken) {
      expect((await piped(['kv', 'import', '--mode', 'replace'], text)).code).toBe(1)
      expect((await run(['kv', 'get', 'kept', 'old'])).stdout).toBe('value')
    }
  }, 30_000)

  const wrong: [what: string, text: string, error: RegExp][] = [
    ['no JSON', '{abc', /^error: kv import: standard input: it is no JSON/],
    [
      'members that are not known',
      '{"format":"footman.kv/1","namespaces":{"a":[]},"mode":"replace","ttl":1}',
      /standard input: "mode" is unknown; known are format, exportedAt, namespaces; "ttl" is unknown/,
    ],
    ['no table', 'abc', /^error: kv import: standard input: it is neither .* its first line is: abc/],
    ['a table without values', 'namespace;key\na;b\n', /columns namespace, key, value/],
    ['a line without a key', 'namespace,key,value\na,,1\n', /line 2, column 1: the line has no namespace or no key/],
    ['a line that is too long', 'namespace,key,value\na,b,1,2\n', /line 2, column 1: the line has values beyond the 3/],
    [
      'a bad time',
      'namespace,key,value,expiresAt\netl,b,1,soon\n',
      /line 2, column 1: expiresAt must be null or an ISO 8601 time with its zone.*"soon"/,
    ],
    [
      'a time without its zone',
      'namespace,key,value,expiresAt\netl,b,1,2030-06-01T12:00:00\n',
      /expiresAt must be .* with its zone/,
    ],
    [
      'a line that was cut off',
      'namespace,key,value\netl,a,1\netl,b',
      /line 3, column 1: the line has 2 of the 3 values/,
    ],
    [
      'a key that is there twice',
      'namespace,key,value\netl,a,1\netl,a,2\n',
      /line 3, column 1: the key "a" of namespace "etl" is there twice/,
    ],
    ['nothing', '', /it is empty/],
    ['no export', '{"a":1}', /^error: kv import: standard input: it is no export/],
    [
      'another format',
      '{"format":"x","namespaces":{"etl":[]}}',
      /^error: kv import: namespace "etl": .*footman\.kv\/1/,
    ],
    [
      'a bad pair',
      '{"format":"footman.kv/1","namespaces":{"etl":[{"key":"k"}]}}',
      /^error: kv import: standard input: pair 1 of namespace "etl": value must be string/,
    ],
    [
      'a key of an export that is there twice',
      '{"format":"footman.kv/1","namespaces":{"etl":[{"key":"a","value":"1"},{"key":"a","value":"2"}]}}',
      /^error: kv import: standard input: pair 2 of namespace "etl": key "a" is there twice/,
    ],
    [
      'a namespace of an export that is there twice',
      '{"format":"footman.kv/1","namespaces":{"etl":[],\n"etl":[]}}',
      /^error: kv import: standard input: line 2, column 1 has the member "etl" a second time/,
    ],
    [
      'a letter of an export that was lost',
      '{"format":"footman.kv/1","namespaces":{"etl":[{"key":"a","value":"gr\ufffder"}]}}',
      /line 1, column \d+ holds the sign .* export the file again as UTF-8/,
    ],
  ]
  test.each(wrong)(
    '1: %s',
    async (_, text, error) => {
      const { code, stderr } = await piped(['kv', 'import'], text)
      expect([code, stderr]).toEqual([1, expect.stringMatching(error)])
    },
    30_000,
  )

  test('1: a file that is not there', async () => {
    const { code, stderr } = await run(['kv', 'import', 'missing.json'])
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^error: kv import: missing\.json: .*ENOENT/)])
  }, 90_000)

  test('2: nobody listens, and a key that may not', async () => {
    const away = await runToEnd(['kv', 'export', '--url', 'http://127.0.0.1:1'], { timeout: 20_000 })
    expect([away.code, away.stderr]).toEqual([2, expect.stringMatching(/^error: kv export: .*127\.0\.0\.1:1/)])
    const refused = await run(['kv', 'export'], { FOOTMAN_KEY: `fm_${'A'.repeat(43)}` })
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/^error: kv export: .*status 401/)])
  }, 90_000)
})

describe('the local key', () => {
  const url = () => `http://127.0.0.1:${product.restPort}`

  test('is found beside the configuration file, also where only the address is another', async () => {
    expect((await run(['tasks'])).code).toBe(0)
    expect((await run(['tasks', '--url', url()])).code).toBe(0)
    expect((await run(['tasks'], { FOOTMAN_URL: `http://localhost:${product.restPort}` })).code).toBe(0)
  }, 90_000)

  test('is found where `run` finds its file', async () => {
    writeFileSync(product.directory.join('production.yaml'), readFileSync(product.configFile))
    const env = { NODE_CONFIG_DIR: product.directory.path, NODE_ENV: 'production' }
    const { code, stderr } = await runToEnd(['tasks'], { env, cwd: product.directory.path, timeout: 20_000 })
    expect(code).toBe(0)
    // Footman runs with the file of which this is a copy.
    expect(stderr).toBe(`footman: answered by Footman 0.1.0 at ${url()}, configuration ${product.configFile}`)
  }, 90_000)

  test('is not needed when a key is given, and does not help a wrong one', async () => {
    const { code, stderr } = await run(['tasks', '--key', `fm_${'A'.repeat(43)}`])
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^warning: --key is deprecated.*\n.*status 401/)])
    const nothing = await runToEnd(['tasks', '--url', url()], { timeout: 20_000 })
    expect([nothing.code, nothing.stderr]).toEqual([2, expect.stringMatching(/status 401/)])
  }, 90_000)
})
