/** A program that connects to PostgreSQL with each of the settings of its argument and prints what became of it. */
import process from 'node:process'
import { inspect } from 'node:util'
import { createPostgresPool } from '../../src/platform/postgres/pool.ts'
import type { PostgresSettings } from '../../src/platform/postgres/types.ts'

export interface ProbeOutcome {
  /** `ok` or the fault. */
  readonly result: string
  /** Everything that can be seen of the error. */
  readonly text: string
  readonly isEncrypted?: boolean
}

export async function probe(settings: PostgresSettings): Promise<ProbeOutcome> {
  const pool = createPostgresPool(settings)
  try {
    const [row] = await pool.query<{ ssl: boolean }>('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')
    return { result: 'ok', text: '', isEncrypted: row?.ssl === true }
  } catch (error) {
    const { fault = 'no fault' } = error as { readonly fault?: string }
    return { result: fault, text: inspect(error, { depth: 10 }) }
  } finally {
    await pool.close()
  }
}

if (import.meta.main) {
  const all = JSON.parse(process.argv.at(-1)!) as readonly PostgresSettings[]
  const outcomes: ProbeOutcome[] = []
  for (const settings of all) outcomes.push(await probe(settings))
  process.stdout.write(JSON.stringify(outcomes))
}
