/** QRS compares without case and each part of a custom property on its own; these checks are exact. */
import type { QrsTask } from '../../qlik/qrs/types.ts'
import type { CustomPropertySelector } from './types.ts'

export function hasTag(task: QrsTask, tag: string): boolean {
  return task.tags?.some((one) => one.name === tag) ?? false
}

export function hasProperty(task: QrsTask, { name, value }: CustomPropertySelector): boolean {
  return task.customProperties?.some((one) => one.definition.name === name && one.value === value) ?? false
}
