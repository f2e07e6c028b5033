/** Template files: read on every use, kept in memory until they change. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import { messageOf, TemplateError } from './errors.ts'
import { type Syntax, syntaxOfFile, type TemplateSource } from './source.ts'

export interface TemplateFilesDeps {
  /** The absolute paths that a path in the configuration may mean, best first. */
  readonly candidates: (path: string) => readonly string[]
}

export interface TemplateFiles {
  /** The first of these files that exists, with what it may refer to; null when there is none. */
  first(paths: readonly string[]): Promise<TemplateSource | null>
  /** The Eta templates of a folder by name without extension, and the folder; null when there are none. */
  family(path: string): Promise<TemplateFamily | null>
}

export interface TemplateFamily {
  readonly folder: string
  readonly texts: ReadonlyMap<string, string>
}

interface CachedFile {
  readonly version: string
  readonly text: string
}

/** Folder of Handlebars partials, beside the template or below the working directory. */
const PARTIALS = 'partials'
/** A folder on a file share that does not answer must not hold up alerts. */
const READ_TIMEOUT_MS = 10_000
const MISSING = new Set(['ENOENT', 'ENOTDIR'])

export function createTemplateFiles({ candidates }: TemplateFilesDeps): TemplateFiles {
  const cache = new Map<string, CachedFile>()

  /** Null when the file does not exist. */
  async function read(path: string): Promise<string | null> {
    try {
      const { mtimeMs, size } = await stat(path)
      const version = `${mtimeMs} ${size}`
      const cached = cache.get(path)
      if (cached?.version === version) return cached.text
      const text = (await readFile(path, 'utf8')).replace(/^\uFEFF/, '')
      cache.set(path, { version, text })
      return text
    } catch (error) {
      cache.delete(path)
      if (isMissing(error)) return null
      throw new TemplateError({ file: path }, `cannot be read (${messageOf(error)})`, { cause: error })
    }
  }

  async function folder(path: string, syntax: Syntax): Promise<readonly (readonly [string, string])[]> {
    const names = await readdir(path).catch((error: unknown) => {
      if (isMissing(error)) return []
      throw new TemplateError({ file: path }, `cannot be read (${messageOf(error)})`, { cause: error })
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

  return {
    async first(paths) {
      for (const path of paths.flatMap((name) => (isAbsolute(name) ? [name] : candidates(name)))) {
        const source = await withTimeout(load(path), path)
        if (source) return source
      }
      return null
    },
    async family(path) {
      for (const name of isAbsolute(path) ? [path] : candidates(path)) {
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

async function withTimeout<T>(work: Promise<T>, file: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const timeout = new Promise<never>((_, reject) => {
    const reason = `did not answer within ${READ_TIMEOUT_MS / 1000} s`
    timer = setTimeout(() => reject(new TemplateError({ file }, reason)), READ_TIMEOUT_MS)
  })
  try {
    return await Promise.race([work, timeout])
  } finally {
    clearTimeout(timer)
  }
}
