/** Alias of `http/errors.ts`. */
export * from '../errors.ts'
