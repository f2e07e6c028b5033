/** Messages that receivers had to get, and those that they got: the promises of a cluster in numbers. */
import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { numberIn } from '../../bench/large-site-ids.ts'
import type { CountingSink } from './counting-sinks.ts'

export interface Ledger {
  /** Executions that a node accepted, times the sinks. */
  readonly wanted: number
  /** Accepted by a node and never delivered, as `<sink> <execution>`. */
  readonly lost: readonly string[]
  /** Deliveries beyond the first with the same key. */
  readonly repeated: number
  /** The most copies of one delivery. */
  readonly mostCopies: number
  /** Deliveries about one execution with more than one key, as `<sink> <execution>`: they cannot be recognised. */
  readonly unlike: readonly string[]
}

/** Executions in a journal, read beside its process or after its end. */
export function acceptedBy(journal: string): Set<number> {
  if (!existsSync(journal)) return new Set()
  const db = new DatabaseSync(journal, { readOnly: true })
  try {
    const rows = db.prepare('SELECT raw FROM datagram').all() as { raw: Uint8Array }[]
    const numbers = rows.map(({ raw }) => numberIn(Buffer.from(raw).toString('utf8'), 'execution'))
    return new Set(numbers.filter((number) => number !== null))
  } finally {
    db.close()
  }
}

/** `from`: only executions from this number on count. */
export function ledger(accepted: ReadonlySet<number>, sinks: readonly CountingSink[], from: number): Ledger {
  const lost: string[] = []
  const unlike: string[] = []
  let repeated = 0
  let mostCopies = 0
  for (const { name, received } of sinks) {
    const keys = new Map<number, Map<string, number>>()
    for (const { execution, key } of received) {
      if (execution < from) continue
      const ofExecution = keys.get(execution) ?? new Map<string, number>()
      ofExecution.set(key, (ofExecution.get(key) ?? 0) + 1)
      keys.set(execution, ofExecution)
    }
    for (const execution of accepted) if (!keys.has(execution)) lost.push(`${name} ${execution}`)
    for (const [execution, ofExecution] of keys) {
      if (ofExecution.size > 1) unlike.push(`${name} ${execution}`)
      for (const copies of ofExecution.values()) {
        repeated += copies - 1
        mostCopies = Math.max(mostCopies, copies)
      }
    }
  }
  return { wanted: accepted.size * sinks.length, lost, repeated, mostCopies, unlike }
}

/** One line about a run. */
export const ledgerLine = (name: string, { wanted, lost, repeated, mostCopies, unlike }: Ledger, more = ''): string =>
  `${name}: ${wanted} wanted, ${lost.length} lost, ${repeated} repeated, at most ${mostCopies} copies, ${unlike.length} with unlike keys${more === '' ? '' : `, ${more}`}`
