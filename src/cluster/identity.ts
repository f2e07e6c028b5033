/** The identity of a data directory in its cluster: a small file beside the databases. */
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ownJson } from '../platform/json.ts'
import { keepPrivate } from '../platform/private-file.ts'

export interface ClusterIdentity {
  readonly dataId: string
  /** The cluster that the directory belongs to; null before it has joined one. */
  readonly clusterId: string | null
  /** Timeline of the database, which a promoted standby changes; null = not known. */
  readonly timeline: number | null
  /** History of the rows that the node has followed: another one once the database was put back; null = not known. */
  readonly history: string | null
  /** The offset of the clock that was known last. */
  readonly clockOffsetMs: number
}

const fileOf = (directory: string): string => join(directory, 'cluster.json')

/** A new identity is stored at once. Throws the error of the file system when that fails. */
export function readIdentity(directory: string): ClusterIdentity {
  const stored = storedIdentity(directory)
  if (stored) return stored
  const fresh = { dataId: randomUUID(), clusterId: null, timeline: null, history: null, clockOffsetMs: 0 }
  storeIdentity(directory, fresh)
  return fresh
}

export function storeIdentity(directory: string, identity: ClusterIdentity): void {
  const file = fileOf(directory)
  keepPrivate(file)
  writeFileSync(file, `${JSON.stringify(identity)}\n`)
}

/** Null where the directory has none yet. */
export function storedIdentity(directory: string): ClusterIdentity | null {
  const file = fileOf(directory)
  if (!existsSync(file)) return null
  try {
    const {
      dataId,
      clusterId = null,
      timeline = null,
      history = null,
      clockOffsetMs = 0,
    } = ownJson<ClusterIdentity>(readFileSync(file, 'utf8'))
    return typeof dataId === 'string' ? { dataId, clusterId, timeline, history, clockOffsetMs } : null
  } catch {
    // A power cut may leave half a file; a new identity only costs the wait for the old lease.
    return null
  }
}
