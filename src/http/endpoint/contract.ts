/**
 * The contract of an endpoint: its address, and the shapes of what it takes and answers. It is declared once, in the
 * `contract.ts` of the feature; the endpoint answers through it, the description of the API is made from it, and pages and
 * commands ask with it.
 */
import type { z } from 'zod'
import { once } from '../../platform/once.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/**
 * By status: what is answered, as text where the schema is a string, nothing where it is `z.void()`, else JSON. Or, as a
 * text, when the endpoint refuses beyond what every endpoint may refuse: `{ 502: 'QRS is unreachable' }`.
 */
export type Answers = Readonly<Record<number, z.ZodType | string>>

export type Fields = z.ZodObject | undefined

/** Functions make the schemas when one is used first, as most never are. */
export interface Contract<
  Path extends string = string,
  Params extends Fields = Fields,
  Query extends Fields = Fields,
  Body extends z.ZodType | undefined = z.ZodType | undefined,
  All extends Answers = Answers,
> {
  /** Pages and commands use the first of several. */
  readonly method: Method | readonly Method[]
  readonly path: Path
  readonly params?: () => Params
  /** Without a schema the query is not looked at. */
  readonly query?: () => Query
  /** `ignored`: any body is accepted and not read. `bytes`: `handle` gets it as a `Uint8Array`. */
  readonly body?: (() => Body) | 'bytes' | 'ignored'
  readonly answers: () => All
}

/**
 * Declares a contract. Its objects are `z.strictObject`, so that an answer cannot outgrow them unseen.
 *
 * @example
 * export const TASKS = contract({
 *   method: 'GET', path: '/v4/tasks', query: () => z.object({ ... }),
 *   answers: () => ({ 200: z.strictObject({ tasks: z.array(task()) }).describe('The tasks.') }),
 * })
 * export type Tasks = AnswerOf<typeof TASKS>
 */
export function contract<
  const Path extends string,
  const All extends Answers,
  Params extends Fields = undefined,
  Query extends Fields = undefined,
  Body extends z.ZodType | undefined = undefined,
>(declared: Contract<Path, Params, Query, Body, All>): Contract<Path, Params, Query, Body, All> & WithBody<Body>
export function contract({ params, query, body, answers, ...declared }: AnyContract): AnyContract {
  return {
    ...declared,
    ...(params && { params: once(params) }),
    ...(query && { query: once(query) }),
    ...(body && { body: typeof body === 'string' ? body : once(body) }),
    answers: once(answers),
  }
}

/**
 * A shape that several contracts share. The description of the API and the clients made from it know it by its name, which
 * no other shape may have.
 *
 * @example
 * const snooze = shape('Snooze', () => z.strictObject({ id: z.string(), ... }))
 */
export const shape = <Type extends z.ZodType>(name: string, make: () => Type): (() => Type) =>
  once(() => make().meta({ id: name }))

/** Says that a contract with a schema of the body has one that can be called, for handlers that check it themselves. */
type WithBody<Body> = Body extends z.ZodType ? { readonly body: () => Body } : unknown

/** A value that came as JSON, which nothing changes. */
export type Json<T> = T extends readonly (infer Item)[]
  ? readonly Json<Item>[]
  : T extends object
    ? { readonly [Name in keyof T]: Json<T[Name]> }
    : T

/** The value of a schema that a function makes: of the members that several contracts share. */
export type Shape<Make extends () => z.ZodType> = Json<z.output<ReturnType<Make>>>

type Success<All extends Answers> = {
  [Status in keyof All]: `${Status & number}` extends `2${string}`
    ? All[Status] extends z.ZodType
      ? Status
      : never
    : never
}[keyof All]

type Output<Type> = Type extends z.ZodType ? Json<z.output<Type>> : never

// biome-ignore lint/suspicious/noExplicitAny: stands for every contract
export type AnyContract = Contract<string, any, any, any, any>
type AnswersOf<C extends AnyContract> = ReturnType<C['answers']>

/** The answer of an endpoint: of every status below 300, or of one. */
export type AnswerOf<C extends AnyContract, Status extends Success<AnswersOf<C>> = Success<AnswersOf<C>>> = Output<
  AnswersOf<C>[Status]
>

declare const ANSWERED: unique symbol
/** An answer in the form of the contract, or one that `asIs` has taken out of it. */
export type Answered = Response & { readonly [ANSWERED]: true }

type Headers = Readonly<Record<string, string>>

/** Answers with a status of the contract and its value; an answer without a body has no value. */
export type AnswerWith<All extends Answers> = <Status extends Success<All>>(
  status: Status,
  ...value: All[Status] extends z.ZodVoid
    ? [nothing?: undefined, headers?: Headers]
    : [value: Output<All[Status]>, headers?: Headers]
) => Answered

/** An answer that is no JSON made here: a file, a stream, a text that is written already. */
export const asIs = (response: Response): Answered => response as Answered

/** Names between braces, without the `*` of one that takes all that follows. */
type NamesIn<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? (Name extends `${infer Plain}*` ? Plain : Name) | NamesIn<Rest>
  : never

export type QueryValue = string | number | boolean | readonly (string | number)[] | null | undefined
export type AnyQuery = Readonly<Record<string, QueryValue>>

type QueryOf<C extends AnyContract> =
  C extends Contract<string, Fields, infer Query>
    ? Query extends z.ZodObject
      ? { readonly [Name in keyof Query['shape']]?: QueryValue }
      : never
    : never

type BodyOf<C extends AnyContract> = C['body'] extends infer Body
  ? Body extends () => infer Type
    ? Type extends z.ZodType
      ? Json<z.input<Type>>
      : never
    : Body extends 'bytes'
      ? Uint8Array | string
      : never
  : never

/** The parts of a call of the endpoint. `params` is required where the path has any. */
export type CallOf<C extends AnyContract> = ([NamesIn<C['path']>] extends [never]
  ? { readonly params?: undefined }
  : { readonly params: { readonly [Name in NamesIn<C['path']>]: string } }) & {
  readonly query?: QueryOf<C>
  readonly body?: BodyOf<C>
}

/** A call of any endpoint. */
export interface AnyCall {
  readonly params?: Readonly<Record<string, string>> | undefined
  readonly query?: AnyQuery | undefined
  readonly body?: unknown
}

/** Whether a call needs nothing but the contract. */
export type CallArguments<C extends AnyContract, Options> = [NamesIn<C['path']>] extends [never]
  ? [call?: CallOf<C> & Options]
  : [call: CallOf<C> & Options]

/** Method, path and query of a call. Null, undefined and '' are left out of the query; lists repeat the parameter. */
export function addressOf(
  { method, path }: Pick<Contract, 'method' | 'path'>,
  { params = {}, query = {} }: Omit<AnyCall, 'body'>,
): { readonly method: Method; readonly path: string } {
  const filled = path.replace(/\{(\w+)(\*?)\}/g, (_, name: string, rest: string) => {
    const value = params[name] ?? ''
    return rest ? value.split('/').map(encodeURIComponent).join('/') : encodeURIComponent(value)
  })
  return { method: [method].flat()[0] ?? 'GET', path: withQuery(filled, query) }
}

/** A path with its query; null, undefined and '' are left out, lists repeat the parameter. */
export function withQuery(path: string, query: AnyQuery): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value ?? ''].flat()) if (one !== '') search.append(name, String(one))
  }
  const text = search.toString()
  return text === '' ? path : `${path}?${text}`
}
