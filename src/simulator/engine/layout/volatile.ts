import { isObject } from '../json.ts'
import type { Target } from '../methods/types.ts'

const DATA_MEMBERS: ReadonlySet<string> = new Set([
  'qHyperCubeDef',
  'qListObjectDef',
  'qSelectionObjectDef',
  'qStringExpression',
  'qValueExpression',
])

/** Whether a handle must be read again after a selection: charts, lists and expressions, not lists of objects. */
export const hasData = (target: Target): boolean =>
  target.type === 'GenericObject' && containsData(target.object.properties)

function containsData(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(containsData)
  if (!isObject(value)) return false
  return Object.entries(value).some(([key, member]) => DATA_MEMBERS.has(key) || containsData(member))
}
