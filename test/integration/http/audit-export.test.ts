/** Copies of the audit at a syslog server and a webhook that are down, slow, refuse, or are not the ones they should be. */
import { afterEach, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { auditMigrations, createAudit } from '../../../src/http/audit.ts'
import { type AuditExportSettings, auditExportMigrations, createAuditExport } from '../../../src/http/audit-export.ts'
import { createGroupWriter } from '../../../src/platform/group-commit.ts'
import { openDatabase } from '../../../src/platform/sqlite.ts'
import { framed, sendSyslog, syslogLine } from '../../../src/platform/syslog.ts'
import { certificatePair } from '../../support/certificates.ts'
import { startHttpSink } from '../../support/http-sink.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { entryOf, type SyslogMode, type SyslogServer, startSyslogServer } from '../../support/syslog.ts'
import { type TempDirectory, tempDirectory } from '../../support/temp.ts'
import { until } from '../../support/wait.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

/** A syslog server that stops after the test. */
async function syslogServer(pair: { cert: string; key: string } | null, port?: number): Promise<SyslogServer> {
  const server = await startSyslogServer(pair, port)
  cleanups.push(server.stop)
  return server
}

const OFF: AuditExportSettings = {
  syslog: { host: '', port: 6514, tls: true, caFile: '', certFile: '', keyFile: '' },
  webhook: { url: '', bearerToken: '', caFile: '' },
}

/** An audit with its copies, over a file that a second scene may open again. */
async function scene(settings: AuditExportSettings, directory: TempDirectory = tempDirectory()) {
  const db = openDatabase(directory.join('footman.db'), { migrations: [...auditMigrations, ...auditExportMigrations] })
  const writer = createGroupWriter(db)
  const log = recordingLog()
  const clock = { now: Date.now }
  const copies = createAuditExport(
    { db, writer, clock, log, candidates: (path) => [path], environment: {} },
    settings,
    { keepMs: 86_400_000, retry: { firstMs: 20, maxMs: 40 } },
  )
  const audit = createAudit({ writer, clock, log, node: 'fm1', onStored: copies.onStored })
  for (const service of copies.services) await service.start()
  let isOpen = true
  const stop = async () => {
    if (!isOpen) return
    isOpen = false
    for (const service of copies.services.toReversed()) await service.stop(50)
    await writer.flush()
    db.close()
  }
  cleanups.push(() => directory.remove(), stop)
  const record = (action: string, actor = 'key:erp') =>
    audit.record({
      actor,
      address: '10.1.2.3',
      action,
      target: ['a8b4c123'],
      status: 200,
      outcome: 'ok',
      requestId: null,
      detail: null,
    })
  const waiting = () => db.get<{ n: number }>(`SELECT count(*) AS n FROM audit_export WHERE state = 'waiting'`)!.n
  const dead = () =>
    db.all<{ detail: string }>(`SELECT detail FROM audit_export WHERE state = 'dead'`).map(({ detail }) => detail)
  return { directory, log, record, waiting, dead, stop, flush: () => writer.flush() }
}

const actionsOf = (messages: readonly string[]) => messages.map((line) => entryOf(line).action)

describe('syslog', () => {
  test('a message has the form of RFC 5424 and is counted in octets', () => {
    const message = { facility: 13, severity: 4, at: Date.parse('2026-03-02T06:05:00.120Z'), processId: 7, text: 'a b' }
    const line = syslogLine({ ...message, host: 'fm 1', app: 'footman', id: 'GET /v4/audit\n<0>1' })
    expect(line).toBe('<108>1 2026-03-02T06:05:00.120Z fm_1 footman 7 GET_/v4/audit_<0>1 - a b')
    expect(framed('é')).toBe('2 é')
    expect(syslogLine({ ...message, host: '', app: '', id: 'x'.repeat(40) })).toContain(` - - 7 ${'x'.repeat(32)} - `)
  })

  test('over TLS takes every entry in order, with its place in the chain', async () => {
    const pair = await certificatePair('127.0.0.1')
    const server = await syslogServer(pair)
    const directory = tempDirectory()
    writeFileSync(directory.join('ca.pem'), pair.ca)
    const syslog = { ...OFF.syslog, host: '127.0.0.1', port: server.port, caFile: directory.join('ca.pem') }
    const { record } = await scene({ ...OFF, syslog }, directory)
    for (let n = 1; n <= 250; n += 1) record(`test.${n}`, n === 1 ? 'key:Ägäis\n😀' : 'key:erp')
    await until(() => server.messages.length === 250)
    expect(actionsOf(server.messages)).toEqual(Array.from({ length: 250 }, (_, n) => `test.${n + 1}`))
    const [first] = server.messages
    expect(first).toMatch(/^<110>1 \S+Z \S+ footman \d+ test\.1 - \{[\x20-\x7e]+\}$/)
    expect(entryOf(first!)).toMatchObject({
      actor: 'key:Ägäis\n😀',
      n: 1,
      prev: '0'.repeat(64),
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
  })

  test('with a certificate of another name, or of an unknown authority, gets nothing', async () => {
    const [pair, other] = await Promise.all([certificatePair('elsewhere.example'), certificatePair('127.0.0.1')])
    const server = await syslogServer(pair)
    const { signal } = new AbortController()
    const peer = (ca: string) => ({ host: '127.0.0.1', port: server.port, tls: { ca } })
    for (const ca of [pair.ca, other.ca]) {
      await expect(sendSyslog(peer(ca), ['<110>1 secret'], signal, 5000)).rejects.toThrow()
    }
    expect(server.messages).toEqual([])
  })

  test.each<[SyslogMode]>([['resets'], ['hangs']])('that %s loses nothing', async (mode) => {
    const server = await syslogServer(null)
    server.behave(mode)
    const { signal } = new AbortController()
    const peer = { host: '127.0.0.1', port: server.port, tls: null }
    await expect(sendSyslog(peer, ['<110>1 a'], signal, 200)).rejects.toThrow()
    server.behave('takes')
    await sendSyslog(peer, ['<110>1 a'], signal, 5000)
    expect(server.messages).toEqual(['<110>1 a'])
  })

  test('that was down gets the entries of a run before, in order', async () => {
    const down = await syslogServer(null)
    await down.stop()
    const syslog = { ...OFF.syslog, host: '127.0.0.1', port: down.port, tls: false }
    const before = await scene({ ...OFF, syslog })
    for (const n of [1, 2, 3]) before.record(`test.${n}`)
    await until(() => before.log.lines.some(({ message }) => message.includes('Entries wait for the syslog receiver')))
    expect(before.waiting()).toBe(3)
    await before.stop()
    const server = await syslogServer(null, down.port)
    const after = await scene({ ...OFF, syslog }, before.directory)
    after.record('test.4')
    await until(() => server.messages.length === 4)
    expect(actionsOf(server.messages)).toEqual(['test.1', 'test.2', 'test.3', 'test.4'])
    await until(() => after.waiting() === 0)
  })
})

describe('a webhook', () => {
  test('gets the entries as JSON with its token; refusals, resets and slowness lose nothing', async () => {
    await using sink = await startHttpSink()
    sink.answerOnce(
      { status: 503 },
      { status: 401 },
      { status: 413 },
      { reset: true },
      { status: 429, headers: { 'retry-after': '0' } },
    )
    const webhook = { url: `${sink.url}/audit`, bearerToken: 'a secret token', caFile: '' }
    const { record, waiting, log } = await scene({ ...OFF, webhook })
    record('test.1')
    record('test.2')
    await sink.received(6)
    await until(() => waiting() === 0)
    const last = sink.requests.at(-1)!
    expect([last.method, last.url, last.headers.authorization]).toEqual(['POST', '/audit', 'Bearer a secret token'])
    const { audit } = JSON.parse(last.body) as { audit: { action: string; n: number }[] }
    expect(audit.map(({ action, n }) => [action, n])).toEqual([
      ['test.1', 1],
      ['test.2', 2],
    ])
    expect(JSON.stringify(log.lines)).not.toContain('a secret token')
  })

  test('that takes small requests only gets all entries in smaller ones, but for one that is too large alone', async () => {
    await using sink = await startHttpSink()
    const actionsIn = ({ body }: { body: string }) =>
      (JSON.parse(body) as { audit: { action: string }[] }).audit.map(({ action }) => action)
    sink.answer(({ body }) => ({ status: body.length > 1500 || body.includes('key:huge') ? 413 : 200 }))
    const { record, waiting, dead, log } = await scene({
      ...OFF,
      webhook: { url: sink.url, bearerToken: '', caFile: '' },
    })
    for (let n = 1; n <= 40; n += 1) record(`test.${n}`, n === 20 ? 'key:huge' : 'key:erp')
    await until(() => waiting() === 0 && sink.requests.length > 0)
    const taken = sink.requests
      .filter(({ body }) => body.length <= 1500 && !body.includes('key:huge'))
      .flatMap(actionsIn)
    const others = Array.from({ length: 40 }, (_, n) => `test.${n + 1}`).filter((action) => action !== 'test.20')
    expect(taken).toEqual(others)
    expect(dead()).toEqual([expect.stringMatching(/number 20 of fm1-\w+, is too large for the webhook: 413/)])
    expect(log.lines.filter(({ level }) => level === 'error').map(({ message }) => message)).toEqual([
      expect.stringContaining('number 20 of fm1-'),
    ])
  })

  test('that is down does not hold up syslog', async () => {
    await using sink = await startHttpSink()
    await sink.down()
    const server = await syslogServer(null)
    const syslog = { ...OFF.syslog, host: '127.0.0.1', port: server.port, tls: false }
    const { record, waiting } = await scene({ syslog, webhook: { url: sink.url, bearerToken: '', caFile: '' } })
    record('test.1')
    await until(() => server.messages.length === 1)
    await until(() => waiting() === 1)
    await sink.up()
    await sink.received(1)
    await until(() => waiting() === 0)
  })
})

test('without receivers nothing is kept for them', async () => {
  const { record, waiting, flush } = await scene(OFF)
  record('test.1')
  await flush()
  expect(waiting()).toBe(0)
})
