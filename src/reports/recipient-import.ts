/** Recipients from other systems: a table (text or a workbook) or JSON, matched by their address. */

import { randomUUID } from 'node:crypto'
import { isObject } from '../http/endpoint/validation.ts'
import { refusal } from '../http/errors.ts'
import {
  CharsetError,
  declaredText,
  encodingNote,
  isZip,
  lostLetter,
  strictText,
  TextError,
} from '../platform/encodings.ts'
import { errorText } from '../platform/errors.ts'
import { parseOutsideJson, RefusedJson } from '../platform/json.ts'
import { isEmailAddress } from '../platform/mail-addresses.ts'
import { parseTable, type TableRow } from '../platform/table.ts'
import type { RecipientImport } from './contract.ts'
import { RECIPIENT_COLUMNS, type Recipient, type RecipientColumn } from './entities/recipient.ts'
import { refuseIssues } from './issues.ts'
import { folded, RULES } from './kinds.ts'
import { editable, type StoredOf } from './rows.ts'
import type { Save } from './save.ts'
import type { DefinitionStore, Edit } from './store.ts'

/** One person as the file has it. */
interface Entry {
  /** In a table that of the file, in JSON the number of the item; from 1. */
  readonly line: number
  /** Members of a recipient, not checked yet. */
  readonly given: Readonly<Record<string, unknown>>
  /** Names. */
  readonly groups: readonly string[]
  /** Why the line cannot be used. */
  readonly problem?: string | undefined
}

const COLUMNS: readonly string[] = RECIPIENT_COLUMNS
const ATTRIBUTE = 'attributes.'

export interface RecipientFile {
  readonly bytes: Uint8Array
  /** The header of the request; '' = none. */
  readonly contentType: string
}

interface RecipientList {
  readonly entries: Entry[]
  /** About the encoding that was assumed. */
  readonly note?: string
}

/**
 * Reads a workbook, or text in any encoding that Excel writes: JSON, or values separated by comma, semicolon or tab. Throws 400
 * when the file as a whole cannot be used.
 */
export async function readRecipients(
  { bytes, contentType }: RecipientFile,
  readTable: (bytes: Uint8Array) => Promise<readonly TableRow[]>,
): Promise<RecipientList> {
  try {
    if (isZip(bytes)) return { entries: entriesOf(await readTable(bytes)) }
    const type = contentType.split(';', 1)[0]!.trim().toLowerCase()
    const { text, note } = textOf(bytes, contentType)
    if (text.trim() === '') throw refuseIssues([{ path: '', message: 'Must be a table or a JSON list; it is empty' }])
    const isJson = type === 'application/json' || (type !== 'text/csv' && /^\s*[[{]/.test(text))
    return { entries: isJson ? readJson(text) : entriesOf(parseTable(text)), ...(note !== null && { note }) }
  } catch (error) {
    if (error instanceof CharsetError) throw refusal('UNKNOWN_CHARSET', error.message)
    if (!(error instanceof TextError)) throw error
    const { reason, line, column } = error
    throw refuseIssues([{ path: line === 0 ? '' : `line ${line}, column ${column}`, message: reason }])
  }
}

/** Some encodings cannot be recognized, only declared: windows-1250. */
function textOf(bytes: Uint8Array, contentType: string): { readonly text: string; readonly note: string | null } {
  const { text, encoding } = declaredText(bytes, contentType, strictText)
  const note = encodingNote(encoding)
  return { text, note: note && `The file ${note}. Look whether letters such as é and ö are right.` }
}

function readJson(text: string): Entry[] {
  let items: unknown
  try {
    items = parseOutsideJson(text)
  } catch (error) {
    if (error instanceof RefusedJson) throw refuseIssues([{ path: '', message: error.message, code: 'INVALID_JSON' }])
    throw refuseIssues([
      {
        path: '',
        message: `Must be JSON, or a table with Content-Type: text/csv; ${errorText(error)}`,
        code: 'INVALID_JSON',
      },
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

function entriesOf([header, ...rows]: readonly TableRow[]): Entry[] {
  if (!header) throw refuseIssues([{ path: '', message: 'Must be a table or a JSON list; it is empty' }])
  const columns = columnsOf(header, rows)
  return rows.map(({ line, cells, problem }) => {
    const values = new Map(columns.map((name, index) => [name, (cells[index] ?? '').trim()]))
    const value = (name: RecipientColumn) => values.get(name) ?? ''
    const attributes = [...values].flatMap(([name, text]) =>
      name.startsWith(ATTRIBUTE) ? [[name.slice(ATTRIBUTE.length), text]] : [],
    )
    const isLonger = cells.slice(columns.length).some((cell) => cell.trim() !== '')
    return {
      line,
      problem: problem ?? (isLonger ? `has values beyond the ${columns.length} columns of the first line` : undefined),
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

const BY_FOLDED = new Map(COLUMNS.map((name) => [name.toLowerCase(), name]))

/** Names as in `COLUMNS`, however they are written: `E-Mail`, `USER ID`. Columns without name and values are ''. */
function columnsOf({ line, cells }: TableRow, rows: readonly TableRow[]): string[] {
  const columns = cells.map((cell) => {
    const name = cell.trim()
    if (name.toLowerCase().startsWith(ATTRIBUTE)) return `${ATTRIBUTE}${name.slice(ATTRIBUTE.length).trim()}`
    return BY_FOLDED.get(name.toLowerCase().replace(/[\s_-]/g, '')) ?? name
  })
  const isUnnamed = (index: number) =>
    columns[index] === '' && rows.some((row) => (row.cells[index] ?? '').trim() !== '')
  const unnamed = columns.findIndex((_, index) => isUnnamed(index))
  if (unnamed >= 0) throw badHeader(line, `Column ${unnamed + 1} has values and no name`)
  const named = columns.filter((name) => name !== '')
  const unknown = named.filter((name) => !COLUMNS.includes(name) && !name.startsWith(ATTRIBUTE))
  if (unknown.length > 0) throw badHeader(line, `Unknown column ${shown(unknown)}`)
  if (!named.includes('email')) throw badHeader(line, 'The column email is missing')
  const twice = named.find((name, index) => named.findIndex((one) => folded(one) === folded(name)) < index)
  if (twice !== undefined) throw badHeader(line, `The column ${twice} is there twice`)
  return columns
}

/** The first line may be anything but a header. */
const shown = (names: readonly string[]): string => {
  const text = names.join(', ')
  return text.length > 200 ? `${text.slice(0, 200)}...` : text
}

const badHeader = (line: number, what: string) =>
  refuseIssues([{ path: `line ${line}`, message: `${what}; columns are ${COLUMNS.join(', ')}, ${ATTRIBUTE}NAME` }])

/** Imports in one transaction. `replace`: imported recipients that are missing become inactive, unless a line has an error. */
export function importRecipients(
  store: DefinitionStore,
  entries: readonly Entry[],
  options: { readonly actor: string; readonly mode: 'merge' | 'replace' },
): Promise<RecipientImport> {
  return store.edit(options.actor, (edit) => {
    const all = edit.list('recipient')
    const present = new Map(all.map((one) => [one.email, one]))
    const attributeNames = new Map(
      all.flatMap(({ attributes }) => Object.keys(attributes).map((name) => [folded(name), name] as const)),
    )
    const seen = new Map<string, string>()
    const errors: RecipientImport['errors'][number][] = []
    const counts = { created: 0, updated: 0, unchanged: 0 }
    const members = new Map<string, { readonly name: string; readonly ids: string[] }>()
    for (const entry of entries) {
      const { line, groups } = entry
      const outcome = importOne(edit, entry, { present, attributeNames, seen, mode: options.mode })
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
  /** Those of all recipients, by their folded names: a header in capitals makes no second attribute. */
  readonly attributeNames: ReadonlyMap<string, string>
  /** Ids of those of the file, by address. */
  readonly seen: Map<string, string>
  readonly mode: 'merge' | 'replace'
}

type Outcome =
  | { readonly id: string; readonly result: 'created' | 'updated' | 'unchanged' }
  | { readonly problem: string }

function importOne(
  edit: Edit,
  { given, groups, problem }: Entry,
  { present, attributeNames, seen, mode }: ImportState,
): Outcome {
  if (problem !== undefined) return { problem }
  const lost = lostLetter([given, groups])
  if (lost) return { problem: lost }
  const email = String(given.email ?? '').toLowerCase()
  if (!isEmailAddress(email)) return { problem: `email: invalid address "${String(given.email ?? '')}"` }
  if (seen.has(email)) return { problem: `email: ${email} stands in the file twice` }
  const before = present.get(email)
  const base: Partial<Recipient> = before ? editable(before) : { source: 'import' }
  const parsed = RULES.recipient.parse({
    ...base,
    // The ones that an import switched off come back with their line.
    ...(mode === 'replace' && base.source === 'import' && { active: true }),
    ...given,
    attributes: { ...base.attributes, ...attributesOf(given, attributeNames) },
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

function attributesOf({ attributes }: Entry['given'], names: ImportState['attributeNames']): object {
  if (!isObject(attributes)) return {}
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [names.get(folded(name)) ?? name, value]))
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
