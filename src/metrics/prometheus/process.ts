/** Metrics of the process, under the names that every Prometheus client uses, and of its disk. */
import { readdirSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { counter, gauge, gauges, type MetricFamily, single } from './families.ts'

interface BuildInfo {
  readonly version: string
  readonly role: string
}

export function processFamilies({ version, role }: BuildInfo): MetricFamily[] {
  const startedAt = Math.round(Date.now() - process.uptime() * 1000) / 1000
  return [
    gauges('footman_build_info', 'Always 1; its labels name version, runtime, system and role.', {
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

/** Null where the system does not offer it. */
function openFiles(): number | null {
  if (process.platform !== 'linux') return null
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    return null
  }
}

// Space on disk.

const FILES = ['footman.db', 'footman.db-wal', 'journal.db', 'journal.db-wal']

export function storageFamilies(dataDirectory: string): MetricFamily[] {
  return [
    gauge(
      'footman_database_size_bytes',
      'Databases in the data directory, with what is not merged into them yet.',
      () =>
        FILES.reduce(
          (sum, file) => sum + (statSync(join(dataDirectory, file), { throwIfNoEntry: false })?.size ?? 0),
          0,
        ),
    ),
    gauge('footman_disk_free_bytes', 'Free on the disk of the data directory.', () => freeBytes(dataDirectory)),
  ]
}

/** Null where the system does not offer it. */
function freeBytes(directory: string): number | null {
  try {
    const { bavail, bsize } = statfsSync(directory)
    return bavail * bsize
  } catch {
    return null
  }
}
