/** The audit of the executable: copies to syslog over TLS and to a webhook, the hash chain, and security.txt beside it. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { runToEnd } from '../support/binary.ts'
import { certificatePair } from '../support/certificates.ts'
import { newKey } from '../support/console.ts'
import { type Footman, footman } from '../support/footman.ts'
import { type HttpSink, startHttpSink } from '../support/http-sink.ts'
import { entryOf, type SentEntry, type SyslogServer, startSyslogServer } from '../support/syslog.ts'
import { until } from '../support/wait.ts'

const erp = newKey('erp', 'kv:write')
const PAIRS = '/v4/keyvalues/audit'

let syslog: SyslogServer
let hook: HttpSink
let product: Footman
beforeAll(async () => {
  const pair = await certificatePair('127.0.0.1')
  syslog = await startSyslogServer(pair)
  hook = await startHttpSink()
  product = await footman({
    simulator: null,
    args: ['--no-qs-connection'],
    config: {
      restServerEndpointsEnable: { keyValueStore: true },
      footman: {
        access: { enable: true, auditKeyValues: true, keys: [erp.entry] },
        api: { securityTxt: { contact: ['security@acme.example'], languages: ['en'] } },
        audit: {
          syslog: { host: '127.0.0.1', port: syslog.port, caFile: 'logs-ca.pem' },
          webhook: { url: `${hook.url}/audit`, bearerToken: 'siem-token' },
        },
      },
    },
  })
  writeFileSync(product.directory.join('logs-ca.pem'), pair.ca)
  await product.start()
}, 60_000)
afterAll(async () => {
  await product?.[Symbol.asyncDispose]()
  await syslog?.stop()
  await hook?.stop()
})

const put = (key: string, token = erp.key) =>
  product.call('POST', PAIRS, { key, value: '1' }, { authorization: `Bearer ${token}` })
const verify = () => runToEnd(['audit', 'verify', '-c', product.configFile])

interface Row extends SentEntry {
  readonly chain: string
  readonly at: number
  readonly address: string | null
  readonly target: string
  readonly status: number | null
  readonly outcome: string
  readonly request_id: string | null
  readonly detail: string | null
  readonly via: string | null
}
const stored = () => product.rows<Row>('SELECT * FROM audit ORDER BY n')
const hashesOf = (entries: readonly SentEntry[]) => entries.map(({ n, prev, hash }) => [n, prev, hash])
const atHook = (): SentEntry[] =>
  hook.requests.flatMap(({ body }) => (JSON.parse(body) as { audit: SentEntry[] }).audit)

test('each entry comes to both receivers in order, with its place in the chain, also after a kill', async () => {
  expect((await put('first')).status).toBe(201)
  // Refused calls have an entry, too.
  expect((await put('second', 'fm_wrong')).status).toBe(401)
  syslog.behave('hangs')
  hook.answer({ status: 503 })
  expect((await put('third')).status).toBe(201)
  await until(() => stored().length >= 3)
  await product.process.kill9()
  syslog.behave('takes')
  hook.answer({ status: 200 })
  await product.start()
  expect((await put('fourth')).status).toBe(201)
  await until(() => stored().filter(({ action }) => action === 'kv.set').length >= 3)
  const expected = hashesOf(stored())
  /** Each arrives at least once: repeats have the same id. */
  const once = (entries: readonly SentEntry[]) => [...new Map(entries.map((entry) => [entry.id, entry])).values()]
  await until(() => once(syslog.messages.map(entryOf)).length >= expected.length, { what: 'all at syslog' })
  await until(() => once(atHook()).length >= expected.length, { what: 'all at the webhook' })
  expect(hashesOf(once(syslog.messages.map(entryOf)))).toEqual(expected)
  expect(hashesOf(once(atHook()))).toEqual(expected)
  expect(new Set(hook.requests.map(({ headers }) => headers.authorization))).toEqual(new Set(['Bearer siem-token']))
  expect(syslog.messages.join()).not.toContain('fm_')
}, 60_000)

test('the hash is that of docs/security.md, over the entry and the hash before it', () => {
  for (const one of stored()) {
    const { chain, n, prev, id, at, actor, address, action, target, status, outcome, request_id, detail, via } = one
    const list = [chain, n, prev, id, at, actor, address, action, target, status, outcome, request_id, detail, via]
    expect(createHash('sha256').update(JSON.stringify(list)).digest('hex')).toBe(one.hash)
  }
})

test.each<[what: string, sql: string, reason: RegExp]>([
  ['changed', "UPDATE audit SET actor = 'key:other' WHERE n = 2", /entry 2 \(id .*was changed/],
  ['removed', 'DELETE FROM audit WHERE n = 2', /entry 2: .*is missing/],
  ['the newest removed', 'DELETE FROM audit WHERE n = (SELECT max(n) FROM audit)', /the newest.*missing/],
  [
    'put in',
    "INSERT INTO audit (id, at, actor, action, target, outcome) SELECT substr(max(id), 1, 35) || 'x', 1, 'key:erp', 'x', '[]', 'ok' FROM audit",
    /no hash/,
  ],
  [
    'put in between with a hash of its own',
    `INSERT INTO audit (id, at, actor, action, target, outcome, chain, n, prev, hash) SELECT substr(max(id), 1, 35) || 'x',
      at, actor, 'x', target, outcome, chain, max(n) + 1, hash, hash FROM audit`,
    /was changed/,
  ],
])(
  'footman audit verify finds an entry that was %s',
  async (_what, sql, reason) => {
    const whole = await verify()
    expect([whole.code, whole.stdout]).toEqual([0, expect.stringMatching(/entries are as they were written\.\s*$/)])
    const db = new DatabaseSync(product.directory.join('data', 'footman.db'))
    try {
      db.exec('PRAGMA busy_timeout = 5000')
      const before = db.prepare('SELECT * FROM audit').all() as Record<string, string | number | null>[]
      db.exec(sql)
      const broken = await verify()
      expect([broken.code, broken.stderr]).toEqual([3, expect.stringMatching(reason)])
      db.exec('DELETE FROM audit')
      for (const row of before) {
        const columns = Object.keys(row)
        db.prepare(`INSERT INTO audit (${columns}) VALUES (${columns.map(() => '?')})`).run(...Object.values(row))
      }
    } finally {
      db.close()
    }
  },
  30_000,
)

test('/.well-known/security.txt is answered to anybody, and not written to', async () => {
  for (const headers of [
    {} as Record<string, string>,
    { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
  ]) {
    const answer = await product.call('GET', '/.well-known/security.txt', undefined, headers)
    const text = await answer.text()
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/plain; charset=utf-8'])
    expect(text).toMatch(/^Contact: mailto:security@acme\.example\r\nExpires: .*Z\r\nPreferred-Languages: en\r\n$/)
    expect(Date.parse(/Expires: (\S+)/.exec(text)![1]!)).toBeGreaterThan(Date.now())
  }
  expect((await product.call('POST', '/.well-known/security.txt', {})).status).not.toBe(200)
})
