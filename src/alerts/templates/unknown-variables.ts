/** Finds variables in a template that no event has: most of them are misspelt. */
import type Handlebars from 'handlebars'
import { nearest } from '../../config/nearest.ts'
import { handlebars } from './handlebars.ts'
import { placeOf, type TemplateSource } from './source.ts'

export interface UnknownVariable {
  readonly name: string
  /** From 1. */
  readonly line: number
  /** A known name that is similar. */
  readonly suggestion: string | undefined
}

/** Variables that the renderers of templates add to those of the event. */
const OTHERS = ['view', 'body', 'customText', 'text']
/** Blocks that leave the variables of the event in reach. */
const PLAIN_BLOCKS = ['if', 'unless']

/** In order of appearance; a template that is malformed has none, as rendering it says more. */
export function unknownVariables(source: TemplateSource, known: readonly string[]): readonly UnknownVariable[] {
  const names = new Set([...known, ...OTHERS])
  const used = source.syntax === 'eta' ? etaVariables(source) : handlebarsVariables(source.text)
  return used
    .filter(({ name }) => !names.has(name))
    .map(({ name, line }) => ({ name, line, suggestion: nearest(name, known) }))
}

/** `line 3: there is no variable "tasId"; did you mean "taskId"?` */
export function unknownText({ name, line, suggestion }: UnknownVariable): string {
  const meant = suggestion === undefined ? '' : `; did you mean "${suggestion}"?`
  return `line ${line}: there is no variable "${name}"${meant}`
}

interface Use {
  readonly name: string
  readonly line: number
}

/** Members of `it` inside of tags. */
function etaVariables({ file, text }: TemplateSource): readonly Use[] {
  return [...text.matchAll(/<%[\s\S]*?%>/g)].flatMap((tag) =>
    [...tag[0].matchAll(/(?<![\w$.])it\.([A-Za-z_$][\w$]*)/g)].map((member) => ({
      name: member[1]!,
      line: placeOf(file, text, tag.index + member.index).line ?? 1,
    })),
  )
}

function handlebarsVariables(text: string): readonly Use[] {
  let program: hbs.AST.Program
  try {
    program = handlebars().parseWithoutProcessing(text)
  } catch {
    return []
  }
  const uses: Use[] = []
  createVisitor(uses).accept(program)
  return uses
}

type Call = hbs.AST.MustacheStatement | hbs.AST.SubExpression | hbs.AST.BlockStatement

/** Follows how deep an expression stands in blocks like `each`, where plain names are members of something else. */
function createVisitor(uses: Use[]): Handlebars.Visitor {
  const visitor = new (handlebars().Visitor)()
  let depth = 0

  /** The path of a call with arguments is a helper. */
  function visitArguments({ params, hash }: Pick<Call, 'params' | 'hash'>): void {
    for (const param of params) visitor.accept(param)
    if (hash) visitor.accept(hash)
  }

  function visitCall(call: Call): void {
    if (call.params.length === 0 && !call.hash) visitor.accept(call.path)
    else visitArguments(call)
  }

  visitor.MustacheStatement = visitCall
  visitor.SubExpression = visitArguments
  visitor.BlockStatement = (block) => {
    const isPlain = PLAIN_BLOCKS.includes(String((block.path as hbs.AST.PathExpression).original))
    // `{{#list}}` without arguments is about a variable.
    visitCall(block)
    if (!isPlain) depth += 1
    if (block.program) visitor.accept(block.program)
    if (!isPlain) depth -= 1
    if (block.inverse) visitor.accept(block.inverse)
  }
  // The name is that of another template.
  visitor.PartialStatement = () => {}
  visitor.PartialBlockStatement = (block) => visitor.accept(block.program)
  visitor.PathExpression = (path) => {
    const [first, second] = path.parts as readonly string[]
    const isRoot = path.data && first === 'root'
    const name = isRoot ? second : first
    if (name === undefined || (path.data && !isRoot)) return
    if (!isRoot && path.depth !== depth) return
    uses.push({ name, line: path.loc.start.line })
  }
  return visitor
}
