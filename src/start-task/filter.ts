/** `Butler.startTaskFilter`: which tasks may be started through Footman. */
import type { QrsTask } from '../qlik/qrs/types.ts'
import { hasProperty, hasTag } from './match.ts'
import type { CustomPropertySelector, StartOrigin } from './types.ts'

export interface StartFilterSettings {
  readonly startTaskFilter: {
    readonly enable: boolean
    readonly allowTask: {
      readonly taskId: readonly string[]
      readonly tag: readonly string[]
      readonly customProperty: readonly CustomPropertySelector[]
    }
  }
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

/** Null when requests of this origin are not filtered. With empty lists nothing is allowed. */
export function startFilterFor(origin: StartOrigin, settings: StartFilterSettings): StartFilter | null {
  const { enable, allowTask } = settings.startTaskFilter
  if (!enable || !settings.startFilter.appliesTo.includes(origin)) return null
  const ids = new Set(allowTask.taskId.map((id) => id.toLowerCase()))
  const tags = new Set(allowTask.tag)
  const properties = allowTask.customProperty
  const carriesAllowed = (task: QrsTask) =>
    allowTask.tag.some((tag) => hasTag(task, tag)) || properties.some((property) => hasProperty(task, property))
  return {
    allowsId: (taskId, task) => ids.has(taskId.toLowerCase()) || (task !== undefined && carriesAllowed(task)),
    allowsTag: (tag) => tags.has(tag),
    allowsProperty: ({ name, value }) => properties.some((one) => one.name === name && one.value === value),
  }
}
