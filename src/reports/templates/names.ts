/** The names that tags of Office templates can use, and where: innermost loop first, then enclosing ones, levels, document. */
import { nearest } from '../../config/nearest.ts'
import type { Binding, Level, TemplateReport } from '../entities/report.ts'
import type { TagUse, TemplateProblem, TemplateWarning } from './contract.ts'
import { knownInRuns, nestingProblem, nestingWarning } from './nesting.ts'
import type { OfficeFormat } from './package.ts'
import { MAX_PROBLEMS } from './problems.ts'
import { type Path, pathText, type Tag, type TagOf } from './tags.ts'

export type BindingOf<Type extends Binding['type']> = Extract<Binding, { readonly type: Type }>
export type RowsBinding = BindingOf<'table' | 'object'>
type PictureBinding = BindingOf<'chart' | 'image'>

/** A part of the template that is repeated: for the rows of a table, or for the values of a level. */
export type Frame =
  | {
      readonly kind: 'loop'
      readonly binding: RowsBinding
      /** Names of the columns in their order; null before the data of an object has been read. */
      readonly columns: readonly string[] | null
    }
  | { readonly kind: 'level'; readonly level: Level }

const LOOP_VALUES = ['$index', '$count', '$first', '$last'] as const
type LoopValue = (typeof LOOP_VALUES)[number]
const BUILT_IN = ['app.name', 'app.lastReload', 'report.name', 'task.name', 'run.date', 'filter'] as const
export type BuiltIn = (typeof BUILT_IN)[number]

/** The source of a value. `frame`: index in the frames, 0 = outermost. `asText`: `.text` stood behind the name. */
export type Reference = { readonly asText: boolean } & (
  | { readonly kind: 'column'; readonly frame: number; readonly column: string }
  | { readonly kind: 'loop'; readonly frame: number; readonly name: LoopValue }
  | { readonly kind: 'level'; readonly frame: number }
  | { readonly kind: 'value'; readonly binding: BindingOf<'value'> }
  /** Rows of a table before it was cut to `maxRows`. */
  | { readonly kind: 'count'; readonly binding: RowsBinding }
  | { readonly kind: 'total'; readonly binding: BindingOf<'table'>; readonly column: string }
  | { readonly kind: 'builtIn'; readonly name: BuiltIn }
  | { readonly kind: 'cycle'; readonly field: string }
)

/** A name that cannot be used where its tag stands. */
export class NameError extends Error {
  override readonly name = 'NameError'
  constructor(
    readonly code: TemplateProblem['code'],
    message: string,
  ) {
    super(message)
  }
}

/** The names in one place of the template. */
export interface Names {
  readonly frames: readonly Frame[]
  /** The names inside one more repeated part. */
  inside(frame: Frame): Names
  /** Throws a `NameError`. */
  value(path: Path): Reference
  /** A table whose rows are repeated, or a value that decides whether the content is kept. Throws a `NameError`. */
  loop(path: Path): RowsBinding | Reference
  /** Throws a `NameError`, also when the level cannot be repeated here. */
  level(path: Path): Level
  /** Throws a `NameError`. */
  picture(path: Path): PictureBinding
}

export const createNames = (
  report: Pick<TemplateReport, 'data' | 'levels'>,
  format: OfficeFormat,
  frames: readonly Frame[] = [],
): Names => namesIn({ report, frames, format, found: new Map() })

interface Context {
  readonly report: Pick<TemplateReport, 'data' | 'levels'>
  readonly frames: readonly Frame[]
  readonly format: OfficeFormat
  readonly found: Map<string, Reference>
}

function namesIn(context: Context): Names {
  const { report, frames, format, found } = context
  const bindingOf = (name: string | undefined) => report.data.find(({ key }) => key === name)
  return {
    frames,
    inside: (frame) => createNames(report, format, [...frames, frame]),
    value(path) {
      const key = path.join('\0')
      const known = found.get(key)
      if (known) return known
      const reference = inFrames(path, context) ?? inDocument(path, context)
      found.set(key, reference)
      return reference
    },
    loop(path) {
      const binding = path.length === 1 ? bindingOf(path[0]) : undefined
      const isColumn = binding && frames.some((frame) => frame.kind === 'loop' && frame.columns?.includes(binding.key))
      return binding && isRows(binding) && !isColumn ? binding : this.value(path)
    },
    level(path) {
      const level = report.levels.find(({ key }) => path.length === 1 && key === path[0])
      if (!level)
        throw unknownName(
          path,
          report.levels.map(({ key }) => key),
          'no level',
        )
      const outer = frames.findLast((frame) => frame.kind === 'level')
      if (frames.some((frame) => frame.kind === 'loop')) {
        throw new NameError('TEMPLATE_LOOP', 'a level cannot stand inside a loop over rows')
      }
      if (level.within !== null && format !== 'docx') {
        throw new NameError('TEMPLATE_UNSUPPORTED', 'nested levels are possible in documents (docx) only')
      }
      if (frames.length >= MOST_LEVELS) throw new NameError('TEMPLATE_UNSUPPORTED', 'levels are nested too deep')
      if ((outer?.level.key ?? null) !== level.within)
        throw new NameError('TEMPLATE_LOOP', misplaced(level, outer?.level))
      return level
    },
    picture(path) {
      const binding = path.length === 1 ? bindingOf(path[0]) : undefined
      if (binding?.type === 'chart' || binding?.type === 'image') return binding
      const pictures = report.data.filter(({ type }) => type === 'chart' || type === 'image').map(({ key }) => key)
      throw unknownName(
        path,
        pictures,
        binding ? `a ${binding.type} is no picture; no chart or image` : 'no chart or image',
      )
    },
  }
}

const MOST_LEVELS = 2
const isRows = (binding: Binding): binding is RowsBinding => binding.type === 'table' || binding.type === 'object'

function misplaced(level: Level, outer: Level | undefined): string {
  if (level.within !== null)
    return `the level is nested in "${level.within}" and has to stand inside {{@${level.within}}}`
  return `the level stands inside {{@${outer?.key}}}, but is not nested in it ("within" of the level)`
}

function inFrames(path: Path, { frames, report }: Context): Reference | null {
  const [name = '', ...rest] = path
  const asText = rest.at(-1) === 'text'
  const isPlain = rest.length === 0 || (rest.length === 1 && asText)
  const isQualified = rest.length === 1 || (rest.length === 2 && asText)
  for (let frame = frames.length - 1; frame >= 0; frame--) {
    const scope = frames[frame]!
    if (scope.kind === 'level') {
      if (name === scope.level.key && isPlain) return { kind: 'level', frame, asText }
      continue
    }
    const variable = LOOP_VALUES.find((known) => known === name)
    if (variable && rest.length === 0) return { kind: 'loop', frame, name: variable, asText }
    if (isPlain && scope.columns?.includes(name)) return { kind: 'column', frame, column: name, asText }
    const column = rest[0]
    if (name === scope.binding.key && isQualified && column !== undefined && scope.columns?.includes(column)) {
      return { kind: 'column', frame, column, asText }
    }
    // Columns of an object are known when its data has been read; then the names are looked up again.
    if (scope.columns === null && isPlain && !isKnownOutside(name, report, frames)) {
      return { kind: 'column', frame, column: name, asText }
    }
  }
  return null
}

const isKnownOutside = (name: string, report: Context['report'], frames: readonly Frame[]) =>
  [...report.data, ...report.levels].some(({ key }) => key === name) ||
  (BUILT_IN as readonly string[]).includes(name) ||
  frames.some((frame) => frame.kind === 'loop' && frame.columns?.includes(name))

function inDocument(path: Path, context: Context): Reference {
  const { report } = context
  const [name = '', ...rest] = path
  const asText = rest.at(-1) === 'text'
  const binding = report.data.find(({ key }) => key === name)
  if (binding?.type === 'value' && (rest.length === 0 || (asText && rest.length === 1))) {
    return { kind: 'value', binding, asText }
  }
  if (binding && isRows(binding)) return ofTable(binding, rest)
  if (binding && binding.type !== 'value') {
    throw new NameError(
      'TEMPLATE_INVALID',
      `a ${binding.type} takes the place of a picture whose alternative text is this tag`,
    )
  }
  if (report.levels.some(({ key }) => key === name)) {
    throw new NameError('TEMPLATE_TAG_UNKNOWN', `the level has a value inside of {{@${name}}} only`)
  }
  if (LOOP_VALUES.some((known) => known === name)) {
    throw new NameError('TEMPLATE_TAG_UNKNOWN', `${name} has a value inside of a loop only`)
  }
  if (name === 'cycle' && rest.length === 1) return { kind: 'cycle', field: rest[0]!, asText: false }
  const builtIn = BUILT_IN.find((known) => known === (asText ? path.slice(0, -1) : path).join('.'))
  if (builtIn) return { kind: 'builtIn', name: builtIn, asText }
  throw unknownName(path, candidates(context), 'no data binding, column or level')
}

function ofTable(binding: RowsBinding, rest: readonly string[]): Reference {
  const [what, column] = rest
  const asText = rest[2] === 'text'
  if (what === '$count' && rest.length === 1) return { kind: 'count', binding, asText: false }
  if (what === '$total' && column !== undefined && (rest.length === 2 || (asText && rest.length === 3))) {
    if (binding.type === 'object' || !binding.totals) {
      throw new NameError(
        'TEMPLATE_INVALID',
        `the table "${binding.key}" has no totals; they need "totals": true in its binding`,
      )
    }
    const columns = binding.columns.map(({ key }) => key)
    if (columns.includes(column)) return { kind: 'total', binding, column, asText }
    throw unknownName([column], columns, `no column of "${binding.key}"`)
  }
  if (rest.length > 0) {
    throw new NameError(
      'TEMPLATE_TAG_UNKNOWN',
      `a column of "${binding.key}" has a value inside of {{#${binding.key}}} only`,
    )
  }
  throw new NameError(
    'TEMPLATE_INVALID',
    `the rows of a table are written by {{#${binding.key}}} ... {{/${binding.key}}}`,
  )
}

function candidates({ report, frames }: Context): string[] {
  const inner = frames.flatMap((frame) => (frame.kind === 'level' ? [frame.level.key] : (frame.columns ?? [])))
  return [
    ...inner,
    ...report.data.filter(({ type }) => type !== 'chart' && type !== 'image').map(({ key }) => key),
    ...BUILT_IN,
  ]
}

function unknownName(path: Path, known: readonly string[], missing: string): NameError {
  const near = nearest(path.join('.'), known)
  const hint = near === undefined ? '' : `; nearest: "${near}"`
  return new NameError('TEMPLATE_TAG_UNKNOWN', `${missing} has this name${hint}`)
}

/** Collects the tags of a template, its problems, and the bindings and levels that it uses. */
export interface Findings {
  readonly tags: readonly TagUse[]
  readonly problems: readonly TemplateProblem[]
  /** Warnings of each run, as far as the file shows them. */
  readonly warnings: readonly TemplateWarning[]
  /** Keys. */
  readonly used: ReadonlySet<string>
  add(problem: TemplateProblem): void
  /** A warning of each run: `TEMPLATE_REFERENCE`. */
  warn(place: string, details: string): void
  /** Checks the names of a tag that stands where `names` are known. Returns the frame that an opening tag adds. */
  check(tag: Tag, place: string, names: Names): Frame | null
  /** A tag in the alternative text of a picture. */
  checkPicture(tag: TagOf<'value'>, place: string, names: Names): void
}

export function createFindings(): Findings {
  const tags: TagUse[] = []
  const problems: TemplateProblem[] = []
  const warnings: TemplateWarning[] = []
  const used = new Set<string>()

  function add(problem: TemplateProblem): void {
    if (problems.length < MAX_PROBLEMS) problems.push(problem)
  }
  function warn(place: string, details: string): void {
    if (warnings.length < MAX_PROBLEMS) warnings.push({ code: 'TEMPLATE_REFERENCE', place, details })
  }
  function guarded<T>(tag: Tag, place: string, work: () => T): T | null {
    try {
      return work()
    } catch (error) {
      if (!(error instanceof NameError)) throw error
      add({ code: error.code, place, details: `${tag.source}: ${error.message}` })
      return null
    }
  }
  function value(reference: Reference): void {
    if ('binding' in reference) used.add(reference.binding.key)
  }
  function found(tag: Tag, place: string, names: Names): Frame | null {
    switch (tag.kind) {
      case 'invalid':
        add({ code: 'TEMPLATE_INVALID', place, details: `${tag.source}: ${tag.problem}` })
        return null
      case 'expression':
        tags.push({ tag: `=${tag.expression}`, kind: 'expression', place })
        return null
      case 'value':
        value(names.value(tag.path))
        tags.push({ tag: pathText(tag.path), kind: 'value', place })
        return null
      case 'open': {
        const target = names.loop(tag.path)
        const isLoop = 'key' in target
        if (isLoop) used.add(target.key)
        else value(target)
        tags.push({ tag: pathText(tag.path), kind: isLoop && !tag.not ? 'loop' : 'condition', place })
        if (!isLoop || tag.not) return null
        const around = names.frames.flatMap((frame) =>
          frame.kind === 'loop' ? [{ binding: frame.binding, columns: null }] : [],
        )
        const problem = nestingProblem({ binding: target, columns: null }, around)
        const outer = around.at(-1)
        if (problem) add({ code: 'TEMPLATE_LOOP', place, details: `${tag.source}: ${problem}` })
        else if (outer)
          warn(place, `${tag.source}: ${nestingWarning(target, outer.binding)}${knownInRuns(target, outer.binding)}`)
        return { kind: 'loop', binding: target, columns: columnsOf(target) }
      }
      case 'level': {
        const level = names.level(tag.path)
        used.add(level.key)
        tags.push({ tag: pathText(tag.path), kind: 'level', place })
        return { kind: 'level', level }
      }
      default:
        return null
    }
  }
  return {
    tags,
    problems,
    warnings,
    used,
    add,
    warn,
    check: (tag, place, names) => guarded(tag, place, () => found(tag, place, names)),
    checkPicture: (tag, place, names) => {
      guarded(tag, place, () => used.add(names.picture(tag.path).key))
      tags.push({ tag: pathText(tag.path), kind: 'picture', place })
    },
  }
}

/** Names of the columns of a table; null for an object, whose labels are known when its data has been read. */
export const columnsOf = (binding: RowsBinding): readonly string[] | null =>
  binding.type === 'table' ? binding.columns.map(({ key }) => key) : null
