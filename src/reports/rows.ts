/** Rows of definitions and what they hold. */
import { once } from '../platform/once.ts'
import type { Database } from '../platform/sqlite.ts'
import type { DefinitionOf } from './entities/contract.ts'
import type { Stored } from './entities/fields.ts'
import { formatOptions, type ReportTask } from './entities/task.ts'
import { type Entities, type Kind, RULES } from './kinds.ts'

export type StoredOf<K extends Kind> = Stored<Entities[K]>

export interface UploadedTemplate {
  readonly sha256: string
  readonly fileName: string
  readonly bytes: number
}

export interface Row {
  readonly id: string
  readonly definition: string
  readonly revision: number
  readonly createdAt: string
  readonly createdBy: string
  readonly modifiedAt: string
  readonly modifiedBy: string
}

export const COLUMNS = `id, definition, revision, created_at AS createdAt, created_by AS createdBy, modified_at AS modifiedAt,
  modified_by AS modifiedBy`

export function storedOf<K extends Kind>({ definition, id, ...more }: Row): StoredOf<K> {
  return { id, ...JSON.parse(definition), ...more }
}

export function find<K extends Kind>(db: Database, kind: K, id: string): StoredOf<K> | undefined {
  const row = db.get<Row>(`SELECT ${COLUMNS} FROM report_${RULES[kind].table} WHERE id = ?`, id)
  return row && storedOf<K>(row)
}

/** The members that can be written. */
export function editable<K extends Kind>(stored: StoredOf<K>): Entities[K] {
  const { id: _i, createdAt: _a, createdBy: _b, modifiedAt: _c, modifiedBy: _d, revision: _r, ...entity } = stored
  return entity as unknown as Entities[K]
}

/** Options of formats as they are when none are given. */
const defaultOptions = once((): Readonly<Record<string, unknown>> => formatOptions().parse({}))

/** A definition as it is answered: options of formats that have their default values are left out. */
export function shown<K extends Kind>(kind: K, entity: StoredOf<K>): DefinitionOf<K> {
  if (kind !== 'task') return entity as unknown as DefinitionOf<K>
  const task = entity as unknown as StoredOf<'task'>
  return { ...task, reports: task.reports.map(withoutDefaults) } as unknown as DefinitionOf<K>
}

function withoutDefaults({ options, ...use }: ReportTask['reports'][number]): DefinitionOf<'task'>['reports'][number] {
  const defaults = defaultOptions()
  const own = Object.entries(options).filter(
    ([format, value]) => JSON.stringify(value) !== JSON.stringify(defaults[format]),
  )
  return own.length === 0 ? use : { ...use, options: Object.fromEntries(own) }
}
