/** Sources and errors of templates, common to Handlebars and Eta. */
export type Syntax = 'handlebars' | 'eta'

export interface TemplateSource {
  /** Shown in errors: the path of the file or the configuration key of the text. */
  readonly file: string
  readonly syntax: Syntax
  readonly text: string
  /** Other templates by name: partials of Handlebars, what Eta can include or use as a layout. */
  readonly siblings: ReadonlyMap<string, string>
}

/** Throws a `TemplateError`. */
export type CompiledTemplate = (context: Readonly<Record<string, unknown>>) => string

const SYNTAX_OF: Readonly<Record<string, Syntax>> = { '.handlebars': 'handlebars', '.hbs': 'handlebars', '.eta': 'eta' }

/** Decided by the extension; null for any other file. */
export function syntaxOfFile(file: string): Syntax | null {
  const extension = /\.[^./\\]+$/.exec(file)?.[0] ?? ''
  return SYNTAX_OF[extension.toLowerCase()] ?? null
}

/** A text of the configuration; `name` is its key. */
export function inlineSource(name: string, text: string): TemplateSource {
  return { file: name, syntax: syntaxOfText(text), text, siblings: new Map() }
}

/** A text in the configuration is Handlebars unless it holds an Eta tag. */
export function syntaxOfText(text: string): Syntax {
  return text.includes('<%') ? 'eta' : 'handlebars'
}

/**
 * Whether all tags of the text are `{{variable}}` of these variables, as in most subjects. Such a text needs no trial: it
 * cannot fail, and the first trial of a process loads and runs the parser of Handlebars (50 ms, 2 MB).
 */
export function isPlainText(text: string, variables: Readonly<Record<string, unknown>>): boolean {
  const rest = text.replace(/\{\{(\w+)\}\}/g, (tag, name: string) => (Object.hasOwn(variables, name) ? '' : tag))
  return !/[{}\\]|<%/.test(rest)
}

/** The place of an error in a template; lines and columns count from 1. */
export interface TemplatePlace {
  readonly file: string
  readonly line?: number
  readonly column?: number
}

/** A template that cannot be read, is not well-formed, or fails while it runs. The message starts with the place. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError'
  readonly place: TemplatePlace
  readonly reason: string

  constructor(place: TemplatePlace, reason: string, options?: ErrorOptions) {
    super(`${formatPlace(place)}: ${reason}`, options)
    this.place = place
    this.reason = reason
  }
}

function formatPlace({ file, line, column }: TemplatePlace): string {
  return [file, line, column].filter((part) => part !== undefined).join(':')
}

/** 1-based line and column of an offset. */
export function placeOf(file: string, text: string, offset: number): TemplatePlace {
  const lines = text.slice(0, offset).split('\n')
  return { file, line: lines.length, column: lines.at(-1)!.length + 1 }
}
