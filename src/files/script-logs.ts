/**
 * Script logs in the archive of Qlik Sense (`Butler.footman.scriptLogs.folders`): for those that the repository does not
 * hand out. Nothing outside of the folders is read, also when a result or a link names it.
 */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import process from 'node:process'
import { within } from '../platform/deadline.ts'
import { lenientText } from '../platform/encodings.ts'
import { errorText } from '../platform/errors.ts'
import type { Clock, Logger } from '../platform/types.ts'
import type { ArchivedLogs } from '../qlik/qrs/script-log.ts'
import { type ApprovedList, type MissingDirectory, missingOf, openParent, placeIn, readApproved } from './approvals.ts'
import { statEntry } from './directory.ts'
import { type AbsolutePath, isBelow, type PathRules, resolvePath, textOf } from './paths.ts'
import { FileRefusal } from './types.ts'

/** The limit for answers of the repository, too. */
const MAX_BYTES = 64 * 1024 * 1024
/** A file that was changed a moment ago may still be growing. */
const SETTLED_MS = 2000
/** A share that does not answer must not hold up an alert. */
const PATIENCE_MS = 10_000
/** Reasons that are kept for answers. */
const KEEP_REASONS = 100
const KEY = 'footman.scriptLogs.folders'

/** It is awaited. */
class GrowingFile extends Error {
  constructor() {
    super(`it has changed within the last ${SETTLED_MS / 1000} s and may still grow; ask again`)
  }
}

/** Null when no folder is named. */
export function createLogFolders(
  { log, clock }: { readonly log: Logger; readonly clock: Clock },
  folders: readonly string[],
  rules: PathRules = {
    platform: process.platform === 'win32' ? 'win32' : 'posix',
    workingDirectory: process.cwd(),
  },
): ArchivedLogs | null {
  if (folders.length === 0) return null
  const list: ApprovedList = { name: 'SCRIPT LOGS CONFIG', rules, allowRoot: false, osName: process.platform }
  const { directories, problems } = readApproved(list, folders)
  const said = new Set<string>()
  /** Why the log of a location was not read the last time. */
  const unread = new Map<string, string>()

  function warnOnce(text: string): void {
    if (said.has(text) || said.size >= 100) return
    said.add(text)
    log.warn(text)
  }

  async function readIn(folder: AbsolutePath, location: string): Promise<string | null> {
    // A result may name the whole path as well.
    for (const text of [`${textOf(folder)}/${location}`, location]) {
      const result = resolvePath(text, rules)
      if (!result.ok || !isBelow(folder, result.path, rules.platform)) continue
      const found = await readFile(folder, result.path)
      if (found !== null) return found
    }
    return null
  }

  async function readFile(folder: AbsolutePath, path: AbsolutePath): Promise<string | null> {
    const place = await placeIn({ rules }, [folder], path)
    const name = place.names.at(-1)!
    const parent = await openParent(place)
    if (!parent) return null
    await using directory = parent
    const entry = await statEntry({ directory, name })
    if (entry?.kind !== 'file' || !/\.log$/i.test(name)) return null
    await directory.verify()
    await using file = await open(directory.entry(name), constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0))
    const stats = await file.stat()
    const age = clock.now() - stats.mtimeMs
    if (age >= 0 && age < SETTLED_MS) throw new GrowingFile()
    if (stats.size > MAX_BYTES) throw new Error(`it has ${stats.size} bytes; at most ${MAX_BYTES} are read`)
    return lenientText(await file.readFile()).text
  }

  function keepReason(location: string, reason: string): void {
    if (unread.size >= KEEP_REASONS) unread.delete(unread.keys().next().value!)
    unread.set(location, reason)
  }

  async function read(location: string): Promise<string | null> {
    unread.delete(location)
    for (const problem of problems) warnOnce(problem)
    for (const folder of directories) {
      const late = () => Promise.reject(new Error(`the folder has not answered for ${PATIENCE_MS / 1000} s`))
      try {
        const text = await within(readIn(folder, location), PATIENCE_MS, late)
        if (text === null) continue
        unread.delete(location)
        return text
      } catch (error) {
        const reason = error instanceof FileRefusal ? 'it leads out of the folder' : errorText(error)
        keepReason(location, `The file in ${textOf(folder)} is not read: ${reason}.`)
        if (error instanceof GrowingFile) continue
        warnOnce(`SCRIPT LOGS: "${location}" is not read in ${textOf(folder)}: ${reason}`)
      }
    }
    return null
  }

  return { read, problem: (location) => unread.get(location) ?? null }
}

/** Folders that do not exist, with their keys. */
export function missingLogFolders(folders: readonly string[]): Promise<readonly MissingDirectory[]> {
  return missingOf(folders.map((path, index) => ({ key: `${KEY}[${index}]`, path })))
}
