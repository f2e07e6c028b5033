/** The parts of a workbook under way: copies, new content, and the removal of parts without references. */
import { Draft } from '../draft.ts'
import type { OfficePackage, PartContent } from '../package.ts'
import { CONTENT_TYPES, freePath, ownerOf, type Relationship, readRelationships, relationshipsPath } from '../parts.ts'

export interface Parts {
  readonly source: OfficePackage
  readonly draft: Draft
  /** Content type of a part. */
  typeOf(path: string): string
  /** A path like this one that no part has; it is taken from now on. */
  free(path: string): string
  /** Writes a part; `type` for new ones. Parts may still be written while the file is. */
  write(path: string, content: PartContent, type?: string): void
  writeRelationships(part: string, relationships: readonly Relationship[]): Promise<void>
  /** Removes the parts that have lost their last reference. Returns the changes for `writePackage`. */
  finish(): Promise<Map<string, PartContent>>
}

export function createParts(source: OfficePackage): Parts {
  const draft = new Draft(source, 'xl/media')
  const taken = new Set(source.paths().map((path) => path.toLowerCase()))
  return {
    source,
    draft,
    typeOf: (path) => draft.types.typeOf(path),
    free(path) {
      const free = freePath(path, (candidate) => taken.has(candidate.toLowerCase()))
      taken.add(free.toLowerCase())
      return free
    },
    write(path, content, type) {
      taken.add(path.toLowerCase())
      draft.set(path, content)
      if (type && draft.types.typeOf(path) !== type) draft.types.set(path, type)
    },
    async writeRelationships(part, relationships) {
      const list = await draft.relationships(part)
      list.splice(0, list.length, ...relationships)
    },
    async finish() {
      const changes = await draft.finish()
      const before = await reachable(source, null)
      const after = await reachable(source, changes)
      for (const path of before) {
        if (after.has(path)) continue
        changes.set(path, null)
        draft.types.remove(path)
        const related = relationshipsPath(path)
        if (source.has(related)) changes.set(related, null)
      }
      return changes.set(CONTENT_TYPES, draft.types.toXml())
    },
  }
}

/** Paths of the parts that relationships lead to from the package on, with `changes` applied. */
async function reachable(
  source: OfficePackage,
  changes: ReadonlyMap<string, PartContent> | null,
): Promise<Set<string>> {
  const found = new Set<string>()
  const waiting = ['']
  for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
    const changed = changes?.get(relationshipsPath(part))
    const relationships =
      typeof changed === 'string' ? readRelationships(changed, part) : await source.relationships(part)
    for (const { target, external } of relationships) {
      if (external || target === '' || found.has(target) || ownerOf(target) !== null) continue
      found.add(target)
      waiting.push(target)
    }
  }
  return found
}
