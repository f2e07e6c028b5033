/** All definitions as one JSON document, for version control and other installations. */
import { type ImportResult, type TransferDocument, type TransferredTemplate, transferDocument } from './contract.ts'
import { DEFINITIONS } from './entities/contract.ts'
import { STORED_MEMBERS } from './entities/fields.ts'
import type { Report } from './entities/report.ts'
import { type Issue, parseWith, refuseIssues } from './issues.ts'
import { folded, KINDS, type Kind, RULES } from './kinds.ts'
import { editable, type StoredOf, shown, type UploadedTemplate } from './rows.ts'
import type { Save } from './save.ts'
import type { DefinitionStore, Edit } from './store.ts'

/** Without revisions and times, in an order that does not depend on the database. */
export function exportDocument(store: DefinitionStore, templates: readonly TransferredTemplate[] | null): unknown {
  const members = KINDS.map((kind) => {
    const items = [...store.list(kind)].sort((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1))
    return [DEFINITIONS[kind].member, items.map((item) => withoutTimes(shown(kind, item)))]
  })
  return { format: 'footman-reports', version: 1, ...Object.fromEntries(members), ...(templates && { templates }) }
}

const orderOf = (entity: StoredOf<Kind>): string =>
  `${'project' in entity ? entity.project : ''}\n${folded(entity.name)}\n${entity.id}`

const TIMES: readonly string[] = STORED_MEMBERS.filter((name) => name !== 'id')
const withoutTimes = (entity: object): object =>
  Object.fromEntries(Object.entries(entity).filter(([name]) => !TIMES.includes(name)))

type Change = ImportResult['changes'][number]['change']

export interface ImportOptions {
  readonly actor: string
  /** `replace` deletes the definitions that are not in the document. */
  readonly mode: 'merge' | 'replace'
  readonly dryRun: boolean
  /** Files that are on disk already, by the id of their report. */
  readonly templates: ReadonlyMap<string, UploadedTemplate>
}

/** The definitions of a document. Throws 400 with every issue. */
export function parseDocument(body: unknown): { readonly document: TransferDocument; readonly saves: readonly Save[] } {
  const parsed = parseWith(transferDocument(), body)
  if (!parsed.ok) throw refuseIssues(parsed.issues)
  const document = parsed.value
  const issues: Issue[] = []
  const saves = KINDS.flatMap((kind): Save[] => {
    const { member } = DEFINITIONS[kind]
    return document[member].flatMap(({ id, ...given }, index): Save[] => {
      const path = `${member}.${index}`
      const result = RULES[kind].parse(withoutTimes(given))
      if (result.ok) return [{ kind, id, entity: result.value, path }]
      issues.push(...result.issues.map((issue) => ({ ...issue, path: `${path}.${issue.path}` })))
      return []
    })
  })
  const ids = saves.map(({ id }) => id)
  for (const [index, { id, path }] of saves.entries()) {
    if (ids.indexOf(id) < index) issues.push({ path: `${path}.id`, message: `The id ${id} is used twice` })
  }
  const templated = document.templates.map(({ reportId }) => reportId)
  for (const [index, id] of templated.entries()) {
    if (templated.indexOf(id) < index)
      issues.push({ path: `templates.${index}.reportId`, message: `The report ${id} has a second template` })
  }
  if (issues.length > 0) throw refuseIssues(issues)
  return { document, saves }
}

/** One transaction: all or nothing. */
export function importDefinitions(
  store: DefinitionStore,
  saves: readonly Save[],
  options: ImportOptions,
): Promise<ImportResult> {
  const { actor, mode, dryRun, templates } = options
  const work = (edit: Edit): ImportResult => {
    const before = new Map(saves.map(({ kind, id }) => [id, edit.get(kind, id)]))
    const given = new Set(before.keys())
    const removals: Save[] =
      mode === 'replace'
        ? KINDS.flatMap((kind) => edit.list(kind).map(({ id }): Save => ({ kind, id, entity: null }))).filter(
            ({ id }) => !given.has(id),
          )
        : []
    const removed = removals.map(({ kind, id }) => ({ type: RULES[kind].type, id, name: edit.get(kind, id)!.name }))
    for (const [reportId, uploaded] of templates) edit.uploaded(reportId, uploaded)
    const changed = new Set(edit.save([...removals, ...saves]))
    const changes = saves
      .filter(({ id }) => changed.has(id))
      .map(({ kind, id, entity }) => ({
        type: RULES[kind].type,
        id,
        name: entity!.name,
        change: (before.get(id) ? 'updated' : 'created') satisfies Change as Change,
      }))
    const count = (change: Change) => changes.filter((one) => one.change === change).length
    return {
      dryRun,
      created: count('created'),
      updated: count('updated'),
      unchanged: saves.length - changes.length,
      deleted: removed.length,
      changes: [...changes, ...removed.map((one) => ({ ...one, change: 'deleted' as const }))],
      templatesMissing: saves.flatMap((one) => missingTemplate(edit, one)),
    }
  }
  return store.edit(actor, work, { dryRun })
}

function missingTemplate(edit: Edit, { kind, id, entity }: Save): ImportResult['templatesMissing'][number][] {
  if (kind !== 'report') return []
  const wanted = entity as Report
  if (wanted.type !== 'template' || wanted.template?.source !== 'upload') return []
  const kept = editable(edit.get('report', id)!)
  if (kept.type === 'template' && kept.template !== null) return []
  return [{ id, name: wanted.name, fileName: wanted.template.fileName }]
}
