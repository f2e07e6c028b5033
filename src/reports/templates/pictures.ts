/** Pictures whose alternative text is a tag: replaced by charts and images, in the box of the picture. */

import type { Element, Node } from '@xmldom/xmldom'
import { allowedText } from '../documents/markup.ts'
import { childNamed, childNodes, closest, descendants, remove } from './dom.ts'
import type { Draft } from './draft.ts'
import type { ImageSize } from './images.ts'
import type { Findings, Names } from './names.ts'
import { kindOf } from './parts.ts'
import type { Scope } from './scope.ts'
import { hasTags, parseTags, type TagOf } from './tags.ts'

/** Namespace of the attributes that name relationships: `r:id`, `r:embed`. */
export const RELATIONSHIPS = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'
/** English Metric Units in a pixel of 1/96 inch. */
const EMU_PER_PIXEL = 9525
/** Full width or height in a crop rectangle. */
const WHOLE = 100_000

/** A drawing whose alternative text holds a tag. */
interface TaggedDrawing {
  /** `Picture 1` */
  readonly name: string
  /** Carry the alternative text. */
  readonly properties: readonly Element[]
  /** Null when the alternative text is more than one tag. */
  readonly tag: TagOf<'value'> | null
  /** Null when the drawing is no single picture. */
  readonly picture: Element | null
  readonly box: ImageSize
}

/** Elements that hold drawings with their properties: `wp:inline`, `wp:anchor`, `pic:pic`, `p:sp`, `xdr:graphicFrame`, ... */
function taggedDrawings(root: Node, isSkipped: (element: Element) => boolean): TaggedDrawing[] {
  const found: TaggedDrawing[] = []
  const handled = new Set<Element>()
  for (const properties of descendants(root, isSkipped)) {
    if (properties.localName !== 'docPr' && properties.localName !== 'cNvPr') continue
    const text = properties.getAttribute('descr') ?? ''
    if (!hasTags(text)) continue
    const isWord = properties.localName === 'docPr'
    const owner = isWord ? properties.parentNode : (closest(properties, 'pic', root) ?? properties.parentNode)
    const pictures = owner && isWord ? descendants(owner).filter(isPicture) : [owner as Element]
    const picture = pictures.length === 1 && isPicture(pictures[0]!) ? pictures[0]! : null
    if (picture && handled.has(picture)) continue
    if (picture) handled.add(picture)
    const [tag, ...others] = parseTags(text.trim())
    const inner = picture ? descendants(picture).filter(({ localName }) => localName === 'cNvPr') : []
    found.push({
      name: properties.getAttribute('name') ?? '',
      properties: [properties, ...inner.filter((one) => one !== properties)],
      tag: tag?.kind === 'value' && tag.source === text.trim() && others.length === 0 ? tag : null,
      picture,
      box: boxOf(picture, isWord && owner ? (childNamed(owner, 'extent') ?? null) : null),
    })
  }
  return found
}

const isPicture = (element: Element) => element.localName === 'pic'

function boxOf(picture: Element | null, extent: Element | null): ImageSize {
  const transform = picture && descendants(picture).find(({ localName }) => localName === 'xfrm')
  const size = extent ?? (transform && childNamed(transform, 'ext')) ?? null
  const pixels = (name: string) => Math.max(1, Math.round(Number(size?.getAttribute(name) ?? 0) / EMU_PER_PIXEL))
  return { width: pixels('cx'), height: pixels('cy') }
}

/** Checks the tags in alternative texts. `where`: `on slide 3`, `in the document`. */
export function checkPictures(
  root: Node,
  findings: Findings,
  names: Names,
  where: string,
  isSkipped: (element: Element) => boolean = NONE,
): void {
  for (const { name, tag, picture, properties } of taggedDrawings(root, isSkipped)) {
    const place = `picture "${name}" ${where}`
    const problem = (code: 'TEMPLATE_INVALID' | 'TEMPLATE_UNSUPPORTED', details: string) =>
      findings.add({ code, place, details: `${properties[0]?.getAttribute('descr')}: ${details}` })
    if (!tag) problem('TEMPLATE_INVALID', 'the alternative text has to be one tag alone')
    else if (!picture) problem('TEMPLATE_UNSUPPORTED', 'only a single picture can be replaced by a chart or image')
    else findings.checkPicture(tag, place, names)
  }
  for (const shape of descendants(root, isSkipped)) {
    const text = shape.namespaceURI === 'urn:schemas-microsoft-com:vml' ? (shape.getAttribute('alt') ?? '') : ''
    if (!hasTags(text)) continue
    const details = `${text}: a picture of the old kind (VML) cannot be replaced; insert it anew`
    findings.add({ code: 'TEMPLATE_UNSUPPORTED', place: `picture ${where}`, details })
  }
}

const NONE = () => false

/** Replaces the tagged pictures below `root`, which belongs to `part`. */
export async function fillPictures(
  root: Node,
  part: string,
  scope: Scope,
  draft: Draft,
  isSkipped: (element: Element) => boolean = NONE,
): Promise<void> {
  for (const { tag, picture, box, properties } of taggedDrawings(root, isSkipped)) {
    const fill = picture && descendants(picture).find(({ localName }) => localName === 'blipFill')
    const blip = fill && childNamed(fill, 'blip')
    if (!tag || !fill || !blip) continue
    const drawn = await scope.picture(tag.path, box)
    // A vector form of the old picture stands in the extensions, recolouring beside them.
    for (const child of childNodes(blip)) remove(child)
    blip.removeAttributeNS(RELATIONSHIPS, 'link')
    blip.setAttributeNS(RELATIONSHIPS, `${prefixOf(blip)}:embed`, await draft.picture(part, drawn))
    fitInside(fill, blip, box, drawn)
    for (const one of properties) one.setAttribute('descr', allowedText(drawn.title))
  }
}

const prefixOf = (element: Element) => element.lookupPrefix(RELATIONSHIPS) ?? 'r'

/** Shows the whole picture in the middle of the box: a negative crop leaves the rest of the box empty. */
function fitInside(fill: Element, blip: Element, box: ImageSize, picture: ImageSize): void {
  const known = childNamed(fill, 'srcRect')
  if (known) remove(known)
  const boxRatio = box.width / box.height
  const ratio = picture.width / picture.height
  const [wide, high] = [
    Math.round((WHOLE * (boxRatio / ratio - 1)) / 2),
    Math.round((WHOLE * (ratio / boxRatio - 1)) / 2),
  ]
  if (Math.abs(wide) < WHOLE / 200) return
  const crop = fill.ownerDocument!.createElementNS(blip.namespaceURI, `${blip.prefix}:srcRect`)
  for (const side of wide > 0 ? ['l', 'r'] : ['t', 'b']) crop.setAttribute(side, String(-Math.max(wide, high)))
  fill.insertBefore(crop, blip.nextSibling)
}

/** The ids of relationships that elements below `root` name; none are looked for where the part has no pictures. */
export async function namedRelationships(root: Node, part: string, draft: Draft): Promise<Set<string>> {
  const ids = new Set<string>()
  if (!(await draft.relationships(part)).some((one) => kindOf(one) === 'image')) return ids
  for (const element of descendants(root)) {
    for (const { namespaceURI, value } of Array.from(element.attributes)) {
      if (namespaceURI === RELATIONSHIPS) ids.add(value)
    }
  }
  return ids
}

/** Releases the pictures that `root` no longer shows. `before`: the relationships that it named before it was filled. */
export async function releasePictures(
  root: Node,
  part: string,
  before: ReadonlySet<string>,
  draft: Draft,
): Promise<void> {
  if (before.size === 0) return
  const after = await namedRelationships(root, part, draft)
  for (const relationship of [...(await draft.relationships(part))]) {
    const { id } = relationship
    if (kindOf(relationship) === 'image' && before.has(id) && !after.has(id)) await draft.release(part, id)
  }
}
