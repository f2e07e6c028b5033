/** What Linux knows about a process. */
import { readFileSync } from 'node:fs'
import process from 'node:process'

export interface MemoryUse {
  /** Megabytes (10^6 bytes). */
  readonly rss: number
  /** The part that no file backs: heap and stacks; megabytes. */
  readonly anonymous: number
}

/** Memory of a process; null where /proc does not exist. */
export function memoryOf(pid: number): MemoryUse | null {
  if (process.platform !== 'linux') return null
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  const megabytes = (field: string) =>
    (Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]) * 1024) / 1e6
  return { rss: megabytes('Rss'), anonymous: megabytes('Anonymous') }
}

/** Clock ticks per second in /proc/<pid>/stat; 100 on every Linux that runs Bun. */
const TICKS = 100

/** CPU seconds (user and system) that a process has used; null where /proc does not exist. */
export function cpuSecondsOf(pid: number): number | null {
  return ticksOf(pid, [11, 12])
}

/** Those of the commands that it has run and that have ended. */
export function childCpuSecondsOf(pid: number): number | null {
  return ticksOf(pid, [13, 14])
}

/** Those of its main thread, without compiler, collector and workers. */
export function mainThreadCpuSecondsOf(pid: number): number | null {
  return ticksOf(`${pid}/task/${pid}`, [11, 12])
}

function ticksOf(task: number | string, columns: readonly number[]): number | null {
  if (process.platform !== 'linux') return null
  const stat = readFileSync(`/proc/${task}/stat`, 'utf8')
  // The name of the program stands in parentheses and may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return columns.reduce((sum, column) => sum + Number(fields[column]), 0) / TICKS
}
