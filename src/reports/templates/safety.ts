/** Refuses Office files that run code, load other files or are no well-formed XML. Nothing here depends on tags. */
import { type ContentTypes, extensionOf, kindOf, ownerOf, type Relationship, readRelationships } from './parts.ts'
import { TemplateError, type TemplateProblem } from './problems.ts'
import { checkXml, unescapeXml } from './xml.ts'

interface Source {
  readonly format: string
  paths(): readonly string[]
  text(path: string): Promise<string>
}

/** Kinds of relationships, with the word for what they bring. */
const FORBIDDEN_KINDS: Readonly<Record<string, string>> = {
  vbaProject: 'macros',
  wordVbaData: 'macros',
  xlMacrosheet: 'macros',
  xlIntlMacrosheet: 'macros',
  control: 'an ActiveX control',
  activeXControlBinary: 'an ActiveX control',
  oleObject: 'an OLE object',
  externalLink: 'a link to another workbook',
  externalLinkPath: 'a link to another workbook',
  connections: 'a data connection',
  queryTable: 'a query table',
  attachedTemplate: 'an attached template',
  subDocument: 'a linked document',
  frame: 'a linked frame',
  aFChunk: 'an embedded document in another format',
  webextension: 'an add-in from the web',
}
const FORBIDDEN_TYPES: readonly (readonly [RegExp, string])[] = [
  [/vbaProject|macrosheet|macroEnabled/i, 'macros'],
  [/activeX/i, 'an ActiveX control'],
  [/oleObject/i, 'an OLE object'],
  [/externalLink/i, 'a link to another workbook'],
  [/spreadsheetml\.connections\+xml/i, 'a data connection'],
  [/spreadsheetml\.queryTable\+xml/i, 'a query table'],
]
const FORBIDDEN_FIELDS = new Set(['INCLUDEPICTURE', 'INCLUDETEXT', 'LINK', 'DDE', 'DDEAUTO', 'DATABASE'])
const FORBIDDEN_FUNCTION = /(?<![A-Z0-9_])(WEBSERVICE|RTD|CALL|REGISTER\.ID|DDE|IMAGE)\s*\(/i
const FIELD_PART = /<(?:\w+:)?(fldChar|instrText|delInstrText|fldSimple)\b((?:[^>"']|"[^"]*"|'[^']*')*)>([^<]*)/g
/** Elements of workbooks that hold formulas, of any version and place: cells, names, rules, charts, tables. */
const FORMULA =
  /<(?:\w+:)?(?:f|formula|formula1|formula2|definedName|calculatedColumnFormula|totalsRowFormula|fmla)(?:\s(?:[^>"']|"[^"]*"|'[^']*')*)?>([^<]+)</g

/** Problems of all parts of an opened package. */
export async function checkParts(source: Source, types: ContentTypes): Promise<TemplateProblem[]> {
  const problems: TemplateProblem[] = []
  const unsafe = (place: string, details: string) => problems.push({ code: 'TEMPLATE_UNSAFE', place, details })
  for (const path of source.paths()) {
    const type = types.typeOf(path)
    const forbidden = /(^|\/)vbaProject\.bin$/i.test(path)
      ? 'macros'
      : FORBIDDEN_TYPES.find(([types]) => types.test(type))?.[1]
    if (forbidden) unsafe(path, `the file has ${forbidden}`)
    if (extensionOf(path) !== 'vml' && !isXmlPart(path, type)) continue
    try {
      await checkMarkup(source, path, unsafe)
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error
      problems.push(...error.problems)
    }
  }
  return problems
}

const isXmlPart = (path: string, type: string): boolean =>
  /[+/]xml$/i.test(type) || /^(xml|rels)$/.test(extensionOf(path))

type Unsafe = (place: string, details: string) => void

async function checkMarkup(source: Source, path: string, unsafe: Unsafe): Promise<void> {
  const text = await source.text(path)
  if (extensionOf(path) === 'vml') {
    // VML of Excel is not always well-formed; it is changed as text only.
    if (/<!(DOCTYPE|ENTITY)/i.test(text)) unsafe(path, 'the XML has a <!DOCTYPE')
    return
  }
  checkXml(text, path)
  const owner = ownerOf(path)
  if (owner !== null) checkRelationships(readRelationships(text, owner), owner, unsafe)
  else if (source.format === 'docx') checkFields(text, path, unsafe)
  else if (source.format === 'xlsx') checkFormulas(text, path, unsafe)
}

function checkRelationships(relationships: readonly Relationship[], owner: string, unsafe: Unsafe): void {
  for (const relationship of relationships) {
    const kind = kindOf(relationship)
    const { target, external } = relationship
    const what = Object.hasOwn(FORBIDDEN_KINDS, kind) ? FORBIDDEN_KINDS[kind] : undefined
    const place = owner || 'the file'
    if (what) unsafe(place, `the file has ${what}`)
    else if (external && !(kind === 'hyperlink' && /^(https?|mailto):/i.test(target))) {
      unsafe(place, `refers to something outside of the file: ${kind} ${target.slice(0, 200)}`)
    } else if (kind === 'package' && !/\/charts(Ex)?\//i.test(owner)) unsafe(place, 'the file has an OLE object')
  }
}

/** Field codes of Word; they may be split over runs and nested. */
function checkFields(text: string, path: string, unsafe: Unsafe): void {
  const check = (code: string) => {
    const name = /^\s*"?([A-Za-z]+)/.exec(code)?.[1]?.toUpperCase() ?? ''
    if (FORBIDDEN_FIELDS.has(name)) unsafe(path, `the field ${name} loads something from outside`)
  }
  const open: string[] = []
  for (const [, name, attributes = '', content = ''] of text.matchAll(FIELD_PART)) {
    if (name === 'fldSimple')
      check(unescapeXml(/\binstr\s*=\s*(?:"([^"]*)"|'([^']*)')/.exec(attributes)?.slice(1).join('') ?? ''))
    else if (name !== 'fldChar') open.push((open.pop() ?? '') + unescapeXml(content))
    else if (/["']begin["']/.test(attributes)) open.push('')
    else {
      const code = open.pop() ?? ''
      check(code)
      // A separated field stays open, without code, until its end.
      if (/["']separate["']/.test(attributes)) open.push('')
    }
  }
  for (const code of open) check(code)
}

function checkFormulas(text: string, path: string, unsafe: Unsafe): void {
  for (const [, source = ''] of text.matchAll(FORMULA)) {
    // Without strings and quoted sheet names; none of them can hold a call.
    const formula = unescapeXml(source).replace(/"(?:[^"]|"")*"/g, '""')
    const called = FORBIDDEN_FUNCTION.exec(formula)?.[1]
    if (called) unsafe(path, `the formula calls ${called.toUpperCase()}(: ${formula.slice(0, 100)}`)
    else if (formula.includes('|')) unsafe(path, `the formula has a DDE link: ${formula.slice(0, 100)}`)
    else if (/(^|[^\w\]])\[[^\]]*\][^!'"[\]]*!|'[^']*\[[^']*'!/.test(formula)) {
      unsafe(path, `the formula refers to another workbook: ${formula.slice(0, 100)}`)
    }
  }
}
