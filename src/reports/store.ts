/** Definitions of report tasks in SQLite: what may be saved, revisions, references, and the copy that a run works with. */
import { Refusal, refusal } from '../http/errors.ts'
import type { GroupWriter } from '../platform/group-commit.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Clock } from '../platform/types.ts'
import type { CheckSettings } from './checks.ts'
import { DEFINITIONS, type ProjectCounts } from './entities/contract.ts'
import type { Report } from './entities/report.ts'
import type { Definition } from './entities/task.ts'
import { folded, type Kind, RULES } from './kinds.ts'
import { COLUMNS, editable, find, type Row, type StoredOf, storedOf, type UploadedTemplate } from './rows.ts'
import { type Save, save } from './save.ts'

export interface ListQuery {
  readonly project?: string | undefined
  readonly tag?: string | undefined
  readonly enabled?: boolean | undefined
  /** Part of the name, ignoring case. */
  readonly name?: string | undefined
  /** Default: all. */
  readonly limit?: number | undefined
  readonly offset?: number | undefined
}

/** One transaction; throws refusals, after which nothing of it stays. */
export interface Edit {
  get<K extends Kind>(kind: K, id: string): StoredOf<K> | undefined
  list<K extends Kind>(kind: K, query?: ListQuery): StoredOf<K>[]
  /** Everything that a run of the task would need, as this transaction sees it. */
  definitionOf(taskId: string): Definition | undefined
  /** Notes the file as template of the report, or that it has none; takes effect when the report is saved. */
  uploaded(reportId: string, template: UploadedTemplate | null): void
  /** Saves and removes together: the definitions may refer to each other. Returns the ids of those that changed. */
  save(changes: readonly Save[]): readonly string[]
  /** Saves one alone: returns its refusal, after which the rest of the transaction stands; null when it was saved. */
  refused(change: Save): Refusal | null
}

export interface DefinitionStore extends Pick<Edit, 'get' | 'list'> {
  count(kind: Kind, query?: ListQuery): number
  /** Runs `work` in a transaction; resolves when it is on disk, and what listeners record of it. `dryRun`: nothing is saved. */
  edit<T>(actor: string, work: (edit: Edit) => T, options?: { readonly dryRun?: boolean }): Promise<T>
  /** Everything that a run of the task needs; undefined for an unknown task. */
  definitionOf(taskId: string): Definition | undefined
  /** Names of projects, with the number of definitions in them by kind. */
  projects(): ReadonlyMap<string, ProjectCounts>
  template(
    reportId: string,
  ): (UploadedTemplate & { readonly uploadedAt: string; readonly uploadedBy: string }) | undefined
  /** Makes the file the template of the report; null removes an uploaded one, which no task that is on may need. */
  setTemplate(reportId: string, template: UploadedTemplate | null, actor: string): Promise<StoredOf<'report'>>
  /** Whether an uploaded template has this content. */
  usesBlob(sha256: string): boolean
  /** Calls `listener` after changes that are on disk; the caller of the change is answered when its promise resolves. */
  onChange(
    listener: (changed: readonly { readonly kind: Kind; readonly id: string }[]) => void | Promise<void>,
  ): () => void
  /** Removes audited changes from before (ISO 8601); how many. */
  pruneAudit(before: string): Promise<number>
}

const SQL = {
  pruneAudit: 'DELETE FROM report_audit WHERE at < ?',
  template: `SELECT sha256, file_name AS fileName, bytes, uploaded_at AS uploadedAt, uploaded_by AS uploadedBy
    FROM report_template WHERE report_id = ?`,
  setTemplate: 'INSERT OR REPLACE INTO report_template VALUES (?, ?, ?, ?, ?, ?)',
  removeTemplate: 'DELETE FROM report_template WHERE report_id = ?',
  blob: 'SELECT 1 FROM report_template WHERE sha256 = ? LIMIT 1',
} as const

interface DefinitionStoreDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
}

/** The tables of `definitionMigrations` (`migrations.ts`) must exist. */
export function createDefinitionStore(
  { db, writer, clock }: DefinitionStoreDeps,
  settings: CheckSettings,
): DefinitionStore {
  const listeners = new Set<Parameters<DefinitionStore['onChange']>[0]>()
  const now = () => new Date(clock.now()).toISOString()

  async function edit<T>(actor: string, work: (edit: Edit) => T, { dryRun = false } = {}): Promise<T> {
    const changed: { kind: Kind; id: string }[] = []
    const result = await writer
      .write((tx) => {
        const saveAll: Edit['save'] = (changes) => {
          const ids = save({ tx, at: now(), actor, settings }, changes)
          changed.push(...changes.filter(({ id }) => ids.includes(id)).map(({ kind, id }) => ({ kind, id })))
          return ids
        }
        const done = work({
          get: (kind, id) => find(tx, kind, id),
          list: (kind, query) => select(tx, kind, query),
          definitionOf: (taskId) => definitionOf(tx, taskId),
          uploaded(reportId, template) {
            if (!template) return void tx.run(SQL.removeTemplate, reportId)
            const { sha256, fileName, bytes } = template
            tx.run(SQL.setTemplate, reportId, sha256, fileName, bytes, now(), actor)
          },
          save: saveAll,
          refused(change) {
            try {
              tx.transaction(() => saveAll([change]))
              return null
            } catch (error) {
              if (error instanceof Refusal) return error
              throw error
            }
          },
        })
        if (dryRun) throw new DryRun(done)
        return done
      })
      .catch((error: unknown) => {
        if (error instanceof DryRun) return error.result as T
        throw error
      })
    if (!dryRun && changed.length > 0) await Promise.all([...listeners].map((listener) => listener(changed)))
    return result
  }

  return {
    get: (kind, id) => find(db, kind, id),
    list: (kind, query) => select(db, kind, query),
    count: (kind, query = {}) => countOf(db, kind, query),
    edit,
    definitionOf: (taskId) => definitionOf(db, taskId),
    projects: () => projectsOf(db),
    template: (reportId) => db.get(SQL.template, reportId),
    async setTemplate(reportId, template, actor) {
      await edit(actor, ({ get, list, save, uploaded }) => {
        const report = get('report', reportId)
        if (!report) throw notFound('report', reportId)
        if (report.type !== 'template') throw refusal('FORMAT_NOT_POSSIBLE', 'The report is made of blocks.')
        if (!template) refuseTemplateInUse(list('task'), reportId)
        uploaded(reportId, template)
        save([{ kind: 'report', id: reportId, entity: { ...editable(report), template: null } as Report }])
      })
      return find(db, 'report', reportId)!
    },
    usesBlob: (sha256) => db.get(SQL.blob, sha256) !== undefined,
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    pruneAudit: (before) => writer.write((tx) => tx.run(SQL.pruneAudit, before).changes),
  }
}

function refuseTemplateInUse(tasks: readonly StoredOf<'task'>[], reportId: string): void {
  const users = tasks.filter((task) => task.enabled && task.reports.some((use) => use.reportId === reportId))
  if (users.length === 0) return
  throw refusal('IN_USE', `Report tasks that are on need it: ${users.map(({ name }) => name).join(', ')}`, {
    error: 'Template is in use',
    usedBy: users.map(({ id, name }) => ({ type: RULES.task.type, id, name })),
  })
}

/** All tasks and reports of a database that another process may write. Throws when the tables are not there. */
export const readDefinitions = (db: Database) => ({ tasks: select(db, 'task'), reports: select(db, 'report') })

/** Rolls a transaction back, and carries its result. */
class DryRun extends Error {
  constructor(readonly result: unknown) {
    super('dry run')
  }
}

function whereOf({ project, tag, enabled, name }: ListQuery): {
  readonly sql: string
  readonly params: (string | number)[]
} {
  const parts: [string, string | number][] = []
  if (project !== undefined) parts.push(['project = ?', project])
  if (tag !== undefined) parts.push(["EXISTS (SELECT 1 FROM json_each(definition, '$.tags') WHERE value = ?)", tag])
  if (enabled !== undefined) parts.push(["json_extract(definition, '$.enabled') = ?", enabled ? 1 : 0])
  if (name !== undefined) parts.push(['instr(sort, ?) > 0', folded(name)])
  const sql = parts.length === 0 ? '' : ` WHERE ${parts.map(([condition]) => condition).join(' AND ')}`
  return { sql, params: parts.map(([, value]) => value) }
}

/** By name. */
function select<K extends Kind>(db: Database, kind: K, query: ListQuery = {}): StoredOf<K>[] {
  const { sql, params } = whereOf(query)
  const { limit = -1, offset = 0 } = query
  const statement = `SELECT ${COLUMNS} FROM report_${RULES[kind].table}${sql} ORDER BY sort, id LIMIT ? OFFSET ?`
  return db.all<Row>(statement, ...params, limit, offset).map((row) => storedOf<K>(row))
}

function countOf(db: Database, kind: Kind, query: ListQuery): number {
  const { sql, params } = whereOf(query)
  return db.get<{ total: number }>(`SELECT count(*) AS total FROM report_${RULES[kind].table}${sql}`, ...params)!.total
}

const NO_DEFINITIONS: ProjectCounts = { reportTasks: 0, reports: 0, reportFilters: 0, reportConditions: 0 }

function projectsOf(db: Database): Map<string, ProjectCounts> {
  const found = new Map<string, ProjectCounts>()
  for (const kind of ['task', 'report', 'filter', 'condition'] as const) {
    const sql = `SELECT project, count(*) AS total FROM report_${RULES[kind].table} GROUP BY project`
    for (const { project, total } of db.all<{ project: string; total: number }>(sql)) {
      found.set(project, { ...(found.get(project) ?? NO_DEFINITIONS), [DEFINITIONS[kind].member]: total })
    }
  }
  return new Map([...found].sort(([a], [b]) => (folded(a) < folded(b) ? -1 : 1)))
}

function definitionOf(db: Database, taskId: string): Definition | undefined {
  const task = find(db, 'task', taskId)
  if (!task) return undefined
  const all = <K extends Kind>(kind: K, ids: readonly string[]): StoredOf<K>[] =>
    [...new Set(ids)].flatMap((id) => find<K>(db, kind, id) ?? [])
  const reports = all(
    'report',
    task.reports.map(({ reportId }) => reportId),
  )
  const groups = all(
    'group',
    task.recipients.flatMap((one) => (one.type === 'group' ? one.groupId : [])),
  )
  const direct = task.recipients.flatMap((one) => (one.type === 'recipient' ? one.recipientId : []))
  // Addresses and expressions may reach people whose own filters or access must hold as well.
  const byAddress =
    task.recipients.some(({ type }) => type === 'address' || type === 'expression') ||
    task.reports.some(({ cycle }) => cycle?.emailTo || cycle?.hubTo)
  const asRecipient = task.run.evaluateAs === 'recipient'
  const isSpecial = ({ filterIds, active, qlikUser }: StoredOf<'recipient'>) =>
    filterIds.length > 0 || !active || (asRecipient && qlikUser !== null)
  const known = byAddress ? select(db, 'recipient').filter(isSpecial) : []
  const recipients = all('recipient', [
    ...direct,
    ...groups.flatMap(({ memberIds }) => memberIds),
    ...known.map(({ id }) => id),
  ])
  const filtered = [task, ...task.reports, ...reports, ...groups, ...recipients]
  return {
    task,
    reports,
    groups,
    recipients,
    filters: all(
      'filter',
      filtered.flatMap(({ filterIds }) => filterIds),
    ),
    conditions: all(
      'condition',
      [task, ...task.reports].flatMap(({ conditionIds }) => conditionIds),
    ),
  }
}

export const notFound = (kind: Kind, id: string): Refusal =>
  refusal(RULES[kind].notFound, `No ${RULES[kind].label.toLowerCase()} has the id ${id}.`)
