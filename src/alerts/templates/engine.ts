/**
 * Finds and renders templates: Handlebars or Eta, from a file, the configuration or the executable. Files are read on every
 * use and kept in memory until they change.
 */

import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import { within } from '../../platform/deadline.ts'
import { lenientText } from '../../platform/encodings.ts'
import { errorText } from '../../platform/errors.ts'
import { once } from '../../platform/once.ts'
import { BUILTIN_TEMPLATES, type BuiltinTemplate } from './builtin.ts'
import { ESCAPING, TARGETS, type Target } from './escape.ts'
import { createEta } from './eta.ts'
import { createHandlebars } from './handlebars.ts'
import {
  type CompiledTemplate,
  inlineSource,
  type Syntax,
  syntaxOfFile,
  TemplateError,
  type TemplateSource,
} from './source.ts'

/** The template context: variables by name. */
export type TemplateContext = Readonly<Record<string, unknown>>

/** A template to render: a text of the configuration (`name` is its key), a template that was found, or a built-in one. */
export type TemplateRef =
  | { readonly kind: 'inline'; readonly name: string; readonly text: string }
  | { readonly kind: 'found'; readonly source: TemplateSource }
  | { readonly kind: 'builtin'; readonly name: BuiltinTemplate }

interface EmailTemplate {
  readonly html: TemplateRef
  /** `<name>.txt.eta` (or `.txt.handlebars`) beside the HTML template; null when there is none. */
  readonly text: TemplateRef | null
}

export interface TemplateEngine {
  /** Throws a `TemplateError` that names file, line and column. */
  render(ref: TemplateRef, context: TemplateContext, target: Target): string
  /**
   * The body template of a mail: `name` itself if it has an extension, else `name.eta`, `name.handlebars`, `name.hbs`,
   * `name-qseow.handlebars`. Null when no such file exists. Rejects with a `TemplateError` when it cannot be read.
   */
  findEmail(directory: string, name: string): Promise<EmailTemplate | null>
  /** A template file named with its extension, as it stands or in the template directory; null when it does not exist. */
  findFile(path: string): Promise<TemplateRef | null>
  /** Absolute paths at which a folder of mail templates is looked for, or a template file (`isFile`). */
  searched(path: string, isFile?: boolean): readonly string[]
  /**
   * A built-in template, with the files of the template directory in place of the built-in ones: `email/layout.eta`
   * changes the frame of all mails, `email/reload-failed.eta` (one of `variants`) the mails about one kind of event.
   */
  findBuiltin(name: BuiltinTemplate, variants?: readonly string[]): Promise<TemplateRef>
}

interface TemplateFilesDeps {
  /** The absolute paths that a path in the configuration may mean, best first. */
  readonly candidates: (path: string) => readonly string[]
}

interface TemplateEngineDeps extends TemplateFilesDeps {
  /** `Butler.footman.templateDirectory`; without it only the built-in templates and the paths as they stand are used. */
  readonly templateDirectory?: string
}

/** In the order in which they are looked for. */
const EMAIL_SUFFIXES = ['.eta', '.handlebars', '.hbs', '-qseow.handlebars']
const TEXT_SUFFIXES = ['.txt.eta', '.txt.handlebars', '.txt.hbs']
/** Compiled forms kept; administrators have a few dozen templates. */
const CACHE_SIZE = 200

/** Folder of Handlebars partials, beside the template or below the working directory. */
const PARTIALS = 'partials'
/** A folder on a file share that does not answer must not delay alerts. */
const READ_TIMEOUT_MS = 10_000
const MISSING = new Set(['ENOENT', 'ENOTDIR'])

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

  const filesNamed = (path: string) => [path, ...(templateDirectory ? [below(templateDirectory, path)] : [])]

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
      const source = await files.first(filesNamed(path))
      return source && found(source)
    },
    searched: (path, isFile = false) => (isFile ? filesNamed(path) : [path]).flatMap(files.searched),
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

interface TemplateFiles {
  /** The absolute paths that a path may mean, best first. */
  searched(path: string): readonly string[]
  /** The first of these files that exists, with what it may refer to; null when there is none. */
  first(paths: readonly string[]): Promise<TemplateSource | null>
  /** The Eta templates of a folder by name without extension, and the folder; null when there are none. */
  family(path: string): Promise<TemplateFamily | null>
}

interface TemplateFamily {
  readonly folder: string
  readonly texts: ReadonlyMap<string, string>
}

interface CachedFile {
  readonly version: string
  readonly text: string
}

function createTemplateFiles({ candidates }: TemplateFilesDeps): TemplateFiles {
  const cache = new Map<string, CachedFile>()

  /** Null when the file does not exist. */
  async function read(path: string): Promise<string | null> {
    try {
      const { mtimeMs, size } = await stat(path)
      const version = `${mtimeMs} ${size}`
      const cached = cache.get(path)
      if (cached?.version === version) return cached.text
      const { text } = lenientText(await readFile(path))
      cache.set(path, { version, text })
      return text
    } catch (error) {
      cache.delete(path)
      if (isMissing(error)) return null
      throw new TemplateError({ file: path }, `cannot be read (${errorText(error)})`, { cause: error })
    }
  }

  async function folder(path: string, syntax: Syntax): Promise<readonly (readonly [string, string])[]> {
    const names = await readdir(path).catch((error: unknown) => {
      if (isMissing(error)) return []
      throw new TemplateError({ file: path }, `cannot be read (${errorText(error)})`, { cause: error })
    })
    const wanted = names.filter((name) => syntaxOfFile(name) === syntax).sort()
    const texts = await Promise.all(wanted.map((name) => read(join(path, name))))
    return wanted.map((name, i) => [name.replace(/\.[^.]+$/, ''), texts[i] ?? ''] as const)
  }

  /** Later folders win: what stands nearest to the template. */
  async function siblings(path: string, syntax: Syntax): Promise<ReadonlyMap<string, string>> {
    const own = dirname(path)
    const folders = syntax === 'eta' ? [own] : [...[...candidates(PARTIALS)].reverse(), join(own, PARTIALS)]
    const found = await Promise.all(folders.map((name) => folder(name, syntax)))
    return new Map(found.flat())
  }

  async function load(path: string): Promise<TemplateSource | null> {
    const syntax = syntaxOfFile(path)
    const text = syntax ? await read(path) : null
    if (syntax === null || text === null) return null
    const needsOthers = syntax === 'eta' || text.includes('{{')
    return { file: path, syntax, text, siblings: needsOthers ? await siblings(path, syntax) : new Map() }
  }

  const searched = (path: string) => (isAbsolute(path) ? [path] : candidates(path))

  return {
    searched,
    async first(paths) {
      for (const path of paths.flatMap(searched)) {
        const source = await withTimeout(load(path), path)
        if (source) return source
      }
      return null
    },
    async family(path) {
      for (const name of searched(path)) {
        const texts = await withTimeout(folder(name, 'eta'), name)
        if (texts.length > 0) return { folder: name, texts: new Map(texts) }
      }
      return null
    },
  }
}

function isMissing(error: unknown): boolean {
  return MISSING.has((error as NodeJS.ErrnoException).code ?? '')
}

const withTimeout = <T>(work: Promise<T>, file: string): Promise<T> =>
  within(work, READ_TIMEOUT_MS, () => {
    throw new TemplateError({ file }, `did not answer within ${READ_TIMEOUT_MS / 1000} s`)
  })
