import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import { createRequestIds } from '../request-id.ts'
import { insertEntry } from './store.ts'
import type { Audit, AuditEntry } from './types.ts'

const MAX_TEXT = 500
const MAX_TARGETS = 100

export function createAudit(deps: { writer: GroupWriter; clock: Clock; log: Logger }): Audit {
  const { writer, log } = deps
  // They count up, so that entries of one millisecond keep their order.
  const nextId = createRequestIds(deps.clock)
  return {
    record(given) {
      const entry = bounded(given)
      log.info(auditLine(entry))
      const id = nextId(null)
      const at = timeOf(id)
      writer
        .write((db) => insertEntry(db, { ...entry, id, at }))
        .catch((error: unknown) => log.error(`AUDIT: Entry could not be stored: ${(error as Error).message}`))
    },
  }
}

/** Milliseconds since 1970 of a UUID of version 7. */
const timeOf = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)

/** What comes from outside must not blow up the table. */
function bounded(entry: AuditEntry): AuditEntry {
  const cut = (text: string) => text.slice(0, MAX_TEXT)
  return {
    ...entry,
    actor: cut(entry.actor),
    target: entry.target.slice(0, MAX_TARGETS).map(cut),
    detail: entry.detail === null ? null : cut(entry.detail),
  }
}

/** `AUDIT: actor=key:erp address=10.1.2.3 action=task.start outcome=ok status=200 request=... target=...` */
export function auditLine({ actor, address, action, outcome, status, requestId, target }: AuditEntry): string {
  const members = { actor, address, action, outcome, status, request: requestId, target: target.join(',') || null }
  const texts = Object.entries(members).map(([name, value]) => (value === null ? [] : `${name}=${word(String(value))}`))
  return `AUDIT: ${texts.flat().join(' ')}`
}

/** In quotes when it could be taken for more than one member of the line. */
const word = (text: string): string => (/^[\w.:/@,*{}\-+]+$/.test(text) ? text : JSON.stringify(text))
