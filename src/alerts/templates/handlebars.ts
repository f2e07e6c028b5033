/**
 * Handlebars templates as users of Butler 16 wrote them: the whole language except decorators, one extra helper (`eq`),
 * escaping by target instead of always HTML, and no way to prototypes or globals.
 */

import { createRequire } from 'node:module'
import type Handlebars from 'handlebars'
import { errorText } from '../../platform/errors.ts'
import { once } from '../../platform/once.ts'
import { unbroken } from '../../platform/visible.ts'
import { ESCAPING, type Target, toText } from './escape.ts'
import { type CompiledTemplate, placeOf, TemplateError, type TemplatePlace, type TemplateSource } from './source.ts'

type Environment = ReturnType<typeof Handlebars.create>
type Expression = hbs.AST.Expression

/** No template can spell these. */
const ESCAPED = '%escaped'
const RAW = '%raw'
const SAFE_RUNTIME = { allowProtoPropertiesByDefault: false, allowProtoMethodsByDefault: false } as const

/**
 * The library, loaded when the first template needs it: it takes 1.5 MB, and an idle Footman has rendered nothing. Rendering
 * is synchronous, so this is no `import()`. The bundler follows the plain `require`, which Deno does not have.
 */
export const handlebars = once((): typeof Handlebars =>
  typeof require === 'function' ? require('handlebars') : createRequire(import.meta.url)('handlebars'),
)

export interface HandlebarsCompiler {
  compile(source: TemplateSource): CompiledTemplate
}

/** Compiles for one target. Rejects malformed templates with a `TemplateError`. */
export function createHandlebars(target: Target): HandlebarsCompiler {
  const environment = createEnvironment(target)
  const { neverRaw } = ESCAPING[target]

  function prepare(source: TemplateSource): Handlebars.TemplateDelegate {
    const program = parse(environment, source)
    redirectOutput(program, neverRaw)
    return environment.compile(program, { noEscape: true })
  }

  /** Compiled when first used, so that a broken partial harms only the templates that use it. */
  function partialsOf(source: TemplateSource): Record<string, Handlebars.Template> {
    const lazy = ([name, text]: readonly [string, string]) => {
      let compiled: Handlebars.TemplateDelegate | null = null
      const partial: Handlebars.TemplateDelegate = (context, options) => {
        compiled ??= prepare({ ...source, file: name, text })
        return compiled(context, options)
      }
      return [name, partial] as const
    }
    return Object.fromEntries([...source.siblings].map(lazy))
  }

  return {
    compile(source) {
      const template = prepare(source)
      const partials = partialsOf(source)
      return (record) => {
        try {
          return template(record, { ...SAFE_RUNTIME, partials })
        } catch (error) {
          throw locate(error, source)
        }
      }
    },
  }
}

function createEnvironment(target: Target): Environment {
  const environment = handlebars().create()
  const { escaped, raw } = ESCAPING[target]
  environment.registerHelper(ESCAPED, (value: unknown) => escaped(toText(value)))
  environment.registerHelper(RAW, (value: unknown) => raw(toText(value)))
  environment.registerHelper('eq', (left: unknown, right: unknown) => left === right)
  // The standard helper writes to standard output, which belongs to the log.
  environment.registerHelper('log', () => '')
  environment.registerHelper('helperMissing', helperMissing)
  return environment
}

/** `{{unknown}}` is an empty text, `{{unknown argument}}` an error. */
function helperMissing(...args: unknown[]): undefined {
  const options = args.at(-1) as { name: string; loc?: hbs.AST.SourceLocation }
  if (args.length === 1) return undefined
  throw new UnknownHelper(options.name, options.loc)
}

class UnknownHelper extends Error {
  readonly loc: hbs.AST.SourceLocation | undefined
  constructor(name: string, loc: hbs.AST.SourceLocation | undefined) {
    super(`unknown helper "${name}"`)
    this.loc = loc
  }
}

/** Sends every `{{x}}` and `{{{x}}}` through the helper that writes values for the target. */
function redirectOutput(program: hbs.AST.Program, neverRaw: ReadonlySet<string>): void {
  const visitor = new (handlebars().Visitor)()
  visitor.MustacheStatement = (statement) => {
    const raw = !statement.escaped && !neverRaw.has(originalOf(statement.path))
    statement.params = [outputOf(statement)]
    statement.path = path(raw ? RAW : ESCAPED, statement.loc)
    statement.hash = undefined as unknown as hbs.AST.Hash
  }
  visitor.accept(program)
}

/** The expression inside a pair of braces, as an argument for a helper. */
function outputOf(statement: hbs.AST.MustacheStatement): Expression {
  const { params, hash, loc } = statement
  const target = statement.path
  if (params.length > 0 || hash) return { type: 'SubExpression', path: target, params, hash, loc } as Expression
  // `{{"name"}}` means the variable of that name, not the text.
  return target.type === 'PathExpression' ? target : path(originalOf(target), loc)
}

function originalOf(expression: Expression): string {
  return String((expression as Expression & { original?: unknown }).original ?? '')
}

function path(name: string, loc: hbs.AST.SourceLocation): hbs.AST.PathExpression {
  return {
    type: 'PathExpression',
    original: name,
    parts: [name],
    depth: 0,
    data: false,
    this: false,
    loc,
  } as hbs.AST.PathExpression
}

function parse(environment: Environment, { file, text }: TemplateSource): hbs.AST.Program {
  try {
    return environment.parseWithoutProcessing(text)
  } catch (error) {
    const reason = errorText(error)
    const located = error as { lineNumber?: number; column?: number }
    if (located.lineNumber !== undefined) {
      const place = { file, line: located.lineNumber, column: (located.column ?? 0) + 1 }
      throw new TemplateError(place, reason.replace(/ - \d+:\d+$/, ''))
    }
    throw new TemplateError(syntaxPlace(file, text, reason), readableSyntax(reason), { cause: error })
  }
}

/**
 * The parser names the line and shows up to 20 characters before the spot and 20 after it, line breaks removed; the
 * column is where these meet in the text.
 */
function syntaxPlace(file: string, text: string, message: string): TemplatePlace {
  const [head = '', excerpt = '', pointer = ''] = message.split('\n')
  const line = Number(/line (\d+)/.exec(head)?.[1])
  if (!line) return { file }
  const before = excerpt.slice(0, pointer.indexOf('^')).replace(/^\.\.\./, '')
  const after = excerpt.slice(pointer.indexOf('^')).replace(/\.\.\.$/, '')
  for (let offset = 0; offset <= text.length; offset++) {
    const past = text.slice(Math.max(0, offset - 20), offset).replaceAll('\n', '')
    const upcoming = text.slice(offset, offset + 20).replaceAll('\n', '')
    if (past.endsWith(before) && upcoming.startsWith(after)) {
      const place = placeOf(file, text, offset)
      if (place.line === line || offset === text.length) return place
    }
  }
  return { file, line }
}

/** Token names of the grammar in the words of a template author. */
const TOKENS: Readonly<Record<string, string>> = {
  EOF: 'end of the file',
  CLOSE: '}}',
  CLOSE_UNESCAPED: '}}}',
  OPEN_ENDBLOCK: '{{/',
  INVERSE: '{{else}}',
  OPEN_BLOCK: '{{#',
  OPEN: '{{',
  CLOSE_SEXPR: ')',
  OPEN_SEXPR: '(',
  ID: 'a name',
}

function readableSyntax(message: string): string {
  const got = /got '([A-Z_]+)'/.exec(message)?.[1]
  if (!got) return unbroken(message)
  if (got === 'INVALID') return 'a tag is not closed or holds a sign that has no meaning there'
  const expectsEnd = message.includes("'OPEN_ENDBLOCK'") && got === 'EOF'
  return expectsEnd ? 'a block is not closed' : `unexpected ${TOKENS[got] ?? got}`
}

function locate(error: unknown, { file }: TemplateSource): TemplateError {
  if (error instanceof TemplateError) return error
  const start = error instanceof UnknownHelper ? error.loc?.start : undefined
  const place = start ? { file, line: start.line, column: start.column + 1 } : { file }
  return new TemplateError(place, errorText(error), { cause: error })
}
