/** Saves definitions together in a transaction, by the rules that hold between them: names, references, projects, cycles. */
import { randomUUID } from 'node:crypto'
import { refusal } from '../http/errors.ts'
import type { Database } from '../platform/sqlite.ts'
import type { CheckSettings } from './checks.ts'
import type { Report } from './entities/report.ts'
import type { ReportTask } from './entities/task.ts'
import { type Issue, refuseIssues } from './issues.ts'
import { type Entities, folded, type Kind, type KindRules, mayUse, RULES } from './kinds.ts'
import { editable, find, type StoredOf, type UploadedTemplate } from './rows.ts'
import { incomplete } from './task-checks.ts'

/** A definition to be saved, which has been checked by the schema; null removes it. */
export interface Save<K extends Kind = Kind> {
  readonly kind: K
  readonly id: string
  readonly entity: Entities[K] | null
  /** Where it stands in the request, for errors: `reportTasks.0`. */
  readonly path?: string
}

const SQL = {
  insert: (table: string) => `INSERT INTO report_${table} VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?)`,
  update: (table: string) => `UPDATE report_${table} SET project = ?, sort = ?, definition = ?, revision = revision + 1,
    modified_at = ?, modified_by = ? WHERE id = ?`,
  setKey: (table: string) => `UPDATE report_${table} SET unique_key = ? WHERE id = ?`,
  ownerOfKey: (table: string) => `SELECT id FROM report_${table} WHERE unique_key = ?`,
  remove: (table: string) => `DELETE FROM report_${table} WHERE id = ?`,
  addReference: 'INSERT OR IGNORE INTO report_reference (from_kind, from_id, to_kind, to_id) VALUES (?, ?, ?, ?)',
  removeReferences: 'DELETE FROM report_reference WHERE from_kind = ? AND from_id = ?',
  users: 'SELECT from_kind AS kind, from_id AS id FROM report_reference WHERE to_kind = ? AND to_id = ?',
  startedBy: "SELECT to_id AS id FROM report_reference WHERE from_kind = 'task' AND to_kind = 'task' AND from_id = ?",
  audit: 'INSERT INTO report_audit (at, who, what, entity_id, before, after) VALUES (?, ?, ?, ?, ?, ?)',
  upload: 'SELECT sha256, file_name AS fileName, bytes FROM report_template WHERE report_id = ?',
  removeTemplate: 'DELETE FROM report_template WHERE report_id = ?',
} as const

interface Transaction {
  readonly tx: Database
  /** ISO 8601. */
  readonly at: string
  readonly actor: string
  readonly settings: CheckSettings
}

/** Returns the ids of those that changed. Throws refusals, after which the transaction must be rolled back. */
export function save(transaction: Transaction, changes: readonly Save[]): string[] {
  const { tx } = transaction
  const switchedOff = new Set(changes.filter((change) => onlySwitchesOff(tx, change)))
  const changed = changes.filter((change) => write(transaction, change))
  const saved = changed.filter(({ entity }) => entity !== null)
  for (const change of saved) claimName(tx, change)
  for (const change of changed) if (change.entity === null) refuseRemovalInUse(tx, change)
  for (const change of saved) if (!switchedOff.has(change)) checkSaved(transaction, change)
  return changed.map(({ id }) => id)
}

/** A task can be switched off even when its definition is refused now, as its storage space has left the configuration. */
function onlySwitchesOff(tx: Database, { kind, id, entity }: Save): boolean {
  const before = kind === 'task' && entity !== null ? find(tx, 'task', id) : undefined
  if (!before?.enabled || (entity as ReportTask).enabled) return false
  return JSON.stringify({ ...editable(before), enabled: false }) === JSON.stringify(entity)
}

/** False when nothing changes. The names of a transaction may be exchanged, so all are claimed at its end. */
function write({ tx, at, actor }: Transaction, { kind, id, entity: given }: Save): boolean {
  const { table, type, references } = rulesOf(kind)
  const before = find(tx, kind, id)
  const entity = given === null ? null : prepared(tx, kind, given, before, id)
  const definition = entity && JSON.stringify(entity)
  if (!before && !entity) return false
  if (before && definition === JSON.stringify(editable(before))) return false
  tx.run(SQL.removeReferences, kind, id)
  if (entity === null) {
    tx.run(SQL.remove(table), id)
    if (kind === 'report') tx.run(SQL.removeTemplate, id)
  } else {
    const project = 'project' in entity ? entity.project : null
    const sort = folded(entity.name)
    if (before) tx.run(SQL.update(table), project, sort, definition!, at, actor, id)
    else tx.run(SQL.insert(table), id, project, sort, temporaryKey(id), definition!, at, actor, at, actor)
    tx.run(SQL.setKey(table), temporaryKey(id), id)
    for (const to of references(entity as ReportTask)) tx.run(SQL.addReference, kind, id, to.kind, to.id)
  }
  const action = before ? (entity ? 'change' : 'delete') : 'create'
  tx.run(SQL.audit, at, actor, `${type}.${action}`, id, before ? JSON.stringify(editable(before)) : null, definition)
  return true
}

/** The rules of a kind that is known only at run time; its definitions fit them. */
const rulesOf = (kind: Kind) => RULES[kind] as unknown as KindRules<'task'>

/** No name begins so. */
const temporaryKey = (id: string): string => `\u0000${id}`

/** The definition as it is kept: triggers have ids, and uploaded templates are set by their upload alone. */
function prepared<K extends Kind>(
  tx: Database,
  kind: K,
  entity: Entities[K],
  before: StoredOf<K> | undefined,
  id: string,
): Entities[K] {
  if (kind === 'task') return withTriggerIds(entity as ReportTask, before as ReportTask | undefined) as Entities[K]
  if (kind !== 'report') return entity
  const report = entity as Report
  const old = before as Report | undefined
  if (old && old.type !== report.type)
    throw refuseIssues([{ path: 'type', message: `Cannot be changed from ${old.type}` }])
  if (report.type !== 'template' || report.template?.source === 'file') {
    if (report.type === 'template') tx.run(SQL.removeTemplate, id)
    return entity
  }
  const upload = tx.get<UploadedTemplate>(SQL.upload, id)
  const template = upload ? { source: 'upload' as const, fileName: upload.fileName, sha256: upload.sha256 } : null
  return { ...report, template } as Entities[K]
}

/** A trigger without id keeps that of the one in its place, when that is of the same type. */
function withTriggerIds(task: ReportTask, before: ReportTask | undefined): ReportTask {
  const taken = new Set(task.triggers.map(({ id }) => id))
  const triggers = task.triggers.map((trigger, index) => {
    if (trigger.id !== undefined) return trigger
    const old = before?.triggers[index]
    const id = old?.type === trigger.type && !taken.has(old.id) ? old.id! : randomUUID()
    return { ...trigger, id }
  })
  return { ...task, triggers }
}

function claimName(tx: Database, { kind, id }: Save): void {
  const { table, label, unique } = rulesOf(kind)
  const { key, text } = unique(find(tx, kind, id) as StoredOf<'task'>)
  const owner = tx.get<{ id: string }>(SQL.ownerOfKey(table), key)
  if (owner && owner.id !== id)
    throw refusal('NAME_TAKEN', `There is a ${label.toLowerCase()} ${text} already.`, { id: owner.id })
  tx.run(SQL.setKey(table), key, id)
}

function usersOf(tx: Database, kind: Kind, id: string): { kind: Kind; entity: StoredOf<Kind> }[] {
  return tx.all<{ kind: Kind; id: string }>(SQL.users, kind, id).flatMap((user) => {
    const entity = find(tx, user.kind, user.id)
    return entity ? [{ kind: user.kind, entity }] : []
  })
}

const MOST_NAMES = 10

function refuseRemovalInUse(tx: Database, { kind, id }: Save): void {
  const users = usersOf(tx, kind, id)
  if (users.length === 0) return
  const kinds = [...new Set(users.map((user) => user.kind))]
  const texts = kinds.map((one) => {
    const names = users.filter((user) => user.kind === one).map(({ entity }) => entity.name)
    const label = `${RULES[one].label.toLowerCase()}${names.length === 1 ? '' : 's'}`
    const more = names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : ''
    return `${names.length} ${label}: ${names.slice(0, MOST_NAMES).join(', ')}${more}`
  })
  throw refusal('IN_USE', `Used by ${texts.join('; ')}`, {
    error: `${RULES[kind].label} is in use`,
    usedBy: users.map((user) => ({ type: RULES[user.kind].type, id: user.entity.id, name: user.entity.name })),
  })
}

function checkSaved({ tx, settings }: Transaction, { kind, id, path: above }: Save): void {
  const prefix = above === undefined ? '' : `${above}.`
  const { references, issues, inProject } = rulesOf(kind)
  const entity = find(tx, kind, id) as StoredOf<'task'>
  const reportOf = (reportId: string) => find(tx, 'report', reportId)
  const project = inProject ? entity.project : null
  const wrong: Issue[] = [
    ...references(entity).flatMap((to): Issue[] => {
      const found = find(tx, to.kind, to.id)
      const label = RULES[to.kind].label.toLowerCase()
      if (!found) return [{ path: to.path, message: `There is no ${label} ${to.id}`, code: 'UNKNOWN_REFERENCE' }]
      const other = to.kind !== 'task' && 'project' in found ? found.project : null
      if (mayUse(project, other)) return []
      const message = `The ${label} "${found.name}" belongs to project "${other}"; only those of "${project}" and "shared" can be used`
      return [{ path: to.path, message, code: 'WRONG_PROJECT' }]
    }),
    ...issues(entity, settings, reportOf),
  ]
  if (wrong.length > 0) throw refuseIssues(wrong.map((issue) => ({ ...issue, path: `${prefix}${issue.path}` })))
  if (project !== null) checkUsers(tx, kind, id, project, settings)
  if (kind !== 'task') return
  refuseCycle(tx, entity)
  const missing = entity.enabled ? incomplete(entity, reportOf, settings) : null
  if (missing !== null) throw refusal('TASK_INCOMPLETE', `${above === undefined ? '' : `${above}: `}${missing}.`)
}

/** Those that refer to a changed definition must still be allowed to, and be able to make their formats of it. */
function checkUsers(tx: Database, kind: Kind, id: string, project: string, settings: CheckSettings): void {
  for (const { kind: userKind, entity } of usersOf(tx, kind, id)) {
    const user = `${RULES[userKind].label} "${entity.name}"`
    const userProject = 'project' in entity ? entity.project : null
    if (kind !== 'task' && !mayUse(userProject, project)) {
      throw refusal(
        'WRONG_PROJECT',
        `${user} of project "${userProject}" uses it, so it cannot belong to "${project}".`,
      )
    }
    if (kind !== 'report' || userKind !== 'task') continue
    const issues = RULES.task.issues(entity as StoredOf<'task'>, settings, (one) => find(tx, 'report', one))
    const impossible = issues.find(({ code }) => code === 'FORMAT_NOT_POSSIBLE')
    if (impossible) throw refusal('FORMAT_NOT_POSSIBLE', `${user}, ${impossible.path}: ${impossible.message}.`)
  }
}

/** Throws when the task starts itself after some others. */
function refuseCycle(tx: Database, task: StoredOf<'task'>): void {
  const startedBy = (id: string) => tx.all<{ id: string }>(SQL.startedBy, id).map((row) => row.id)
  const seen = new Set<string>()
  function search(id: string, path: readonly string[]): void {
    for (const next of startedBy(id)) {
      if (next === task.id) {
        const names = [...path, next].map((one) => find(tx, 'task', one)?.name ?? one).reverse()
        throw refusal('TRIGGER_CYCLE', `Each of these tasks would start the next: ${names.join(' > ')}.`)
      }
      if (seen.has(next)) continue
      seen.add(next)
      search(next, [...path, next])
    }
  }
  search(task.id, [task.id])
}
