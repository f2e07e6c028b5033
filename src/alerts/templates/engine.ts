/** One way to render any template: Handlebars or Eta, from a file, the configuration or the executable. */
import { once } from '../../platform/once.ts'
import { BUILTIN_TEMPLATES, type BuiltinTemplate } from './builtin.ts'
import { ESCAPING, TARGETS, type Target } from './escape.ts'
import { createEta } from './eta.ts'
import { createTemplateFiles, type TemplateFilesDeps } from './files.ts'
import { createHandlebars } from './handlebars.ts'
import { type CompiledTemplate, inlineSource, type Syntax, syntaxOfFile, type TemplateSource } from './source.ts'

export type TemplateRecord = Readonly<Record<string, unknown>>

/** What to render: a text of the configuration (`name` is its key), a template that was found, or a built-in one. */
export type TemplateRef =
  | { readonly kind: 'inline'; readonly name: string; readonly text: string }
  | { readonly kind: 'found'; readonly source: TemplateSource }
  | { readonly kind: 'builtin'; readonly name: BuiltinTemplate }

export interface EmailTemplate {
  readonly html: TemplateRef
  /** `<name>.txt.eta` (or `.txt.handlebars`) beside the HTML template; null when there is none. */
  readonly text: TemplateRef | null
}

export interface TemplateEngine {
  /** Throws a `TemplateError` that names file, line and column. */
  render(ref: TemplateRef, record: TemplateRecord, target: Target): string
  /**
   * The body template of a mail: `name` itself if it has an extension, else `name.eta`, `name.handlebars`, `name.hbs`,
   * `name-qseow.handlebars`. Null when no such file exists. Rejects with a `TemplateError` when it cannot be read.
   */
  findEmail(directory: string, name: string): Promise<EmailTemplate | null>
  /** A template file named with its extension, as it stands or in the template directory; null when it does not exist. */
  findFile(path: string): Promise<TemplateRef | null>
  /**
   * A built-in template, with the files of the template directory in place of the built-in ones: `email/layout.eta`
   * changes the frame of all mails, `email/reload-failed.eta` (one of `variants`) the mails about one kind of event.
   */
  findBuiltin(name: BuiltinTemplate, variants?: readonly string[]): Promise<TemplateRef>
}

export interface TemplateEngineDeps extends TemplateFilesDeps {
  /** `Butler.footman.templateDirectory`; without it only the built-in templates and the paths as they stand are used. */
  readonly templateDirectory?: string
}

/** In the order in which they are looked for. */
const EMAIL_SUFFIXES = ['.eta', '.handlebars', '.hbs', '-qseow.handlebars']
const TEXT_SUFFIXES = ['.txt.eta', '.txt.handlebars', '.txt.hbs']
/** Compiled forms kept; administrators have a few dozen templates. */
const CACHE_SIZE = 200

export function createTemplateEngine(deps: TemplateEngineDeps): TemplateEngine {
  const { templateDirectory } = deps
  const files = createTemplateFiles(deps)
  const compilers = Object.fromEntries(
    TARGETS.map((target) => [
      target,
      { handlebars: once(() => createHandlebars(target)), eta: once(() => createEta(target)) },
    ]),
  ) as Record<Target, Record<Syntax, () => { compile(source: TemplateSource): CompiledTemplate }>>
  const compiled = new Map<string, CompiledTemplate>()

  function compile(source: TemplateSource, target: Target): CompiledTemplate {
    const key = JSON.stringify([target, source.file, source.text, ...source.siblings])
    const known = compiled.get(key)
    if (known) return known
    const template = compilers[target][source.syntax]().compile(source)
    if (compiled.size >= CACHE_SIZE) compiled.clear()
    compiled.set(key, template)
    return template
  }

  return {
    render: (ref, record, target) => ESCAPING[target].finish(compile(sourceOf(ref), target)(record)),
    async findEmail(directory, name) {
      const names = syntaxOfFile(name) ? [name] : EMAIL_SUFFIXES.map((suffix) => `${name}${suffix}`)
      const html = await files.first(names.map((file) => below(directory, file)))
      if (!html) return null
      const base = html.file.replace(/\.[^.]+$/, '')
      const text = await files.first(TEXT_SUFFIXES.map((suffix) => `${base}${suffix}`))
      return { html: found(html), text: text && found(text) }
    },
    async findFile(path) {
      const source = await files.first([path, ...(templateDirectory ? [below(templateDirectory, path)] : [])])
      return source && found(source)
    },
    async findBuiltin(name, variants = []) {
      const builtin: TemplateRef = { kind: 'builtin', name }
      if (!templateDirectory) return builtin
      const [family = '', base = ''] = name.split('/')
      const own = await files.family(below(templateDirectory, family))
      if (!own) return builtin
      const { file, text, syntax, siblings } = BUILTIN_TEMPLATES[name]
      const chosen = [...variants, base].find((variant) => own.texts.has(variant))
      return found({
        file: chosen === undefined ? file : below(own.folder, `${chosen}.eta`),
        syntax,
        text: (chosen === undefined ? undefined : own.texts.get(chosen)) ?? text,
        siblings: new Map([...siblings, ...own.texts]),
      })
    },
  }
}

function found(source: TemplateSource): TemplateRef {
  return { kind: 'found', source }
}

function sourceOf(ref: TemplateRef): TemplateSource {
  if (ref.kind === 'found') return ref.source
  if (ref.kind === 'builtin') return BUILTIN_TEMPLATES[ref.name]
  return inlineSource(ref.name, ref.text)
}

/** Windows paths keep their backslashes: the parts are only put side by side. */
function below(directory: string, file: string): string {
  return /[/\\]$/.test(directory) ? `${directory}${file}` : `${directory}/${file}`
}
