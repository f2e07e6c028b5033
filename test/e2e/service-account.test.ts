/** Footman as services run it: under an account that may do next to nothing, and stopped by a service manager. */
import { afterEach, describe, expect, test } from 'bun:test'
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { footmanBinary, runBinary } from '../support/binary.ts'
import { footman } from '../support/footman.ts'
import { startHttpSink } from '../support/http-sink.ts'
import { canReceive, notifyReceiver } from '../support/notify-socket.ts'
import { freeTcpPort, freeUdpPort } from '../support/ports.ts'
import { findExecutable } from '../support/servers.ts'
import { startSite } from '../support/simulator.ts'
import { tempDirectory } from '../support/temp.ts'
import { until } from '../support/wait.ts'

const TIMEOUT = 90_000
const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

const NOBODY = 65534
const setpriv = process.platform === 'linux' && process.getuid?.() === 0 ? findExecutable('setpriv') : null

/** What the sandbox of the unit takes away, as far as a test can: account, groups, capabilities, new privileges, file mode. */
const AS_NOBODY = [
  `--reuid=${NOBODY}`,
  `--regid=${NOBODY}`,
  '--clear-groups',
  '--no-new-privs',
  '--bounding-set=-all',
  '--inh-caps=-all',
  '--reset-env',
  'sh',
  '-c',
  'umask 027; exec "$@"',
  'sh',
]

describe.skipIf(setpriv === null)('an account without rights', () => {
  test(
    'that may write nothing but its own folders is enough',
    async () => {
      await using folder = tempDirectory()
      chmodSync(folder.path, 0o755)
      const executable = folder.join('footman')
      copyFileSync(footmanBinary(), executable)
      chmodSync(executable, 0o755)
      for (const name of ['data', 'log']) {
        mkdirSync(folder.join(name))
        chownSync(folder.join(name), NOBODY, NOBODY)
      }
      const [restPort, udpPort] = [await freeTcpPort(), await freeUdpPort()]
      const config = {
        fileLogging: true,
        logDirectory: folder.join('log'),
        restServerConfig: { enable: true, serverHost: '127.0.0.1', serverPort: restPort },
        restServerEndpointsEnable: { butlerping: true, keyValueStore: true },
        udpServerConfig: { enable: true, serverHost: '127.0.0.1', portTaskFailure: udpPort },
      }
      writeFileSync(folder.join('footman.yaml'), JSON.stringify({ Butler: config }))
      await using running = runBinary(
        [...AS_NOBODY, executable, '-c', folder.join('footman.yaml'), '--no-qs-connection'],
        { command: setpriv!, cwd: folder.path },
      )
      await running.waitForLine(/UDP server listening on/, 30_000)
      await running.waitForLine(/REST server listening on/, 30_000)
      const base = `http://127.0.0.1:${restPort}/v4`
      const stored = await fetch(`${base}/keyvalues/ns`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ key: 'a', value: '1' }),
      })
      expect(stored.status).toBe(201)
      expect(readFileSync(`/proc/${running.pid}/status`, 'utf8')).toMatch(/^Uid:\t65534\t65534\t65534\t65534$/m)
      expect(await running.stop()).toBe(0)
      expect(running.stderr.filter((line) => line.includes('error'))).toEqual([])
      expect(existsSync(folder.join('data', 'footman.db'))).toBe(true)

      // Its own files it makes writable again; this one is another account's.
      chownSync(folder.join('data', 'footman.db'), 0, 0)
      chmodSync(folder.join('data', 'footman.db'), 0o444)
      await using refused = runBinary(
        [...AS_NOBODY, executable, '-c', folder.join('footman.yaml'), '--no-qs-connection'],
        { command: setpriv!, cwd: folder.path },
      )
      expect((await refused.ended).code).toBe(2)
      expect(refused.stderr.join('\n')).toContain('footman.db cannot be used (this account may not write to it')
    },
    TIMEOUT,
  )

  test(
    'whose data folder belongs to somebody else is told so, and ends with 2',
    async () => {
      await using folder = tempDirectory()
      chmodSync(folder.path, 0o755)
      const executable = folder.join('footman')
      copyFileSync(footmanBinary(), executable)
      chmodSync(executable, 0o755)
      mkdirSync(folder.join('data'))
      writeFileSync(folder.join('footman.yaml'), 'Butler: {}\n')
      await using running = runBinary([...AS_NOBODY, executable, '-c', folder.join('footman.yaml')], {
        command: setpriv!,
        cwd: folder.path,
      })
      expect((await running.ended).code).toBe(2)
      expect(running.stderr.join('\n')).toContain(`The data directory "${folder.join('data')}" is not usable`)
    },
    TIMEOUT,
  )
})

describe.skipIf(!canReceive)('stopped by a service manager', () => {
  test(
    'while deliveries are under way: it ends in time with 0, and everything arrives after the next start',
    async () => {
      const [site, webhooks] = await Promise.all([startSite(), startHttpSink()])
      cleanups.push(
        async () => site[Symbol.asyncDispose](),
        () => webhooks.stop(),
      )
      await using folder = tempDirectory()
      using receiver = notifyReceiver(folder.join('notify.sock'))
      await using it = await footman({
        simulator: site.simulator,
        webhookUrl: `${webhooks.url}/hook`,
        env: { NOTIFY_SOCKET: receiver.address },
        config: { footman: { shutdown: { grace: '5s' } } },
      })
      await it.start()
      await receiver.waitFor(/^READY=1$/)
      const { executionIds } = await site.simulator.burst({ count: 200, withinMs: 200 })
      await until(() => it.rows<{ n: number }>('SELECT count(*) AS n FROM event')[0]!.n === 200, {
        timeout: 30_000,
        what: 'all events accepted',
      })
      // The time that the service manager was asked for is the most that it may take.
      expect(await it.process.stop(5000 + 10_000)).toBe(0)
      expect(receiver.received).toContain('STOPPING=1')
      expect(receiver.received).toContain('EXTEND_TIMEOUT_USEC=15000000')
      await it.start()
      const arrived = () => new Set(webhooks.requests.map(({ body }) => JSON.parse(body).executionId))
      await until(() => arrived().size === 200, { timeout: 45_000, what: 'all alerts delivered' })
      expect([...arrived()].sort()).toEqual([...executionIds].sort())
    },
    TIMEOUT,
  )
})
