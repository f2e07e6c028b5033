/** The parts of a workbook under way: which are written anew, added and removed. */
import { createHash } from 'node:crypto'
import type { OfficePackage, PartContent } from '../package.ts'
import {
  CONTENT_TYPES,
  type ContentTypes,
  freePath,
  ownerOf,
  type Relationship,
  readRelationships,
  relationshipsPath,
  writeRelationships,
} from '../parts.ts'

export interface Parts {
  readonly source: OfficePackage
  readonly changes: Map<string, PartContent>
  /** Content type in the source. */
  typeOf(path: string): string
  /** A path like this one that no part has. */
  free(path: string): string
  /** Writes a part; `type` for new ones. */
  write(path: string, content: PartContent, type?: string): void
  writeRelationships(part: string, relationships: readonly Relationship[]): void
  /** Adds a picture. Returns its path; equal pictures become one part. */
  addMedia(bytes: Uint8Array, extension: string): string
  /** Removes the parts that nothing refers to any more, and completes the content types. */
  finish(): Promise<void>
}

export function createParts(source: OfficePackage): Parts {
  const types: ContentTypes = source.contentTypes()
  const changes = new Map<string, PartContent>()
  const taken = new Set(source.paths().map((path) => path.toLowerCase()))
  const media = new Map<string, string>()

  const parts: Parts = {
    source,
    changes,
    typeOf: (path) => types.typeOf(path),
    free: (path) => freePath(path, (candidate) => taken.has(candidate.toLowerCase())),
    write(path, content, type) {
      changes.set(path, content)
      taken.add(path.toLowerCase())
      if (type && types.typeOf(path) !== type) types.set(path, type)
    },
    writeRelationships(part, relationships) {
      parts.write(relationshipsPath(part), writeRelationships(relationships))
    },
    addMedia(bytes, extension) {
      const key = createHash('sha256').update(bytes).digest('hex')
      const known = media.get(key)
      if (known !== undefined) return known
      const path = parts.free(`xl/media/image1.${extension}`)
      types.setDefault(extension, `image/${extension}`)
      parts.write(path, new Uint8Array(bytes))
      media.set(key, path)
      return path
    },
    async finish() {
      const before = await reachable(source, null)
      const after = await reachable(source, changes)
      for (const path of before) {
        if (after.has(path)) continue
        changes.set(path, null)
        types.remove(path)
        const related = relationshipsPath(path)
        if (source.has(related)) changes.set(related, null)
      }
      changes.set(CONTENT_TYPES, types.toXml())
    },
  }
  return parts
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
