/**
 * A command is declared as one object: its words, arguments, options and help. The types of what its handler gets are those of
 * the declaration, so that an option has one name. `on` puts it together with its handler, which is loaded when it is called.
 */
import { type Command, Option } from 'commander'

declare const GIVES: unique symbol
/** An option that gives its command these members. */
export type Flag<Members = unknown> = Option & { readonly [GIVES]?: Members }

/** `max-concurrent` of `--max-concurrent <n>`. */
type Word<Flags extends string> = Flags extends `${string}--${infer Long}`
  ? Long extends `${infer First} ${string}`
    ? First
    : Long
  : never

type Camel<Text extends string> = Text extends `${infer First}-${infer Rest}`
  ? `${First}${Capitalize<Camel<Rest>>}`
  : Text

/** `qsConnection` of `--no-qs-connection`. */
type NameOf<Flags extends string> = Camel<Word<Flags> extends `no-${infer Rest}` ? Rest : Word<Flags>>

type TextOf<Flags extends string> = Flags extends `${string}...>`
  ? readonly string[]
  : Flags extends `${string}<${string}`
    ? string
    : boolean

/** A value in brackets may be left out. */
type Bare<Flags extends string> = Flags extends `${string}[${string}` ? true : never

type Maybe<Flags extends string, Value> = Flag<{ readonly [Name in NameOf<Flags>]?: Value }>
type Always<Flags extends string, Value> = Flag<{ readonly [Name in NameOf<Flags>]: Value }>

/** An option as it is typed: a text, several of `<name...>`, or a switch; `--no-x` is true without it. */
export const option = <const Flags extends string>(flags: Flags, description: string) =>
  new Option(flags, description) as Word<Flags> extends `no-${string}`
    ? Always<Flags, boolean>
    : Maybe<Flags, TextOf<Flags>>

/** An option without which the command is not run. */
export const required = <const Flags extends string>(flags: Flags, description: string) =>
  new Option(flags, description).makeOptionMandatory() as Always<Flags, TextOf<Flags>>

/** An option that may be repeated. */
export const many = <const Flags extends string>(flags: Flags, description: string) =>
  new Option(flags, `${description}; may be repeated`)
    .argParser<string[]>((value, before) => [...(before ?? []), value])
    .default([]) as Always<Flags, readonly string[]>

/** An option whose text `parse` checks; repeated, it gets its value before. */
export const parsed = <const Flags extends string, Value>(
  flags: Flags,
  description: string,
  parse: (text: string, before: Value | undefined) => Value,
) => new Option(flags, description).argParser<Value>(parse) as Maybe<Flags, Value | Bare<Flags>>

/** The same with a value that it has otherwise, which the help shows in this form. */
export const preset = <const Flags extends string, Value>(
  flags: Flags,
  description: string,
  parse: (text: string) => Value,
  value: Value,
  shown?: string,
) => new Option(flags, description).argParser(parse).default(value, shown) as Always<Flags, Value>

/** An option with one of these values, the last argument without it. */
export const chosen = <
  const Flags extends string,
  const Choice extends string,
  Value extends Choice | undefined = undefined,
>(
  flags: Flags,
  description: string,
  choices: readonly Choice[],
  value?: Value,
) =>
  new Option(flags, description).choices(choices).default(value) as Value extends undefined
    ? Maybe<Flags, Choice>
    : Always<Flags, Choice>

type Both<Union> = (Union extends unknown ? (one: Union) => void : never) extends (all: infer All) => void ? All : never
type Flat<Type> = { readonly [Name in keyof Type]: Type[Name] }
type MembersOf<One> = One extends { readonly [GIVES]?: infer Members } ? Members : never

/** The values of options, by name. */
export type ValuesOf<Flags extends readonly Flag[]> = Flat<Both<MembersOf<Flags[number]>>>

type ArgumentOf<Text extends string> = Text extends `${string}...${string}`
  ? readonly string[]
  : Text extends `[${string}`
    ? string | undefined
    : string

/** The values of arguments that are written like `<namespace> [key]`. */
export type ArgumentsOf<Text extends string> = Text extends ''
  ? []
  : Text extends `${infer First} ${infer Rest}`
    ? [ArgumentOf<First>, ...ArgumentsOf<Rest>]
    : [ArgumentOf<Text>]

export interface Declared<Arguments extends string = string, Flags extends readonly Flag[] = readonly Flag[]> {
  /** The last of its words. */
  readonly name: string
  /** The arguments of the usage: `<namespace> [key]`. */
  readonly arguments?: Arguments
  /** The meaning of its only argument, where the description does not say it. */
  readonly argument?: string
  readonly description: string
  readonly options?: Flags
  /** Printed below the options. */
  readonly help?: string
  /** Called before the handler. */
  readonly before?: (command: Command) => void
}

/**
 * @example
 * export const KEY_CREATE = command({ name: 'create', description: '...', options: [required('--id <name>', '...')] })
 * export function runKeyCreate({ id }: OptionsOf<typeof KEY_CREATE>, io: CommandIo): number
 */
export const command = <const Arguments extends string = '', const Flags extends readonly Flag[] = []>(
  declared: Declared<Arguments, Flags>,
): Declared<Arguments, Flags> => declared

/** The options that the handler of a command gets. */
export type OptionsOf<One extends Declared> = One extends Declared<string, infer Flags> ? ValuesOf<Flags> : never

/** Its arguments, and its options after them. */
type Given<Arguments extends string, Flags extends readonly Flag[]> = [
  ...given: ArgumentsOf<Arguments>,
  options: ValuesOf<Flags>,
]

/** Adds a command, or a group of them, to its parent; `done` gets the exit code. */
export type Entry = (parent: Command, done: (code: number) => void) => Command

/** A command with its handler. */
export const on =
  <Arguments extends string, Flags extends readonly Flag[]>(
    declared: Declared<Arguments, Flags>,
    run: (...given: Given<Arguments, Flags>) => number | Promise<number>,
  ): Entry =>
  (parent, done) => {
    const { name, argument, description, options = [], help, before } = declared
    const command = parent.command(name).description(description)
    if (argument !== undefined) command.argument(declared.arguments!, argument)
    else if (declared.arguments) command.arguments(declared.arguments)
    for (const one of options) command.addOption(one)
    if (help !== undefined) command.addHelpText('after', help)
    if (before) command.hook('preAction', (_, called) => before(called))
    // Commander hands over the command itself as the last one.
    return command.action(async (...given) => done(await run(...(given.slice(0, -1) as Given<Arguments, Flags>))))
  }

/** Commands below a word of their own. */
export const group =
  (name: string, description: string, entries: readonly Entry[]): Entry =>
  (parent, done) =>
    within((program) => program.command(name).description(description), entries)(parent, done)

/** Commands below another command. */
export const within =
  (outer: Entry, entries: readonly Entry[]): Entry =>
  (parent, done) => {
    const command = outer(parent, done)
    for (const add of entries) add(command, done)
    return command
  }
