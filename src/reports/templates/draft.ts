/** An Office package while it is filled: new and changed parts with their relationships, content types and pictures. */

import type { OfficePackage, PartContent } from './package.ts'
import {
  CONTENT_TYPES,
  type ContentTypes,
  freeRelationshipId,
  OFFICE_RELATIONSHIP,
  ownerOf,
  type Relationship,
  relationshipsPath,
  writeRelationships,
} from './parts.ts'
import type { Picture } from './scope.ts'

/** Begins the names of pictures that Footman adds. */
const PICTURE = 'footman'

export class Draft {
  readonly types: ContentTypes
  readonly #changes = new Map<string, PartContent>()
  readonly #relationships = new Map<string, { readonly list: Relationship[]; readonly original: string }>()
  readonly #pictures = new Map<Picture, string>()
  /** Parts that a part referred to before. */
  readonly #released = new Set<string>()

  constructor(
    readonly source: OfficePackage,
    /** `word/media` */
    private readonly mediaFolder: string,
  ) {
    this.types = source.contentTypes()
  }

  has(path: string): boolean {
    return this.#changes.has(path) ? this.#changes.get(path) !== null : this.source.has(path)
  }

  /** Text of a part, with its changes so far. */
  async text(path: string): Promise<string> {
    const changed = this.#changes.get(path)
    return typeof changed === 'string' ? changed : await this.source.text(path)
  }

  set(path: string, content: PartContent): void {
    this.#changes.set(path, content)
  }

  /** Adds a part with its own content type. */
  add(path: string, content: PartContent, type: string): void {
    this.set(path, content)
    this.types.set(path, type)
  }

  remove(path: string): void {
    this.set(path, null)
    this.types.remove(path)
    this.#relationships.delete(path)
    if (this.source.has(relationshipsPath(path))) this.set(relationshipsPath(path), null)
  }

  /** Relationships of a part, to be changed in place. */
  async relationships(part: string): Promise<Relationship[]> {
    const known = this.#relationships.get(part)
    if (known) return known.list
    const list = this.source.has(part) || part === '' ? await this.source.relationships(part) : []
    this.#relationships.set(part, { list, original: JSON.stringify(list) })
    return list
  }

  /** Adds a relationship to `target` and returns its id. */
  async relate(part: string, kind: string, target: string): Promise<string> {
    const list = await this.relationships(part)
    const type = `${OFFICE_RELATIONSHIP}${kind}`
    const known = list.find((one) => one.type === type && one.target === target && !one.external && one.fragment === '')
    if (known) return known.id
    const id = freeRelationshipId(list)
    list.push({ id, type, target, external: false, fragment: '' })
    return id
  }

  /** The relationship id by which `part` shows the picture; equal pictures are one part. */
  async picture(part: string, picture: Picture): Promise<string> {
    let path = this.#pictures.get(picture)
    if (path === undefined) {
      path = `${this.mediaFolder}/${PICTURE}${this.#pictures.size + 1}.${picture.extension}`
      this.#pictures.set(picture, path)
      this.add(path, new Uint8Array(picture.bytes), `image/${picture.extension}`)
    }
    return await this.relate(part, 'image', path)
  }

  /** Removes a relationship, and its target when no other part refers to it. */
  async release(part: string, id: string): Promise<void> {
    const list = await this.relationships(part)
    const at = list.findIndex((one) => one.id === id)
    const [removed] = at < 0 ? [] : list.splice(at, 1)
    if (removed && !removed.external) this.#released.add(removed.target)
  }

  /** The changes, for `writePackage`. */
  async finish(): Promise<Map<string, PartContent>> {
    await this.#removeUnused()
    for (const [part, { list, original }] of this.#relationships) {
      if (JSON.stringify(list) !== original) this.set(relationshipsPath(part), writeRelationships(list))
    }
    this.set(CONTENT_TYPES, this.types.toXml())
    return this.#changes
  }

  async #removeUnused(): Promise<void> {
    if (this.#released.size === 0) return
    const owners = [...this.source.paths()].flatMap((path) => ownerOf(path) ?? [])
    for (const owner of new Set([...owners, ...this.#relationships.keys()])) {
      if (owner !== '' && !this.has(owner)) continue
      for (const { target, external } of await this.relationships(owner)) if (!external) this.#released.delete(target)
    }
    for (const path of this.#released) if (this.source.has(path)) this.remove(path)
  }
}
