import { invalid } from '../../http/endpoint/errors.ts'
import { ITEM_TYPES } from './parse-items.ts'
import { isRecord } from './parsed.ts'

/** The schema of the array dialect: throws E2 for the first item that does not fit it. */
export function checkItems(items: readonly unknown[]): void {
  for (const [index, item] of items.entries()) {
    if (!isRecord(item)) throw invalid(`body/${index} must be object`)
    if (item.type !== undefined && !ITEM_TYPES.some((type) => type === item.type)) {
      throw invalid(`body/${index}/type must be equal to one of the allowed values`)
    }
    if (item.payload !== undefined && !isRecord(item.payload)) throw invalid(`body/${index}/payload must be object`)
  }
}
