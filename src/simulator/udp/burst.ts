import type { LocalTime } from '../local-time.ts'
import { finishedExecution } from '../scheduler/execution.ts'
import { LOG_MESSAGES } from '../scheduler/status.ts'
import type { ScriptLogs } from '../script-logs.ts'
import type { SimTask, SimulatedSite } from '../types.ts'
import { renderDatagram, type UdpModes } from './datagram.ts'
import type { UdpSender } from './sender.ts'

export interface BurstRequest {
  readonly count: number
  /** Wall-clock time over which the datagrams are spread. */
  readonly withinMs: number
  /** Default: every reload task, in turn. */
  readonly taskIds?: readonly string[]
  /** Default fail. */
  readonly outcome?: 'fail' | 'success'
}

export interface BurstResult {
  readonly executionIds: readonly string[]
  readonly sent: number
  /** Wall-clock time of the sending. */
  readonly tookMs: number
}

export interface BurstDeps {
  readonly site: SimulatedSite
  readonly time: LocalTime
  readonly modes: UdpModes
  readonly scriptLogs: ScriptLogs
  readonly sender: UdpSender
}

const RUN_MS = 1000

/**
 * Many runs end at once: the execution results and script logs stand in QRS first, then the datagrams go out. The
 * datagrams are sent as they are, without the losses and repeats of the UDP modes.
 */
export async function burst(deps: BurstDeps, request: BurstRequest): Promise<BurstResult> {
  const { site, time, modes, scriptLogs, sender } = deps
  const tasks = chooseTasks(site, request.taskIds)
  const outcome = request.outcome ?? 'fail'
  const kind = outcome === 'fail' ? 'failed' : 'success'
  const now = site.clock.now()
  const node = site.centralNode()
  const host = node.name.toUpperCase()
  const executionIds: string[] = []
  const datagrams: Buffer[] = []
  for (let index = 0; index < request.count; index++) {
    const task = tasks[index % tasks.length]!
    const executionID = site.nextId('e5')
    const run = { outcome, startedAt: now - RUN_MS, durationMs: RUN_MS, node, executionID }
    const execution = finishedExecution(site, task, run)
    site.executions.add(execution)
    task.operational.lastExecutionResult = execution
    if (task.taskType === 0) scriptLogs.publishNow(task, execution)
    const line = { kind, task, execution, user: 'INTERNAL\\sa_scheduler', message: LOG_MESSAGES[kind], host } as const
    datagrams.push(renderDatagram(time, line, now, modes))
    executionIds.push(executionID)
  }
  const tookMs = await sender.sendPaced(datagrams, request.withinMs)
  return { executionIds, sent: datagrams.length, tookMs }
}

function chooseTasks(site: SimulatedSite, ids: readonly string[] | undefined): readonly SimTask[] {
  const wanted = ids?.map((id) => {
    const task = site.tasks.get(id.toLowerCase())
    if (!task) throw new Error(`The simulated site has no task ${id}`)
    return task
  })
  const tasks = wanted ?? [...site.tasks.values()].filter((task) => task.taskType === 0 && task.enabled)
  if (tasks.length === 0) throw new Error('The simulated site has no task to take for a burst')
  return tasks
}
