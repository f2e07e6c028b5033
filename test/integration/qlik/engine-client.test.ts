import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { createEngineClient, type EngineSettings } from '../../../src/qlik/engine/client.ts'
import { openDoc, reloadDoc } from '../../../src/qlik/engine/doc.ts'
import { EngineError } from '../../../src/qlik/engine/errors.ts'
import { recordingLog } from '../../support/recording-log.ts'
import {
  type EngineCall,
  type EngineScript,
  onConnected,
  Rejection,
  type ScriptedEngine,
  scriptedEngine,
} from '../../support/scripted-engine.ts'
import { REPOSITORY_USER, startSite, type TestSite } from '../../support/simulator.ts'
import { until } from '../../support/wait.ts'

const addresses = Object.values(networkInterfaces()).flatMap((list = []) => list.map(({ address }) => address))
const LOOPBACKS = ['127.0.0.1', '::1'].filter((address) => addresses.includes(address))

const APP = 'a1000000-0000-4000-8000-000000000002'

const failure = (work: Promise<unknown>) =>
  work.then(
    () => expect.unreachable('it went well'),
    (error: unknown) => {
      expect(error).toBeInstanceOf(EngineError)
      const { kind, code, message } = error as EngineError
      return { kind, code, message }
    },
  )

describe('over mutual TLS', () => {
  let site: TestSite
  beforeAll(async () => {
    site = await startSite()
  })
  afterEach(() => site.simulator.clearFaults())
  afterAll(() => site?.[Symbol.asyncDispose]())

  function clientOf(changes: Partial<EngineSettings> = {}) {
    const { ca, client } = site.simulator.certificates.pem
    return createEngineClient(
      { log: recordingLog() },
      {
        host: '127.0.0.1',
        port: site.simulator.ports.engine,
        useSSL: true,
        headers: [{ name: 'X-Qlik-User', value: REPOSITORY_USER }],
        rejectUnauthorized: true,
        certificates: { ca: ca.pem, cert: client.cert.pem, key: client.key.pem },
        connectTimeoutMs: 2000,
        ...changes,
      },
    )
  }

  test('without a host the failure names the key to set', async () => {
    const work = clientOf({ host: '' }).use({ app: null }, (session) => session.global.call('EngineVersion'))
    expect(await failure(work)).toMatchObject({
      kind: 'unreachable',
      message: expect.stringContaining('no engine is configured: set Butler.configEngine.host'),
    })
  })

  test('the engine is verified with the certificate authority of the site', async () => {
    const version = await clientOf().use({ app: null }, (session) => session.global.call('EngineVersion'))
    expect(version).toEqual({ qVersion: { qComponentVersion: '12.2027.0' } })
  })

  test('a name that also has an address without a listener is reached', async () => {
    const version = await clientOf({ host: 'localhost' }).use({ app: null }, ({ global }) =>
      global.call('EngineVersion'),
    )
    expect(version).toEqual({ qVersion: { qComponentVersion: '12.2027.0' } })
  })

  test('a session belongs to an app and an identity', async () => {
    const shared = { app: APP, identity: 'one' }
    const [first, second] = [await clientOf().open(shared), await clientOf().open(shared)]
    expect([first.state, second.state]).toEqual(['SESSION_CREATED', 'SESSION_ATTACHED'])
    await Promise.all([first.close(), second.close()])
  })

  test('handles are opened, found and not found', async () => {
    await clientOf().use({ identity: 'handles' }, async (session) => {
      const doc = await openDoc(session, APP, true)
      expect(await doc.child('GetObject', ['b7e1c2d3-0001-4000-8000-000000000001'])).toMatchObject({
        handle: expect.any(Number),
      })
      expect(await doc.child('GetObject', ['nothing'])).toBeNull()
      expect(await doc.child('GetVariableById', ['nothing'])).toBeNull()
      expect((await failure(doc.value('qLayout', 'GetScript'))).kind).toBe('invalid')
    })
  })

  test('an error of the engine keeps its code', async () => {
    const work = clientOf().use({ identity: 'errors' }, (session) => openDoc(session, 'unknown', false))
    expect(await failure(work)).toMatchObject({ kind: 'rejected', code: 1003 })
  })

  const { port, ...strangers } = { port: 1, useSSL: true }
  const cases: { name: string; settings?: Partial<EngineSettings>; fault?: [string, unknown[]]; kind: string }[] = [
    { name: 'a closed port', settings: { port, ...strangers }, kind: 'unreachable' },
    { name: 'an unknown host', settings: { host: 'engine.invalid' }, kind: 'unreachable' },
    { name: 'certificates that cannot be read', settings: { certificates: () => null }, kind: 'unreachable' },
    { name: 'no encryption where it is wanted', settings: { useSSL: false }, kind: 'unreachable' },
    { name: 'no identity', settings: { headers: [] }, kind: 'refused' },
    { name: 'a login page', fault: ['html', []], kind: 'refused' },
    { name: 'no free session', fault: ['session-limit', []], kind: 'refused' },
    { name: 'no licence', fault: ['on-connected', ['SESSION_ERROR_NO_LICENSE']], kind: 'refused' },
    { name: 'no access', fault: ['on-connected', ['SESSION_ERROR_APP_ACCESS_DENIED']], kind: 'refused' },
    { name: 'a broken setup', fault: ['on-connected', ['SESSION_ACCESS_CONTROL_SETUP_FAILURE']], kind: 'refused' },
    { name: 'silence', settings: { connectTimeoutMs: 200 }, fault: ['hang', []], kind: 'timeout' },
  ]
  for (const { name, settings, fault, kind } of cases) {
    test(`${name} is told as ${kind}`, async () => {
      if (fault) site.simulator.fault({ listener: 'engine', mode: fault[0], args: fault[1] })
      expect(await failure(clientOf(settings).open({ app: null }))).toMatchObject({ kind, code: null })
    })
  }

  test('another authority is not believed, unless nothing is to be verified', async () => {
    const { client } = site.simulator.certificates.pem
    const stranger = { ca: client.cert.pem, cert: client.cert.pem, key: client.key.pem }
    expect((await failure(clientOf({ certificates: stranger }).open({ app: null }))).kind).toBe('unreachable')
    const trusting = clientOf({ certificates: stranger, rejectUnauthorized: false })
    await (await trusting.open({ app: null })).close()
  })

  test('renewed certificates are used for the next session', async () => {
    const { ca, client } = site.simulator.certificates.pem
    const good = { ca: ca.pem, cert: client.cert.pem, key: client.key.pem }
    let now: typeof good | null = null
    const engine = clientOf({ certificates: () => now })
    expect((await failure(engine.open({ app: null }))).message).toContain('certificates cannot be read')
    now = good
    await (await engine.open({ app: null })).close()
  })

  test('a port that accepts and says nothing is a timeout, TLS or not', async () => {
    const mute = createServer((socket) => socket.on('error', () => {}))
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
    const settings = { port: (mute.address() as { port: number }).port, connectTimeoutMs: 150 }
    expect((await failure(clientOf(settings).open({ app: null }))).kind).toBe('timeout')
    expect((await failure(clientOf({ ...settings, useSSL: false }).open({ app: null }))).kind).toBe('timeout')
    mute.close()
  })
})

describe('with an engine that misbehaves', () => {
  let engine: ScriptedEngine
  afterEach(() => engine?.[Symbol.asyncDispose]())

  async function start(script: EngineScript, settings: Partial<EngineSettings> = {}) {
    engine = await scriptedEngine(script)
    return createEngineClient(
      { log: recordingLog() },
      {
        host: '127.0.0.1',
        port: engine.port,
        useSSL: false,
        headers: [],
        rejectUnauthorized: true,
        certificates: () => null,
        connectTimeoutMs: 10_000,
        callTimeoutMs: 10_000,
        ...settings,
      },
    )
  }
  const ended = () => until(() => engine.open === 0, { what: 'the end of the session' })

  // `localhost` has both addresses; whichever is tried first, one of the two engines needs the other address.
  test.each(LOOPBACKS)('a name is tried on all its addresses: an engine on %s only', async (host) => {
    const client = await start({ answer: () => ({ here: true }), host }, { host: 'localhost' })
    expect(await client.use({}, ({ global }) => global.call('EngineVersion'))).toEqual({ here: true })
  })

  test('a session that never begins is a timeout', async () => {
    const client = await start({ answer: () => undefined, greeting: null }, { connectTimeoutMs: 500 })
    expect((await failure(client.open({}))).kind).toBe('timeout')
    await ended()
  })

  test('a proxy that wants a login is a refusal', async () => {
    const greeting =
      '{"method":"OnAuthenticationInformation","params":{"loginUri":"https://x/","mustAuthenticate":true}}'
    const client = await start({ answer: () => undefined, greeting })
    expect((await failure(client.open({}))).kind).toBe('refused')
    await ended()
  })

  test('what is no JSON ends the session', async () => {
    const client = await start({ answer: ({ socket }) => socket.send('<html>') })
    const work = client.use({}, (session) => session.global.call('EngineVersion'))
    expect((await failure(work)).kind).toBe('invalid')
    await ended()
  })

  test('notifications and answers that nobody waits for are passed over', async () => {
    const client = await start({
      answer({ id, socket }) {
        socket.send('{"jsonrpc":"2.0","change":[1,2]}')
        socket.send('{"jsonrpc":"2.0","method":"OnSomethingNew","params":{}}')
        socket.send(`{"jsonrpc":"2.0","id":${id + 99},"result":{}}`)
        return { qVersion: {} }
      },
    })
    expect(await client.use({}, (session) => session.global.call('EngineVersion'))).toEqual({ qVersion: {} })
  })

  test('a call without answer is a timeout, and the session closes', async () => {
    const client = await start({ answer: () => undefined }, { callTimeoutMs: 300 })
    const work = client.use({}, (session) => session.global.call('GetDocList'))
    expect(await failure(work)).toMatchObject({ kind: 'timeout', message: expect.stringContaining('GetDocList') })
    await ended()
    expect(engine.closings).toEqual([1000])
  })

  test('calls under way end with the connection', async () => {
    const client = await start({ answer: ({ socket }) => socket.terminate() })
    const work = client.use({}, (session) => Promise.all([session.global.call('A'), session.global.call('B')]))
    expect(await failure(work)).toMatchObject({ kind: 'closed', message: expect.stringContaining('1006') })
    const late = client.use({}, async (session) => {
      await session.close()
      return session.global.call('C')
    })
    expect((await failure(late)).kind).toBe('closed')
  })

  test('work that fails closes its session', async () => {
    const client = await start({ answer: () => ({}) })
    const work = client.use({}, () => Promise.reject(new Error('something else')))
    await expect(work).rejects.toThrow('something else')
    await ended()
    expect(engine.closings).toEqual([1000])
  })

  test('a signal ends everything', async () => {
    const client = await start({ answer: () => undefined })
    const controller = new AbortController()
    const work = client.use({}, (session) => session.global.call('GetDocList'), controller.signal)
    await until(() => engine.calls.length === 1)
    controller.abort()
    expect((await failure(work)).kind).toBe('aborted')
    await ended()
    expect((await failure(client.open({}, controller.signal))).kind).toBe('aborted')
  })

  test('a signal ends the opening too', async () => {
    const client = await start({ answer: () => undefined, greeting: null }, { connectTimeoutMs: 60_000 })
    const controller = new AbortController()
    const work = client.open({}, controller.signal)
    await until(() => engine.open === 1)
    controller.abort()
    expect((await failure(work)).kind).toBe('aborted')
    await ended()
  })

  for (const [rejections, outcome] of [
    [3, 'well'],
    [4, 'rejected'],
  ] as const) {
    test(`a read that was overtaken ${rejections} times ends ${outcome}`, async () => {
      let left: number = rejections
      const client = await start({
        answer: () => (left-- > 0 ? new Rejection(15, 'Request aborted') : { qScript: '' }),
      })
      const work = client.use({}, (session) => session.global.call('GetScript'))
      expect(
        await work.then(
          () => 'well',
          (error: EngineError) => error.kind,
        ),
      ).toBe(outcome)
    })
  }

  test('what changes something is not repeated', async () => {
    const client = await start({ answer: () => new Rejection(15, 'Request aborted') })
    const work = client.use({}, (session) => session.global.call('DoSave'))
    expect(await failure(work)).toMatchObject({ kind: 'rejected', code: 15 })
    expect(engine.calls).toHaveLength(1)
  })

  for (const state of ['SESSION_CREATED', 'SESSION_ATTACHED']) {
    test(`${state} is a session`, async () => {
      const client = await start({ answer: () => undefined, greeting: onConnected(state) })
      expect(await client.use({}, async (session) => session.state)).toBe(state)
    })
  }
})

describe('a reload', () => {
  let engine: ScriptedEngine
  afterEach(() => engine?.[Symbol.asyncDispose]())

  async function reload(answer: (call: EngineCall) => unknown, settings: { silenceMs?: number } = {}) {
    engine = await scriptedEngine({ answer })
    const client = createEngineClient(
      { log: recordingLog() },
      {
        host: '127.0.0.1',
        port: engine.port,
        useSSL: false,
        headers: [],
        rejectUnauthorized: true,
        certificates: () => null,
      },
    )
    return client.use({}, (session) =>
      reloadDoc(session, session.object(1), { mode: 1, partial: true, pollMs: 10, ...settings }),
    )
  }

  const SILENT = new Promise<never>(() => {})

  test('leaves out what older engines do not know', async () => {
    const result = await reload(({ method }) => (method === 'DoReloadEx' ? { qResult: { qSuccess: true } } : {}))
    expect(result).toEqual({ success: true, error: null, scriptLogFile: null })
    expect(engine.calls[0]).toMatchObject({ handle: -1, method: 'ConfigureReload', params: [true, true, false] })
    expect(engine.calls[1]).toMatchObject({
      handle: 1,
      method: 'DoReloadEx',
      params: [{ qMode: 1, qPartial: true, qDebug: false }],
    })
  })

  test('falls back to DoReload on an engine that knows no other', async () => {
    const result = await reload(({ method }) => {
      if (method === 'DoReload') return { qReturn: false }
      return new Rejection(-32601, 'Method not found')
    })
    expect(result.success).toBe(false)
    expect(engine.calls.find(({ method }) => method === 'DoReload')?.params).toEqual([1, true])
  })

  test('tells the errors that newer engines give with the result', async () => {
    const qFailureData = { qErrors: [{ qErrorString: 'Table not found' }] }
    const result = await reload(({ method }) =>
      method === 'DoReloadEx' ? { qResult: { qSuccess: false, qFailureData } } : {},
    )
    expect(result.error).toBe('Table not found')
  })

  test('of an engine that falls silent counts as lost', async () => {
    const work = reload(({ method }) => (method === 'ConfigureReload' ? {} : SILENT), { silenceMs: 50 })
    expect(await failure(work)).toMatchObject({ kind: 'timeout', message: expect.stringContaining('GetProgress') })
  })

  test('goes on when the engine tells no progress', async () => {
    let asked = 0
    const { promise, resolve } = Promise.withResolvers<unknown>()
    const result = await reload(({ method }) => {
      if (method === 'DoReloadEx') return promise
      if (method === 'GetProgress' && ++asked === 3) resolve({ qResult: { qSuccess: true } })
      return method === 'GetProgress' ? new Rejection(5, 'Access is denied') : {}
    })
    expect(result.success).toBe(true)
  })
})
