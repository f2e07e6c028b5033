import { describe, expect, test } from 'bun:test'
import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { createSimulator } from '../../../simulator/index.ts'
import type { LoggedRequest } from '../../../simulator/types.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { startSite, type TestSite } from '../../support/simulator.ts'
import { repositoryRoot } from '../../support/source.ts'
import { tempDirectory } from '../../support/temp.ts'
import { atMost, until } from '../../support/wait.ts'

const FAILING = '70000000-0000-4000-8000-000000000006'
const ALONE = '70000000-0000-4000-8000-000000000003'
const quick = { durationMs: 30 }

/** A UDP receiver on a free port. */
async function receiver() {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 8 << 20 })
  const datagrams: Buffer[] = []
  socket.on('message', (datagram: Buffer) => void datagrams.push(Buffer.from(datagram)))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    datagrams,
    target: { host: '127.0.0.1', port: socket.address().port },
    texts: () => datagrams.map((datagram) => datagram.toString('utf8')),
    async [Symbol.asyncDispose]() {
      socket.close()
      await once(socket, 'close')
    },
  }
}

async function run(site: TestSite, id: string) {
  const ended = site.simulator.ended(id)
  site.simulator.runTask(id)
  return ended
}

describe('the log appenders', () => {
  test('send one datagram for a failed reload', async () => {
    await using udp = await receiver()
    await using site = await startSite({ udpTarget: udp.target, tasks: { [ALONE]: { ...quick, outcome: 'fail' } } })
    const { executionID } = await run(site, ALONE)
    await until(() => udp.datagrams.length > 0)
    const fields = udp.texts()[0]!.split(';')
    expect(fields).toHaveLength(11)
    expect([...fields.slice(0, 7), fields[8], fields[9], fields[10]]).toEqual([
      '/scheduler-task-failed/',
      'QS-CENTRAL',
      'HR Insights daily',
      'HR Insights',
      'INTERNAL\\sa_scheduler',
      ALONE,
      'a1000000-0000-4000-8000-000000000004',
      'INFO',
      executionID,
      'Max retries reached',
    ])
    await site.simulator.sendRaw('last')
    await until(() => udp.texts().includes('last'))
    expect(udp.datagrams).toHaveLength(2)
    expect(site.simulator.datagrams().map((sent) => sent.text)).toEqual(udp.texts().slice(0, 1))
  })

  test('lose, repeat and reorder', async () => {
    await using udp = await receiver()
    await using site = await startSite({ udpTarget: udp.target, tasks: { [ALONE]: quick, [FAILING]: quick } })
    const { simulator } = site
    simulator.setModes({ udp: { copies: 2 } })
    await run(site, ALONE)
    await until(() => udp.datagrams.length === 2)
    expect(new Set(udp.texts()).size).toBe(1)
    simulator.setModes({ udp: { copies: 1, reorder: 2 } })
    const first = await run(site, ALONE)
    const second = await run(site, ALONE)
    await until(() => udp.datagrams.length === 4)
    expect(udp.texts().map((text) => text.split(';')[9])).toEqual([
      ...udp
        .texts()
        .slice(0, 2)
        .map((text) => text.split(';')[9]),
      second.executionID,
      first.executionID,
    ])
    simulator.setModes({ udp: { reorder: 0, dropPercent: 100 } })
    await run(site, ALONE)
    await simulator.sendRaw('last')
    await until(() => udp.texts().at(-1) === 'last')
    expect(udp.datagrams).toHaveLength(5)
    expect(() => simulator.setModes({ udp: { copys: 1 } as object })).toThrow(
      'modes.udp has no "copys"; known: successType',
    )
    expect(() => simulator.setModes({ udp: { copies: '1' } as object })).toThrow('modes.udp.copies must be a number')
  })

  test('a burst of 10,000 failures in a second: each with its datagram, its result and its log', async () => {
    await using udp = await receiver()
    await using site = await startSite({ udpTarget: udp.target })
    const { executionIds, sent, tookMs } = await site.simulator.burst({ count: 10_000, withinMs: 1000 })
    expect([sent, new Set(executionIds).size]).toEqual([10_000, 10_000])
    // 1,000 ms where nothing else runs.
    expect(tookMs).toBeLessThan(atMost(4000))
    await until(() => udp.datagrams.length >= 9000)
    const results = await site.qrs('GET', 'executionresult/full', { filter: `executionID eq ${executionIds[7777]}` })
    const [result] = results.json<{ id: string; taskID: string; status: number }[]>()
    expect(result?.status).toBe(8)
    const path = `reloadtask/${result?.taskID}/scriptlogfile?executionResultId=${result?.id}`
    const { value } = (await site.qrs('GET', path)).json<{ value: string }>()
    expect((await site.qrs('GET', `download/reloadtask/${value}/scriptlog.txt`)).text).toContain('Execution Failed')
  })
})

describe('the control API', () => {
  async function control(site: TestSite, method: string, path: string, body?: unknown, headers = {}) {
    const url = `http://127.0.0.1:${site.simulator.ports.control}/_sim/${path}`
    const answer = await fetch(url, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) })
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }

  test('runs, changes and stops tasks', async () => {
    await using site = await startSite()
    expect((await control(site, 'PUT', `task/${ALONE}`, { outcome: 'hang', enabled: true })).status).toBe(200)
    const { body } = await control(site, 'POST', 'run', { taskId: ALONE, user: 'LAB\\anna' })
    const state = await control(site, 'GET', 'state')
    expect(state.body.sessions).toEqual([{ id: body.executionId, taskId: ALONE, user: 'LAB\\anna' }])
    const ended = site.simulator.ended(ALONE)
    expect((await control(site, 'POST', 'abort', { taskId: ALONE })).body).toEqual({ aborted: true })
    expect((await ended).status).toBe(6)
    expect((await control(site, 'POST', 'reset', { dataset: 'acme' })).status).toBe(200)
    expect(site.simulator.site.executions.byTask(ALONE)).toHaveLength(1)
  })

  test('moves the clock, sets modes, licence and UDP target', async () => {
    await using udp = await receiver()
    await using site = await startSite()
    const moved = await control(site, 'POST', 'clock', { speed: 0, now: '2030-01-01T00:00:00.000Z', advanceMs: 1000 })
    expect(moved.body).toEqual({ now: '2030-01-01T00:00:01.000Z' })
    expect((await control(site, 'PUT', 'modes', { qrs: { maxRecordLimit: 100 } })).body).toMatchObject({
      qrs: { maxRecordLimit: 100 },
    })
    expect((await control(site, 'PUT', 'licence', { variant: 'expired-yesterday' })).status).toBe(200)
    const { host, port } = udp.target
    await control(site, 'PUT', 'udp', { target: `${host}:${port}`, successType: 'single-slash' })
    await control(site, 'POST', 'udp', { raw: 'by control' })
    await until(() => udp.texts().includes('by control'))
    const burst = await control(site, 'POST', 'burst', { count: 5, withinMs: 10, taskIds: [ALONE] })
    expect(burst.body).toMatchObject({ sent: 5 })
    expect((await control(site, 'POST', 'tasks', { count: 2 })).body.ids).toHaveLength(2)
  })

  test('sets faults and shows every request that was received', async () => {
    await using site = await startSite()
    await control(site, 'POST', 'fault', {
      listener: 'qrs',
      match: '^/qrs/task',
      mode: 'status',
      args: [503],
      times: 3,
    })
    expect((await site.qrs('GET', 'task', { filter: "name eq 'R&D weekly'" })).status).toBe(503)
    await control(site, 'DELETE', 'fault')
    expect((await site.qrs('POST', 'tag', { body: { name: 'x' } })).status).toBe(201)
    const { body } = await control(site, 'GET', 'requests?listener=qrs&since=0')
    const [first, second] = body as unknown as LoggedRequest[]
    expect(first).toMatchObject({
      seq: 1,
      listener: 'qrs',
      method: 'GET',
      decodedFilter: "name eq 'R&D weekly'",
      clientSubject: 'CN=QlikClient',
      connection: 1,
      status: 503,
    })
    expect(second).toMatchObject({ method: 'POST', body: '{"name":"x"}', connection: 1, status: 201 })
    expect((await control(site, 'GET', 'requests?since=2')).body as unknown).toEqual([])
  })

  test('refuses nonsense and strangers', async () => {
    await using site = await startSite()
    const error = async (method: string, path: string, body?: unknown, headers = {}) => {
      const answer = await control(site, method, path, body, headers)
      return [answer.status, answer.body.error]
    }
    expect(await error('GET', 'nothing')).toEqual([404, 'Not found'])
    expect(await error('POST', 'run', {})).toEqual([400, '"taskId" is missing'])
    expect(await error('POST', 'run', { taskId: 'x' })).toEqual([400, 'The simulated site has no task x'])
    expect(await error('POST', 'run', [])).toEqual([400, 'The body must be a JSON object'])
    expect(await error('PUT', `task/${ALONE}`, { colour: 1 })).toEqual([
      400,
      'task has no "colour"; known: outcome, durationMs, queueMs, failures, failMessage, log',
    ])
    expect(await error('POST', 'clock', { now: 'soon' })).toEqual([400, '"now" is not a valid number'])
    expect(await error('POST', 'clock', { speed: -1 })).toEqual([400, '"speed" is not a valid number'])
    expect((await error('POST', 'fault', { mode: 'hang', listener: 'x' }))[0]).toBe(400)
    expect((await error('GET', 'state', undefined, { origin: 'https://evil.example' }))[0]).toBe(400)
    expect((await error('GET', 'state', undefined, { host: 'evil.example' }))[0]).toBe(400)
  })
})

describe('the site as a whole', () => {
  test('keeps its certificates, and renews them when they do not fit', async () => {
    const directory = tempDirectory()
    const read = async () => {
      const simulator = createSimulator({ log: recordingLog() }, { certificateDirectory: directory.path })
      await simulator.start()
      const { clientCert, clientCertKey, clientCertCA } = simulator.certificates
      await simulator.stop()
      return [clientCert, clientCertKey, clientCertCA].map((path) => readFileSync(path, 'utf8'))
    }
    const first = await read()
    expect(await read()).toEqual(first)
    await Bun.write(directory.join('client_key.pem'), 'broken')
    expect(await read()).not.toEqual(first)
    directory.remove()
  })

  test('says why it cannot start', async () => {
    await using site = await startSite()
    const directory = tempDirectory()
    const settings = { certificateDirectory: directory.path, ports: { qrsHttp: site.simulator.ports.qrs } }
    const second = createSimulator({ log: recordingLog() }, settings)
    await expect(second.start()).rejects.toThrow(/EADDRINUSE|in use/i)
    await second.stop()
    await expect(second.start()).rejects.toThrow('A stopped simulator cannot be started again')
    directory.remove()
  })

  test('runs in a process of its own, until SIGTERM', async () => {
    const script = join(repositoryRoot, 'scripts', 'simulator.ts')
    const child = spawn(process.execPath, [script, '--port', 'about=0'], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    const { ports, certificates } = JSON.parse(line.toString('utf8'))
    expect(ports.qrs).toBeGreaterThan(0)
    expect(readFileSync(certificates.clientCert, 'utf8')).toStartWith('-----BEGIN CERTIFICATE-----')
    const state = await fetch(`http://127.0.0.1:${ports.control}/_sim/state`)
    expect(((await state.json()) as { tasks: unknown[] }).tasks).toHaveLength(24)
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([0, null])
  })
})
