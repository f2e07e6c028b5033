/** A directory, copied into another one; what is there already stays unless it is to be replaced. */
import { chmod, stat, utimes } from 'node:fs/promises'
import process from 'node:process'
import { type CopyOptions, copyFile } from '../disk/copy-file.ts'
import type { Directory } from '../disk/directory.ts'
import { look } from '../disk/entries.ts'
import { entriesIn, type Tree } from '../disk/tree.ts'
import type { Work } from '../types.ts'
import { conflict } from './transfer.ts'

/** What a copy is going to do; grows while the tree is looked through. */
export interface Plan {
  files: number
  bytes: number
  readonly wouldOverwrite: string[]
}

const MAX_LISTED = 1000

/** One file of a plan. `path`: that of the target, if it is there already. */
export function planFile(plan: Plan, size: number, path: string | null): void {
  plan.files += 1
  plan.bytes += size
  if (path !== null && plan.wouldOverwrite.length < MAX_LISTED) plan.wouldOverwrite.push(path)
}

/**
 * Looks through the tree and through what there is of its copy already. Throws a refusal for a link that leads out, and
 * where a file would have to replace a directory or the other way round. `path`: that of the copy, ending in a slash.
 */
export async function planTree(
  tree: Tree,
  target: Directory | null,
  settings: { readonly overwrite: boolean; readonly signal?: AbortSignal },
  plan: Plan,
  path: string,
): Promise<void> {
  await planDirectory(tree.top, target, false, path)

  async function planDirectory(from: Directory, to: Directory | null, inLinked: boolean, at: string): Promise<void> {
    for await (const entry of entriesIn(tree, from, inLinked)) {
      settings.signal?.throwIfAborted()
      const { name, kind } = entry
      const there = to && (await look({ directory: to, name }))
      if (there && there.kind !== kind) throw conflict(`${at}${name} is there, and is not a ${kind}`)
      if (kind === 'file') {
        if (!there || settings.overwrite) planFile(plan, entry.size, there ? at + name : null)
        continue
      }
      await using child = await entry.at.directory.open(entry.at.name)
      await using below = there && to ? await to.open(name) : null
      await planDirectory(child, below, inLinked || entry.linked, `${at}${name}/`)
    }
  }
}

export interface TreeCopy {
  /** Something was made. */
  readonly changed: boolean
  readonly sourceChanged: boolean
}

/** Copies all that is in the tree into `target`. */
export async function copyTree(tree: Tree, target: Directory, options: CopyOptions, work: Work): Promise<TreeCopy> {
  let [changed, sourceChanged] = [false, false]
  await copyDirectory(tree.top, target, false)
  return { changed, sourceChanged }

  async function copyDirectory(from: Directory, to: Directory, inLinked: boolean): Promise<void> {
    for await (const entry of entriesIn(tree, from, inLinked)) {
      work.signal.throwIfAborted()
      const place = { directory: to, name: entry.name }
      if (entry.kind === 'file') {
        // A file that stays needs no copy to find that out.
        if (!options.overwrite && (await look(place))) continue
        const result = await copyFile(entry.at, place, options, work)
        if (result.copied) work.tally.filesDone += 1
        changed ||= result.copied
        sourceChanged ||= result.sourceChanged
        continue
      }
      const isNew = (await look(place)) === null
      await using child = await entry.at.directory.open(entry.at.name)
      await using below = await to.open(entry.name, true)
      await copyDirectory(child, below, inLinked || entry.linked)
      await finishDirectory(child, below, isNew, options)
      changed ||= isNew
    }
  }
}

/** Mode and times come last, as they could stand in the way of the files, and change with them. */
export async function finishDirectory(
  from: Directory,
  to: Directory,
  isNew: boolean,
  { preserveTimestamp }: CopyOptions,
): Promise<void> {
  const { mode, atime, mtime } = await stat(from.entry('.'))
  await to.verify()
  if (isNew && process.platform !== 'win32') await chmod(to.entry('.'), mode & 0o777)
  if (preserveTimestamp) await utimes(to.entry('.'), atime, mtime)
}
