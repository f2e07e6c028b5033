import { randomUUID } from 'node:crypto'
import type { LocalTime } from './local-time.ts'
import { renderScriptLog, type ScriptLogModes } from './script-log.ts'
import { ZERO_GUID } from './site.ts'
import type { SimExecution, SimTask, SimulatedSite } from './types.ts'

export interface ScriptLogs {
  /** Makes the log of a finished run available after the delay of the modes. */
  publish(task: SimTask, execution: SimExecution): void
  /** Makes it available at once; for runs that ended in the past. */
  publishNow(task: SimTask, execution: SimExecution): void
  /** A one-time download ticket by file reference (`scriptlog`) or execution result id (`scriptlogfile`); null: 404. */
  ticket(by: 'reference' | 'execution', id: string): string | null
  /** The log behind a ticket, which is used up by it; null: 404. */
  download(ticket: string): string | null
  clear(): void
}

interface Published {
  readonly task: SimTask
  readonly execution: SimExecution
  readonly readyAt: number
}

/** The mode in which a form of the first step is missing. */
const REMOVED_FORM = { reference: 'old-removed', execution: 'new-missing' } as const

const MAX_REFERENCES = 30_000
const MAX_TICKETS = 20_000

/** Script logs of the site: references, tickets, texts. Texts are made on demand, so logs cost no memory. */
export function createScriptLogs(deps: {
  readonly site: SimulatedSite
  readonly time: LocalTime
  readonly modes: ScriptLogModes
}): ScriptLogs {
  const { site, time, modes } = deps
  const references = new Map<string, Published>()
  const tickets = new Map<string, string>()

  function reveal(task: SimTask, execution: SimExecution, readyAt: number) {
    if (execution.fileReferenceID === ZERO_GUID) execution.fileReferenceID = site.nextId('0f')
    execution.scriptLogSize = Buffer.byteLength(renderScriptLog(time, task, execution, modes))
    remember(references, execution.fileReferenceID, { task, execution, readyAt }, MAX_REFERENCES)
  }

  return {
    publish(task, execution) {
      const readyAt = site.clock.now() + modes.delayMs
      if (modes.delayMs <= 0 || modes.pending === 'download-missing') return reveal(task, execution, readyAt)
      site.clock.schedule(modes.delayMs, () => reveal(task, execution, readyAt))
    },
    publishNow: (task, execution) => reveal(task, execution, 0),
    ticket(by, id) {
      if (modes.api === REMOVED_FORM[by]) return null
      const reference = by === 'reference' ? id.toLowerCase() : site.executions.get(id)?.fileReferenceID
      if (!reference || !references.has(reference)) return null
      const ticket = randomUUID()
      remember(tickets, ticket, reference, MAX_TICKETS)
      return ticket
    },
    download(ticket) {
      const published = references.get(tickets.get(ticket.toLowerCase()) ?? '')
      tickets.delete(ticket.toLowerCase())
      if (!published || published.readyAt > site.clock.now()) return null
      return renderScriptLog(time, published.task, published.execution, modes)
    },
    clear() {
      references.clear()
      tickets.clear()
    },
  }
}

/** Adds to a map that forgets its oldest entries. */
function remember<V>(map: Map<string, V>, key: string, value: V, limit: number) {
  map.set(key, value)
  if (map.size <= limit) return
  const oldest = map.keys().next().value
  if (oldest !== undefined) map.delete(oldest)
}
