/** Tags outside of the text of an Office file: its properties are filled, other parts that show tags are problems. */
import type { Document } from '@xmldom/xmldom'
import { allowedText } from '../documents/markup.ts'
import { childElements, descendants, remove } from './dom.ts'
import type { Draft } from './draft.ts'
import type { Findings, Names } from './names.ts'
import type { OfficePackage } from './package.ts'
import { kindOf, ownerOf, plainAddress } from './parts.ts'
import type { Scope } from './scope.ts'
import { hasTags, holdsTags, parseTags, type Tag } from './tags.ts'
import { parseXml, serializeXml } from './xml.ts'

/** Kinds of parts with the title, author, keywords, company and own properties of a file. */
const PROPERTIES: ReadonlySet<string> = new Set(['core-properties', 'extended-properties', 'custom-properties'])
/** Names of sheets and slides before they were filled; Office writes them anew. */
const OUTLINE: ReadonlySet<string | null> = new Set(['TitlesOfParts', 'HeadingPairs'])

async function* propertiesWithTags(opened: OfficePackage) {
  for (const relationship of await opened.relationships('')) {
    const path = relationship.target
    if (!PROPERTIES.has(kindOf(relationship)) || !opened.has(path)) continue
    const xml = await opened.text(path)
    if (!holdsTags(xml)) continue
    const document = await parseXml(xml, path)
    for (const list of descendants(document).filter(({ localName }) => OUTLINE.has(localName))) remove(list)
    const texts = descendants(document).filter((element) => childElements(element).length === 0)
    yield { path, document, texts: texts.filter((element) => holdsTags(element.textContent ?? '')) }
  }
}

/** Tags of texts that have a value in the whole document. */
const isValue = (tag: Tag): tag is Extract<Tag, { kind: 'value' | 'expression' | 'literal' }> =>
  tag.kind === 'value' || tag.kind === 'expression' || tag.kind === 'literal'

export const hasFilledProperties = async (opened: OfficePackage): Promise<boolean> =>
  !(await propertiesWithTags(opened).next()).done

/** Checks the tags of the properties of the file. */
export async function checkProperties(opened: OfficePackage, names: Names, findings: Findings): Promise<void> {
  for await (const { texts } of propertiesWithTags(opened)) {
    for (const element of texts) {
      const place = `property "${element.getAttribute('name') ?? element.parentElement?.getAttribute('name') ?? element.localName}"`
      for (const tag of parseTags(element.textContent ?? '')) {
        if (isValue(tag) || tag.kind === 'invalid') findings.check(tag, place, names)
        else findings.add({ code: 'TEMPLATE_LOOP', place, details: `${tag.source}: nothing is repeated in a property` })
      }
    }
  }
}

/** Fills the properties of the file, which have been checked. */
export async function fillProperties(draft: Draft, scope: Scope): Promise<void> {
  for await (const { path, document, texts } of propertiesWithTags(draft.source)) {
    for (const element of texts) {
      const source = element.textContent ?? ''
      let text = ''
      let end = 0
      for (const tag of parseTags(source)) {
        text += source.slice(end, tag.start) + (isValue(tag) ? await scope.text(tag) : tag.source)
        end = tag.end
      }
      element.textContent = allowedText(text + source.slice(end))
    }
    draft.set(path, await serializeXml(document))
  }
}

/** Parts of documents and presentations whose texts are kept as they are, by their content type. */
const KEPT: readonly (readonly [RegExp, string])[] = [
  [/drawingml\.chart\+xml$|chartex\+xml$/, 'native charts'],
  [/drawingml\.diagramData\+xml$/, 'SmartArt'],
  [/\.comments\+xml$/, 'comments'],
  [/presentationml\.(slideMaster|slideLayout|notesMaster|handoutMaster)\+xml$/, 'masters and layouts'],
]

/** Reports tags in parts that are kept as they are, so that none reaches a reader. */
export async function checkKept(opened: OfficePackage, findings: Findings): Promise<void> {
  const types = opened.contentTypes()
  for (const path of opened.paths()) {
    const what = KEPT.find(([type]) => type.test(types.typeOf(path)))?.[1]
    if (what === undefined) continue
    const xml = await opened.text(path)
    if (!holdsTags(xml)) continue
    const [first] = parseTags(xml.replaceAll(/<[^<>]*>/g, ''))
    const details = `tags in ${what} are not filled${first ? `: ${first.source.slice(0, 100)}` : ''}`
    findings.add({ code: 'TEMPLATE_UNSUPPORTED', place: path, details })
  }
}

const MATH = 'http://schemas.openxmlformats.org/officeDocument/2006/math'
/** Attributes of pictures whose tags name what takes their place, and codes of fields, which are checked as such. */
const KNOWN_ATTRIBUTES: ReadonlySet<string | null> = new Set(['descr', 'title', 'alt', 'instr'])

/** Reports tags of a document or slide that stand in no text: in equations, entries of lists, hints of links. */
export function checkOutsideText(document: Document, place: string, findings: Findings): void {
  const report = (what: string, text: string): void => {
    const details = `tags in ${what} are not filled: ${text.slice(0, 100)}`
    findings.add({ code: 'TEMPLATE_UNSUPPORTED', place, details })
  }
  for (const element of descendants(document)) {
    if (element.localName === 'oMath' && element.namespaceURI === MATH && hasTags(element.textContent ?? ''))
      report('equations', element.textContent ?? '')
    for (const { localName, value } of Array.from(element.attributes)) {
      if (value.includes('{{') && !KNOWN_ATTRIBUTES.has(localName)) report(`<${element.localName} ${localName}>`, value)
    }
  }
}

/** Reports tags in addresses of links, which all copies of a cell, paragraph or slide share. Encoded ones are tags, too. */
export async function checkAddresses(opened: OfficePackage, findings: Findings): Promise<void> {
  for (const path of opened.paths()) {
    const owner = ownerOf(path)
    if (owner === null) continue
    for (const { target, fragment, external } of await opened.relationships(owner)) {
      // A place in the file may be one of a sheet with a level in its name.
      if (!external) continue
      const address = plainAddress(fragment === '' ? target : `${target}#${fragment}`)
      if (!holdsTags(address)) continue
      const details = `the address ${address.slice(0, 100)} has a tag, which is not filled; show the address as a text, in workbooks by =HYPERLINK("https://...?id="&A5,A5)`
      findings.add({ code: 'TEMPLATE_UNSUPPORTED', place: owner || 'package', details })
    }
  }
}
