/** What both template languages are compiled from and to. */
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
export type CompiledTemplate = (record: Readonly<Record<string, unknown>>) => string

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
