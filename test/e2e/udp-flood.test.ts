/** One sender's made-up task ids: they cost little, they end without an alert, and no real failure waits for them. */
import { afterEach, expect, test } from 'bun:test'
import { createSocket, type Socket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { footman } from '../support/footman.ts'
import { startHttpSink } from '../support/http-sink.ts'
import { startSite } from '../support/simulator.ts'
import { until } from '../support/wait.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

/** Loopback addresses: to Footman they are two senders. */
async function socketAt(address: string): Promise<Socket> {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(0, address, resolve))
  cleanups.push(() => socket.close())
  return socket
}

const FLOODER = '127.0.0.2'
const OTHER = '127.0.0.3'

async function scene() {
  const [site, hook] = await Promise.all([startSite(), startHttpSink()])
  cleanups.push(
    async () => site[Symbol.asyncDispose](),
    () => hook.stop(),
  )
  const product = await footman({
    simulator: site.simulator,
    webhookUrl: `${hook.url}/hook`,
    config: { logLevel: 'info' },
  })
  cleanups.push(async () => product[Symbol.asyncDispose]())
  await product.start()
  const [flooder, other, relay] = await Promise.all([socketAt(FLOODER), socketAt(OTHER), socketAt('127.0.0.1')])
  let from = other
  relay.on('message', (raw) => from.send(raw, product.udpPort, '127.0.0.1'))
  site.simulator.setUdpTarget({ host: '127.0.0.1', port: relay.address().port })

  /** A task fails, and the message comes from this sender; how long the alert takes, in milliseconds. */
  async function fail(taskId: string, sender: Socket): Promise<number> {
    from = sender
    const at = performance.now()
    const { executionIds } = await site.simulator.burst({ count: 1, withinMs: 0, taskIds: [taskId] })
    await until(() => hook.requests.some(({ body }) => body.includes(executionIds[0]!)), { timeout: 60_000 })
    return performance.now() - at
  }

  /** Messages about tasks that do not exist, each about another one. */
  async function flood(count: number, perSecond: number, text = madeUp): Promise<void> {
    const start = performance.now()
    for (let sent = 0; sent < count; ) {
      const due = Math.min(count, Math.ceil(((performance.now() - start) * perSecond) / 1000), sent + 64)
      for (; sent < due; sent++) flooder.send(text(sent), product.udpPort, '127.0.0.1')
      await Bun.sleep(1)
    }
  }

  const input = async () => (await product.call('GET', '/v4/udp')).json()
  const ignored = () =>
    product.rows<{ n: number }>(
      `SELECT count(*) AS n FROM event WHERE state = 'ignored' AND reason = 'TASK_NOT_FOUND'`,
    )[0]!.n
  return { site, hook, product, flooder, other, fail, flood, input, ignored }
}

const digits = (n: number) => n.toString(16).padStart(12, '0')
const madeUp = (n: number, taskId = `0bad0000-0000-4000-8000-${digits(n)}`) =>
  `/scheduler-task-failed/;QS9;Made up ${n};App;LAB\\x;${taskId};0bad1111-0000-4000-8000-000000000001;2026-03-02 07:03:11,482;INFO;0bad2222-0000-4000-8000-${digits(n)};Max retries reached`

const residentMb = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024

test.skipIf(process.platform !== 'linux')(
  '60,000 made-up task ids in 10 s: real failures of any sender are alerted at once, QRS is hardly asked',
  async () => {
    const { site, hook, product, flooder, other, fail, flood, input, ignored } = await scene()
    const [known, fresh] = ['70000000-0000-4000-8000-000000000006', 'a8b4c123-def4-5678-9abc-def012345678']
    await fail(known, other)
    const before = residentMb(product.process.pid)
    site.simulator.clearRequests()

    const flooding = flood(60_000, 6000)
    await Bun.sleep(3000)
    const took = {
      other: await fail(known, other),
      same: await fail(known, flooder),
      fresh: await fail(fresh, flooder),
    }
    await flooding
    const decided = await until(
      async () => {
        const { received, dropped } = await input()
        const settled = dropped.TASK_NOT_FOUND + ignored()
        return settled === received - 4 && { received, dropped, settled }
      },
      { timeout: 60_000, what: 'every made-up message to be settled', state: input },
    )
    const asked = site.simulator.requests({ listener: 'qrs' }).length
    console.log({ took, decided, asked, before, after: residentMb(product.process.pid), ignored: ignored() })
    expect(hook.requests).toHaveLength(4)
  },
  180_000,
)

test.skipIf(process.platform !== 'linux')(
  'made-up executions of a task that exists hold up no failure of another task',
  async () => {
    const { site, product, flooder, other, fail, flood } = await scene()
    const [victim, known] = ['70000000-0000-4000-8000-000000000006', 'a8b4c123-def4-5678-9abc-def012345678']
    await fail(victim, other)
    await fail(known, other)
    site.simulator.clearRequests()
    await flood(20_000, 6000, (n) => madeUp(n, victim))
    const took = { other: await fail(known, other), same: await fail(known, flooder) }
    console.log(took, site.simulator.requests({ listener: 'qrs' }).length, residentMb(product.process.pid))
  },
  180_000,
)
