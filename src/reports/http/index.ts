/** The endpoints of definitions: tasks, reports, filters, conditions, recipients, groups, spaces, projects. */
import type { ApiRoute } from '../../http/endpoint/route.ts'
import { KINDS } from '../kinds.ts'
import type { OfficeFiles } from '../templates/check-worker.ts'
import type { EntityDeps } from './common.ts'
import { entityRoutes } from './entities.ts'
import { type StorageSpace, storageSpaceRoute, taskRoutes } from './tasks.ts'
import { createTemplateChecks, type TemplateDeps, templateRoutes } from './templates.ts'
import { transferRoutes } from './transfer.ts'

export interface DefinitionRoutesDeps extends EntityDeps, TemplateDeps {
  readonly storageSpaces: readonly StorageSpace[]
  readonly readTable: OfficeFiles['readTable']
}

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
