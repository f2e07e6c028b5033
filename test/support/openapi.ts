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

/** A link of OpenAPI: parameters of a call that another answer has. */
interface DescribedLink {
  readonly operationId: string
  readonly parameters: Readonly<Record<string, string>>
  readonly 'x-footman-example'?: string
}

export interface DescribedOperation {
  readonly operationId: string
  readonly summary: string
  readonly description?: string
  readonly parameters?: readonly {
    $ref?: string
    name: string
    in: 'path' | 'query' | 'header'
    required: boolean
    examples?: Values
  }[]
  readonly requestBody?: { readonly required: boolean; readonly content: Media }
  readonly responses: Readonly<
    Record<
      string,
      { $ref?: string; description?: string; content?: Media; links?: Readonly<Record<string, DescribedLink>> }
    >
  >
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[]
}

/** The answer that has the path parameters of a call. */
interface Source {
  readonly operationId: string
  /** Name of its example; absent = any. */
  readonly example?: string | undefined
  /** Constants, and expressions like `$response.body#/events/0/id`. */
  readonly parameters: Readonly<Record<string, string>>
}

/** One call that the document shows. */
export interface DescribedCall {
  readonly operation: DescribedOperation
  readonly method: string
  /** The path in the document. */
  readonly path: string
  readonly name: string
  /** With the parameters filled in that are constants. */
  readonly url: string
  /** Values of its path parameters that are constants. */
  readonly params: Readonly<Record<string, string>>
  /** Absent where all parameters are constants. */
  readonly source?: Source
  /** Media type of the body; absent without one. */
  readonly media?: string
  readonly body: unknown
  /** Answers under this name, by status; empty where the document shows none. */
  readonly answers: ReadonlyMap<string, unknown>
}

const METHODS = ['post', 'put', 'patch', 'get', 'delete']

/** Every example of every operation, what makes something before what reads it, and that before what deletes it. */
export function describedCalls(document: Described): DescribedCall[] {
  const sources = sourcesOf(document)
  const calls = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).flatMap(([method, operation]) => {
      const found = sources.get(operation.operationId) ?? new Map<string, Source>()
      const names = new Set([...namesOf(operation), ...found.keys()])
      return [...names].map((name) => callOf(path, method, operation, name, found.get(name)))
    }),
  )
  const rank = ({ method, path }: DescribedCall) => METHODS.indexOf(method) * 10 - path.split('/').length
  return calls.sort((a, b) => rank(a) - rank(b))
}

/** By the id of the operation that is called, and the name of its example. */
function sourcesOf(document: Described): Map<string, Map<string, Source>> {
  const found = new Map<string, Map<string, Source>>()
  const operations = Object.values(document.paths).flatMap((item) => Object.values(item))
  for (const { operationId: from, responses } of operations) {
    for (const { links = {} } of Object.values(responses)) {
      for (const [key, { operationId, parameters, 'x-footman-example': example }] of Object.entries(links)) {
        const known = found.get(operationId) ?? new Map<string, Source>()
        found.set(operationId, known.set(key.slice(operationId.length + 1), { operationId: from, example, parameters }))
      }
    }
  }
  return found
}

/** The values of a link, of the call that it goes on from. Null when its answer does not have them. */
export function followed(
  { parameters }: Source,
  { params, answer }: { readonly params: Readonly<Record<string, string>>; readonly answer: unknown },
): Record<string, string> | null {
  const read = (expression: string): unknown => {
    const [, name = ''] = /^\$request\.path\.(\w+)$/.exec(expression) ?? []
    if (name) return params[name]
    const [, pointer] = /^\$response\.body#(.+)$/.exec(expression) ?? []
    if (pointer === undefined) return expression
    const steps = pointer.split('/').slice(1)
    return steps.reduce<unknown>(
      (value, step) => (value as Readonly<Record<string, unknown>> | undefined)?.[step],
      answer,
    )
  }
  const values = Object.entries(parameters).map(([name, expression]) => [name, read(expression)] as const)
  if (values.some(([, value]) => value === undefined)) return null
  return Object.fromEntries(values.map(([name, value]) => [name, String(value)]))
}

/** A path, or an address, with values of its parameters. */
export const filled = (path: string, params: Readonly<Record<string, string>>): string =>
  path.replace(/\{(\w+)\}/g, (braces, name: string) => (name in params ? encodeURIComponent(params[name]!) : braces))

function namesOf({ parameters = [], requestBody, responses }: DescribedOperation): string[] {
  const holders = [
    ...parameters,
    ...Object.values(requestBody?.content ?? {}),
    ...Object.entries(responses).flatMap(([, response]) => Object.values(response.content ?? {})),
  ]
  return [...new Set(holders.flatMap(({ examples = {} }) => Object.keys(examples)))]
}

function callOf(
  path: string,
  method: string,
  operation: DescribedOperation,
  name: string,
  source: Source | undefined,
): DescribedCall {
  const query = new URLSearchParams()
  const params: Record<string, string> = {}
  for (const parameter of operation.parameters ?? []) {
    const value = parameter.examples?.[name]?.value
    if (value === undefined) continue
    if (parameter.in === 'path') params[parameter.name] = String(value)
    else query.set(parameter.name, String(value))
  }
  const answers = new Map(
    Object.entries(operation.responses).flatMap(([status, { content = {} }]) =>
      Object.values(content).flatMap(({ examples }): [string, unknown][] =>
        examples?.[name] ? [[status, examples[name].value]] : [],
      ),
    ),
  )
  const url = filled(path, params)
  const [media, { examples: bodies = {} } = {}] = Object.entries(operation.requestBody?.content ?? {})[0] ?? []
  return {
    operation,
    method,
    path,
    name,
    url: query.size > 0 ? `${url}?${query}` : url,
    params,
    ...(source && { source }),
    ...(media && { media }),
    body: bodies[name]?.value,
    answers,
  }
}
