/** Recipients from other systems: CSV or JSON, matched by their address. */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { isObject } from '../http/endpoint/validation.ts'
import { once } from '../platform/once.ts'
import { isAddress } from './entities/fields.ts'
import type { Recipient } from './entities/recipient.ts'
import { refuseIssues } from './issues.ts'
import { folded, RULES } from './kinds.ts'
import { editable, type StoredOf } from './rows.ts'
import type { Save } from './save.ts'
import type { DefinitionStore, Edit } from './store.ts'

/** One person as the file has it. */
interface Entry {
  /** In CSV that of the file, in JSON the number of the item; from 1. */
  readonly line: number
  /** Members of a recipient, not checked yet. */
  readonly given: Readonly<Record<string, unknown>>
  /** Names. */
  readonly groups: readonly string[]
}

export const IMPORT_RESULT = once(() =>
  z.object({
    created: z.int(),
    updated: z.int(),
    unchanged: z.int(),
    deactivated: z.int(),
    errors: z.array(z.object({ line: z.int(), details: z.string() })).describe('Lines that were left out.'),
  }),
)
type RecipientImport = z.output<ReturnType<typeof IMPORT_RESULT>>

const COLUMNS = ['name', 'email', 'userDirectory', 'userId', 'groups', 'timezone', 'locale']
const ATTRIBUTE = 'attributes.'

/** Throws 400 when the file as a whole cannot be used. */
export function readRecipients(text: string, isCsv: boolean): Entry[] {
  return isCsv ? readCsv(text) : readJson(text)
}

function readJson(text: string): Entry[] {
  let items: unknown
  try {
    items = JSON.parse(text)
  } catch {
    throw refuseIssues([
      { path: '', message: 'Must be JSON, or CSV with Content-Type: text/csv', code: 'INVALID_JSON' },
    ])
  }
  if (!Array.isArray(items) || !items.every(isObject)) {
    throw refuseIssues([{ path: '', message: 'Must be a list of recipients' }])
  }
  return items.map(({ groups = [], userDirectory, userId, ...given }, index) => ({
    line: index + 1,
    given: { ...given, ...qlikUserOf(userDirectory, userId) },
    groups: Array.isArray(groups) ? groups.map(String) : String(groups).split('|'),
  }))
}

const qlikUserOf = (userDirectory: unknown, userId: unknown): object =>
  userDirectory || userId ? { qlikUser: { userDirectory: userDirectory ?? '', userId: userId ?? '' } } : {}

function readCsv(text: string): Entry[] {
  const [header, ...records] = parseCsv(text.replace(/^\uFEFF/, ''))
  const columns = header?.cells.map((cell) => cell.trim()) ?? []
  const known = (name: string) => COLUMNS.includes(name) || name.startsWith(ATTRIBUTE)
  const unknown = columns.filter((name) => !known(name))
  if (unknown.length > 0 || !columns.includes('email')) {
    const what = unknown.length > 0 ? `Unknown column ${unknown.join(', ')}` : 'The column email is missing'
    const columnList = `${COLUMNS.join(', ')}, ${ATTRIBUTE}NAME`
    throw refuseIssues([{ path: 'line 1', message: `${what}; columns are ${columnList}` }])
  }
  return records.map(({ line, cells }) => {
    const values = new Map(columns.map((name, index) => [name, (cells[index] ?? '').trim()]))
    const value = (name: string) => values.get(name) ?? ''
    const attributes = [...values].flatMap(([name, text]) =>
      name.startsWith(ATTRIBUTE) ? [[name.slice(ATTRIBUTE.length), text]] : [],
    )
    return {
      line,
      given: {
        name: value('name') || value('email'),
        email: value('email'),
        ...qlikUserOf(value('userDirectory'), value('userId')),
        ...(value('timezone') && { timezone: value('timezone') }),
        ...(value('locale') && { locale: value('locale') }),
        ...(attributes.length > 0 && { attributes: Object.fromEntries(attributes) }),
      },
      groups: value('groups').split('|'),
    }
  })
}

interface CsvRecord {
  /** Of its first character, from 1. */
  readonly line: number
  readonly cells: readonly string[]
}

/** RFC 4180; the separator is a semicolon where the first line has no comma. Empty lines are left out. */
export function parseCsv(text: string): CsvRecord[] {
  const [first = ''] = text.split('\n', 1)
  const separator = first.includes(',') ? ',' : ';'
  const records: CsvRecord[] = []
  let cells: string[] = []
  let line = 1
  let start = 1
  // A cell in quotes, or up to the separator or the end of the line; then that end.
  const cell = new RegExp(`(?:"([^"]*(?:""[^"]*)*)"|([^"${separator}\\r\\n]*))(${separator}|\\r?\\n|$)`, 'y')
  for (let at = 0; at < text.length || cells.length > 0; ) {
    cell.lastIndex = at
    const match = cell.exec(text)
    if (!match)
      throw refuseIssues([
        { path: `line ${line}`, message: 'A quote stands in the middle of a value, or is not closed' },
      ])
    const [whole, quoted, plain = '', end] = match
    cells.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'))
    line += whole.split('\n').length - 1
    at += whole.length
    if (end === separator) continue
    if (cells.length > 1 || cells[0] !== '') records.push({ line: start, cells })
    cells = []
    start = line
    if (end === '') break
  }
  return records
}

/** Imports in one transaction. `replace`: imported recipients that are missing become inactive, unless a line has an error. */
export function importRecipients(
  store: DefinitionStore,
  entries: readonly Entry[],
  options: { readonly actor: string; readonly mode: 'merge' | 'replace' },
): Promise<RecipientImport> {
  return store.edit(options.actor, (edit) => {
    const present = new Map(edit.list('recipient').map((one) => [one.email, one]))
    const seen = new Map<string, string>()
    const errors: RecipientImport['errors'][number][] = []
    const counts = { created: 0, updated: 0, unchanged: 0 }
    const members = new Map<string, { readonly name: string; readonly ids: string[] }>()
    for (const { line, given, groups } of entries) {
      const outcome = importOne(edit, given, { present, seen, mode: options.mode })
      if ('problem' in outcome) {
        errors.push({ line, details: outcome.problem })
        continue
      }
      counts[outcome.result] += 1
      for (const name of groups.map((one) => one.trim()).filter((one) => one !== '')) {
        const group = members.get(folded(name)) ?? { name, ids: [] }
        group.ids.push(outcome.id)
        members.set(folded(name), group)
      }
    }
    addToGroups(edit, members)
    const isComplete = options.mode === 'replace' && errors.length === 0
    return { ...counts, deactivated: isComplete ? deactivate(edit, present, seen) : 0, errors }
  })
}

interface ImportState {
  /** By address. */
  readonly present: ReadonlyMap<string, StoredOf<'recipient'>>
  /** Ids of those of the file, by address. */
  readonly seen: Map<string, string>
  readonly mode: 'merge' | 'replace'
}

type Outcome =
  | { readonly id: string; readonly result: 'created' | 'updated' | 'unchanged' }
  | { readonly problem: string }

function importOne(
  edit: Edit,
  given: Readonly<Record<string, unknown>>,
  { present, seen, mode }: ImportState,
): Outcome {
  const email = String(given.email ?? '').toLowerCase()
  if (!isAddress(email)) return { problem: `email: invalid address "${String(given.email ?? '')}"` }
  if (seen.has(email)) return { problem: `email: ${email} stands in the file twice` }
  const before = present.get(email)
  const base: Partial<Recipient> = before ? editable(before) : { source: 'import' }
  const parsed = RULES.recipient.parse({
    ...base,
    // The ones that an import switched off come back with their line.
    ...(mode === 'replace' && base.source === 'import' && { active: true }),
    ...given,
    attributes: { ...base.attributes, ...(isObject(given.attributes) ? given.attributes : {}) },
    source: base.source,
  })
  if (!parsed.ok) return { problem: parsed.issues.map(({ path, message }) => `${path}: ${message}`).join('; ') }
  const id = before?.id ?? randomUUID()
  const { revision } = before ?? { revision: 0 }
  const refused = edit.refused({ kind: 'recipient', id, entity: parsed.value })
  if (refused) return { problem: String(refused.body.details) }
  seen.set(email, id)
  const isSame = edit.get('recipient', id)?.revision === revision
  return { id, result: before ? (isSame ? 'unchanged' : 'updated') : 'created' }
}

/** Makes groups that are new. Members that the file does not name stay. */
function addToGroups(
  edit: Edit,
  members: ReadonlyMap<string, { readonly name: string; readonly ids: readonly string[] }>,
): void {
  const groups = new Map(edit.list('group').map((group) => [folded(group.name), group]))
  const saves = [...members].map(([key, { name, ids }]): Save => {
    const group = groups.get(key)
    const old = group ? editable(group) : { name, description: '', memberIds: [], filterIds: [], dynamic: null }
    const memberIds = [...new Set([...old.memberIds, ...ids])]
    return { kind: 'group', id: group?.id ?? randomUUID(), entity: { ...old, memberIds } }
  })
  edit.save(saves)
}

function deactivate(
  edit: Edit,
  present: ReadonlyMap<string, StoredOf<'recipient'>>,
  seen: ReadonlyMap<string, string>,
): number {
  const missing = [...present.values()].filter(
    ({ email, source, active }) => source === 'import' && active && !seen.has(email),
  )
  edit.save(
    missing.map((one): Save => ({ kind: 'recipient', id: one.id, entity: { ...editable(one), active: false } })),
  )
  return missing.length
}
