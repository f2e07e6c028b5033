/** What else a machine does while the bench measures: a missed budget on a busy one says little about the product. */
import { readFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import process from 'node:process'
import { fsyncTimes } from './disk.ts'
import { quantile } from './report.ts'

/** Counts from now on. */
export function startMachineWatch(directory: string): { readonly summary: () => string } {
  const before = cpuTimes()
  return {
    /** `steal 3 %, load 4.2, fsync p99 1.3 ms`; the part of another guest's time is known on Linux only. */
    summary() {
      const after = cpuTimes()
      const fsync = `fsync p99 ${quantile(fsyncTimes(directory), 0.99).toFixed(1)} ms`
      const load = `load ${loadavg()[0]?.toFixed(1)}`
      if (!before || !after) return [load, fsync].join(', ')
      const steal = (100 * (after.steal - before.steal)) / Math.max(1, after.all - before.all)
      return [`steal ${steal.toFixed(0)} %`, load, fsync].join(', ')
    },
  }
}

/** Ticks of all processors since the boot, from /proc/stat; null elsewhere. */
function cpuTimes(): { readonly all: number; readonly steal: number } | null {
  if (process.platform !== 'linux') return null
  const line = readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? ''
  // user, nice, system, idle, iowait, irq, softirq, steal; guest time is part of user time.
  const times = line.split(/\s+/).slice(1, 9).map(Number)
  return { all: times.reduce((sum, time) => sum + time, 0), steal: times[7] ?? 0 }
}
