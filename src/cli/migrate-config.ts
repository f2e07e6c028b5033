/** `footman migrate-config`: an older layout of the configuration file becomes the present one. */

import { copyFile, readFile, realpath, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Change } from '../app/config/migrate/changes.ts'
import { migrateConfig } from '../app/config/migrate/migrate.ts'
import { findConfigFile } from '../config/find.ts'
import { renderProblem, sortProblems } from '../config/problems.ts'
import { decode } from '../config/root.ts'
import { errorText } from '../platform/errors.ts'
import { exists, writeFileAtomic } from '../platform/files.ts'
import type { OptionsOf } from './command.ts'
import type { MIGRATE_CONFIG } from './commands.ts'
import { type CommandIo, EXIT } from './io.ts'

export type MigrateOptions = OptionsOf<typeof MIGRATE_CONFIG>

/** Writes to standard output unless an option names a file. Resolves with the exit code. */
export async function runMigrateConfig(
  file: string,
  options: MigrateOptions,
  io: CommandIo,
  cwd: string = process.cwd(),
): Promise<number> {
  const refuse = (message: string, code: number = EXIT.badInput): number => {
    io.err(`error: ${message}`)
    return code
  }
  const wrong = await wrongOptions(file, options, cwd)
  if (wrong) return refuse(wrong)
  const found = await findConfigFile(file, {}, cwd)
  if (!found.ok) return refuse(found.message)
  const { path, shown } = found.file
  const text = await readFile(path).then(decodeAll, (error: Error) => error)
  if (text instanceof Error) return refuse(`${shown} cannot be read: ${text.message}`)
  if (text === null) return refuse(`${shown} is not a text file`)

  const migrated = migrateConfig(text, shown)
  if (!migrated.ok) {
    for (const problem of sortProblems(migrated.problems)) io.err(renderProblem(problem))
    return EXIT.badInput
  }
  const { changes } = migrated
  report(changes, shown, io)
  if (!options.output && !options.inPlace) {
    io.out(migrated.text.replace(/\n$/, ''), 'as-is')
    return EXIT.ok
  }
  if (options.inPlace && changes.length === 0) return EXIT.ok
  try {
    const written = options.inPlace
      ? await replace(path, migrated.text)
      : await write(resolve(cwd, options.output!), migrated.text, path)
    io.err(`Written: ${written}. Look at it with: footman check -c ${options.output ?? file}`)
    return EXIT.ok
  } catch (error) {
    return refuse(`the new file cannot be written: ${errorText(error)}. ${shown} is as it was`, EXIT.failed)
  }
}

/** The new file is UTF-8 in any case. */
const decodeAll = (bytes: Uint8Array): string | null => {
  const text = decode(bytes)?.text ?? null
  // The decoder takes the byte order mark away, which is to be kept.
  return text !== null && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? `\uFEFF${text}` : text
}

/** An error about the arguments; null without one. */
async function wrongOptions(
  file: string,
  { output, inPlace, force }: MigrateOptions,
  cwd: string,
): Promise<string | null> {
  if (output !== undefined && inPlace) return '--output and --in-place exclude each other: give one of them'
  const target = output ?? (inPlace ? `${file}.old` : undefined)
  if (target === undefined || force || !(await exists(resolve(cwd, target)))) return null
  return `${target} exists: give --force to overwrite it${output === undefined ? '' : ', or another name'}`
}

function report(changes: readonly Change[], shown: string, { err }: CommandIo): void {
  if (changes.length === 0) {
    err(`${shown} has the present layout; nothing was changed`)
    return
  }
  err(`${shown}: ${changes.length} change${changes.length === 1 ? '' : 's'}`)
  for (const { line, kind, text } of changes) err(`  line ${line}: ${kind} ${text}`)
}

/** Keeps the old file beside the new one. */
async function replace(path: string, text: string): Promise<string> {
  const target = await realpath(path)
  await copyFile(target, `${path}.old`)
  await writeFileAtomic(target, text)
  return `${path} (the old one is ${path}.old)`
}

/** The new file gets the mode of the old one, as it may hold passwords. */
async function write(target: string, text: string, original: string): Promise<string> {
  const { mode } = await stat(original)
  await writeFileAtomic(target, text, mode & 0o777)
  return target
}
