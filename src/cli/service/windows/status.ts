/** The state of a Windows service, or of the task in its place. Numbers are read: words differ by language. */
import { EXIT } from '../../io.ts'
import { ServiceError, type ServiceHost, type ServiceStatus } from '../types.ts'

const TIMEOUT_MS = 20_000
/** Of `sc`: the service does not exist. */
const NO_SUCH_SERVICE = 1060
const SERVICE_STATES = [
  ...['', 'stopped', 'starting', 'stopping', 'running', 'continuing', 'pausing', 'paused'],
] as const
const RUNNING = 4
/** Places of what `sc queryex` and `sc qc` say; all start with name, type and state. */
const PROCESS = 7
const START_TYPE = 2
const AUTOMATIC = 2
/** Of `Get-ScheduledTask`. */
const TASK_STATES = ['unknown', 'disabled', 'queued', 'ready', 'running'] as const

export async function windowsStatus(host: ServiceHost, name: string): Promise<ServiceStatus> {
  return (await serviceStatus(host, name)) ?? (await taskStatus(host, name)) ?? absent(name)
}

async function serviceStatus({ run }: ServiceHost, name: string): Promise<ServiceStatus | null> {
  const answer = await run('sc.exe', ['query', name], { timeoutMs: TIMEOUT_MS }).catch((error) => {
    throw new ServiceError(`sc: ${error.message}`, EXIT.unreachable)
  })
  if (answer.code === NO_SUCH_SERVICE || new RegExp(`\\b${NO_SUCH_SERVICE}\\b`).test(answer.stdout)) return null
  if (answer.code !== 0) throw new ServiceError(`sc query ${name}: ${answer.stdout.trim()}`, EXIT.unreachable)
  const [, , state = 0, win32Exit = 0] = valuesOf(answer.stdout)
  const [process, start] = await Promise.all([
    valueAt(run, ['queryex', name], PROCESS),
    valueAt(run, ['qc', name], START_TYPE),
  ])
  return {
    name,
    manager: 'Windows service',
    running: state === RUNNING,
    state: SERVICE_STATES[state] ?? `state ${state}`,
    enabled: start === null ? null : start <= AUTOMATIC,
    pid: process || null,
    details: win32Exit > 0 ? { 'last exit code': String(win32Exit) } : {},
  }
}

/** Null when it is not told. */
async function valueAt(run: ServiceHost['run'], args: readonly string[], place: number): Promise<number | null> {
  const answer = await run('sc.exe', args, { timeoutMs: TIMEOUT_MS }).catch(() => null)
  return answer?.code === 0 ? (valuesOf(answer.stdout)[place] ?? null) : null
}

/** The number at the start of each `NAME : value`; 0 for texts. */
function valuesOf(text: string): number[] {
  return text
    .split(/\r?\n/)
    .flatMap((line) => /^\s*[^:\s][^:]*:\s(.*)$/.exec(line)?.[1] ?? [])
    .map((value) => Number.parseInt(value, 10) || 0)
}

async function taskStatus({ run }: ServiceHost, name: string): Promise<ServiceStatus | null> {
  const found = await run('schtasks.exe', ['/query', '/tn', name], { timeoutMs: TIMEOUT_MS }).catch(() => null)
  if (found?.code !== 0) return null
  const question = `[int](Get-ScheduledTask -TaskName '${name.replaceAll("'", "''")}').State`
  const args = ['-NoProfile', '-NonInteractive', '-Command', question]
  const answer = await run('powershell.exe', args, { timeoutMs: TIMEOUT_MS }).catch(() => null)
  const state = TASK_STATES[Number.parseInt(answer?.stdout ?? '', 10)] ?? 'unknown'
  return {
    name,
    manager: 'Task Scheduler',
    running: state === 'running',
    state,
    enabled: state === 'unknown' ? null : state !== 'disabled',
    pid: null,
    details: {},
  }
}

const absent = (name: string): ServiceStatus => ({
  ...{ name, manager: null, running: false, state: 'not installed', enabled: null, pid: null },
  details: {},
})
