/** Alias of `list-query.ts`. */
export { LIST_PARAMETERS } from './list-query.ts'
