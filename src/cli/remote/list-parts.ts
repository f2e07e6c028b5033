/** The parts that a listing of a running Footman is made of. */
import { InvalidArgumentError, Option } from 'commander'
import { type AnswerOf, type AnyContract, addressOf, type CallOf } from '../../http/endpoint/contract.ts'
import type { CommandIo } from '../io.ts'
import type { Column } from '../table.ts'
import { TIME_FORMS, toTime } from '../time.ts'
import type { Query, Remote, RemoteOptions } from './client.ts'

interface ListingOptions extends RemoteOptions {
  readonly wide?: boolean
  readonly utc?: boolean
  readonly limit?: number
}

// biome-ignore lint/suspicious/noExplicitAny: each list has options of its own, which the command line has checked
export type ListOptions = ListingOptions & Record<string, any>

export interface ListCommand<Row> {
  readonly description: string
  /** Name in the usage, like `[glob]` or `<id>`. */
  readonly argument?: string
  readonly options: readonly Option[]
  readonly help?: string
  /** With the argument and the options as they were typed. */
  readonly path: string | ((argument: string) => string)
  readonly query?: (options: ListOptions, argument: string | undefined) => Query
  /** The member of the answer that holds the items; null = the answer is the list. */
  readonly member: string | null
  /** All pages, or as many as `--limit` wants; else one answer is everything. */
  readonly paged?: true
  /** Fix for an endpoint that is off. */
  readonly switchedOff?: string
  readonly columns: readonly Column<Row>[]
  /** Code of the answer about an unknown argument, and what the error says then. */
  readonly missing?: { readonly code: string; readonly why: string }
  /** The argument and the options with whole ids in the place of their beginnings. */
  readonly resolve?: (remote: Remote, named: Named) => Promise<Named>
  /** Which items are shown. */
  readonly only?: (row: Row, options: ListOptions) => boolean
  /** Adds members from further calls to the rows that are shown. */
  readonly complete?: (remote: Remote, rows: readonly Row[]) => Promise<readonly Row[]>
  /** Refuses or notes options that cannot have selected anything. */
  readonly review?: (remote: Remote, rows: readonly Row[], options: ListOptions, io: CommandIo) => Promise<void>
  /** Printed in the place of an empty table. */
  readonly empty: string
}

/** The rows in a member of an answer, or in the answer itself. */
type RowOf<C extends AnyContract, Member> = (
  Member extends keyof AnswerOf<C>
    ? AnswerOf<C>[Member]
    : AnswerOf<C>
) extends readonly (infer Row)[]
  ? Row
  : never

/** A listing of what the endpoint of a contract answers. `Shown`: a row with what `complete` adds. */
export function list<C extends AnyContract, const Member extends keyof AnswerOf<C> | null, Shown = RowOf<C, Member>>(
  listing: Omit<ListCommand<Shown>, 'path' | 'query' | 'member' | 'complete' | 'only' | 'review'> & {
    readonly of: C
    readonly member: Member
    readonly params?: (argument: string) => NonNullable<CallOf<C>['params']>
    readonly query?: (options: ListOptions, argument: string | undefined) => NonNullable<CallOf<C>['query']>
    readonly only?: (row: RowOf<C, Member>, options: ListOptions) => boolean
    readonly complete?: (remote: Remote, rows: readonly RowOf<C, Member>[]) => Promise<readonly Shown[]>
    readonly review?: (
      remote: Remote,
      rows: readonly RowOf<C, Member>[],
      options: ListOptions,
      io: CommandIo,
    ) => Promise<void>
  },
): ListCommand<Shown> {
  const { of, params, ...rest } = listing
  const path = (argument: string): string => addressOf(of, { params: params?.(argument) }).path
  // The rows of an answer are those of its contract.
  return { ...rest, path } as unknown as ListCommand<Shown>
}

export interface Named {
  readonly argument: string | undefined
  readonly options: ListOptions
}

/** An option that is given once. */
export const one = (flags: string, description: string): Option => new Option(flags, description)
/** An option that may be repeated. */
export const many = (flags: string, description: string): Option =>
  new Option(flags, `${description}; may be repeated`)
    .argParser<string[]>((value, before) => [...(before ?? []), value])
    .default([])
export const limit = (preset: number, most: number, text = 'at most this many'): Option =>
  new Option('--limit <n>', text).argParser(toCount(most)).default(preset)

/** Parses a number from 1 to `most`. */
export const toCount =
  (most: number) =>
  (text: string): number => {
    const count = Number(text)
    if (Number.isInteger(count) && count >= 1 && count <= most) return count
    throw new InvalidArgumentError(`"${text}" is not a number from 1 to ${most}`)
  }

/** The options of a list by time. */
export const PERIOD = [
  one('--from <time>', `since this time: ${TIME_FORMS}`).argParser(toTime),
  one('--to <time>', 'until this time').argParser(toTime),
]

/** Fix for a missing endpoint of report tasks. */
export const REPORTS_OFF =
  'are Butler.footman.reportTask.enable and .restApi.enable true, and was Footman restarted since?'
