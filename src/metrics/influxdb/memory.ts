/** Memory of this process, as the dashboards of Butler 16 read it. */
import type { InfluxPoint } from './types.ts'

export interface MemoryUsage {
  /** Bytes, like all of them. */
  readonly heapUsed: number
  readonly heapTotal: number
  readonly external: number
  /** Resident set. */
  readonly rss: number
}

const MEGABYTE = 1024 * 1024

export function memoryPoint(usage: MemoryUsage, version: string, time: number): InfluxPoint {
  return {
    measurement: 'butler_memory_usage',
    tags: { version },
    fields: {
      heap_used: megabytes(usage.heapUsed),
      heap_total: megabytes(usage.heapTotal),
      external: megabytes(usage.external),
      process_memory: megabytes(usage.rss),
    },
    time,
  }
}

const megabytes = (bytes: number): number => Math.round((bytes / MEGABYTE) * 100) / 100
