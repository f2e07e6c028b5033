/** The process itself, under the names that every Prometheus client uses. */
import { readdirSync } from 'node:fs'
import process from 'node:process'
import { counter, gauge, gauges, single } from './family.ts'
import type { MetricFamily } from './types.ts'

export interface BuildInfo {
  readonly version: string
  readonly role: string
}

export function processFamilies({ version, role }: BuildInfo): MetricFamily[] {
  const startedAt = Math.round(Date.now() - process.uptime() * 1000) / 1000
  return [
    gauges('footman_build_info', 'Always 1; its labels tell what runs.', {
      labels: ['version', 'runtime', 'os', 'role'],
      samples: () => [{ labels: { version, runtime: runtimeName(), os: process.platform, role }, value: 1 }],
    }),
    counter('process_cpu_seconds_total', 'Processor time used.', single(cpuSeconds)),
    gauge('process_resident_memory_bytes', 'Memory in use.', () => process.memoryUsage().rss),
    gauge('process_start_time_seconds', 'Start of the process, in seconds since 1970.', () => startedAt),
    gauge('process_open_fds', 'Open files and connections.', openFiles),
  ]
}

function runtimeName(): string {
  const { bun, deno, node } = process.versions
  if (bun) return `bun ${bun}`
  return deno ? `deno ${deno}` : `node ${node}`
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** Null where the system does not tell. */
function openFiles(): number | null {
  if (process.platform !== 'linux') return null
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    return null
  }
}
