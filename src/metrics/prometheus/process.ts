/** The process itself, under the names that every Prometheus client uses. */
import { readdirSync } from 'node:fs'
import process from 'node:process'
import type { MetricFamily, Sample } from './types.ts'

export interface BuildInfo {
  readonly version: string
  readonly role: string
}

const single = (value: number | null): Sample[] => (value === null ? [] : [{ labels: {}, value }])

export function processFamilies({ version, role }: BuildInfo): MetricFamily[] {
  const startedAt = Math.round(Date.now() - process.uptime() * 1000) / 1000
  return [
    {
      name: 'footman_build_info',
      help: 'Always 1; its labels tell what runs.',
      type: 'gauge',
      samples: () => [{ labels: { version, runtime: runtimeName(), os: process.platform, role }, value: 1 }],
    },
    {
      name: 'process_cpu_seconds_total',
      help: 'Processor time used.',
      type: 'counter',
      samples: () => single(cpuSeconds()),
    },
    {
      name: 'process_resident_memory_bytes',
      help: 'Memory in use.',
      type: 'gauge',
      samples: () => single(process.memoryUsage().rss),
    },
    {
      name: 'process_start_time_seconds',
      help: 'Start of the process, in seconds since 1970.',
      type: 'gauge',
      samples: () => single(startedAt),
    },
    {
      name: 'process_open_fds',
      help: 'Open files and connections.',
      type: 'gauge',
      samples: () => single(openFiles()),
    },
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
