/** The endpoints of report tasks: definitions, previews and trials, starts and runs. */
import type { ApiRoute } from '../../http/endpoint/route.ts'
import type { LastRun } from '../entities/contract.ts'
import { KINDS } from '../kinds.ts'
import type { Ledger } from '../runs/ledger.ts'
import type { OfficeFiles } from '../templates/check-worker.ts'
import type { EntityDeps } from './common.ts'
import { entityRoutes } from './entities.ts'
import { previewRoutes } from './preview.ts'
import { type RunRouteDeps, runRoutes } from './runs.ts'
import { type StorageSpace, storageSpaceRoute, taskRoutes } from './tasks.ts'
import { createTemplateChecks, type TemplateDeps, templateRoutes } from './templates.ts'
import { transferRoutes } from './transfer.ts'
import { type TrialRouteDeps, trial, trialRoutes } from './trials.ts'

export interface DefinitionRoutesDeps extends EntityDeps, TemplateDeps {
  readonly storageSpaces: readonly StorageSpace[]
  readonly readTable: OfficeFiles['readTable']
}

type FromStore = 'taskOf' | 'tasksTagged' | 'definitionOf' | 'unsaved'
export type ReportRoutesDeps = Omit<DefinitionRoutesDeps, 'lastRun'> &
  Omit<TrialRouteDeps, 'store'> &
  Omit<RunRouteDeps, FromStore>

export function reportRoutes(deps: ReportRoutesDeps): ApiRoute[] {
  const { store, ledger } = deps
  return [
    ...definitionRoutes({ ...deps, lastRun: (taskId) => lastRunOf(ledger, taskId) }),
    ...trialRoutes(deps),
    ...previewRoutes(deps),
    ...runRoutes({
      ...deps,
      taskOf: (id) => store.get('task', id) ?? null,
      tasksTagged: (tags) => tags.flatMap((tag) => store.list('task', { tag })),
      definitionOf: (taskId) => store.definitionOf(taskId) ?? null,
      unsaved: (actor, task) => trial(store, actor, task),
    }),
  ]
}

function lastRunOf(ledger: Ledger, taskId: string): LastRun | null {
  const run = ledger.lastFinished(taskId)
  if (!run || run.outcome === null || run.finishedAt === null) return null
  const { id, outcome, reason, counts, finishedAt } = run
  return { id, outcome, reason, counts, finishedAt: new Date(finishedAt).toISOString() }
}

/** The endpoints of definitions: tasks, reports, filters, conditions, recipients, groups, spaces, projects. */
export function definitionRoutes(deps: DefinitionRoutesDeps): ApiRoute[] {
  const { store, blobs, storageSpaces, readTable } = deps
  const checks = createTemplateChecks(deps)
  return [
    ...KINDS.flatMap((kind) => entityRoutes(kind, { ...deps, checkTemplateOf: checks.ofReport })),
    ...taskRoutes(store),
    ...templateRoutes(deps),
    ...transferRoutes({ store, blobs, checks, readTable }),
    storageSpaceRoute(storageSpaces),
  ]
}
