/** Copies a file, or a directory with all that is in it. */
import { copyFile } from '../disk/copy-file.ts'
import { look } from '../disk/entries.ts'
import { pathOf } from '../disk/locate.ts'
import { textOf } from '../paths/resolve.ts'
import type { CopyRequest, Outcome, Preview, Work } from '../types.ts'
import { copyTree, finishDirectory, type Plan, planFile, planTree } from './copy-tree.ts'
import type { PlaceDeps } from './places.ts'
import { conflict, type Ends, nameOf, openEnds, openTarget } from './transfer.ts'

export async function previewCopy(deps: PlaceDeps, request: CopyRequest, signal?: AbortSignal): Promise<Preview> {
  await using ends = await openEnds(deps, deps.approvals.copy, request)
  const plan = await planCopy(ends, request, signal)
  return { ...plan, changes: plan.files > 0 || ends.targetKind === null }
}

/** Throws a refusal when nothing can be copied as things are now; does not look into directories. */
export async function checkCopy(deps: PlaceDeps, request: CopyRequest): Promise<void> {
  await using ends = await openEnds(deps, deps.approvals.copy, request)
  refuseSame(ends, request)
}

export async function runCopy(deps: PlaceDeps, request: CopyRequest, work: Work): Promise<Outcome> {
  await using ends = await openEnds(deps, deps.approvals.copy, request)
  const { files, bytes } = await planCopy(ends, request, work.signal)
  Object.assign(work.tally, { files, bytes })
  if (ends.same) return { changed: false }
  if (ends.kind === 'file' && ends.targetKind && !request.overwrite) return { changed: false }
  await using parent = (await openTarget(ends.target, true))!
  const target = { directory: parent, name: nameOf(ends.target) }
  if (!ends.tree) {
    const { copied } = await copyFile(ends.source, target, request, work)
    if (copied) work.tally.filesDone = 1
    return { changed: copied }
  }
  const isNew = (await look(target)) === null
  await using top = await parent.open(target.name, true)
  const { changed } = await copyTree(ends.tree, top, request, work)
  if (isNew || changed) await finishDirectory(ends.tree.top, top, isNew, request)
  return { changed: changed || isNew }
}

async function planCopy(ends: Ends, request: CopyRequest, signal?: AbortSignal): Promise<Plan> {
  const { tree, targetParent, targetKind, target, size } = ends
  const { overwrite } = request
  refuseSame(ends, request)
  const plan: Plan = { files: 0, bytes: 0, wouldOverwrite: [] }
  const path = textOf(pathOf(target))
  if (ends.same) return plan
  if (!tree) {
    if (!targetKind || overwrite) planFile(plan, size, targetKind ? path : null)
    return plan
  }
  await using existing = targetKind && targetParent ? await targetParent.open(nameOf(target)) : null
  await planTree(tree, existing, { overwrite, ...(signal && { signal }) }, plan, `${path}/`)
  return plan
}

function refuseSame({ same }: Ends, { overwrite }: CopyRequest): void {
  if (same && overwrite) throw conflict('fromFile and toFile are the same')
}
