/** Content types and relationships of an Office package (ECMA-376 part 2): which part is of which kind, and which refers to which. */
import { posix } from 'node:path'
import { attributesOf, escapeAttribute, localName, readXml } from './xml.ts'

export const CONTENT_TYPES = '[Content_Types].xml'
const TYPES_NAMESPACE = 'http://schemas.openxmlformats.org/package/2006/content-types'
const RELATIONSHIPS_NAMESPACE = 'http://schemas.openxmlformats.org/package/2006/relationships'
/** Begins the types of relationships that Office writes: `OFFICE_RELATIONSHIP + 'image'`. */
export const OFFICE_RELATIONSHIP = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
const DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'

/** Elements by their names without prefixes. Throws `TEMPLATE_INVALID` with `place` for broken XML. */
function elementsOf(xml: string, place: string): { name: string; attributes: ReadonlyMap<string, string> }[] {
  const elements: { name: string; attributes: ReadonlyMap<string, string> }[] = []
  readXml(xml, place, {
    start: (name, attributes) => void elements.push({ name: localName(name), attributes: attributesOf(attributes) }),
  })
  return elements
}

/** The media types of the parts. Paths are without a leading slash and compared without case. */
export class ContentTypes {
  private readonly defaults = new Map<string, string>()
  private readonly overrides = new Map<string, { path: string; type: string }>()

  /** Throws `TEMPLATE_INVALID` for broken XML. */
  constructor(xml: string) {
    for (const { name, attributes } of elementsOf(xml, CONTENT_TYPES)) {
      const type = attributes.get('ContentType') ?? ''
      if (name === 'Default') this.defaults.set((attributes.get('Extension') ?? '').toLowerCase(), type)
      if (name === 'Override') this.set((attributes.get('PartName') ?? '').replace(/^\//, ''), type)
    }
  }

  /** '' when the part has no type. */
  typeOf(path: string): string {
    return this.overrides.get(path.toLowerCase())?.type ?? this.defaults.get(extensionOf(path)) ?? ''
  }

  set(path: string, type: string): void {
    this.overrides.set(path.toLowerCase(), { path, type })
  }

  /** Gives all parts with the extension this type, unless the extension has one: `png`, `image/png`. */
  setDefault(extension: string, type: string): void {
    if (!this.defaults.has(extension)) this.defaults.set(extension, type)
  }

  remove(path: string): void {
    this.overrides.delete(path.toLowerCase())
  }

  /** Parts of the type that have an entry of their own. */
  pathsOf(type: string): string[] {
    return [...this.overrides.values()].filter((entry) => entry.type === type).map((entry) => entry.path)
  }

  toXml(): string {
    const defaults = Array.from(
      this.defaults,
      ([extension, type]) =>
        `<Default Extension="${escapeAttribute(extension)}" ContentType="${escapeAttribute(type)}"/>`,
    )
    const overrides = Array.from(
      this.overrides.values(),
      ({ path, type }) => `<Override PartName="/${escapeAttribute(path)}" ContentType="${escapeAttribute(type)}"/>`,
    )
    return `${DECLARATION}<Types xmlns="${TYPES_NAMESPACE}">${defaults.join('')}${overrides.join('')}</Types>`
  }
}

export const extensionOf = (path: string): string => posix.extname(path).slice(1).toLowerCase()

export interface Relationship {
  readonly id: string
  /** An address; `kindOf` gives its last word. */
  readonly type: string
  /** Path of a part, from the root of the package without a leading slash; '' for the owner itself; an address when `external`. */
  readonly target: string
  readonly external: boolean
  /** Behind `#` in the target: a place in the part. */
  readonly fragment: string
}

/** `image`, `hyperlink`, `chart`, ... */
export const kindOf = ({ type }: Pick<Relationship, 'type'>): string => type.slice(type.lastIndexOf('/') + 1)

/** Path of the relationships of a part; of the package itself for ''. */
export function relationshipsPath(part: string): string {
  const slash = part.lastIndexOf('/') + 1
  return `${part.slice(0, slash)}_rels/${part.slice(slash)}.rels`
}

/** The part that the relationships in `path` belong to; null when `path` is no part with relationships. */
export function ownerOf(path: string): string | null {
  const match = /^(.*?)_rels\/([^/]*)\.rels$/i.exec(path)
  return match ? `${match[1]}${match[2]}` : null
}

/** A scheme, the letter of a drive, a share: no part of a package, regardless of the mode. */
const OUTSIDE = /^(?:[a-z][a-z0-9+.-]*:|[\\/]{2}|\\)/i

/** Whether the address leads out of the file. */
export const isOutside = (address: string): boolean => OUTSIDE.test(plainAddress(address))

/** The address as programs follow it: without the signs that they skip, and with the escaped ones that hide its scheme. */
export const plainAddress = (address: string): string =>
  address
    .replace(/%([0-7][0-9a-f])/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replace(/[\p{Cc}\p{Cf}]/gu, '')
    .trim()

/** Reads relationships of the part `owner`; targets become absolute. Throws `TEMPLATE_INVALID` for broken XML. */
export function readRelationships(xml: string, owner: string): Relationship[] {
  return elementsOf(xml, relationshipsPath(owner))
    .filter(({ name }) => name === 'Relationship')
    .map(({ attributes }) => {
      const target = (attributes.get('Target') ?? '').trim()
      const external = attributes.get('TargetMode')?.trim().toLowerCase() === 'external' || isOutside(target)
      const hash = external ? -1 : target.indexOf('#')
      const path = hash < 0 ? target : target.slice(0, hash)
      return {
        id: attributes.get('Id') ?? '',
        type: attributes.get('Type') ?? '',
        target: external ? target : absolute(path, owner),
        external,
        fragment: hash < 0 ? '' : target.slice(hash),
      }
    })
}

function decoded(address: string): string {
  try {
    return decodeURIComponent(address)
  } catch {
    // Not an encoded name: taken as it stands.
    return address
  }
}

function absolute(target: string, owner: string): string {
  const path = decoded(target)
  if (path === '') return ''
  return path.startsWith('/') ? posix.normalize(path).slice(1) : posix.join(posix.dirname(owner), path)
}

/** Text of a relationships part; targets are written from the root of the package. */
export function writeRelationships(relationships: readonly Relationship[]): string {
  const elements = relationships.map(({ id, type, target, external, fragment }) => {
    const written = external ? target : target === '' ? fragment : `/${encodeURI(target)}${fragment}`
    const mode = external ? ' TargetMode="External"' : ''
    return `<Relationship Id="${escapeAttribute(id)}" Type="${escapeAttribute(type)}" Target="${escapeAttribute(written)}"${mode}/>`
  })
  return `${DECLARATION}<Relationships xmlns="${RELATIONSHIPS_NAMESPACE}">${elements.join('')}</Relationships>`
}

/** An id that none of the relationships has: `rId7`. */
export function freeRelationshipId(relationships: readonly Relationship[]): string {
  const taken = new Set(relationships.map(({ id }) => id))
  let number = relationships.length + 1
  while (taken.has(`rId${number}`)) number++
  return `rId${number}`
}

/** A path that does not exist yet: `xl/media/image.png` becomes `xl/media/image2.png`. */
export function freePath(path: string, exists: (path: string) => boolean): string {
  const { dir, name, ext } = posix.parse(path)
  const stem = `${dir}/${name.replace(/(?<!\d)\d+$/, '')}`
  let number = 1
  while (exists(`${stem}${number}${ext}`)) number++
  return `${stem}${number}${ext}`
}
