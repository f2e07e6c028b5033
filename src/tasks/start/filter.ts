/** `Butler.startTaskFilter`: which tasks may be started through Footman. */
import type { TaskSelectors } from '../../http/endpoint/caller.ts'
import type { QrsTask } from '../../qlik/qrs/types.ts'
import { hasProperty, hasTag } from './match.ts'
import type { CustomPropertySelector, StartOrigin } from './types.ts'

export interface StartFilterSettings {
  readonly startTaskFilter: { readonly enable: boolean; readonly allowTask: TaskSelectors }
  /** `Butler.footman.startFilter`. */
  readonly startFilter: { readonly appliesTo: readonly StartOrigin[] }
}

export interface StartFilter {
  /** An id that is on the list, or whose task carries an allowed tag or custom property value. */
  allowsId(taskId: string, task: QrsTask | undefined): boolean
  /** All tasks of an allowed tag may be started, whatever their ids. */
  allowsTag(tag: string): boolean
  /** Name and value as a pair. */
  allowsProperty(property: CustomPropertySelector): boolean
}

/** Null when nothing limits the request: neither the global filter for its origin nor its caller's grant. */
export function startFilterFor(
  origin: StartOrigin,
  { startTaskFilter, startFilter }: StartFilterSettings,
  limitedTo?: TaskSelectors,
): StartFilter | null {
  const isFiltered = startTaskFilter.enable && startFilter.appliesTo.includes(origin)
  const filters = [...(isFiltered ? [startTaskFilter.allowTask] : []), ...(limitedTo ? [limitedTo] : [])]
  const [first, ...others] = filters.map(filterOf)
  if (!first || others.length === 0) return first ?? null
  return allOf([first, ...others])
}

/** With empty lists nothing is allowed. */
function filterOf(allowed: TaskSelectors): StartFilter {
  const ids = new Set(allowed.taskId.map((id) => id.toLowerCase()))
  const tags = new Set(allowed.tag)
  const properties = allowed.customProperty
  const carriesAllowed = (task: QrsTask) =>
    allowed.tag.some((tag) => hasTag(task, tag)) || properties.some((property) => hasProperty(task, property))
  return {
    allowsId: (taskId, task) => ids.has(taskId.toLowerCase()) || (task !== undefined && carriesAllowed(task)),
    allowsTag: (tag) => tags.has(tag),
    allowsProperty: ({ name, value }) => properties.some((one) => one.name === name && one.value === value),
  }
}

const allOf = (filters: readonly StartFilter[]): StartFilter => ({
  allowsId: (taskId, task) => filters.every((filter) => filter.allowsId(taskId, task)),
  allowsTag: (tag) => filters.every((filter) => filter.allowsTag(tag)),
  allowsProperty: (property) => filters.every((filter) => filter.allowsProperty(property)),
})
