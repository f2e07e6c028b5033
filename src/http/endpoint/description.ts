/** Alias of `route.ts`. */
export type { RouteDescription, RouteExample, RouteSchemas } from './route.ts'
