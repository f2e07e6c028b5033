import type { MethodTable, TargetType } from '../types.ts'
import { DOC_METHODS } from './doc.ts'
import { DOC_ITEM_METHODS } from './doc-items.ts'
import { FIELD_METHODS } from './field.ts'
import { OBJECT_METHODS } from './generic-object.ts'
import { GLOBAL_METHODS } from './global.ts'
import { BOOKMARK_METHODS, DIMENSION_METHODS, MEASURE_METHODS, VARIABLE_METHODS } from './items.ts'
import { RELOAD_METHODS } from './reload.ts'

/** Every method that the simulated engine has, by the kind of handle that it is called on. */
export const METHODS: { readonly [T in TargetType]: MethodTable<T> } = {
  Global: GLOBAL_METHODS,
  Doc: { ...DOC_METHODS, ...DOC_ITEM_METHODS, ...RELOAD_METHODS },
  GenericObject: OBJECT_METHODS,
  GenericDimension: DIMENSION_METHODS,
  GenericMeasure: MEASURE_METHODS,
  GenericBookmark: BOOKMARK_METHODS,
  GenericVariable: VARIABLE_METHODS,
  Field: FIELD_METHODS,
}
