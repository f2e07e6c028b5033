/** Alias of `validation.ts`. */
export { type BodyIssue, invalidBody, strictBody } from './validation.ts'
