/**
 * Eta templates: JavaScript between `<%` and `%>`, the variables as `it`. They may include and use as layout what stands
 * in their own folder, nothing else.
 */
import { Eta, type EtaConfig } from 'eta/core'
import { messageOf, TemplateError, type TemplatePlace } from './errors.ts'
import { ESCAPING, type Target, toText } from './escape.ts'
import { syntaxErrorPlace } from './eta-syntax.ts'
import type { CompiledTemplate, TemplateSource } from './source.ts'

type AstNode = ReturnType<Eta['parse']>[number]

/** The output of another template has been escaped already. */
const RENDERED = /^\s*(?:(?:include|capture|block)\s*\(|it\.body\s*$)/

export interface EtaCompiler {
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
  return new TemplateError(found, messageOf(current), { cause: error })
}
