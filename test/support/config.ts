/** Loading configurations that tests write down as text. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type LoadResult, loadConfig } from '../../src/app/config/load.ts'
import type { Config } from '../../src/app/schema.ts'
import type { Overrides } from '../../src/config/overrides.ts'
import { type Problem, renderProblem } from '../../src/config/problems.ts'

export interface LoadTextOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly overrides?: Overrides
  /** Further files beside `config.yaml`, by relative path. */
  readonly files?: Readonly<Record<string, string>>
  readonly name?: string
}

/** Writes the files to a folder of their own, runs `use` with it and removes it. */
export async function withFolder<T>(
  files: Readonly<Record<string, string | Uint8Array>>,
  use: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'footman-config-'))
  try {
    for (const [name, text] of Object.entries(files)) {
      const path = join(folder, name)
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path, text)
    }
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Loads the text of a whole file. Without Qlik Sense unless the overrides say otherwise. */
export function loadText(text: string, options: LoadTextOptions = {}): Promise<LoadResult> {
  const { env = {}, overrides, files = {}, name = 'config.yaml' } = options
  return withFolder({ ...files, [name]: text }, (cwd) =>
    loadConfig({ file: name, env, cwd, overrides: { qlikConnection: false, ...overrides } }),
  )
}

/** Loads what stands below `Butler:`; the indentation is added. Line 1 is `Butler:`. */
export function loadButler(text: string, options?: LoadTextOptions): Promise<LoadResult> {
  const lines = text.replace(/^\n/, '').replace(/\s+$/, '').split('\n')
  return loadText(['Butler:', ...lines.map((line) => (line === '' ? '' : `  ${line}`))].join('\n'), options)
}

/** The configuration; an error that lists the problems when there is none. */
export async function configOf(result: Promise<LoadResult>): Promise<Config> {
  const { config, problems } = await result
  if (config) return config
  throw new Error(problems.map(({ path, message }) => `${path}: ${message}`).join('\n'))
}

export function errorsOf({ problems }: LoadResult): Problem[] {
  return problems.filter(({ severity }) => severity === 'error')
}

/** `severity path message` of every problem. */
export function summaryOf({ problems }: LoadResult): string[] {
  return problems.map(({ severity, path, message }) => `${severity} ${path} ${message}`)
}

/** Warnings and errors as `footman check` prints them, without the name of the file. */
export async function linesOf(text: string, overrides?: Overrides): Promise<string[]> {
  const { problems } = await loadButler(text, overrides ? { overrides } : {})
  return problems
    .filter(({ severity }) => severity !== 'info')
    .map((problem) => renderProblem(problem).replace(/^config\.yaml:/, ''))
}
