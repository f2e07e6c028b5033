import { mkdirSync, readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { hashOfKey, newKey } from '../../src/http/auth/keys.ts'
import { createQrsClient } from '../../src/qlik/qrs/client.ts'
import { guid, or } from '../../src/qlik/qrs/filter.ts'
import type { QrsClient } from '../../src/qlik/qrs/types.ts'
import { recordingLog } from '../support/recording-log.ts'
import { type Measurement, quantile } from './report.ts'
import type { BenchSite } from './site.ts'
import { startTarget, type TargetSettings } from './target.ts'

const WARM_UP = 60
const CALLS = 300
/** Milliseconds that a start call may take beyond what it asks of QRS. */
const MOST_OVERHEAD = 1

/**
 * A start call with an API key beside the same requests to QRS, made with the same client: in turns, in the same run, each
 * of another task. The start is on disk before it is answered, so the overhead holds one fsync.
 */
export async function measureStartCall(settings: TargetSettings): Promise<Measurement[]> {
  const directory = join(settings.directory, 'start-call')
  mkdirSync(directory, { recursive: true })
  const key = newKey()
  const access = { enable: true, keys: [{ id: 'bench', hash: hashOfKey(key), scopes: ['task:run'] }] }
  const target = await startTarget({ ...settings, directory, access })
  await using _product = target.running
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const qrs = directClient(settings.site)
  const call = (taskId: string) => startCall({ agent, port: target.restPort, key }, taskId)
  const direct = (taskId: string) => directCalls(qrs, taskId)

  // One is left over for each way of counting.
  const tasks = await settings.site.addTasks(2 * (WARM_UP + CALLS + 1))
  const times = { call: [] as number[], direct: [] as number[] }
  const timed = async (run: (taskId: string) => Promise<void>): Promise<number> => {
    const started = performance.now()
    await run(tasks.pop()!)
    return performance.now() - started
  }
  for (let index = 0; index < WARM_UP + CALLS; index++) {
    const [callMs, directMs] = [await timed(call), await timed(direct)]
    if (index < WARM_UP) continue
    times.call.push(callMs)
    times.direct.push(directMs)
  }
  await sameRequests(settings.site, [() => call(tasks.pop()!), () => direct(tasks.pop()!)])
  agent.destroy()
  qrs.close()

  const [callMs, directMs] = [quantile(times.call, 0.5), quantile(times.direct, 0.5)]
  return [
    { name: 'start: its requests to QRS, direct', value: directMs, unit: 'ms', note: `median of ${CALLS}` },
    { name: 'start: call with an API key', value: callMs, unit: 'ms', note: `median of ${CALLS}` },
    { name: 'start: what the call adds', value: callMs - directMs, unit: 'ms', atMost: MOST_OVERHEAD },
  ]
}

/** With settings like those of the product. */
function directClient({ qrsPort, certificates }: BenchSite): QrsClient {
  const [cert, key, ca] = [certificates.cert, certificates.key, certificates.ca].map((file) =>
    readFileSync(file, 'utf8'),
  )
  return createQrsClient(
    { log: recordingLog() },
    {
      host: '127.0.0.1',
      port: qrsPort,
      useSSL: true,
      rejectUnauthorized: true,
      headers: [{ name: 'X-Qlik-User', value: 'UserDirectory=Internal;UserId=sa_repository' }],
      certificates: { cert: cert!, key: key!, ca: ca! },
    },
  )
}

/** What the product asks for the start of one task by its id. */
async function directCalls(qrs: QrsClient, taskId: string): Promise<void> {
  const [task] = await qrs.tasks(or(guid('id', taskId)))
  const result = await qrs.startTask(task?.id ?? '')
  if (!result.started) throw new Error(`task ${taskId} was not started: ${result.reason}`)
}

interface Caller {
  readonly agent: Agent
  readonly port: number
  readonly key: string
}

function startCall({ agent, port, key }: Caller, taskId: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const path = `/v4/reloadtask/${taskId}/start`
    const headers = { authorization: `Bearer ${key}` }
    request({ agent, port, host: '127.0.0.1', method: 'PUT', path, headers }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        if (answer.statusCode === 200 && JSON.parse(text).totalTasksStarted === 1) resolve()
        else reject(new Error(`the start call was answered with ${answer.statusCode} ${text}`))
      })
    })
      .on('error', reject)
      .end()
  })
}

/** The comparison is fair only when both ask QRS equally often. */
async function sameRequests(site: BenchSite, runs: readonly (() => Promise<void>)[]): Promise<void> {
  const counts: number[] = []
  for (const run of runs) {
    const before = (await site.repositoryRequests()).length
    await run()
    counts.push((await site.repositoryRequests()).length - before)
  }
  if (new Set(counts).size > 1)
    throw new Error(`the start call and the direct one ask QRS ${counts.join(' and ')} times`)
}
