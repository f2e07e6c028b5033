/** Refuses Office files that run code, load other files or are no well-formed XML. Nothing here depends on tags. */

import type { TemplateProblem } from '../contract.ts'
import {
  type ContentTypes,
  extensionOf,
  isOutside,
  kindOf,
  ownerOf,
  plainAddress,
  type Relationship,
  readRelationships,
  relationshipsPath,
} from '../parts.ts'
import { TemplateError } from '../problems.ts'
import { attributesOf, decodeXml, localName, plainMarkup, readXml, unescapeXml, type XmlVisitor } from '../xml.ts'
import { fieldCheck } from './fields.ts'
import { formulaProblem, MAX_FORMULA } from './formulas.ts'
import { svgCheck } from './svg.ts'

interface Source {
  readonly format: string
  paths(): readonly string[]
  bytes(path: string): Promise<Uint8Array<ArrayBuffer>>
}

/** Kinds of relationships in small letters, with the word for what they bring. */
const FORBIDDEN_KINDS: ReadonlyMap<string, string> = new Map([
  ['vbaproject', 'macros'],
  ['wordvbadata', 'macros'],
  ['xlmacrosheet', 'macros'],
  ['xlintlmacrosheet', 'macros'],
  ['dialogsheet', 'macros'],
  ['extensibility', 'commands of an add-in'],
  ['usercustomization', 'commands of an add-in'],
  ['keymapcustomizations', 'keyboard shortcuts and toolbars of its own'],
  ['attachedtoolbars', 'keyboard shortcuts and toolbars of its own'],
  ['control', 'an ActiveX control'],
  ['activexcontrolbinary', 'an ActiveX control'],
  ['oleobject', 'an OLE object'],
  ['externallink', 'a link to another workbook'],
  ['externallinkpath', 'a link to another workbook'],
  ['connections', 'a data connection'],
  ['querytable', 'a query table'],
  ['powerpivotdata', 'a data model'],
  ['mailmergesource', 'a mail merge'],
  ['mailmergeheadersource', 'a mail merge'],
  ['recipientdata', 'a mail merge'],
  ['attachedtemplate', 'an attached template'],
  ['transform', 'a style sheet outside of the file'],
  ['subdocument', 'a linked document'],
  ['frame', 'a linked frame'],
  ['afchunk', 'an embedded document in another format'],
  ['webextension', 'an add-in from the web'],
  ['webextensiontaskpanes', 'an add-in from the web'],
  ['rdrichvaluewebimage', 'a picture from the web'],
])
/** Steps that take out what comes into a file without being asked for. */
const REMEDIES: ReadonlyMap<string, string> = new Map([
  ['a data connection', 'delete it in Excel under Data, Queries & Connections, or copy the sheets into a new workbook'],
  ['a mail merge', 'end it in Word under Mailings, Start Mail Merge, Normal Word Document'],
  ['a query table', 'delete its query in Excel under Data, Queries & Connections'],
  ['a data query', 'delete it in Excel under Data, Queries & Connections'],
  ['a link to another workbook', 'break it in Excel under Data, Edit Links (Workbook Links)'],
  ['commands of an add-in', 'copy the content into a new file'],
  ['keyboard shortcuts and toolbars of its own', 'copy the content into a new file'],
])
const FORBIDDEN_TYPES: readonly (readonly [RegExp, string])[] = [
  [/vbaProject|vbaData|macrosheet|dialogsheet|macroEnabled/i, 'macros'],
  [/activeX/i, 'an ActiveX control'],
  [/oleObject/i, 'an OLE object'],
  [/externalLink/i, 'a link to another workbook'],
  [/spreadsheetml\.connections\+xml/i, 'a data connection'],
  [/spreadsheetml\.queryTable\+xml/i, 'a query table'],
  [/attachedToolbars|keyMapCustomizations/i, 'keyboard shortcuts and toolbars of its own'],
  [/webextension/i, 'an add-in from the web'],
  [/rdRichValueWebImage/i, 'a picture from the web'],
]
const has = (what: string): string => {
  const remedy = REMEDIES.get(what)
  return `the file has ${what}${remedy ? `; ${remedy}` : ''}`
}
/** Elements that load or run something without a relationship. */
const FORBIDDEN_ELEMENTS: ReadonlyMap<string, string> = new Map([
  ['connectString', 'a data connection'],
  ['DataMashup', 'a data query'],
  ['ddeLink', 'a DDE link'],
  ['OLEObject', 'an OLE object'],
  ['oleObj', 'an OLE object'],
  ['oleObject', 'an OLE object'],
  ['objectLink', 'an OLE object'],
  ['objectEmbed', 'an OLE object'],
  ['altChunk', 'an embedded document in another format'],
  ['subDoc', 'a linked document'],
  ['attachedTemplate', 'an attached template'],
  ['saveThroughXslt', 'a style sheet outside of the file'],
  ['frameset', 'a linked frame'],
  ['sourceFileName', 'a linked frame'],
  ['udl', 'a mail merge'],
  ['webImageSrd', 'a picture from the web'],
  ['webPublishItem', 'a place outside of the file where it is published'],
  ['DataBinding', 'a data connection'],
])
/** Elements of which a relationship may be a link to a page. Others would load it. */
const LINKS = new Set(['hyperlink', 'hlinkClick', 'hlinkHover', 'hlinkMouseOver'])
/** Elements of VML whose `href` is a picture. */
const PICTURES = new Set(['imagedata', 'fill', 'stroke', 'background'])
/** Elements of workbooks that hold formulas, of any version and place: cells, names, rules, charts, tables. */
const FORMULAS = new Set([
  'f',
  'nf',
  'formula',
  'formula1',
  'formula2',
  'definedName',
  'calculatedColumnFormula',
  'totalsRowFormula',
  'fmla',
  'FmlaMacro',
  'FmlaLink',
  'FmlaRange',
  'FmlaPict',
  'FmlaGroup',
  'FmlaTxbx',
])
/** Attributes of workbooks that hold formulas: of controls, shapes, rules and pivot tables. */
const FORMULA_ATTRIBUTES = new Set([
  'formula',
  'macro',
  'textlink',
  'fmlaMacro',
  'fmlaLink',
  'fmlaRange',
  'fmlaPict',
  'fmlaGroup',
  'fmlaTxbx',
])
/** The `f` of fractions is none of workbooks. */
const MATH = 'http://schemas.openxmlformats.org/officeDocument/2006/math'
/** Attributes that name a file to load: pictures of VML, expansions of Word. */
const SOURCES = new Set(['src', 'althref', 'pict', 'manifestLocation'])
/** Permitted actions of a click on a slide. */
const SLIDE_ACTION = /^ppaction:\/\/(noaction|hlinkshowjump|hlinksldjump|media|customshow)([?]|$)/i
/** Most elements have none of the attributes that are looked at: of all files, and of workbooks. */
const MAY_LOAD = /src|href|pict|action|manifestLocation/i
const WORTH_READING = /xmlns|formula|macro|textlink|fmla|val/i

export type Unsafe = (details: string) => void
/** Checks a file inside of the file. Rejects with its problems. */
type CheckEmbedded = (path: string) => Promise<unknown>

/** Problems of all parts of an opened package. */
export async function checkParts(
  source: Source,
  types: ContentTypes,
  checkEmbedded: CheckEmbedded,
): Promise<TemplateProblem[]> {
  const problems: TemplateProblem[] = []
  const add = (place: string, details: string) => problems.push({ code: 'TEMPLATE_UNSAFE', place, details })
  for (const path of source.paths()) {
    const type = types.typeOf(path)
    const forbidden = /(^|\/)vbaProject\.bin$/i.test(path)
      ? 'macros'
      : FORBIDDEN_TYPES.find(([types]) => types.test(type))?.[1]
    if (forbidden) add(path, has(forbidden))
    try {
      const bytes = await source.bytes(path)
      if (isVml(path)) checkVml(decodeXml(bytes, path), source.format, (details) => add(path, details))
      else if (isXmlPart(path, type) || beginsLikeXml(bytes)) {
        const owner = ownerOf(path)
        const place = owner === '' ? 'the file' : (owner ?? path)
        const links = owner === null ? await linksOf(source, path) : NO_LINKS
        checkMarkup(decodeXml(bytes, path), { path, format: source.format, links }, (details) => add(place, details))
      } else if (isContainer(bytes)) await checkEmbedded(path)
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error
      problems.push(...error.problems)
    }
  }
  return problems
}

const isVml = (path: string): boolean => extensionOf(path) === 'vml'
const isXmlPart = (path: string, type: string): boolean =>
  /[+/]xml$/i.test(type) || /^(xml|rels|svg)$/.test(extensionOf(path))

/** Programs go by relationships rather than names and types, so markup counts wherever it lies. */
function beginsLikeXml(bytes: Uint8Array): boolean {
  const [first, second] = bytes
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return true
  return /^(\u00ef\u00bb\u00bf)?\s{0,64}<[\w?!:\0]/.test(String.fromCharCode(...bytes.subarray(0, 80)))
}

/** ZIP archives, and the files of older Office programs. */
function isContainer([first, second, third]: Uint8Array): boolean {
  return (first === 0x50 && second === 0x4b) || (first === 0xd0 && second === 0xcf && third === 0x11)
}

const NO_LINKS: ReadonlySet<string> = new Set()

/** Ids of the relationships of a part that lead out of the file: all that the check of relationships accepts are links to pages. */
async function linksOf(source: Source, path: string): Promise<ReadonlySet<string>> {
  const related = relationshipsPath(path).toLowerCase()
  const found = source.paths().find((one) => one.toLowerCase() === related)
  if (!found) return NO_LINKS
  const relationships = readRelationships(decodeXml(await source.bytes(found), found), path)
  return new Set(relationships.filter(({ external }) => external).map(({ id }) => id))
}

interface MarkupPart {
  readonly path: string
  readonly format: string
  readonly links: ReadonlySet<string>
}

function checkMarkup(text: string, { path, format, links }: MarkupPart, unsafe: Unsafe): void {
  const owner = ownerOf(path)
  if (owner !== null) {
    checkRelationships(readRelationships(text, owner), owner, unsafe)
    return
  }
  const checks = [elementCheck(unsafe, links), svgCheck(unsafe)]
  if (format === 'docx') checks.push(fieldCheck(unsafe))
  if (format === 'xlsx') checks.push(formulaCheck(unsafe))
  readXml(text, path, {
    start: (name, attributes, local) => {
      for (const check of checks) check.start?.(name, attributes, local)
    },
    end: (name, local) => {
      for (const check of checks) check.end?.(name, local)
    },
    text: (piece) => {
      for (const check of checks) check.text?.(piece)
    },
    instruction: (source) => {
      for (const check of checks) check.instruction?.(source)
    },
  })
}

function checkRelationships(relationships: readonly Relationship[], owner: string, unsafe: Unsafe): void {
  for (const relationship of relationships) {
    const kind = kindOf(relationship)
    const { target, external } = relationship
    const what = FORBIDDEN_KINDS.get(kind.trim().toLowerCase())
    if (what) unsafe(has(what))
    else if (external && !(kind === 'hyperlink' && /^(https?|mailto):/i.test(target))) {
      unsafe(`refers to something outside of the file: ${kind} ${target.slice(0, 200)}`)
    } else if (!external && target.startsWith('..')) {
      unsafe(`refers to something outside of the file: ${kind} ${target.slice(0, 200)}`)
    } else if (kind === 'package' && !/\/charts(Ex)?\//i.test(owner)) unsafe('the file has an OLE object')
  }
}

/** Elements and attributes that load or run something without a relationship. */
function elementCheck(unsafe: Unsafe, links: ReadonlySet<string>): XmlVisitor {
  return {
    start(_name, attributes, local) {
      const what = FORBIDDEN_ELEMENTS.get(local)
      if (what) unsafe(has(what))
      const mayLoad = links.size > 0 && attributes.includes(':') && !LINKS.has(local)
      if (!mayLoad && !CACHE_SOURCES.has(local) && !MAY_LOAD.test(attributes)) return
      const read = attributesOf(attributes)
      if (CACHE_SOURCES.has(local) && isOtherSource(read)) unsafe(has('a pivot table of data outside of the file'))
      for (const [written, value] of read) {
        const attribute = localName(written)
        const isSource = SOURCES.has(attribute) || (attribute === 'href' && PICTURES.has(local))
        const isLoaded = mayLoad && written.includes(':') && links.has(value)
        if (isLoaded || (isSource && isOutside(value))) {
          unsafe(`refers to something outside of the file: ${written} ${value.slice(0, 200)}`)
        } else if (attribute === 'action') {
          const action = plainAddress(value)
          if (!/^ppaction:/i.test(action) || SLIDE_ACTION.test(action)) continue
          unsafe(`a click on the slide would run something: ${value.slice(0, 200)}`)
        }
      }
    },
  }
}

/** Elements that name the data of a pivot table. */
const CACHE_SOURCES = new Set(['cacheSource', 'worksheetSource', 'rangeSet'])

/** A connection, another workbook by its relationship, or by its name in brackets. */
function isOtherSource(attributes: ReadonlyMap<string, string>): boolean {
  if (attributes.get('type') === 'external' || attributes.has('connectionId')) return true
  return [...attributes].some(
    ([name, value]) =>
      (name.includes(':') && localName(name) === 'id') || (/^(sheet|name)$/.test(name) && /[[\]\\]|:\//.test(value)),
  )
}

/** Formulas of workbooks: the whole text of their elements, and attributes. */
function formulaCheck(unsafe: Unsafe): XmlVisitor {
  /** The namespaces by prefix of each open element that declares some. */
  const namespaces: (ReadonlyMap<string, string> | null)[] = []
  let depth = 0
  let formula: { readonly depth: number; text: string } | null = null

  function check(text: string): void {
    const problem = formulaProblem(text)
    if (problem) unsafe(`${problem}: ${text.slice(0, 100)}`)
  }
  function namespaceOf(name: string): string | undefined {
    const key = name.includes(':') ? `xmlns:${name.slice(0, name.lastIndexOf(':'))}` : 'xmlns'
    return namespaces.findLast((declared) => declared?.has(key))?.get(key)
  }
  return {
    start(name, attributes, local) {
      const read = WORTH_READING.test(attributes) ? attributesOf(attributes) : null
      namespaces.push(read && attributes.includes('xmlns') ? read : null)
      depth++
      for (const [written, value] of read ?? []) {
        const attribute = localName(written)
        if (FORMULA_ATTRIBUTES.has(attribute) || (attribute === 'val' && local === 'cfvo')) check(value)
      }
      if (!formula && FORMULAS.has(local) && namespaceOf(name) !== MATH) formula = { depth, text: '' }
    },
    text(piece) {
      // A formula that is too long is refused, so the rest does not matter.
      if (formula && formula.text.length <= MAX_FORMULA) formula.text += piece()
    },
    end() {
      if (formula?.depth === depth) {
        check(formula.text)
        formula = null
      }
      depth--
      namespaces.pop()
    },
  }
}

/** VML of Excel is not always well-formed; it is changed as text only. Each piece between `<` and `>` is looked at once. */
function checkVml(text: string, format: string, unsafe: Unsafe): void {
  if (/<!(DOCTYPE|ENTITY)/i.test(text)) unsafe('the XML has a <!DOCTYPE')
  const checks = [elementCheck(unsafe, NO_LINKS), ...(format === 'xlsx' ? [formulaCheck(unsafe)] : [])]
  for (const piece of plainMarkup(text).split('<')) {
    const end = piece.indexOf('>')
    if (end < 0 || piece.startsWith('/')) continue
    const [name = ''] = piece.slice(0, end).split(/[\s/]/, 1)
    const local = localName(name)
    for (const check of checks) {
      check.start?.(name, piece.slice(name.length, end), local)
      check.text?.(() => unescapeXml(piece.slice(end + 1)))
      check.end?.(name, local)
    }
  }
}
