/** The parts that a listing of a running Footman is made of. */
import type { AnswerOf, AnyContract, AnyQuery, CallOf } from '../../http/endpoint/contract.ts'
import type { ArgumentsOf, Flag, ValuesOf } from '../command.ts'
import type { CommandIo } from '../io.ts'
import type { Column } from '../table.ts'
import type { Remote, RemoteOptions } from './client.ts'

/** The options of every listing. */
interface ListingOptions extends RemoteOptions {
  readonly wide?: boolean
  readonly utc?: boolean
  readonly limit?: number
}

/** `Shown`: a row with what `complete` adds. */
interface Listing<
  C extends AnyContract,
  Member extends keyof AnswerOf<C> | null,
  Arguments extends string,
  Filters extends readonly Flag[],
  Flags extends readonly Flag[],
  Shown,
> {
  readonly description: string
  /** Name in the usage, like `[glob]` or `<id>`. */
  readonly argument?: Arguments
  /** Options that are parameters of the endpoint under their own names. */
  readonly filters?: Filters & Parameters<C, Filters>
  readonly options?: Flags
  readonly help?: string
  /** Its contract, loaded when the command is called. */
  readonly of: () => Promise<C>
  readonly params?: (argument: string) => NonNullable<CallOf<C>['params']>
  /** Parameters besides the filters. */
  readonly query?: (options: Given<Filters, Flags>, argument: Argument<Arguments>) => NonNullable<CallOf<C>['query']>
  /** The member of the answer that holds the items; null = the answer is the list. */
  readonly member: Member
  /** All pages, or as many as `--limit` wants; else one answer is everything. */
  readonly paged?: true
  /** Fix for an endpoint that is off. */
  readonly switchedOff?: string
  /** Code of the answer about an unknown argument, and what the error says then. */
  readonly missing?: { readonly code: string; readonly why: string }
  /** The argument and the options with whole ids in the place of their beginnings. */
  readonly resolve?: (
    remote: Remote,
    argument: Argument<Arguments>,
    options: Given<Filters, Flags>,
  ) => Promise<{ readonly argument?: string; readonly options?: Partial<Given<Filters, Flags>> }>
  /** Which items are shown. */
  readonly only?: (row: RowOf<C, Member>, options: Given<Filters, Flags>) => boolean
  /** Adds members from further calls to the rows that are shown. */
  readonly complete?: (remote: Remote, rows: readonly RowOf<C, Member>[]) => Promise<readonly Shown[]>
  /** Refuses or notes options that cannot have selected anything. */
  readonly review?: (
    remote: Remote,
    rows: readonly RowOf<C, Member>[],
    options: Given<Filters, Flags>,
    io: CommandIo,
  ) => Promise<void>
  readonly columns: readonly Column<Shown>[]
  /** Printed in the place of an empty table. */
  readonly empty: string
}

/** Each option must be a parameter in the query of the contract. */
type Parameters<C extends AnyContract, Filters extends readonly Flag[]> =
  Exclude<keyof ValuesOf<Filters>, keyof NonNullable<CallOf<C>['query']>> extends never ? unknown : never

type Given<Filters extends readonly Flag[], Flags extends readonly Flag[]> = ListingOptions &
  ValuesOf<readonly [...Filters, ...Flags]>

type Argument<Arguments extends string> = ArgumentsOf<Arguments> extends [infer One] ? One : undefined

/** The rows in a member of an answer, or in the answer itself. */
type RowOf<C extends AnyContract, Member> = (
  Member extends keyof AnswerOf<C>
    ? AnswerOf<C>[Member]
    : AnswerOf<C>
) extends readonly (infer Row)[]
  ? Row
  : never

// biome-ignore lint/suspicious/noExplicitAny: each list has options of its own, which the command line has checked
export type ListOptions = ListingOptions & Record<string, any>

/** Any listing: its options and rows are checked where it is declared. */
export interface ListCommand
  extends Omit<
    Listing<AnyContract, never, string, readonly Flag[], readonly Flag[], unknown>,
    'member' | 'params' | 'query' | 'resolve' | 'only' | 'complete' | 'review' | 'columns'
  > {
  readonly member: string | null
  readonly params?: (argument: string) => Readonly<Record<string, string>>
  readonly query?: (options: ListOptions, argument: string | undefined) => AnyQuery
  readonly resolve?: (
    remote: Remote,
    argument: string | undefined,
    options: ListOptions,
  ) => Promise<{ readonly argument?: string; readonly options?: object }>
  readonly only?: (row: unknown, options: ListOptions) => boolean
  readonly complete?: (remote: Remote, rows: readonly unknown[]) => Promise<readonly unknown[]>
  readonly review?: (remote: Remote, rows: readonly unknown[], options: ListOptions, io: CommandIo) => Promise<void>
  readonly columns: readonly Column<unknown>[]
}

/** A listing of what the endpoint of a contract answers. */
export const list = <
  C extends AnyContract,
  const Member extends keyof AnswerOf<C> | null,
  const Arguments extends string = '',
  const Filters extends readonly Flag[] = [],
  const Flags extends readonly Flag[] = [],
  Shown = RowOf<C, Member>,
>(
  listing: Listing<C, Member, Arguments, Filters, Flags, Shown>,
): ListCommand => listing as unknown as ListCommand

/** Fix for a missing endpoint of report tasks. */
export const REPORTS_OFF =
  'are Butler.footman.reportTask.enable and .restApi.enable true, and was Footman restarted since?'
