/** Space on disk. */
import { statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { gauge } from './family.ts'
import type { MetricFamily } from './types.ts'

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

/** Null where the system does not tell. */
function freeBytes(directory: string): number | null {
  try {
    const { bavail, bsize } = statfsSync(directory)
    return bavail * bsize
  } catch {
    return null
  }
}
