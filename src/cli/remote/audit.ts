/** `footman audit`: who did what. */
import { type CommandIo, EXIT } from '../io.ts'
import { newest } from './events.ts'
import { type RemoteOptions, withRemote } from './run.ts'
import { table } from './table.ts'

export interface AuditOptions extends RemoteOptions {
  readonly actor?: string
  readonly action?: string
  readonly outcome?: string
  readonly from?: string
  readonly limit: number
}

interface AuditView {
  readonly at: string
  readonly actor: string
  readonly address: string | null
  readonly action: string
  readonly target: readonly string[]
  readonly outcome: string
  readonly status: number | null
  readonly detail: string | null
}

const HEAD = ['AT', 'WHO', 'FROM', 'WHAT', 'RESULT', 'TARGET', 'DETAIL']

/** One id fits on a line; `--json` has them all. */
const targets = ([first = '', ...more]: readonly string[]): string =>
  more.length === 0 ? first : `${first} and ${more.length} more`

/** Newest first. */
export function runAudit(options: AuditOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const { actor, action, outcome, from, limit, json } = options
    const audit = await newest<AuditView>(remote, '/v4/audit', 'audit', { actor, action, outcome, from }, limit)
    const rows = audit.map((entry) => [
      ...[entry.at, entry.actor, entry.address ?? '-', entry.action],
      entry.status === null ? entry.outcome : `${entry.outcome} (${entry.status})`,
      ...[targets(entry.target), entry.detail ?? ''],
    ])
    io.out(json ? JSON.stringify({ audit, nextCursor: null }, null, 2) : table([HEAD, ...rows]))
    return EXIT.ok
  })
}
