/** Events that wait for each other: a trigger with `mode: all` fires when each of its members has had its event. */
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { TriggerOf } from '../entities/task.ts'
import type { Armed, ArmedTriggers, Firing } from './armed.ts'

const SQL = {
  // An event that is not newer than the one known, as one that is reported twice, changes nothing.
  add: `INSERT INTO report_trigger_joined (task_id, trigger_id, member, key, at) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (task_id, trigger_id, member) DO UPDATE SET key = excluded.key, at = excluded.at, used = 0
    WHERE excluded.at > at AND excluded.key <> key`,
  waiting: `SELECT member, key, at FROM report_trigger_joined WHERE task_id = ? AND trigger_id = ? AND used = 0
    ORDER BY at, key`,
  use: 'UPDATE report_trigger_joined SET used = 1 WHERE task_id = ? AND trigger_id = ? AND at <= ?',
} as const

const MINUTE_MS = 60_000

/** An event of one member, a task or an app, by its id. */
export interface Member extends Pick<Firing, 'key' | 'at'> {
  readonly id: string
}

interface Row extends Pick<Firing, 'key' | 'at'> {
  readonly member: string
}

/** Rejects with the error of `required`; the event of the member is stored nevertheless. One call at a time. */
type Join = (
  armed: Armed<TriggerOf<'qlikEvent'>>,
  member: Member,
  required: () => Promise<ReadonlySet<string>>,
) => Promise<void>

export function createJoin(deps: {
  readonly db: Database
  readonly writer: GroupWriter
  readonly armed: Pick<ArmedTriggers, 'fire'>
}): Join {
  const { db, writer } = deps
  return async (armed, { id, key, at }, required) => {
    const place = [armed.task.id, armed.triggerId] as const
    await writer.write((tx) => tx.run(SQL.add, ...place, id, key, at))
    const known = db.all<Row>(SQL.waiting, ...place)
    if (known.length === 0) return
    const members = await required()
    const events = known.filter(({ member }) => members.has(member))
    const last = events.at(-1)
    if (!last) return
    const { withinMinutes } = armed.trigger
    const least = withinMinutes === null ? Number.NEGATIVE_INFINITY : last.at - withinMinutes * MINUTE_MS
    const joined = events.filter((one) => one.at >= least)
    if (joined.length < members.size) return
    const detail = { executionId: last.key, joined: Object.fromEntries(joined.map((one) => [one.member, one.key])) }
    await deps.armed.fire(armed, { key: last.key, at: last.at, detail })
    await writer.write((tx) => tx.run(SQL.use, ...place, last.at))
  }
}
