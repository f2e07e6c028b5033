/** `footman demo --nodes 3`: several nodes over one PostgreSQL, whose leader can be killed. */

import { createSocket } from 'node:dgram'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { createSimulator, type Simulator } from '../../../simulator/index.ts'
import { errorText } from '../../platform/errors.ts'
import { removeAll } from '../../platform/files.ts'
import { ownJson } from '../../platform/json.ts'
import { createLogger } from '../../platform/log.ts'
import { watchProcess } from '../../platform/process-events.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { createDemoNode, type DemoNode, type NodeAddresses } from './node.ts'
import { freeUdpPort } from './ports.ts'
import { type DemoDatabase, findPostgres, startDemoDatabase } from './postgres.ts'
import { createWebhookReceiver, type Receiver } from './receivers.ts'
import { BEHAVIOUR, createScript } from './script.ts'

export interface NodesOptions {
  /** 2 to 5. */
  readonly nodes: number
  /** Seconds after which the demo stops by itself. */
  readonly duration?: number
}

const HOST = '127.0.0.1'
const LOOK_MS = 200
const START_MS = 60_000
const TAKEOVER_MS = 60_000
const AWAY_MS = 3000
const NONE = `error: a demo of several nodes needs PostgreSQL, and none is installed on this machine (initdb and postgres, on the PATH or in
the usual directory). Install PostgreSQL 12 or newer; nothing has to be set up in it. "footman demo" works without it.`

/** Runs until a signal or `duration` ends it; resolves with the exit code. Removes what it made. */
export async function runNodesDemo(
  { nodes: count, duration }: NodesOptions,
  io: CommandIo,
  find = findPostgres,
): Promise<number> {
  const programs = find()
  if (programs === null) {
    io.err(NONE)
    return EXIT.missing
  }
  const log = createLogger({ level: 'error', format: 'text', console: false })
  const parts = new AsyncDisposableStack()
  let isStopping = false
  const events = watchProcess({
    log,
    async stop() {
      isStopping = true
      io.out('Stopping ...')
    },
  })
  try {
    io.out(`Starting PostgreSQL (${programs}), a simulated Qlik Sense site and ${count} nodes ...`)
    const demo = await startDemo(programs, count, parts, io)
    if (!isStopping) {
      io.out(firstPage(demo.nodes))
      demo.play()
      const end = duration ? setTimeout(() => events.end(EXIT.ok), duration * 1000) : undefined
      const commands = readCommands(demo, io, () => isStopping)
      await events.finished
      clearTimeout(end)
      commands.close()
    }
    const code = await events.finished
    io.out(`${demo.receiver.received} alerts were received.`)
    return code
  } catch (error) {
    io.err(`error: the demo cannot start: ${errorText(error)}`)
    return EXIT.cannotStart
  } finally {
    await parts.disposeAsync()
    events.release()
    await log.close()
  }
}

interface Demo {
  readonly nodes: readonly DemoNode[]
  readonly receiver: Receiver
  play(): void
}

async function startDemo(programs: string, count: number, parts: AsyncDisposableStack, io: CommandIo): Promise<Demo> {
  const log = createLogger({ level: 'error', format: 'text', console: false })
  const directory = await mkdtemp(join(tmpdir(), 'footman-demo-'))
  parts.defer(() => removeAll(directory))
  const began = performance.now()
  const database = await startDemoDatabase(programs)
  parts.defer(() => database.stop())
  const receiver = createWebhookReceiver(({ body }) => io.out(`  ${sinceText(began)}  alert     ${taskOf(body)}`))
  await receiver.start()
  parts.defer(() => receiver.stop(0))
  const simulator = createSimulator(
    { log },
    { certificateDirectory: join(directory, 'certificates'), tasks: BEHAVIOUR },
  )
  await simulator.start()
  parts.defer(() => simulator.stop())
  const addresses = addressesOf(database, simulator, receiver)
  const nodes = await Promise.all(
    Array.from({ length: count }, (_, n) =>
      createDemoNode(`node-${n + 1}`, join(directory, `node-${n + 1}`), addresses),
    ),
  )
  for (const node of nodes) parts.defer(() => node.stop())
  await Promise.all(nodes.map((node) => node.start()))
  await leaderOf(nodes, START_MS)
  const fan = await sendToAll(nodes)
  parts.defer(fan.close)
  simulator.setUdpTarget({ host: HOST, port: fan.port })
  const script = createScript({ simulator })
  parts.defer(() => script.stop())
  return { nodes, receiver, play: script.start }
}

const addressesOf = (database: DemoDatabase, { ports, certificates }: Simulator, webhook: Receiver): NodeAddresses => ({
  qrsPort: ports.qrs,
  certificates: {
    clientCert: certificates.clientCert,
    clientCertKey: certificates.clientCertKey,
    clientCertCA: certificates.clientCertCA,
  },
  webhookPort: webhook.port,
  database,
})

/** Qlik Sense sends each message to every node. */
async function sendToAll(nodes: readonly DemoNode[]): Promise<{ readonly port: number; close(): void }> {
  const port = await freeUdpPort()
  const [input, output] = [createSocket('udp4'), createSocket('udp4')]
  input.on('message', (message) => {
    for (const { udpPort } of nodes) output.send(message, udpPort, HOST)
  })
  await new Promise<void>((resolve) => input.bind(port, HOST, resolve))
  return {
    port,
    close() {
      input.close()
      output.close()
    },
  }
}

/** The node that leads by its own account; rejects when none does in time. */
async function leaderOf(nodes: readonly DemoNode[], timeoutMs: number): Promise<DemoNode> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    for (const node of nodes) if ((await node.mode()) === 'leader') return node
    if (performance.now() > deadline) throw new Error('no node leads')
    await pause(LOOK_MS)
  }
}

/** `k` and the return key: the leader is killed, another node takes over, and the killed one comes back. */
function readCommands({ nodes }: Demo, io: CommandIo, isStopping: () => boolean): { close(): void } {
  const lines = createInterface({ input: process.stdin })
  let isBusy = false
  lines.on('line', (line) => {
    if (line.trim().toLowerCase() !== 'k' || isBusy) return
    isBusy = true
    killLeader(nodes, io)
      .catch((error: unknown) => {
        if (!isStopping()) io.err(`error: ${errorText(error)}`)
      })
      .finally(() => {
        isBusy = false
      })
  })
  return lines
}

async function killLeader(nodes: readonly DemoNode[], io: CommandIo): Promise<void> {
  const leader = await leaderOf(nodes, TAKEOVER_MS)
  const others = nodes.filter((node) => node !== leader)
  const began = performance.now()
  await leader.kill()
  io.out(`  ${leader.name}, the leader, is killed ...`)
  const next = await leaderOf(others, TAKEOVER_MS)
  io.out(
    `  ${next.name} leads after ${((performance.now() - began) / 1000).toFixed(1)} s. ${leader.name} starts again ...`,
  )
  await pause(AWAY_MS)
  await leader.start()
  io.out(`  ${leader.name} is back. Press k and the return key to kill the leader.`)
}

function firstPage(nodes: readonly DemoNode[]): string {
  const rows = nodes.map(({ name, url }) => `  ${name}   ${url}/console/`)
  const first = nodes[0]?.url ?? ''
  return [
    '',
    'Consoles; every node receives every message, and one of them sends the alerts:',
    ...rows,
    '',
    'Nodes, and who leads:',
    `  curl ${first}/v4/cluster`,
    '',
    'Press k and the return key to kill the leader, and Ctrl+C to stop.',
    '',
  ].join('\n')
}

function sinceText(began: number): string {
  const seconds = Math.floor((performance.now() - began) / 1000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

/** Name of the task in the body of a webhook. */
function taskOf(body: string): string {
  try {
    const { task } = ownJson<{ task?: { name?: unknown } | null }>(body)
    return typeof task?.name === 'string' ? task.name : ''
  } catch {
    return ''
  }
}
