/** The description of the API as its tests read it. */

export interface Described {
  readonly openapi: string
  readonly info: Readonly<Record<string, unknown>>
  readonly servers: readonly { readonly url: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, DescribedOperation>>>>
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

type Values = Readonly<Record<string, { readonly value: unknown }>>
type Media = Readonly<Record<string, { readonly schema: object; readonly examples?: Values }>>

export interface DescribedOperation {
  readonly operationId: string
  readonly summary: string
  readonly description?: string
  readonly parameters?: readonly {
    name: string
    in: 'path' | 'query' | 'header'
    required: boolean
    examples?: Values
  }[]
  readonly requestBody?: { readonly required: boolean; readonly content: Media }
  readonly responses: Readonly<Record<string, { $ref?: string; description?: string; content?: Media }>>
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[]
}

/** One call that the document shows. */
export interface DescribedCall {
  readonly operation: DescribedOperation
  readonly method: string
  /** The path in the document. */
  readonly path: string
  readonly name: string
  /** With its parameters filled in. */
  readonly url: string
  readonly body: unknown
  /** Answers under this name, by status; empty where the document shows none. */
  readonly answers: ReadonlyMap<string, unknown>
}

const METHODS = ['post', 'put', 'patch', 'get', 'delete']

/** Every example of every operation, what makes something before what reads it, and that before what deletes it. */
export function describedCalls(document: Described): DescribedCall[] {
  const calls = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).flatMap(([method, operation]) =>
      namesOf(operation).map((name) => callOf(path, method, operation, name)),
    ),
  )
  const rank = ({ method, path }: DescribedCall) => METHODS.indexOf(method) * 10 - path.split('/').length
  return calls.sort((a, b) => rank(a) - rank(b))
}

function namesOf({ parameters = [], requestBody, responses }: DescribedOperation): string[] {
  const holders = [
    ...parameters,
    ...Object.values(requestBody?.content ?? {}),
    ...Object.entries(responses).flatMap(([, response]) => Object.values(response.content ?? {})),
  ]
  return [...new Set(holders.flatMap(({ examples = {} }) => Object.keys(examples)))]
}

function callOf(path: string, method: string, operation: DescribedOperation, name: string): DescribedCall {
  const query = new URLSearchParams()
  let url = path
  for (const parameter of operation.parameters ?? []) {
    const value = parameter.examples?.[name]?.value
    if (value === undefined) continue
    if (parameter.in === 'path') url = url.replace(`{${parameter.name}}`, encodeURIComponent(String(value)))
    else query.set(parameter.name, String(value))
  }
  const answers = new Map(
    Object.entries(operation.responses).flatMap(([status, { content = {} }]) =>
      Object.values(content).flatMap(({ examples }): [string, unknown][] =>
        examples?.[name] ? [[status, examples[name].value]] : [],
      ),
    ),
  )
  const body = operation.requestBody?.content['application/json']?.examples?.[name]?.value
  return { operation, method, path, name, url: query.size > 0 ? `${url}?${query}` : url, body, answers }
}
