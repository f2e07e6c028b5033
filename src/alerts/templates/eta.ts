/**
 * Eta templates: JavaScript between `<%` and `%>`, the variables as `it`. They may include
 * templates of their own folder, and use them as layout, but no others.
 */

import { Eta, type EtaConfig } from 'eta/core'
import { errorText } from '../../platform/errors.ts'
import { ESCAPING, type Target, toText } from './escape.ts'
import { type CompiledTemplate, TemplateError, type TemplatePlace, type TemplateSource } from './source.ts'

type AstNode = ReturnType<Eta['parse']>[number]

/** The output of another template has been escaped already. */
const RENDERED = /^\s*(?:(?:include|capture|block)\s*\(|it\.body\s*$)/

const CLOSING: Readonly<Record<string, string>> = { '{': '}', '(': ')', '[': ']' }
/** Strings, template literals and comments: brackets in them do not count. */
const QUIET = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//g

interface EtaCompiler {
  compile(source: TemplateSource): CompiledTemplate
}

/** Compiles for one target. Malformed templates are rejected with a `TemplateError`. */
export function createEta(target: Target): EtaCompiler {
  const { escaped, raw, neverRaw } = ESCAPING[target]
  const options: Partial<EtaConfig> = {
    autoEscape: true,
    autoFilter: true,
    filterFunction: toText,
    escapeFunction: (text) => escaped(String(text)),
    functionHeader: 'const __raw = this.raw;',
    cache: true,
    debug: true,
    plugins: [{ processAST: (nodes) => nodes.map((node) => rewriteRaw(node, neverRaw)) }],
  }

  function environment(source: TemplateSource): Eta {
    const eta = Object.assign(new Eta(options), { raw: (value: unknown) => raw(toText(value)) })
    eta.resolvePath = (name) => siblingName(name)
    eta.readFile = (name) => {
      const text = source.siblings.get(name)
      if (text === undefined) throw new Error(`there is no template "${name}" beside this one`)
      return text
    }
    const compile = eta.compile
    eta.compile = function compileLocated(text, settings) {
      const file = settings?.filepath ?? source.file
      try {
        return compile.call(this, text, settings)
      } catch (error) {
        const { place, reason } = syntaxErrorPlace(file, text, error)
        throw new TemplateError(place, reason, { cause: error })
      }
    }
    return eta
  }

  return {
    compile(source) {
      const eta = environment(source)
      const template = eta.compile(source.text)
      return (record) => {
        try {
          return eta.render(template, record)
        } catch (error) {
          throw locate(error, source.file)
        }
      }
    },
  }
}

/** `./facts`, `facts.eta` and `facts` are the same sibling. */
function siblingName(name: string): string {
  return name.replace(/^\.\//, '').replace(/\.eta$/, '')
}

/** Raw tags write through the target's rule; rendered parts pass as they are. */
function rewriteRaw(node: AstNode, neverRaw: ReadonlySet<string>): AstNode {
  if (typeof node === 'string' || node.t !== 'r') return node
  if (RENDERED.test(node.val)) return { ...node, t: 'e', val: `__eta.res+=${node.val}` }
  if (neverRaw.has(node.val.trim().replace(/^it\./, ''))) return { ...node, t: 'i' }
  return { ...node, t: 'e', val: `__eta.res+=__raw(${node.val})` }
}

/** Eta puts `file:line` or `line N` before the message of an error, once per template it passes on its way out. */
function locate(error: unknown, file: string): TemplateError {
  let found: TemplatePlace = { file }
  let current = error
  while (current instanceof Error && !(current instanceof TemplateError)) {
    const [, name, line] = /^(?:(.*):|line )(\d+)\n/.exec(current.message) ?? []
    if (line === undefined) break
    found = { file: name || file, line: Number(line) }
    current = current.cause
  }
  if (current instanceof TemplateError) return current
  return new TemplateError(found, errorText(current), { cause: error })
}

interface Tag {
  readonly code: string
  readonly statement: boolean
  readonly line: number
}

/**
 * The place of a syntax error. `error` is Eta's for `text`; it names no place when a tag holds broken JavaScript, so that the
 * tag is searched for.
 */
function syntaxErrorPlace(file: string, text: string, error: unknown): { place: TemplatePlace; reason: string } {
  const message = errorText(error)
  const located = / at line (\d+) col (\d+):/.exec(message)
  if (located) {
    const place = { file, line: Number(located[1]), column: Number(located[2]) }
    return { place, reason: message.slice(0, located.index) }
  }
  const tag = brokenTag(tagsOf(text))
  if (!tag) return { place: { file }, reason: reasonOf(message) }
  return { place: { file, line: tag.line, column: columnOf(text, tag) }, reason: reasonOf(message) }
}

function tagsOf(text: string): readonly Tag[] {
  return new Eta({ debug: true })
    .parse(text)
    .filter((node) => typeof node !== 'string')
    .map((node) => ({ code: node.val, statement: node.t === 'e', line: node.lineNo ?? 1 }))
}

/**
 * The first tag after which the template cannot be completed by closing the open brackets, else the last open one. Tags behind
 * a mistake do not repair it, so that halving finds it: a program for each tag would take time with the square of the length.
 */
function brokenTag(tags: readonly Tag[]): Tag | null {
  let [readable, unreadable] = [0, tags.length + 1]
  while (unreadable - readable > 1) {
    const count = Math.floor((readable + unreadable) / 2)
    if (isCompletable(tags.slice(0, count))) readable = count
    else unreadable = count
  }
  return tags[unreadable - 1] ?? openIn(tags).at(-1)?.tag ?? null
}

function isCompletable(tags: readonly Tag[]): boolean {
  const code = tags.map((tag) => (tag.statement ? `${tag.code}\n` : `void (${tag.code}\n);\n`)).join('')
  const closing = openIn(tags).map(({ close }) => close)
  return isReadable(code + closing.reverse().join('\n'))
}

/** The brackets that are open after the tags, outermost first. */
function openIn(tags: readonly Tag[]): { readonly close: string; readonly tag: Tag }[] {
  const open: { close: string; tag: Tag }[] = []
  for (const tag of tags) {
    for (const sign of tag.code.replace(QUIET, '')) {
      if (sign in CLOSING) open.push({ close: CLOSING[sign]!, tag })
      else if (sign === open.at(-1)?.close) open.pop()
    }
  }
  return open
}

function isReadable(code: string): boolean {
  try {
    new Function('it', 'options', code)
    return true
  } catch {
    return false
  }
}

function columnOf(text: string, tag: Tag): number {
  const line = text.split('\n')[tag.line - 1] ?? ''
  const code = tag.code.split('\n')[0]!.trim()
  return Math.max(0, line.lastIndexOf('<%', line.indexOf(code))) + 1
}

/** The message of the JavaScript engine, without the generated program that Eta appends. */
function reasonOf(message: string): string {
  const [, , reason = message] = message.split('\n')
  return reason
}
