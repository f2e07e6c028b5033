import { describe, expect, test } from 'bun:test'
import { createSocket } from 'node:dgram'
import { mkdirSync } from 'node:fs'
import { MIGRATIONS } from '../../../../src/app/migrations.ts'
import { noteSources } from '../../../../src/events/sources.ts'
import { lockDirectory } from '../../../../src/platform/lock.ts'
import { openDatabase } from '../../../../src/platform/sqlite.ts'
import { codes, diagnose } from '../../../support/doctor.ts'
import { complaints, diagnoseSite, finding, siteConfig } from '../../../support/doctor-site.ts'
import { message } from '../../../support/pipeline.ts'
import { freeTcpPort, freeUdpPort } from '../../../support/ports.ts'
import { startSite } from '../../../support/simulator.ts'
import { tempDirectory } from '../../../support/temp.ts'

/** Nothing that depends on the kernel of the machine of the tests. */
const own = (list: readonly string[]) => list.filter((one) => !one.includes('udp.receive-buffer'))

async function config(serverHost = '127.0.0.1') {
  return {
    udpServerConfig: { enable: true, serverHost, portTaskFailure: await freeUdpPort() },
    restServerConfig: { enable: true, serverHost: '127.0.0.1', serverPort: await freeTcpPort() },
  }
}

describe('the port, while Footman does not run', () => {
  test('a datagram of this machine arrives', async () => {
    const found = await diagnose(await config(), { only: ['udp'] })
    expect(finding(found, 'udp.port-free').message).toContain('--listen')
    expect(own(complaints(found))).toEqual([])
  })

  test('taken by another program', async () => {
    const butler = await config()
    const socket = createSocket('udp4')
    await new Promise<void>((resolve) => socket.bind(butler.udpServerConfig.portTaskFailure, '127.0.0.1', resolve))
    const found = await diagnose(butler, { only: ['udp'] })
    socket.close()
    expect(codes(found)).toEqual(['udp.port-taken'])
  })

  test('a Footman without REST API is not taken for another program', async () => {
    const directory = tempDirectory()
    const lock = lockDirectory(directory.path)
    const butler = { udpServerConfig: (await config()).udpServerConfig, footman: { dataDirectory: directory.path } }
    const found = await diagnose(butler, { only: ['udp'] })
    lock.release()
    directory.remove()
    expect(codes(found)).toEqual(['udp.not-tested'])
    expect(finding(found, 'udp.not-tested').fix).toContain('Butler.restServerConfig.enable')
  })

  test('--listen tells who sends what', async () => {
    const butler = await config()
    const socket = createSocket('udp4')
    const timer = setInterval(() => {
      for (const text of [message(), 'hello']) socket.send(text, butler.udpServerConfig.portTaskFailure, '127.0.0.1')
    }, 100)
    const found = await diagnose(butler, { only: ['udp'], listen: 1500 })
    clearInterval(timer)
    socket.close()
    expect(finding(found, 'udp.heard').message).toMatch(/^\d+ messages of QS-CENTRAL from 127\.0\.0\.1$/)
    expect(finding(found, 'udp.stranger').message).toContain('cannot read')
  })

  test('--listen when nothing comes', async () => {
    const found = await diagnose(await config(), { only: ['udp'], listen: 200 })
    expect(finding(found, 'udp.nothing-heard').fix).toContain('LocalLogConfig.xml')
  })
})

describe('addresses to listen on', () => {
  test('all, loopback and own ones are fine', async () => {
    for (const host of ['0.0.0.0', '127.0.0.1', 'localhost']) {
      expect(complaints(await diagnose(await config(host), { only: ['address'] }))).toEqual([])
    }
  })

  test.each(['192.0.2.1', 'no-such-host.invalid'])('%s is none of this machine', async (host) => {
    const found = await diagnose(await config(host), { only: ['address'] })
    expect(complaints(found)).toHaveLength(1)
    const wrong = found.findings.find(({ level }) => level === 'error')!
    expect(wrong.fix).toContain('set Butler.udpServerConfig.serverHost to 0.0.0.0')
  })

  test('the REST API too', async () => {
    const restServerConfig = { enable: true, serverHost: '192.0.2.1' }
    const found = await diagnose({ restServerConfig }, { only: ['address'] })
    expect(finding(found, 'address.foreign')).toMatchObject({ key: 'restServerConfig.serverHost', level: 'error' })
  })
})

describe('messages by node', () => {
  const HOUR = 3_600_000

  /** A data directory of a Footman that has listened for two hours; `heard` minutes ago, by host. */
  async function history(heard: Readonly<Record<string, number>>) {
    const site = await startSite()
    const directory = tempDirectory()
    mkdirSync(directory.join('data'))
    const db = openDatabase(directory.join('data', 'footman.db'), { migrations: MIGRATIONS })
    db.run("INSERT INTO safety_net_mark VALUES ('reconciler.since', ?)", Date.now() - 2 * HOUR)
    const sightings = Object.entries(heard).map(([host, minutes]) => ({
      sender: '10.0.0.1',
      host,
      at: Date.now() - minutes * 60_000,
    }))
    noteSources(db, sightings)
    db.close()
    const butler = {
      ...siteConfig(site.simulator),
      ...(await config()),
      footman: { dataDirectory: directory.join('data') },
    }
    return {
      site,
      look: () => diagnoseSite(butler, ['nodes']),
      async [Symbol.asyncDispose]() {
        await site[Symbol.asyncDispose]()
        directory.remove()
      },
    }
  }

  /** The executions of the site lie before Footman listened, but for one that ended so many minutes ago. */
  function onlyEnded(site: Awaited<ReturnType<typeof startSite>>, status: number, minutes: number): void {
    const at = Date.now() - minutes * 60_000
    for (const [index, one] of [...site.simulator.site.executions.values()].entries()) {
      const isIt = index === 0
      Object.assign(one, isIt ? { status, stopTime: at, startTime: at - 1000 } : { stopTime: at - 48 * HOUR })
    }
  }

  test('a site that has sent, and nothing has ended since', async () => {
    await using it = await history({ 'qs-central': 5 })
    onlyEnded(it.site, 7, 30)
    const found = await it.look()
    expect(complaints(found)).toEqual([])
    expect(finding(found, 'nodes.heard').message).toContain(
      'last message 5 minutes ago, 1 message in all, from 10.0.0.1',
    )
    expect(finding(found, 'nodes.worker').target).toBe('qs-reload1.acme.local')
  })

  test('a site that has never sent, although tasks have ended: the file and the address are named', async () => {
    await using it = await history({})
    onlyEnded(it.site, 7, 30)
    const found = await it.look()
    expect(complaints(found)).toEqual(['warning nodes.silent'])
    const { fix } = finding(found, 'nodes.silent')
    expect(fix).toContain('C:\\ProgramData\\Qlik\\Sense\\Scheduler\\LocalLogConfig.xml on qs-central.acme.local')
    expect(fix).toMatch(/remoteAddress 127\.0\.0\.1 and remotePort \d+/)
  })

  test('a site that has never sent, as nothing has ended', async () => {
    await using it = await history({})
    onlyEnded(it.site, 7, 600)
    expect(finding(await it.look(), 'nodes.waiting').level).toBe('info')
  })

  test('a server whose clock is ahead: what was told is not taken for news', async () => {
    await using it = await history({ 'qs-central': 20 })
    onlyEnded(it.site, 7, 20)
    it.site.simulator.advance(8 * 60_000)
    for (const one of it.site.simulator.site.executions.values()) one.stopTime += 8 * 60_000
    expect(codes(await it.look())).toContain('nodes.heard')
  })

  test('a failure that nobody told of', async () => {
    await using it = await history({ 'QS-CENTRAL': 60 })
    onlyEnded(it.site, 8, 30)
    for (const task of it.site.simulator.site.tasks.values()) task.maxRetries = 0
    expect(complaints(await it.look())).toEqual(['warning nodes.silent'])
  })

  test('successes that nobody told of may be meant so', async () => {
    await using it = await history({ 'qs-central.acme.local': 60 })
    onlyEnded(it.site, 7, 30)
    const found = await it.look()
    expect(finding(found, 'nodes.no-success').message).toContain('appender for successes')
  })

  test('a host that is no node of the site', async () => {
    await using it = await history({ 'qs-central': 5, 'old-server': 5 })
    onlyEnded(it.site, 7, 600)
    expect(finding(await it.look(), 'nodes.stranger').message).toContain('"old-server"')
  })
})

describe('the time zone of the server', () => {
  /** What the doctor makes of a message with this time, received now. */
  async function lookAt(logTime: string) {
    const directory = tempDirectory()
    const db = openDatabase(directory.join('footman.db'), { migrations: MIGRATIONS })
    const now = Date.now()
    db.run(
      `INSERT INTO event (id, received_at, source, sender, type, announced, outcome, severity, state, deadline_at,
         next_attempt_at, host, user, task_id, task_name, app_id, app_name, execution_id, log_time, log_level, log_message)
       VALUES ('e', ?, 'udp', '10.0.0.1', 'reload', 'failed', 'failed', 'error', 'routed', 0, 0, 'QS1', '', '', '', '', '', '', ?, 'INFO', '')`,
      now,
      logTime,
    )
    db.close()
    await using site = await startSite()
    const footman = { dataDirectory: directory.path, timezone: 'Asia/Tokyo' }
    const found = await diagnoseSite({ ...siteConfig(site.simulator), ...(await config()), footman }, ['time-zone'])
    directory.remove()
    return found
  }

  const wall = (hours: number, minutes = 0) => {
    const time = new Date(Date.now() + hours * HOUR_MS + minutes * 60_000)
    return `${time.toISOString().slice(0, 19).replace('T', ' ')},117`
  }
  const HOUR_MS = 3_600_000

  test.each([
    [9, 0, ['time-zone.same']],
    [1, 0, ['time-zone.other']],
    [5, 30, ['time-zone.other']],
    // A clock that is wrong, a message that is old.
    [9, 15, []],
    [20, 0, []],
  ])('%d:%d: %j', async (hours, minutes, expected) => {
    expect(codes(await lookAt(wall(hours, minutes)))).toEqual(expected)
  })
})
